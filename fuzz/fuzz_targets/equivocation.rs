//! Evidence of equivocation: without a validator's key nobody convicts it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::Equivocation;

fuzz_target!(|bytes: &[u8]| {
    let world = world();
    let Some(evidence) = same_bytes_again::<Equivocation>(bytes) else { return };
    assert!(bytes.len() <= Equivocation::BYTES_MAX, "evidence above its limit");
    for validator in world.roster.validators() {
        if evidence.verify(&world.ledger, &validator.key).is_ok() {
            assert!(world.convicted.contains(&evidence), "a forged equivocation");
        }
    }
});
