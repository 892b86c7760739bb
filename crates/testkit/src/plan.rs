//! Plans: what happens to a network, from a seed.

use tabellion_engine::sim::Simulation;

use crate::chance::Chance;
use crate::properties;
use crate::world::Nodes;

/// How large a plan is.
#[derive(Clone, Copy, Debug)]
pub struct PlanSize {
    /// Nodes at least.
    pub nodes_min: u64,
    /// Nodes at most.
    pub nodes_max: u64,
    /// Steps of about half a second of simulated time.
    pub steps: u64,
}

/// How long a healed network may take to record a transaction on all nodes. Unit: ms of simulated time.
const HEALING_MS: u64 = 120_000;

/// Runs the plan of a seed and checks its properties; panics with the seed where one does not hold.
///
/// Returns how many transactions were acknowledged.
pub fn run_plan(seed: u64, size: PlanSize) -> usize {
    Simulation::new(seed).run(|world| async move {
        let mut chance = Chance::new(seed);
        let count = size.nodes_min + chance.below(size.nodes_max - size.nodes_min + 1);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let mut nodes = Nodes::start(world, count).await;
        for _ in 0..size.steps {
            step(&mut nodes, &mut chance).await;
            properties::check(&nodes);
        }
        heal(&mut nodes).await;
        properties::check(&nodes);
        nodes.acknowledged.len()
    })
}

/// One step: some transactions, perhaps a fault or its end, half a second.
async fn step(nodes: &mut Nodes, chance: &mut Chance) {
    for _ in 0..chance.below(3) {
        let index = chance.place(nodes.count());
        nodes.submit(index);
    }
    match chance.below(8) {
        0 if nodes.running().len() > 1 => {
            let running = nodes.running();
            nodes.crash_node(running[chance.place(running.len())]).await;
        }
        1 | 2 => {
            let index = chance.place(nodes.count());
            nodes.start_node(index).await;
        }
        3 => nodes.partition(1 + chance.place(nodes.count() - 1)).await,
        4 => nodes.link_all(if chance.once_in(2) { 0.7 } else { 1.0 }).await,
        _ => {}
    }
    nodes.pass(100 + chance.below(900)).await;
}

/// Ends all faults; then progress must come, and all nodes must come level.
async fn heal(nodes: &mut Nodes) {
    for index in 0..nodes.count() {
        nodes.start_node(index).await;
    }
    nodes.link_all(1.0).await;
    let before = nodes.acknowledged.len();
    nodes.submit(0);
    let mut waited = 0;
    while nodes.acknowledged.len() == before || !properties::is_level(nodes) {
        assert!(waited < HEALING_MS, "no progress {waited} ms after healing");
        nodes.pass(500).await;
        waited += 500;
    }
}
