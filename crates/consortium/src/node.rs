//! Nodes of the ledger and the invitations by which they join.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{Height, IdError, KeyId, MemberId, TimeMs};

use crate::limits::{ADDRESS_BYTES_MAX, INVITATIONS_PER_MEMBER_MAX, NODES_MAX};
use crate::member::Moment;
use crate::signing::NodeKey;
use crate::wire::one_of;

/// A node's name for good: the identifier of the key with which it joined. It stays when the key rotates, so
/// that a decision about a node cannot be escaped by a new key.
///
/// Shape: 32 bytes; as text 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeId(pub KeyId);

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NodeId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        text.parse().map(Self)
    }
}

impl Wire for NodeId {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        KeyId::decode(input).map(Self)
    }
}

/// What a node is for (X.1409 8.1, A.1, A.3, I.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NodeRole {
    /// Verifies requests, votes on blocks and keeps the ledger; exactly the nodes of the roster.
    Validator,
    /// Keeps the whole ledger and serves it, without a vote.
    Full,
    /// Keeps every certificate for a ledger of identifiers.
    Backup,
    /// Forwards between this DLT system and what is outside of it.
    Proxy,
    /// Gives certificate status to a network without Internet access.
    Edge,
}

impl NodeRole {
    /// Every role, in the order of its number on the wire.
    pub const ALL: [Self; 5] = [Self::Validator, Self::Full, Self::Backup, Self::Proxy, Self::Edge];

    /// The role's name in files and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Validator => "validator",
            Self::Full => "full",
            Self::Backup => "backup",
            Self::Proxy => "proxy",
            Self::Edge => "edge",
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::Validator => 0,
            Self::Full => 1,
            Self::Backup => 2,
            Self::Proxy => 3,
            Self::Edge => 4,
        }
    }
}

impl fmt::Display for NodeRole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for NodeRole {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let named = Self::ALL.into_iter().find(|role| role.name() == text);
        named.ok_or(DecodeError::Value { field: "node role" })
    }
}

impl Wire for NodeRole {
    fn encode(&self, out: &mut Writer) {
        out.uint(self.number());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        one_of(input, "node role", &Self::ALL.map(|role| (role.number(), role)))
    }
}

/// The record of a node.
///
/// Shape: [id, member id, name, role, key, next key or null, address, joined, reports in a row, height that
/// the last one named or null, removed or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// The node's name for good.
    pub id: NodeId,
    /// The member that runs it.
    pub member: MemberId,
    /// Its name, for people.
    pub name: String,
    /// What it is for.
    pub role: NodeRole,
    /// The key that it signs with.
    pub key: NodeKey,
    /// The key that it signs with from the next epoch on.
    pub next_key: Option<NodeKey>,
    /// `host:port` of its node-to-node listener.
    pub address: String,
    /// When it joined.
    pub joined: Moment,
    /// Epochs in a row in which it reported as healthy.
    pub reports: u64,
    /// The last boundary that it named in a report.
    pub reported: Option<Height>,
    /// When it was removed.
    pub removed: Option<Moment>,
}

impl Node {
    /// Whether the node has a vote on blocks.
    pub fn is_validator(&self) -> bool {
        self.role == NodeRole::Validator
    }
}

impl Wire for Node {
    fn encode(&self, out: &mut Writer) {
        out.array(11);
        self.id.encode(out);
        self.member.encode(out);
        out.text(&self.name);
        self.role.encode(out);
        self.key.encode(out);
        out.option(self.next_key.as_ref());
        out.text(&self.address);
        self.joined.encode(out);
        out.uint(self.reports);
        out.option(self.reported.as_ref());
        out.option(self.removed.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(11)?;
        Ok(Self {
            id: NodeId::decode(input)?,
            member: MemberId::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
            role: NodeRole::decode(input)?,
            key: NodeKey::decode(input)?,
            next_key: input.option()?,
            address: input.text(ADDRESS_BYTES_MAX)?.to_owned(),
            joined: Moment::decode(input)?,
            reports: input.uint()?,
            reported: input.option()?,
            removed: input.option()?,
        })
    }
}

/// The nodes that are not removed.
///
/// Shape: [[node id, member id], ...], ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nodes(pub Vec<(NodeId, MemberId)>);

impl Nodes {
    /// How many nodes a member has.
    pub fn of(&self, member: &MemberId) -> usize {
        self.0.iter().filter(|(_, owner)| owner == member).count()
    }

    pub(crate) fn insert(&mut self, id: NodeId, member: MemberId) {
        if let Err(place) = self.0.binary_search_by_key(&id, |(id, _)| *id) {
            self.0.insert(place, (id, member));
        }
    }

    pub(crate) fn remove(&mut self, id: NodeId) {
        self.0.retain(|(other, _)| *other != id);
    }
}

impl Wire for Nodes {
    fn encode(&self, out: &mut Writer) {
        out.array(self.0.len());
        for (id, member) in &self.0 {
            out.array(2);
            id.encode(out);
            member.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.array(NODES_MAX)?;
        let mut nodes = Vec::new();
        for _ in 0..count {
            input.array_exact(2)?;
            nodes.push((NodeId::decode(input)?, MemberId::decode(input)?));
        }
        Ok(Self(nodes))
    }
}

/// What became of an invitation.
///
/// Shape: [0, null] open, [1, node id] used, [2, null] cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InvitationStatus {
    /// It waits for its node, until it expires.
    Open,
    /// A node joined by it.
    Used(NodeId),
    /// Its member took it back.
    Cancelled,
}

impl Wire for InvitationStatus {
    fn encode(&self, out: &mut Writer) {
        let (number, node) = match self {
            Self::Open => (0, None),
            Self::Used(node) => (1, Some(node)),
            Self::Cancelled => (2, None),
        };
        out.array(2);
        out.uint(number);
        out.option(node);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        match (input.uint()?, input.option()?) {
            (0, None) => Ok(Self::Open),
            (1, Some(node)) => Ok(Self::Used(node)),
            (2, None) => Ok(Self::Cancelled),
            _ => Err(DecodeError::Value { field: "invitation status" }),
        }
    }
}

/// An invitation for one node. Whoever holds the secret half of its key may join one node by it, once; the
/// secret half is on no ledger.
///
/// Shape: [member id, role, name, invited, expires (ms), status].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// The member that will answer for the node.
    pub member: MemberId,
    /// What the node will be for.
    pub role: NodeRole,
    /// The node's name, for people.
    pub name: String,
    /// When it was recorded.
    pub invited: Moment,
    /// The last moment at which it may be used.
    pub expires: TimeMs,
    /// What became of it.
    pub status: InvitationStatus,
}

impl Wire for Invitation {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        self.member.encode(out);
        self.role.encode(out);
        out.text(&self.name);
        self.invited.encode(out);
        self.expires.encode(out);
        self.status.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        Ok(Self {
            member: MemberId::decode(input)?,
            role: NodeRole::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
            invited: Moment::decode(input)?,
            expires: TimeMs::decode(input)?,
            status: InvitationStatus::decode(input)?,
        })
    }
}

/// The open invitations of a member, with their ends.
///
/// Shape: [[key id, expires (ms)], ...], oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitations(pub Vec<(KeyId, TimeMs)>);

impl Wire for Invitations {
    fn encode(&self, out: &mut Writer) {
        out.array(self.0.len());
        for (key, expires) in &self.0 {
            out.array(2);
            key.encode(out);
            expires.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.array(INVITATIONS_PER_MEMBER_MAX)?;
        let mut open = Vec::new();
        for _ in 0..count {
            input.array_exact(2)?;
            open.push((KeyId::decode(input)?, TimeMs::decode(input)?));
        }
        Ok(Self(open))
    }
}
