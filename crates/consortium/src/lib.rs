//! Members, roles, votes, nodes and parameters: the rules that several participants make (X.1409 clause 7,
//! L9, IV.1, V.1).
//!
//! Purpose: the genesis document; accounts and keys; typed proposals, ballots and what follows from them;
//! nodes that join, prove themselves, become validators by vote and are replaced; the roster of the next
//! block; quotas; the question whether a submitter may act.
//!
//! Absent: scripts (each kind of change is a type with fixed rules); path validation (the machine judges
//! certificate rules); clocks, sockets, keys of its own.
//!
//! ```text
//! Genesis --hash--> LedgerId, --writes--> member, key, node, roster, committee, parameters, anchor
//!
//! action --check (parallel)--> Checked --apply (in order)--> records + events
//!                                                     `- vote: enough are for it -> Accepted, waits for its height
//! close, each block:      deadlines pass, accepted changes take effect for the next block
//! close, end of an epoch: roster changes that wait (at most f) -> roster + 1, address book -> next header
//! ```
mod account;
mod action;
mod apply;
mod change;
mod check;
mod close;
mod committee;
mod difference;
mod draft;
mod event;
mod execute;
mod genesis;
mod key;
pub mod limits;
mod link;
mod member;
mod node;
mod parameters;
mod permission;
mod proposal;
mod quota;
mod refusal;
mod roster;
mod signing;
mod state;
mod text;
mod view;
mod wire;

pub use account::{Account, AccountName, Accounts};
pub use action::{Action, ActionKind, Ballot, Invite, Join, NewAccount, Proposed, Rotation};
pub use apply::apply;
pub use change::{
    AlgorithmRules, BlockLimits, CertificateLimits, Change, Der, NewMember, PolicyRules, VotingRules,
};
pub use check::{Checked, check};
pub use close::close;
pub use committee::{Boundary, Committee, CommitteeNode, Pending, PendingSeat, SeatChange};
pub use difference::{Difference, Line, dry_run};
pub use draft::Judge;
pub use event::{Event, Reason};
pub use genesis::{GENESIS_BYTES_MAX, Genesis, GenesisFault, GenesisMember, GenesisValidator};
pub use key::{
    account_key, accounts_key, agenda_key, anchor_key, boundary_key, committee_key, equivocation_key,
    invitation_key, invitations_key, key_key, link_key, links_key, member_key, members_key, node_key,
    nodes_key, outbox_key, parameters_key, pending_key, proposal_key, roster_key, stop_key, usage_key,
};
pub use link::{Link, Links, NewLink};
pub use member::{Member, MemberStatus, Members, Moment, Role};
pub use node::{Invitation, InvitationStatus, Invitations, Node, NodeId, NodeRole, Nodes};
pub use parameters::{
    ANCHORS_MAX, BLOCK_BYTES_MIN, BlockRules, CertificateAlgorithm, CertificateRules, EPOCH_BLOCKS_MAX,
    EPOCH_BLOCKS_MIN, GovernanceRules, LIFETIME_MS_MIN, LedgerKind, ParameterFault, Parameters,
    PermittedName, Quota, QuotaRules, Retention, TransactionRules,
};
pub use permission::{Permission, PermissionRow, permission_matrix, permissions};
pub use proposal::{
    Acceptance, AcceptedProposal, Agenda, CastBallot, Choice, OpenProposal, Proposal, ProposalNumber,
    ProposalStatus, Tally, Verdict,
};
pub use quota::{Measure, MemberQuota, Usage, charge};
pub use refusal::Refusal;
pub use roster::{VALIDATORS_MIN, changes_per_epoch};
pub use signing::{KeyOffer, KeyRecord, NodeKey, Owner, Purpose, is_usable, possession_message};
pub use state::{EquivocationRecord, Stop};
pub use view::{
    Submitter, account, accounts, agenda, anchor, boundary, committee, epoch_of, equivocation, invitation,
    invitations, is_last_of_epoch, key_record, link, links, member, members, next_due, node, node_of_key,
    nodes, outbox, parameters, pending, proposal, require_running, roster, stop, submitter, usage,
};

#[cfg(test)]
mod tests;
