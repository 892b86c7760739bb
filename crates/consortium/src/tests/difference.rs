use serde_json::{Value, json};

use super::world::*;
use crate::*;

fn run(world: &World, change: &Change) -> Result<Vec<Line>, Refusal> {
    dry_run(change, &world.ctx(), &judge, &world.state).map(|difference| difference.lines)
}

fn line(record: &str, field: &str, before: Value, after: Value) -> Line {
    let some = |value: Value| Some(value).filter(|value| !value.is_null());
    Line { record: record.to_owned(), field: field.to_owned(), before: some(before), after: some(after) }
}

#[test]
fn a_dry_run_prints_what_would_change_and_changes_nothing() {
    let world = World::new(5, 4);
    let limits = BlockLimits { heartbeat_ms: 5, ..BlockLimits::of(&parameters(&world.state).block) };
    let ctx = world.ctx();
    let (height, time) = (json!(ctx.height), json!(ctx.time));
    let der = Der(b"a second certificate".to_vec());
    let certificate = der.id();
    let first = world.document.parameters.certificate.anchors[0];
    let rows: Vec<(Change, Vec<Line>)> = vec![
        (Change::Blocks(limits), vec![line("parameters", "block.heartbeat_ms", json!(60_000), json!(5))]),
        (
            Change::GrantRole { member: id("m1"), role: Role::Auditor },
            vec![line("member/m1", "roles", Value::Null, json!("auditor"))],
        ),
        (
            Change::SuspendMember { member: id("m4") },
            vec![
                line("member/m4", "since.height", json!(0), height.clone()),
                line("member/m4", "since.time", json!(START), time.clone()),
                line("member/m4", "status", json!("active"), json!("suspended")),
            ],
        ),
        (
            Change::TrustedCas { add: vec![der], remove: vec![first] },
            vec![
                line(&format!("anchor/{first}"), "", json!("trusted"), Value::Null),
                line(&format!("anchor/{certificate}"), "", Value::Null, json!("trusted")),
                line("parameters", "certificate.anchors", json!(first), Value::Null),
                line("parameters", "certificate.anchors", Value::Null, json!(certificate)),
            ],
        ),
        (
            Change::Stop,
            vec![
                line("stop", "proposal", Value::Null, json!(1)),
                line("stop", "since.height", Value::Null, height),
                line("stop", "since.time", Value::Null, time),
            ],
        ),
    ];
    let before = world.state.clone();
    for (change, mut expected) in rows {
        let mut found = run(&world, &change).unwrap();
        let order = |line: &Line| (line.record.clone(), line.field.clone(), line.after.is_some());
        found.sort_by_key(order);
        expected.sort_by_key(order);
        assert_eq!(found, expected, "{}", change.name());
    }
    assert!(world.state == before);
}

#[test]
fn a_dry_run_of_a_roster_change_shows_the_roster_to_come_and_only_its_own_part() {
    let mut world = World::new(6, 4);
    let (waiting, asked) = (world.join(4, 9), world.join(5, 10));
    world.end_epoch();
    world.end_block();
    world.report(9).unwrap();
    world.report(10).unwrap();
    world.decide(Change::AddValidator { node: waiting });
    world.end_block();
    let found = run(&world, &Change::AddValidator { node: asked }).unwrap();
    let key = node_key_of(10).node_key();
    let expected = [
        line(&format!("node/{asked}"), "role", json!("full"), json!("validator")),
        line("roster", "validators", Value::Null, json!(format!("m5 a new node {key}"))),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_dry_run_refuses_what_a_proposal_would_be_refused_for() {
    let world = World::new(4, 4);
    let refused = Refusal::TooFewValidators { left: 3, least: 4 };
    assert_eq!(run(&world, &Change::RemoveValidator { node: node_id_of(0) }), Err(refused));
}
