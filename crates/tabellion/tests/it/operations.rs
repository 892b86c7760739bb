//! The bad days of an operator, with real processes: docs/governance.md from "Planned maintenance" on, run.

use std::fs;
use std::process::Command;

use serde_json::Value;
use tabellion_consortium::NodeKey;
use tabellion_corpus::{KeyKind, TestCa};

use crate::consortium::{Consortium, EPOCH_BLOCKS, pem};
use crate::run::{Ran, tabellion};

fn folder(name: &str) -> String {
    format!("net/nodes/node-{name}")
}

/// What `node status` says of the node of a folder on this host.
fn status(consortium: &Consortium, folder: &str) -> Value {
    let ran = tabellion(consortium.path(), &["node", "status", "--data", folder, "--json"]);
    if ran.code == 0 {
        return ran.json().remove(0);
    }
    eprintln!("{}", ran.err);
    Value::Null
}

fn is_well(status: &Value) -> bool {
    status["health"]["status"] == "ok" && status["health"]["key"] == status["node"]["key"]
}

fn drain(consortium: &Consortium, folder: &str, more: &[&str]) -> Ran {
    let args = ["node", "drain", "--data", folder, "--notice", "0s"];
    tabellion(consortium.path(), &[&args[..], more].concat())
}

/// X.1409 C4: a CA that was voted in counts at once, also for the check before sending; one that was voted
/// out does not.
#[test]
fn trusted_cas_are_those_of_the_votes() {
    let mut consortium = Consortium::start();
    let mut other = TestCa::new(KeyKind::P256);
    fs::write(consortium.path().join("other.pem"), pem(&[other.root()])).unwrap();
    let mut issue = |consortium: &Consortium, name: &str| {
        let der = other.issue(name);
        let chain: Vec<&[u8]> = std::iter::once(der.as_slice()).chain(other.intermediates()).collect();
        fs::write(consortium.path().join(name), pem(&chain)).unwrap();
    };
    issue(&consortium, "a.example");
    issue(&consortium, "b.example");
    let publish = |consortium: &Consortium, name: &str| {
        consortium.run(&["cert", "publish", name, "--key", "net/keys/alpha.pem"])
    };
    publish(&consortium, "a.example").check(3, &["the issuer of"]);
    consortium.decide(&["trusted-cas", "--add", "other.pem"], &["bravo", "charlie"]);
    let cas = consortium.run(&["ledger", "cas", "--json"]).check(0, &[]).json();
    assert_eq!(cas.len(), 3);
    let ledger = consortium.run(&["ledger", "status", "--json"]).check(0, &[]).json();
    assert_eq!(ledger[0]["trusted_cas"], 3);
    publish(&consortium, "a.example").check(0, &[]);
    let id = tabellion_ledger::CertificateId::of(other.root()).to_string();
    consortium.decide(&["trusted-cas", "--remove", &id], &["bravo", "charlie"]);
    publish(&consortium, "b.example").check(3, &["the issuer of"]);
}

/// X.1409 L9: all keys of a member and of nodes are rotated while publishing goes on, and who holds only the
/// genesis document follows.
#[test]
fn keys_of_a_member_and_of_nodes_rotate_while_publishing_goes_on() {
    let mut consortium = Consortium::start();
    consortium.publish();
    rotate_the_key_of_a_member(&mut consortium, "alpha", "net/keys/alpha.pem");
    rotate_the_key_of_a_node(&mut consortium, 0, "alpha", &folder("alpha"));
    renew_the_certificate_of_a_face(&mut consortium);
    rotate_the_key_of_a_node_that_sleeps(&mut consortium, "charlie", 2, 0);
    // Its peers let its old key in no more.
    rotate_the_key_of_a_node_that_sleeps(&mut consortium, "delta", 3, 3 * EPOCH_BLOCKS);
    consortium.run(&["ledger", "verify-chain", "--full"]).check(0, &[]);
}

/// X.1409 L9: a node is drained and comes back, a disk is lost and its node replaced, by nodes whose keys
/// were rotated meanwhile; publishing goes on, and who holds only the genesis document follows.
#[test]
fn a_node_is_drained_and_a_lost_disk_is_replaced_while_publishing_goes_on() {
    let mut consortium = Consortium::start();
    consortium.publish();
    rotate_the_key_of_a_node(&mut consortium, 0, "alpha", &folder("alpha"));
    take_a_node_out_of_service(&mut consortium);
    refuse_the_wrong_successor(&mut consortium);
    replace_a_lost_node(&mut consortium, 3, "delta", [4, 9], &["bravo", "charlie"]);
    let full = ["ledger", "verify-chain", "--full", "--network", "net/nodes/new-delta"];
    tabellion(consortium.path(), &full).check(0, &[]);
}

/// Two keys are valid at once, so that the member is never without one; `present` is the file of the old one.
pub fn rotate_the_key_of_a_member(consortium: &mut Consortium, member: &'static str, present: &str) {
    let next = format!("{member}-2.pem");
    tabellion(consortium.path(), &["key", "new", &next, "--plain"]).check(0, &[]);
    consortium.sign(member, &["member", "key", "add", &next]);
    let shown = consortium.run(&["member", "show", member, "--json"]).check(0, &[]).json();
    let old = shown[0]["keys"][0].as_str().unwrap().to_owned();
    consortium.renewed.insert(member, next);
    consortium.sign(member, &["member", "key", "retire", &old]);
    let stale = ["member", "describe", "--name", "A", "--key", present];
    consortium.run(&stale).check(3, &["key-retired"]);
    consortium.publish();
}

/// The node in `folder` changes over to a next key while it runs.
pub fn rotate_the_key_of_a_node(consortium: &mut Consortium, place: usize, member: &str, folder: &str) {
    let before = status(consortium, folder);
    assert!(is_well(&before), "{before}");
    let ca = format!("{member}-old-ca.pem");
    cas(consortium, folder, &ca).check(0, &["-old-ca.pem: 1"]);
    consortium.sign(member, &["node", "rotate-key", folder]);
    consortium.sign(member, &["node", "rotate-key", folder]);
    consortium.until("the node changes over by itself", |consortium| {
        consortium.publish();
        let now = status(consortium, folder);
        is_well(&now) && now["node"]["key"] != before["node"]["key"]
    });
    let next = consortium.path().join(folder).join("node-key-next.pem");
    consortium.until("the key file is in its place", |_| !next.exists());
    assert!(consortium.nodes[place].try_wait().unwrap().is_none(), "in the same process");
    until_it_votes(consortium, folder);
    clients_follow(consortium, folder, &ca);
}

/// Votes of before count for nothing: under a key that is new to its disk a node first doubts, until the
/// others have moved on.
fn until_it_votes(consortium: &mut Consortium, folder: &str) {
    let begin = height(consortium);
    let voted = |consortium: &mut Consortium| {
        consortium.publish();
        status(consortium, folder)["at_work_height"].as_u64().is_some_and(|at_work| at_work > begin)
    };
    consortium.until("the node votes under its new key", voted);
}

/// The newest block's height.
fn height(consortium: &Consortium) -> u64 {
    let ledger = consortium.run(&["ledger", "status", "--json"]).check(0, &[]).json();
    ledger[0]["height"].as_u64().unwrap()
}

/// Where clients reach the node of a folder.
fn url(consortium: &Consortium, folder: &str) -> String {
    let text = fs::read_to_string(consortium.path().join(folder).join("node.toml")).unwrap();
    let node: toml::Value = toml::from_str(&text).unwrap();
    format!("https://{}", node["rest"]["listen"].as_str().unwrap())
}

/// Brings the file up to date by which clients know the node of a folder.
fn cas(consortium: &Consortium, folder: &str, file: &str) -> Ran {
    consortium.run(&["node", "cas", "--node", &url(consortium, folder), "--out", file])
}

/// What a client that is not ours says to a node that it knows by a file of CAs.
fn curl(consortium: &Consortium, folder: &str, ca: &str) -> bool {
    let mut curl = Command::new("curl");
    curl.args(["-sf", "--cacert", ca, &format!("{}/v1/ledger", url(consortium, folder))]);
    curl.current_dir(consortium.path()).output().unwrap().status.success()
}

/// Clients that know a node by its old CA go on without a touch; so do those that know it by its new one,
/// which the ledger tells, or by the pin of its new key.
fn clients_follow(consortium: &Consortium, folder: &str, old_ca: &str) {
    assert!(curl(consortium, folder, old_ca), "by the old CA");
    let node = url(consortium, folder);
    let key = status(consortium, folder)["node"]["key"].as_str().unwrap().to_owned();
    let mut raw = [0; 32];
    hex::decode_to_slice(key, &mut raw).unwrap();
    let pin = NodeKey(raw).id().to_string();
    let named = ["--node", &node, "--genesis", "net/genesis.cbor"];
    for known in [["--pin", &pin], ["--ca", old_ca]] {
        tabellion(consortium.path(), &[&["ledger", "status"][..], &named, &known].concat()).check(0, &[]);
    }
    let updated = cas(consortium, folder, old_ca).check(0, &["-old-ca.pem: 1"]);
    assert!(updated.out.contains("proved") && updated.out.contains("dropped"), "{updated:?}");
    assert!(curl(consortium, folder, old_ca), "by the new CA");
}

/// A face with a certificate of the operator's own shows what is renewed on disk, without a restart: the
/// status command knows the node by the certificate that lies in its folder.
fn renew_the_certificate_of_a_face(consortium: &mut Consortium) {
    let (alpha, path) = (folder("alpha"), consortium.path().join(folder("alpha")));
    let lay = || {
        let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        fs::write(path.join("tls.pem"), made.cert.pem()).unwrap();
        fs::write(path.join("tls-key.pem"), made.signing_key.serialize_pem()).unwrap();
    };
    lay();
    let text = fs::read_to_string(path.join("node.toml")).unwrap();
    let named = "[rest]\ncertificate = \"tls.pem\"\nkey = \"tls-key.pem\"";
    fs::write(path.join("node.toml"), text.replace("[rest]", named)).unwrap();
    restart(consortium, 0, &alpha);
    consortium.until("the operator's certificate is shown", |c| is_well(&status(c, &alpha)));
    lay();
    consortium.until("the renewed certificate is shown", |c| is_well(&status(c, &alpha)));
    let refused = cas(consortium, &alpha, "foreign.pem");
    refused.check(6, &["not of its own making", "no node showed a CA"]);
    fs::write(path.join("node.toml"), text).unwrap();
    restart(consortium, 0, &alpha);
    consortium.until("the node makes its own again", |c| is_well(&status(c, &alpha)));
}

fn restart(consortium: &mut Consortium, place: usize, folder: &str) {
    consortium.nodes[place].kill().unwrap();
    consortium.nodes[place].wait().unwrap();
    consortium.start_node(folder);
    let node = consortium.nodes.pop().unwrap();
    consortium.nodes[place] = node;
}

/// Its key takes over while it is down, and the ledger goes on by so many blocks: it starts with the old one,
/// learns of it, and goes on with the new.
fn rotate_the_key_of_a_node_that_sleeps(
    consortium: &mut Consortium,
    member: &str,
    place: usize,
    blocks: u64,
) {
    let folder = folder(member);
    let before = status(consortium, &folder);
    consortium.sign(member, &["node", "rotate-key", &folder]);
    consortium.nodes[place].kill().unwrap();
    consortium.nodes[place].wait().unwrap();
    consortium.until("the ledger names the next key", |consortium| {
        consortium.publish();
        consortium.node(&format!("node-{member}"))["key"] != before["node"]["key"]
    });
    let awake = height(consortium) + blocks;
    consortium.until("it has slept long enough", |consortium| {
        consortium.publish();
        height(consortium) >= awake
    });
    consortium.start_node(&folder);
    let node = consortium.nodes.pop().unwrap();
    consortium.nodes[place] = node;
    consortium.until("it goes on with its next key", |consortium| is_well(&status(consortium, &folder)));
    until_it_votes(consortium, &folder);
}

fn take_a_node_out_of_service(consortium: &mut Consortium) {
    let (bravo, charlie) = (folder("bravo"), folder("charlie"));
    consortium.until("all are at work", |consortium| {
        consortium.publish();
        let seen = |name: &str| status(consortium, &folder(name));
        let all = ["alpha", "bravo", "charlie", "delta"].map(seen);
        all.iter().all(|status| status["at_work_height"].is_u64() && status["health"]["peers"] == 3)
    });
    let drained = drain(consortium, &bravo, &[]).check(0, &["make a quorum: the network goes on"]);
    assert!(drained.out.contains("stopped   node node-bravo after block"), "{drained:?}");
    assert!(consortium.nodes[1].wait().unwrap().success(), "it ends as it was told");
    drain(consortium, &bravo, &["--force"]).check(1, &["no node runs"]);
    drain(consortium, &charlie, &[]).check(3, &["the network would stop", "--force"]);
    consortium.publish();
    let away = consortium.run(&["node", "status", "--data", &bravo]).check(0, &[]);
    assert!(away.out.contains("does not answer"), "{away:?}");
    consortium.start_node(&bravo);
    let node = consortium.nodes.pop().unwrap();
    consortium.nodes[1] = node;
    consortium.until("it is back", |consortium| is_well(&status(consortium, &bravo)));
}

/// Invitations that are taken back, and a successor that another member invites.
fn refuse_the_wrong_successor(consortium: &mut Consortium) {
    consortium.sign("delta", &["node", "invite", "spare", "--out", "spare.invitation"]);
    consortium.sign("delta", &["node", "cancel-invitation", "spare.invitation"]);
    let open = consortium.run(&["node", "invitations", "delta"]).check(0, &[]);
    assert_eq!(open.out, "", "taken back");
    let spare = ["node", "join", "spare.invitation", "--data", "spare", "--listen", "127.0.0.1:1"];
    tabellion(consortium.path(), &spare).check(3, &["was taken back"]);
    let alien = ["node", "replace", "node-delta", "--out", "x.invitation", "--key", "net/keys/bravo.pem"];
    consortium.run(&alien).check(3, &["belongs to delta"]);
}

/// The node at `place` loses its disk; a successor takes its place, which listens at these ports.
pub fn replace_a_lost_node(
    consortium: &mut Consortium,
    place: usize,
    member: &str,
    ports: [usize; 2],
    voters: &[&str],
) {
    consortium.nodes[place].kill().unwrap();
    consortium.nodes[place].wait().unwrap();
    fs::remove_dir_all(consortium.path().join(folder(member))).unwrap();
    let name = format!("node-{member}");
    let lost = consortium.node(&name)["id"].as_str().unwrap().to_owned();

    let invitation = format!("{member}.invitation");
    let told = consortium.sign(member, &["node", "replace", &name, "--out", &invitation]);
    assert!(told.err.contains(&format!("propose replace-validator {name}")), "{told:?}");
    let [listen, rest] = ports.map(|place| format!("127.0.0.1:{}", consortium.ports[place]));
    let new = format!("net/nodes/new-{member}");
    let join = ["node", "join", &invitation, "--data", &new, "--listen", &listen, "--rest", &rest];
    tabellion(consortium.path(), &join).check(0, &[]);
    let waits = consortium.run(&["node", "status", &name, "--json"]).check(0, &[]).json();
    assert_eq!(waits[0]["node"]["role"], "validator", "the lost one has the vote still");
    consortium.start_node(&new);
    let node = consortium.nodes.pop().unwrap();
    consortium.nodes[place] = node;
    let next = |status: &Value| status["next"][0].as_str().unwrap_or_default().to_owned();
    consortium.until("its status names the next command", |consortium| {
        consortium.publish();
        next(&status(consortium, &new)) == format!("tabellion propose replace-validator {name}")
    });
    consortium.decide(&["replace-validator", &name], voters);
    let now = status(consortium, &new);
    assert_eq!((&now["node"]["role"], is_well(&now)), (&"validator".into(), true), "{now}");
    let removed = consortium.sign(member, &["node", "remove", &name]);
    assert!(removed.out.contains(&lost), "{removed:?}");
    consortium.publish();
    clients_learn_of_the_successor(consortium, &name, &new);
}

/// Clients that know the nodes from before do not know the successor, whose key nobody vouched for but the
/// ledger: from there they get it, and lose the lost one.
fn clients_learn_of_the_successor(consortium: &Consortium, name: &str, new: &str) {
    fs::copy(consortium.path().join("net/tls-ca.pem"), consortium.path().join("known.pem")).unwrap();
    assert!(!curl(consortium, new, "known.pem"), "nobody knows it yet");
    let learned = cas(consortium, new, "known.pem").check(0, &[]);
    let lines = |word: &str| learned.out.lines().filter(|line| line.starts_with(word)).count();
    assert_eq!((lines("proved"), lines("dropped")), (1, 1), "{learned:?}");
    assert!(learned.out.contains(name) && curl(consortium, new, "known.pem"), "{learned:?}");
    assert!(curl(consortium, &folder("alpha"), "known.pem"), "nodes that were not asked are not forgotten");
    assert!(!curl(consortium, new, "net/tls-ca.pem"));
}
