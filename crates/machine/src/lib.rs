//! All services as one deterministic state machine.
//!
//! Purpose: from bytes to a checked transaction, from checked transactions to a block, from a block to
//! writes, events and a state root; the same in a node, in the simulator and in an auditor's replay.
//!
//! Absent: clocks, files, sockets, the pool, the engine. Time comes from the block's header.
//!
//! ```text
//! bytes -> submit -> Transaction -> check (parallel) -> Checked -> build (leader)       -> Outcome
//!                                                             `-> execute (validator) -> the same, or a fault
//! Outcome = block, writes, trie pages, notices
//! ```
mod answer;
mod block;
mod chain_header;
mod event;
mod genesis;
mod permission;
mod refusal;
mod replay;
mod request;
mod retention;
mod ruleset;
mod transaction;

pub use answer::{
    BallotAnswer, BlockAnswer, BlockEventAnswer, CertificateList, CertificateRow, ChainHeaderAnswer,
    ChangeAnswer, DifferenceAnswer, DifferenceLine, EvidenceAnswer, ForeignLedgerAnswer,
    ForeignLedgersAnswer, ForeignStatusAnswer, HandOverAnswer, HandOversAnswer, HeaderAnswer, HeadersAnswer,
    HealthAnswer, HistoryAnswer, HistoryRecordAnswer, KeyAnswer, KnowledgeAnswer, LaneAnswer, LedgerAnswer,
    MemberAnswer, MembersAnswer, NodeAnswer, NodesAnswer, OutboxAnswer, ParametersAnswer, PermissionAnswer,
    PermissionsAnswer, ProblemDetails, ProofAnswer, ProposalAnswer, ProposalsAnswer, PublishAnswer,
    RecordAnswer, RefusedEntryAnswer, ResultAnswer, SnapshotsAnswer, StateAnswer, StatusAnswer, TallyAnswer,
    TransactionAnswer, TransactionStanding, ValidatorAnswer,
};
pub use block::{BlockFault, Location, Outcome, Parent, Proposal, build, execute, is_due, next_due};
pub use chain_header::{CHAIN_HEADERS_MAX, ChainHeader};
pub use event::{Event, Notice};
pub use genesis::{GenesisState, genesis};
pub use permission::permissions;
pub use refusal::Refusal;
pub use replay::{MemoryState, Replay, ReplayFault};
pub use request::{PublishRequest, VerifyRequest, WindowRequest};
pub use retention::{Retention, retention, shortened};
pub use ruleset::{LEDGER_VERSION, Ruleset, RulesetFault};
pub use transaction::{Checked, Work, check, check_recorded, dry_run, link, submit, would_apply};

#[cfg(test)]
mod tests;
