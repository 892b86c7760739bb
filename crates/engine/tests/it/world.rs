//! A simulated network of nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tabellion_engine::sim::{
    Disk, Installation, Link, SimulatedNode, Simulation, Tap, Wire, World as Simulated,
};
use tabellion_engine::{
    Committee, EngineError, EngineStatus, NodeConfig, NodeKey, Peer, PeerAddress, node_key,
};
use tabellion_ledger::Height;

use crate::machine::{Committees, Machine, Mischief, ledger};
use crate::shelf::Shelf;
use crate::watcher::Watcher;

/// How long a link takes.
pub const LATENCY: Duration = Duration::from_millis(10);

/// A world's settings.
#[derive(Clone)]
pub struct Plan {
    /// Nodes in all.
    pub nodes: usize,
    /// The first of them are validators.
    pub validators: usize,
    /// Milliseconds between blocks when nothing is to do; 0: none.
    pub heartbeat_ms: u64,
    /// Blocks of an epoch.
    pub epoch_blocks: u64,
    /// Which nodes misbehave, and how.
    pub mischief: BTreeMap<usize, Mischief>,
}

impl Plan {
    pub fn new(validators: usize) -> Self {
        Self {
            nodes: validators,
            validators,
            heartbeat_ms: 0,
            epoch_blocks: 1 << 62,
            mischief: BTreeMap::new(),
        }
    }
}

/// A running node.
pub struct Node {
    pub machine: Arc<Machine>,
    engine: SimulatedNode,
}

impl Node {
    pub fn status(&self) -> &EngineStatus {
        &self.engine.controls.status
    }
}

/// A copy of a node's disk.
#[derive(Clone)]
pub struct RestoredDisk {
    /// Before the names of the copied journals.
    pub prefix: String,
    /// What the file system calls it.
    pub identity: Vec<u8>,
    /// Whether the operator says that it is the newest state.
    pub vouched: bool,
    /// The copied store.
    pub shelf: Shelf,
}

/// Nodes, their stores and the links between them.
pub struct World {
    world: Simulated,
    plan: Plan,
    pub shelves: Vec<Shelf>,
    nodes: Vec<Option<Node>>,
    twin: Option<Node>,
    /// Where the history of a node begins that came by state sync.
    floors: BTreeMap<usize, u64>,
    /// What a node runs on, where it is not its first disk.
    disks: BTreeMap<usize, RestoredDisk>,
    /// Who watches a node's votes.
    watchers: BTreeMap<usize, Arc<Watcher>>,
    committees: Committees,
}

/// Runs a scenario in a world whose committee never changes.
pub fn simulate<T, F: Future<Output = T>>(seed: u64, plan: Plan, scenario: impl FnOnce(World) -> F) -> T {
    let members = committee(0..plan.validators, plan.nodes);
    simulate_committees(seed, plan, Arc::new(move |_| Some(members.clone())), scenario)
}

/// Runs a scenario in a world with these committees.
pub fn simulate_committees<T, F: Future<Output = T>>(
    seed: u64,
    plan: Plan,
    committees: Committees,
    scenario: impl FnOnce(World) -> F,
) -> T {
    Simulation::new(seed).run(|world| {
        let shelves = (0..plan.nodes).map(|_| Shelf::default()).collect();
        let nodes = (0..plan.nodes).map(|_| None).collect();
        scenario(World {
            world,
            plan,
            shelves,
            nodes,
            twin: None,
            floors: BTreeMap::new(),
            disks: BTreeMap::new(),
            watchers: BTreeMap::new(),
            committees,
        })
    })
}

/// A tap that lets a node talk to some peers only.
struct Circle(Vec<NodeKey>);

impl Circle {
    fn of(indices: &[usize]) -> Arc<Self> {
        Arc::new(Self(indices.iter().map(|index| node_key(&seed(*index))).collect()))
    }
}

impl Tap for Circle {
    fn peers(&self) -> Vec<NodeKey> {
        self.0.clone()
    }

    fn pass(&self, _: Wire, message: Bytes) -> Option<Bytes> {
        Some(message)
    }
}

/// The seed of a node's key.
pub fn seed(index: usize) -> [u8; 32] {
    [u8::try_from(index + 1).unwrap(); 32]
}

/// The committee of some nodes, and the others as followers.
pub fn committee(validators: impl IntoIterator<Item = usize>, nodes: usize) -> Committee {
    let peer = |index: usize| Peer { key: node_key(&seed(index)), address: PeerAddress::Unknown };
    let validators: Vec<_> = validators.into_iter().collect();
    let followers = (0..nodes).filter(|index| !validators.contains(index)).map(peer).collect();
    Committee { validators: validators.into_iter().map(peer).collect(), followers }
}

fn node_config(index: usize, plan: &Plan) -> NodeConfig {
    let mut config = NodeConfig::new(seed(index), ledger());
    config.journal_prefix = format!("node-{index}-");
    config.epoch_blocks = plan.epoch_blocks.try_into().unwrap();
    config
}

impl World {
    /// Links every two nodes of a group.
    pub async fn link(&self, group: &[usize]) {
        self.link_with(group, 1.0).await;
    }

    /// Links every two nodes of a group over links that deliver this share of messages.
    pub async fn link_with(&self, group: &[usize], delivered: f64) {
        let link = Link { latency: LATENCY, jitter: Duration::from_millis(2), delivered };
        for (place, a) in group.iter().enumerate() {
            for b in &group[place + 1..] {
                self.world.link(node_key(&seed(*a)), node_key(&seed(*b)), link).await;
            }
        }
    }

    /// Cuts all links between two groups.
    pub async fn cut(&self, left: &[usize], right: &[usize]) {
        for a in left {
            for b in right {
                self.world.cut(node_key(&seed(*a)), node_key(&seed(*b))).await;
            }
        }
    }

    /// All links, and these nodes running.
    pub async fn start_all(&mut self) {
        let all: Vec<_> = (0..self.plan.nodes).collect();
        for index in &all {
            self.start(*index).await;
        }
        self.link(&all).await;
    }

    /// Starts a node over what its last run left.
    pub async fn start(&mut self, index: usize) {
        self.start_on(index, Disk::default()).await;
    }

    /// Gives a new node what state sync copies from another one, up to a height.
    pub fn sync_state(&mut self, index: usize, from: usize, floor: u64) {
        self.shelves[index] = self.shelves[from].synced(floor, self.plan.epoch_blocks);
        self.floors.insert(index, floor);
    }

    /// Has the votes of a node watched from its next start on.
    pub fn watch(&mut self, index: usize) -> Arc<Watcher> {
        let peers = (0..self.plan.nodes).filter(|peer| *peer != index);
        let watcher = Arc::new(Watcher::new(peers.map(|peer| node_key(&seed(peer))).collect()));
        self.watchers.insert(index, watcher.clone());
        watcher
    }

    /// Copies the disk of a node that does not run.
    pub async fn copy_disk(&self, index: usize) -> RestoredDisk {
        let prefix = format!("copy-{index}-");
        self.world.copy_journals(&format!("node-{index}-"), &prefix).await;
        let shelf = self.shelves[index].synced_copy();
        RestoredDisk { prefix, identity: Vec::new(), vouched: false, shelf }
    }

    /// Has a node run on a copy of its disk from its next start on.
    pub fn restore_disk(&mut self, index: usize, disk: RestoredDisk) {
        self.shelves[index] = disk.shelf.clone();
        self.disks.insert(index, disk);
    }

    /// Starts a node on a certain disk.
    pub async fn start_on(&mut self, index: usize, disk: Disk) {
        let (machine, installation) = self.installation(index, self.shelves[index].clone(), "");
        let mut installation = installation.on(disk);
        if let Some(watcher) = self.watchers.get(&index) {
            installation = installation.tapped(watcher.clone());
        }
        let engine = self.world.install(installation).await;
        self.nodes[index] = Some(Node { machine, engine });
    }

    /// Starts two nodes with the key of this index, over empty stores: one talks to `left`, one to `right`.
    pub async fn start_twins(&mut self, index: usize, left: &[usize], right: &[usize]) {
        let (one, of_one) = self.installation(index, self.shelves[index].clone(), "");
        let (other, of_other) = self.installation(index, Shelf::default(), "twin-");
        let twins = [of_one.tapped(Circle::of(left)), of_other.tapped(Circle::of(right))];
        let [engine, twin] = self.world.install_twins(twins).await;
        self.nodes[index] = Some(Node { machine: one, engine });
        self.twin = Some(Node { machine: other, engine: twin });
    }

    fn installation(&self, index: usize, shelf: Shelf, prefix: &str) -> (Arc<Machine>, Installation) {
        let mischief = self.plan.mischief.get(&index).copied().unwrap_or(Mischief::None);
        let Plan { epoch_blocks, heartbeat_ms, .. } = self.plan;
        let machine =
            Machine::new(self.committees.clone(), epoch_blocks, heartbeat_ms, mischief, shelf.clone());
        let mut config = node_config(index, &self.plan);
        config.journal_prefix.push_str(prefix);
        if let Some(disk) = self.disks.get(&index) {
            config.journal_prefix = disk.prefix.clone();
            config.disk = disk.identity.clone();
            config.vouched = disk.vouched;
        }
        config.floor = self.floors.get(&index).map(|height| Height(*height));
        let connected = machine.clone();
        let connect = move |controls| {
            connected.connect(controls);
            connected
        };
        (machine, Installation::new(config, connect, Arc::new(shelf)))
    }

    /// Kills a node; what it had not synced is lost.
    pub async fn crash(&mut self, index: usize) {
        self.nodes[index].take().unwrap().engine.crash().await;
        self.shelves[index].crash();
    }

    /// Stops a node in order.
    pub async fn stop(&mut self, index: usize) -> Result<(), EngineError> {
        self.nodes[index].take().unwrap().engine.stop().await
    }

    /// Waits for a node to end by itself.
    pub async fn ended(&mut self, index: usize) -> Result<(), EngineError> {
        self.nodes[index].take().unwrap().engine.ended().await
    }

    pub fn runs(&self, index: usize) -> bool {
        self.nodes[index].is_some()
    }

    pub fn audit(&self) -> String {
        self.world.audit()
    }

    pub fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().unwrap()
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    pub async fn sleep(&self, ms: u64) {
        self.world.sleep(ms).await;
    }

    /// Waits until these nodes have done a job; the time that took in milliseconds.
    pub async fn done(&self, indices: &[usize], job: u64, patience_ms: u64) -> u64 {
        let start = self.world.now();
        loop {
            let waited = self.world.now().0 - start.0;
            if indices.iter().all(|index| self.node(*index).machine.has_done(job)) {
                return waited;
            }
            assert!(waited < patience_ms, "job {job} was not done by {indices:?} within {patience_ms} ms");
            if waited % 1_000 < 5 {
                self.running().for_each(|node| node.machine.push());
            }
            self.sleep(5).await;
        }
    }

    /// Checks that no two nodes differ at any height.
    pub fn agree(&self) {
        let chains: Vec<_> = self.running().map(|node| node.machine.chain()).collect();
        let longest = chains.iter().max_by_key(|chain| chain.len()).unwrap();
        for chain in &chains {
            assert_eq!(chain[..], longest[..chain.len()], "two chains");
        }
    }
}
