use tabellion_ledger::{CertificateId, cbor};
use tempfile::tempdir;

use crate::ledger::{Ledger, write_pem};
use crate::run::{tabellion, tabellion_with_input};

/// X.1409 C10, C17
#[test]
fn a_proof_is_checked_without_a_network_and_says_what_it_is_about() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let mut ledger = Ledger::new();
    let der = ledger.publish("a.example");
    ledger.write_files(path);
    write_pem(path, "a.pem", &[&der]);
    let id = CertificateId::of(&der);
    std::fs::write(path.join("a.proof"), cbor::to_bytes(&ledger.status_proof(&id))).unwrap();
    let unknown = CertificateId([3; 32]);
    std::fs::write(path.join("none.proof"), cbor::to_bytes(&ledger.status_proof(&unknown))).unwrap();

    let verify = ["cert", "verify", "--genesis", "genesis.cbor", "--offline"];
    let with = |rest: &[&str]| tabellion(path, &[&verify[..], rest].concat());
    let text = with(&["a.proof", "a.pem"]).check(0, &["As of "]).out;
    assert!(text.starts_with("valid     CN=a.example"), "{text}");
    assert!(
        text.contains("since block 2 (") && text.contains("proved by header 2 (3 of 4 validators)"),
        "{text}"
    );
    with(&["a.proof"]).check(0, &[]);
    with(&["a.proof", &id.to_string()]).check(0, &[]);
    let colons: Vec<String> = id.0.iter().map(|byte| format!("{byte:02X}")).collect();
    with(&["a.proof", &colons.join(":")]).check(0, &[]);
    let pem = std::fs::read(path.join("a.pem")).unwrap();
    tabellion_with_input(path, &[&verify[..], &["a.proof", "-"]].concat(), &pem).check(0, &[]);

    let json = with(&["a.proof", "--json"]).check(0, &[]).json();
    assert_eq!((&json[0]["standing"], &json[0]["record"]["since_height"]), (&"valid".into(), &2.into()));
    with(&["none.proof"]).check(4, &["do not rely on", "unknown"]);
    with(&["a.proof", &unknown.to_string()]).check(5, &["is for certificate", "\n\nhint: "]);
}

#[test]
fn a_proof_that_does_not_hold_is_told_apart_from_one_that_cannot_be_read() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let mut ledger = Ledger::new();
    let id = CertificateId::of(&ledger.publish("a.example"));
    ledger.write_files(path);
    let proof = cbor::to_bytes(&ledger.status_proof(&id));
    let mut broken = proof.clone();
    *broken.last_mut().unwrap() ^= 1;
    let other = tempdir().unwrap();
    Ledger::new().write_files(other.path());
    let foreign = other.path().join("genesis.cbor").display().to_string();
    for (name, bytes) in
        [("good", &proof), ("broken", &broken), ("cut", &proof[..100].to_vec()), ("empty", &Vec::new())]
    {
        std::fs::write(path.join(name), bytes).unwrap();
    }
    let rows = [
        ("good", "genesis.cbor", 0, ""),
        ("broken", "genesis.cbor", 5, "signature of validator"),
        ("cut", "genesis.cbor", 5, "no proof"),
        ("empty", "genesis.cbor", 5, "empty"),
        ("user.pem", "genesis.cbor", 5, "no proof"),
        ("good", foreign.as_str(), 5, "of ledger"),
        ("good", "user.pem", 1, "genesis document is refused"),
        ("good", "nothing", 1, "cannot read genesis document"),
        ("nothing", "genesis.cbor", 1, "cannot read proof file"),
    ];
    for (proof, genesis, code, text) in rows {
        tabellion(path, &["cert", "verify", "--offline", proof, "--genesis", genesis]).check(code, &[text]);
    }
    tabellion(path, &["cert", "verify", "--offline", "good"])
        .check(2, &["no genesis document", "--genesis FILE"]);
}
