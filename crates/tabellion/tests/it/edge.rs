//! Edges beside a network of real processes: one that follows nodes, one behind an air gap, one whose node
//! lies. X.1409 C22, I.1.2.

use std::fs;
use std::path::Path;
use std::process::Command;

use tabellion_corpus::CrlDraft;
use tabellion_ledger::TimeMs;
use tabellion_pki::Facts;

use crate::consortium::{Consortium, pem};
use crate::ledger::now;
use crate::run::{Ran, tabellion};
use crate::state_sync::Liar;

/// Ports of the edge: REST, and OCSP.
fn addresses(consortium: &Consortium) -> [String; 2] {
    [9, 10].map(|place| format!("127.0.0.1:{}", consortium.ports[place]))
}

/// Starts the edge of a folder; it is killed with the network.
fn start(consortium: &mut Consortium, folder: &str) {
    let path = consortium.path().join(format!("{folder}.log"));
    let log = fs::OpenOptions::new().create(true).append(true).open(path).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_tabellion"))
        .args(["edge", "run", folder])
        .current_dir(consortium.path())
        .stderr(log)
        .spawn();
    consortium.nodes.push(child.unwrap());
}

fn kill(consortium: &mut Consortium, places: std::ops::Range<usize>) {
    for mut child in consortium.nodes.drain(places) {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Every operation on a certificate by the edge, proved.
fn history(consortium: &Consortium, folder: &str, file: &str) -> Ran {
    let args = ["cert", "history", file, "--network", folder, "--max-age", "1d"];
    tabellion(consortium.path(), &args)
}

/// What a certificate's status is by the edge, proved.
fn verify(consortium: &Consortium, folder: &str, file: &str) -> Ran {
    let args = ["cert", "verify", file, "--network", folder, "--max-age", "1d", "--proof-out", "edge.proof"];
    tabellion(consortium.path(), &args)
}

fn until_verified(consortium: &mut Consortium, folder: &str, file: &str, code: i32) {
    let what = format!("{file} at {folder}: exit code {code}");
    consortium.until(&what, |consortium| verify(consortium, folder, file).code == code);
}

fn sh(folder: &Path, command: &str) -> String {
    let output = Command::new("sh").args(["-c", command]).current_dir(folder).output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

/// Asks the edge by OCSP until it says so.
fn until_ocsp(consortium: &mut Consortium, file: &str, says: &str) {
    let url = format!("http://{}/ocsp", addresses(consortium)[1]);
    let ask = format!("openssl ocsp -issuer issuer.pem -VAfile issuer.pem -cert {file} -url {url}");
    let mut last = String::new();
    let what = format!("OCSP of {file}: {says}");
    consortium.until(&what, |consortium| {
        let heard = sh(consortium.path(), &ask);
        if heard != last {
            println!("{heard}");
        }
        last.clone_from(&heard);
        last.contains(says)
    });
}

/// The issuing CA's files, and `[[status.ca]]` in the edge's file: it signs OCSP responses itself.
fn with_authority(consortium: &Consortium, folder: &str) {
    let issuer = consortium.ca.issuer();
    let intermediate = consortium.ca.intermediates()[0].to_vec();
    let key = pem::encode(&pem::Pem::new("PRIVATE KEY", issuer.key.pkcs8()));
    fs::write(consortium.path().join("issuer.pem"), pem(&[&intermediate])).unwrap();
    fs::write(consortium.path().join("issuer.key"), key).unwrap();
    let file = consortium.path().join(folder).join("edge.toml");
    let text = fs::read_to_string(&file).unwrap();
    let signer = "{ certificate = \"../issuer.pem\", key = \"../issuer.key\" }";
    let more = format!("\n[[status.ca]]\ncertificate = \"../issuer.pem\"\nocsp = {signer}\ncrl = {signer}\n");
    fs::write(&file, text + &more).unwrap();
}

fn revoke(consortium: &Consortium, file: &str, der: &[u8]) {
    let at = TimeMs((now().0 / 1000 - 5) * 1000);
    let issuer = consortium.ca.issuer();
    let mut crl = CrlDraft::new(issuer, 1, at);
    crl.revoke(&Facts::of(der).unwrap().serial, Some(1));
    let crl = pem::encode(&pem::Pem::new("X509 CRL", crl.sign(&issuer.key)));
    fs::write(consortium.path().join("ca.crl"), crl).unwrap();
    consortium.sign("alpha", &["cert", "revoke", file, "--issuer", "issuer.pem", "--crl", "ca.crl"]);
}

/// X.1409 C22, I.1.2: an edge answers by REST with proofs and by OCSP, goes on when every validator is gone,
/// also over a restart, and says nothing but `revoked` once its knowledge is too old.
#[test]
fn an_edge_answers_while_no_validator_can_be_reached_until_its_knowledge_is_too_old() {
    let mut consortium = Consortium::start();
    let (good, _) = consortium.publish_as("good");
    let (bad, der) = consortium.publish_as("bad");
    let [rest, status] = addresses(&consortium);
    let init = ["edge", "init", "edge", "--rest", &rest, "--status", &status, "--stale-after", "25s"];
    consortium.run(&init).check(0, &["tabellion edge run edge"]);
    consortium.run(&init).check(2, &["edge.toml is there already"]);
    with_authority(&consortium, "edge");
    start(&mut consortium, "edge");
    until_verified(&mut consortium, "edge", &good, 0);
    until_verified(&mut consortium, "edge", &bad, 0);
    until_ocsp(&mut consortium, &bad, "bad.pem: good");

    // It proves what the ledger says, also that its own key is no node's.
    let edge = format!("https://{rest}");
    let cas = consortium.run(&["node", "cas", "--node", &edge, "--out", "edge-ca.pem"]);
    cas.check(6, &["the ledger has no node with key", "edge-ca.pem stays as it is"]);

    revoke(&consortium, &bad, &der);
    until_verified(&mut consortium, "edge", &bad, 4);
    until_ocsp(&mut consortium, &bad, "bad.pem: revoked");
    let offline = ["cert", "verify", "--offline", "edge.proof", "--genesis", "net/genesis.cbor", &bad];
    tabellion(consortium.path(), &offline).check(4, &["revoked"]);
    let told = history(&consortium, "edge", &bad).check(0, &[]).out;
    assert!(told.contains("revoked") && told.contains("all 2 records"), "{told}");
    let told = tabellion(consortium.path(), &["edge", "status", "edge", "--json"]).check(0, &[]).json();
    assert_eq!((&told[0]["fresh"], &told[0]["limit_ms"]), (&true.into(), &25_000.into()));
    assert!(told[0]["source"].as_str().unwrap().starts_with("https://127.0.0.1"), "{told:?}");
    let new = consortium.ca.issue("new.example");
    fs::write(consortium.path().join("new.pem"), pem(&[&new, consortium.ca.intermediates()[0]])).unwrap();
    let submit = ["cert", "publish", "new.pem", "--key", "net/keys/alpha.pem", "--network", "edge"];
    tabellion(consortium.path(), &submit).check(3, &["this is an edge node"]);

    // All validators, and the edge itself.
    kill(&mut consortium, 0..5);
    start(&mut consortium, "edge");
    until_verified(&mut consortium, "edge", &good, 0);
    until_ocsp(&mut consortium, &good, "good.pem: good");
    until_verified(&mut consortium, "edge", &good, 5);
    verify(&consortium, "edge", &good).check(5, &["knowledge-too-old", "25000 ms are allowed"]);
    verify(&consortium, "edge", &bad).check(4, &["revoked"]);
    history(&consortium, "edge", &good).check(5, &["knowledge-too-old"]);
    history(&consortium, "edge", &bad).check(0, &[]);
    until_ocsp(&mut consortium, &good, "trylater");
    until_ocsp(&mut consortium, &bad, "bad.pem: revoked");
    let edge = ["edge", "status", "edge"];
    let told = tabellion(consortium.path(), &edge).check(5, &["too old"]);
    assert!(told.out.contains("only revoked is told"), "{told:?}");
    let ask = format!("curl -si --cacert edge/tls-ca.pem https://{rest}");
    let ready = sh(consortium.path(), &format!("{ask}/v1/node/ready"));
    assert!(ready.contains("503 Service Unavailable"), "{ready}");
    let ledger = sh(consortium.path(), &format!("{ask}/v1/ledger"));
    assert!(ledger.contains("200 OK") && ledger.contains("\"limit_ms\""), "{ledger}");
    let metrics = sh(consortium.path(), &format!("{ask}/metrics"));
    assert!(metrics.contains("tabellion_knowledge_limit_ms 25000"), "{metrics}");
}

/// X.1409 C22, I.1.2: blocks are carried to an edge that no network reaches. What is altered, cut off or
/// begins too late is refused, says why and changes nothing; overlap is harmless.
#[test]
fn blocks_are_carried_over_an_air_gap() {
    let mut consortium = Consortium::start();
    let path = consortium.path().to_owned();
    let run = |args: &[&str]| tabellion(&path, args);
    let (first, _) = consortium.publish_as("first");
    let export = |from: &str, out: &str| {
        let export = ["edge", "export", "--from-block", from, "--out", out, "--network", "net", "--json"];
        run(&export).check(0, &[]).json()[0]["last"].as_u64().unwrap()
    };
    let last = export("1", "1.tab");
    let [rest, _] = addresses(&consortium);
    let init = ["edge", "init", "vault", "--offline", "--rest", &rest, "--stale-after", "1d"];
    run(&[&init[..], &["--genesis", "net/genesis.cbor"]].concat()).check(0, &[]);

    let bytes = fs::read(path.join("1.tab")).unwrap();
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = bytes.clone();
        change(&mut bytes);
        fs::write(path.join("other.tab"), bytes).unwrap();
        run(&["edge", "import", "vault", "other.tab"])
    };
    with(&|bytes| bytes[40] ^= 1).check(5, &["other.tab: "]);
    with(&|bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    })
    .check(5, &["other.tab: "]);
    // A signature at the end.
    with(&|bytes| *bytes.last_mut().unwrap() ^= 1).check(5, &["does not hold"]);
    with(&|bytes| bytes.truncate(bytes.len() * 2 / 3)).check(5, &["cut off", "copy it again"]);
    with(&|bytes| bytes.push(0)).check(5, &["behind the file's end"]);
    with(&|bytes| bytes[0] ^= 1).check(5, &["no file of `tabellion edge export`"]);

    // Nothing of these was taken: every block is new.
    let taken = run(&["edge", "import", "vault", "1.tab", "--json"]).check(0, &[]).json();
    assert_eq!((&taken[0]["new"], &taken[0]["last"]), (&last.into(), &last.into()), "{taken:?}");
    start(&mut consortium, "vault");
    until_verified(&mut consortium, "vault", &first, 0);
    run(&["edge", "import", "vault", "1.tab"]).check(1, &["inbox"]);

    let (second, _) = consortium.publish_as("second");
    let gap = (last + 2).to_string();
    consortium.until("blocks to leave out", |_| {
        let ledger = run(&["ledger", "status", "--json", "--network", "net"]).check(0, &[]).json();
        ledger[0]["height"].as_u64().unwrap() > last + 4
    });
    export(&gap, "late.tab");
    export("1", "all.tab");
    let inbox = path.join("vault/inbox");
    fs::copy(path.join("late.tab"), inbox.join("late.tab")).unwrap();
    consortium.until("the gap is told", |_| inbox.join("refused/late.tab.why").exists());
    let why = fs::read_to_string(inbox.join("refused/late.tab.why")).unwrap();
    assert!(why.contains("missing") && why.contains(&gap), "{why}");
    verify(&consortium, "vault", &second).check(4, &["unknown"]);
    fs::copy(path.join("all.tab"), inbox.join("all.tab")).unwrap();
    until_verified(&mut consortium, "vault", &second, 0);
    consortium.until("the file is put away", |_| inbox.join("taken/all.tab").exists());
}

/// X.1409 C22, L9: an edge believes no node; it leaves who lies and turns to another one.
#[test]
fn an_edge_leaves_a_node_that_lies() {
    let mut consortium = Consortium::start();
    let liar = Liar::before(&consortium, "/v1/headers");
    let (good, _) = consortium.publish_as("good");
    let nodes = format!("https://{},https://127.0.0.1:{}", liar.address, consortium.ports[6]);
    let [rest, _] = addresses(&consortium);
    let init = ["edge", "init", "edge", "--rest", &rest, "--from-genesis", "--node", &nodes];
    consortium.run(&init).check(0, &[]);
    // One that takes no files.
    let file = consortium.path().join("edge/edge.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("inbox = \"inbox\"\n", "")).unwrap();
    start(&mut consortium, "edge");
    until_verified(&mut consortium, "edge", &good, 0);
    let told = tabellion(consortium.path(), &["edge", "status", "edge", "--json"]).check(0, &[]).json();
    let trouble = told[0]["trouble"].as_str().unwrap();
    assert!(trouble.contains(&liar.address.to_string()) && trouble.contains("does not hold"), "{trouble}");
    assert!(told[0]["source"].as_str().unwrap().ends_with(&consortium.ports[6].to_string()), "{told:?}");
}
