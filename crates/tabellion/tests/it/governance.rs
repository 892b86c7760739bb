//! A consortium of real processes governs itself: the guide in docs/governance.md, run.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tabellion_corpus::{KeyKind, TestCa};
use tempfile::TempDir;

use crate::run::{Ran, tabellion};

const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");
const FOUNDERS: [&str; 4] = ["alpha", "bravo", "charlie", "delta"];
/// How long anything may take that has to come by itself.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Consortium {
    folder: TempDir,
    pub ca: TestCa,
    pub ports: Vec<u16>,
    pub nodes: Vec<Child>,
    published: usize,
    /// The longest time that a publication took until it was recorded.
    longest: Duration,
    /// Key files of members that renewed theirs.
    pub renewed: BTreeMap<&'static str, &'static str>,
}

fn plan(ports: &[u16]) -> String {
    let mut text = "name = \"governed\"\nanchors = [\"root.pem\"]\n\
         [parameters.block]\nepoch_blocks = 16\nheartbeat_ms = 500\n\
         [parameters.governance]\nprobation_epochs = 1\n"
        .to_owned();
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
        let folder = tempfile::tempdir().unwrap();
        let (ca, ports) = (TestCa::new(KeyKind::P256), free_ports(10));
        fs::write(folder.path().join("root.pem"), pem(&[ca.root()])).unwrap();
        fs::write(folder.path().join("plan.toml"), plan(&ports)).unwrap();
        let mut consortium = Self {
            folder,
            ca,
            ports,
            nodes: Vec::new(),
            published: 0,
            longest: Duration::ZERO,
            renewed: BTreeMap::new(),
        };
        tabellion(consortium.path(), &["network", "init", "plan.toml", "--out", "net"]).check(0, &[]);
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
            (_, Some(renewed)) => (*renewed).to_owned(),
            ("echo", _) => "echo.pem".to_owned(),
            (founder, _) => format!("net/keys/{founder}.pem"),
        };
        self.run(&[args, &["--key", &key]].concat()).check(0, &[])
    }

    pub fn start_node(&mut self, config: &str) {
        let log = fs::File::create(self.path().join(format!("{}.log", config.replace('/', "-")))).unwrap();
        let child = Command::new(TABELLION)
            .args(["node", "--config", config])
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

/// X.1409 L9, IV.1, V.1: a fifth organisation is voted in, invites its node, which joins, catches up,
/// reports, and becomes a validator; an old validator leaves. Publishing goes on, and who holds only the
/// genesis document follows.
#[test]
fn a_fifth_organisation_joins_and_an_old_validator_leaves() {
    let mut consortium = Consortium::start();
    consortium.publish();
    let (listen, rest) =
        (format!("127.0.0.1:{}", consortium.ports[4]), format!("127.0.0.1:{}", consortium.ports[9]));
    tabellion(consortium.path(), &["key", "new", "echo.pem", "--plain"]).check(0, &[]);
    let offer = ["member", "offer", "echo", "--name", "Echo", "--role", "operator", "--out", "echo.json"];
    consortium.sign("echo", &offer);
    consortium.run(&["member", "show", "echo"]).check(1, &["is no member"]);
    consortium.decide(&["add-member", "echo.json"], &["bravo", "charlie"]);

    let unsigned = consortium.run(&["vote", "1", "for", "--key", "net/keys/delta.pem"]);
    unsigned.check(3, &["proposal-closed"]);
    consortium.sign("echo", &["node", "invite", "node-echo", "--out", "echo.invitation"]);
    let join = |data: &str| {
        let args = ["node", "join", "echo.invitation", "--listen", &listen, "--rest", &rest, "--data", data];
        tabellion(consortium.path(), &args)
    };
    join("node-echo").check(0, &["tabellion node --config node-echo"]);
    join("node-other").check(3, &["was used by node"]);
    consortium.start_node("node-echo");
    consortium.until("the fifth node reports", |consortium| {
        consortium.publish();
        consortium.node("node-echo")["reports"].as_u64().unwrap_or_default() > 0
    });

    consortium.decide(&["add-validator", "node-echo"], &["bravo", "echo", "delta"]);
    assert_eq!(consortium.node("node-echo")["role"], "validator");
    consortium.decide(&["remove-validator", "node-delta"], &["bravo", "charlie", "echo"]);
    assert_eq!(consortium.node("node-delta")["role"], "full");
    let last = consortium.nodes.remove(3);
    drop(Stopped(last));
    consortium.publish();
    let full = ["ledger", "verify-chain", "--full"];
    consortium.run(&full).check(0, &[]);
    // Every decision is found again from the genesis document and the blocks alone.
    consortium.run(&["ledger", "export", "--out", "chain.archive"]).check(0, &[]);
    let replay = ["ledger", "replay", "chain.archive", "--genesis", "net/genesis.cbor"];
    let found = tabellion(consortium.path(), &replay).check(0, &[]).out;
    for words in ["add-member", "add-validator", "remove-validator", "status        executed  3 for"] {
        assert!(found.contains(words), "'{words}' is missing: {found}");
    }
    tabellion(consortium.path(), &[&replay[..2], &["echo.json"], &replay[3..]].concat())
        .check(1, &["no archive"]);
    // The fifth node has the same chain, and shows it by its own face.
    tabellion(consortium.path(), &[&full[..], &["--network", "node-echo"]].concat()).check(0, &[]);
}

/// A node that is killed.
struct Stopped(Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
