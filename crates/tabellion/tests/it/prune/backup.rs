//! Backup nodes give each other what they missed, with real processes.

use tabellion_client::NodeTrust;

use super::*;
use crate::state_sync::Liar;

const EVERY_SECOND: &str = "[prune]\nkeep = \"0s\"\nevery = \"1s\"\n";
/// Authorities of all nodes of a test.
const ALL_CAS: &str = "all-cas.pem";

/// A backup node.
struct Backup {
    name: &'static str,
    /// Its place among the processes.
    place: usize,
    port: u16,
}

impl Backup {
    /// Invites it and lets it join; it does not run yet.
    fn join(it: &Shrinking, name: &'static str, place: usize, ports: [usize; 2]) -> Self {
        let invitation = format!("{name}.invitation");
        it.consortium.sign("alpha", &["node", "invite", name, "--role", "backup", "--out", &invitation]);
        let [listen, rest] = ports.map(|port| format!("127.0.0.1:{}", it.consortium.ports[port]));
        let join = ["node", "join", &invitation, "--data", name, "--listen", &listen, "--rest", &rest];
        tabellion(it.path(), &join).check(0, &[]);
        let cas = ["net", "keeper", name].map(|folder| it.path().join(folder).join("tls-ca.pem"));
        let all: String = cas.map(|file| fs::read_to_string(file).unwrap()).concat();
        fs::write(it.path().join(ALL_CAS), all).unwrap();
        Self { name, place, port: it.consortium.ports[ports[1]] }
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// Names the nodes that it asks, and adds to its file.
    fn configure(&self, it: &Shrinking, nodes: &[String], more: &str) {
        let file = it.path().join(self.name).join("node.toml");
        let mut settings: toml::Table = toml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        settings.remove("peers");
        if !nodes.is_empty() {
            let ca = it.path().join(ALL_CAS).display().to_string();
            settings.insert(
                "peers".to_owned(),
                toml::Table::from_iter([
                    ("nodes".to_owned(), toml::Value::from(nodes.to_vec())),
                    ("ca".to_owned(), toml::Value::from(ca)),
                ])
                .into(),
            );
        }
        settings.extend(toml::from_str::<toml::Table>(more).unwrap());
        fs::write(&file, toml::to_string(&settings).unwrap()).unwrap();
    }

    /// Starts it; SIGKILL came before.
    fn start(&self, it: &mut Shrinking) {
        it.consortium.start_node(self.name);
        let node = it.consortium.nodes.pop().unwrap();
        match it.consortium.nodes.get_mut(self.place) {
            Some(old) => *old = node,
            None => it.consortium.nodes.push(node),
        }
    }

    fn kill(&self, it: &mut Shrinking) {
        it.consortium.nodes[self.place].kill().unwrap();
        it.consortium.nodes[self.place].wait().unwrap();
    }

    /// What its face says.
    fn ask(&self, path: &std::path::Path, what: &str) -> String {
        let ca = path.join(ALL_CAS);
        let url = format!("{}{what}", self.url());
        let output = Command::new("curl").args(["-sf", "--cacert"]).arg(ca).arg(url).output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Whether it holds a certificate itself.
    fn holds(&self, path: &std::path::Path, id: &str) -> bool {
        !self.ask(path, &format!("/v1/certificates/{id}/der?here=true")).is_empty()
    }

    /// Blocks of which it says that it lacks certificates, once it is connected.
    fn lacks(&self, path: &std::path::Path) -> Option<u64> {
        let ran = tabellion(path, &["node", "status", "--data", self.name, "--json"]);
        let status = (ran.code == 0).then(|| ran.json().remove(0))?;
        let is_connected = status["health"]["peers"].as_u64().unwrap_or(0) >= 3;
        status["health"]["lacking_blocks"].as_u64().filter(|_| is_connected && status["lag"] == 0)
    }
}

/// X.1409 C18, C21; Appendix II.2, case II: a backup node that joins later gets all certificates from the
/// other one; one that was down gets what it missed, believes nobody who lies, and gives no notice of a block
/// before it has what belongs to it.
#[test]
fn backup_nodes_give_each_other_what_they_missed() {
    let mut ca = TestCa::new(KeyKind::P256);
    let kind = "[parameters.certificate]\nkind = \"identifiers\"\n";
    let mut it = Shrinking { consortium: Consortium::start_with(ca.root(), kind, EVERY_SECOND) };
    let keeper = Backup::join(&it, "keeper", 4, [4, 9]);
    keeper.configure(&it, &[], EVERY_SECOND);
    keeper.start(&mut it);
    it.consortium.until("the first backup node follows", |c| keeper.lacks(c.path()) == Some(0));
    let (name, first) = issue(&mut ca, &it, "first.example".to_owned());
    it.publish(&[name], "+30d");
    it.consortium.until("a state is held", |c| {
        let ran = c.run(&["ledger", "status", "--json"]);
        ran.code == 0 && ran.json()[0]["height"].as_u64().unwrap() > 20
    });
    assert!(keeper.holds(it.path(), &first));

    // Alpha has no certificates; the keeper has.
    let second = Backup::join(&it, "second", 5, [10, 11]);
    let alpha = format!("https://127.0.0.1:{}", it.consortium.ports[5]);
    second.configure(&it, &[alpha, keeper.url()], "");
    second.start(&mut it);
    it.consortium.until("a backup node that joined has all", |c| second.holds(c.path(), &first));
    it.consortium.until("and says so", |c| second.lacks(c.path()) == Some(0));

    keeper.kill(&mut it);
    let (name, missed) = issue(&mut ca, &it, "missed.example".to_owned());
    let missed_at = it.publish(&[name], "+10s");
    keeper.start(&mut it);
    it.consortium.until("the keeper knows what it missed", |c| keeper.lacks(c.path()) == Some(1));
    assert!(!keeper.holds(it.path(), &missed) && second.holds(it.path(), &missed));
    let (name, later) = issue(&mut ca, &it, "later.example".to_owned());
    let later_at = it.publish(&[name], "+10s");
    assert!(keeper.holds(it.path(), &later));
    let gone = |c: &Consortium, height: u64| {
        let node = format!("https://127.0.0.1:{}", c.ports[5]);
        let args = ["ledger", "block", &height.to_string(), "--json", "--network", "net", "--node", &node];
        let ran = tabellion(c.path(), &args);
        ran.code == 0 && ran.json()[0]["complete"] == false
    };
    it.consortium.until("the keeper gives notice of what it has", |c| gone(c, later_at));
    assert!(it.holds(0, missed_at), "and none of what ended before, but which it lacks");

    keeper.kill(&mut it);
    let trust = NodeTrust::Authorities(fs::read(it.path().join(ALL_CAS)).unwrap());
    let liar = Liar::before_node(&it.consortium, &second.url(), &trust, "/bytes");
    keeper.configure(&it, &[format!("https://{}", liar.address), second.url()], "");
    keeper.start(&mut it);
    it.consortium.until("the keeper has what it missed", |c| keeper.holds(c.path(), &missed));
    it.consortium.until("and says so", |c| keeper.lacks(c.path()) == Some(0));
    let metrics = keeper.ask(it.path(), "/metrics");
    let said = |line: &str| assert!(metrics.lines().any(|other| other == line), "{line}\n{metrics}");
    said("tabellion_lacking_blocks 0");
    said("tabellion_untrue_attachments_total 1");
    it.consortium.until("and gives notice of it", |c| gone(c, missed_at));
}
