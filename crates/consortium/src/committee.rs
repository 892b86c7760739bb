//! Who takes part in an epoch, and what waits for the next one.

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{HeaderHash, Height, MemberId};

use crate::limits::{ADDRESS_BYTES_MAX, NODES_MAX, PENDING_MAX};
use crate::node::{NodeId, NodeRole};
use crate::proposal::ProposalNumber;
use crate::signing::NodeKey;

/// A node of an epoch, and where its peers reach it.
///
/// Shape: [node id, key, member id, name, role, address].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommitteeNode {
    /// The node.
    pub id: NodeId,
    /// The key that names it on the wire during this epoch.
    pub key: NodeKey,
    /// The member that runs it.
    pub member: MemberId,
    /// Its name, for people.
    pub name: String,
    /// What it is for; validators are those of the roster.
    pub role: NodeRole,
    /// `host:port` of its node-to-node listener.
    pub address: String,
}

impl Wire for CommitteeNode {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        self.id.encode(out);
        self.key.encode(out);
        self.member.encode(out);
        out.text(&self.name);
        self.role.encode(out);
        out.text(&self.address);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        Ok(Self {
            id: NodeId::decode(input)?,
            key: NodeKey::decode(input)?,
            member: MemberId::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
            role: NodeRole::decode(input)?,
            address: input.text(ADDRESS_BYTES_MAX)?.to_owned(),
        })
    }
}

/// The address book of an epoch: the validators of the roster and the nodes that follow. It changes with the
/// last block of an epoch alone, so that all nodes agree on it.
///
/// Shape: [since height, roster number, [node, ...]], nodes ascending by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Committee {
    /// The first block of the first epoch in which it holds.
    pub since: Height,
    /// The roster's number.
    pub roster: u64,
    /// Validators and followers.
    pub nodes: Vec<CommitteeNode>,
}

impl Committee {
    /// The validators.
    pub fn validators(&self) -> impl Iterator<Item = &CommitteeNode> {
        self.nodes.iter().filter(|node| node.role == NodeRole::Validator)
    }

    /// The nodes that follow without a vote.
    pub fn followers(&self) -> impl Iterator<Item = &CommitteeNode> {
        self.nodes.iter().filter(|node| node.role != NodeRole::Validator)
    }
}

impl Wire for Committee {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.since.encode(out);
        out.uint(self.roster);
        out.list(&self.nodes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self { since: Height::decode(input)?, roster: input.uint()?, nodes: input.list(NODES_MAX)? })
    }
}

/// A change of the roster by vote.
///
/// Shape: [0, node id] add, [1, old node id, new node id] replace, [2, node id] remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SeatChange {
    /// A node becomes a validator.
    Add {
        /// The node.
        node: NodeId,
    },
    /// A node takes the place of a validator.
    Replace {
        /// The validator.
        old: NodeId,
        /// The node.
        new: NodeId,
    },
    /// A validator loses its vote and follows.
    Remove {
        /// The validator.
        node: NodeId,
    },
}

impl Wire for SeatChange {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Add { node } => {
                out.array(2);
                out.uint(0);
                node.encode(out);
            }
            Self::Replace { old, new } => {
                out.array(3);
                out.uint(1);
                old.encode(out);
                new.encode(out);
            }
            Self::Remove { node } => {
                out.array(2);
                out.uint(2);
                node.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match (input.array(3)?, input.uint()?) {
            (2, 0) => Ok(Self::Add { node: NodeId::decode(input)? }),
            (3, 1) => Ok(Self::Replace { old: NodeId::decode(input)?, new: NodeId::decode(input)? }),
            (2, 2) => Ok(Self::Remove { node: NodeId::decode(input)? }),
            _ => Err(DecodeError::Value { field: "seat change" }),
        }
    }
}

/// A voted change of the roster that waits for the end of an epoch.
///
/// Shape: [proposal number, seat change].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PendingSeat {
    /// The proposal that decided it.
    pub proposal: ProposalNumber,
    /// The change.
    pub change: SeatChange,
}

impl Wire for PendingSeat {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.proposal.encode(out);
        self.change.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { proposal: ProposalNumber::decode(input)?, change: SeatChange::decode(input)? })
    }
}

/// What waits for the end of the epoch.
///
/// Shape: [[pending seat, ...], [node id, ...], whether the address book changes, whether empty blocks lead
/// there].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Voted changes of the roster, in the order of their decision.
    pub seats: Vec<PendingSeat>,
    /// Nodes that go on with their next key, in the order of their requests.
    pub rotations: Vec<NodeId>,
    /// Whether the address book is no longer what the nodes' records say.
    pub book: bool,
    /// Whether the end of the epoch is worth empty blocks on an idle ledger.
    pub hurry: bool,
}

impl Wire for Pending {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        out.list(&self.seats);
        out.list(&self.rotations);
        out.bool(self.book);
        out.bool(self.hurry);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            seats: input.list(PENDING_MAX)?,
            rotations: input.list(NODES_MAX)?,
            book: input.bool()?,
            hurry: input.bool()?,
        })
    }
}

/// The last block of the epoch before. A node that names it shows that it follows: nobody else knows its
/// hash.
///
/// Shape: [height, header hash].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Boundary {
    /// Its height.
    pub height: Height,
    /// Its header's hash.
    pub header: HeaderHash,
}

impl Wire for Boundary {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.height.encode(out);
        self.header.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { height: Height::decode(input)?, header: HeaderHash::decode(input)? })
    }
}
