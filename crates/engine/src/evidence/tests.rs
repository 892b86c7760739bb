use commonware_consensus::simplex::types::{ConflictingFinalize, ConflictingNotarize, NullifyFinalize};
use commonware_consensus::types::{Epoch, Round, View};
use commonware_utils::ordered::Set;
use tabellion_ledger::{Equivocation, HeaderHash};

use super::*;
use crate::block::digest_of;
use crate::guard::Guard;
use crate::scheme::{key_of, namespace, private_key, public_key};

const LEDGER: LedgerId = LedgerId([7; 32]);

/// The keys of four validators in their order.
fn keys() -> Vec<NodeKey> {
    let mut keys: Vec<_> = (1..=4).map(|seed| crate::scheme::node_key(&[seed; 32])).collect();
    keys.sort();
    keys
}

/// The signing scheme of the validator of this seed, on a ledger.
fn scheme(seed: u8, ledger: &LedgerId) -> Scheme {
    let keys = Set::from_iter_dedup(keys().iter().map(|key| public_key(key).unwrap()));
    Scheme::signer(&namespace(ledger), keys, private_key(&[seed; 32]), Guard::open(Round::zero())).unwrap()
}

fn round() -> Round {
    Round::new(Epoch::new(2), View::new(300))
}

fn proposal(block: u8) -> Proposal<Digest> {
    Proposal::new(round(), View::new(299), digest_of(HeaderHash([block; 32])))
}

fn notarize(scheme: &Scheme, block: u8) -> Notarize<Scheme, Digest> {
    Notarize::sign(scheme, proposal(block)).unwrap()
}

fn finalize(scheme: &Scheme, block: u8) -> Finalize<Scheme, Digest> {
    Finalize::sign(scheme, proposal(block)).unwrap()
}

fn conflicts(scheme: &Scheme) -> [Activity<Scheme, Digest>; 3] {
    let nullify = Nullify::sign::<Digest>(scheme, round()).unwrap();
    [
        Activity::ConflictingNotarize(ConflictingNotarize::new(notarize(scheme, 2), notarize(scheme, 1))),
        Activity::ConflictingFinalize(ConflictingFinalize::new(finalize(scheme, 1), finalize(scheme, 2))),
        Activity::NullifyFinalize(NullifyFinalize::new(nullify, finalize(scheme, 1))),
    ]
}

/// The ledger spells each vote as the engine signs it.
#[test]
fn the_engines_conflicts_become_evidence_that_verifies_without_it() {
    for activity in conflicts(&scheme(3, &LEDGER)) {
        let evidence: Equivocation = evidence(&activity, &LEDGER, &keys()).unwrap();
        let NodeKey(key) = key_of(&private_key(&[3; 32]).into());
        assert_eq!((evidence.epoch, evidence.view, evidence.validator), (2, 300, key));
        assert_eq!(evidence.verify(&LEDGER, &key), Ok(()));
    }
}

/// Anybody can send a vote that nobody signed: it accuses nobody.
#[test]
fn a_conflict_whose_votes_were_not_signed_is_no_evidence() {
    for activity in conflicts(&scheme(3, &LedgerId([8; 32]))) {
        assert_eq!(evidence(&activity, &LEDGER, &keys()), None, "signed for another ledger");
    }
    let (mine, theirs) = (scheme(3, &LEDGER), scheme(2, &LEDGER));
    let mut forged = notarize(&mine, 2);
    forged.attestation.signature = notarize(&theirs, 2).attestation.signature;
    let conflict = Activity::ConflictingNotarize(ConflictingNotarize::new(notarize(&mine, 1), forged));
    assert_eq!(evidence(&conflict, &LEDGER, &keys()), None, "signed by another");
}

#[test]
fn ordinary_votes_are_no_evidence() {
    let scheme = scheme(3, &LEDGER);
    let activities = [
        Activity::Notarize(notarize(&scheme, 1)),
        Activity::Nullify(Nullify::sign::<Digest>(&scheme, round()).unwrap()),
        Activity::Finalize(finalize(&scheme, 1)),
    ];
    for activity in activities {
        assert_eq!(evidence(&activity, &LEDGER, &keys()), None);
    }
}
