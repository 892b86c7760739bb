//! Nodes that came by state sync: their store begins at a floor.

use tabellion_engine::EngineError;

use crate::world::{Plan, World, simulate};

const EPOCH_BLOCKS: u64 = 10;
/// The last block of the second epoch.
const FLOOR: u64 = 2 * EPOCH_BLOCKS - 1;
/// A validator that comes late.
const VALIDATOR: usize = 3;
/// A node without a vote that comes late.
const FOLLOWER: usize = 4;
const ALL: [usize; 5] = [0, 1, 2, VALIDATOR, FOLLOWER];

fn plan() -> Plan {
    Plan { nodes: ALL.len(), epoch_blocks: EPOCH_BLOCKS, heartbeat_ms: 5_000, ..Plan::new(4) }
}

/// Three of the four validators make so many blocks before anybody else comes.
async fn three_validators_do(world: &mut World, jobs: u64) {
    for index in 0..3 {
        world.start(index).await;
    }
    world.link(&ALL).await;
    for job in 1..=jobs {
        world.node(0).machine.submit(job);
        world.done(&[0, 1, 2], job, 10_000).await;
    }
}

#[test]
fn a_node_that_starts_from_a_floor_catches_up_votes_and_restarts() {
    simulate(70, plan(), |mut world| async move {
        three_validators_do(&mut world, 35).await;
        for index in [VALIDATOR, FOLLOWER] {
            world.sync_state(index, 0, FLOOR);
            world.start(index).await;
        }
        // It had its seat in that state already, and could have voted: it waits until the others have moved
        // on.
        for job in 36..=39 {
            world.node(FOLLOWER).machine.submit(job);
            world.done(&ALL, job, 10_000).await;
            world.sleep(500).await;
        }

        // Without node 0 there is no quorum but with the new validator's votes.
        world.crash(0).await;
        for job in 40..=45 {
            world.node(1).machine.submit(job);
            world.done(&[1, 2, VALIDATOR, FOLLOWER], job, 10_000).await;
        }
        // In the epoch after the floor's and in later ones, by a crash and in order.
        for job in 46..=70 {
            let index = [VALIDATOR, FOLLOWER][job as usize % 2];
            if job % 3 == 0 {
                world.crash(index).await;
            } else {
                world.stop(index).await.unwrap();
            }
            world.start(index).await;
            world.node(index).machine.submit(job);
            world.done(&[1, 2, VALIDATOR, FOLLOWER], job, 20_000).await;
        }
        world.start(0).await;
        world.node(0).machine.submit(100);
        world.done(&ALL, 100, 20_000).await;
        world.agree();
    });
}

#[test]
fn a_floor_may_lie_within_an_epoch() {
    simulate(72, plan(), |mut world| async move {
        three_validators_do(&mut world, 25).await;
        for index in [VALIDATOR, FOLLOWER] {
            world.sync_state(index, 0, FLOOR + 4);
            world.start(index).await;
        }
        for job in 30..=45 {
            world.node(FOLLOWER).machine.submit(job);
            world.done(&ALL, job, 10_000).await;
        }
        world.agree();
    });
}

#[test]
fn a_follower_that_comes_late_to_an_idle_ledger_gets_its_newest_block() {
    let idle = Plan { heartbeat_ms: 3_600_000, ..plan() };
    simulate(73, idle, |mut world| async move {
        for index in 0..=VALIDATOR {
            world.start(index).await;
        }
        world.link(&ALL).await;
        for job in 1..=25 {
            world.node(0).machine.submit(job);
            world.done(&[0, 1, 2, VALIDATOR], job, 10_000).await;
        }
        world.sync_state(FOLLOWER, 0, FLOOR);
        world.start(FOLLOWER).await;
        world.done(&[FOLLOWER], 25, 20_000).await;
        world.agree();
    });
}

#[test]
fn a_node_that_crashes_right_after_its_state_sync_starts_from_the_floor_again() {
    simulate(71, plan(), |mut world| async move {
        three_validators_do(&mut world, 25).await;
        world.sync_state(FOLLOWER, 0, FLOOR);
        for ms in [0, 1, 2, 5, 10, 20, 40] {
            world.start(FOLLOWER).await;
            world.sleep(ms).await;
            world.crash(FOLLOWER).await;
        }
        world.start(FOLLOWER).await;
        world.node(FOLLOWER).machine.submit(30);
        world.done(&[0, 1, 2, FOLLOWER], 30, 10_000).await;
        world.agree();
    });
}

#[test]
fn a_floor_without_its_block_or_votes_is_refused() {
    let refused = |floor: u64, copied: u64, problem: &'static str| {
        simulate(72, plan(), |mut world| async move {
            three_validators_do(&mut world, 25).await;
            world.sync_state(FOLLOWER, 0, floor);
            world.shelves[FOLLOWER] = world.shelves[0].synced(copied, EPOCH_BLOCKS);
            world.start(FOLLOWER).await;
            match world.ended(FOLLOWER).await {
                Err(EngineError::Config(text)) => assert!(text.contains(problem), "{text}"),
                other => panic!("{other:?}"),
            }
        });
    };
    refused(FLOOR, FLOOR - 1, "misses its block");
    refused(FLOOR, FLOOR + 1, "misses its votes");
}
