//! An unchanged monitor of Certificate Transparency follows a ledger: Debian's `certspotter`.

use std::fs;
use std::process::{Command, Stdio};

use super::{Beside, CA, Ran};

impl Beside {
    /// The node signs with its member's key for clients that cannot.
    pub fn sign_for_others(&self) {
        let file = self.path().join("net/nodes/alpha/node.toml");
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("gateway_key = \"../../keys/alpha.pem\"\n{text}")).unwrap();
    }

    /// Submits a certificate as clients of logs do, under the REST face's TLS.
    fn add_chain(&self, name: &str) -> Ran {
        self.sh(&format!(
            "REST=$(sed -n 's/.*\"\\(https:.*\\)\".*/\\1/p' net/client.toml | head -1); \
             DER=$(openssl x509 -in ca/{name}.pem -outform DER | base64 -w 0); \
             curl -s --cacert net/tls-ca.pem -H 'Content-Type: application/json' \
             -d \"{{\\\"chain\\\":[\\\"$DER\\\"]}}\" $REST/ct/v1/add-chain"
        ))
    }

    /// Runs certspotter, with the position that an earlier run left, until it has said `line`; returns all
    /// that it said. It asks at its start and then every five minutes.
    fn monitor(&mut self, line: &str) -> String {
        let said = self.path().join("monitor.log");
        let log = fs::File::create(&said).unwrap();
        let child = Command::new("certspotter")
            .args(["-logs", "log.json", "-watchlist", "watched", "-state_dir", "monitor", "-stdout"])
            .arg("-verbose")
            .current_dir(self.path())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn();
        self.helpers.push(child.unwrap());
        let mut text = String::new();
        self.until("the monitor reports", |_| {
            text = fs::read_to_string(&said).unwrap_or_default();
            text.contains(line) && text.contains("saving state")
        });
        let mut child = self.helpers.pop().unwrap();
        // A signal that it can answer: it writes its position first.
        self.sh(&format!("kill {}", child.id())).well();
        child.wait().unwrap();
        text
    }
}

/// X.1409 C25, A5: it finds every certificate under a watched name, and that each new tree extends the one
/// that it knows; also those that were submitted as to any log.
#[test]
fn certspotter_follows_the_ledger() {
    let mut beside = Beside::make();
    beside.issue("ca", "responder", "responder");
    for name in ["first", "unwatched", "second"] {
        beside.issue("ca", name, "server");
    }
    beside.sign_for_others();
    beside.start(&format!("{CA}\n[ct]\n"));
    beside.publish("first");
    beside.publish("unwatched");
    beside.until("the log has both", |beside| {
        beside.sh("curl -s $URL/ct/v1/get-sth").text.contains("\"tree_size\":2")
    });
    beside.sh("curl -sf $URL/ct/v1/ -o log.json").well();
    fs::write(beside.path().join("watched"), "first.example\nsecond.example\n").unwrap();
    let said = beside.monitor("first.example");
    assert!(!said.contains("second.example") && !said.contains("unwatched.example"), "{said}");
    let (second, head) = (beside.add_chain("second"), beside.sh("curl -s $URL/ct/v1/add-chain -d '{}'"));
    second.says(&["{\"sct_version\":0,\"id\":\""]);
    head.says(&["ct-read-only"]);
    beside.stop();
    beside.start_again();
    beside.until("the log has three", |beside| {
        beside.sh("curl -s $URL/ct/v1/get-sth").text.contains("\"tree_size\":3")
    });
    let said = beside.monitor("second.example");
    assert!(!said.contains("first.example"), "it went on from where it was:\n{said}");
    // It makes the tree itself from all entries, and keeps the heads that it could not verify so.
    let state = beside.sh("cat monitor/logs/*/state.json; ls monitor/logs/*/unverified_sths");
    state.well().says(&["\"verified_sth\":{\"sth_version\":0,\"tree_size\":3", "\"size\":3"]);
}
