use tabellion_ledger::{Algorithm, FinalityProof, FinalitySignature, HandOver, Header, Roster, Validator};
use tempfile::tempdir;

use crate::{LightClient, LightError, SigningKey, Trust, TrustError, proof_file, read_proof};

use super::world::World;

/// Validators that came after those of the genesis document.
struct Later {
    keys: Vec<SigningKey>,
    roster: Roster,
}

impl Later {
    fn new(number: u64) -> Self {
        let mut keys: Vec<_> = (0..4).map(|_| SigningKey::generate(Algorithm::Ed25519).unwrap()).collect();
        let raw = |key: &SigningKey| <[u8; 32]>::try_from(key.public().as_bytes()).unwrap();
        keys.sort_by_key(raw);
        let validator = |key: &SigningKey| Validator {
            key: raw(key),
            member: "alpha".parse().unwrap(),
            name: "later".to_owned(),
        };
        let roster = Roster::new(number, keys.iter().map(validator).collect()).unwrap();
        Self { keys, roster }
    }

    fn finality_of(&self, header: Header, world: &World) -> FinalityProof {
        let mut proof = FinalityProof { header, epoch: 1, view: 2, parent_view: 1, signatures: Vec::new() };
        let message = proof.message(&world.trust.ledger());
        for (validator, key) in (0..).zip(&self.keys).take(3) {
            let signature = key.sign(&message).unwrap().0.try_into().unwrap();
            proof.signatures.push(FinalitySignature { validator, signature });
        }
        proof
    }
}

fn next(before: &Header, roster: &Roster) -> Header {
    Header {
        height: before.height.next(),
        previous: before.hash(),
        roster: roster.hash(),
        next_roster: roster.hash(),
        ..before.clone()
    }
}

/// The validators of the genesis document hand over after block 1.
fn handed_over(world: &World) -> (HandOver, Later) {
    let later = Later::new(1);
    let mut last = world.ledger.header().clone();
    last.next_roster = later.roster.hash();
    let first = next(&last, &later.roster);
    let hand_over = HandOver {
        last: world.finality_of(last, &[0, 1, 3]),
        roster: later.roster.clone(),
        between: Vec::new(),
        accepted: later.finality_of(first, world),
    };
    (hand_over, later)
}

/// X.1409 L9, IV.1: with the genesis document alone a client follows every change of validators.
#[test]
fn a_client_learns_the_validators_of_today_from_hand_overs_and_remembers_them() {
    let mut world = World::new();
    world.publish("a.example");
    let (hand_over, later) = handed_over(&world);
    let newest = later.finality_of(next(&hand_over.accepted.header, &later.roster), &world);

    let mut trust = world.trust.clone();
    let height = newest.header.height;
    assert_eq!(trust.finality(&newest), Err(TrustError::UnknownRoster { height, known: 0 }));
    trust.learn(&hand_over).unwrap();
    trust.learn(&hand_over).unwrap();
    assert_eq!(trust.finality(&newest).unwrap().signers, 3);
    assert!(trust.finality(&hand_over.last).is_ok(), "older headers stay proved by older validators");

    let folder = tempdir().unwrap();
    let path = folder.path().join("headers");
    let mut light = LightClient::open(world.trust.clone(), &path).unwrap();
    light.learn(&hand_over).unwrap();
    light.observe(&newest).unwrap();
    light.save().unwrap();
    let again = LightClient::open(world.trust.clone(), &path).unwrap();
    assert_eq!(again.trust().roster(), &later.roster);
    assert_eq!(again.newest(), Some(&newest.header));
}

/// Old validators whose keys fell into other hands cannot go on.
#[test]
fn validators_whose_term_is_over_finalise_nothing_more() {
    let mut world = World::new();
    world.publish("a.example");
    let (hand_over, _) = handed_over(&world);
    let mut trust = world.trust.clone();
    trust.learn(&hand_over).unwrap();
    let last = &hand_over.last.header;
    let forged = next(last, world.trust.roster());
    let height = forged.height;
    let forged = world.finality_of(forged, &[0, 1, 2, 3]);
    assert_eq!(trust.finality(&forged), Err(TrustError::TermOver { height, last: last.height }));
}

#[test]
fn a_hand_over_that_does_not_hold_teaches_nothing() {
    let mut world = World::new();
    world.publish("a.example");
    let (mut hand_over, _) = handed_over(&world);
    hand_over.last.signatures.truncate(2);
    let mut light = LightClient::new(world.trust.clone());
    let refused = light.learn(&hand_over);
    assert!(matches!(refused, Err(LightError::Trust(TrustError::HandOver { number: 1, .. }))));
    assert_eq!(light.trust().roster(), world.trust.roster());
}

#[test]
fn a_proof_file_brings_the_hand_overs_that_lead_to_its_signers() {
    let mut world = World::new();
    let (id, _) = world.publish("a.example");
    let (hand_over, _) = handed_over(&world);
    let proof = world.status_proof(&id);
    let mut trust: Trust = world.trust.clone();
    let plain = read_proof(&proof_file(&trust, &proof)).unwrap();
    assert!(plain.hand_overs.is_empty());
    trust.learn(&hand_over).unwrap();
    let file = proof_file(&trust, &proof);
    let read = read_proof(&file).unwrap();
    assert_eq!((read.hand_overs, read.proof), (vec![hand_over], plain.proof));
    assert!(crate::verify_offline(&file, &world.trust, Some(&id)).is_ok());
}
