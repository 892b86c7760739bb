//! Two ledgers of real processes, and proxies between them.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tabellion_corpus::CrlDraft;
use tabellion_ledger::TimeMs;
use tabellion_pki::Facts;

use crate::consortium::{Consortium, pem};
use crate::ledger::now;

/// A proxy that runs until it is dropped.
struct Proxy(Child);

impl Proxy {
    fn start(host: &Consortium, home: &Consortium, key: &str, log: &str) -> Self {
        let log = fs::File::create(home.path().join(log)).unwrap();
        let from = host.path().join("net");
        let child = Command::new(env!("CARGO_BIN_EXE_tabellion"))
            .args(["proxy", "run", "--to", "net", "--key", key, "--every", "200ms", "--from"])
            .arg(from)
            .current_dir(home.path())
            .stdout(Stdio::from(log.try_clone().unwrap()))
            .stderr(log)
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Publishes on the host ledger; the file stands at home too, as a relying party there has it.
fn publish(host: &mut Consortium, home: &Consortium, name: &str) -> Vec<u8> {
    let (file, der) = host.publish_as(name);
    fs::copy(host.path().join(file), home.path().join(format!("{name}.pem"))).unwrap();
    der
}

/// Revokes on the host ledger, upon the CA's own list.
fn revoke(host: &Consortium, name: &str, der: &[u8]) {
    let folder: &Path = host.path();
    let issuer = host.ca.issuer();
    let mut crl = CrlDraft::new(issuer, 1, TimeMs((now().0 / 1000 - 5) * 1000));
    crl.revoke(&Facts::of(der).unwrap().serial, Some(1));
    fs::write(folder.join("ca.crl"), crl.sign(&issuer.key)).unwrap();
    fs::write(folder.join("issuer.pem"), pem(&[&issuer.certificate])).unwrap();
    let file = format!("{name}.pem");
    host.sign("alpha", &["cert", "revoke", &file, "--issuer", "issuer.pem", "--crl", "ca.crl"]);
}

/// X.1409 C16, A.1: what is published and revoked on the host ledger is known at home, by any of the proxies;
/// without one it grows stale and says so, and what is revoked stays revoked.
#[test]
fn statuses_cross_from_ledger_to_ledger_while_any_proxy_runs() {
    let (mut host, mut home) = (Consortium::start(), Consortium::start());
    host.decide(&["outbox", "open"], &["bravo", "charlie"]);
    let document = host.path().join("net/genesis.cbor");
    let follow = ["follow-ledger", document.to_str().unwrap(), "--name", "abroad", "--stale-after", "10s"];
    home.decide(&follow, &["bravo", "charlie"]);
    home.run(&["proxy", "list"]).check(0, &[]);

    // One signs with a member's key, the other with that of a validator node.
    let first = Proxy::start(&host, &home, "net/keys/bravo.pem", "first.log");
    let second = Proxy::start(&host, &home, "net/nodes/node-charlie/node-key.pem", "second.log");
    let good = publish(&mut host, &home, "good");
    let bad = publish(&mut host, &home, "bad");
    assert_ne!(good, bad);
    let verify = |home: &Consortium, name: &str| home.run(&["cert", "verify", &format!("{name}.pem")]);
    for name in ["good", "bad"] {
        home.until("a publication abroad is valid here", |home| {
            let ran = verify(home, name);
            ran.code == 0 && ran.out.contains("on ledger abroad")
        });
    }

    drop(first);
    revoke(&host, "bad", &bad);
    home.until("a revocation abroad is known here, by the other proxy", |home| {
        let ran = verify(home, "bad");
        ran.code == 4 && ran.out.contains("revoked")
    });
    assert_eq!(verify(&home, "good").code, 0);

    drop(second);
    home.until("what nobody brings any more is stale", |home| {
        let ran = verify(home, "good");
        ran.code == 4 && ran.out.contains("(stale)")
    });
    let ran = verify(&home, "bad").check(4, &["revoked"]);
    assert!(ran.out.contains("revoked"), "{ran:?}");
    let shown = home.run(&["proxy", "show", "abroad"]).check(0, &[]).out;
    assert!(shown.contains("state         stale"), "{shown}");

    let key = home.path().join("net/keys/delta.pem");
    let (from, key) = (host.path().join("net"), key.to_str().unwrap().to_owned());
    let once = ["proxy", "run", "--from", from.to_str().unwrap(), "--to", "net", "--key", &key, "--once"];
    crate::run::tabellion(home.path(), &once).check(0, &[]);
    home.until("it is fresh again", |home| verify(home, "good").code == 0);
}
