//! Members, their keys and roles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{KeyId, MemberId, PublicKey};

use crate::genesis::KEYS_PER_MEMBER_MAX;

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

/// The record of a member.
///
/// Shape: [id, name, [key id, ...], [role, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The member's name for good.
    pub id: MemberId,
    /// The organisation's name, for people.
    pub name: String,
    /// The keys with which it signs.
    pub keys: Vec<KeyId>,
    /// What it may do.
    pub roles: Vec<Role>,
}

impl Wire for Member {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.id.encode(out);
        out.text(&self.name);
        out.list(&self.keys);
        out.list(&self.roles);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            id: MemberId::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
            keys: input.list(KEYS_PER_MEMBER_MAX)?,
            roles: input.list(Role::ALL.len())?,
        })
    }
}

/// The record of a signing key.
///
/// Shape: [member id, public key].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRecord {
    /// The member that signs with it.
    pub member: MemberId,
    /// The key.
    pub key: PublicKey,
}

impl Wire for KeyRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.member.encode(out);
        self.key.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { member: MemberId::decode(input)?, key: PublicKey::decode(input)? })
    }
}
