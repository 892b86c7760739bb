//! Finality proofs: without the validators' keys nobody makes a header final.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::FinalityProof;

fuzz_target!(|bytes: &[u8]| {
    let world = world();
    let Some(proof) = same_bytes_again::<FinalityProof>(bytes) else { return };
    if proof.verify(&world.ledger, &world.roster).is_ok() {
        assert!(world.proved.contains(&proof.header.hash()), "a forged finality proof");
    }
});
