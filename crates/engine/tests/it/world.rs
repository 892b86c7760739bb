//! A simulated network of nodes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{Config, Link, Network, Oracle};
use commonware_runtime::deterministic::Context;
use commonware_runtime::{Clock, Handle, Spawner, Supervisor};
use commonware_utils::channel::oneshot;
use commonware_utils::{NZUsize, probability};
use tabellion_engine::sim::{Ends, Wire, Wires, message_bytes_max, run};
use tabellion_engine::{Committee, Controls, EngineError, NodeConfig, NodeKey, Peer, PeerAddress, node_key};

use crate::machine::{Committees, Machine, Mischief, ledger};
use crate::shelf::Shelf;

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
    pub controls: Controls,
    task: Handle<Result<(), EngineError>>,
    stop: Option<oneshot::Sender<()>>,
}

/// Nodes, their stores and the links between them.
pub struct World {
    pub context: Context,
    pub plan: Plan,
    pub oracle: Oracle<PublicKey, Context>,
    pub shelves: Vec<Shelf>,
    pub nodes: Vec<Option<Node>>,
    starts: usize,
    committees: Committees,
}

/// The seed of a node's key.
pub fn seed(index: usize) -> [u8; 32] {
    [u8::try_from(index + 1).unwrap(); 32]
}

fn engine_key(index: usize) -> PublicKey {
    let key: NodeKey = node_key(&seed(index));
    PublicKey::try_from(key.0).unwrap()
}

/// The committee of some nodes, and the others as followers.
pub fn committee(validators: impl IntoIterator<Item = usize>, nodes: usize) -> Committee {
    let peer = |index: usize| Peer { key: node_key(&seed(index)), address: PeerAddress::Unknown };
    let validators: Vec<_> = validators.into_iter().collect();
    let followers = (0..nodes).filter(|index| !validators.contains(index)).map(peer).collect();
    Committee { validators: validators.into_iter().map(peer).collect(), followers }
}

pub fn node_config(index: usize, plan: &Plan) -> NodeConfig {
    let mut config = NodeConfig::new(seed(index), ledger());
    config.journal_prefix = format!("node-{index}-");
    config.epoch_blocks = plan.epoch_blocks.try_into().unwrap();
    config
}

impl World {
    /// A world whose committee never changes.
    pub async fn new(context: Context, plan: Plan) -> Self {
        let members = committee(0..plan.validators, plan.nodes);
        Self::with_committees(context, plan, Arc::new(move |_| Some(members.clone()))).await
    }

    pub async fn with_committees(context: Context, plan: Plan, committees: Committees) -> Self {
        let config = Config {
            max_size: message_bytes_max(&node_config(0, &plan)),
            max_peers_per_set: NZUsize!(64),
            disconnect_on_block: true,
            tracked_peer_sets: NZUsize!(4),
        };
        let (network, oracle) = Network::new(context.child("network"), config);
        network.start();
        let shelves = (0..plan.nodes).map(|_| Shelf::default()).collect();
        let nodes = (0..plan.nodes).map(|_| None).collect();
        Self { context, plan, oracle, shelves, nodes, starts: 0, committees }
    }

    /// Links every two nodes of a group, both ways.
    pub async fn link(&self, group: &[usize]) {
        for a in group {
            for b in group {
                if a != b {
                    let jitter = Duration::from_millis(2);
                    let link = Link { latency: LATENCY, jitter, success_rate: probability!(1.0) };
                    let _ = self.oracle.remove_link(engine_key(*a), engine_key(*b)).await;
                    self.oracle.add_link(engine_key(*a), engine_key(*b), link).await.unwrap();
                }
            }
        }
    }

    /// Cuts all links between two groups.
    pub async fn cut(&self, left: &[usize], right: &[usize]) {
        for a in left {
            for b in right {
                let _ = self.oracle.remove_link(engine_key(*a), engine_key(*b)).await;
                let _ = self.oracle.remove_link(engine_key(*b), engine_key(*a)).await;
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
        let mischief = self.plan.mischief.get(&index).copied().unwrap_or(Mischief::None);
        let shelf = self.shelves[index].clone();
        let Plan { epoch_blocks, heartbeat_ms, .. } = self.plan;
        let machine =
            Machine::new(self.committees.clone(), epoch_blocks, heartbeat_ms, mischief, shelf.clone());
        let config = node_config(index, &self.plan);
        let (controls, ends) = Ends::new(&config);
        machine.connect(controls.clone());
        let control = self.oracle.control(engine_key(index));
        let mut wires = Vec::new();
        for wire in Wire::ALL {
            wires.push(control.register(wire.number(), wire.quota()).await.unwrap());
        }
        let [votes, certificates, requests, backfill, blocks, pool] = wires.try_into().ok().unwrap();
        let wires = Wires { votes, certificates, requests, backfill, blocks, pool };
        let (stop, stopped) = oneshot::channel();
        self.starts += 1;
        let context = self.context.child("node").with_attribute("start", self.starts);
        let (application, peers) = (machine.clone(), self.oracle.socket_manager());
        let task = context.spawn(move |context| async move {
            run(context, config, application, Arc::new(shelf), ends, (wires, peers, control), stopped).await
        });
        self.nodes[index] = Some(Node { machine, controls, task, stop: Some(stop) });
    }

    /// Kills a node; what it had not synced is lost.
    pub async fn crash(&mut self, index: usize) {
        let node = self.nodes[index].take().unwrap();
        node.task.abort();
        let _ = node.task.await;
        self.shelves[index].crash();
    }

    /// Stops a node in order.
    pub async fn stop(&mut self, index: usize) -> Result<(), EngineError> {
        let mut node = self.nodes[index].take().unwrap();
        let _ = node.stop.take().unwrap().send(());
        node.task.await.unwrap()
    }

    /// Waits for a node to end by itself.
    pub async fn ended(&mut self, index: usize) -> Result<(), EngineError> {
        self.nodes[index].take().unwrap().task.await.unwrap()
    }

    pub fn node(&self, index: usize) -> &Node {
        self.nodes[index].as_ref().unwrap()
    }

    fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    pub async fn sleep(&self, ms: u64) {
        self.context.sleep(Duration::from_millis(ms)).await;
    }

    /// Waits until these nodes have done a job; the time that took in milliseconds.
    pub async fn done(&self, indices: &[usize], job: u64, patience_ms: u64) -> u64 {
        let start = self.context.current();
        loop {
            let waited = self.context.current().duration_since(start).unwrap().as_millis() as u64;
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
