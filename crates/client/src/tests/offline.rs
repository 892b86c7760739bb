use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_ledger::{CertificateId, FinalityFault, ProofFault, StateKey, cbor, map};

use crate::{OfflineError, Proved, Trust, TrustError, verify_offline};

use super::world::World;

fn standing(proved: &Proved) -> &'static str {
    match proved {
        Proved::Status(status) => status.standing(None).word(),
        Proved::Transaction(_) => "transaction",
    }
}

/// X.1409 C10, C17
#[test]
fn presence_and_absence_are_proved_with_the_genesis_document_alone() {
    let mut world = World::new();
    let (id, _) = world.publish("a.example");
    let genesis = cbor::to_bytes(world.trust.genesis());
    let trust = Trust::from_bytes(&genesis).unwrap();
    let unknown = CertificateId([7; 32]);
    for (id, expected) in [(id, "valid"), (unknown, "unknown")] {
        let proof = cbor::to_bytes(&world.status_proof(&id));
        assert!(proof.len() < 2048, "{} bytes", proof.len());
        let proved = verify_offline(&proof, &trust, Some(&id)).unwrap();
        assert_eq!(standing(&proved), expected);
        let json = format!("{{\"standing\":\"a lie\",\"proof\":\"{}\"}}", STANDARD.encode(&proof));
        assert_eq!(verify_offline(json.as_bytes(), &trust, None), Ok(proved));
    }
}

#[test]
fn a_transaction_is_proved_in_its_block_and_in_the_history_of_a_later_one() {
    let mut world = World::new();
    let (_, transaction) = world.publish("a.example");
    for newer in ["b.example", "c.example", "d.example"] {
        let proof = cbor::to_bytes(&world.record_proof(1));
        let Proved::Transaction(proved) = verify_offline(&proof, &world.trust, None).unwrap() else {
            panic!("a record proof proves a transaction");
        };
        assert_eq!((proved.transaction.id(), proved.header.height.0), (transaction.id(), 1));
        world.publish(newer);
    }
}

#[test]
fn what_does_not_hold_is_refused_with_the_fault() {
    let mut world = World::new();
    let (id, _) = world.publish("a.example");
    let good = world.status_proof(&id);
    let verify = |proof: &tabellion_ledger::StateProof| {
        verify_offline(&cbor::to_bytes(proof), &world.trust, None).unwrap_err()
    };
    let finality = |fault| OfflineError::Trust(TrustError::Proof(ProofFault::Finality(fault)));

    let mut few = good.clone();
    few.finality.signatures.pop();
    assert_eq!(verify(&few), finality(FinalityFault::Quorum { found: 2, needed: 3 }));
    let mut altered = good.clone();
    altered.finality.header.time.0 += 1;
    assert_eq!(verify(&altered), finality(FinalityFault::Signature { validator: 0 }));
    let mut record = good.clone();
    record.record.as_mut().unwrap()[3] ^= 1;
    assert!(matches!(verify(&record), OfflineError::Trust(TrustError::Proof(ProofFault::State(_)))));
    let mut absent = good.clone();
    absent.record = None;
    assert!(matches!(verify(&absent), OfflineError::Trust(TrustError::Proof(ProofFault::State(_)))));

    let expected = CertificateId([9; 32]);
    let other = verify_offline(&cbor::to_bytes(&good), &world.trust, Some(&expected)).unwrap_err();
    assert_eq!(other, OfflineError::OtherCertificate { found: id, expected });
    let foreign = verify_offline(&cbor::to_bytes(&good), &World::new().trust, None).unwrap_err();
    assert!(matches!(
        foreign,
        OfflineError::Trust(TrustError::Proof(ProofFault::Finality(FinalityFault::ForeignLedger { .. })))
    ));
    let parameters = world.state_proof(StateKey::new(map::CONSORTIUM, b"parameters"));
    assert_eq!(verify(&parameters), OfflineError::OtherRecord { map: map::CONSORTIUM });
}

#[test]
fn no_prefix_and_no_flipped_bit_of_a_proof_passes() {
    let mut world = World::new();
    let (id, _) = world.publish("a.example");
    let proof = cbor::to_bytes(&world.status_proof(&id));
    for length in 0..proof.len() {
        assert!(verify_offline(&proof[..length], &world.trust, None).is_err(), "{length} bytes");
    }
    for place in 0..proof.len() {
        let mut broken = proof.clone();
        broken[place] ^= 1 << (place % 8);
        assert!(verify_offline(&broken, &world.trust, Some(&id)).is_err(), "byte {place}");
    }
    assert_eq!(verify_offline(b"", &world.trust, None), Err(OfflineError::Empty));
    assert!(matches!(verify_offline(b"{}", &world.trust, None), Err(OfflineError::Json(_))));
    assert!(Trust::from_bytes(b"no genesis").is_err());
}

/// X.1409 L1
#[test]
fn the_genesis_block_needs_no_signatures_and_nothing_else_goes_without() {
    let mut world = World::new();
    let id = CertificateId([7; 32]);
    let mut proof = world.status_proof(&id);
    proof.finality.signatures.clear();
    let proved = world.trust.status(&proof, &id).unwrap();
    assert_eq!(
        (proved.standing(None).word(), proved.by.signers, proved.by.header.height.0),
        ("unknown", 0, 0)
    );
    let mut altered = proof.clone();
    altered.finality.header.time.0 += 1;
    assert!(world.trust.status(&altered, &id).unwrap_err().is_unsigned());
    assert!(world.trust.status(&proof, &CertificateId([8; 32])).is_err());

    world.publish("a.example");
    let mut proof = world.status_proof(&id);
    proof.finality.signatures.clear();
    assert!(world.trust.status(&proof, &id).unwrap_err().is_unsigned());
}
