//! Committees that change at every epoch's end.

use std::sync::Arc;

use crate::machine::{Committees, ledger, roster};
use crate::world::{Plan, World, committee, simulate_committees};

const NODES: usize = 6;
const EPOCH_BLOCKS: u64 = 10;

/// Four of six nodes vote; with every epoch one leaves and one comes.
fn rotating() -> Committees {
    Arc::new(|epoch| {
        let first = usize::try_from(epoch).unwrap() % NODES;
        Some(committee((first..first + 4).map(|index| index % NODES), NODES))
    })
}

fn simulate<T, F: Future<Output = T>>(seed: u64, scenario: impl FnOnce(World) -> F) -> T {
    let plan = Plan { nodes: NODES, heartbeat_ms: 500, epoch_blocks: EPOCH_BLOCKS, ..Plan::new(4) };
    simulate_committees(seed, plan, rotating(), scenario)
}

async fn reach(world: &World, indices: &[usize], height: u64) {
    for _ in 0..6_000 {
        if indices.iter().all(|index| world.node(*index).machine.height() >= height) {
            return;
        }
        world.sleep(20).await;
    }
    panic!("height {height} was not reached");
}

#[test]
fn a_committee_that_changes_every_epoch_keeps_one_chain() {
    simulate(20, |mut world| async move {
        world.start_all().await;
        let all: Vec<_> = (0..NODES).collect();
        for job in 1..=60 {
            world.node(job as usize % NODES).machine.submit(job);
            world.done(&all, job, 10_000).await;
        }
        world.agree();
        let view = world.node(0).status().view();
        assert!(view.epoch >= 6, "{view:?}");
        for (height, proof) in world.node(0).machine.proofs() {
            let Some(proof) = proof else { continue };
            let epoch = height / EPOCH_BLOCKS;
            let members = rotating()(epoch).unwrap();
            assert_eq!(proof.verify(&ledger(), &roster(epoch, &members)), Ok(()), "height {height}");
        }
    });
}

#[test]
fn a_node_that_was_away_for_several_epochs_catches_up() {
    simulate(21, |mut world| async move {
        world.start_all().await;
        reach(&world, &[0, 1, 2, 3, 4, 5], 5).await;
        // Node 5 joins the committee in epoch 2; the three others of that committee are a quorum without it.
        world.crash(5).await;
        reach(&world, &[0, 1, 2, 3, 4], 35).await;
        world.start(5).await;
        reach(&world, &[0, 1, 2, 3, 4, 5], 45).await;
        world.agree();
    });
}

#[test]
fn a_restart_of_all_nodes_at_an_epochs_end_goes_on() {
    simulate(22, |mut world| async move {
        world.start_all().await;
        let all: Vec<_> = (0..NODES).collect();
        reach(&world, &all, EPOCH_BLOCKS - 1).await;
        for index in &all {
            world.crash(*index).await;
        }
        for index in &all {
            world.start(*index).await;
        }
        reach(&world, &all, 3 * EPOCH_BLOCKS).await;
        world.agree();
    });
}
