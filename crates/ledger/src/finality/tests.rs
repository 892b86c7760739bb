use super::*;
use crate::cbor;
use crate::testing::{Committee, LEDGER, with_one_bit_turned};

fn finalised(validators: &[u16]) -> (Committee, FinalityProof) {
    let committee = Committee::new(2, 4);
    let header = committee.block(&[], Vec::new()).header;
    let proof = committee.finalise(&header, validators);
    (committee, proof)
}

#[test]
fn a_quorum_or_more_finalises() {
    for validators in [[0, 1, 2].as_slice(), &[0, 1, 3], &[1, 2, 3], &[0, 1, 2, 3]] {
        let (committee, proof) = finalised(validators);
        assert_eq!(proof.verify(&LEDGER, &committee.roster), Ok(()), "{validators:?}");
        assert_eq!(cbor::from_bytes(&cbor::to_bytes(&proof), 4096), Ok(proof));
    }
}

#[test]
fn every_fault_of_a_finality_proof_is_refused() {
    use FinalityFault::{ForeignLedger, OtherRoster, Quorum, Signature, Signer};
    type Spoil = fn(&mut FinalityProof, &Committee);
    let (committee, _) = finalised(&[]);
    let rows: [(&str, &[u16], Spoil, FinalityFault); 13] = [
        ("no signature", &[], |_, _| {}, Quorum { found: 0, needed: 3 }),
        ("too few", &[0, 3], |_, _| {}, Quorum { found: 2, needed: 3 }),
        ("one twice", &[0, 1, 1], |_, _| {}, Signer { validator: 1 }),
        ("one three times", &[2, 2, 2], |_, _| {}, Signer { validator: 2 }),
        ("out of order", &[0, 2, 1], |_, _| {}, Signer { validator: 1 }),
        ("outside", &[0, 1, 2], |proof, _| proof.signatures[2].validator = 4, Signer { validator: 4 }),
        ("far outside", &[0, 1, 2], |proof, _| proof.signatures[2].validator = 65_535, {
            Signer { validator: 65_535 }
        }),
        ("signed by another", &[0, 1, 2], |proof, _| proof.signatures[2].validator = 3, {
            Signature { validator: 3 }
        }),
        ("a fourth that fails", &[0, 1, 2, 3], |proof, _| proof.signatures[3].signature[0] ^= 1, {
            Signature { validator: 3 }
        }),
        ("another view", &[0, 1, 2], |proof, _| proof.view += 1, Signature { validator: 0 }),
        ("another parent view", &[0, 1, 2], |proof, _| proof.parent_view -= 1, Signature { validator: 0 }),
        ("another epoch", &[0, 1, 2], |proof, _| proof.epoch = 3, Signature { validator: 0 }),
        ("signed for another header", &[0, 1, 2], |proof, _| proof.header.height.0 += 1, {
            Signature { validator: 0 }
        }),
    ];
    for (what, validators, spoil, expected) in rows {
        let (_, mut proof) = finalised(validators);
        spoil(&mut proof, &committee);
        assert_eq!(proof.verify(&LEDGER, &committee.roster), Err(expected), "{what}");
    }
    let (_, proof) = finalised(&[0, 1, 2]);
    let elsewhere = LedgerId([8; 32]);
    let foreign = ForeignLedger { named: LEDGER, expected: elsewhere };
    assert_eq!(proof.verify(&elsewhere, &committee.roster), Err(foreign));
    let other = Committee::new(3, 4).roster;
    let refused = OtherRoster { named: committee.roster.hash(), given: other.hash() };
    assert_eq!(proof.verify(&LEDGER, &other), Err(refused));
}

/// Votes of another ledger under equal keys do not count here.
#[test]
fn a_vote_for_another_ledger_does_not_count() {
    let (committee, mut proof) = finalised(&[0, 1, 2]);
    let message = proof.message(&LedgerId([8; 32]));
    proof.signatures = (0..3).map(|validator| committee.sign(validator, &message)).collect();
    assert_eq!(proof.verify(&LEDGER, &committee.roster), Err(FinalityFault::Signature { validator: 0 }));
}

#[test]
fn a_finality_proof_with_one_bit_turned_is_refused() {
    let (committee, proof) = finalised(&[0, 1, 3]);
    for (place, turned) in with_one_bit_turned(&cbor::to_bytes(&proof)) {
        let holds = cbor::from_bytes::<FinalityProof>(&turned, 4096)
            .is_ok_and(|proof| proof.verify(&LEDGER, &committee.roster).is_ok());
        assert!(!holds, "byte {place}");
    }
}

#[test]
fn the_vote_is_spelled_as_the_engine_spells_it() {
    let message = finalize_message(&LEDGER, 0, 300, 16_384, &HeaderHash([5; 32]));
    let expected = [
        [62].as_slice(),
        b"tabellion/consensus/1",
        &[7; 32],
        b"_FINALIZE",
        &[0x00],
        &[0xac, 0x02],
        &[0x80, 0x80, 0x01],
        &[5; 32],
    ];
    assert_eq!(message, expected.concat());
    let longest = finalize_message(&LEDGER, u64::MAX, u64::MAX, u64::MAX, &HeaderHash([5; 32]));
    assert_eq!(longest.len(), 1 + 62 + 3 * 10 + 32);
}
