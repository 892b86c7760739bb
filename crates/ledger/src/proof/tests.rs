use std::collections::BTreeMap;

use super::*;
use crate::cbor;
use crate::id::{Height, StateRoot};
use crate::lane::Lane;
use crate::testing::{Committee, LEDGER, lane_body, transaction, with_one_bit_turned};
use crate::trie::{MemoryPages, prove, update};

fn key(number: u8) -> StateKey {
    StateKey::new(2, &[number; 32])
}

/// A state of 40 records in a finalised header, and the pages to prove from.
fn state() -> (Committee, MemoryPages, Header) {
    let writes: BTreeMap<_, _> =
        (0..40).map(|number| (key(number).path(), Some(sha256(&[number; 50])))).collect();
    let mut pages = MemoryPages::default();
    let update = update(&pages, &StateRoot::default(), &writes).unwrap();
    pages.apply(&update);
    let committee = Committee::new(0, 4);
    let mut header = committee.block(&[], Vec::new()).header;
    header.state_root = update.root;
    (committee, pages, header)
}

fn state_proof(number: u8) -> (Committee, StateProof) {
    let (committee, pages, header) = state();
    let trie = prove(&pages, &header.state_root, &key(number).path()).unwrap();
    let record = (number < 40).then(|| vec![number; 50]);
    let finality = committee.finalise(&header, &[0, 1, 2]);
    (committee, StateProof { key: key(number), record, trie, finality })
}

#[test]
fn a_record_and_its_absence_are_proved() {
    for number in [0, 7, 39, 40, 41, 200] {
        let (committee, proof) = state_proof(number);
        let header = proof.verify(&LEDGER, &committee.roster, &key(number));
        assert_eq!(header, Ok(&proof.finality.header), "{number}");
        assert_eq!(cbor::from_bytes(&cbor::to_bytes(&proof), 4096).as_ref(), Ok(&proof), "{number}");
    }
}

#[test]
fn every_fault_of_a_state_proof_is_refused() {
    type Spoil = fn(&mut StateProof);
    let (value, other) = (sha256(&[7; 50]), sha256(&[8; 50]));
    let rows: [(&str, u8, Spoil, ProofFault); 7] = [
        ("another record", 7, |proof| proof.record = Some(vec![8; 50]), {
            ProofFault::State(TrieFault::Value { found: value, expected: other })
        }),
        ("a record hidden", 7, |proof| proof.record = None, {
            ProofFault::State(TrieFault::Present { value_hash: value })
        }),
        (
            "a record made up",
            41,
            |proof| proof.record = Some(vec![8; 50]),
            ProofFault::State(TrieFault::Absent),
        ),
        ("another key", 7, |proof| proof.key.key[0] ^= 1, ProofFault::OtherKey),
        ("another map", 7, |proof| proof.key.map = 3, ProofFault::OtherKey),
        ("too few votes", 7, |proof| proof.finality.signatures.truncate(2), {
            ProofFault::Finality(FinalityFault::Quorum { found: 2, needed: 3 })
        }),
        ("another state root", 7, |proof| proof.finality.header.state_root.0[5] ^= 1, {
            ProofFault::Finality(FinalityFault::Signature { validator: 0 })
        }),
    ];
    for (what, number, spoil, expected) in rows {
        let (committee, mut proof) = state_proof(number);
        spoil(&mut proof);
        assert_eq!(proof.verify(&LEDGER, &committee.roster, &key(number)), Err(expected), "{what}");
    }
    let (committee, mut proof) = state_proof(7);
    proof.trie = state_proof(8).1.trie;
    let fault = proof.verify(&LEDGER, &committee.roster, &key(7));
    assert!(matches!(fault, Err(ProofFault::State(_))), "another record's path: {fault:?}");
}

#[test]
fn a_state_proof_with_one_bit_turned_is_refused() {
    for number in [7, 41] {
        let (committee, proof) = state_proof(number);
        for (place, turned) in with_one_bit_turned(&cbor::to_bytes(&proof)) {
            let holds = cbor::from_bytes::<StateProof>(&turned, 4096)
                .is_ok_and(|proof| proof.verify(&LEDGER, &committee.roster, &key(number)).is_ok());
            assert!(!holds, "record {number}, byte {place}");
        }
    }
}

/// The record at `index` of block 2 of a chain of four, proved under header 2 itself or under header 3.
fn record_proof(index: usize, older: bool) -> (Committee, TransactionId, RecordProof) {
    let committee = Committee::new(0, 4);
    let mut headers = Vec::new();
    for _ in 0..2 {
        headers.push(committee.block(&headers, Vec::new()).header);
    }
    let records: Vec<Transaction> = (0..5).map(|number| transaction(Lane::Certificate, number)).collect();
    let lanes = vec![
        lane_body(Lane::Consortium, Height(2), vec![transaction(Lane::Consortium, 8)]),
        lane_body(Lane::Certificate, Height(2), records.clone()),
        lane_body(Lane::Intel, Height(2), vec![transaction(Lane::Intel, 9)]),
    ];
    let block = committee.block(&headers, lanes);
    headers.push(block.header.clone());
    let tip = committee.block(&headers, Vec::new()).header;
    let leaves: Vec<Hash> = headers.iter().map(Header::leaf).collect();
    let header = match older {
        false => ProvedHeader { finality: committee.finalise(&block.header, &[0, 2, 3]), older: None },
        true => ProvedHeader {
            finality: committee.finalise(&tip, &[0, 2, 3]),
            older: Some((block.header.clone(), merkle::inclusion_path(&leaves, 2))),
        },
    };
    let leaves: Vec<Hash> = records.iter().map(Transaction::record_leaf).collect();
    let proof = RecordProof {
        header,
        lanes: block.lanes.iter().map(|lane| lane.header.hash()).collect(),
        lane: block.lanes[1].header.clone(),
        record_index: u64::try_from(index).unwrap(),
        record_path: merkle::inclusion_path(&leaves, index),
        transaction: records[index].to_bytes(),
    };
    (committee, records[index].id(), proof)
}

/// X.1409 L3
#[test]
fn every_record_of_a_lane_is_proved_under_its_header_and_under_a_later_one() {
    for (index, older) in (0..5).flat_map(|index| [(index, false), (index, true)]) {
        let (committee, id, proof) = record_proof(index, older);
        let (header, found) = proof.verify(&LEDGER, &committee.roster, &id).unwrap();
        assert_eq!((header.height, found.id()), (Height(2), id), "{index}, {older}");
        assert_eq!(cbor::from_bytes(&cbor::to_bytes(&proof), 8192), Ok(proof), "{index}, {older}");
    }
}

#[test]
fn every_fault_of_a_record_proof_is_refused() {
    type Spoil = fn(&mut RecordProof);
    let rows: [(&str, Spoil, ProofFault); 9] = [
        ("a lane more", |proof| proof.lanes.push(proof.lanes[0]), ProofFault::Lane),
        ("a lane less", |proof| proof.lanes.truncate(2), ProofFault::Lane),
        ("no lanes", |proof| proof.lanes.clear(), ProofFault::Lane),
        ("another lane header", |proof| proof.lane.record_count = 4, ProofFault::Lane),
        ("another place", |proof| proof.record_index = 2, ProofFault::Record),
        ("a place outside", |proof| proof.record_index = 5, ProofFault::Record),
        ("a shorter path", |proof| proof.record_path.truncate(2), ProofFault::Record),
        ("a longer path", |proof| proof.record_path.push(Hash::default()), ProofFault::Record),
        (
            "an older header out of place",
            |proof| {
                if let Some((_, path)) = &mut proof.header.older {
                    path.push(Hash::default());
                }
            },
            ProofFault::History,
        ),
    ];
    for (what, spoil, expected) in rows {
        let (committee, id, mut proof) = record_proof(1, true);
        spoil(&mut proof);
        let outcome = proof.verify(&LEDGER, &committee.roster, &id).map(|(header, _)| header.height);
        assert_eq!(outcome, Err(expected), "{what}");
    }
    let (committee, id, proof) = record_proof(1, false);
    let (_, asked, _) = record_proof(2, false);
    let outcome = proof.verify(&LEDGER, &committee.roster, &asked).map(|(header, _)| header.height);
    assert_eq!(outcome, Err(ProofFault::OtherTransaction { found: id }));
}

/// Nothing in a record proof is left to whoever made it.
#[test]
fn a_record_proof_with_one_bit_turned_is_refused() {
    for older in [false, true] {
        let (committee, id, proof) = record_proof(3, older);
        for (place, turned) in with_one_bit_turned(&cbor::to_bytes(&proof)) {
            let holds = cbor::from_bytes::<RecordProof>(&turned, 8192)
                .is_ok_and(|proof| proof.verify(&LEDGER, &committee.roster, &id).is_ok());
            assert!(!holds, "older {older}, byte {place}");
        }
    }
}
