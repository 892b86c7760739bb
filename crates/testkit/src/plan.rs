//! Plans: what happens to a network, from a seed.

use tabellion_engine::sim::Simulation;

use crate::byzantine::Strategy;
use crate::chance::Chance;
use crate::members;
use crate::properties;
use crate::world::Nodes;

/// How large a plan is.
#[derive(Clone, Copy, Debug)]
pub struct PlanSize {
    /// Nodes at least; four are needed where one lies.
    pub nodes_min: u64,
    /// Nodes at most.
    pub nodes_max: u64,
    /// Steps of about half a second of simulated time.
    pub steps: u64,
}

/// What came of a plan whose properties held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How the one dishonest validator lied.
    pub strategy: Strategy,
    /// Nodes.
    pub nodes: usize,
    /// Nodes with a slow disk.
    pub slow: usize,
    /// Transactions that were acknowledged.
    pub acknowledged: usize,
    /// Blocks that honest validators voted down.
    pub voted_down: u64,
    /// Rosters that were in force, one after the other.
    pub rosters: usize,
    /// Times that a node came back with an old copy of its disk.
    pub restored: usize,
    /// Times that a node lost its disk and took a state over.
    pub refilled: usize,
    /// Equivocations of which an honest validator holds evidence.
    pub convicted: usize,
    /// A hash over all that happened in the runtime: equal for equal runs.
    pub audit: String,
}

/// Nodes from which on two may be faulty.
const ROOM_FOR_TWO: usize = 7;
/// How long a healed network may take to record a transaction on all honest nodes. Unit: ms of simulated
/// time.
const HEALING_MS: u64 = 120_000;

/// Runs the plan of a seed and checks its properties; panics where one does not hold.
pub fn run_plan(seed: u64, size: PlanSize) -> Outcome {
    Simulation::new(seed).run(|world| async move {
        let mut chance = Chance::new(seed);
        let count = size.nodes_min + chance.below(size.nodes_max - size.nodes_min + 1);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let strategy = Strategy::of(seed);
        // Half of the plans have slow disks, whatever the strategy: the number of strategies is odd.
        let slow = if seed.is_multiple_of(2) { 1 + chance.place(count / 2) } else { 0 };
        let mut nodes = Nodes::start(world, count, strategy, slow, &mut chance).await;
        let (mut restored, mut refilled) = (0, 0);
        for _ in 0..size.steps {
            match step(&mut nodes, &mut chance).await {
                Forgot::Nothing => {}
                Forgot::Some => restored += 1,
                Forgot::All => refilled += 1,
            }
            properties::check(&mut nodes).await;
        }
        heal(&mut nodes).await;
        properties::check(&mut nodes).await;
        (0..count).for_each(|index| nodes.count_votes(index));
        Outcome {
            strategy,
            nodes: count,
            slow,
            acknowledged: nodes.acknowledged.len(),
            voted_down: nodes.voted_down,
            rosters: properties::rosters(&nodes),
            restored,
            refilled,
            convicted: nodes.evidence.all().len(),
            audit: nodes.world.audit(),
        }
    })
}

/// What a node forgot of its votes.
enum Forgot {
    Nothing,
    /// An old copy of its disk came back.
    Some,
    /// Its disk was lost, and it took a state over.
    All,
}

/// One step: some transactions, perhaps a fault or its end, perhaps a decision of the members, half a second.
async fn step(nodes: &mut Nodes, chance: &mut Chance) -> Forgot {
    for _ in 0..chance.below(3) {
        let index = chance.place(nodes.count());
        nodes.submit(index);
    }
    let mut forgot = Forgot::Nothing;
    match chance.below(12) {
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
        // Whoever was caught lying comes back, and lies again.
        5 | 6 => {
            nodes.world.forgive().await;
            nodes.byzantine.turn(chance);
        }
        // A node without its memory is a fault like a liar: both are a third at most.
        7 if nodes.has_forgetful() => {}
        7 if nodes.byzantine.strategy == Strategy::Honest || nodes.count() >= ROOM_FOR_TWO => {
            let honest = nodes.honest();
            let index = honest[chance.place(honest.len())];
            match chance.below(3) {
                0 => nodes.back_up(index).await,
                1 if nodes.restore(chance).await => forgot = Forgot::Some,
                2 if nodes.lose(index, chance).await => forgot = Forgot::All,
                _ => {}
            }
        }
        8 => members::propose(nodes, chance),
        _ => {}
    }
    if chance.once_in(2) {
        members::vote(nodes, chance);
    }
    nodes.pass(100 + chance.below(900)).await;
    forgot
}

/// Ends all faults but the liar's; then progress must come, and all honest nodes must come level.
async fn heal(nodes: &mut Nodes) {
    for index in 0..nodes.count() {
        nodes.start_node(index).await;
    }
    nodes.link_all(1.0).await;
    let before = nodes.acknowledged.len();
    let honest = nodes.honest();
    nodes.submit(honest[0]);
    let mut waited = 0;
    while nodes.acknowledged.len() == before || !properties::is_level(nodes) {
        assert!(waited < HEALING_MS, "no progress {waited} ms after healing: {:?}", nodes.standing());
        nodes.pass(500).await;
        waited += 500;
    }
}
