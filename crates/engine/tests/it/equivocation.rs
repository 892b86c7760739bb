//! Validators that vote two ways, and what the honest ones learn of it.

use std::time::Duration;

use tabellion_engine::sim::Disk;
use tabellion_engine::{NodeKey, node_key};

use crate::machine::ledger;
use crate::world::{Plan, seed, simulate};

/// Two nodes of one key, each before an audience of its own: node 1 sits in both.
#[test]
fn a_validator_that_votes_two_ways_is_convicted_by_its_own_signatures() {
    let NodeKey(twins) = node_key(&seed(3));
    let mut convicted = 0;
    for seed in 40..50 {
        simulate(seed, Plan::new(4), |mut world| async move {
            for index in 0..3 {
                world.start(index).await;
            }
            world.start_twins(3, &[0, 1], &[1, 2]).await;
            world.link(&[0, 1, 2, 3]).await;
            let mut evidence = Vec::new();
            for round in 1..=8 {
                // Each audience tells its twin of another job.
                world.node(0).machine.submit(2 * round);
                world.node(2).machine.submit(2 * round + 1);
                world.done(&[0, 1, 2], 2 * round, 30_000).await;
                world.done(&[0, 1, 2], 2 * round + 1, 30_000).await;
            }
            for index in 0..3 {
                evidence.extend(world.node(index).machine.evidence());
            }
            world.agree();
            evidence
        })
        .iter()
        .for_each(|evidence| {
            assert_eq!(evidence.verify(&ledger(), &twins), Ok(()), "{evidence:?}");
            convicted += 1;
        });
    }
    assert!(convicted >= 10, "{convicted} convictions in ten runs");
}

/// Whoever is slow, crashes or loses messages votes one way all the same.
#[test]
fn no_honest_validator_is_ever_accused() {
    // Without a next block nobody would tell a node again that a vote for the last one was lost.
    let plan = Plan { heartbeat_ms: 5_000, ..Plan::new(4) };
    simulate(60, plan, |mut world| async move {
        world.start_all().await;
        world.link_with(&[0, 1, 2, 3], 0.9).await;
        for job in 1..=20 {
            let victim = job as usize % 4;
            world.node(victim).machine.submit(job);
            world.sleep(37 * job).await;
            world.crash(victim).await;
            world.start_on(victim, Disk::slow(move || Duration::from_millis(20 * (job % 4)))).await;
            world.node(victim).machine.submit(job);
            world.done(&[0, 1, 2, 3], job, 60_000).await;
        }
        for index in 0..4 {
            assert_eq!(world.node(index).machine.evidence(), []);
        }
        world.agree();
    });
}
