use tabellion_ledger::{Algorithm, LedgerId};

use super::world::*;
use crate::*;

fn add(world: &World, key: &Key) -> Action {
    Action::AddKey(world.offer(key, &id("m0"), Purpose::Member))
}

fn retire(key: &Key) -> Action {
    Action::RetireKey { key: key.id() }
}

/// X.1409 L9: a key goes over into another without a moment in which nobody can sign.
#[test]
fn a_member_rotates_its_key_while_both_are_valid() {
    let mut world = World::new(4, 4);
    let (old, new) = (member_key_of(0), Key::new(1));
    let events = world.act(&old, &add(&world, &new)).unwrap();
    assert_eq!(events, [Event::KeyAdded { key: new.id(), member: id("m0"), owner: Owner::Member }]);
    let describe = |name: &str| Action::Describe { name: name.to_owned(), contact: String::new() };
    world.act(&old, &describe("by the old key")).unwrap();
    world.act(&new, &describe("by the new key")).unwrap();
    world.act(&new, &retire(&old)).unwrap();
    world.end_block();
    let gone = Refusal::KeyRetired { key: old.id(), member: id("m0"), height: tabellion_ledger::Height(1) };
    assert_eq!(world.act(&old, &describe("too late")), Err(gone));
    let record = key_record(&world.state, &old.id()).unwrap();
    assert_eq!((record.member, record.retired.unwrap().height.0), (id("m0"), 1));
    let member = member(&world.state, &id("m0")).unwrap();
    assert_eq!((member.keys, member.name.as_str()), (vec![new.id()], "by the new key"));
}

#[test]
fn keys_are_refused_with_the_facts() {
    let mut world = World::new(4, 4);
    let (old, second, fresh) = (member_key_of(0), Key::new(1), Key::new(2));
    world.act(&member_key_of(1), &Action::AddKey(world.offer(&second, &id("m1"), Purpose::Member))).unwrap();
    let taken = |key: &Key, member: &str, height| Refusal::KeyTaken {
        key: key.id(),
        member: id(member),
        height: tabellion_ledger::Height(height),
    };
    let unshown = Refusal::PossessionNotShown { key: fresh.id() };
    let account: AccountName = "desk".parse().unwrap();
    let stranger = Key::new(9);
    let two = Refusal::TooManyKeys { count: 2, count_max: 2 };
    let small = NodeKey([0; 32]);
    let offer_of = |key: KeyOffer| Action::AddKey(key);
    let foreign_ledger = |key: &Key| {
        let message = possession_message(&LedgerId([1; 32]), &id("m0"), &key.id(), Purpose::Member);
        KeyOffer { key: key.public(), possession: key.sign(&message) }
    };
    let rows: &[Row<'_>] = &[
        ("nobody's key", &|w| w.act(&stranger, &add(w, &fresh)), {
            Refusal::UnknownSubmitter { key: stranger.id() }
        }),
        ("its own key again", &|w| w.act(&old, &add(w, &old)), taken(&old, "m0", 0)),
        ("another member's key", &|w| w.act(&old, &add(w, &member_key_of(2))), {
            taken(&member_key_of(2), "m2", 0)
        }),
        ("a node's key", &|w| w.act(&old, &add(w, &node_key_of(3))), taken(&node_key_of(3), "m3", 0)),
        (
            "a third key",
            &|w| {
                let offer = w.offer(&fresh, &id("m1"), Purpose::Member);
                w.act(&member_key_of(1), &Action::AddKey(offer))
            },
            two,
        ),
        (
            "shown for another member",
            &|w| w.act(&old, &offer_of(w.offer(&fresh, &id("m1"), Purpose::Member))),
            unshown.clone(),
        ),
        (
            "shown for an account",
            &|w| w.act(&old, &offer_of(w.offer(&fresh, &id("m0"), Purpose::Account(&account)))),
            unshown.clone(),
        ),
        ("shown for another ledger", &|w| w.act(&old, &offer_of(foreign_ledger(&fresh))), unshown.clone()),
        (
            "shown by another key",
            &|w| {
                let offer = w.offer(&Key::new(3), &id("m0"), Purpose::Member);
                w.act(&old, &offer_of(KeyOffer { key: fresh.public(), ..offer }))
            },
            unshown,
        ),
        (
            "a key of small order",
            &|w| {
                let offer = w.offer(&fresh, &id("m0"), Purpose::Member);
                w.act(&old, &offer_of(KeyOffer { key: small.public(), ..offer }))
            },
            Refusal::UnusableKey { key: small.id() },
        ),
        ("the last key", &|w| w.act(&old, &retire(&old)), {
            Refusal::LastKey { key: old.id(), member: id("m0") }
        }),
        ("another's key", &|w| w.act(&old, &retire(&second)), {
            Refusal::NotAKey { key: second.id(), owner: "m0".to_owned() }
        }),
        (
            "the same description",
            &|w| {
                let (name, contact) = ("Organisation 0".to_owned(), String::new());
                w.act(&old, &Action::Describe { name, contact })
            },
            Refusal::NothingChanges,
        ),
    ];
    assert_refused(&world, rows);
}

#[test]
fn a_key_of_an_algorithm_that_the_ledger_does_not_accept_is_refused() {
    let mut parameters = parameters_for_tests();
    parameters.transaction.algorithms = vec![Algorithm::Es256];
    let world = World::with(4, 4, parameters);
    let old = member_key_of(0);
    let refused = Refusal::AlgorithmNotAccepted { algorithm: Algorithm::Ed25519 };
    let rows: &[Row<'_>] = &[("a new key", &|w| w.act(&old, &add(w, &Key::new(1))), refused.clone())];
    assert_refused(&world, rows);
    let rules = &world.document.parameters.transaction;
    let by = submitter(&world.state, &old.id()).unwrap();
    assert_eq!(by.require_algorithm(rules), Err(refused));
    // A node's key is Ed25519 by the format.
    let node = submitter(&world.state, &node_key_of(0).id()).unwrap();
    assert_eq!(node.require_algorithm(rules), Ok(()));
}

#[test]
fn a_malformed_action_and_attachments_are_refused() {
    let world = World::new(4, 4);
    let by = submitter(&world.state, &member_key_of(0).id()).unwrap();
    let malformed = check(&[0x82, 0x18, 0x63, 0xf6], &[], &by, &world.ledger());
    let error = tabellion_ledger::DecodeError::Value { field: "action of the consortium lane" };
    assert_eq!(malformed, Err(Refusal::MalformedAction { error }));
    let id = tabellion_ledger::CertificateId::of(b"beside");
    let attached = check(&add(&world, &Key::new(1)).to_bytes(), &[b"beside".to_vec()], &by, &world.ledger());
    assert_eq!(attached, Err(Refusal::UnusedAttachment { id }));
}
