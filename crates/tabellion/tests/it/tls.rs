//! TLS connections whose ends know each other by the ledger: our two ends, and GnuTLS at either one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tabellion_corpus::{CrlDraft, KeyKind, OcspDraft, OcspStatus, TestKey};
use tabellion_ledger::TimeMs;
use tabellion_pki::Facts;
use tempfile::TempDir;

use crate::ledger::{now, write_pem};
use crate::node::Node;
use crate::run::{Ran, tabellion, tabellion_with_input};

const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");
const RAW_KEYS: &str = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+CTYPE-CLI-RAWPK:+CTYPE-SRV-RAWPK";
const PATIENCE: Duration = Duration::from_secs(20);

/// A ledger with a security gateway and a home base station (H(e)NB), each with its key.
struct Scene {
    folder: TempDir,
    node: Node,
}

/// A process that ends with its test, and what it said.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(&folder.path().join("tabellion-data"));
        let scene = Self { folder, node };
        for name in ["gateway", "henb"] {
            scene.make(name);
            scene.run(&["cert", "publish", &format!("{name}.pem")]).check(0, &[]);
        }
        scene.make("stranger");
        scene
    }

    /// A certificate with its chain, `NAME.pem`, and its key, `NAME.key` and `NAME.pub`.
    fn make(&self, name: &str) {
        let key = TestKey::generate(KeyKind::P256);
        let mut ledger = self.node.ledger.lock().unwrap();
        let draft = ledger.ca.leaf_draft(&format!("{name}.example"), &key.spki());
        let der = ledger.ca.sign(&draft);
        let issuer = ledger.ca.intermediates()[0].to_vec();
        write_pem(self.path(), &format!("{name}.pem"), &[&der, &issuer]);
        write_pem(self.path(), "issuer.pem", &[&issuer]);
        let write = |end: &str, tag: &str, bytes: Vec<u8>| {
            fs::write(self.path().join(format!("{name}.{end}")), pem::encode(&pem::Pem::new(tag, bytes)))
                .unwrap();
        };
        write("key", "PRIVATE KEY", key.pkcs8());
        write("pub", "PUBLIC KEY", key.spki());
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn run(&self, args: &[&str]) -> Ran {
        tabellion(self.path(), args)
    }

    /// What the station's CA says of it: a CRL with this reason, or that it is good.
    fn feedback(&self, verb: &str, reason: Option<u8>) {
        let pem = fs::read(self.path().join("henb.pem")).unwrap();
        let der = pem::parse_many(pem).unwrap().remove(0).into_contents();
        let serial = Facts::of(&der).unwrap().serial;
        let at = TimeMs(now().0 / 1000 * 1000);
        let signed = {
            let ledger = self.node.ledger.lock().unwrap();
            let issuer = ledger.ca.issuer();
            match reason {
                None => OcspDraft::new(issuer, &serial, OcspStatus::Good, at).sign(&issuer.key),
                Some(reason) => {
                    let mut crl = CrlDraft::new(issuer, u64::from(reason) + 1, at);
                    crl.revoke(&serial, Some(reason));
                    crl.sign(&issuer.key)
                }
            }
        };
        fs::write(self.path().join("feedback"), signed).unwrap();
        let kind = if reason.is_some() { "--crl" } else { "--ocsp" };
        self.run(&["cert", verb, "henb.pem", "--issuer", "issuer.pem", kind, "feedback"]).check(0, &[]);
    }

    /// A gateway that asks anew for every connection; where it listens.
    fn gateway(&self, more: &[&str]) -> (Running, String, PathBuf) {
        let log = self.path().join(format!("gateway-{}.log", more.len()));
        let mut child = Command::new(TABELLION)
            .args(["tls", "serve", "--listen", "127.0.0.1:0", "--tls-key", "gateway.key", "--fresh", "0s"])
            .args(more)
            .current_dir(self.path())
            .stdout(fs::File::create(&log).unwrap())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split(' ').nth(2).unwrap_or_else(|| panic!("{line}")).to_owned();
        (Running(child), address, log)
    }

    fn connect(&self, address: &str, name: &str, more: &[&str]) -> Ran {
        let key = format!("{name}.key");
        let args = ["tls", "connect", address, "--name", "gateway.example", "--tls-key", &key];
        tabellion_with_input(self.path(), &[&args[..], more].concat(), b"hello\n")
    }
}

/// What a file holds once it holds this.
fn until_it_says(log: &Path, words: &str) -> String {
    let begin = Instant::now();
    loop {
        let text = fs::read_to_string(log).unwrap_or_default();
        if text.contains(words) {
            return text;
        }
        assert!(begin.elapsed() < PATIENCE, "'{words}' is missing: {text}");
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// X.1409 C23, C24: a home base station connects, shows its identifier or its certificate, the security
/// gateway asks the ledger, and only `normal` comes in.
#[test]
fn a_base_station_comes_in_while_it_is_normal_by_key_and_by_certificate() {
    let scene = Scene::new();
    let (_raw, by_key, key_log) = scene.gateway(&[]);
    let shown = ["--tls-certificate", "gateway.pem", "--peer", "certificate"];
    let (_certificate, by_certificate, certificate_log) = scene.gateway(&shown);
    let show = ["--tls-certificate", "henb.pem", "--peer", "certificate"];
    let ways = [(&by_key, &key_log, &[][..]), (&by_certificate, &certificate_log, &show[..])];
    let comes_in = |moment: &str| {
        for (address, log, more) in ways {
            let ran = scene.connect(address, "henb", more).check(0, &["connected", "CN=gateway.example"]);
            assert_eq!(ran.out, "hello\n", "{moment}");
            until_it_says(log, "CN=henb.example");
        }
    };
    let stays_out = |moment: &str, reason: &str| {
        for (address, log, more) in ways {
            let ran = scene.connect(address, "henb", more);
            assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{moment}: {ran:?}");
            until_it_says(log, reason);
        }
    };
    comes_in("at first");
    scene.feedback("suspend", Some(6));
    stays_out("suspended", "is suspended");
    scene.feedback("resume", None);
    comes_in("resumed");
    scene.feedback("revoke", Some(4));
    stays_out("revoked", "is revoked");

    assert_eq!(scene.connect(&by_key, "stranger", &[]).code, 1);
    until_it_says(&key_log, "knows no certificate of key");
    let show = ["--tls-certificate", "stranger.pem", "--peer", "certificate"];
    assert_eq!(scene.connect(&by_certificate, "stranger", &show).code, 1);
    until_it_says(&certificate_log, "is unknown");
    // Keys are shorter than certificates.
    let bytes = |log: &Path| {
        let text = until_it_says(log, "handshake");
        let (_, rest) = text.split_once("handshake ").unwrap();
        rest.split(' ').next().unwrap().parse::<usize>().unwrap()
    };
    assert!(bytes(&key_log) < bytes(&certificate_log));

    let other = ["tls", "connect", &by_key, "--name", "other.example", "--tls-key", "henb.key"];
    scene.run(&other).check(4, &["is not for other.example"]);
    scene.run(&["tls", "connect", "nowhere"]).check(2, &["is not HOST:PORT"]);
    scene.run(&["tls", "serve"]).check(2, &["--tls-key"]);
    let wrong = ["tls", "serve", "--tls-key", "henb.pem"];
    scene.run(&wrong).check(1, &["henb.pem is refused", "openssl pkcs8"]);
}

/// X.1409 C24: GnuTLS, which knows nothing of ledgers, shows and takes raw public keys (RFC 7250) at the other
/// end.
#[test]
fn gnutls_connects_and_is_connected_to_by_raw_keys() {
    let scene = Scene::new();
    let (_gateway, address, log) = scene.gateway(&[]);
    let port = address.rsplit_once(':').unwrap().1;
    let gnutls = |program: &str, name: &str| {
        let mut command = Command::new(program);
        command.args(["--priority", RAW_KEYS]).current_dir(scene.path());
        command.args(["--rawpkkeyfile", &format!("{name}.key"), "--rawpkfile", &format!("{name}.pub")]);
        command
    };
    let client = |name: &str| {
        let mut child = gnutls("gnutls-cli", name)
            .args(["--insecure", "--port", port, "127.0.0.1"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let _ = child.stdin.take().unwrap().write_all(b"from gnutls\n");
        let done = child.wait_with_output().unwrap();
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    assert!(client("henb").contains("from gnutls"));
    until_it_says(&log, "CN=henb.example");
    client("stranger");
    until_it_says(&log, "knows no certificate of key");

    let port = free_port().to_string();
    let serve = |name: &str| {
        let child = gnutls("gnutls-serv", name)
            .args(["--echo", "--port", &port, "--require-client-cert"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut running = Running(child.unwrap());
        // Its first words come once it listens.
        let _ = running.0.stdout.as_mut().unwrap().read(&mut [0; 1]);
        running
    };
    let connect = || {
        let address = format!("127.0.0.1:{port}");
        let begin = Instant::now();
        loop {
            let ran = scene.connect(&address, "henb", &[]);
            if !ran.err.contains("does not answer") || begin.elapsed() > PATIENCE {
                return ran;
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    };
    let gateway = serve("gateway");
    let ran = connect();
    assert!(ran.out.contains("hello"), "{ran:?}");
    drop(gateway);
    let _stranger = serve("stranger");
    connect().check(4, &["knows no certificate of key"]);
}
