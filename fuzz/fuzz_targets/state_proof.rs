//! Status proofs: what holds, holds under a header that the validators signed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::{StateProof, cbor};
use tabellion_pki::{CertificateRecord, Standing};

fuzz_target!(|bytes: &[u8]| {
    let world = world();
    let Some(proof) = same_bytes_again::<StateProof>(bytes) else { return };
    if let Ok(header) = proof.verify(&world.ledger, &world.roster, &proof.key) {
        assert!(world.proved.contains(&header.hash()), "a forged state proof");
    }
    let record =
        proof.record.as_deref().and_then(|record| cbor::from_bytes::<CertificateRecord>(record, 4096).ok());
    let _ = Standing::of(record.as_ref(), proof.finality.header.time);
});
