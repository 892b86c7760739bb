//! Why the consortium's rules say no. Nothing is recorded then.

mod code;

use serde::Serialize;
use tabellion_ledger::{
    Algorithm, CertificateId, DecodeError, Hash, HeaderHash, Height, KeyId, LedgerId, MemberId, TimeMs,
};
use thiserror::Error;

use crate::account::AccountName;
use crate::member::{MemberStatus, Role};
use crate::node::{NodeId, NodeRole};
use crate::parameters::ParameterFault;
use crate::proposal::ProposalNumber;
use crate::quota::Measure;
use crate::text::as_text;

/// A refusal by the consortium's rules, with the facts that were compared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    // Who asks.
    /// Nobody signs with this key.
    #[error("no member of this ledger signs with key {key}")]
    UnknownSubmitter {
        /// The key that the transaction names.
        key: KeyId,
    },
    /// The key was retired.
    #[error("key {key} of member {member} was retired in block {height}")]
    KeyRetired {
        /// The key.
        key: KeyId,
        /// Its member.
        member: MemberId,
        /// Since when.
        height: Height,
    },
    /// The member is suspended or removed.
    #[error("member {member} is {status} since block {height}")]
    MemberNotActive {
        /// The member.
        member: MemberId,
        /// Its status.
        status: MemberStatus,
        /// Since when.
        height: Height,
    },
    /// The account was closed.
    #[error("account {account} of member {member} was closed in block {height}")]
    AccountClosed {
        /// The member.
        member: MemberId,
        /// The account.
        account: AccountName,
        /// Since when.
        height: Height,
    },
    /// The ledger does not accept this signature algorithm.
    #[error("this ledger does not accept {algorithm} signatures")]
    AlgorithmNotAccepted {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The member, or its account, has none of the roles that the action asks for.
    #[error("member {member} has no role that allows this; needed: {}", names(.needed))]
    MissingRole {
        /// The member.
        member: MemberId,
        /// Roles of which one is needed.
        needed: Vec<Role>,
    },
    /// The node is not for this.
    #[error("key {key} is that of a node of role {role}; needed is {}", node_names(.needed))]
    WrongKindOfNode {
        /// The key.
        key: KeyId,
        /// What the node is for.
        role: NodeRole,
        /// What would do.
        needed: Vec<NodeRole>,
    },
    /// A key of this kind never does that.
    #[error("key {key} is a key of a {owner}; this asks for a key of a {needed}")]
    WrongKindOfKey {
        /// The key.
        key: KeyId,
        /// What it signs for.
        owner: &'static str,
        /// Which kinds of keys do it.
        needed: &'static str,
    },
    /// The member has used its quota up.
    #[error("member {member} used {used} of {max} {}, {asked} more from {until} (ms) on", .measure.name())]
    QuotaExceeded {
        /// The member.
        member: MemberId,
        /// Which limit is reached.
        measure: Measure,
        /// Used before, in this window.
        used: u64,
        /// What this transaction would add.
        asked: u64,
        /// The limit.
        max: u64,
        /// Start of the next window.
        until: TimeMs,
    },
    /// The members stopped the ledger.
    #[error("the members stopped this ledger in block {height}; only the consortium's lane goes on")]
    Stopped {
        /// Since when.
        height: Height,
    },

    // The form of the request.
    /// The action's bytes are not an action of this lane.
    #[error("the action is refused: {error}")]
    MalformedAction {
        /// What is wrong.
        #[serde(serialize_with = "as_text::serialize")]
        error: DecodeError,
    },
    /// Nothing is attached to transactions of this lane.
    #[error("attachment {id} belongs to nothing; this lane takes none")]
    UnusedAttachment {
        /// SHA-256 of the attachment.
        id: CertificateId,
    },

    // Keys and accounts.
    /// The bytes are no key that can serve.
    #[error("key {key} is no usable key: not the only encoding of a point, or of small order")]
    UnusableKey {
        /// The key.
        key: KeyId,
    },
    /// The holder of the key did not sign for this.
    #[error("the signature does not show that somebody holds key {key} for this")]
    PossessionNotShown {
        /// The key.
        key: KeyId,
    },
    /// The key stands on the ledger already; no key ever has a second owner.
    #[error("key {key} stands on this ledger since block {height}, for member {member}")]
    KeyTaken {
        /// The key.
        key: KeyId,
        /// Whose it is.
        member: MemberId,
        /// Since when.
        height: Height,
    },
    /// As many valid keys as there may be.
    #[error("{count} keys are valid; at most {count_max} are, while one takes the other's place")]
    TooManyKeys {
        /// Valid keys.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// The key is no valid one of the member or account.
    #[error("key {key} is no valid key of {owner}")]
    NotAKey {
        /// The key.
        key: KeyId,
        /// The member or account.
        owner: String,
    },
    /// The member's only valid key.
    #[error("key {key} is the last of member {member}; add another first")]
    LastKey {
        /// The key.
        key: KeyId,
        /// The member.
        member: MemberId,
    },
    /// No account of this name.
    #[error("member {member} has no account {account}")]
    UnknownAccount {
        /// The member.
        member: MemberId,
        /// The name.
        account: AccountName,
    },
    /// The name is or was an account's.
    #[error("account {account} of member {member} exists since block {height}; names stay taken")]
    AccountExists {
        /// The member.
        member: MemberId,
        /// The name.
        account: AccountName,
        /// Since when.
        height: Height,
    },
    /// As many open accounts as one member may have.
    #[error("member {member} has {count} accounts, the limit is {count_max}")]
    TooManyAccounts {
        /// The member.
        member: MemberId,
        /// Open accounts.
        count: usize,
        /// The limit.
        count_max: usize,
    },

    // Members.
    /// No member of this id.
    #[error("no member {member}")]
    UnknownMember {
        /// The id.
        member: MemberId,
    },
    /// The id is or was a member's.
    #[error("{member} is a member's id since block {height}; ids stay taken")]
    MemberExists {
        /// The id.
        member: MemberId,
        /// Since when it has its status.
        height: Height,
    },
    /// Only a suspended member can be resumed.
    #[error("member {member} is {status}, not suspended")]
    MemberNotSuspended {
        /// The member.
        member: MemberId,
        /// Its status.
        status: MemberStatus,
    },
    /// Nobody would be left to vote.
    #[error("member {member} is the last active one")]
    LastMember {
        /// The member.
        member: MemberId,
    },
    /// As many members as a ledger may have.
    #[error("{count} members, the limit is {count_max}")]
    TooManyMembers {
        /// Members.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// The member runs validators, also those that are to come.
    #[error("member {member} has {count} validators; first remove or replace them")]
    MemberHasValidators {
        /// The member.
        member: MemberId,
        /// Its validators.
        count: usize,
    },
    /// The role is there already.
    #[error("{owner} has the role {role} already")]
    RoleHeld {
        /// The member or account.
        owner: String,
        /// The role.
        role: Role,
    },
    /// The role is not there: to be revoked, or to be handed on to an account.
    #[error("{owner} does not have the role {role}")]
    RoleNotHeld {
        /// The member or account.
        owner: String,
        /// The role.
        role: Role,
    },

    // Proposals and votes.
    /// No proposal of this number.
    #[error("no proposal {proposal}")]
    UnknownProposal {
        /// The number.
        proposal: ProposalNumber,
    },
    /// The proposal is not open any more.
    #[error("proposal {proposal} is {status}")]
    ProposalClosed {
        /// The proposal.
        proposal: ProposalNumber,
        /// Where it stands.
        status: &'static str,
    },
    /// The deadline went by.
    #[error("the vote on proposal {proposal} ended at {deadline}; it is {at} (ms)")]
    VotingOver {
        /// The proposal.
        proposal: ProposalNumber,
        /// Its deadline.
        deadline: TimeMs,
        /// Time of the block.
        at: TimeMs,
    },
    /// One organisation, one vote.
    #[error("member {member} voted on proposal {proposal} in block {height}")]
    VotedAlready {
        /// The proposal.
        proposal: ProposalNumber,
        /// The member.
        member: MemberId,
        /// Its ballot's block.
        height: Height,
    },
    /// The voter saw another proposal than the ledger's.
    #[error("proposal {proposal} has hash {found}, the ballot is for {said}")]
    ProposalDiffers {
        /// The proposal.
        proposal: ProposalNumber,
        /// Its hash.
        found: Hash,
        /// The ballot's.
        said: Hash,
    },
    /// Only its proposer takes a proposal back.
    #[error("proposal {proposal} is not member {member}'s")]
    NotProposer {
        /// The proposal.
        proposal: ProposalNumber,
        /// The member.
        member: MemberId,
    },
    /// The deadline is past or too far ahead.
    #[error("the deadline {deadline} does not lie between {earliest} and {latest} (ms)")]
    DeadlineOutOfBounds {
        /// The deadline.
        deadline: TimeMs,
        /// The earliest.
        earliest: TimeMs,
        /// The latest.
        latest: TimeMs,
    },
    /// The effect lies too far ahead.
    #[error("the effect at block {effect} lies behind block {latest}")]
    EffectTooFar {
        /// The requested height.
        effect: Height,
        /// The last height that may be asked for.
        latest: Height,
    },
    /// As many undecided proposals as there may be.
    #[error("{count} proposals are undecided or wait, the limit is {count_max}")]
    TooManyProposals {
        /// Undecided or waiting: of the member where its limit is reached, else of all.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// Only what is accepted and not in force can be cancelled.
    #[error("proposal {proposal} is {status}; only an accepted one that waits can be cancelled")]
    NotCancellable {
        /// The proposal.
        proposal: ProposalNumber,
        /// Where it stands.
        status: &'static str,
    },

    // Rules.
    /// What is proposed is so already.
    #[error("this changes nothing")]
    NothingChanges,
    /// A parameter out of bounds.
    #[error(transparent)]
    ParameterRefused(#[from] ParameterFault),
    /// Parameters that path validation cannot follow.
    #[error("the certificate rules cannot be followed: {reason}")]
    RulesNotFollowable {
        /// Why, in words.
        reason: String,
    },
    /// A version that is not above the present one.
    #[error("version {version} is not above {present}")]
    VersionNotNewer {
        /// The version.
        version: u64,
        /// The version in force.
        present: u64,
    },
    /// A member would be left without a key that can sign.
    #[error("member {member} would have no key of an accepted algorithm")]
    MemberWithoutKey {
        /// The member.
        member: MemberId,
    },
    /// The certificate is trusted already.
    #[error("certificate {id} is a trusted CA already")]
    TrustedAlready {
        /// The certificate.
        id: CertificateId,
    },
    /// The certificate is not trusted.
    #[error("certificate {id} is no trusted CA")]
    NotTrusted {
        /// The certificate.
        id: CertificateId,
    },
    /// As many trusted CAs as a ledger may have.
    #[error("{count} trusted CAs, the limit is {count_max}")]
    TooManyTrustedCas {
        /// Trusted CAs after the change.
        count: usize,
        /// The limit.
        count_max: usize,
    },

    // Nodes.
    /// No node of this id, or it was removed.
    #[error("no node {node}")]
    UnknownNode {
        /// The id.
        node: NodeId,
    },
    /// The node is another member's.
    #[error("node {node} is member {member}'s")]
    NotYourNode {
        /// The node.
        node: NodeId,
        /// Its member.
        member: MemberId,
    },
    /// A validator leaves by vote.
    #[error("node {node} is a validator; members vote on its removal or replacement")]
    NodeIsValidator {
        /// The node.
        node: NodeId,
    },
    /// A validator is made by vote, never by invitation.
    #[error("no node is invited as a validator; members vote on it once it follows")]
    ValidatorByVote,
    /// As many nodes as there may be.
    #[error("{count} nodes, the limit is {count_max}")]
    TooManyNodes {
        /// Nodes: of the member where its limit is reached, else of all.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// The node waits for its next key already.
    #[error("node {node} goes on with its next key at the end of this epoch")]
    RotationWaits {
        /// The node.
        node: NodeId,
    },
    /// No invitation of this key.
    #[error("no invitation {invitation} of member {member}")]
    UnknownInvitation {
        /// The invitation's key.
        invitation: KeyId,
        /// The member.
        member: MemberId,
    },
    /// The invitation was used.
    #[error("invitation {invitation} was used by node {node}")]
    InvitationUsed {
        /// The invitation's key.
        invitation: KeyId,
        /// The node that joined by it.
        node: NodeId,
    },
    /// The invitation was taken back.
    #[error("invitation {invitation} was cancelled")]
    InvitationCancelled {
        /// The invitation's key.
        invitation: KeyId,
    },
    /// The invitation's time is over.
    #[error("invitation {invitation} expired at {expires}; it is {at} (ms)")]
    InvitationExpired {
        /// The invitation's key.
        invitation: KeyId,
        /// Its last moment.
        expires: TimeMs,
        /// Time of the block.
        at: TimeMs,
    },
    /// The end of an invitation is past or too far ahead.
    #[error("an invitation until {expires} does not end between {earliest} and {latest} (ms)")]
    InvitationOutOfBounds {
        /// Its end.
        expires: TimeMs,
        /// The earliest.
        earliest: TimeMs,
        /// The latest.
        latest: TimeMs,
    },
    /// As many open invitations as one member may have.
    #[error("member {member} has {count} open invitations, the limit is {count_max}")]
    TooManyInvitations {
        /// The member.
        member: MemberId,
        /// Open invitations.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// No epoch has ended yet.
    #[error("no epoch has ended yet, so there is nothing to report on")]
    NoBoundary,
    /// The report names another block than the ledger's.
    #[error("the last epoch ended with block {height}, header {header}; the report names another")]
    BoundaryDiffers {
        /// The last block of the epoch before.
        height: Height,
        /// Its header's hash.
        header: HeaderHash,
    },
    /// The node reported in this epoch.
    #[error("node {node} has reported on block {height}")]
    ReportedAlready {
        /// The node.
        node: NodeId,
        /// The block.
        height: Height,
    },

    // The roster.
    /// The node is a validator, or will be.
    #[error("node {node} is a validator already")]
    ValidatorAlready {
        /// The node.
        node: NodeId,
    },
    /// The node is no validator, or will not be.
    #[error("node {node} is no validator")]
    NotAValidator {
        /// The node.
        node: NodeId,
    },
    /// Only full nodes become validators.
    #[error("node {node} is a {role} node; only a full node becomes a validator")]
    NotAFullNode {
        /// The node.
        node: NodeId,
        /// What it is.
        role: NodeRole,
    },
    /// The node has not shown for long enough that it follows.
    #[error("node {node} reported as healthy in {reports} epochs in a row up to now; {needed} are needed")]
    OnProbation {
        /// The node.
        node: NodeId,
        /// Epochs in a row, up to the present or the one before.
        reports: u64,
        /// Epochs needed.
        needed: u64,
    },
    /// Too few validators would be left.
    #[error("{left} validators would be left; no vote goes below {least}")]
    TooFewValidators {
        /// Validators after the change.
        left: usize,
        /// The least number.
        least: usize,
    },
    /// As many validators as a roster may have.
    #[error("{count} validators, the limit is {count_max}")]
    TooManyValidators {
        /// Validators after the change.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// One organisation could stop the ledger.
    #[error("member {member} would have {count} of {validators} validators, a third or more")]
    OrganisationThird {
        /// The member.
        member: MemberId,
        /// Its validators.
        count: usize,
        /// All validators.
        validators: usize,
    },
    /// As many changes of the roster wait as may.
    #[error("{count} changes of the roster wait, the limit is {count_max}")]
    TooManyPending {
        /// Changes that wait.
        count: usize,
        /// The limit.
        count_max: usize,
    },

    // Foreign ledgers.
    /// A ledger does not follow itself.
    #[error("this is the ledger itself; it follows others")]
    OwnLedger,
    /// The foreign ledger is followed already.
    #[error("ledger {ledger} is followed since block {height}")]
    LinkedAlready {
        /// The ledger.
        ledger: LedgerId,
        /// Since when.
        height: Height,
    },
    /// The foreign ledger is not followed.
    #[error("ledger {ledger} is not followed")]
    NotLinked {
        /// The ledger.
        ledger: LedgerId,
    },
    /// As many foreign ledgers are followed as may.
    #[error("{count} ledgers are followed, the limit is {count_max}")]
    TooManyLinks {
        /// Ledgers that are followed.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// The bound of staleness is too small or too large.
    #[error("stale after {stale_after_ms} ms; {least} to {most} are accepted")]
    StalenessOutOfBounds {
        /// The bound asked for.
        stale_after_ms: u64,
        /// The least.
        least: u64,
        /// The most.
        most: u64,
    },

    // Stop, resume, evidence.
    /// The ledger is stopped already.
    #[error("this ledger is stopped since block {height}")]
    StoppedAlready {
        /// Since when.
        height: Height,
    },
    /// The ledger is not stopped.
    #[error("this ledger is not stopped")]
    NotStopped,
    /// The evidence shows nothing.
    #[error("the evidence is refused: {reason}")]
    EvidenceRefused {
        /// Why, in words.
        reason: String,
    },
    /// The key of the evidence is no node's of this ledger.
    #[error("key {key} is no node's of this ledger")]
    NotANodeKey {
        /// The key.
        key: KeyId,
    },
    /// The fact is on record.
    #[error(
        "the equivocation of node {node} in epoch {epoch}, view {view} is on record since block {height}"
    )]
    EvidenceKnown {
        /// The node.
        node: NodeId,
        /// The engine's epoch.
        epoch: u64,
        /// The engine's view.
        view: u64,
        /// Since when.
        height: Height,
    },
}

fn node_names(roles: &[NodeRole]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ")
}

fn names(roles: &[Role]) -> String {
    roles.iter().map(|role| role.name()).collect::<Vec<_>>().join(" or ")
}
