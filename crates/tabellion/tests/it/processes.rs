//! A network of real processes: what is acknowledged survives whatever is killed.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tabellion_corpus::{KeyKind, TestCa};
use tempfile::TempDir;

/// The binary under test.
pub const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");
/// The nodes' names.
pub const NODES: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
/// How long anything may take that has to come by itself.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Steps of a small generator (SplitMix64): a seed makes the same plan everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

/// Four nodes, each a process of its own.
pub struct Network {
    folder: TempDir,
    ca: TestCa,
    pub nodes: [Option<Child>; 4],
    published: Vec<PathBuf>,
}

fn pem(ders: &[&[u8]]) -> String {
    ders.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", *der))).collect()
}

/// Ports that are free now, all different.
fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

fn plan(ports: &[u16]) -> String {
    let mut text = "name = \"processes\"\nanchors = [\"root.pem\"]\n".to_owned();
    for (place, name) in NODES.iter().enumerate() {
        let (between, rest) = (ports[place], ports[place + 4]);
        text.push_str(&format!(
            "[[members]]\nid = \"{name}\"\nname = \"{name}\"\nroles = [\"certificate-user\"]\n\
             [[validators]]\nname = \"{name}\"\nmember = \"{name}\"\naddress = \"127.0.0.1:{between}\"\n\
             rest = \"127.0.0.1:{rest}\"\n"
        ));
    }
    text
}

impl Network {
    pub fn start() -> Self {
        let mut network = Self::make();
        (0..4).for_each(|index| network.start_node(index));
        network
    }

    /// The files of a network, and no node that runs.
    pub fn make() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = TestCa::new(KeyKind::P256);
        fs::write(folder.path().join("root.pem"), pem(&[ca.root()])).unwrap();
        fs::write(folder.path().join("plan.toml"), plan(&free_ports(8))).unwrap();
        let network = Self { folder, ca, nodes: [const { None }; 4], published: Vec::new() };
        let init = network.run(&["network", "init", "plan.toml", "--out", "net"]);
        assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
        network
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, arguments: &[&str]) -> std::process::Output {
        let network = self.path().join("net");
        let mut command = Command::new(TABELLION);
        command.args(arguments).current_dir(self.path()).env("TABELLION_NETWORK", network);
        command.output().unwrap()
    }

    pub fn start_node(&mut self, index: usize) {
        self.start_node_by(index, Command::new(TABELLION));
    }

    /// Starts a node by a command that runs the program with more arguments.
    pub fn start_node_by(&mut self, index: usize, mut program: Command) {
        let name = NODES[index];
        let log =
            fs::OpenOptions::new().create(true).append(true).open(self.path().join(format!("{name}.log")));
        let child = program
            .args(["node", "--config", &format!("net/nodes/{name}")])
            .current_dir(self.path())
            .stdout(Stdio::null())
            .stderr(log.unwrap())
            .spawn();
        self.nodes[index] = Some(child.unwrap());
    }

    /// SIGKILL, at whatever the node is doing.
    pub fn kill_node(&mut self, index: usize) {
        if let Some(mut child) = self.nodes[index].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn url(&self, index: usize) -> String {
        let file = fs::read_to_string(self.path().join("net/client.toml")).unwrap();
        let nodes: toml::Value = toml::from_str(&file).unwrap();
        nodes["nodes"][index].as_str().unwrap().to_owned()
    }

    fn new_certificate(&mut self) -> PathBuf {
        let number = self.published.len() + fs::read_dir(self.path()).unwrap().count();
        let der = self.ca.issue(&format!("n{number}.example"));
        let mut chain = vec![der.as_slice()];
        chain.extend(self.ca.intermediates());
        let file = self.path().join(format!("c{number}.pem"));
        fs::write(&file, pem(&chain)).unwrap();
        file
    }

    /// Publishes a fresh certificate; it counts as acknowledged only where the command says so.
    fn publish(&mut self) -> bool {
        let file = self.new_certificate();
        let acknowledged = self.run(&["cert", "publish", file.to_str().unwrap()]).status.success();
        if acknowledged {
            self.published.push(file);
        }
        acknowledged
    }

    pub fn publish_until_acknowledged(&mut self, why: &str) {
        let begin = Instant::now();
        while !self.publish() {
            assert!(begin.elapsed() < PATIENCE, "nothing is acknowledged {why}\n{}", self.logs());
        }
    }

    /// Waits until every acknowledged certificate is valid on a node, by proof.
    pub fn wait_for(&self, index: usize) {
        let (name, url) = (NODES[index], self.url(index));
        for file in &self.published {
            let begin = Instant::now();
            loop {
                let answer = self.run(&["cert", "verify", file.to_str().unwrap(), "--node", &url]);
                if answer.status.success() {
                    break;
                }
                let text = String::from_utf8_lossy(&answer.stderr).into_owned();
                assert!(begin.elapsed() < PATIENCE, "{name}: {text}\n{}", self.logs());
                std::thread::park_timeout(Duration::from_millis(100));
            }
        }
    }

    /// Every acknowledged certificate is valid on every node, by proof; and every node's chain is the same.
    pub fn check_nothing_is_lost(&self) {
        for index in 0..NODES.len() {
            self.wait_for(index);
            let url = self.url(index);
            let replay = self.run(&["ledger", "verify-chain", "--full", "--node", &url]);
            assert!(replay.status.success(), "{}", String::from_utf8_lossy(&replay.stderr));
        }
    }

    pub fn logs(&self) -> String {
        let tail = |name: &&str| {
            let log = fs::read_to_string(self.path().join(format!("{name}.log"))).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(15).collect();
            format!("--- {name}\n{}\n", lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        NODES.iter().map(tail).collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        (0..4).for_each(|index| self.kill_node(index));
    }
}

/// X.1409 L5, L6: no kill of any node at any moment loses what was acknowledged.
///
/// `TABELLION_KILLS` and `TABELLION_SEED` make it longer and other:
/// `TABELLION_KILLS=10000 cargo nextest run -p tabellion kills`.
#[test]
fn kills_lose_nothing_that_was_acknowledged() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (kills, seed) = (number("TABELLION_KILLS", 200), number("TABELLION_SEED", 1));
    eprintln!("TABELLION_KILLS={kills} TABELLION_SEED={seed}");
    let mut chance = Chance(seed);
    let mut network = Network::start();
    network.publish_until_acknowledged("after the start");
    for kill in 0..kills {
        let victim = usize::try_from(chance.below(4)).unwrap();
        std::thread::park_timeout(Duration::from_millis(chance.below(300)));
        network.kill_node(victim);
        if chance.below(2) == 0 {
            network.publish();
        }
        network.start_node(victim);
        if kill % 8 == 7 {
            network.publish_until_acknowledged(&format!("after kill {kill} of seed {seed}"));
        }
    }
    network.publish_until_acknowledged("after the last kill");
    network.check_nothing_is_lost();
}

/// One of four down: publishing goes on. Two down: it stops, and resumes with the quorum, without a restart.
/// All killed at once: everything is there again.
#[test]
fn a_quorum_of_processes_goes_on_stops_without_and_resumes() {
    let mut network = Network::start();
    network.publish_until_acknowledged("after the start");
    network.kill_node(1);
    network.publish_until_acknowledged("with one of four down");
    network.kill_node(2);
    assert!(!publish_within(&mut network, Duration::from_secs(8)), "acknowledged without a quorum");
    network.start_node(2);
    network.publish_until_acknowledged("after the quorum's return");
    (0..4).for_each(|index| network.kill_node(index));
    (0..4).for_each(|index| network.start_node(index));
    network.publish_until_acknowledged("after all were killed at once");
    network.check_nothing_is_lost();
}

/// Tries to publish for at most this long.
fn publish_within(network: &mut Network, limit: Duration) -> bool {
    let file = network.new_certificate();
    let file = file.to_str().unwrap();
    let mut child = Command::new(TABELLION)
        .args(["cert", "publish", file])
        .current_dir(network.path())
        .env("TABELLION_NETWORK", network.path().join("net"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return status.success();
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    false
}
