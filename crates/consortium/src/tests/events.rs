use std::collections::BTreeSet;

use super::world::*;
use crate::Choice::{Against, For};
use crate::*;

/// A year of a consortium in a few blocks.
fn year() -> World {
    let mut world = World::new(5, 4);
    let (desk, key, second) = ("desk".parse::<AccountName>().unwrap(), Key::new(1), Key::new(2));
    let offer = world.offer(&second, &id("m0"), Purpose::Member);
    let describe = Action::Describe { name: "A".to_owned(), contact: "a@example".to_owned() };
    let account = NewAccount {
        name: desk.clone(),
        about: String::new(),
        keys: vec![world.offer(&key, &id("m0"), Purpose::Account(&desk))],
        roles: vec![Role::Operator],
    };
    let (spare, cancelled) = (Key::new(3), Key::new(4));
    for action in [
        Action::AddKey(offer),
        Action::RetireKey { key: second.id() },
        describe,
        Action::OpenAccount(account),
        Action::DescribeAccount { name: desk.clone(), about: "x".to_owned() },
        Action::CloseAccount { name: desk },
        world.invitation(&cancelled, NodeRole::Full),
        Action::CancelInvitation { invitation: cancelled.id() },
    ] {
        world.member_acts(0, &action).unwrap();
    }
    let node = world.join_healthy(4, 9);
    world.act(&node_key_of(9), &Action::SetAddress { address: "h:1".to_owned() }).unwrap();
    world.member_acts(4, &world.rotation(9, &node_key_of(9), &spare, &id("m4"))).unwrap();
    world.decide(Change::AddValidator { node });
    world.end_epoch();
    world.decide(Change::RemoveValidator { node });
    world.end_epoch();
    world.member_acts(4, &Action::RemoveNode { node }).unwrap();
    for change in [
        Change::AddMember(world.new_member(5)),
        Change::SuspendMember { member: id("m5") },
        Change::MemberQuota { member: id("m5"), quota: MemberQuota::Unlimited },
        Change::GrantRole { member: id("m1"), role: Role::Auditor },
        Change::RevokeRole { member: id("m1"), role: Role::Auditor },
        Change::LedgerVersion { version: 2 },
        Change::Stop,
        Change::Resume,
        Change::Decision { text: "enough".to_owned() },
    ] {
        assert_eq!(world.enact(change), ProposalStatus::Executed);
    }
    votes_that_lead_nowhere(&mut world);
    let shown = super::evidence::evidence(&world, &node_key_of(3), 7);
    world.member_acts(1, &Action::Accuse(shown)).unwrap();
    world
}

fn votes_that_lead_nowhere(world: &mut World) {
    let decision = |text: &str| Change::Decision { text: text.to_owned() };
    let withdrawn = world.propose(0, decision("withdrawn")).unwrap();
    world.member_acts(0, &Action::Withdraw { proposal: withdrawn }).unwrap();
    let rejected = world.propose(0, decision("rejected")).unwrap();
    for voter in 1..3 {
        world.vote(voter, rejected, Against).unwrap();
    }
    let far = Proposed { effect: tabellion_ledger::Height(1_000), ..world.proposed(Change::Stop) };
    let target = agenda(&world.state).next;
    world.member_acts(0, &Action::Propose(far)).unwrap();
    world.accept(target);
    let role = Role::Auditor;
    let twice = [0, 1].map(|by| world.propose(by, Change::GrantRole { member: id("m2"), role }).unwrap());
    world.decide(Change::Cancel { proposal: target });
    twice.into_iter().for_each(|number| world.accept(number));
    world.end_block();
    let slow = world.propose(0, decision("slow")).unwrap();
    world.vote(1, slow, For).unwrap();
    world.wait(HOUR);
    world.end_block();
    world.end_block();
}

#[test]
fn whatever_happens_is_told_and_reads_back_from_json() {
    let mut told = BTreeSet::new();
    for event in year().events {
        let json = serde_json::to_value(&event).unwrap();
        told.insert(json["event"].as_str().unwrap().to_owned());
        assert_eq!(serde_json::from_value::<Event>(json).unwrap(), event);
    }
    let all = [
        "proposed",
        "voted",
        "accepted",
        "rejected",
        "expired",
        "withdrawn",
        "cancelled",
        "seat-pending",
        "executed",
        "failed",
        "member-added",
        "member-changed",
        "member-described",
        "quota-changed",
        "role-granted",
        "role-revoked",
        "key-added",
        "key-retired",
        "account-opened",
        "account-changed",
        "account-closed",
        "parameters-changed",
        "decided",
        "stopped",
        "resumed",
        "node-invited",
        "invitation-cancelled",
        "node-joined",
        "node-removed",
        "rotation-pending",
        "node-rotated",
        "address-changed",
        "node-reported",
        "roster-changed",
        "committee-changed",
        "equivocated",
    ];
    let all: BTreeSet<String> = all.into_iter().map(str::to_owned).collect();
    let missing: Vec<_> = all.difference(&told).collect();
    let unknown: Vec<_> = told.difference(&all).collect();
    assert!(missing.is_empty() && unknown.is_empty(), "never told: {missing:?}; not known: {unknown:?}");
}

#[test]
fn records_are_written_as_json_for_the_faces() {
    let world = year();
    let member = serde_json::to_value(member(&world.state, &id("m0")).unwrap()).unwrap();
    assert_eq!(member["status"], "active");
    assert_eq!(member["contact"], "a@example");
    let proposal = serde_json::to_value(proposal(&world.state, ProposalNumber(1)).unwrap()).unwrap();
    assert_eq!(proposal["change"]["change"], "add-validator");
    assert_eq!(proposal["status"], "executed");
    assert_eq!(proposal["acceptance"]["tally"]["for"], 4);
    let book = serde_json::to_value(committee(&world.state)).unwrap();
    assert_eq!(book["nodes"].as_array().unwrap().len(), 4, "the follower has left");
}
