//! Revoke, suspend and resume from the command line.

use tabellion_corpus::{CrlDraft, KeyKind, OcspDraft, OcspStatus, TestKey};
use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_pki::Facts;
use tempfile::tempdir;

use crate::ledger::{now, write_pem};
use crate::node::Node;
use crate::run::{Ran, tabellion};

/// X.1409 C8, C13: with a CRL, with an OCSP response, and with a statement that the CA signs by its own tool.
#[test]
fn a_certificate_is_suspended_resumed_and_revoked_upon_what_its_ca_says() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("tabellion-data"));
    let der = node.ledger.lock().unwrap().ca.issue("a.example");
    let intermediate = node.ledger.lock().unwrap().ca.intermediates()[0].to_vec();
    write_pem(path, "chain.pem", &[&intermediate, &der]);
    write_pem(path, "issuer.pem", &[&intermediate]);
    let (id, serial) = (CertificateId::of(&der).to_string(), Facts::of(&der).unwrap().serial);
    let run = |args: &[&str]| -> Ran { tabellion(path, args) };
    run(&["cert", "publish", "chain.pem"]).check(0, &[]);

    let second = |ago: u64| TimeMs((now().0 / 1000 - ago) * 1000);
    let (held, good) = {
        let ledger = node.ledger.lock().unwrap();
        let issuer = ledger.ca.issuer();
        let mut crl = CrlDraft::new(issuer, 1, second(30));
        crl.revoke(&serial, Some(6));
        let good = OcspDraft::new(issuer, &serial, OcspStatus::Good, second(20));
        (crl.sign(&issuer.key), good.sign(&issuer.key))
    };
    std::fs::write(path.join("ca.crl"), pem::encode(&pem::Pem::new("X509 CRL", held))).unwrap();
    std::fs::write(path.join("good.ocsp"), good).unwrap();
    let change = |verb: &str, kind: &str, file: &str| {
        run(&["cert", verb, "chain.pem", "--issuer", "issuer.pem", kind, file])
    };
    change("revoke", "--crl", "ca.crl").check(3, &["gives suspended, not revoked"]);
    change("suspend", "--ocsp", "ca.crl").check(3, &["evidence-malformed"]);
    let suspended = change("suspend", "--crl", "ca.crl").check(0, &[]);
    assert!(suspended.out.contains("suspended (certificate-hold)"), "{suspended:?}");
    run(&["cert", "verify", &id]).check(4, &["suspended"]);
    let shown = run(&["cert", "show", &id]).check(0, &[]).out;
    assert!(shown.contains("reason        certificate-hold, by crl"), "{shown}");
    change("resume", "--ocsp", "good.ocsp").check(0, &[]);
    run(&["cert", "verify", &id]).check(0, &[]);
    change("suspend", "--crl", "ca.crl").check(3, &["the ledger refused"]);

    let statement = |reason: &str| {
        run(&["cert", "statement", "chain.pem", "--reason", reason, "--out", "s"])
            .check(0, &["the CA's key"]);
        let signed = std::fs::read(path.join("s")).unwrap();
        let signature = node.ledger.lock().unwrap().ca.issuer().key.sign(&signed);
        std::fs::write(path.join("s.sig"), signature).unwrap();
    };
    let args = ["chain.pem", "--issuer", "issuer.pem", "--statement", "s", "--signature", "s.sig"];
    let stated = |verb: &str| run(&[&["--json", "cert", verb], args.as_slice()].concat());
    statement("key-compromise");
    let revoked = stated("revoke").check(0, &[]).json();
    assert_eq!((&revoked[0]["status"], &revoked[0]["evidence"]), (&"revoked".into(), &"statement".into()));
    run(&["cert", "verify", &id]).check(4, &["revoked"]);
    statement("none");
    stated("resume").check(3, &["revoked-for-good"]);
    run(&["cert", "statement", "chain.pem", "--reason", "boredom", "--out", "t"]).check(2, &["one of none"]);
}

/// X.1409 C8, C12, C13: a CA writes, signs and submits its statements before the certificate starts.
#[test]
fn a_certificate_that_waits_is_suspended_resumed_and_revoked_by_statements() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("tabellion-data"));
    let run = |args: &[&str]| -> Ran { tabellion(path, args) };
    let der = node.ledger.lock().unwrap().ca.issue("a.example");
    let intermediate = node.ledger.lock().unwrap().ca.intermediates()[0].to_vec();
    write_pem(path, "chain.pem", &[&intermediate, &der]);
    write_pem(path, "issuer.pem", &[&intermediate]);
    let id = CertificateId::of(&der).to_string();
    let written = |reason: &str| run(&["cert", "statement", "chain.pem", "--reason", reason, "--out", "s"]);
    written("key-compromise").check(3, &["not recorded on this ledger"]);
    run(&["cert", "publish", "chain.pem", "--from", "+1d"]).check(0, &[]);
    assert!(run(&["cert", "verify", &id]).check(4, &["unknown"]).out.contains("scheduled for"));
    let steps = [
        ("suspend", "certificate-hold", "as record 1", "suspended"),
        ("resume", "none", "as record 2", "unknown"),
        ("revoke", "key-compromise", "as record 3", "revoked"),
    ];
    for (verb, reason, record, standing) in steps {
        written(reason).check(0, &[record]);
        let signed = std::fs::read(path.join("s")).unwrap();
        let signature = node.ledger.lock().unwrap().ca.issuer().key.sign(&signed);
        std::fs::write(path.join("s.sig"), signature).unwrap();
        let args = ["chain.pem", "--issuer", "issuer.pem", "--statement", "s", "--signature", "s.sig"];
        run(&[&["cert", verb], args.as_slice()].concat()).check(0, &[]);
        let verified = run(&["cert", "verify", &id]).check(4, &[standing]);
        assert_eq!(verified.out.contains("  until "), standing == "unknown", "{verified:?}");
    }
}

/// X.1409 C15: a certificate is renewed with the old one's key, from a file or by another tool.
#[test]
fn a_certificate_is_renewed_with_the_key_of_the_old_one() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("tabellion-data"));
    let run = |args: &[&str]| -> Ran { tabellion(path, args) };
    let make = |name: &str, subject: &str| {
        let key = TestKey::generate(KeyKind::P256);
        let mut ledger = node.ledger.lock().unwrap();
        let draft = ledger.ca.leaf_draft(subject, &key.spki());
        let der = ledger.ca.sign(&draft);
        let intermediate = ledger.ca.intermediates()[0].to_vec();
        write_pem(path, &format!("{name}.pem"), &[&intermediate, &der]);
        let pkcs8 = pem::encode(&pem::Pem::new("PRIVATE KEY", key.pkcs8()));
        std::fs::write(path.join(format!("{name}.key")), pkcs8).unwrap();
        CertificateId::of(&der).to_string()
    };
    let ids = ["one", "two", "three"].map(|name| make(name, "a.example"));
    make("other", "b.example");
    run(&["cert", "publish", "one.pem"]).check(0, &[]);
    let renew = |old: &str, new: &str, more: &[&str]| run(&[&["cert", "renew", old, new], more].concat());
    renew("one.pem", "two.pem", &[]).check(2, &["--old-key"]);
    renew("one.pem", "two.pem", &["--old-key", "two.key"]).check(3, &["two.key: refused"]);
    renew("one.pem", "two.pem", &["--old-key", "one.pem"]).check(1, &["one.pem is refused"]);
    renew("one.pem", "other.pem", &["--old-key", "one.key"]).check(3, &["the ledger refused"]);
    let renewed = renew("one.pem", "two.pem", &["--old-key", "one.key"]).check(0, &[]);
    assert!(renewed.out.contains(&format!("{} in the place of {}", ids[1], ids[0])), "{renewed:?}");
    run(&["cert", "verify", &ids[0]]).check(4, &["revoked"]);
    run(&["cert", "verify", &ids[1]]).check(0, &[]);

    renew("two.pem", "three.pem", &["--message-out", "renewal"]).check(0, &["to be signed"]);
    let openssl = std::process::Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", "two.key", "-out", "renewal.signature", "renewal"])
        .current_dir(path)
        .status();
    assert!(openssl.unwrap().success());
    renew("two.pem", "three.pem", &["--signature", "renewal.signature"]).check(0, &[]);
    run(&["cert", "verify", &ids[2]]).check(0, &[]);
}
