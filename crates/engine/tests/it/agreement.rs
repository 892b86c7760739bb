//! Agreement, faults and catching up in the simulated network.

use tabellion_engine::EngineError;

use crate::machine::{self, Mischief};
use crate::world::{Plan, committee, simulate};

#[test]
fn four_validators_agree_on_every_job() {
    simulate(1, Plan::new(4), |mut world| async move {
        world.start_all().await;
        for job in 1..=50 {
            world.node(job as usize % 4).machine.submit(job);
            world.done(&[0, 1, 2, 3], job, 5_000).await;
        }
        world.agree();
        assert!(world.node(0).machine.height() >= 50);
    });
}

#[test]
fn the_ledger_accepts_the_engines_proofs_and_refuses_altered_ones() {
    simulate(2, Plan::new(4), |mut world| async move {
        world.start_all().await;
        for job in 1..=10 {
            world.node(0).machine.submit(job);
            world.done(&[0, 1, 2, 3], job, 5_000).await;
        }
        let roster = machine::roster(0, &committee(0..4, 4));
        let ledger = machine::ledger();
        let proofs: Vec<_> = world.node(1).machine.proofs().into_values().flatten().collect();
        assert!(proofs.len() >= 10, "{} proofs", proofs.len());
        for proof in proofs {
            assert_eq!(proof.verify(&ledger, &roster), Ok(()));
            let mut altered = proof.clone();
            altered.header.time = altered.header.time.plus(1);
            assert!(altered.verify(&ledger, &roster).is_err(), "another header");
            let mut altered = proof.clone();
            altered.view += 1;
            assert!(altered.verify(&ledger, &roster).is_err(), "another view");
            let mut altered = proof.clone();
            altered.signatures.truncate(2);
            assert!(altered.verify(&ledger, &roster).is_err(), "too few signatures");
            let mut altered = proof.clone();
            altered.signatures[0].signature[5] ^= 1;
            assert!(altered.verify(&ledger, &roster).is_err(), "a broken signature");
        }
    });
}

#[test]
fn half_a_network_stops_and_goes_on_within_five_seconds_of_healing() {
    simulate(3, Plan::new(4), |mut world| async move {
        world.start_all().await;
        world.node(0).machine.submit(1);
        world.done(&[0, 1, 2, 3], 1, 5_000).await;

        world.cut(&[0, 1], &[2, 3]).await;
        world.node(0).machine.submit(2);
        world.node(2).machine.submit(3);
        world.sleep(30_000).await;
        let stuck: Vec<_> = (0..4).map(|index| world.node(index).machine.height()).collect();
        world.sleep(30_000).await;
        let still: Vec<_> = (0..4).map(|index| world.node(index).machine.height()).collect();
        assert_eq!(stuck, still, "no half has a quorum");

        world.link(&[0, 1, 2, 3]).await;
        let took = world.done(&[0, 1, 2, 3], 2, 5_000).await + world.done(&[0, 1, 2, 3], 3, 5_000).await;
        assert!(took < 5_000, "took {took} ms");
        world.agree();
    });
}

#[test]
fn one_dead_validator_costs_a_hiccup_and_then_nothing() {
    simulate(4, Plan::new(4), |mut world| async move {
        world.start_all().await;
        world.node(0).machine.submit(1);
        world.done(&[0, 1, 2, 3], 1, 5_000).await;
        world.crash(3).await;
        let (mut early, mut late) = (0, 0);
        for job in 2..=40 {
            world.node(job as usize % 3).machine.submit(job);
            let took = world.done(&[0, 1, 2], job, 5_000).await;
            match job {
                ..=20 => early = early.max(took),
                _ => late = late.max(took),
            }
            world.sleep(300).await;
        }
        assert!(early < 2_000, "at first {early} ms");
        assert!(late < 500, "later {late} ms");
        world.agree();
    });
}

#[test]
fn a_crashed_validator_comes_back_and_catches_up() {
    simulate(5, Plan::new(4), |mut world| async move {
        world.start_all().await;
        for job in 1..=5 {
            world.node(0).machine.submit(job);
            world.done(&[0, 1, 2, 3], job, 5_000).await;
        }
        world.crash(2).await;
        for job in 6..=60 {
            world.node(0).machine.submit(job);
            world.done(&[0, 1, 3], job, 5_000).await;
        }
        world.start(2).await;
        world.node(2).machine.submit(61);
        world.done(&[0, 1, 2, 3], 61, 5_000).await;
        world.agree();
    });
}

#[test]
fn a_stopped_validator_ends_without_error_and_starts_again() {
    simulate(14, Plan::new(4), |mut world| async move {
        world.start_all().await;
        world.node(0).machine.submit(1);
        world.done(&[0, 1, 2, 3], 1, 5_000).await;
        world.stop(1).await.unwrap();
        world.node(0).machine.submit(2);
        world.done(&[0, 2, 3], 2, 5_000).await;
        world.start(1).await;
        world.node(1).machine.submit(3);
        world.done(&[0, 1, 2, 3], 3, 5_000).await;
        world.agree();
    });
}

#[test]
fn all_validators_crash_at_once_and_lose_nothing_committed() {
    simulate(6, Plan::new(4), |mut world| async move {
        world.start_all().await;
        for job in 1..=10 {
            world.node(0).machine.submit(job);
        }
        world.done(&[1], 6, 5_000).await;
        let before = world.node(1).machine.chain();
        for index in 0..4 {
            world.crash(index).await;
        }
        for index in 0..4 {
            world.start(index).await;
        }
        world.node(3).machine.submit(100);
        world.done(&[0, 1, 2, 3], 100, 10_000).await;
        assert_eq!(world.node(0).machine.chain()[..before.len()], before[..]);
        world.agree();
    });
}

#[test]
fn deleted_bodies_disturb_neither_running_nor_restarted_nodes() {
    simulate(16, Plan::new(4), |mut world| async move {
        world.start_all().await;
        for job in 1..=30 {
            world.node(0).machine.submit(job);
            world.done(&[0, 1, 2, 3], job, 5_000).await;
        }
        world.shelves.iter().for_each(|shelf| shelf.prune(20));
        world.stop(2).await.unwrap();
        world.node(0).machine.submit(31);
        world.done(&[0, 1, 3], 31, 5_000).await;
        world.start(2).await;
        world.node(2).machine.submit(32);
        world.done(&[0, 1, 2, 3], 32, 5_000).await;
        world.agree();
    });
}

#[test]
fn a_late_joiner_catches_up() {
    simulate(7, Plan::new(4), |mut world| async move {
        for index in 0..3 {
            world.start(index).await;
        }
        world.link(&[0, 1, 2, 3]).await;
        for job in 1..=200 {
            world.node(0).machine.submit(job);
        }
        for job in 1..=200 {
            world.done(&[0, 1, 2], job, 60_000).await;
        }
        world.start(3).await;
        world.node(3).machine.submit(500);
        world.done(&[0, 1, 2, 3], 500, 10_000).await;
        world.agree();
    });
}

#[test]
fn a_follower_follows_without_a_vote() {
    let plan = Plan { nodes: 5, ..Plan::new(4) };
    simulate(8, plan, |mut world| async move {
        world.start_all().await;
        for job in 1..=20 {
            world.node(0).machine.submit(job);
            world.done(&[0, 1, 2, 3, 4], job, 5_000).await;
        }
        assert!(!world.node(4).status().view().validator);
        // What a follower hears reaches the validators.
        world.node(4).machine.submit(21);
        world.done(&[0, 1, 2, 3, 4], 21, 5_000).await;
        world.agree();
    });
}

#[test]
fn a_proposer_of_refused_blocks_is_voted_down() {
    let mut plan = Plan::new(4);
    plan.mischief.insert(1, Mischief::RefusedJobs);
    simulate(9, plan, |mut world| async move {
        world.start_all().await;
        for job in 1..=20 {
            world.node(0).machine.submit(job);
            world.done(&[0, 2, 3], job, 10_000).await;
        }
        assert!(world.node(0).machine.refused() > 0);
        assert!(world.node(0).status().view().voted_down > 0);
        world.agree();
    });
}

#[test]
fn an_idle_network_makes_heartbeats_only() {
    let plan = Plan { heartbeat_ms: 10_000, ..Plan::new(4) };
    simulate(10, plan, |mut world| async move {
        world.start_all().await;
        world.sleep(100_000).await;
        let height = world.node(0).machine.height();
        assert!((8..=11).contains(&height), "{height} blocks in 100 s");
        world.agree();
    });
}

#[test]
fn a_failing_store_ends_the_node_with_its_error() {
    simulate(11, Plan::new(4), |mut world| async move {
        world.start_all().await;
        world.node(0).machine.submit(1);
        world.done(&[0, 1, 2, 3], 1, 5_000).await;
        world.shelves[2].break_down();
        world.node(0).machine.submit(2);
        world.done(&[0, 1, 3], 2, 5_000).await;
        let ended = world.ended(2).await;
        assert!(matches!(ended, Err(EngineError::Store(_))), "{ended:?}");
    });
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        simulate(seed, Plan::new(4), |mut world| async move {
            world.start_all().await;
            for job in 1..=10 {
                world.node(0).machine.submit(job);
                world.done(&[0, 1, 2, 3], job, 5_000).await;
            }
            (world.audit(), world.node(0).machine.chain())
        })
    };
    assert_eq!(run(12), run(12));
    assert_ne!(run(12).0, run(13).0);
}

#[test]
fn links_that_lose_a_tenth_of_all_messages_delay_but_do_not_stop() {
    simulate(15, Plan::new(4), |mut world| async move {
        world.start_all().await;
        world.link_with(&[0, 1, 2, 3], 0.9).await;
        for job in 1..=30 {
            world.node(job as usize % 4).machine.submit(job);
            world.done(&[0, 1, 2, 3], job, 60_000).await;
        }
        world.agree();
    });
}

/// A stream of numbers from a seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }
}

/// Cuts, heals, crashes and starts by the dice, with work all the time; then all is well again.
fn turmoil(seed: u64, nodes: usize) {
    simulate(seed, Plan::new(nodes), |mut world| async move {
        let all: Vec<_> = (0..nodes).collect();
        let mut dice = Dice(seed);
        world.start_all().await;
        let mut job = 0;
        for _ in 0..40 {
            let node = dice.roll(nodes);
            match dice.roll(5) {
                0 if world.runs(node) => world.crash(node).await,
                1 => {
                    let (left, right) = all.split_at(1 + dice.roll(nodes - 1));
                    world.cut(left, right).await;
                }
                2 => world.link_with(&all, 0.8).await,
                3 => world.link(&all).await,
                _ if !world.runs(node) => world.start(node).await,
                _ => {}
            }
            for index in all.iter().filter(|index| world.runs(**index)) {
                job += 1;
                world.node(*index).machine.submit(job);
            }
            world.sleep(dice.roll(3_000) as u64).await;
            world.agree();
        }
        world.link(&all).await;
        for index in &all {
            if !world.runs(*index) {
                world.start(*index).await;
            }
        }
        world.node(0).machine.submit(1_000_000);
        world.done(&all, 1_000_000, 30_000).await;
        world.agree();
    });
}

#[test]
fn turmoil_makes_no_two_chains_and_ends_when_it_ends() {
    for seed in 100..106 {
        for nodes in [4, 7] {
            turmoil(seed, nodes);
        }
    }
}
