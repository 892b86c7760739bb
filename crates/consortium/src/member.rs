//! Members and their roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{Context, Height, KeyId, MemberId, TimeMs};

use crate::limits::{CONTACT_BYTES_MAX, FOUNDER_KEYS_MAX, MEMBERS_EVER_MAX};
use crate::quota::MemberQuota;
use crate::wire::one_of;

/// What a member may do. Nothing is allowed that no role allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Publishes certificates that it issued.
    CertificationAuthority,
    /// Publishes certificates of its own.
    CertificateUser,
    /// Runs an SDP controller.
    SdpController,
    /// Registers accepting hosts.
    AcceptingHost,
    /// Submits threat intelligence.
    ThreatIntelligenceProvider,
    /// Queries threat intelligence and gives feedback.
    ThreatIntelligenceUser,
    /// Submits logs and their hashes.
    LogServer,
    /// Audits.
    Auditor,
    /// Operates nodes.
    Operator,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 9] = [
        Self::CertificationAuthority,
        Self::CertificateUser,
        Self::SdpController,
        Self::AcceptingHost,
        Self::ThreatIntelligenceProvider,
        Self::ThreatIntelligenceUser,
        Self::LogServer,
        Self::Auditor,
        Self::Operator,
    ];

    fn number(self) -> u64 {
        match self {
            Self::CertificationAuthority => 0,
            Self::CertificateUser => 1,
            Self::SdpController => 2,
            Self::AcceptingHost => 3,
            Self::ThreatIntelligenceProvider => 4,
            Self::ThreatIntelligenceUser => 5,
            Self::LogServer => 6,
            Self::Auditor => 7,
            Self::Operator => 8,
        }
    }

    /// The role's name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::CertificationAuthority => "certification-authority",
            Self::CertificateUser => "certificate-user",
            Self::SdpController => "sdp-controller",
            Self::AcceptingHost => "accepting-host",
            Self::ThreatIntelligenceProvider => "threat-intelligence-provider",
            Self::ThreatIntelligenceUser => "threat-intelligence-user",
            Self::LogServer => "log-server",
            Self::Auditor => "auditor",
            Self::Operator => "operator",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(DecodeError::Value { field: "role" })
    }
}

impl Wire for Role {
    fn encode(&self, out: &mut Writer) {
        out.uint(self.number());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = input.uint()?;
        Self::ALL.into_iter().find(|role| role.number() == number).ok_or(DecodeError::Value { field: "role" })
    }
}

/// A block and its time: since when something holds.
///
/// Shape: [height, time (ms)].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// The block.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
}

impl Moment {
    /// The block in which a service acts.
    pub fn of(ctx: &Context) -> Self {
        Self { height: ctx.height, time: ctx.time }
    }
}

impl Wire for Moment {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.height.encode(out);
        self.time.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { height: Height::decode(input)?, time: TimeMs::decode(input)? })
    }
}

/// Whether a member takes part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberStatus {
    /// It votes, and does what its roles allow.
    Active,
    /// It may do nothing until it is resumed; its validators stay until a vote takes them out.
    Suspended,
    /// It was part of the consortium; its name stays taken.
    Removed,
}

impl MemberStatus {
    /// The status in answers and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for MemberStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Wire for MemberStatus {
    fn encode(&self, out: &mut Writer) {
        out.uint(match self {
            Self::Active => 0,
            Self::Suspended => 1,
            Self::Removed => 2,
        });
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        one_of(input, "member status", &[(0, Self::Active), (1, Self::Suspended), (2, Self::Removed)])
    }
}

/// The record of a member.
///
/// Shape: [id, name, contact, status, since, [key id, ...], [role, ...], quota].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The member's name for good.
    pub id: MemberId,
    /// The organisation's name, for people.
    pub name: String,
    /// How to reach it, for people.
    pub contact: String,
    /// Whether it takes part.
    pub status: MemberStatus,
    /// Since when it has this status.
    pub since: Moment,
    /// Its valid keys, oldest first. Those that it retired stay on record by themselves.
    pub keys: Vec<KeyId>,
    /// What it may do, ascending.
    pub roles: Vec<Role>,
    /// What it may submit.
    pub quota: MemberQuota,
}

impl Member {
    /// Whether it votes.
    pub fn is_active(&self) -> bool {
        self.status == MemberStatus::Active
    }
}

impl Wire for Member {
    fn encode(&self, out: &mut Writer) {
        out.array(8);
        self.id.encode(out);
        out.text(&self.name);
        out.text(&self.contact);
        self.status.encode(out);
        self.since.encode(out);
        out.list(&self.keys);
        out.list(&self.roles);
        self.quota.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(8)?;
        Ok(Self {
            id: MemberId::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
            contact: input.text(CONTACT_BYTES_MAX)?.to_owned(),
            status: MemberStatus::decode(input)?,
            since: Moment::decode(input)?,
            keys: input.list(FOUNDER_KEYS_MAX)?,
            roles: input.list(Role::ALL.len())?,
            quota: MemberQuota::decode(input)?,
        })
    }
}

/// All members there ever were, with their status: who votes.
///
/// Shape: [[member id, status], ...], ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Members(pub Vec<(MemberId, MemberStatus)>);

impl Members {
    /// The status of a member.
    pub fn status(&self, id: &MemberId) -> Option<MemberStatus> {
        self.place(id).ok().map(|place| self.0[place].1)
    }

    /// Whether a member votes.
    pub fn is_active(&self, id: &MemberId) -> bool {
        self.status(id) == Some(MemberStatus::Active)
    }

    /// How many members vote.
    pub fn active(&self) -> usize {
        self.0.iter().filter(|(_, status)| *status == MemberStatus::Active).count()
    }

    /// How many members are not removed.
    pub fn present(&self) -> usize {
        self.0.iter().filter(|(_, status)| *status != MemberStatus::Removed).count()
    }

    pub(crate) fn set(&mut self, id: &MemberId, status: MemberStatus) {
        match self.place(id) {
            Ok(place) => self.0[place].1 = status,
            Err(place) => self.0.insert(place, (id.clone(), status)),
        }
    }

    fn place(&self, id: &MemberId) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(id))
    }
}

impl Wire for Members {
    fn encode(&self, out: &mut Writer) {
        out.array(self.0.len());
        for (id, status) in &self.0 {
            out.array(2);
            id.encode(out);
            status.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.array(MEMBERS_EVER_MAX)?;
        let mut members = Vec::new();
        for _ in 0..count {
            input.array_exact(2)?;
            members.push((MemberId::decode(input)?, MemberStatus::decode(input)?));
        }
        Ok(Self(members))
    }
}
