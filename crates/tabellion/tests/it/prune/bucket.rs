//! The archive in a bucket, with real processes: a server that speaks S3 (moto), on loopback.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};

use super::*;

/// A server of an object store, with one bucket.
struct Server {
    process: Child,
    address: String,
}

/// Where moto lies; `cargo xtask test` installs it.
fn moto() -> String {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/moto");
    let folder = std::env::var("TABELLION_MOTO").unwrap_or_else(|_| default.to_owned());
    assert!(
        Path::new(&folder).join("moto").is_dir(),
        "no moto in {folder}\n\nhint: `cargo xtask test` installs it, or set TABELLION_MOTO to where it is"
    );
    folder
}

/// A port that is free now.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Server {
    fn start(port: u16, path: &Path) -> Self {
        let process = Command::new("python3")
            .args(["-m", "moto.server", "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("PYTHONPATH", moto())
            .current_dir(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let it = Self { process, address: format!("http://127.0.0.1:{port}") };
        for _ in 0..600 {
            if it.ask(&["-X", "PUT"], "bodies").is_some() {
                return it;
            }
            std::thread::park_timeout(std::time::Duration::from_millis(100));
        }
        panic!("the server of the bucket does not answer");
    }

    /// A request to it, signed by curl; `None` where it is refused.
    fn ask(&self, args: &[&str], what: &str) -> Option<Vec<u8>> {
        let url = format!("{}/{what}", self.address);
        let signed = ["-sf", "--aws-sigv4", "aws:amz:us-east-1:s3", "--user", "key:secret"];
        let output = Command::new("curl").args(signed).args(args).arg(url).output().unwrap();
        output.status.success().then_some(output.stdout)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What gives access to the bucket.
fn access(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ACCESS_KEY_ID", "key".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
    ]
}

/// `node restore` of alpha, which does not run; exit code, the numbers and what is said.
fn restore_from(it: &Shrinking, env: &[(&'static str, String)], from: &str) -> (Option<i32>, Value, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_tabellion"))
        .args(["node", "restore", "--data", &folder("alpha"), "--from", from, "--json"])
        .current_dir(it.path())
        .env_clear()
        .envs(env.iter().cloned())
        .output()
        .unwrap();
    let numbers = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code(), numbers, String::from_utf8(output.stderr).unwrap())
}

/// X.1409 A.3: a body is in the bucket before it is deleted; while the bucket's server is away it stays, and
/// the log says so. It comes back from there, unless somebody altered it.
#[test]
fn bodies_are_kept_in_a_bucket_before_they_go_and_come_back_from_there() {
    let mut ca = TestCa::new(KeyKind::P256);
    let mut it = Shrinking { consortium: Consortium::start_with(ca.root(), "", "") };
    let port = free_port();
    let env = access(port);
    it.consortium.env.clone_from(&env);
    let names: Vec<String> = (0..3).map(|n| issue(&mut ca, &it, format!("short{n}.example")).0).collect();
    let gone = it.publish(&names, "+8s");
    let archive = "s3://bodies/nodes/alpha";
    it.restart(0, "alpha", &format!("[prune]\nkeep = \"0s\"\nevery = \"1s\"\narchive = \"{archive}\"\n"));
    let log = it.path().join("net-nodes-node-alpha.log");
    it.consortium.until("the log says that nothing can be archived", |_| {
        fs::read_to_string(&log).unwrap().contains("none can be archived")
    });
    assert!(it.holds(0, gone), "while the server is away the body stays");
    assert!(!fs::read_to_string(&log).unwrap().contains("Signature"), "nothing that gives access is told");

    let server = Server::start(port, it.path());
    it.consortium.until("the body is archived and goes", |c| {
        let node = format!("https://127.0.0.1:{}", c.ports[5]);
        let args = ["ledger", "block", &gone.to_string(), "--json", "--network", "net", "--node", &node];
        let ran = tabellion(c.path(), &args);
        ran.code == 0 && ran.json()[0]["complete"] == false
    });
    assert!(it.holds(3, gone));
    let genesis = fs::read(it.path().join("net/genesis.cbor")).unwrap();
    let ledger = LedgerId::of(&genesis);
    let object = format!("bodies/nodes/alpha/{ledger}/00000000/{gone:012}-certificate.body");
    let body = server.ask(&[], &object).expect("the body is in the bucket");

    it.consortium.nodes[0].kill().unwrap();
    it.consortium.nodes[0].wait().unwrap();
    let mut altered = body.clone();
    *altered.last_mut().unwrap() ^= 1;
    let put = |bytes: &[u8]| {
        let file = it.path().join("object");
        fs::write(&file, bytes).unwrap();
        server.ask(&["-T", file.to_str().unwrap()], &object).unwrap();
    };
    put(&altered);
    let (code, numbers, said) = restore_from(&it, &env, archive);
    assert_eq!((code, &numbers["bodies"], &numbers["refused"]), (Some(5), &0.into(), &1.into()), "{said}");
    put(&body);
    let (code, numbers, said) = restore_from(&it, &env, archive);
    assert_eq!((code, &numbers["bodies"], &numbers["refused"]), (Some(0), &1.into(), &0.into()), "{said}");
    assert_eq!(restore_from(&it, &env, archive).1["bodies"], 0, "it is there");
    let (code, _, said) = restore_from(&it, &[], archive);
    assert!(code == Some(2) && said.contains("needs AWS_ACCESS_KEY_ID in the environment"), "{said}");
    drop(server);
    let (code, _, said) = restore_from(&it, &env, archive);
    assert!(code == Some(1) && said.contains("the server does not answer"), "{said}");
}
