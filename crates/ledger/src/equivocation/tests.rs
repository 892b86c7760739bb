use ed25519_consensus::SigningKey;

use super::*;
use crate::cbor;
use crate::testing::{LEDGER, with_one_bit_turned};

const EPOCH: u64 = 3;
const VIEW: u64 = 300;

fn validator() -> SigningKey {
    SigningKey::from([9; 32])
}

fn key() -> [u8; 32] {
    validator().verification_key().to_bytes()
}

type Message = fn(&LedgerId, u64, u64, u64, &HeaderHash) -> Vec<u8>;

fn vote(message: Message, parent_view: u64, header: u8) -> BlockVote {
    let header = HeaderHash([header; 32]);
    let message = message(&LEDGER, EPOCH, VIEW, parent_view, &header);
    BlockVote { parent_view, header, signature: validator().sign(&message).to_bytes() }
}

fn evidence(conflict: Conflict) -> Equivocation {
    Equivocation { epoch: EPOCH, view: VIEW, validator: key(), conflict }
}

fn of_notarize() -> Equivocation {
    let pair = VotePair::new(vote(notarize_message, 299, 1), vote(notarize_message, 299, 2));
    evidence(Conflict::Notarize(pair.unwrap()))
}

fn of_finalize() -> Equivocation {
    let pair = VotePair::new(vote(finalize_message, 299, 1), vote(finalize_message, 200, 1));
    evidence(Conflict::Finalize(pair.unwrap()))
}

fn of_nullify() -> Equivocation {
    let nullify = validator().sign(&nullify_message(&LEDGER, EPOCH, VIEW)).to_bytes();
    evidence(Conflict::NullifyFinalize { nullify, finalize: vote(finalize_message, 299, 1) })
}

fn all() -> [Equivocation; 3] {
    [of_notarize(), of_finalize(), of_nullify()]
}

/// Whoever votes two ways is named by its own signatures, to anybody who knows the key.
#[test]
fn two_votes_of_one_view_are_evidence_against_their_signer() {
    for evidence in all() {
        assert_eq!(evidence.verify(&LEDGER, &key()), Ok(()), "{evidence:?}");
        let bytes = cbor::to_bytes(&evidence);
        assert!(bytes.len() <= Equivocation::BYTES_MAX);
        assert_eq!(cbor::from_bytes(&bytes, Equivocation::BYTES_MAX), Ok(evidence));
    }
}

#[test]
fn the_largest_evidence_is_within_its_limit() {
    let vote =
        |header| BlockVote { parent_view: u64::MAX, header: HeaderHash([header; 32]), signature: [0xff; 64] };
    let pair = VotePair::new(vote(1), vote(2)).unwrap();
    let (epoch, view) = (u64::MAX, u64::MAX);
    let largest = Equivocation { epoch, view, validator: key(), conflict: Conflict::Finalize(pair) };
    assert!(cbor::to_bytes(&largest).len() <= Equivocation::BYTES_MAX);
}

#[test]
fn evidence_is_the_same_in_whatever_order_the_votes_came() {
    let (one, other) = (vote(notarize_message, 299, 1), vote(notarize_message, 299, 2));
    assert_eq!(VotePair::new(one, other), VotePair::new(other, one));
    assert_eq!(VotePair::new(one, one), None);
    // A vote signed twice is one vote.
    let again = BlockVote { signature: [0; 64], ..one };
    assert_eq!(VotePair::new(one, again), None);
}

#[test]
fn every_fault_of_evidence_is_refused() {
    use EquivocationFault::{OtherValidator, Signature};
    type Spoil = fn(&mut Equivocation);
    fn finalize(evidence: &mut Equivocation) -> &mut BlockVote {
        match &mut evidence.conflict {
            Conflict::NullifyFinalize { finalize, .. } => finalize,
            _ => panic!("another kind"),
        }
    }
    let rows: [(&str, Equivocation, Spoil, EquivocationFault); 8] = [
        ("another epoch", of_notarize(), |one| one.epoch += 1, Signature { vote: 0 }),
        ("another view", of_finalize(), |one| one.view += 1, Signature { vote: 0 }),
        ("another parent view", of_nullify(), |one| finalize(one).parent_view += 1, Signature { vote: 1 }),
        ("another block", of_nullify(), |one| finalize(one).header.0[0] ^= 1, Signature { vote: 1 }),
        ("a broken signature", of_nullify(), |one| finalize(one).signature[40] ^= 1, Signature { vote: 1 }),
        (
            "notarise votes called finalise votes",
            of_notarize(),
            |one| {
                let Conflict::Notarize(pair) = one.conflict else { panic!("another kind") };
                one.conflict = Conflict::Finalize(pair);
            },
            Signature { vote: 0 },
        ),
        (
            "a nullify vote that is none",
            of_nullify(),
            |one| {
                let finalize = *finalize(one);
                one.conflict = Conflict::NullifyFinalize { nullify: finalize.signature, finalize };
            },
            Signature { vote: 0 },
        ),
        ("another validator", of_notarize(), |one| one.validator = [1; 32], {
            OtherValidator { named: [1; 32], given: key() }
        }),
    ];
    for (what, mut evidence, spoil, expected) in rows {
        spoil(&mut evidence);
        assert_eq!(evidence.verify(&LEDGER, &key()), Err(expected), "{what}");
    }
    let elsewhere = LedgerId([8; 32]);
    let other = SigningKey::from([8; 32]).verification_key().to_bytes();
    for evidence in all() {
        assert_eq!(evidence.verify(&elsewhere, &key()), Err(Signature { vote: 0 }), "another ledger");
        let accused = Equivocation { validator: other, ..evidence };
        assert_eq!(accused.verify(&LEDGER, &other), Err(Signature { vote: 0 }), "somebody else");
    }
}

#[test]
fn evidence_out_of_order_or_of_no_conflict_is_no_encoding() {
    let (one, other) = (vote(notarize_message, 299, 1), vote(notarize_message, 299, 2));
    for (what, votes) in [("out of order", [other, one]), ("no conflict", [one, one])] {
        let bytes = cbor::to_bytes(&evidence(Conflict::Notarize(VotePair(votes))));
        let refused = Err(DecodeError::Value { field: "equivocation votes" });
        assert_eq!(cbor::from_bytes::<Equivocation>(&bytes, Equivocation::BYTES_MAX), refused, "{what}");
    }
    let mut bytes = cbor::to_bytes(&of_notarize());
    bytes[1] = 3;
    let refused = Err(DecodeError::Value { field: "equivocation kind" });
    assert_eq!(
        cbor::from_bytes::<Equivocation>(&bytes, Equivocation::BYTES_MAX),
        refused,
        "a kind of its own"
    );
}

#[test]
fn evidence_with_one_bit_turned_is_refused() {
    for evidence in all() {
        for (place, turned) in with_one_bit_turned(&cbor::to_bytes(&evidence)) {
            let holds = cbor::from_bytes::<Equivocation>(&turned, Equivocation::BYTES_MAX)
                .is_ok_and(|evidence| evidence.verify(&LEDGER, &key()).is_ok());
            assert!(!holds, "byte {place}");
        }
    }
}

#[test]
fn the_votes_are_spelled_as_the_engine_spells_them() {
    let expected = [
        [62].as_slice(),
        b"tabellion/consensus/1",
        &[7; 32],
        b"_NOTARIZE",
        &[0x03],
        &[0xac, 0x02],
        &[0xab, 0x02],
        &[5; 32],
    ];
    let message = notarize_message(&LEDGER, 3, 300, 299, &HeaderHash([5; 32]));
    assert_eq!(message, expected.concat());
    let expected = [[61].as_slice(), b"tabellion/consensus/1", &[7; 32], b"_NULLIFY", &[0x03], &[0xac, 0x02]];
    assert_eq!(nullify_message(&LEDGER, 3, 300), expected.concat());
}
