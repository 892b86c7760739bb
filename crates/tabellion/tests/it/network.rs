use tabellion_ledger::CertificateId;
use tempfile::tempdir;

use crate::ledger::write_pem;
use crate::node::Node;
use crate::run::{Ran, tabellion};

/// X.1409 C1, C2, C7, C10, C17
#[test]
fn a_certificate_is_published_verified_shown_listed_and_proved_offline() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    // The default folder: no option names the network.
    let node = Node::start(&path.join("tabellion-data"));
    let der = node.ledger.lock().unwrap().ca.issue("a.example");
    let intermediate = node.ledger.lock().unwrap().ca.intermediates()[0].to_vec();
    write_pem(path, "chain.pem", &[&intermediate, &der]);
    let id = CertificateId::of(&der).to_string();
    let run = |args: &[&str]| -> Ran { tabellion(path, args) };

    run(&["cert", "verify", "chain.pem"]).check(4, &["unknown"]);
    let published = run(&["cert", "publish", "chain.pem"]).check(0, &[]);
    assert!(published.out.starts_with("recorded  CN=a.example"), "{published:?}");
    let again = run(&["--json", "cert", "publish", "chain.pem"]).check(0, &[]).json();
    assert_eq!((&again[0]["outcome"], &again[0]["code"]), (&"already".into(), &"already-recorded".into()));

    let verified = run(&["cert", "verify", "chain.pem", "--proof-out", "a.proof"]).check(0, &[]);
    assert!(verified.out.contains("proved by header 2 (3 of 4 validators)"), "{verified:?}");
    run(&["cert", "verify", &id]).check(0, &[]);
    run(&["cert", "verify", "--by-key", "chain.pem"]).check(0, &[]);
    run(&["cert", "verify", "--by-key", &"00".repeat(32)]).check(4, &["no certificate of key"]);
    run(&["cert", "verify", "--offline", "a.proof", "chain.pem"]).check(0, &[]);
    let shown = run(&["cert", "show", &id]).check(0, &[]).out;
    assert!(shown.contains("names         a.example") && shown.contains("standing      valid"), "{shown}");
    let pem = run(&["cert", "show", "--pem", &id]).check(0, &[]).out;
    assert!(pem.starts_with("-----BEGIN CERTIFICATE-----"), "{pem}");
    let listed = run(&["cert", "list", "--subject", "a.example"]).check(0, &["Lists are not proved"]).out;
    assert!(listed.starts_with(&id), "{listed}");
    run(&["cert", "verify", &id, "--max-age", "0s"]).check(5, &["ms old", "--max-age"]);
}

#[test]
fn a_batch_leaves_out_what_is_refused_and_goes_on_where_it_stopped() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("net"));
    std::fs::create_dir_all(path.join("certs/below")).unwrap();
    for number in 0..5 {
        let der = node.ledger.lock().unwrap().ca.issue(&format!("n{number}.example"));
        write_pem(
            &path.join(if number < 3 { "certs" } else { "certs/below" }),
            &format!("{number}.pem"),
            &[&der],
        );
    }
    let foreign = tabellion_corpus::TestCa::new(tabellion_corpus::KeyKind::P256).issue("foreign.example");
    write_pem(&path.join("certs"), "foreign.pem", &[&foreign]);
    let expired = {
        let mut ledger = node.ledger.lock().unwrap();
        let spki = tabellion_corpus::TestKey::generate(tabellion_corpus::KeyKind::P256).spki();
        let mut draft = ledger.ca.leaf_draft("expired.example", &spki);
        draft.not_after = tabellion_ledger::TimeMs(draft.not_before.0 + 1000);
        ledger.ca.sign(&draft)
    };
    write_pem(&path.join("certs"), "expired.pem", &[&expired]);

    let args = [
        "cert",
        "publish-batch",
        "certs",
        "--network",
        "net",
        "--intermediates",
        "net/ca.pem",
        "--refused",
        "refused.jsonl",
        "--per-transaction",
        "3",
    ];
    let run = |more: &[&str]| tabellion(path, &[&args[..], more].concat());
    let first = run(&["--no-check"]).check(3, &["refused certificates: 2", "refused.jsonl says"]);
    assert!(
        first.out.contains("recorded         5") && first.out.contains("refused          2"),
        "{first:?}"
    );
    let refused = std::fs::read_to_string(path.join("refused.jsonl")).unwrap();
    assert!(refused.contains("chain-incomplete") && refused.contains("expired.example"), "{refused}");
    let again = run(&["--json"]).check(3, &[]).json();
    let summary = again.last().unwrap();
    assert_eq!(
        (&summary["recorded"], &summary["already"], &summary["refused"]),
        (&0.into(), &5.into(), &2.into())
    );
    assert_eq!(summary["refused_by_code"]["expired"], 1, "found by the check here");

    let one = tabellion(path, &["cert", "publish", "certs/foreign.pem", "--network", "net"]);
    one.check(3, &["the issuer of", "--intermediates FILE"]);
    let both = [
        "cert",
        "publish",
        "certs/0.pem",
        "certs/expired.pem",
        "--network",
        "net",
        "--intermediates",
        "net/ca.pem",
    ];
    tabellion(path, &both).check(3, &["expired", "--no-check"]);
    tabellion(path, &[&both[..], &["--no-check"]].concat()).check(3, &["the ledger refused"]);
}

/// X.1409 L1, L6
#[test]
fn the_chain_is_shown_proved_followed_and_executed_again() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("net"));
    for number in 0..5 {
        node.ledger.lock().unwrap().publish(&format!("n{number}.example"));
    }
    let run = |args: &[&str]| tabellion(path, &[&["--network", "net"], args].concat());
    let status = run(&["ledger", "status", "--follow"]).check(0, &[]).out;
    assert!(status.contains("headers 0 to 6, link by link") && status.contains("3 of 4"), "{status}");
    let json = run(&["--json", "ledger", "status"]).check(0, &[]).json();
    assert_eq!((&json[0]["height"], &json[0]["followed_height"]), (&6.into(), &6.into()));

    let block = run(&["--json", "ledger", "block", "3"]).check(0, &[]).json();
    let id = block[0]["lanes"][0]["transactions"][0].as_str().unwrap().to_owned();
    run(&["ledger", "block", "77"]).check(3, &["no-such-path"]);
    let tx = run(&["ledger", "tx", &id]).check(0, &[]).out;
    assert!(tx.contains("in block 3 (") && tx.contains("proved by header 6"), "{tx}");
    run(&["ledger", "tx", &"00".repeat(32)]).check(1, &["is not recorded (unknown)"]);
    run(&["ledger", "proof", &id, "--out", "tx.proof"]).check(0, &[]);
    let offline = ["cert", "verify", "--offline", "tx.proof", "--genesis", "net/genesis.cbor"];
    let proved = tabellion(path, &offline).check(0, &[]).out;
    assert!(proved.contains(&id) && proved.contains("in block 3"), "{proved}");

    for full in [&[][..], &["--full"]] {
        let verified = run(&[&["ledger", "verify-chain"], full].concat()).check(0, &[]).out;
        assert!(verified.contains("6 blocks, 6 transactions"), "{verified}");
        assert_eq!(verified.contains("executed again"), !full.is_empty(), "{verified}");
    }
    let genesis = run(&["ledger", "genesis", "--out", "fetched.cbor"]).check(0, &["Compare the identifier"]);
    assert!(genesis.out.starts_with(&node.ledger.lock().unwrap().trust.ledger().to_string()));
    assert_eq!(
        std::fs::read(path.join("fetched.cbor")).unwrap(),
        std::fs::read(path.join("net/genesis.cbor")).unwrap()
    );
    assert!(run(&["ledger", "cas"]).check(0, &[]).out.contains("CN=Test Root"));
}

#[test]
fn a_node_of_another_ledger_and_an_altered_chain_are_found_out() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("net"));
    let _other = Node::start(&path.join("other"));
    let foreign = ["--network", "net", "--genesis", "other/genesis.cbor"];
    tabellion(path, &[&foreign[..], &["ledger", "status"]].concat()).check(5, &["the node serves ledger"]);
    let id = "00".repeat(32);
    tabellion(path, &[&foreign[..], &["cert", "verify", &id]].concat()).check(5, &["does not hold"]);

    node.ledger.lock().unwrap().publish("a.example");
    node.ledger.lock().unwrap().blocks[0].header.time.0 += 1;
    let verify = tabellion(path, &["--network", "net", "ledger", "verify-chain"]);
    verify.check(5, &["the body of block 1"]);
}
