use std::time::Duration;

use tabellion_corpus::{KeyKind, TestCa};

use crate::bench::{BenchCa, BenchError, IssuingCa, bench_proofs, physical_limit};
use crate::read_certificates;

use super::world::{NOW, World};

fn issuing_ca() -> (IssuingCa, Vec<u8>) {
    let ca = BenchCa::new(NOW).unwrap();
    let root = read_certificates(ca.root_pem.as_bytes()).unwrap().certificates[0].der.to_vec();
    (IssuingCa::new(ca.issuing_pem.as_bytes(), &ca.issuing_key_pem).unwrap(), root)
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
