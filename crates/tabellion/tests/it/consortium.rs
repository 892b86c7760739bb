//! A consortium of real processes on loopback: four organisations, their nodes, and certificates that are
//! published all the time.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tabellion_client::bench::IssuingCa;
use tabellion_corpus::{KeyKind, TestCa};
use tempfile::TempDir;

use crate::ledger::now;
use crate::run::{Ran, tabellion};

const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");
const FOUNDERS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
/// Blocks of an epoch.
pub const EPOCH_BLOCKS: u64 = 16;
/// How long anything may take that has to come by itself.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Consortium {
    folder: TempDir,
    pub ca: TestCa,
    /// Free ports: between nodes 0 to 3 of the founders, 4 of who comes; REST five further on; then spare
    /// ones.
    pub ports: Vec<u16>,
    pub nodes: Vec<Child>,
    /// What nodes that are started find in their environment, beyond ours.
    pub env: Vec<(&'static str, String)>,
    published: usize,
    /// The longest time that a publication took until it was recorded.
    longest: Duration,
    /// Key files of members that renewed theirs.
    pub renewed: BTreeMap<&'static str, String>,
}

fn plan(ports: &[u16], more: &str) -> String {
    let mut text = format!(
        "name = \"governed\"\nanchors = [\"root.pem\", \"bench/root.pem\"]\n\
         [parameters.block]\nepoch_blocks = {EPOCH_BLOCKS}\nheartbeat_ms = 500\n\
         [parameters.governance]\nprobation_epochs = 1\n"
    );
    text.push_str(more);
    for (place, name) in FOUNDERS.iter().enumerate() {
        let (between, rest) = (ports[place], ports[place + 5]);
        text.push_str(&format!(
            "[[members]]\nid = \"{name}\"\nname = \"{name}\"\nroles = [\"certificate-user\", \"operator\"]\n\
             [[validators]]\nname = \"node-{name}\"\nmember = \"{name}\"\naddress = \"127.0.0.1:{between}\"\n\
             rest = \"127.0.0.1:{rest}\"\n"
        ));
    }
    text
}

pub fn pem(ders: &[&[u8]]) -> String {
    ders.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", *der))).collect()
}

fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<_> = (0..count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect()
}

impl Consortium {
    pub fn start() -> Self {
        Self::start_with(&[], "", "")
    }

    /// A consortium that trusts another root too, where one is given, with more in its plan and in the files
    /// of its nodes.
    pub fn start_with(root: &[u8], more: &str, of_nodes: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (ca, ports) = (TestCa::new(KeyKind::P256), free_ports(12));
        let roots: Vec<&[u8]> = [ca.root(), root].into_iter().filter(|root| !root.is_empty()).collect();
        fs::write(folder.path().join("root.pem"), pem(&roots)).unwrap();
        fs::write(folder.path().join("plan.toml"), plan(&ports, more)).unwrap();
        let mut consortium = Self {
            folder,
            ca,
            ports,
            nodes: Vec::new(),
            env: Vec::new(),
            published: 0,
            longest: Duration::ZERO,
            renewed: BTreeMap::new(),
        };
        tabellion(consortium.path(), &["bench", "ca", "bench"]).check(0, &[]);
        tabellion(consortium.path(), &["network", "init", "plan.toml", "--out", "net"]).check(0, &[]);
        for name in FOUNDERS {
            let file = consortium.path().join(format!("net/nodes/node-{name}/node.toml"));
            let text = fs::read_to_string(&file).unwrap();
            fs::write(&file, format!("{text}\n{of_nodes}")).unwrap();
        }
        FOUNDERS.iter().for_each(|name| consortium.start_node(&format!("net/nodes/node-{name}")));
        consortium.until("the network answers", |consortium| consortium.run(&["ledger", "status"]).code == 0);
        consortium
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        tabellion(self.path(), &[args, &["--network", "net"]].concat())
    }

    /// Runs a command that must come through, signed by a member.
    pub fn sign(&self, member: &str, args: &[&str]) -> Ran {
        let key = match (member, self.renewed.get(member)) {
            (_, Some(renewed)) => renewed.clone(),
            ("echo", _) => "echo.pem".to_owned(),
            (founder, _) => format!("net/keys/{founder}.pem"),
        };
        self.run(&[args, &["--key", &key]].concat()).check(0, &[])
    }

    pub fn start_node(&mut self, config: &str) {
        let log = fs::File::create(self.path().join(format!("{}.log", config.replace('/', "-")))).unwrap();
        let child = Command::new(TABELLION)
            .args(["node", "--config", config])
            .envs(self.env.iter().cloned())
            .current_dir(self.path())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.nodes.push(child.unwrap());
    }

    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let begin = Instant::now();
        while !holds(self) {
            assert!(begin.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}\n{}", self.logs());
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// Publishes a certificate, which must be recorded; a light client that has only the genesis document
    /// then verifies its status.
    pub fn publish(&mut self) {
        self.published += 1;
        let name = format!("c{}.pem", self.published);
        let der = self.ca.issue(&format!("n{}.example", self.published));
        let chain: Vec<&[u8]> = std::iter::once(der.as_slice()).chain(self.ca.intermediates()).collect();
        fs::write(self.path().join(&name), pem(&chain)).unwrap();
        let begin = Instant::now();
        self.sign("alpha", &["cert", "publish", &name]);
        self.longest = self.longest.max(begin.elapsed());
        // The node that is asked first may have been down, and proves what it has until it caught up.
        let verify = ["cert", "verify", &name, "--proof-out", "status.proof"];
        self.until("the status is proved", |consortium| consortium.run(&verify).code == 0);
        let offline = ["cert", "verify", "--offline", "status.proof", "--genesis", "net/genesis.cbor", &name];
        tabellion(self.path(), &offline).check(0, &[]);
    }

    /// Publishes a certificate under a name of its own: its file, and itself.
    pub fn publish_as(&mut self, name: &str) -> (String, Vec<u8>) {
        let file = format!("{name}.pem");
        let der = self.ca.issue(&format!("{name}.example"));
        let chain: Vec<&[u8]> = std::iter::once(der.as_slice()).chain(self.ca.intermediates()).collect();
        fs::write(self.path().join(&file), pem(&chain)).unwrap();
        self.sign("alpha", &["cert", "publish", &file]);
        (file, der)
    }

    /// Proposes, votes by the members named and waits until it is in force; certificates are published
    /// meanwhile.
    pub fn decide(&mut self, change: &[&str], voters: &[&str]) {
        self.sign("alpha", &[&["propose"], change, &["--dry-run"]].concat());
        let proposed =
            self.sign("alpha", &[&["propose"], change, &["--reason", "agreed", "--json"]].concat());
        let number = proposed.json()[1]["number"].to_string();
        voters.iter().for_each(|voter| drop(self.sign(voter, &["vote", &number, "for"])));
        self.until("the proposal is in force", |consortium| {
            consortium.publish();
            let shown = consortium.run(&["proposal", "show", &number, "--json"]).check(0, &[]);
            shown.json()[0]["status"] == "executed"
        });
    }

    /// The ends of what the nodes said.
    fn logs(&self) -> String {
        let entries = fs::read_dir(self.path()).unwrap().map(|entry| entry.unwrap().path());
        let logs = entries.filter(|path| path.extension().is_some_and(|end| end == "log"));
        let tail = |path: std::path::PathBuf| {
            let text = fs::read_to_string(&path).unwrap_or_default();
            let lines: Vec<&str> = text.lines().rev().take(8).collect();
            format!("--- {}\n{}\n", path.display(), lines.into_iter().rev().collect::<Vec<_>>().join("\n"))
        };
        logs.map(tail).collect()
    }

    pub fn node(&self, name: &str) -> serde_json::Value {
        let nodes = self.run(&["node", "list", "--json"]).check(0, &[]).json();
        nodes.into_iter().find(|node| node["name"] == name).unwrap_or_default()
    }
}

impl Drop for Consortium {
    fn drop(&mut self) {
        println!("{} publications; the longest took {:?}", self.published, self.longest);
        for node in &mut self.nodes {
            let _ = node.kill();
            let _ = node.wait();
        }
    }
}

/// Certificates published one after the other in the background, by a member's account. A client that has
/// only the genesis document verifies the status of each.
pub struct Publishing {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Pauses>>,
}

/// How publishing went.
#[derive(Debug)]
pub struct Pauses {
    /// Certificates recorded and verified.
    pub published: usize,
    /// The longest time between two that were recorded.
    pub longest: Duration,
}

impl Publishing {
    /// Opens the account and begins.
    pub fn start(consortium: &Consortium) -> Self {
        let path = consortium.path().to_owned();
        tabellion(&path, &["key", "new", "desk.pem", "--plain"]).check(0, &[]);
        let open = ["account", "open", "desk", "--role", "certificate-user", "--account-key", "desk.pem"];
        consortium.sign("alpha", &open);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = stop.clone();
        let thread = std::thread::spawn(move || publish_until(&path, &stopped));
        Self { stop, thread: Some(thread) }
    }

    /// Ends; what a publication failed with is told here.
    pub fn stop(mut self) -> Pauses {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Publishes until told to stop. A publication that does not come through is another pause; one that never
/// does ends the test.
fn publish_until(path: &Path, stopped: &AtomicBool) -> Pauses {
    let [issuer, key] = ["bench/issuing.pem", "bench/issuing-key.pem"].map(|file| path.join(file));
    let ca = IssuingCa::new(&fs::read(&issuer).unwrap(), &fs::read_to_string(key).unwrap()).unwrap();
    let issuer = fs::read_to_string(issuer).unwrap();
    let run = |args: &[&str]| tabellion(path, &[args, &["--network", "net"]].concat());
    let (mut pauses, mut last) = (Pauses { published: 0, longest: Duration::ZERO }, Instant::now());
    for number in 0.. {
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        let (name, proof) = (format!("background-{number}.pem"), format!("background-{number}.proof"));
        let der = ca.issue(&format!("n{number}.background.example"), now()).unwrap();
        fs::write(path.join(&name), pem(&[&der]) + &issuer).unwrap();
        let ran = run(&["cert", "publish", &name, "--key", "desk.pem"]);
        if ran.code != 0 {
            assert!(last.elapsed() < PATIENCE, "nothing was recorded for {PATIENCE:?}: {ran:?}");
            continue;
        }
        pauses.longest = pauses.longest.max(last.elapsed());
        last = Instant::now();
        pauses.published += 1;
        // A node that is catching up proves what it has.
        while run(&["cert", "verify", &name, "--proof-out", &proof]).code != 0 {
            assert!(last.elapsed() < PATIENCE, "the status of {name} is not proved for {PATIENCE:?}");
        }
        let offline = ["cert", "verify", "--offline", &proof, "--genesis", "net/genesis.cbor", &name];
        tabellion(path, &offline).check(0, &[]);
    }
    pauses
}
