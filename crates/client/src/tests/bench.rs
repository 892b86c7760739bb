use std::time::Duration;

use tabellion_corpus::{KeyKind, TestCa};

use crate::bench::{BenchError, IssuingCa, bench_proofs, physical_limit};

use super::world::{NOW, World};

fn issuing_ca() -> (IssuingCa, Vec<u8>) {
    let mut root = rcgen::CertificateParams::new(Vec::new()).unwrap();
    root.distinguished_name = rcgen::DistinguishedName::new();
    root.distinguished_name.push(rcgen::DnType::CountryName, "CH");
    root.distinguished_name.push(rcgen::DnType::CommonName, "Bench Root");
    root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    root.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    root.use_authority_key_identifier_extension = true;
    (root.not_before, root.not_after) = (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2036, 1, 1));
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = root.self_signed(&key).unwrap();
    (IssuingCa::new(certificate.pem().as_bytes(), &key.serialize_pem()).unwrap(), certificate.der().to_vec())
}

#[test]
fn certificates_for_load_are_what_the_ledger_records() {
    let (ca, root) = issuing_ca();
    let world = World::with_anchors(vec![root.clone()]);
    let publications = ca.publications(10, world.ledger.rules(), &[root], NOW).unwrap();
    assert_eq!(publications.len(), 10);
    let mut world = world;
    let transaction = world.transaction(&publications);
    world.record(vec![transaction]);

    let limit =
        physical_limit(&publications, world.ledger.rules(), NOW, 10, 4, Duration::from_millis(50)).unwrap();
    assert!(limit.certificates_per_second * 4.0 < limit.validations_per_second);
    let foreign = World::new();
    let anchors = &foreign.trust.genesis().anchors;
    let refused = ca.publications(1, foreign.ledger.rules(), anchors, NOW);
    assert!(matches!(refused, Err(BenchError::Chain(_))));
}

#[test]
fn a_ca_is_read_from_its_files_or_refused() {
    let ca = TestCa::new(KeyKind::P256);
    let refused = IssuingCa::new(ca.root(), "no key");
    assert!(matches!(refused, Err(BenchError::Rcgen(_))));
    assert!(matches!(IssuingCa::new(b"", ""), Err(BenchError::Input(_))));
}

#[test]
fn proofs_are_made_and_verified_in_memory() {
    let report = bench_proofs(1000, 4, Duration::from_millis(20)).unwrap();
    assert!(report.proof_bytes_max < 2048, "{report:?}");
    assert!(report.proofs_per_second > 0.0 && report.verifications_per_second > 0.0);
}
