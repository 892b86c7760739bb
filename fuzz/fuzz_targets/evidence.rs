//! A CA's feedback of every kind: the pre-check, then all of it under a CA whose keys nobody here has.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::same_bytes_again;
use tabellion_ledger::{LedgerId, sha256};
use tabellion_pki::{
    AlgorithmSet, EvidenceKind, Reason, SignedStatement, feedback, precheck_evidence,
};

/// The CA of the seeds, and a certificate under it.
const ISSUER: &[u8] = include_bytes!("../seeds/certificate/lifecycle-issuer");
const CERTIFICATE: &[u8] = include_bytes!("../seeds/certificate/lifecycle-old");
const GENESIS: &[u8] = include_bytes!("../seeds/genesis/genesis");

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<SignedStatement>(bytes);
    let ledger = LedgerId(sha256(GENESIS));
    for kind in [EvidenceKind::Statement, EvidenceKind::Ocsp, EvidenceKind::Crl] {
        let said = feedback((kind, bytes), CERTIFICATE, ISSUER, &ledger, &AlgorithmSet::default());
        let Ok(said) = said.expect("the two certificates can be read") else { continue };
        assert!(precheck_evidence(bytes).is_ok(), "evidence holds that does not pass the pre-check");
        // Whoever makes other evidence that holds has forged a signature.
        let expected = match kind {
            EvidenceKind::Statement => Some(Reason::KeyCompromise),
            EvidenceKind::Crl => Some(Reason::CertificateHold),
            _ => None,
        };
        assert_eq!(said.reason, expected, "forged feedback");
    }
});
