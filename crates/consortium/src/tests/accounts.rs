use tabellion_ledger::Height;

use super::world::*;
use crate::*;

fn name(text: &str) -> AccountName {
    text.parse().unwrap()
}

fn open(world: &World, account: &str, key: &Key, roles: &[Role]) -> Action {
    let name = name(account);
    let keys = vec![world.offer(key, &id("m0"), Purpose::Account(&name))];
    Action::OpenAccount(NewAccount { name, about: "night shift".to_owned(), keys, roles: roles.to_vec() })
}

/// m0 with an open account `desk` of an operator.
fn world() -> (World, Key) {
    let (mut world, key) = (World::new(4, 4), Key::new(1));
    world.member_acts(0, &open(&world, "desk", &key, &[Role::Operator])).unwrap();
    (world, key)
}

/// X.1409 L9, IV.1: account management.
#[test]
fn an_account_lives_from_its_opening_to_its_close() {
    let (mut world, old) = world();
    let (desk, new) = (name("desk"), Key::new(2));
    assert_eq!(accounts(&world.state, &id("m0")), std::slice::from_ref(&desk));
    let offer = world.offer(&new, &id("m0"), Purpose::Account(&desk));
    world.member_acts(0, &Action::AddAccountKey { name: desk.clone(), key: offer }).unwrap();
    world.member_acts(0, &Action::RetireAccountKey { name: desk.clone(), key: old.id() }).unwrap();
    let about = "day shift".to_owned();
    world.member_acts(0, &Action::DescribeAccount { name: desk.clone(), about }).unwrap();
    let role = Role::CertificateUser;
    world.member_acts(0, &Action::GrantAccountRole { name: desk.clone(), role }).unwrap();
    world.member_acts(0, &Action::RevokeAccountRole { name: desk.clone(), role: Role::Operator }).unwrap();
    let found = account(&world.state, &id("m0"), &desk).unwrap();
    assert_eq!((found.about.as_str(), found.roles), ("day shift", vec![Role::CertificateUser]));
    let by = submitter(&world.state, &new.id()).unwrap();
    assert_eq!((by.member, by.owner, by.roles), (id("m0"), Owner::Account(desk.clone()), vec![role]));
    world.member_acts(0, &Action::CloseAccount { name: desk.clone() }).unwrap();
    assert!(accounts(&world.state, &id("m0")).is_empty());
    assert!(matches!(submitter(&world.state, &new.id()), Err(Refusal::KeyRetired { .. })));
    assert!(account(&world.state, &id("m0"), &desk).unwrap().closed.is_some());
}

#[test]
fn an_account_may_do_what_both_it_and_its_member_may_do() {
    let (mut world, key) = world();
    let needed = [Role::Operator];
    let roles = |world: &World| submitter(&world.state, &key.id()).unwrap().roles;
    assert_eq!(roles(&world), [Role::Operator]);
    world.enact(Change::RevokeRole { member: id("m0"), role: Role::Operator });
    assert_eq!(roles(&world), []);
    let refused = Refusal::MissingRole { member: id("m0"), needed: needed.to_vec() };
    let remove = Action::RemoveNode { node: node_id_of(0) };
    assert_eq!(world.act(&key, &remove), Err(refused));
    world.enact(Change::GrantRole { member: id("m0"), role: Role::Operator });
    assert_eq!(roles(&world), [Role::Operator]);
    assert_eq!(world.act(&key, &remove), Err(Refusal::NodeIsValidator { node: node_id_of(0) }));
}

#[test]
fn accounts_are_refused_with_the_facts() {
    let (mut world, key) = world();
    let (fresh, closed) = (Key::new(3), name("closed"));
    let other = open(&world, "closed", &Key::new(4), &[]);
    world.member_acts(0, &other).unwrap();
    world.end_block();
    world.member_acts(0, &Action::CloseAccount { name: closed.clone() }).unwrap();
    let (desk, nobody) = (name("desk"), name("nobody"));
    let exists = |account: &AccountName| Refusal::AccountExists {
        member: id("m0"),
        account: account.clone(),
        height: Height(1),
    };
    let unknown = Refusal::UnknownAccount { member: id("m0"), account: nobody.clone() };
    let is_closed = Refusal::AccountClosed { member: id("m0"), account: closed.clone(), height: Height(2) };
    let lacks = |owner: &str, role| Refusal::RoleNotHeld { owner: owner.to_owned(), role };
    let rows: &[Row<'_>] = &[
        ("an open name", &|w| w.member_acts(0, &open(w, "desk", &fresh, &[])), exists(&desk)),
        ("a closed name", &|w| w.member_acts(0, &open(w, "closed", &fresh, &[])), exists(&closed)),
        (
            "a role that the member lacks",
            &|w| w.member_acts(0, &open(w, "new", &fresh, &[Role::Auditor])),
            lacks("m0", Role::Auditor),
        ),
        (
            "an account's key",
            &|w| w.member_acts(0, &open(w, "new", &key, &[])),
            Refusal::KeyTaken { key: key.id(), member: id("m0"), height: Height(1) },
        ),
        (
            "a key shown for another account",
            &|w| {
                let offer = w.offer(&fresh, &id("m0"), Purpose::Account(&nobody));
                w.member_acts(0, &Action::AddAccountKey { name: name("desk"), key: offer })
            },
            Refusal::PossessionNotShown { key: fresh.id() },
        ),
        ("to close nothing", &|w| w.member_acts(0, &Action::CloseAccount { name: nobody.clone() }), {
            unknown.clone()
        }),
        ("another member's account", &|w| w.member_acts(1, &Action::CloseAccount { name: desk.clone() }), {
            Refusal::UnknownAccount { member: id("m1"), account: name("desk") }
        }),
        ("to close twice", &|w| w.member_acts(0, &Action::CloseAccount { name: closed.clone() }), {
            is_closed.clone()
        }),
        (
            "a key for a closed account",
            &|w| {
                let offer = w.offer(&fresh, &id("m0"), Purpose::Account(&closed));
                w.member_acts(0, &Action::AddAccountKey { name: closed.clone(), key: offer })
            },
            is_closed,
        ),
        (
            "a key that is not the account's",
            &|w| {
                let key = member_key_of(0).id();
                w.member_acts(0, &Action::RetireAccountKey { name: desk.clone(), key })
            },
            Refusal::NotAKey { key: member_key_of(0).id(), owner: "m0/desk".to_owned() },
        ),
        (
            "to grant what the member lacks",
            &|w| {
                let role = Role::Auditor;
                w.member_acts(0, &Action::GrantAccountRole { name: desk.clone(), role })
            },
            lacks("m0", Role::Auditor),
        ),
        (
            "to grant twice",
            &|w| {
                let role = Role::Operator;
                w.member_acts(0, &Action::GrantAccountRole { name: desk.clone(), role })
            },
            Refusal::RoleHeld { owner: "m0/desk".to_owned(), role: Role::Operator },
        ),
        (
            "to revoke what is not there",
            &|w| {
                let role = Role::CertificateUser;
                w.member_acts(0, &Action::RevokeAccountRole { name: desk.clone(), role })
            },
            lacks("m0/desk", Role::CertificateUser),
        ),
        (
            "the same words",
            &|w| {
                let about = "night shift".to_owned();
                w.member_acts(0, &Action::DescribeAccount { name: desk.clone(), about })
            },
            Refusal::NothingChanges,
        ),
    ];
    assert_refused(&world, rows);
}

#[test]
fn the_number_of_accounts_and_of_their_keys_is_limited() {
    let (mut world, _) = world();
    let (desk, second) = (name("desk"), Key::new(2));
    let add = |world: &World, key: &Key| {
        let key = world.offer(key, &id("m0"), Purpose::Account(&desk));
        Action::AddAccountKey { name: desk.clone(), key }
    };
    world.member_acts(0, &add(&world, &second)).unwrap();
    let third = add(&world, &Key::new(3));
    assert_eq!(world.member_acts(0, &third), Err(Refusal::TooManyKeys { count: 2, count_max: 2 }));
    let bare = |number: usize| {
        let (name, about) = (name(&format!("a{number}")), String::new());
        Action::OpenAccount(NewAccount { name, about, keys: Vec::new(), roles: Vec::new() })
    };
    for number in 1..limits::ACCOUNTS_PER_MEMBER_MAX {
        world.member_acts(0, &bare(number)).unwrap();
    }
    let (count, count_max) = (256, 256);
    let full = Refusal::TooManyAccounts { member: id("m0"), count, count_max };
    assert_eq!(world.member_acts(0, &bare(999)), Err(full));
}
