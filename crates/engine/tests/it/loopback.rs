//! Four nodes in one process over TLS on loopback, as in production.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::executor::block_on;
use tabellion_engine::{
    Committee, Config, Engine, EngineError, EngineHandle, NodeConfig, Peer, PeerAddress, node_key,
};
use tabellion_ledger::Height;
use tempfile::TempDir;

use crate::machine::{Committees, Machine, Mischief, ledger, roster};
use crate::shelf::Shelf;
use crate::world::seed;

/// Long enough for any machine under any load.
const PATIENCE: Duration = Duration::from_secs(60);

struct Network {
    addresses: Vec<SocketAddr>,
    folders: TempDir,
    shelves: Vec<Shelf>,
    members: Committee,
}

struct Running {
    machine: Arc<Machine>,
    engine: EngineHandle,
}

impl Network {
    fn new(nodes: usize, validators: usize) -> Self {
        // All ports are held until all are known, so that no two nodes get the same.
        let held: Vec<_> = (0..nodes).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<_> = held.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let peer = |index: usize| Peer {
            key: node_key(&seed(index)),
            address: PeerAddress::Socket(addresses[index]),
        };
        let members = Committee {
            validators: (0..validators).map(peer).collect(),
            followers: (validators..nodes).map(peer).collect(),
        };
        let shelves = (0..nodes).map(|_| Shelf::default()).collect();
        Self { folders: tempfile::tempdir().unwrap(), shelves, members, addresses }
    }

    fn start(&self, index: usize) -> Running {
        let members = self.members.clone();
        let committees: Committees = Arc::new(move |_| Some(members.clone()));
        let shelf = self.shelves[index].clone();
        let machine = Machine::new(committees, 1 << 62, 10_000, Mischief::None, shelf.clone());
        let node = NodeConfig::new(seed(index), ledger());
        let folder = self.folders.path().join(index.to_string());
        let config = Config::new(node, self.addresses[index], folder);
        let engine = Engine::start(config, machine.clone(), Arc::new(shelf)).unwrap();
        machine.connect(engine.controls());
        Running { machine, engine }
    }
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "{what} did not come to be");
        std::thread::park_timeout(Duration::from_millis(1));
    }
    start.elapsed()
}

fn done(nodes: &[&Running], job: u64) -> Duration {
    let start = Instant::now();
    let mut pushed = 0;
    wait_until("a job done", || {
        let seconds = start.elapsed().as_secs();
        if seconds > pushed {
            pushed = seconds;
            nodes.iter().for_each(|node| node.machine.push());
        }
        nodes.iter().all(|node| node.machine.has_done(job))
    })
}

#[test]
fn four_validators_and_a_follower_agree_over_tls() {
    let network = Network::new(5, 4);
    let nodes: Vec<_> = (0..5).map(|index| network.start(index)).collect();
    let all: Vec<_> = nodes.iter().collect();
    for job in 1..=30 {
        nodes[job as usize % 5].machine.submit(job);
        done(&all, job);
    }
    for node in &nodes {
        block_on(node.engine.status().committed(Height(30)));
        let view = node.engine.status().view();
        assert!(view.peers >= 3, "{view:?}");
        assert!(node.engine.metrics().contains("processed_height"), "{}", node.engine.metrics());
    }
    let voters = nodes.iter().filter(|node| node.engine.status().view().validator);
    assert_eq!(voters.count(), 4);
    let chains: Vec<_> = nodes.iter().map(|node| node.machine.chain()).collect();
    assert!(chains.iter().all(|chain| chain[..30] == chains[0][..30]));
    let members = roster(0, &network.members);
    for proof in nodes[4].machine.proofs().into_values().flatten() {
        assert_eq!(proof.verify(&ledger(), &members), Ok(()));
    }
    for node in nodes {
        node.engine.stop().unwrap();
    }
}

#[test]
fn a_stopped_validator_comes_back_with_its_journals() {
    let network = Network::new(4, 4);
    let mut nodes: Vec<_> = (0..4).map(|index| network.start(index)).collect();
    nodes[0].machine.submit(1);
    done(&nodes.iter().collect::<Vec<_>>(), 1);

    let stopped = nodes.remove(3);
    block_on(async {
        stopped.engine.stop().unwrap();
    });
    for job in 2..=5 {
        nodes[0].machine.submit(job);
        done(&nodes.iter().collect::<Vec<_>>(), job);
    }
    nodes.push(network.start(3));
    nodes[3].machine.submit(6);
    done(&nodes.iter().collect::<Vec<_>>(), 6);
}

#[test]
fn a_taken_port_is_told() {
    let network = Network::new(1, 1);
    let _taken = TcpListener::bind(network.addresses[0]).unwrap();
    let shelf = Shelf::default();
    let members = network.members.clone();
    let machine =
        Machine::new(Arc::new(move |_| Some(members.clone())), 1 << 62, 0, Mischief::None, shelf.clone());
    let config =
        Config::new(NodeConfig::new(seed(0), ledger()), network.addresses[0], network.folders.path());
    let started = Engine::start(config, machine, Arc::new(shelf));
    assert!(matches!(started, Err(EngineError::Listen { .. })), "{started:?}");
}

#[test]
fn a_single_validator_finalises_alone() {
    let network = Network::new(1, 1);
    let node = network.start(0);
    node.machine.submit(1);
    done(&[&node], 1);
    node.engine.stop().unwrap();
}
