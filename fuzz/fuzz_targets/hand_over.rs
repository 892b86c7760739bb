//! Hand-overs: without the validators' keys nobody takes a ledger over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::HandOver;

fuzz_target!(|bytes: &[u8]| {
    let world = world();
    let Some(hand_over) = same_bytes_again::<HandOver>(bytes) else { return };
    if hand_over.verify(&world.ledger, &world.roster).is_ok() {
        assert_eq!(hand_over, world.hand_over, "a forged hand-over");
    }
});
