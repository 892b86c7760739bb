//! Whole nodes on a simulated network.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tabellion_engine::sim::{Link, SimulatedNode, World};
use tabellion_engine::{Committee, NodeConfig, NodeKey, Peer, PeerAddress, node_key};
use tabellion_ledger::{Height, TransactionId};
use tabellion_node::PoolLimits;
use tabellion_node::core::{Core, Rounds, Voice};
use tabellion_node::store::{Store, StoreConfig};
use tempfile::TempDir;

use crate::ledger::{TestLedger, node_seed};

/// How often nodes do what is due. Unit: ms.
const TICK_MS: u64 = 50;

/// A node that runs.
struct Running {
    core: Arc<Core>,
    rounds: Rounds,
    engine: SimulatedNode,
}

/// Nodes, running or crashed, with their folders.
pub struct Nodes {
    /// The simulated world.
    pub world: World,
    /// The ledger.
    pub ledger: TestLedger,
    folders: Vec<TempDir>,
    running: Vec<Option<Running>>,
    /// Transactions that a node has acknowledged: recorded and durable there.
    pub acknowledged: BTreeMap<TransactionId, Height>,
    submitted: Vec<(usize, TransactionId)>,
}

fn key(index: usize) -> NodeKey {
    node_key(&node_seed(index))
}

impl Nodes {
    /// Starts as many nodes, linked each with each.
    pub async fn start(world: World, count: usize) -> Self {
        let ledger = TestLedger::new(count, world.now());
        let folders = (0..count).map(|_| tempfile::tempdir().expect("a folder can be made")).collect();
        let running = (0..count).map(|_| None).collect();
        let mut nodes =
            Self { world, ledger, folders, running, acknowledged: BTreeMap::new(), submitted: Vec::new() };
        for index in 0..count {
            nodes.start_node(index).await;
        }
        nodes.link_all(1.0).await;
        nodes
    }

    /// Number of nodes.
    pub fn count(&self) -> usize {
        self.running.len()
    }

    /// Nodes that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.count()).filter(|index| self.running[*index].is_some()).collect()
    }

    /// The core of a running node.
    pub fn core(&self, index: usize) -> Option<&Arc<Core>> {
        self.running[index].as_ref().map(|running| &running.core)
    }

    /// Links all nodes; `delivered` is the share of messages that arrive.
    pub async fn link_all(&self, delivered: f64) {
        for (a, b) in self.pairs() {
            let (latency, jitter) = (Duration::from_millis(10), Duration::from_millis(3));
            self.world.link(key(a), key(b), Link { latency, jitter, delivered }).await;
        }
    }

    /// Cuts the nodes below `border` off from the others.
    pub async fn partition(&self, border: usize) {
        for (a, b) in self.pairs().filter(|(a, b)| *a < border && *b >= border) {
            self.world.cut(key(a), key(b)).await;
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.count();
        (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
    }

    /// Starts a node over its folder, as it is.
    pub async fn start_node(&mut self, index: usize) {
        if self.running[index].is_some() {
            return;
        }
        let id = self.ledger.id();
        let config = StoreConfig {
            page_cache_bytes: 1 << 20,
            state_cache_bytes: 1 << 20,
            chain_cache_bytes: 1 << 20,
            ..StoreConfig::default()
        };
        let store = Store::open(self.folders[index].path(), id, config).expect("the store opens again");
        let store = Arc::new(store);
        let peer = |index| Peer { key: key(index), address: PeerAddress::Unknown };
        let committee =
            Committee { validators: (0..self.count()).map(peer).collect(), followers: Vec::new() };
        let genesis = self.ledger.genesis.clone();
        let core = Core::open(genesis, committee, store.clone(), PoolLimits::default())
            .expect("the core opens again");
        let core = Arc::new(core);
        let mut node = NodeConfig::new(node_seed(index), id);
        node.journal_prefix = format!("node-{index}-");
        let application = core.clone();
        let engine = self.world.start(
            node,
            move |controls| {
                application.give_voice(Voice { waker: controls.waker, gossip: controls.gossip });
                application
            },
            store,
        );
        let engine = engine.await;
        self.running[index] = Some(Running { core, rounds: Rounds::default(), engine });
    }

    /// Kills a node in the middle of what it does.
    pub async fn crash_node(&mut self, index: usize) {
        if let Some(Running { engine, .. }) = self.running[index].take() {
            engine.crash().await;
        }
    }

    /// Gives a fresh transaction to a node, if it runs.
    pub fn submit(&mut self, index: usize) {
        let now = self.world.now();
        let transaction = self.ledger.publish(now);
        let Some(core) = self.core(index) else { return };
        // A node that lags may refuse; then nothing is owed.
        if let Ok(id) = core.submit(transaction, now) {
            self.submitted.push((index, id));
        }
    }

    /// Lets time pass, while all running nodes do what is due.
    pub async fn pass(&mut self, ms: u64) {
        let until = self.world.now().plus(ms);
        while self.world.now() < until {
            self.world.sleep(TICK_MS).await;
            let now = self.world.now();
            for running in self.running.iter_mut().flatten() {
                running.core.tick(&mut running.rounds, now).expect("the store works");
            }
            self.take_acknowledgements();
        }
    }

    /// What the node that took a transaction says is recorded is owed from then on.
    fn take_acknowledgements(&mut self) {
        let recorded = |(index, id): &(usize, TransactionId)| {
            let core = self.running[*index].as_ref().map(|running| &running.core)?;
            let found = core.store().transaction(id).expect("the store reads")?;
            (found.place.height <= core.newest().height).then_some((*id, found.place.height))
        };
        let news: Vec<_> = self.submitted.iter().filter_map(recorded).collect();
        self.acknowledged.extend(news);
        self.submitted.retain(|(_, id)| !self.acknowledged.contains_key(id));
    }
}
