use tabellion_ledger::{TimeMs, Writes};

use super::world::*;
use crate::*;

const WINDOW: u64 = 60_000;

fn world(quota: Option<Quota>) -> World {
    let mut parameters = parameters_for_tests();
    parameters.quota = QuotaRules { window_ms: WINDOW, member: quota };
    World::with(4, 4, parameters)
}

fn charged(world: &mut World, bytes: u64) -> Result<Writes, Refusal> {
    let by = submitter(&world.state, &member_key_of(0).id()).unwrap();
    let rules = parameters(&world.state).quota;
    let writes = charge(&by, bytes, &world.ctx(), &rules, &world.state)?;
    world.state.write(writes.clone());
    Ok(writes)
}

/// X.1409 L9: quotas are counted where everybody comes to the same count.
#[test]
fn a_member_without_quota_leaves_no_trace() {
    let mut world = world(None);
    assert_eq!(charged(&mut world, u64::MAX), Ok(Writes::new()));
    assert_eq!(usage(&world.state, &id("m0")), None);
}

#[test]
fn a_quota_counts_transactions_and_bytes_within_a_window() {
    let quota = Quota { transactions: 16, bytes: 100_000 };
    let mut world = world(Some(quota));
    let start = TimeMs(world.ctx().time.0 / WINDOW * WINDOW);
    charged(&mut world, 99_999).unwrap();
    let exceeded = |measure, used, asked, max| Refusal::QuotaExceeded {
        member: id("m0"),
        measure,
        used,
        asked,
        max,
        until: start.plus(WINDOW),
    };
    assert_eq!(charged(&mut world, 2), Err(exceeded(Measure::Bytes, 99_999, 2, 100_000)));
    for _ in 1..16 {
        charged(&mut world, 0).unwrap();
    }
    assert_eq!(charged(&mut world, 0), Err(exceeded(Measure::Transactions, 16, 1, 16)));
    let used = Usage { start, transactions: 16, bytes: 99_999 };
    assert_eq!(usage(&world.state, &id("m0")), Some(used), "a refusal is not counted");
    // The next window begins at its own start, whenever the last one was used.
    world.time = TimeMs(start.0 + WINDOW - BLOCK_MS);
    charged(&mut world, 5).unwrap();
    let used = Usage { start: start.plus(WINDOW), transactions: 1, bytes: 5 };
    assert_eq!(usage(&world.state, &id("m0")), Some(used));
}

#[test]
fn a_members_own_quota_goes_before_the_ledgers() {
    let mut world = world(Some(Quota { transactions: 16, bytes: 100_000 }));
    let own = Quota { transactions: 20, bytes: 65_536 };
    let set = |world: &mut World, quota| world.enact(Change::MemberQuota { member: id("m0"), quota });
    assert_eq!(set(&mut world, MemberQuota::Own(own)), ProposalStatus::Executed);
    assert!(matches!(charged(&mut world, 70_000), Err(Refusal::QuotaExceeded { max: 65_536, .. })));
    assert_eq!(set(&mut world, MemberQuota::Unlimited), ProposalStatus::Executed);
    assert_eq!(charged(&mut world, u64::MAX), Ok(Writes::new()));
}

#[test]
fn accounts_and_nodes_use_their_members_quota_and_votes_use_none() {
    let mut world = world(Some(Quota { transactions: 16, bytes: 1_000_000 }));
    let describe = |number: u32| Action::Describe { name: number.to_string(), contact: String::new() };
    let address = |number: u32| Action::SetAddress { address: format!("10.1.1.1:{}", number + 1) };
    for number in 0..8 {
        world.member_acts(0, &describe(number)).unwrap();
        world.act(&node_key_of(0), &address(number)).unwrap();
    }
    for (key, action) in [(member_key_of(0), describe(9)), (node_key_of(0), address(9))] {
        let refused = world.act(&key, &action);
        assert!(matches!(refused, Err(Refusal::QuotaExceeded { used: 16, .. })), "{refused:?}");
    }
    let number = world.propose(1, Change::Stop).unwrap();
    world.vote(0, number, Choice::For).unwrap();
}
