//! What happened in the consortium, for those who watch.

use serde::{Deserialize, Serialize};
use tabellion_ledger::{Hash, Height, KeyId, LedgerId, MemberId, RosterHash, TimeMs};

use crate::account::AccountName;
use crate::committee::SeatChange;
use crate::member::{MemberStatus, Role};
use crate::node::{NodeId, NodeRole};
use crate::proposal::{Choice, ProposalNumber, Tally};
use crate::quota::MemberQuota;
use crate::refusal::Refusal;
use crate::signing::{NodeKey, Owner};

/// Why something that was accepted could not be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// The refusal's code.
    pub code: String,
    /// The refusal in words, with its facts.
    pub message: String,
}

impl From<&Refusal> for Reason {
    fn from(refusal: &Refusal) -> Self {
        Self { code: refusal.code().to_owned(), message: refusal.to_string() }
    }
}

/// An event of the consortium lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A member, or the ledger itself upon evidence, proposed a change.
    Proposed {
        /// The proposal.
        proposal: ProposalNumber,
        /// Who proposed it; none: the ledger itself.
        proposer: Option<MemberId>,
        /// The kind of the change.
        change: String,
        /// What ballots commit to.
        hash: Hash,
        /// The last moment at which ballots count.
        deadline: TimeMs,
    },
    /// A member voted.
    Voted {
        /// The proposal.
        proposal: ProposalNumber,
        /// Who voted.
        member: MemberId,
        /// How.
        choice: Choice,
        /// The count with this ballot.
        tally: Tally,
    },
    /// Enough members are for a proposal.
    Accepted {
        /// The proposal.
        proposal: ProposalNumber,
        /// The count.
        tally: Tally,
        /// The first block under the new rules.
        effect: Height,
    },
    /// Too many members are against a proposal.
    Rejected {
        /// The proposal.
        proposal: ProposalNumber,
        /// The count.
        tally: Tally,
    },
    /// The deadline of an open proposal went by.
    Expired {
        /// The proposal.
        proposal: ProposalNumber,
        /// The count.
        tally: Tally,
    },
    /// The proposer took its proposal back.
    Withdrawn {
        /// The proposal.
        proposal: ProposalNumber,
    },
    /// Another proposal undid an accepted one.
    Cancelled {
        /// The proposal.
        proposal: ProposalNumber,
        /// The one that undid it.
        by: ProposalNumber,
    },
    /// A change of the roster waits for the end of the epoch.
    SeatPending {
        /// The proposal.
        proposal: ProposalNumber,
        /// The change.
        change: SeatChange,
    },
    /// A proposal is in force from the next block on.
    Executed {
        /// The proposal.
        proposal: ProposalNumber,
    },
    /// A proposal that was accepted could not be done; nothing changed.
    Failed {
        /// The proposal.
        proposal: ProposalNumber,
        /// Why.
        reason: Reason,
    },
    /// An organisation became a member.
    MemberAdded {
        /// The member.
        member: MemberId,
    },
    /// A member was suspended, resumed or removed.
    MemberChanged {
        /// The member.
        member: MemberId,
        /// Its status.
        status: MemberStatus,
    },
    /// A member said its name and contact anew.
    MemberDescribed {
        /// The member.
        member: MemberId,
    },
    /// A member's quota changed.
    QuotaChanged {
        /// The member.
        member: MemberId,
        /// Its quota.
        quota: MemberQuota,
    },
    /// A member got a role.
    RoleGranted {
        /// The member.
        member: MemberId,
        /// The role.
        role: Role,
    },
    /// A member lost a role.
    RoleRevoked {
        /// The member.
        member: MemberId,
        /// The role.
        role: Role,
    },
    /// A key may sign.
    KeyAdded {
        /// The key.
        key: KeyId,
        /// The member that answers for it.
        member: MemberId,
        /// What it signs for.
        owner: Owner,
    },
    /// A key may not sign any more.
    KeyRetired {
        /// The key.
        key: KeyId,
        /// The member that answers for it.
        member: MemberId,
        /// What it signed for.
        owner: Owner,
    },
    /// A member opened an account.
    AccountOpened {
        /// The member.
        member: MemberId,
        /// The account.
        account: AccountName,
    },
    /// A member changed an account's description or roles.
    AccountChanged {
        /// The member.
        member: MemberId,
        /// The account.
        account: AccountName,
    },
    /// A member closed an account.
    AccountClosed {
        /// The member.
        member: MemberId,
        /// The account.
        account: AccountName,
    },
    /// The parameters changed.
    ParametersChanged {
        /// The kind of the change.
        change: String,
    },
    /// The members decided something in words.
    Decided {
        /// The proposal that says it.
        proposal: ProposalNumber,
    },
    /// A foreign ledger is followed from now on, or anew.
    LedgerFollowed {
        /// The ledger.
        ledger: LedgerId,
        /// How often following began.
        generation: u64,
    },
    /// A foreign ledger is followed no longer.
    LedgerUnfollowed {
        /// The ledger.
        ledger: LedgerId,
    },
    /// Results are numbered for others from now on, or no longer.
    OutboxChanged {
        /// Whether they are.
        open: bool,
    },
    /// The members stopped the ledger.
    Stopped,
    /// The members let the ledger go on.
    Resumed,
    /// A member invited a node.
    NodeInvited {
        /// The invitation's key.
        invitation: KeyId,
        /// The member.
        member: MemberId,
        /// What the node will be for.
        role: NodeRole,
        /// Its end.
        expires: TimeMs,
    },
    /// A member took an invitation back.
    InvitationCancelled {
        /// The invitation's key.
        invitation: KeyId,
        /// The member.
        member: MemberId,
    },
    /// A node joined; its peers know it from the next epoch on.
    NodeJoined {
        /// The node.
        node: NodeId,
        /// The member that runs it.
        member: MemberId,
        /// What it is for.
        role: NodeRole,
    },
    /// A node was removed.
    NodeRemoved {
        /// The node.
        node: NodeId,
        /// The member that ran it.
        member: MemberId,
    },
    /// A node will go on with another key.
    RotationPending {
        /// The node.
        node: NodeId,
        /// Its next key.
        key: NodeKey,
    },
    /// A node goes on with another key from the next block on.
    NodeRotated {
        /// The node.
        node: NodeId,
        /// Its key.
        key: NodeKey,
    },
    /// A node said its address anew.
    AddressChanged {
        /// The node.
        node: NodeId,
        /// `host:port`.
        address: String,
    },
    /// A node said that it follows.
    NodeReported {
        /// The node.
        node: NodeId,
        /// The last block of the epoch before.
        height: Height,
        /// Epochs in a row.
        reports: u64,
    },
    /// The roster of the next block is another one.
    RosterChanged {
        /// Its number.
        number: u64,
        /// Its hash.
        hash: RosterHash,
        /// Validators that came.
        joined: Vec<NodeId>,
        /// Validators that went.
        left: Vec<NodeId>,
        /// Validators with another key.
        rotated: Vec<NodeId>,
    },
    /// The address book of the next epoch is another one.
    CommitteeChanged {
        /// The first block of that epoch.
        since: Height,
        /// Nodes in it.
        nodes: u64,
    },
    /// It was shown that a validator voted two ways.
    Equivocated {
        /// The node.
        node: NodeId,
        /// The member that runs it.
        member: MemberId,
        /// The engine's epoch.
        epoch: u64,
        /// The engine's view.
        view: u64,
        /// The proposal to suspend the member that is open for it.
        proposal: Option<ProposalNumber>,
    },
}
