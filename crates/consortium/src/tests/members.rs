use tabellion_ledger::{Algorithm, Height};

use super::world::*;
use crate::*;

fn suspend(number: usize) -> Change {
    Change::SuspendMember { member: member_id(number) }
}

fn resume(number: usize) -> Change {
    Change::ResumeMember { member: member_id(number) }
}

fn remove(number: usize) -> Change {
    Change::RemoveMember { member: member_id(number) }
}

/// X.1409 L9, IV.1, V.1: a member comes, pauses and goes by vote.
#[test]
fn a_member_is_added_suspended_resumed_and_removed_by_vote() {
    let mut world = World::new(4, 4);
    assert_eq!(world.enact(Change::AddMember(world.new_member(4))), ProposalStatus::Executed);
    assert!(world.events.contains(&Event::MemberAdded { member: id("m4") }));
    let found = member(&world.state, &id("m4")).unwrap();
    assert_eq!((found.status, found.since.height, found.contact.as_str()), {
        (MemberStatus::Active, Height(1), "noc@example")
    });
    let describe = |name: &str| Action::Describe { name: name.to_owned(), contact: String::new() };
    world.member_acts(4, &describe("a new name")).unwrap();
    assert_eq!(world.enact(suspend(4)), ProposalStatus::Executed);
    let paused =
        Refusal::MemberNotActive { member: id("m4"), status: MemberStatus::Suspended, height: Height(2) };
    assert_eq!(world.member_acts(4, &describe("another")), Err(paused));
    assert_eq!(world.enact(resume(4)), ProposalStatus::Executed);
    world.member_acts(4, &describe("back again")).unwrap();
    assert_eq!(world.enact(remove(4)), ProposalStatus::Executed);
    let gone =
        Refusal::MemberNotActive { member: id("m4"), status: MemberStatus::Removed, height: Height(4) };
    assert_eq!(world.member_acts(4, &describe("too late")), Err(gone));
    assert_eq!((members(&world.state).active(), members(&world.state).0.len()), (4, 5));
}

#[test]
fn a_member_that_lost_its_keys_goes_on_with_new_ones_by_vote() {
    let mut world = World::new(4, 4);
    let (lost, fresh) = (member_key_of(3), Key::new(1));
    let keys = vec![world.offer(&fresh, &id("m3"), Purpose::Member)];
    assert_eq!(world.enact(Change::ReplaceKeys { member: id("m3"), keys }), ProposalStatus::Executed);
    assert!(matches!(submitter(&world.state, &lost.id()), Err(Refusal::KeyRetired { .. })));
    assert_eq!(submitter(&world.state, &fresh.id()).unwrap().member, id("m3"));
}

#[test]
fn a_removed_member_takes_its_nodes_along() {
    let mut world = World::new(5, 4);
    let (node, other) = (world.join(4, 9), world.join(0, 10));
    world.enact(remove(4));
    let removed = crate::node(&world.state, &node).unwrap().removed;
    assert_eq!(removed.map(|moment| moment.height), Some(Height(1)));
    assert!(matches!(submitter(&world.state, &node_key_of(9).id()), Err(Refusal::KeyRetired { .. })));
    assert_eq!(nodes(&world.state).0.len(), 5);
    world.end_epoch();
    let book = committee(&world.state);
    assert_eq!(book.followers().map(|node| node.id).collect::<Vec<_>>(), [other]);
}

#[test]
fn followers_of_a_suspended_member_stand_in_no_address_book() {
    let mut world = World::new(5, 4);
    let node = world.join(4, 9);
    world.end_epoch();
    assert!(committee(&world.state).followers().any(|follower| follower.id == node));
    world.enact(suspend(4));
    assert_eq!(next_due(&world.state), Some(tabellion_ledger::TimeMs(0)), "empty blocks lead there");
    world.end_epoch();
    assert!(!committee(&world.state).followers().any(|follower| follower.id == node));
    world.enact(resume(4));
    world.end_epoch();
    assert!(committee(&world.state).followers().any(|follower| follower.id == node));
}

#[test]
fn changes_of_members_are_refused_with_the_facts() {
    let mut world = World::new(6, 4);
    world.enact(suspend(5));
    world.enact(suspend(4));
    world.enact(remove(4));
    let propose = |w: &mut World, change: Change| w.propose(0, change).map(|_| Vec::new());
    let unknown = Refusal::UnknownMember { member: id("m9") };
    let inactive = |number, status, height| Refusal::MemberNotActive {
        member: member_id(number),
        status,
        height: Height(height),
    };
    let removed = inactive(4, MemberStatus::Removed, 3);
    let suspended = inactive(5, MemberStatus::Suspended, 1);
    let fresh = Key::new(1);
    let taken =
        |key: &Key, member: &str| Refusal::KeyTaken { key: key.id(), member: id(member), height: Height(0) };
    let replace = |w: &World, member: &str, key: &Key| Change::ReplaceKeys {
        member: id(member),
        keys: vec![w.offer(key, &id(member), Purpose::Member)],
    };
    let role = Role::Auditor;
    let quota = MemberQuota::Own(Quota { transactions: 1, bytes: 1 << 20 });
    let tight = ParameterFault::Bounds { field: "quota.transactions", value: 1, least: 16, most: u64::MAX };
    let rows: &[Row<'_>] = &[
        ("a member again", &|w| propose(w, Change::AddMember(w.new_member(1))), {
            Refusal::MemberExists { member: id("m1"), height: Height(0) }
        }),
        ("a removed member again", &|w| propose(w, Change::AddMember(w.new_member(4))), {
            Refusal::MemberExists { member: id("m4"), height: Height(3) }
        }),
        (
            "a member with another's key",
            &|w| {
                let keys = vec![w.offer(&member_key_of(1), &id("m9"), Purpose::Member)];
                propose(w, Change::AddMember(NewMember { keys, ..w.new_member(9) }))
            },
            taken(&member_key_of(1), "m1"),
        ),
        (
            "a member with a key twice",
            &|w| {
                let key = w.offer(&fresh, &id("m9"), Purpose::Member);
                propose(w, Change::AddMember(NewMember { keys: vec![key.clone(), key], ..w.new_member(9) }))
            },
            Refusal::KeyTaken { key: fresh.id(), member: id("m9"), height: Height(4) },
        ),
        (
            "a member with a key that nobody shows",
            &|w| {
                let keys = vec![w.offer(&fresh, &id("m8"), Purpose::Member)];
                propose(w, Change::AddMember(NewMember { keys, ..w.new_member(9) }))
            },
            Refusal::PossessionNotShown { key: fresh.id() },
        ),
        ("to suspend nobody", &|w| propose(w, suspend(9)), unknown.clone()),
        ("to suspend twice", &|w| propose(w, suspend(5)), suspended),
        ("to suspend a removed member", &|w| propose(w, suspend(4)), removed.clone()),
        ("to resume nobody", &|w| propose(w, resume(9)), unknown.clone()),
        ("to resume an active member", &|w| propose(w, resume(1)), {
            Refusal::MemberNotSuspended { member: id("m1"), status: MemberStatus::Active }
        }),
        ("to resume a removed member", &|w| propose(w, resume(4)), {
            Refusal::MemberNotSuspended { member: id("m4"), status: MemberStatus::Removed }
        }),
        ("to remove nobody", &|w| propose(w, remove(9)), unknown.clone()),
        ("to remove twice", &|w| propose(w, remove(4)), removed.clone()),
        ("to remove a member with validators", &|w| propose(w, remove(1)), {
            Refusal::MemberHasValidators { member: id("m1"), count: 1 }
        }),
        ("keys for a removed member", &|w| propose(w, replace(w, "m4", &fresh)), removed.clone()),
        ("another's key", &|w| propose(w, replace(w, "m5", &member_key_of(1))), {
            taken(&member_key_of(1), "m1")
        }),
        ("its own key again", &|w| propose(w, replace(w, "m5", &member_key_of(5))), {
            taken(&member_key_of(5), "m5")
        }),
        (
            "a role twice",
            &|w| propose(w, Change::GrantRole { member: id("m1"), role: Role::Operator }),
            Refusal::RoleHeld { owner: "m1".to_owned(), role: Role::Operator },
        ),
        ("a role for nobody", &|w| propose(w, Change::GrantRole { member: id("m9"), role }), {
            unknown.clone()
        }),
        ("to revoke what is not there", &|w| propose(w, Change::RevokeRole { member: id("m1"), role }), {
            Refusal::RoleNotHeld { owner: "m1".to_owned(), role }
        }),
        ("to revoke of a removed member", &|w| propose(w, Change::RevokeRole { member: id("m4"), role }), {
            removed.clone()
        }),
        ("a quota that stifles", &|w| propose(w, Change::MemberQuota { member: id("m1"), quota }), {
            Refusal::ParameterRefused(tight)
        }),
        (
            "the quota that it has",
            &|w| propose(w, Change::MemberQuota { member: id("m1"), quota: MemberQuota::Default }),
            Refusal::NothingChanges,
        ),
        (
            "a quota of a removed member",
            &|w| propose(w, Change::MemberQuota { member: id("m4"), quota: MemberQuota::Unlimited }),
            removed.clone(),
        ),
    ];
    assert_refused(&world, rows);
}

#[test]
fn the_last_active_member_stays() {
    let mut world = World::new(2, 1);
    assert_eq!(world.enact(suspend(1)), ProposalStatus::Executed);
    let last = Refusal::LastMember { member: id("m0") };
    assert_eq!(world.propose(0, suspend(0)), Err(last.clone()));
    assert_eq!(world.propose(0, remove(0)), Err(last));
    // Alone it is the whole consortium.
    assert_eq!(world.enact(resume(1)), ProposalStatus::Executed);
}

#[test]
fn the_number_of_members_is_limited() {
    let mut world = World::new(limits::MEMBERS_MAX, 1);
    let refused = Refusal::TooManyMembers { count: 256, count_max: 256 };
    assert_eq!(world.propose(0, Change::AddMember(world.new_member(300))), Err(refused));
}

#[test]
fn a_new_member_signs_with_an_accepted_algorithm() {
    let mut parameters = parameters_for_tests();
    parameters.transaction.algorithms = vec![Algorithm::Es256];
    let mut world = World::with(4, 4, parameters);
    let refused = Refusal::AlgorithmNotAccepted { algorithm: Algorithm::Ed25519 };
    assert_eq!(world.propose(0, Change::AddMember(world.new_member(4))), Err(refused));
}
