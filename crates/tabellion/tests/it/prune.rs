//! Storage that shrinks, with real processes: bodies go, room comes back, and everything is proved as before.

mod backup;
mod bucket;

use std::fs;
use std::process::Command;

use serde_json::Value;
use tabellion_client::{NodeClient, NodeTrust, Submitted, read_key_file};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{CertificateId, Content, Height, Lane, LedgerId, Transaction, attachments_root, cbor};
use tabellion_pki::{Action, OptimisationNotice};

use crate::consortium::{Consortium, pem};
use crate::ledger::now;
use crate::run::{Ran, tabellion};

/// A consortium whose first nodes have more in their files.
struct Shrinking {
    consortium: Consortium,
}

fn folder(name: &str) -> String {
    format!("net/nodes/node-{name}")
}

impl Shrinking {
    fn path(&self) -> &std::path::Path {
        self.consortium.path()
    }

    /// Runs a command against one node alone.
    fn at(&self, place: usize, args: &[&str]) -> Ran {
        let node = format!("https://127.0.0.1:{}", self.consortium.ports[place + 5]);
        tabellion(self.path(), &[args, &["--network", "net", "--node", &node]].concat())
    }

    fn restart(&mut self, place: usize, name: &str, more: &str) {
        let file = self.path().join(folder(name)).join("node.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{text}\n{more}")).unwrap();
        let _ = self.consortium.nodes[place].kill();
        self.consortium.nodes[place].wait().unwrap();
        self.consortium.start_node(&folder(name));
        let node = self.consortium.nodes.pop().unwrap();
        self.consortium.nodes[place] = node;
    }

    /// Publishes certificates in one transaction, valid for a while; says in which block.
    fn publish(&self, names: &[String], until: &str) -> u64 {
        let files: Vec<&str> = names.iter().map(String::as_str).collect();
        let args = [&["cert", "publish", "--until", until, "--json"], files.as_slice()].concat();
        let ran = self.consortium.sign("alpha", &args);
        ran.json()[0]["height"].as_u64().unwrap_or_else(|| panic!("{ran:?}"))
    }

    fn holds(&self, place: usize, height: u64) -> bool {
        let ran = self.at(place, &["ledger", "block", &height.to_string(), "--json"]);
        ran.code == 0 && ran.json()[0]["complete"] == true
    }

    fn height(&self) -> u64 {
        let ran = self.consortium.run(&["ledger", "status", "--json"]);
        if ran.code == 0 { ran.json()[0]["height"].as_u64().unwrap() } else { 0 }
    }

    /// What a node says as a log of certificates.
    fn log(&self, place: usize, path: &str) -> String {
        let url = format!("https://127.0.0.1:{}/ct/v1/{path}", self.consortium.ports[place + 5]);
        let ca = self.path().join("net/tls-ca.pem");
        let output = Command::new("curl").args(["-s", "--cacert"]).arg(ca).arg(url).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    /// The root of its tree.
    fn tree(&self, place: usize) -> Value {
        let head: Value = serde_json::from_str(&self.log(place, "get-sth")).unwrap();
        head["sha256_root_hash"].clone()
    }

    fn until_log(&self, place: usize, says: &str) {
        for _ in 0..600 {
            if self.log(place, "get-sth").contains(says) {
                return;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(100));
        }
        panic!("{says}: {}", self.log(place, "get-sth"));
    }

    /// Deletes a node's index and starts the node.
    fn fill_index_again(&mut self, place: usize, name: &str) {
        self.consortium.nodes[place].kill().unwrap();
        self.consortium.nodes[place].wait().unwrap();
        fs::remove_dir_all(self.path().join(folder(name)).join("data/index")).unwrap();
        self.restart(place, name, "");
    }

    fn prune(&self, name: &str, more: &[&str]) -> Ran {
        let folder = folder(name);
        let args = ["node", "prune", "--data", &folder, "--keep", "0s", "--json"];
        tabellion(self.path(), &[&args[..], more].concat())
    }
}

/// Issues a certificate into a file of its name; the name and the identifier.
fn issue(ca: &mut TestCa, it: &Shrinking, name: String) -> (String, String) {
    let der = ca.issue(&name);
    let chain: Vec<&[u8]> = std::iter::once(der.as_slice()).chain(ca.intermediates()).collect();
    fs::write(it.path().join(&name), pem(&chain)).unwrap();
    (name, CertificateId::of(&der).to_string())
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// X.1409 C18, C20, A.3: bodies whose certificates have expired go by themselves or by hand, running or not;
/// the room is given back; statuses are proved, the chain verifies, and another node still gives the
/// certificate.
#[test]
fn bodies_go_once_nothing_in_them_is_needed_and_the_disk_gets_its_room_back() {
    let mut ca = TestCa::new(KeyKind::P256);
    let mut it = Shrinking { consortium: Consortium::start_with(ca.root(), "", "") };
    let short: Vec<_> = (0..150).map(|n| issue(&mut ca, &it, format!("short{n}.example"))).collect();
    let names: Vec<String> = short.iter().map(|(name, _)| name.clone()).collect();
    let (long, long_id) = issue(&mut ca, &it, "long.example".to_owned());
    let gone = it.publish(&names, "+8s");
    let kept = it.publish(&[long], "+30d");
    // The node of charlie deletes by itself; it asks delta's for what it has not.
    let ca_file = fs::canonicalize(it.path().join("net/tls-ca.pem")).unwrap();
    let peers = format!(
        "[peers]\nnodes = [\"https://127.0.0.1:{}\"]\nca = \"{}\"\n",
        it.consortium.ports[8],
        ca_file.display()
    );
    it.restart(2, "charlie", &format!("{peers}[prune]\nkeep = \"0s\"\nevery = \"1s\"\n[ct]\n"));
    it.restart(0, "alpha", "[ct]\n[prune]\non = false\narchive = \"archive\"\n");
    // Two epochs later the blocks are not needed by starting nodes any more.
    let end = gone + 50;
    it.consortium.until("the chain grows", |c| {
        let ran = c.run(&["ledger", "status", "--json"]);
        ran.code == 0 && ran.json()[0]["height"].as_u64().unwrap() > end
    });
    assert!(it.height() > end);
    let at = Shrinking::holds;
    for _ in 0..300 {
        if !at(&it, 2, gone) {
            break;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(100));
    }
    assert!(!at(&it, 2, gone), "charlie deletes by itself");
    assert!(at(&it, 2, kept) && at(&it, 0, gone) && at(&it, 3, gone), "and nothing else, nor do others");

    // Alpha's by hand while it runs, bravo's while it does not.
    let plan = it.prune("alpha", &["--dry-run"]).check(0, &[]).json().remove(0);
    assert_eq!((number(&plan, "bodies"), number(&plan, "certificates")), (1, 150), "{plan}");
    assert_eq!(plan["lanes"]["certificate"], plan["bytes"]);
    assert!(at(&it, 0, gone), "a dry run deletes nothing");
    let done = it.prune("alpha", &[]).check(0, &[]).json().remove(0);
    assert_eq!(done["bytes"], plan["bytes"]);
    assert!(number(&done, "disk_freed") >= number(&plan, "bytes"), "{done}");
    assert!(it.consortium.nodes[0].try_wait().unwrap().is_none(), "in the same process");
    it.consortium.until("alpha goes on", |c| c.run(&["ledger", "status"]).code == 0);
    let again = it.prune("alpha", &["--dry-run"]).check(0, &[]).json().remove(0);
    assert_eq!(number(&again, "bodies"), 0);
    it.consortium.nodes[1].kill().unwrap();
    it.consortium.nodes[1].wait().unwrap();
    let plan = it.prune("bravo", &["--dry-run"]).check(0, &[]).json().remove(0);
    let done = it.prune("bravo", &[]).check(0, &[]).json().remove(0);
    assert_eq!((number(&plan, "bodies"), &done["bytes"]), (1, &plan["bytes"]));
    assert!(number(&done, "disk_freed") >= number(&plan, "bytes"), "{done}");
    it.restart(1, "bravo", "");

    // Every status is proved, by a node without the body too.
    for place in [0, 2] {
        let id = &short[7].1;
        it.consortium.until("the status is proved", |c| {
            let node = format!("https://127.0.0.1:{}", c.ports[place + 5]);
            let args = ["cert", "verify", id, "--network", "net", "--node", &node];
            tabellion(c.path(), &args).code == 4
        });
        it.at(place, &["cert", "verify", &short[7].1]).check(4, &["expired"]);
        it.at(place, &["cert", "verify", &long_id]).check(0, &[]);
    }
    // Alpha has nobody to ask; charlie gives what delta holds.
    it.at(0, &["cert", "show", &short[7].1, "--pem"]).check(1, &["no node at hand holds"]);
    let shown = it.at(2, &["cert", "show", &short[7].1, "--pem"]).check(0, &[]).out;
    let file = fs::read_to_string(it.path().join(&short[7].0)).unwrap();
    let body = |text: &str| text.lines().find(|line| line.len() == 64).unwrap().to_owned();
    assert!(shown.contains(&body(&file)), "{shown}");
    // The chain verifies by headers; to execute it, bodies are needed.
    let verified = it.at(0, &["ledger", "verify-chain"]).check(0, &[]).out;
    assert!(verified.contains("1 of them by their headers"), "{verified}");
    it.at(0, &["ledger", "verify-chain", "--full"]).check(1, &["cannot be executed again", "--node"]);
    it.at(3, &["ledger", "verify-chain", "--full"]).check(0, &[]);
    let through = it.at(2, &["ledger", "verify-chain", "--full"]).check(0, &[]).out;
    assert!(!through.contains("by their headers"), "charlie asks delta: {through}");
    log_without_bodies(&mut it);
    restore(&mut it, gone);
    it.fill_index_again(0, "alpha");
    it.until_log(0, "\"tree_size\":151");
    assert_eq!(it.tree(0), it.tree(2), "with its bodies back it makes the same tree");
}

/// X.1409 C25, A.3: the log of certificates outlives the bodies: its tree stays, its entries come from others
/// or not at all, and an index that is filled without them makes no tree.
fn log_without_bodies(it: &mut Shrinking) {
    for place in [0, 2] {
        it.until_log(place, "\"tree_size\":151");
    }
    assert_eq!(it.tree(0), it.tree(2));
    let count = |text: &str| text.matches("leaf_input").count();
    assert_eq!(count(&it.log(2, "get-entries?start=0&end=150")), 150, "charlie asks delta");
    assert!(it.log(0, "get-entries?start=0&end=150").contains("body-not-held"), "alpha has nobody to ask");
    assert_eq!(count(&it.log(0, "get-entries?start=150&end=150")), 1);
    it.fill_index_again(0, "alpha");
    it.until_log(0, "ct-incomplete");
}

/// What was archived before it was deleted comes back, unless somebody altered it.
fn restore(it: &mut Shrinking, height: u64) {
    let archive = format!("{}/archive", folder("alpha"));
    let run = |it: &Shrinking| {
        tabellion(it.path(), &["node", "restore", "--data", &folder("alpha"), "--from", &archive, "--json"])
    };
    run(it).check(1, &["another process runs this node"]);
    it.consortium.nodes[0].kill().unwrap();
    it.consortium.nodes[0].wait().unwrap();
    let ledger = fs::read_dir(it.path().join(&archive)).unwrap().next().unwrap().unwrap().path();
    let file = ledger.join("00000000").join(format!("{height:012}-certificate.body"));
    let bytes = fs::read(&file).unwrap();
    let mut altered = bytes.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    fs::write(&file, altered).unwrap();
    let refused = run(it).check(5, &["are no bodies of this ledger"]).json();
    assert_eq!((&refused[0]["bodies"], &refused[0]["refused"]), (&0.into(), &1.into()));
    fs::write(&file, bytes).unwrap();
    assert_eq!(run(it).check(0, &[]).json()[0]["bodies"], 1);
    assert_eq!(run(it).check(0, &[]).json()[0]["bodies"], 0, "it is there");
    it.restart(0, "alpha", "");
    it.consortium.until("alpha executes the whole chain", |c| {
        let node = format!("https://127.0.0.1:{}", c.ports[5]);
        let args = ["ledger", "verify-chain", "--full", "--network", "net", "--node", &node];
        tabellion(c.path(), &args).code == 0
    });
}

/// A notice for one block under a key, as anybody who has the key could make it.
fn notice(path: &std::path::Path, key: &str, height: u64) -> Transaction {
    let key = read_key_file(&path.join(key), || None).unwrap();
    let genesis = fs::read(path.join("net/genesis.cbor")).unwrap();
    let content = Content {
        ledger: LedgerId::of(&genesis),
        lane: Lane::Certificate,
        valid_until: now().plus(600_000),
        nonce: [7; 16],
        action: cbor::to_bytes(&Action::Notice(OptimisationNotice(vec![Height(height)]))),
        attachments: attachments_root(&[] as &[Vec<u8>]),
    };
    Transaction::new(key.envelope(&content).unwrap(), Vec::new()).unwrap()
}

/// Submits to the node of alpha; the code of the refusal, if it is refused.
fn submit(it: &Shrinking, transaction: &Transaction) -> Option<String> {
    let ca = fs::read(it.path().join("net/tls-ca.pem")).unwrap();
    let node = format!("https://127.0.0.1:{}", it.consortium.ports[5]);
    let client = NodeClient::new(&[node], &NodeTrust::Authorities(ca)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let wait = std::time::Duration::from_secs(30);
    match runtime.block_on(client.submit(transaction.id(), transaction.to_bytes(), wait)).unwrap() {
        Submitted::Recorded(_) => None,
        Submitted::Refused(problem) => Some(problem.code),
        Submitted::Pending(_) => panic!("still pending"),
    }
}

/// X.1409 C18, C21, A.3: on a ledger of identifiers a backup node keeps the certificates and gives notice;
/// each node verifies it and only then deletes. What is forged or comes too early deletes nothing.
#[test]
fn bodies_of_identifiers_go_by_a_true_notice_of_a_backup_node_alone() {
    let mut ca = TestCa::new(KeyKind::P256);
    let prune = "[prune]\nkeep = \"0s\"\nevery = \"1s\"\n";
    let kind = "[parameters.certificate]\nkind = \"identifiers\"\n";
    let mut it = Shrinking { consortium: Consortium::start_with(ca.root(), kind, prune) };
    it.consortium
        .sign("alpha", &["node", "invite", "keeper", "--role", "backup", "--out", "keeper.invitation"]);
    let [listen, rest] = [4, 9].map(|place| format!("127.0.0.1:{}", it.consortium.ports[place]));
    let join =
        ["node", "join", "keeper.invitation", "--data", "keeper", "--listen", &listen, "--rest", &rest];
    tabellion(it.path(), &join).check(0, &[]);
    let file = it.path().join("keeper/node.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}\n{prune}")).unwrap();
    it.consortium.start_node("keeper");
    let at_keeper =
        |it: &Shrinking, args: &[&str]| tabellion(it.path(), &[args, &["--network", "keeper"]].concat());
    it.consortium.until("the backup node follows", |c| {
        let status = ["node", "status", "--data", "keeper", "--json"];
        let ran = tabellion(c.path(), &status);
        ran.code == 0 && ran.json()[0]["health"]["peers"].as_u64().unwrap_or(0) >= 3
    });

    let (short, short_id) = issue(&mut ca, &it, "short.example".to_owned());
    let (long, _) = issue(&mut ca, &it, "long.example".to_owned());
    let gone = it.publish(&[short], "+10s");
    let kept = it.publish(&[long], "+30d");
    assert_eq!(
        submit(&it, &notice(it.path(), "net/keys/alpha.pem", kept)).as_deref(),
        Some("wrong-kind-of-key")
    );
    let validators = notice(it.path(), "net/nodes/node-alpha/node-key.pem", kept);
    assert_eq!(submit(&it, &validators).as_deref(), Some("wrong-kind-of-node"));
    // Too early, under the backup node's own key: recorded, found untrue by everybody, forgotten.
    assert_eq!(submit(&it, &notice(it.path(), "keeper/node-key.pem", kept)), None);

    it.consortium.until("every validator deletes the body", |c| {
        let held = |place: usize| {
            let node = format!("https://127.0.0.1:{}", c.ports[place + 5]);
            let args = ["ledger", "block", &gone.to_string(), "--json", "--network", "net", "--node", &node];
            let ran = tabellion(c.path(), &args);
            ran.code != 0 || ran.json()[0]["complete"] == true
        };
        !(0..4).any(held)
    });
    for place in 0..4 {
        assert!(it.holds(place, kept), "the untrue notice deleted nothing");
    }
    let block = at_keeper(&it, &["ledger", "block", &gone.to_string(), "--json"]).check(0, &[]).json();
    assert_eq!(block[0]["complete"], true, "the backup node keeps all bodies");
    let shown = at_keeper(&it, &["cert", "show", &short_id, "--pem"]).check(0, &[]).out;
    assert!(shown.contains("BEGIN CERTIFICATE"), "and the certificate: {shown}");
    // Appendix II.2: a validator that holds identifiers only asks the backup node.
    it.at(0, &["cert", "show", &short_id, "--pem"]).check(1, &["no node at hand holds"]);
    let ca_file = fs::canonicalize(it.path().join("keeper/tls-ca.pem")).unwrap();
    let peers = format!("[peers]\nnodes = [\"https://{rest}\"]\nca = \"{}\"\n", ca_file.display());
    it.restart(0, "alpha", &peers);
    it.consortium.until("alpha gives what the backup node holds", |c| {
        let node = format!("https://127.0.0.1:{}", c.ports[5]);
        let args = ["cert", "show", &short_id, "--pem", "--network", "net", "--node", &node];
        let ran = tabellion(c.path(), &args);
        ran.code == 0 && ran.out == shown
    });
    at_keeper(&it, &["ledger", "verify-chain"]).check(0, &[]);
    it.at(0, &["cert", "verify", &short_id]).check(4, &["expired"]);
}
