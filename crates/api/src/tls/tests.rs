use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{RootCertStore, ServerConfig};
use tabellion_ledger::TimeMs;
use tabellion_pki::{AlgorithmSet, Facts, is_issued_by};

use super::{CaLinks, FaceCertificate, NodeCa, NodeCaError, OwnCertificate, tls_config_of};

/// PKCS #8 around an Ed25519 seed (RFC 8410 section 7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// In the year 2026.
const NOW: TimeMs = TimeMs(1_790_000_000_000);

fn ca(number: u8) -> NodeCa {
    let key = [PKCS8_HEAD.as_slice(), &[number; 32]].concat();
    NodeCa::new(&PrivatePkcs8KeyDer::from(key)).unwrap()
}

fn hosts() -> Vec<String> {
    ["node.example", "127.0.0.1", "::1"].map(str::to_owned).to_vec()
}

fn pem(certificates: &[CertificateDer<'_>]) -> String {
    certificates.iter().map(|der| pem::encode(&pem::Pem::new("CERTIFICATE", der.as_ref()))).collect()
}

/// Whether OpenSSL lets a client that holds `trusted` in, at a moment and with more conditions.
fn openssl(shown: &[CertificateDer<'_>], trusted: &CertificateDer<'_>, at: TimeMs, more: &[&str]) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    write("face.pem", pem(&shown[..1]));
    write("rest.pem", pem(&shown[1..]));
    write("ca.pem", pem(std::slice::from_ref(trusted)));
    let at = (at.0 / 1_000).to_string();
    let mut verify = Command::new("openssl");
    verify.args(["verify", "-x509_strict", "-purpose", "sslserver", "-attime", &at, "-no-CApath"]);
    verify.args(["-no-CAstore", "-CAfile", "ca.pem", "-untrusted", "rest.pem"]).args(more).arg("face.pem");
    verify.current_dir(folder.path()).output().unwrap().status.success()
}

/// The same of our own clients.
fn webpki(shown: &[CertificateDer<'static>], trusted: &CertificateDer<'static>, at: TimeMs) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let algorithms = default_provider().signature_verification_algorithms.all;
    let face = ParsedCertificate::try_from(&shown[0]).unwrap();
    let at = UnixTime::since_unix_epoch(Duration::from_millis(at.0));
    verify_server_cert_signed_by_trust_anchor(&face, &roots, &shown[1..], at, algorithms).is_ok()
}

fn shown_by(ca: &NodeCa, links: &CaLinks) -> Vec<CertificateDer<'static>> {
    [vec![ca.issue(&hosts(), NOW).unwrap().0], links.chain_of(ca)].concat()
}

#[test]
fn the_ca_of_a_key_is_always_the_same_and_has_no_end() {
    let (once, again, other) = (ca(1), ca(1), ca(2));
    assert_eq!(once.certificate(), again.certificate());
    assert_ne!(once.certificate(), other.certificate());
    let facts = Facts::of(once.certificate()).unwrap();
    assert_eq!(facts.key, once.key());
    assert_eq!(facts.subject.text(), format!("CN={},O=tabellion node", once.key()));
    assert_eq!((facts.not_before.0, facts.not_after.0), (1_577_836_800_000, 253_402_300_799_000));
    let own = is_issued_by(once.certificate(), once.certificate(), &AlgorithmSet::default());
    assert_eq!(own.unwrap(), Ok(()));
}

#[test]
fn another_kind_of_key_makes_no_ca() {
    let key = rcgen::KeyPair::generate().unwrap().serialize_der();
    assert!(matches!(NodeCa::new(&PrivatePkcs8KeyDer::from(key)), Err(NodeCaError::Key(_))));
    let no_name = ca(1).issue(&["ü".to_owned()], NOW);
    assert!(matches!(no_name, Err(NodeCaError::Make(_))));
}

/// X.1409 L7: what a node shows is verified by who holds its CA, under its names alone and for its days.
#[test]
fn openssl_and_webpki_verify_a_face_by_the_nodes_ca_for_its_week() {
    let node = ca(1);
    let shown = shown_by(&node, &CaLinks::default());
    let rows = [
        ("made", 0, true),
        ("begins", -(HOUR_MS as i64), true),
        ("before", -(HOUR_MS as i64) - 2_000, false),
        // The last second itself belongs to the validity by RFC 5280, but not for OpenSSL.
        ("ends", (7 * DAY_MS - HOUR_MS) as i64 - 2_000, true),
        ("after", (7 * DAY_MS - HOUR_MS) as i64 + 2_000, false),
    ];
    for (what, shift, expected) in rows {
        let at = TimeMs(NOW.0.checked_add_signed(shift).unwrap());
        assert_eq!(openssl(&shown, node.certificate(), at, &[]), expected, "{what}");
        assert_eq!(webpki(&shown, node.certificate(), at), expected, "{what}");
    }
    let named = [
        (["-verify_hostname", "node.example"], true),
        (["-verify_ip", "127.0.0.1"], true),
        (["-verify_ip", "::1"], true),
        (["-verify_hostname", "other.example"], false),
    ];
    for (name, expected) in named {
        assert_eq!(openssl(&shown, node.certificate(), NOW, &name), expected, "{name:?}");
    }
    assert!(!openssl(&shown, ca(2).certificate(), NOW, &[]) && !webpki(&shown, ca(2).certificate(), NOW));
}

/// X.1409 L7: a client that holds the CA of the key before follows the node's rotation, and needs nothing.
#[test]
fn who_holds_the_ca_of_before_verifies_the_face_through_a_link() {
    let mut links = CaLinks::default();
    for number in 1..=4 {
        let (before, next) = (ca(number), ca(number + 1));
        let known = links.chain_of(&before);
        links = links.with_next(&before, &next).unwrap();
        assert_eq!(links.with_next(&before, &next).unwrap(), links, "once more");
        assert_eq!(links.chain_of(&before), known, "the key takes over later");
        let shown = shown_by(&next, &links);
        for held in 1..=number + 1 {
            let expected = held >= number;
            let what = format!("after {number} rotations, by CA {held}");
            assert_eq!(openssl(&shown, ca(held).certificate(), NOW, &[]), expected, "{what}");
            assert_eq!(webpki(&shown, ca(held).certificate(), NOW), expected, "{what}");
        }
    }
    assert_eq!(links.certificates().len(), 2);
    // What belongs to another node, or is no certificate, is not shown.
    let foreign = CaLinks::default().with_next(&ca(8), &ca(9)).unwrap();
    let mixed = [foreign.certificates(), &[CertificateDer::from(vec![1])], links.certificates()].concat();
    assert_eq!(CaLinks::new(mixed).chain_of(&ca(5)), links.chain_of(&ca(5)));
    assert_eq!(foreign.chain_of(&ca(5)), [ca(5).certificate().clone()]);
}

fn first(shown: &Arc<FaceCertificate>) -> CertificateDer<'static> {
    shown.0.read().unwrap().cert[0].clone()
}

/// X.1409 L9: whatever the clock does, the certificate is valid by it with the next look, and made by itself.
#[test]
fn a_face_has_a_valid_certificate_at_every_moment_of_its_clock() {
    let mut own = OwnCertificate::new(ca(1), CaLinks::default(), hosts(), NOW).unwrap();
    let year = 365 * DAY_MS;
    let rows = [
        ("a second later", NOW.0 + 1_000, false),
        ("set back a little", NOW.0 - HOUR_MS / 2, false),
        ("a day later", NOW.0 + DAY_MS, true),
        ("an hour after that", NOW.0 + DAY_MS + HOUR_MS, false),
        ("after a sleep of 80 years", NOW.0 + 80 * year, true),
        ("set right again", NOW.0 + 2 * DAY_MS, true),
        ("set back by hours", NOW.0 + 2 * DAY_MS - 2 * HOUR_MS, true),
        ("in the year 9999", 253_402_300_000_000, true),
        ("beyond all dates", u64::MAX, true),
        ("in 1970", 0, true),
    ];
    for (what, now, expected) in rows {
        let before = first(own.shown());
        assert_eq!(own.renew(TimeMs(now)).unwrap(), expected, "{what}");
        let face = first(own.shown());
        assert_eq!(face != before, expected, "{what}");
        let facts = Facts::of(&face).unwrap();
        let end_of_dates = 253_402_300_799_000;
        assert!(
            (facts.not_before.0..=facts.not_after.0).contains(&now.min(end_of_dates)),
            "{what}: {facts:?}"
        );
    }
}

#[test]
fn a_face_goes_on_under_the_nodes_next_key() {
    let links = CaLinks::default().with_next(&ca(1), &ca(2)).unwrap();
    let mut own = OwnCertificate::new(ca(1), links.clone(), hosts(), NOW).unwrap();
    let _: Arc<ServerConfig> = tls_config_of(own.shown().clone()).unwrap();
    let before = first(own.shown());
    own.change_ca(ca(1), NOW).unwrap();
    assert_eq!(first(own.shown()), before, "the same key");
    own.change_ca(ca(2), NOW).unwrap();
    let shown = own.shown().0.read().unwrap().cert.clone();
    assert_eq!(shown[1..], links.chain_of(&ca(2)));
    assert!(webpki(&shown, ca(1).certificate(), NOW) && webpki(&shown, ca(2).certificate(), NOW));
}
