use tabellion_ledger::{HeaderHash, Height, TimeMs};

use super::world::*;
use crate::*;

/// X.1409 L9, V.1: node management. A node comes by invitation, follows, moves, rotates its key and goes.
#[test]
fn a_node_lives_from_its_invitation_to_its_removal() {
    let mut world = World::new(4, 4);
    let (invitation, old, new) = (Key::new(1), node_key_of(9), Key::new(2));
    world.member_acts(0, &world.invitation(&invitation, NodeRole::Backup)).unwrap();
    assert_eq!(invitations(&world.state, &id("m0")).len(), 1);
    assert_eq!(next_due(&world.state), None, "an invitation alone changes nothing");
    let joining = world.joining(&old, &invitation, &id("m0"));
    let events = world.act(&invitation, &joining).unwrap();
    let node = node_id_of(9);
    let joined = Event::NodeJoined { node, member: id("m0"), role: NodeRole::Backup };
    assert_eq!(events.last(), Some(&joined));
    assert_eq!(
        crate::invitation(&world.state, &invitation.id()).unwrap().status,
        InvitationStatus::Used(node)
    );
    assert!(invitations(&world.state, &id("m0")).is_empty());
    assert_eq!(next_due(&world.state), Some(TimeMs(0)), "empty blocks lead to the end of the epoch");
    assert_eq!(committee(&world.state).followers().count(), 0);
    world.end_epoch();
    let book = committee(&world.state);
    assert_eq!((book.since, book.roster, book.followers().count()), (Height(4), 0, 1));
    assert_eq!(next_due(&world.state), None);

    world.act(&old, &Action::SetAddress { address: "[::1]:9".to_owned() }).unwrap();
    assert_eq!(next_due(&world.state), None, "a new address is worth no empty blocks");
    world.end_epoch();
    assert_eq!(committee(&world.state).followers().next().unwrap().address, "[::1]:9");

    world.member_acts(0, &world.rotation(9, &old, &new, &id("m0"))).unwrap();
    let before = crate::node(&world.state, &node).unwrap();
    assert_eq!((before.key, before.next_key), (old.node_key(), Some(new.node_key())));
    world.end_epoch();
    let follower = committee(&world.state).followers().next().unwrap().clone();
    assert_eq!((follower.id, follower.key), (node, new.node_key()));
    assert!(matches!(submitter(&world.state, &old.id()), Err(Refusal::KeyRetired { .. })));
    assert_eq!(node_of_key(&world.state, &old.node_key()).unwrap().id, node, "old keys keep their name");
    assert_eq!(roster(&world.state).number(), 0, "followers are no part of the roster");

    world.member_acts(0, &Action::RemoveNode { node }).unwrap();
    assert!(matches!(submitter(&world.state, &new.id()), Err(Refusal::KeyRetired { .. })));
    world.end_epoch();
    assert_eq!(committee(&world.state).followers().count(), 0);
    assert!(crate::node(&world.state, &node).unwrap().removed.is_some());
}

#[test]
fn an_invitation_is_used_once_and_in_time_by_whom_it_is_for() {
    let mut world = World::new(4, 4);
    let (used, cancelled, open) = (Key::new(1), Key::new(2), Key::new(3));
    for key in [&used, &cancelled, &open] {
        world.member_acts(0, &world.invitation(key, NodeRole::Full)).unwrap();
    }
    world.act(&used, &world.joining(&node_key_of(9), &used, &id("m0"))).unwrap();
    world.member_acts(0, &Action::CancelInvitation { invitation: cancelled.id() }).unwrap();
    let expires = crate::invitation(&world.state, &open.id()).unwrap().expires;
    let (fresh, nobody) = (node_key_of(10), Key::new(4));
    let join = |w: &mut World, invitation: &Key, node: &Key, member: &str| {
        w.act(invitation, &w.joining(node, invitation, &id(member)))
    };
    let latest = world.ctx().time.plus(world.document.parameters.governance.invitation_ms_max);
    let invite = |w: &mut World, key: &Key, role, expires| {
        let (key, name) = (key.node_key(), String::new());
        w.member_acts(0, &Action::Invite(Invite { key, role, name, expires }))
    };
    let bounds =
        |expires| Refusal::InvitationOutOfBounds { expires, earliest: world.ctx().time.plus(1), latest };
    let unshown = Refusal::PossessionNotShown { key: fresh.id() };
    let rows: &[Row<'_>] = &[
        ("used twice", &|w| join(w, &used, &fresh, "m0"), {
            Refusal::InvitationUsed { invitation: used.id(), node: node_id_of(9) }
        }),
        ("cancelled", &|w| join(w, &cancelled, &fresh, "m0"), {
            Refusal::InvitationCancelled { invitation: cancelled.id() }
        }),
        ("nobody's", &|w| join(w, &nobody, &fresh, "m0"), Refusal::UnknownSubmitter { key: nobody.id() }),
        ("a member's key is no invitation", &|w| join(w, &member_key_of(0), &fresh, "m0"), {
            let key = member_key_of(0).id();
            Refusal::WrongKindOfKey { key, owner: "member", needed: "invitation" }
        }),
        ("shown for another member", &|w| join(w, &open, &fresh, "m1"), unshown.clone()),
        (
            "shown for another invitation",
            &|w| {
                let action = w.joining(&fresh, &cancelled, &id("m0"));
                w.act(&open, &action)
            },
            unshown,
        ),
        ("with a node's key", &|w| join(w, &open, &node_key_of(1), "m0"), {
            Refusal::KeyTaken { key: node_key_of(1).id(), member: id("m1"), height: Height(0) }
        }),
        ("an invitation with a key again", &|w| invite(w, &open, NodeRole::Full, expires), {
            Refusal::KeyTaken { key: open.id(), member: id("m0"), height: Height(1) }
        }),
        ("a validator", &|w| invite(w, &nobody, NodeRole::Validator, expires), Refusal::ValidatorByVote),
        ("an end that is past", &|w| invite(w, &nobody, NodeRole::Full, TimeMs(1)), bounds(TimeMs(1))),
        ("an end too far ahead", &|w| invite(w, &nobody, NodeRole::Full, latest.plus(1)), {
            bounds(latest.plus(1))
        }),
        (
            "a key of small order",
            &|w| {
                let (key, role, name) = (NodeKey([0; 32]), NodeRole::Full, String::new());
                w.member_acts(0, &Action::Invite(Invite { key, role, name, expires }))
            },
            Refusal::UnusableKey { key: NodeKey([0; 32]).id() },
        ),
        (
            "to cancel another's",
            &|w| w.member_acts(1, &Action::CancelInvitation { invitation: open.id() }),
            Refusal::UnknownInvitation { invitation: open.id(), member: id("m1") },
        ),
        (
            "to cancel what is used",
            &|w| w.member_acts(0, &Action::CancelInvitation { invitation: used.id() }),
            Refusal::InvitationUsed { invitation: used.id(), node: node_id_of(9) },
        ),
    ];
    assert_refused(&world, rows);
    world.time = expires;
    let at = world.ctx().time;
    let late = Refusal::InvitationExpired { invitation: open.id(), expires, at };
    assert_eq!(join(&mut world, &open, &fresh, "m0"), Err(late));
}

#[test]
fn whoever_operates_no_nodes_invites_none() {
    let mut world = World::new(4, 4);
    world.enact(Change::RevokeRole { member: id("m1"), role: Role::Operator });
    let refused = Refusal::MissingRole { member: id("m1"), needed: vec![Role::Operator] };
    let invite = world.invitation(&Key::new(1), NodeRole::Full);
    assert_eq!(world.member_acts(1, &invite), Err(refused));
}

#[test]
fn the_number_of_invitations_and_nodes_is_limited() {
    let mut world = World::new(4, 4);
    for seed in 0..limits::INVITATIONS_PER_MEMBER_MAX {
        let key = Key::new(2_000 + u16::try_from(seed).unwrap());
        world.member_acts(0, &world.invitation(&key, NodeRole::Edge)).unwrap();
    }
    let one_more = world.invitation(&Key::new(3_000), NodeRole::Edge);
    let full = Refusal::TooManyInvitations { member: id("m0"), count: 16, count_max: 16 };
    assert_eq!(world.member_acts(0, &one_more), Err(full));
    // Those that expired make room.
    world.wait(2 * HOUR);
    world.member_acts(0, &world.invitation(&Key::new(3_001), NodeRole::Edge)).unwrap();
    for number in 0..limits::NODES_PER_MEMBER_MAX - 1 {
        world.join_as(1, 10 + number, NodeRole::Edge);
    }
    let (invitation, node) = (Key::new(3_002), Key::new(3_003));
    world.member_acts(1, &world.invitation(&invitation, NodeRole::Edge)).unwrap();
    let joining = world.joining(&node, &invitation, &id("m1"));
    assert_eq!(world.act(&invitation, &joining), Err(Refusal::TooManyNodes { count: 32, count_max: 32 }));
}

#[test]
fn an_operators_account_runs_nodes_and_governs_nothing() {
    let mut world = World::new(4, 4);
    let (node, desk) = (world.join(0, 9), Key::new(1));
    let name: AccountName = "desk".parse().unwrap();
    let keys = vec![world.offer(&desk, &id("m0"), Purpose::Account(&name))];
    let (about, roles) = (String::new(), vec![Role::Operator]);
    world.member_acts(0, &Action::OpenAccount(NewAccount { name, about, keys, roles })).unwrap();
    let refused = Refusal::WrongKindOfKey { key: desk.id(), owner: "account", needed: "member" };
    let invite = world.invitation(&Key::new(2), NodeRole::Full);
    assert_eq!(world.act(&desk, &invite), Err(refused.clone()));
    let propose = Action::Propose(world.proposed(Change::Stop));
    assert_eq!(world.act(&desk, &propose), Err(refused));
    world.act(&desk, &world.rotation(9, &node_key_of(9), &Key::new(3), &id("m0"))).unwrap();
    world.act(&desk, &Action::RemoveNode { node }).unwrap();
    assert!(pending(&world.state).rotations.is_empty(), "a removed node waits for no key");
}

#[test]
fn nodes_are_refused_with_the_facts() {
    let mut world = World::new(4, 4);
    let (mine, theirs, gone) = (world.join(0, 9), world.join(1, 10), world.join(0, 11));
    world.member_acts(0, &Action::RemoveNode { node: gone }).unwrap();
    let waits = world.join(0, 12);
    world.member_acts(0, &world.rotation(12, &node_key_of(12), &Key::new(1), &id("m0"))).unwrap();
    let (old, new) = (node_key_of(9), Key::new(2));
    let remove = |w: &mut World, node| w.member_acts(0, &Action::RemoveNode { node });
    let nothing = NodeId::default();
    let foreign = Refusal::NotYourNode { node: theirs, member: id("m1") };
    let address = || "10.0.1.1:7000".to_owned();
    let report = |w: &mut World| {
        let said = Boundary { height: Height(3), header: World::header(Height(3)) };
        w.act(&node_key_of(9), &Action::Report(said))
    };
    let rows: &[Row<'_>] = &[
        ("to remove nothing", &|w| remove(w, nothing), Refusal::UnknownNode { node: nothing }),
        ("to remove twice", &|w| remove(w, gone), Refusal::UnknownNode { node: gone }),
        ("to remove another's", &|w| remove(w, theirs), foreign.clone()),
        ("to remove a validator", &|w| remove(w, node_id_of(0)), {
            Refusal::NodeIsValidator { node: node_id_of(0) }
        }),
        (
            "to rotate another's",
            &|w| w.member_acts(0, &w.rotation(10, &node_key_of(10), &new, &id("m0"))),
            foreign,
        ),
        (
            "to rotate with a key that it has not",
            &|w| w.member_acts(0, &w.rotation(9, &Key::new(3), &new, &id("m0"))),
            Refusal::NotAKey { key: Key::new(3).id(), owner: mine.to_string() },
        ),
        (
            "to rotate to a member's key",
            &|w| w.member_acts(0, &w.rotation(9, &old, &member_key_of(2), &id("m0"))),
            Refusal::KeyTaken { key: member_key_of(2).id(), member: id("m2"), height: Height(0) },
        ),
        (
            "to rotate without the old key's consent",
            &|w| {
                let Action::RotateNode(rotation) = w.rotation(9, &old, &new, &id("m0")) else { panic!() };
                let consent = rotation.possession.clone();
                w.member_acts(0, &Action::RotateNode(Rotation { consent, ..rotation }))
            },
            Refusal::PossessionNotShown { key: old.id() },
        ),
        (
            "to rotate without the new key",
            &|w| {
                let Action::RotateNode(rotation) = w.rotation(9, &old, &new, &id("m0")) else { panic!() };
                let possession = rotation.consent.clone();
                w.member_acts(0, &Action::RotateNode(Rotation { possession, ..rotation }))
            },
            Refusal::PossessionNotShown { key: new.id() },
        ),
        (
            "to rotate twice",
            &|w| w.member_acts(0, &w.rotation(12, &node_key_of(12), &new, &id("m0"))),
            Refusal::RotationWaits { node: waits },
        ),
        ("the address that it has", &|w| w.act(&old, &Action::SetAddress { address: address() }), {
            Refusal::NothingChanges
        }),
        ("an address by a member", &|w| w.member_acts(0, &Action::SetAddress { address: address() }), {
            let key = member_key_of(0).id();
            Refusal::WrongKindOfKey { key, owner: "member", needed: "node" }
        }),
        ("a report in the first epoch", &report, Refusal::NoBoundary),
    ];
    assert_refused(&world, rows);
}

#[test]
fn a_node_reports_once_an_epoch_on_the_block_that_ended_the_one_before() {
    let mut world = World::new(4, 4);
    let node = world.join(0, 9);
    let reports = |world: &World| crate::node(&world.state, &node).unwrap().reports;
    world.end_epoch();
    assert_eq!(boundary(&world.state), None, "the next block remembers it");
    world.end_block();
    let (height, header) = (Height(3), World::header(Height(3)));
    assert_eq!(boundary(&world.state), Some(Boundary { height, header }));
    let differs = Refusal::BoundaryDiffers { height, header };
    for said in [
        Boundary { height, header: HeaderHash([1; 32]) },
        Boundary { height: Height(4), header: World::header(Height(4)) },
    ] {
        assert_eq!(world.act(&node_key_of(9), &Action::Report(said)), Err(differs.clone()));
    }
    world.report(9).unwrap();
    assert_eq!(world.report(9), Err(Refusal::ReportedAlready { node, height }));
    for expected in [2, 3] {
        world.end_epoch();
        world.end_block();
        world.report(9).unwrap();
        assert_eq!(reports(&world), expected);
    }
    // An epoch without a report begins the count anew.
    world.end_epoch();
    world.end_epoch();
    world.end_block();
    world.report(9).unwrap();
    assert_eq!(reports(&world), 1);
}
