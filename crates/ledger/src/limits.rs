//! Every limit of the format, each with its reason. Parameters of a ledger may be tighter, never wider.

/// Bytes of one block on the wire. Two megabytes cross a 100 Mbit/s link in 160 ms, below the finality goal's
/// order.
pub const BLOCK_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Transactions of one block: bounds the work of a vote.
pub const BLOCK_TRANSACTIONS_MAX: usize = 4096;
/// Bytes of one transaction with its attachments: a batch of 256 certificates of ordinary size.
pub const TRANSACTION_BYTES_MAX: usize = 512 * 1024;
/// Bytes of the signed payload: 256 entries of a batch with up to eight intermediates each.
pub const ENVELOPE_BYTES_MAX: usize = 128 * 1024;
/// Attachments of one transaction: 256 certificates and the intermediates that they share.
pub const ATTACHMENTS_MAX: usize = 320;
/// Bytes of one attachment: a CRL with about 7,000 entries, and half of a transaction. Certificates have a
/// limit of their own among the parameters.
pub const ATTACHMENT_BYTES_MAX: usize = 256 * 1024;
/// Bytes of a header: ten fields of fixed size.
pub const HEADER_BYTES_MAX: usize = 512;
/// Bytes of a lane header.
pub const LANE_HEADER_BYTES_MAX: usize = 512;
/// Lanes in one block: the fixed ones and the retention classes of audit.
pub const LANES_MAX: usize = 32;
/// Highest retention class of the audit lanes.
pub const RETENTION_CLASS_MAX: u8 = 15;
/// Validators of a roster. A full mesh of 128 is the most that the transport carries.
pub const VALIDATORS_MAX: usize = 128;
/// Bytes of a name of a member or validator.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of one record in the state.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Bytes of one piece of a state: a page whose 16 leaves hang records of the largest size.
pub const PIECE_BYTES_MAX: usize = 17 * RECORD_BYTES_MAX;
/// Records of one piece: more than fit in the bytes that a node aims at.
pub const PIECE_RECORDS_MAX: usize = 64 * 1024;
/// Siblings in a state proof: the depth of a 256-bit path.
pub const TRIE_DEPTH_MAX: usize = 256;
/// Hashes in a path of an RFC 9162 tree of at most 2^63 leaves.
pub const MERKLE_PATH_MAX: usize = 64;
/// Milliseconds that a block's time may run ahead of a validator's clock.
pub const CLOCK_DRIFT_MS_MAX: u64 = 5_000;
/// Milliseconds that a transaction may live between signing and recording.
pub const TRANSACTION_LIFETIME_MS_MAX: u64 = 3_600_000;
/// Headers between the last block of a roster and the first one that the next roster's quorum signed.
pub const HAND_OVER_HEADERS_MAX: usize = 256;
