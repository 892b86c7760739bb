//! Headers, lane headers, and headers as light clients fetch them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::same_bytes_again;
use tabellion_ledger::{Header, HeaderHash, LaneHeader, LaneHeaderHash};
use tabellion_machine::ChainHeader;

fuzz_target!(|bytes: &[u8]| {
    if let Some(header) = same_bytes_again::<Header>(bytes) {
        assert_eq!(header.hash(), HeaderHash::of(bytes));
    }
    if let Some(header) = same_bytes_again::<LaneHeader>(bytes) {
        assert_eq!(header.hash(), LaneHeaderHash::of(bytes));
    }
    same_bytes_again::<ChainHeader>(bytes);
});
