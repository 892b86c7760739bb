//! Whatever expires, consensus goes on: real processes whose clock is past the end of every certificate.

use std::process::{Command, Output};
use std::time::{Duration, Instant};

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tabellion_pki::Facts;

use crate::processes::Network;

const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");
/// Certificates of nodes end with the year 2099.
const LATER: [&str; 3] = ["-m", "-f", "+80y"];

/// The program under a clock that is far ahead. Spans of time stay true: only the date is another.
fn later() -> Command {
    let mut command = Command::new("faketime");
    command.args(LATER).arg(TABELLION).env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.env("DONT_FAKE_MONOTONIC", "1");
    command
}

/// A command of alpha's to the first node, which is known by its key.
fn ask(network: &Network, mut program: Command, args: &[&str]) -> Output {
    let certificate = CertificateDer::from_pem_file(network.path().join("net/nodes/alpha/tls.pem")).unwrap();
    let pin = hex::encode(Facts::of(&certificate).unwrap().key.0);
    let node = network.url(0);
    let named =
        ["--node", &node, "--pin", &pin, "--genesis", "net/genesis.cbor", "--key", "net/keys/alpha.pem"];
    program.args(args).args(named).current_dir(network.path()).output().unwrap()
}

/// Records a decision within a minute; the nodes may still be coming up.
fn decide(network: &Network, program: fn() -> Command, words: &str) {
    let begin = Instant::now();
    loop {
        let output = ask(network, program(), &["propose", "decision", words]);
        if output.status.success() {
            return;
        }
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "'{words}' is not recorded: {why}\n{}",
            network.logs()
        );
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// X.1409 L9: no expiry stops the ledger. Nodes know each other by the keys on the ledger; the dates of the
/// certificates that carry these keys count for nothing.
#[test]
fn a_network_whose_certificates_have_all_expired_goes_on() {
    let mut network = Network::start();
    decide(&network, || Command::new(TABELLION), "we begin");
    (0..4).for_each(|index| network.kill_node(index));
    (0..4).for_each(|index| network.start_node_by(index, later()));
    decide(&network, later, "we go on");
    let status = ask(&network, later(), &["ledger", "status"]);
    let text = String::from_utf8_lossy(&status.stdout).into_owned();
    assert!(status.status.success() && text.contains(" at 21"), "{text}");

    // Clients that ask for a valid certificate are told what is wrong.
    let strict =
        later().args(["ledger", "status", "--network", "net"]).current_dir(network.path()).output().unwrap();
    let why = String::from_utf8_lossy(&strict.stderr).into_owned();
    assert!(why.contains("certificate expired"), "{why}");
}
