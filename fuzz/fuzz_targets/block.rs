//! Blocks and their bodies.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::same_bytes_again;
use tabellion_ledger::{Block, LaneBody};

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<LaneBody>(bytes);
    let Some(block) = same_bytes_again::<Block>(bytes) else { return };
    if block.check_body().is_ok() {
        assert_eq!(Block::lanes_root(&block.lanes), block.header.lanes_root);
        assert!(block.lanes.iter().all(|lane| !lane.transactions.is_empty()));
        assert!(block.lanes.is_sorted_by(|a, b| a.header.lane < b.header.lane));
    }
    let digest = block.digest();
    assert_eq!(block.recorded().digest(), digest);
});
