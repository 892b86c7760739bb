//! What a submitter can ask of the consortium lane.

mod wire;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::limits::ENVELOPE_BYTES_MAX;
use tabellion_ledger::{Equivocation, Hash, Height, KeyId, Signature, TimeMs};

use crate::account::AccountName;
use crate::change::Change;
use crate::committee::Boundary;
use crate::member::Role;
use crate::node::{NodeId, NodeRole};
use crate::permission::Permission;
use crate::proposal::{Choice, ProposalNumber};
use crate::signing::{KeyOffer, NodeKey};

/// A proposal as its member submits it; its own vote is for it.
///
/// Shape: [change, reason, deadline (ms), effect height].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposed {
    /// What it would change.
    pub change: Change,
    /// Why, for people.
    pub reason: String,
    /// The last moment at which ballots count.
    pub deadline: TimeMs,
    /// The first block that shall run under the new rules; 0 = as soon as it is accepted.
    pub effect: Height,
}

/// A ballot as its member submits it.
///
/// Shape: [proposal number, proposal hash, choice, reason].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// The proposal.
    pub proposal: ProposalNumber,
    /// [`crate::Proposal::hash`] of what the voter saw.
    pub hash: Hash,
    /// For or against.
    pub choice: Choice,
    /// Why, for people.
    pub reason: String,
}

/// An account as its member opens it.
///
/// Shape: [name, about, [key offer, ...], [role, ...]], at most 2 keys, roles ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAccount {
    /// Its name within the member, for good.
    pub name: AccountName,
    /// Whose it is, for people.
    pub about: String,
    /// Its keys; they may come later.
    pub keys: Vec<KeyOffer>,
    /// What it may do, within what the member may do.
    pub roles: Vec<Role>,
}

/// An invitation as its member makes it. The secret half of the key goes to the node's host, not to the
/// ledger.
///
/// Shape: [key, role, name, expires (ms)].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The public half of the invitation's key.
    pub key: NodeKey,
    /// What the node will be for; a validator it becomes by vote alone.
    pub role: NodeRole,
    /// The node's name, for people.
    pub name: String,
    /// The last moment at which the invitation may be used.
    pub expires: TimeMs,
}

/// A node that joins.
///
/// Shape: [key, address, signature].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The node's key.
    pub key: NodeKey,
    /// `host:port` of its node-to-node listener.
    pub address: String,
    /// The node key's signature over [`crate::possession_message`] for [`crate::Purpose::Join`].
    pub possession: Signature,
}

/// A node's change of its key.
///
/// Shape: [node id, present key, next key, signature of the next key, signature of the present key].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// The node.
    pub node: NodeId,
    /// Its present key.
    pub present: NodeKey,
    /// Its next key.
    pub key: NodeKey,
    /// The next key's signature over [`crate::possession_message`] for [`crate::Purpose::Next`].
    pub possession: Signature,
    /// The present key's signature over [`crate::possession_message`] for [`crate::Purpose::Yield`].
    pub consent: Signature,
}

/// An action of the consortium lane.
///
/// Shape: [number, arguments]; the numbers are those of [`ActionKind`], the arguments stand in the order of
/// the fields, in an array where there are several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// The member gets a second key; the first goes on to be valid until it is retired.
    AddKey(KeyOffer),
    /// The member retires a key, but not its last.
    RetireKey {
        /// The key.
        key: KeyId,
    },
    /// The member says its name and contact anew.
    Describe {
        /// The organisation's name, for people.
        name: String,
        /// How to reach it, for people.
        contact: String,
    },
    /// The member opens an account.
    OpenAccount(NewAccount),
    /// The member says anew whose an account is.
    DescribeAccount {
        /// The account.
        name: AccountName,
        /// Whose it is, for people.
        about: String,
    },
    /// The member closes an account for good.
    CloseAccount {
        /// The account.
        name: AccountName,
    },
    /// An account gets a key.
    AddAccountKey {
        /// The account.
        name: AccountName,
        /// The key.
        key: KeyOffer,
    },
    /// An account's key is retired.
    RetireAccountKey {
        /// The account.
        name: AccountName,
        /// The key.
        key: KeyId,
    },
    /// An account gets a role that its member has.
    GrantAccountRole {
        /// The account.
        name: AccountName,
        /// The role.
        role: Role,
    },
    /// An account loses a role.
    RevokeAccountRole {
        /// The account.
        name: AccountName,
        /// The role.
        role: Role,
    },
    /// The member proposes a change.
    Propose(Proposed),
    /// The member votes.
    Vote(Ballot),
    /// The member takes its proposal back, as long as it is open.
    Withdraw {
        /// The proposal.
        proposal: ProposalNumber,
    },
    /// The member invites a node of its own.
    Invite(Invite),
    /// The member takes an invitation back.
    CancelInvitation {
        /// The invitation's key.
        invitation: KeyId,
    },
    /// A node joins by the invitation whose key signs.
    Join(Join),
    /// A node leaves that is no validator.
    RemoveNode {
        /// The node.
        node: NodeId,
    },
    /// A node goes on with another key from the next epoch on.
    RotateNode(Rotation),
    /// A node says its address anew; its peers use it from the next epoch on.
    SetAddress {
        /// `host:port` of its node-to-node listener.
        address: String,
    },
    /// A node says that it follows the ledger.
    Report(Boundary),
    /// A member or its node shows that a validator voted two ways.
    Accuse(Equivocation),
}

/// The kinds of actions, in the order of their number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// [`Action::AddKey`], number 0.
    AddKey,
    /// [`Action::RetireKey`], 1.
    RetireKey,
    /// [`Action::Describe`], 2.
    Describe,
    /// [`Action::OpenAccount`], 3.
    OpenAccount,
    /// [`Action::DescribeAccount`], 4.
    DescribeAccount,
    /// [`Action::CloseAccount`], 5.
    CloseAccount,
    /// [`Action::AddAccountKey`], 6.
    AddAccountKey,
    /// [`Action::RetireAccountKey`], 7.
    RetireAccountKey,
    /// [`Action::GrantAccountRole`], 8.
    GrantAccountRole,
    /// [`Action::RevokeAccountRole`], 9.
    RevokeAccountRole,
    /// [`Action::Propose`], 10.
    Propose,
    /// [`Action::Vote`], 11.
    Vote,
    /// [`Action::Withdraw`], 12.
    Withdraw,
    /// [`Action::Invite`], 13.
    Invite,
    /// [`Action::CancelInvitation`], 14.
    CancelInvitation,
    /// [`Action::Join`], 15.
    Join,
    /// [`Action::RemoveNode`], 16.
    RemoveNode,
    /// [`Action::RotateNode`], 17.
    RotateNode,
    /// [`Action::SetAddress`], 18.
    SetAddress,
    /// [`Action::Report`], 19.
    Report,
    /// [`Action::Accuse`], 20.
    Accuse,
}

/// Operates nodes.
const OPERATOR: &[Role] = &[Role::Operator];

impl ActionKind {
    /// Every kind.
    pub const ALL: [Self; 21] = [
        Self::AddKey,
        Self::RetireKey,
        Self::Describe,
        Self::OpenAccount,
        Self::DescribeAccount,
        Self::CloseAccount,
        Self::AddAccountKey,
        Self::RetireAccountKey,
        Self::GrantAccountRole,
        Self::RevokeAccountRole,
        Self::Propose,
        Self::Vote,
        Self::Withdraw,
        Self::Invite,
        Self::CancelInvitation,
        Self::Join,
        Self::RemoveNode,
        Self::RotateNode,
        Self::SetAddress,
        Self::Report,
        Self::Accuse,
    ];

    /// The kind's name in documents and answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddKey => "add-key",
            Self::RetireKey => "retire-key",
            Self::Describe => "describe",
            Self::OpenAccount => "open-account",
            Self::DescribeAccount => "describe-account",
            Self::CloseAccount => "close-account",
            Self::AddAccountKey => "add-account-key",
            Self::RetireAccountKey => "retire-account-key",
            Self::GrantAccountRole => "grant-account-role",
            Self::RevokeAccountRole => "revoke-account-role",
            Self::Propose => "propose",
            Self::Vote => "vote",
            Self::Withdraw => "withdraw",
            Self::Invite => "invite",
            Self::CancelInvitation => "cancel-invitation",
            Self::Join => "join",
            Self::RemoveNode => "remove-node",
            Self::RotateNode => "rotate-node",
            Self::SetAddress => "set-address",
            Self::Report => "report",
            Self::Accuse => "accuse",
        }
    }

    /// Who may do it.
    ///
    /// Source: X.1409 L9, IV.1 (permission control). Governing is for the members' own keys; what concerns
    /// the running of nodes may be left to accounts of operators.
    pub fn permission(self) -> Permission {
        match self {
            Self::AddKey
            | Self::RetireKey
            | Self::Describe
            | Self::OpenAccount
            | Self::DescribeAccount
            | Self::CloseAccount
            | Self::AddAccountKey
            | Self::RetireAccountKey
            | Self::GrantAccountRole
            | Self::RevokeAccountRole
            | Self::Propose
            | Self::Vote
            | Self::Withdraw
            | Self::CancelInvitation => Permission::Member,
            Self::Invite => Permission::MemberWith(OPERATOR),
            Self::RemoveNode | Self::RotateNode => Permission::AnyOf(OPERATOR),
            Self::Join => Permission::Invitation,
            Self::SetAddress | Self::Report => Permission::Node,
            Self::Accuse => Permission::MemberOrNode,
        }
    }
}

impl Action {
    /// Parses an action.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::from_bytes(bytes, ENVELOPE_BYTES_MAX)
    }

    /// The action's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::to_bytes(self)
    }

    /// Its kind.
    pub fn kind(&self) -> ActionKind {
        match self {
            Self::AddKey(_) => ActionKind::AddKey,
            Self::RetireKey { .. } => ActionKind::RetireKey,
            Self::Describe { .. } => ActionKind::Describe,
            Self::OpenAccount(_) => ActionKind::OpenAccount,
            Self::DescribeAccount { .. } => ActionKind::DescribeAccount,
            Self::CloseAccount { .. } => ActionKind::CloseAccount,
            Self::AddAccountKey { .. } => ActionKind::AddAccountKey,
            Self::RetireAccountKey { .. } => ActionKind::RetireAccountKey,
            Self::GrantAccountRole { .. } => ActionKind::GrantAccountRole,
            Self::RevokeAccountRole { .. } => ActionKind::RevokeAccountRole,
            Self::Propose(_) => ActionKind::Propose,
            Self::Vote(_) => ActionKind::Vote,
            Self::Withdraw { .. } => ActionKind::Withdraw,
            Self::Invite(_) => ActionKind::Invite,
            Self::CancelInvitation { .. } => ActionKind::CancelInvitation,
            Self::Join(_) => ActionKind::Join,
            Self::RemoveNode { .. } => ActionKind::RemoveNode,
            Self::RotateNode(_) => ActionKind::RotateNode,
            Self::SetAddress { .. } => ActionKind::SetAddress,
            Self::Report(_) => ActionKind::Report,
            Self::Accuse(_) => ActionKind::Accuse,
        }
    }

    /// Who may do it.
    pub fn permission(&self) -> Permission {
        self.kind().permission()
    }

    /// Whether it counts against its member's quota. Votes and their withdrawal do not: one for each proposal
    /// is their own limit, and a member whose quota is used up must still be able to vote.
    pub fn is_charged(&self) -> bool {
        !matches!(self.kind(), ActionKind::Vote | ActionKind::Withdraw)
    }
}
