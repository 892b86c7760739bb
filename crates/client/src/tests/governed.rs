//! Dry runs: computed here, from records that nodes prove.

use std::sync::{Arc, Mutex};

use tabellion_consortium::{Action, Change, NodeId, Role};
use tabellion_ledger::{KeyId, StateKey, cbor};

use super::rest::{Answer, Server, client, ok, serve_by};
use super::world::{NOW, World};
use crate::{ClientError, LightClient, RelyingParty};

/// The record that a request line asks for.
fn asked_record(line: &str) -> StateKey {
    let path = line.strip_prefix("get /v1/state/").and_then(|rest| rest.split(' ').next());
    let (map, key) = path.and_then(|path| path.split_once('/')).unwrap_or_else(|| panic!("{line}"));
    StateKey::new(map.parse().unwrap(), &hex::decode(key).unwrap())
}

fn proved(world: &World, line: &str) -> Answer {
    ok(cbor::to_bytes(&world.state_proof(asked_record(line))))
}

/// A ledger with one block.
fn begun() -> Arc<Mutex<World>> {
    let mut world = World::new();
    world.publish("a.example");
    Arc::new(Mutex::new(world))
}

fn party(server: &Server, world: &Mutex<World>) -> RelyingParty {
    let light = LightClient::new(world.lock().unwrap().trust.clone());
    RelyingParty::new(client(&[server]), light, u64::MAX)
}

fn grant(member: &str) -> Change {
    Change::GrantRole { member: member.parse().unwrap(), role: Role::Auditor }
}

#[tokio::test]
async fn a_dry_run_says_what_the_rules_say_and_sends_nothing() {
    let world = begun();
    let shared = world.clone();
    let server = serve_by(move |line| proved(&shared.lock().unwrap(), line)).await;
    let mut party = party(&server, &world);
    let validator = {
        let world = world.lock().unwrap();
        let first = &world.trust.roster().validators()[0];
        NodeId(first.key_id())
    };
    let rows = [
        grant("bravo"),
        grant("nobody"),
        Change::SuspendMember { member: "charlie".parse().unwrap() },
        Change::AddValidator { node: NodeId(KeyId([7; 32])) },
        Change::RemoveValidator { node: validator },
        Change::Stop,
        Change::Resume,
    ];
    for change in rows {
        let expected = {
            let world = world.lock().unwrap();
            tabellion_machine::dry_run(&change, world.ledger.header(), world.ledger.state())
        };
        assert_eq!(party.dry_run(&change, NOW).await.unwrap(), expected, "{change:?}");
    }
    let asked = server.asked.lock().unwrap();
    assert!(asked.iter().all(|line| line.starts_with("get /v1/state/")), "{asked:?}");
}

#[tokio::test]
async fn a_dry_run_is_of_one_state_though_the_ledger_moves_meanwhile() {
    let world = begun();
    let (shared, count) = (world.clone(), Mutex::new(0));
    let server = serve_by(move |line| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let mut world = shared.lock().unwrap();
        // In the midst of the first rounds the members change what the dry run reads.
        if [3, 8, 14].contains(&*count) {
            let contact = format!("contact {count}");
            world.govern(1, &Action::Describe { name: "Bravo".to_owned(), contact });
        }
        if *count == 20 {
            world.decide(grant("bravo"));
        }
        proved(&world, line)
    })
    .await;
    let mut party = party(&server, &world);
    let found = party.dry_run(&grant("bravo"), NOW).await.unwrap();
    let world = world.lock().unwrap();
    let expected = tabellion_machine::dry_run(&grant("bravo"), world.ledger.header(), world.ledger.state());
    assert_eq!(found, expected);
    assert!(found.is_err_and(|refusal| refusal.code() == "role-held"), "the vote of meanwhile counts");
}

#[tokio::test]
async fn a_dry_run_believes_no_record_that_is_not_proved() {
    let world = begun();
    let shared = world.clone();
    let server = serve_by(move |line| {
        let mut proof = shared.lock().unwrap().state_proof(asked_record(line));
        if let Some(last) = proof.record.as_mut().and_then(|record| record.last_mut()) {
            *last ^= 1;
        }
        ok(cbor::to_bytes(&proof))
    })
    .await;
    let failed = party(&server, &world).dry_run(&grant("bravo"), NOW).await.unwrap_err();
    assert!(matches!(failed, ClientError::Trust(_)) && failed.is_broken_proof(), "{failed:?}");
}

#[tokio::test]
async fn a_dry_run_of_records_that_never_stand_still_is_given_up() {
    let world = begun();
    let (shared, count) = (world.clone(), Mutex::new(0));
    let server = serve_by(move |line| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let mut world = shared.lock().unwrap();
        let is_member = asked_record(line) == tabellion_consortium::member_key(&"bravo".parse().unwrap());
        if is_member {
            let contact = format!("contact {count}");
            world.govern(1, &Action::Describe { name: "Bravo".to_owned(), contact });
        }
        proved(&world, line)
    })
    .await;
    let failed = party(&server, &world).dry_run(&grant("bravo"), NOW).await.unwrap_err();
    assert!(failed.to_string().contains("never stand still"), "{failed}");
}
