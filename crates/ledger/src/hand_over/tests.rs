use super::*;
use crate::cbor;
use crate::testing::{Committee, LEDGER, with_one_bit_turned};

/// Four validators hand over to seven; two blocks of the new ones lie before the first signed one.
fn handed_over() -> (Committee, HandOver) {
    let (old, next) = (Committee::new(4, 4), Committee::new(5, 7));
    let mut chain = vec![old.block(&[], Vec::new()).header];
    let mut last = old.block(&chain, Vec::new()).header;
    last.next_roster = next.roster.hash();
    chain.push(last.clone());
    for _ in 0..3 {
        let header = next.block(&chain, Vec::new()).header;
        chain.push(header);
    }
    let hand_over = HandOver {
        last: old.finalise(&last, &[0, 2, 3]),
        roster: next.roster.clone(),
        between: chain[2..4].to_vec(),
        accepted: next.finalise(&chain[4], &[0, 1, 2, 3, 6]),
    };
    (old, hand_over)
}

/// X.1409 L9: whoever holds the old roster learns the next one from signatures of both.
#[test]
fn both_quorums_sign_a_change_of_validators() {
    let (old, hand_over) = handed_over();
    assert_eq!(hand_over.verify(&LEDGER, &old.roster), Ok((&hand_over.roster, Height(1))));
    let bytes = cbor::to_bytes(&hand_over);
    assert_eq!(cbor::from_bytes(&bytes, bytes.len()), Ok(hand_over));
}

#[test]
fn a_hand_over_that_one_side_did_not_sign_is_refused() {
    use HandOverFault::{Accepted, Last, Link, Number, Roster};
    type Spoil = fn(&mut HandOver);
    let rows: [(&str, Spoil, HandOverFault); 9] = [
        ("too few old ones", |h| h.last.signatures.truncate(2), {
            Last(FinalityFault::Quorum { found: 2, needed: 3 })
        }),
        ("too few new ones", |h| h.accepted.signatures.truncate(4), {
            Accepted(FinalityFault::Quorum { found: 4, needed: 5 })
        }),
        ("another next roster", |h| h.roster = Committee::new(5, 6).roster, Roster),
        ("no change", |h| h.roster = Committee::new(4, 4).roster, Roster),
        ("a header gone", |h| h.between.truncate(1), Link { height: Height(4) }),
        ("a header altered", |h| h.between[1].state_root.0[0] ^= 1, Link { height: Height(4) }),
        ("a header of the old ones", |h| h.between[0].roster = h.last.header.roster, {
            Link { height: Height(2) }
        }),
        ("time goes back", |h| h.between[0].time.0 -= 9, Link { height: Height(2) }),
        ("a number left out", |h| *h = skipping(), Number { found: 6, expected: 5 }),
    ];
    for (what, spoil, expected) in rows {
        let (old, mut hand_over) = handed_over();
        spoil(&mut hand_over);
        let verdict = hand_over.verify(&LEDGER, &old.roster).map(|_| ());
        assert_eq!(verdict, Err(expected), "{what}");
    }
    let (_, hand_over) = handed_over();
    let stranger = Committee::new(4, 5).roster;
    let verdict = hand_over.verify(&LEDGER, &stranger);
    assert!(matches!(verdict, Err(Last(FinalityFault::OtherRoster { .. }))), "{verdict:?}");
}

/// A roster whose number is two above the one before.
fn skipping() -> HandOver {
    let (old, next) = (Committee::new(4, 4), Committee::new(6, 7));
    let mut last = old.block(&[], Vec::new()).header;
    last.next_roster = next.roster.hash();
    let first = next.block(std::slice::from_ref(&last), Vec::new()).header;
    HandOver {
        last: old.finalise(&last, &[0, 2, 3]),
        roster: next.roster.clone(),
        between: Vec::new(),
        accepted: next.finalise(&first, &[0, 1, 2, 3, 6]),
    }
}

#[test]
fn no_bit_of_a_hand_over_can_be_turned() {
    let (old, hand_over) = handed_over();
    for (place, turned) in with_one_bit_turned(&cbor::to_bytes(&hand_over)) {
        let Ok(read) = cbor::from_bytes::<HandOver>(&turned, turned.len()) else { continue };
        assert!(read.verify(&LEDGER, &old.roster).is_err(), "byte {place}");
    }
}
