//! Proofs that a transaction stands in a block.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::{ProvedHeader, RecordProof, Transaction};

fuzz_target!(|bytes: &[u8]| {
    let world = world();
    if let Some(proved) = same_bytes_again::<ProvedHeader>(bytes)
        && let Ok(header) = proved.verify(&world.ledger, &world.roster)
    {
        assert!(world.proved.contains(&header.hash()), "a forged header");
    }
    let Some(proof) = same_bytes_again::<RecordProof>(bytes) else { return };
    let Ok(transaction) = Transaction::from_bytes(&proof.transaction) else { return };
    if let Ok((header, found)) = proof.verify(&world.ledger, &world.roster, &transaction.id()) {
        assert!(world.proved.contains(&header.hash()), "a forged header");
        assert_eq!(found, transaction);
    }
});
