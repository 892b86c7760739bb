//! Laws of every decoder.

use tabellion_ledger::{Wire, cbor};

/// Bytes that any decoder of the format may be asked to read: those of a block.
const BYTES_MAX: usize = tabellion_ledger::limits::BLOCK_BYTES_MAX;

/// Decodes; what decodes must encode to the same bytes.
pub fn same_bytes_again<T: Wire>(bytes: &[u8]) -> Option<T> {
    let value: T = cbor::from_bytes(bytes, BYTES_MAX).ok()?;
    assert_eq!(cbor::to_bytes(&value), bytes, "a value with two encodings");
    Some(value)
}
