//! Limits of the consortium's records, each with its reason.

/// Members that are not removed: what one block can tally, and one person can know.
pub const MEMBERS_MAX: usize = 256;
/// Members ever, with the removed ones: their list is one record.
pub const MEMBERS_EVER_MAX: usize = 1024;
/// Keys of a founding member, and the most that a record may name.
pub const FOUNDER_KEYS_MAX: usize = 16;
/// Valid keys of one member, and of one account: the old one and the new one of a rotation.
pub const VALID_KEYS_MAX: usize = 2;
/// Open accounts of one member: its people and systems.
pub const ACCOUNTS_PER_MEMBER_MAX: usize = 256;
/// Invitations of one member that wait for their node.
pub const INVITATIONS_PER_MEMBER_MAX: usize = 16;
/// Nodes of one member: one member's cannot fill the address book.
pub const NODES_PER_MEMBER_MAX: usize = 32;
/// Nodes of one ledger: the address book is one record, and each node may connect to each.
pub const NODES_MAX: usize = 512;
/// Proposals of one member that are not decided: one member's cannot fill the agenda.
pub const PROPOSALS_PER_MEMBER_MAX: usize = 8;
/// Proposals of members that are not decided or wait for their effect.
pub const PROPOSALS_MAX: usize = 64;
/// All undecided proposals: those of members, and one suspension for each member there ever was.
pub const AGENDA_MAX: usize = PROPOSALS_MAX + MEMBERS_EVER_MAX;
/// Voted changes of the roster that wait for the end of an epoch.
pub const PENDING_MAX: usize = 64;
/// Trusted CAs that one proposal adds, and that it removes.
pub const ANCHORS_PER_PROPOSAL_MAX: usize = 64;
/// How far ahead the effect of a proposal may lie. Unit: blocks; a year at one block in three seconds.
pub const EFFECT_AHEAD_MAX: u64 = 10_000_000;
/// Bytes of a member's contact.
pub const CONTACT_BYTES_MAX: usize = 256;
/// Bytes of what is said about an account.
pub const ABOUT_BYTES_MAX: usize = 256;
/// Bytes of a node's address, `host:port`.
pub const ADDRESS_BYTES_MAX: usize = 270;
/// Bytes of a proposal's reason: a page.
pub const REASON_BYTES_MAX: usize = 2048;
/// Bytes of a ballot's reason. With [`MEMBERS_MAX`] ballots a proposal stays far below a record's limit.
pub const BALLOT_REASON_BYTES_MAX: usize = 512;
/// Bytes of a decision in words: a few pages.
pub const DECISION_BYTES_MAX: usize = 16 * 1024;
/// Foreign ledgers that are followed: each has a light client in the state, and proxies of its own.
pub const LINKS_MAX: usize = 64;
/// Least age at which what is known of a foreign ledger counts as stale. Unit: ms.
pub const STALE_AFTER_MS_MIN: u64 = 1_000;
/// Greatest such age: a year. Unit: ms.
pub const STALE_AFTER_MS_MAX: u64 = 366 * 24 * 3_600_000;
/// Bytes of a refusal's code.
pub const CODE_BYTES_MAX: usize = 64;
