//! Whatever expires, consensus goes on: real processes whose clock is past the end of every certificate.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use crate::processes::Network;

const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");

/// A clock that can be moved while programs run by it. Spans of time stay true: only the date is another.
struct Clock(PathBuf);

impl Clock {
    fn new(network: &Network) -> Self {
        let clock = Self(network.path().join("clock"));
        clock.set("+0d");
        clock
    }

    fn set(&self, ahead: &str) {
        // Read again and again: whole, or not at all.
        let beside = self.0.with_extension("new");
        fs::write(&beside, ahead).unwrap();
        fs::rename(beside, &self.0).unwrap();
    }

    /// The program under this clock.
    fn program(&self) -> Command {
        let mut command = Command::new("faketime");
        // The wrapper brings its library along; the file counts where the variable says nothing.
        command.args(["-m", "-f", "+0d", "env", "-u", "FAKETIME", TABELLION]);
        command.env("FAKETIME_TIMESTAMP_FILE", &self.0).env("FAKETIME_CACHE_DURATION", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        command
    }
}

/// A command of alpha's to a node, which is known by the file that was made with the network.
fn ask(network: &Network, mut program: Command, node: usize, args: &[&str]) -> Output {
    let node = network.url(node);
    let named = ["--network", "net", "--node", &node, "--key", "net/keys/alpha.pem"];
    program.args(args).args(named).current_dir(network.path()).output().unwrap()
}

/// Asks until it comes through, for a minute: nodes may still be coming up.
fn until(network: &Network, clock: &Clock, node: usize, args: &[&str]) -> String {
    let begin = Instant::now();
    loop {
        let output = ask(network, clock.program(), node, args);
        if output.status.success() {
            return String::from_utf8(output.stdout).unwrap();
        }
        let why = String::from_utf8_lossy(&output.stderr);
        assert!(begin.elapsed() < Duration::from_secs(60), "{args:?}: {why}\n{}", network.logs());
        std::thread::park_timeout(Duration::from_millis(200));
    }
}

/// X.1409 L9, L7: no expiry stops the ledger, and nobody has to renew anything. Nodes know each other by the
/// keys on the ledger; clients know them by the same keys, which sign new certificates for them in time,
/// whether nodes run through the years or are started after them.
#[test]
fn a_network_whose_certificates_have_all_expired_goes_on() {
    let mut network = Network::make();
    let clock = Clock::new(&network);
    (0..4).for_each(|index| network.start_node_by(index, clock.program()));
    until(&network, &clock, 0, &["propose", "decision", "we begin"]);
    clock.set("+80y");
    until(&network, &clock, 0, &["propose", "decision", "years have gone by"]);
    for node in 0..4 {
        let status = until(&network, &clock, node, &["ledger", "status"]);
        assert!(status.contains(" at 21"), "{status}");
    }
    let behind = ask(&network, Command::new(TABELLION), 0, &["ledger", "status"]);
    let why = String::from_utf8_lossy(&behind.stderr).into_owned();
    assert!(why.contains("not valid yet"), "whose clock is behind is told so: {why}");

    (0..4).for_each(|index| network.kill_node(index));
    clock.set("+160y");
    (0..4).for_each(|index| network.start_node_by(index, clock.program()));
    until(&network, &clock, 0, &["propose", "decision", "we go on"]);
    let status = until(&network, &clock, 0, &["ledger", "status"]);
    assert!(status.contains(" at 21"), "{status}");
}
