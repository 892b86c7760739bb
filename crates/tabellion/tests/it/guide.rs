//! The guide in docs/governance.md, run from its first page to its last.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::consortium::{Consortium, Publishing};
use crate::operations::{replace_a_lost_node, rotate_the_key_of_a_member, rotate_the_key_of_a_node};
use crate::run::tabellion;

/// Certificates on the ledger that the fifth node joins, two records each;
/// `TABELLION_GUIDE_CERTIFICATES=500000` makes a million records.
const CERTIFICATES: usize = 1_000;
/// No step of the guide may keep anybody from publishing. This is the bound beyond which something is broken
/// whatever the machine is busy with; what a step costs is printed.
const PAUSE_MAX: Duration = Duration::from_secs(30);

/// X.1409 L9, IV.1, V.1: four organisations; a fifth is voted in, invites its node, which takes the state
/// over and becomes a validator; one is removed; a disk is destroyed and its node replaced; all keys are
/// rotated. Publishing goes on all the time, and who holds only the genesis document verifies each status.
#[test]
fn the_guide_holds_from_four_organisations_to_the_last_rotated_key() {
    let mut consortium = Consortium::start();
    fill(&consortium);
    let publishing = Publishing::start(&consortium);
    vote_a_fifth_in(&mut consortium);
    let took = join(&mut consortium);
    consortium.decide(&["add-validator", "node-echo"], &["bravo", "echo", "delta"]);
    assert_eq!(consortium.node("node-echo")["role"], "validator");
    remove_a_validator(&mut consortium);
    replace_a_lost_node(&mut consortium, 2, "charlie", [10, 11], &["bravo", "charlie", "echo"]);
    rotate_all_keys(&mut consortium);
    find_every_decision_again(&consortium);
    let pauses = publishing.stop();
    println!("the fifth node joined in {took:?}; {pauses:?}");
    assert!(pauses.published > 10 && pauses.longest < PAUSE_MAX, "{pauses:?}");
}

fn fill(consortium: &Consortium) {
    let count = std::env::var("TABELLION_GUIDE_CERTIFICATES").ok().map(|count| count.parse().unwrap());
    let count = count.unwrap_or(CERTIFICATES).to_string();
    let load =
        ["bench", "publish", "--certificates", &count, "--ca-dir", "bench", "--per-transaction", "128"];
    consortium.sign("alpha", &load);
}

fn vote_a_fifth_in(consortium: &mut Consortium) {
    consortium.publish();
    tabellion(consortium.path(), &["key", "new", "echo.pem", "--plain"]).check(0, &[]);
    let offer = ["member", "offer", "echo", "--name", "Echo", "--role", "operator", "--out", "echo.json"];
    consortium.sign("echo", &offer);
    consortium.run(&["member", "show", "echo"]).check(1, &["is no member"]);
    consortium.decide(&["add-member", "echo.json"], &["bravo", "charlie"]);
    let late = consortium.run(&["vote", "1", "for", "--key", "net/keys/delta.pem"]);
    late.check(3, &["proposal-closed"]);
}

/// The fifth node joins, follows and reports. How long the join took: until it stood at the state.
fn join(consortium: &mut Consortium) -> Duration {
    let [listen, rest] = [4, 9].map(|place: usize| format!("127.0.0.1:{}", consortium.ports[place]));
    consortium.sign("echo", &["node", "invite", "node-echo", "--out", "echo.invitation"]);
    let join = |consortium: &Consortium, data: &str| {
        let args = ["node", "join", "echo.invitation", "--listen", &listen, "--rest", &rest, "--data", data];
        tabellion(consortium.path(), &args)
    };
    let begin = Instant::now();
    join(consortium, "node-echo").check(0, &["tabellion node --config node-echo"]);
    let took = begin.elapsed();
    join(consortium, "node-other").check(3, &["was used by node"]);
    consortium.start_node("node-echo");
    consortium.until("the fifth node reports", |consortium| {
        consortium.publish();
        consortium.node("node-echo")["reports"].as_u64().unwrap_or_default() > 0
    });
    took
}

/// One that had a vote follows from then on; then it is gone, and the others go on.
fn remove_a_validator(consortium: &mut Consortium) {
    consortium.decide(&["remove-validator", "node-delta"], &["bravo", "charlie", "echo"]);
    assert_eq!(consortium.node("node-delta")["role"], "full");
    kill(&mut consortium.nodes[3]);
    consortium.publish();
}

fn kill(node: &mut Child) {
    node.kill().unwrap();
    node.wait().unwrap();
}

/// Members' keys, nodes' keys, and the certificate of a face.
fn rotate_all_keys(consortium: &mut Consortium) {
    for founder in ["alpha", "bravo", "charlie", "delta"] {
        rotate_the_key_of_a_member(consortium, founder, &format!("net/keys/{founder}.pem"));
    }
    rotate_the_key_of_a_member(consortium, "echo", "echo.pem");
    let nodes = [
        (0, "alpha", "net/nodes/node-alpha"),
        (1, "bravo", "net/nodes/node-bravo"),
        (2, "charlie", "net/nodes/new-charlie"),
        (4, "echo", "node-echo"),
    ];
    for (place, member, folder) in nodes {
        rotate_the_key_of_a_node(consortium, place, member, folder);
    }
}

/// Every decision is found again from the genesis document and the blocks alone.
fn find_every_decision_again(consortium: &Consortium) {
    let full = ["ledger", "verify-chain", "--full"];
    consortium.run(&full).check(0, &[]);
    consortium.run(&["ledger", "export", "--out", "chain.archive"]).check(0, &[]);
    let replay = ["ledger", "replay", "chain.archive", "--genesis", "net/genesis.cbor"];
    let found = tabellion(consortium.path(), &replay).check(0, &[]).out;
    let decided = ["add-member", "add-validator", "remove-validator", "replace-validator"];
    for words in decided.iter().chain(&["status        executed  3 for"]) {
        assert!(found.contains(words), "'{words}' is missing: {found}");
    }
    let other = [&replay[..2], &["echo.json"], &replay[3..]].concat();
    tabellion(consortium.path(), &other).check(1, &["no archive"]);
    assert!(fs::exists(consortium.path().join("net/nodes/new-charlie/data/store")).unwrap());
    // The fifth node has the same chain, and shows it by its own face.
    tabellion(consortium.path(), &[&full[..], &["--network", "node-echo"]].concat()).check(0, &[]);
}
