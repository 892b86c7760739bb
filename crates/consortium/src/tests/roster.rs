use tabellion_ledger::{Height, TimeMs};

use super::world::*;
use crate::*;

fn add(node: NodeId) -> Change {
    Change::AddValidator { node }
}

fn drop(node: NodeId) -> Change {
    Change::RemoveValidator { node }
}

fn replace(old: NodeId, new: NodeId) -> Change {
    Change::ReplaceValidator { old, new }
}

#[test]
fn an_epoch_bears_as_many_changes_as_faults_and_at_least_one() {
    let rows = [(1, 1), (3, 1), (4, 1), (6, 1), (7, 2), (10, 3), (16, 5), (100, 33), (128, 42)];
    for (validators, changes) in rows {
        assert_eq!(changes_per_epoch(validators), changes, "{validators} validators");
    }
}

/// X.1409 L9, V.1: a validator is made, replaced and removed by vote, at the end of an epoch.
#[test]
fn a_validator_comes_by_vote_is_replaced_and_goes() {
    let mut world = World::new(6, 4);
    let node = world.join_healthy(4, 9);
    let number = world.decide(add(node));
    world.end_block();
    assert_eq!(world.status(number), ProposalStatus::Pending);
    let seat = PendingSeat { proposal: number, change: SeatChange::Add { node } };
    assert_eq!((pending(&world.state).seats, next_due(&world.state)), (vec![seat], Some(TimeMs(0))));
    assert_eq!((roster(&world.state).number(), world.tip), (0, Height(5)), "not within the epoch");
    let events = world.end_epoch();
    let changed = roster(&world.state);
    assert_eq!((changed.number(), changed.validators().len(), world.tip), (1, 5, Height(7)));
    assert!(changed.index_of(&node_key_of(9).node_key().0).is_some());
    let told = Event::RosterChanged {
        number: 1,
        hash: changed.hash(),
        joined: vec![node],
        left: vec![],
        rotated: vec![],
    };
    assert!(events.contains(&told) && events.contains(&Event::Executed { proposal: number }), "{events:?}");
    assert_eq!(world.status(number), ProposalStatus::Executed);
    let book = committee(&world.state);
    assert_eq!((book.since, book.roster, book.validators().count()), (Height(8), 1, 5));
    assert_eq!(crate::node(&world.state, &node).unwrap().role, NodeRole::Validator);

    // A dead disk: another machine, another key, one proposal.
    let spare = world.join_healthy(4, 10);
    world.decide(replace(node, spare));
    world.end_epoch();
    let changed = roster(&world.state);
    assert_eq!((changed.number(), changed.validators().len()), (2, 5));
    assert!(world.validators().contains(&spare) && !world.validators().contains(&node));
    assert_eq!(crate::node(&world.state, &node).unwrap().role, NodeRole::Full, "it follows");
    world.member_acts(4, &Action::RemoveNode { node }).unwrap();

    world.decide(drop(spare));
    world.end_epoch();
    assert_eq!((roster(&world.state).number(), roster(&world.state).validators().len()), (3, 4));
    assert_eq!(next_due(&world.state), None);
    // Now the member itself may leave.
    assert_eq!(world.enact(Change::RemoveMember { member: id("m4") }), ProposalStatus::Executed);
}

#[test]
fn a_validators_next_key_needs_no_vote_and_its_seat_stays() {
    let mut world = World::new(4, 4);
    let (old, new) = (node_key_of(2), Key::new(1));
    world.member_acts(2, &world.rotation(2, &old, &new, &id("m2"))).unwrap();
    assert_eq!(next_due(&world.state), Some(TimeMs(0)));
    world.end_block();
    assert!(roster(&world.state).index_of(&old.node_key().0).is_some(), "both keys within the epoch");
    let events = world.end_epoch();
    let changed = roster(&world.state);
    assert_eq!((changed.number(), changed.validators().len()), (1, 4));
    assert!(changed.index_of(&new.node_key().0).is_some() && changed.index_of(&old.node_key().0).is_none());
    assert!(world.validators().contains(&node_id_of(2)), "the same node");
    let told =
        |event: &Event| matches!(event, Event::RosterChanged { rotated, .. } if *rotated == [node_id_of(2)]);
    assert!(events.iter().any(told), "{events:?}");
}

#[test]
fn a_member_cannot_escape_its_removal_by_a_new_key() {
    let mut world = World::new(6, 5);
    let (old, new) = (node_key_of(4), Key::new(1));
    let number = world.propose(0, drop(node_id_of(4))).unwrap();
    world.member_acts(4, &world.rotation(4, &old, &new, &id("m4"))).unwrap();
    world.end_epoch();
    assert_eq!(roster(&world.state).number(), 1);
    world.accept(number);
    world.member_acts(4, &world.rotation(4, &new, &Key::new(2), &id("m4"))).unwrap();
    world.end_epoch();
    assert!(!world.validators().contains(&node_id_of(4)));
    assert_eq!(roster(&world.state).validators().len(), 4);
}

#[test]
fn changes_beyond_what_an_epoch_bears_wait_for_the_next() {
    // Seven validators: two changes an epoch.
    let mut world = World::new(12, 7);
    let nodes: Vec<NodeId> = (7..12).map(|number| world.join(number, 20 + number)).collect();
    world.end_epoch();
    world.end_block();
    for number in 27..32 {
        world.report(number).unwrap();
    }
    for node in &nodes[..4] {
        world.decide(add(*node));
    }
    world.member_acts(0, &world.rotation(0, &node_key_of(0), &Key::new(1), &id("m0"))).unwrap();
    let sizes = |world: &mut World| {
        world.end_epoch();
        let waiting = pending(&world.state);
        (roster(&world.state).validators().len(), waiting.seats.len(), waiting.rotations.len())
    };
    assert_eq!(sizes(&mut world), (9, 2, 1), "votes go before next keys");
    assert_eq!(next_due(&world.state), Some(TimeMs(0)), "the next end of an epoch is awaited too");
    // The nodes go on to report, else they would no longer be healthy.
    world.end_block();
    for number in 27..32 {
        world.report(number).unwrap();
    }
    assert_eq!(sizes(&mut world), (11, 0, 1));
    assert_eq!(sizes(&mut world), (11, 0, 0));
    assert_eq!((roster(&world.state).number(), next_due(&world.state)), (3, None));
}

#[test]
fn what_has_become_impossible_at_the_end_of_the_epoch_fails_and_the_rest_goes_on() {
    let mut world = World::new(8, 4);
    let (first, second) = (world.join(4, 9), world.join(5, 10));
    world.end_epoch();
    world.end_block();
    world.report(9).unwrap();
    world.report(10).unwrap();
    let (doomed, fine) = (world.decide(add(first)), world.decide(add(second)));
    world.end_block();
    world.enact(Change::SuspendMember { member: id("m4") });
    let events = world.end_epoch();
    let code = "member-not-active".to_owned();
    assert_eq!(world.status(doomed), ProposalStatus::Failed { code });
    assert_eq!(world.status(fine), ProposalStatus::Executed);
    assert!(world.validators().contains(&second) && !world.validators().contains(&first));
    assert!(
        events.iter().any(|event| matches!(event, Event::Failed { proposal, .. } if *proposal == doomed))
    );
}

#[test]
fn a_pending_change_can_be_cancelled() {
    let mut world = World::new(5, 4);
    let node = world.join_healthy(4, 9);
    let number = world.decide(add(node));
    world.end_block();
    let by = world.decide(Change::Cancel { proposal: number });
    world.end_epoch();
    assert_eq!(world.status(number), ProposalStatus::Cancelled { by });
    assert_eq!((roster(&world.state).number(), pending(&world.state)), (0, Pending::default()));
}

#[test]
fn a_change_of_the_roster_in_the_last_block_of_an_epoch_takes_place_at_once() {
    let mut world = World::new(5, 4);
    let node = world.join_healthy(4, 9);
    while !is_last_of_epoch(world.ctx().height, EPOCH) {
        world.end_block();
    }
    let number = world.decide(add(node));
    world.end_block();
    assert_eq!(world.status(number), ProposalStatus::Executed);
    assert!(world.validators().contains(&node));
}

#[test]
fn changes_of_the_roster_are_refused_with_the_facts() {
    let mut world = World::new(7, 4);
    // m4: healthy; m5: on probation; m6: suspended with a healthy node; m0: a second node.
    let (healthy, suspended, second) = (world.join(4, 9), world.join(6, 10), world.join(0, 11));
    let (edge, proxy) = (world.join_as(4, 12, NodeRole::Edge), world.join_as(4, 13, NodeRole::Proxy));
    let gone = world.join(4, 14);
    world.end_epoch();
    world.end_block();
    for number in [9, 10, 11, 12, 13] {
        world.report(number).unwrap();
    }
    world.enact(Change::SuspendMember { member: id("m6") });
    world.member_acts(4, &Action::RemoveNode { node: gone }).unwrap();
    let fresh = world.join(5, 15);
    let propose = |w: &mut World, change| w.propose(0, change).map(|_| Vec::new());
    let unknown = |node| Refusal::UnknownNode { node };
    let no_seat = |node| Refusal::NotAValidator { node };
    let third = |count, validators| Refusal::OrganisationThird { member: id("m0"), count, validators };
    let first = node_id_of(0);
    let rows: &[Row<'_>] = &[
        ("nothing", &|w| propose(w, add(NodeId::default())), unknown(NodeId::default())),
        ("a removed node", &|w| propose(w, add(gone)), unknown(gone)),
        ("a validator again", &|w| propose(w, add(first)), Refusal::ValidatorAlready { node: first }),
        ("an edge node", &|w| propose(w, add(edge)), {
            Refusal::NotAFullNode { node: edge, role: NodeRole::Edge }
        }),
        ("a proxy node", &|w| propose(w, replace(first, proxy)), {
            Refusal::NotAFullNode { node: proxy, role: NodeRole::Proxy }
        }),
        ("a node on probation", &|w| propose(w, add(fresh)), {
            Refusal::OnProbation { node: fresh, reports: 0, needed: 1 }
        }),
        ("a suspended member's node", &|w| propose(w, add(suspended)), {
            let (status, height) = (MemberStatus::Suspended, Height(5));
            Refusal::MemberNotActive { member: id("m6"), status, height }
        }),
        ("a second seat of five", &|w| propose(w, add(second)), third(2, 5)),
        ("a second seat of four", &|w| propose(w, replace(node_id_of(1), second)), third(2, 4)),
        ("to remove a follower", &|w| propose(w, drop(healthy)), no_seat(healthy)),
        ("to replace a follower", &|w| propose(w, replace(healthy, fresh)), no_seat(healthy)),
        ("to replace by itself", &|w| propose(w, replace(first, first)), {
            Refusal::ValidatorAlready { node: first }
        }),
        ("below four", &|w| propose(w, drop(first)), Refusal::TooFewValidators { left: 3, least: 4 }),
    ];
    assert_refused(&world, rows);
    // Its own seat a member may hand on.
    world.decide(replace(first, second));
    world.end_block();
    // What waits is counted: the seat is promised.
    let rows: &[Row<'_>] = &[
        ("a promised seat again", &|w| propose(w, add(second)), Refusal::ValidatorAlready { node: second }),
        ("a given seat again", &|w| propose(w, drop(first)), no_seat(first)),
        (
            "the member of a promised seat",
            &|w| propose(w, Change::RemoveMember { member: id("m0") }),
            Refusal::MemberHasValidators { member: id("m0"), count: 1 },
        ),
    ];
    assert_refused(&world, rows);
}

#[test]
fn a_node_that_stopped_reporting_is_on_probation_again() {
    let mut world = World::new(5, 4);
    let node = world.join_healthy(4, 9);
    world.end_epoch();
    world.end_block();
    assert!(world.clone().propose(0, add(node)).is_ok(), "one epoch of silence is borne");
    world.end_epoch();
    world.end_block();
    let silent = Refusal::OnProbation { node, reports: 0, needed: 1 };
    assert_eq!(world.propose(0, add(node)), Err(silent));
}

#[test]
fn a_small_ledger_grows_to_four_organisations_and_never_shrinks_below() {
    let mut world = World::new(5, 1);
    let mut size = 1;
    for number in 1..5 {
        let node = world.join_healthy(number, 9 + number);
        world.decide(add(node));
        world.end_epoch();
        size += 1;
        assert_eq!(roster(&world.state).validators().len(), size);
        if size < 4 {
            let few = Refusal::TooFewValidators { left: size - 1, least: 4 };
            assert_eq!(world.propose(0, drop(node)), Err(few));
        }
    }
    world.decide(drop(node_id_of(0)));
    world.end_epoch();
    assert_eq!(roster(&world.state).validators().len(), 4);
}

#[test]
fn the_epochs_divide_the_heights() {
    let rows = [(0, 0, false), (3, 0, true), (4, 1, false), (7, 1, true), (8, 2, false)];
    for (height, epoch, last) in rows {
        let height = Height(height);
        assert_eq!((epoch_of(height, 4), is_last_of_epoch(height, 4)), (epoch, last), "{height}");
    }
}

#[test]
fn the_number_of_validators_and_of_changes_that_wait_is_limited() {
    let mut parameters = parameters_for_tests();
    parameters.governance.probation_epochs = 0;
    let mut world = World::with(129, 128, parameters.clone());
    let node = world.join(128, 500);
    let full = Refusal::TooManyValidators { count: 129, count_max: 128 };
    assert_eq!(world.propose(0, add(node)), Err(full));
    // A seat that is given and taken back, again and again within one epoch.
    let mut world = World::with(5, 5, parameters);
    let node = node_id_of(4);
    let mut admitted = 0;
    while admitted < limits::PENDING_MAX {
        let change = if admitted % 2 == 0 { drop(node) } else { add(node) };
        let number = world.decide(change);
        world.end_pending_block();
        assert_eq!(world.status(number), ProposalStatus::Pending);
        admitted = pending(&world.state).seats.len();
    }
    let full = Refusal::TooManyPending { count: 64, count_max: 64 };
    assert_eq!(world.propose(0, drop(node)), Err(full));
}
