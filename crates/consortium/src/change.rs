//! What a proposal may change. Each kind is typed and its rules are fixed; there are no scripts.

mod rules;
mod wire;

use std::fmt;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::ATTACHMENT_BYTES_MAX;
use tabellion_ledger::{CertificateId, LedgerId, MemberId, Roster};

use crate::committee::SeatChange;
use crate::link::NewLink;
use crate::member::Role;
use crate::node::NodeId;
use crate::parameters::{PermittedName, QuotaRules, Retention};
use crate::proposal::ProposalNumber;
use crate::quota::MemberQuota;
use crate::signing::KeyOffer;
use crate::text::as_roster;

pub use rules::{AlgorithmRules, BlockLimits, CertificateLimits, PolicyRules, VotingRules};

/// A member that is to join the consortium.
///
/// Shape: [id, name, contact, [key offer, ...], [role, ...]], keys 1 or 2, roles ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Its name for good.
    pub id: MemberId,
    /// The organisation's name, for people.
    pub name: String,
    /// How to reach it, for people.
    #[serde(default)]
    pub contact: String,
    /// Its keys, each shown to be its own.
    pub keys: Vec<KeyOffer>,
    /// What it may do.
    pub roles: Vec<Role>,
}

/// A certificate, DER.
///
/// Shape: a byte string; as text hexadecimal digits. Limit: [`ATTACHMENT_BYTES_MAX`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Der(pub Vec<u8>);

impl Der {
    /// The certificate's identifier.
    pub fn id(&self) -> CertificateId {
        CertificateId::of(&self.0)
    }
}

impl fmt::Debug for Der {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Der({})", self.id())
    }
}

impl TryFrom<String> for Der {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, hex::FromHexError> {
        hex::decode(text).map(Self)
    }
}

impl From<Der> for String {
    fn from(der: Der) -> Self {
        hex::encode(der.0)
    }
}

impl Wire for Der {
    fn encode(&self, out: &mut Writer) {
        out.bytes(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.bytes(ATTACHMENT_BYTES_MAX).map(|bytes| Self(bytes.to_vec()))
    }
}

/// A change that the members vote on.
///
/// Source: X.1409 L9, clause 7 step 2, IV.1, V.1.
///
/// Shape: [number, arguments].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Change {
    /// An organisation becomes a member. Number 0.
    AddMember(NewMember),
    /// A member may do nothing until it is resumed. Number 1.
    SuspendMember {
        /// The member.
        member: MemberId,
    },
    /// A suspended member takes part again. Number 2.
    ResumeMember {
        /// The member.
        member: MemberId,
    },
    /// A member leaves for good, with its nodes; first its validators are removed or replaced. Number 3.
    RemoveMember {
        /// The member.
        member: MemberId,
    },
    /// A member that lost its keys, or control of them, goes on with new ones. Number 4.
    ReplaceKeys {
        /// The member.
        member: MemberId,
        /// Its new keys, each shown to be its own; the old ones are retired.
        keys: Vec<KeyOffer>,
    },
    /// A member gets a role. Number 5.
    GrantRole {
        /// The member.
        member: MemberId,
        /// The role.
        role: Role,
    },
    /// A member loses a role. Number 6.
    RevokeRole {
        /// The member.
        member: MemberId,
        /// The role.
        role: Role,
    },
    /// A node becomes a validator. Number 7.
    AddValidator {
        /// The node.
        node: NodeId,
    },
    /// A node takes a validator's place, of the same member or of another. Number 8.
    ReplaceValidator {
        /// The validator.
        old: NodeId,
        /// The node.
        new: NodeId,
    },
    /// A validator loses its vote and follows. Number 9.
    RemoveValidator {
        /// The validator.
        node: NodeId,
    },
    /// Trusted CAs come and go (X.1409 C4, 8.2.1(3): required). Number 10.
    TrustedCas {
        /// Certificates to trust, ascending by identifier. They stand in the proposal itself, not beside it:
        /// the list of trusted CAs is recorded on every kind of ledger, and ballots commit to it.
        #[serde(default)]
        add: Vec<Der>,
        /// Certificates to trust no more, ascending.
        #[serde(default)]
        remove: Vec<CertificateId>,
    },
    /// Acceptable certificate policies. Number 11.
    Policies(PolicyRules),
    /// Accepted algorithms of transactions and certificates. Number 12.
    Algorithms(AlgorithmRules),
    /// The list of distinguished names (X.1409 C5, 8.2.1(3): optional). Number 13.
    Names {
        /// The names; none = every name.
        names: Option<Vec<PermittedName>>,
    },
    /// Block period, batch and size. Number 14.
    Blocks(BlockLimits),
    /// How long transactions may wait. Number 15.
    Transactions {
        /// How far ahead a transaction's `valid_until` may lie. Unit: ms.
        lifetime_ms_max: u64,
    },
    /// How strictly certificates are read, and how large they may be. Number 16.
    CertificateLimits(CertificateLimits),
    /// How long the records of each lane stay. Number 17.
    Retention {
        /// The rules, ascending by lane; records of other lanes stay for good.
        lanes: Vec<Retention>,
    },
    /// The quota of members without one of their own. Number 18.
    Quotas(QuotaRules),
    /// The quota of one member. Number 19.
    MemberQuota {
        /// The member.
        member: MemberId,
        /// Its quota.
        quota: MemberQuota,
    },
    /// Rules of votes and nodes. Number 20.
    Voting(VotingRules),
    /// From the effect height on, another version of path validation. Number 21.
    VerifierVersion {
        /// The version.
        version: u64,
    },
    /// From the effect height on, another version of the ledger's rules. Number 22.
    LedgerVersion {
        /// The version.
        version: u64,
    },
    /// No lane but the consortium's takes transactions any more. Number 23.
    Stop,
    /// All lanes take transactions again. Number 24.
    Resume,
    /// An accepted proposal that is not yet in force is undone. Number 25.
    Cancel {
        /// That proposal.
        proposal: ProposalNumber,
    },
    /// A decision in words, for the record. Number 26.
    Decision {
        /// The words.
        text: String,
    },
    /// A foreign ledger is followed: what proxies prove of it is recorded (X.1409 C16). Number 27.
    FollowLedger(NewLink),
    /// A foreign ledger is followed no longer; what is known of it counts no more, but revocations. Number
    /// 28.
    UnfollowLedger {
        /// The ledger.
        ledger: LedgerId,
    },
    /// Following begins anew, with named validators: how members decide upon a link that froze. Number 29.
    FollowAnew {
        /// The ledger.
        ledger: LedgerId,
        /// The validators with whom following begins.
        #[serde(with = "as_roster")]
        roster: Roster,
    },
    /// Results of this ledger are numbered, so that others can follow them, or are no longer. Number 30.
    Outbox {
        /// Whether they are.
        open: bool,
    },
}

impl Change {
    /// The kind of the change in answers and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::AddMember(_) => "add-member",
            Self::SuspendMember { .. } => "suspend-member",
            Self::ResumeMember { .. } => "resume-member",
            Self::RemoveMember { .. } => "remove-member",
            Self::ReplaceKeys { .. } => "replace-keys",
            Self::GrantRole { .. } => "grant-role",
            Self::RevokeRole { .. } => "revoke-role",
            Self::AddValidator { .. } => "add-validator",
            Self::ReplaceValidator { .. } => "replace-validator",
            Self::RemoveValidator { .. } => "remove-validator",
            Self::TrustedCas { .. } => "trusted-cas",
            Self::Policies(_) => "policies",
            Self::Algorithms(_) => "algorithms",
            Self::Names { .. } => "names",
            Self::Blocks(_) => "blocks",
            Self::Transactions { .. } => "transactions",
            Self::CertificateLimits(_) => "certificate-limits",
            Self::Retention { .. } => "retention",
            Self::Quotas(_) => "quotas",
            Self::MemberQuota { .. } => "member-quota",
            Self::Voting(_) => "voting",
            Self::VerifierVersion { .. } => "verifier-version",
            Self::LedgerVersion { .. } => "ledger-version",
            Self::Stop => "stop",
            Self::Resume => "resume",
            Self::Cancel { .. } => "cancel",
            Self::Decision { .. } => "decision",
            Self::FollowLedger(_) => "follow-ledger",
            Self::UnfollowLedger { .. } => "unfollow-ledger",
            Self::FollowAnew { .. } => "follow-anew",
            Self::Outbox { .. } => "outbox",
        }
    }

    /// The change of the roster that this is, if it is one.
    pub fn seat(&self) -> Option<SeatChange> {
        match self {
            Self::AddValidator { node } => Some(SeatChange::Add { node: *node }),
            Self::ReplaceValidator { old, new } => Some(SeatChange::Replace { old: *old, new: *new }),
            Self::RemoveValidator { node } => Some(SeatChange::Remove { node: *node }),
            _ => None,
        }
    }
}
