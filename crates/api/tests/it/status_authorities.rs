//! Keys and certificates that may sign for a CA, and those that may not.

use tabellion_api::{AuthorityConfig, AuthorityFault, SignerConfig, StatusAuthorities};
use tabellion_corpus::{KeyKind, TestKey};
use tabellion_ledger::TimeMs;
use x509_cert::ext::pkix::KeyUsages;

use crate::status_world::{StatusWorld, authority, delegate, private, with_usage};
use crate::world::{START, World};

/// The word for a fault.
fn word(fault: &AuthorityFault) -> &'static str {
    match fault {
        AuthorityFault::Certificate(_) => "certificate",
        AuthorityFault::Key => "key",
        AuthorityFault::KeyDiffers { .. } => "key differs",
        AuthorityFault::NotOfCa { .. } => "not of CA",
        AuthorityFault::OcspUsage { .. } => "OCSP usage",
        AuthorityFault::CrlUsage { .. } => "CRL usage",
        AuthorityFault::CrlName { .. } => "CRL name",
        AuthorityFault::NotValid { .. } => "not valid",
        AuthorityFault::Twice { .. } => "twice",
        AuthorityFault::Name { .. } => "name",
    }
}

fn outcome(configs: Vec<AuthorityConfig>, now: TimeMs) -> Result<(), (usize, &'static str)> {
    StatusAuthorities::new(configs, now).map(drop).map_err(|(index, fault)| (index, word(&fault)))
}

/// RFC 6960 4.2.2.2, RFC 5280 6.3.3 (f): who may sign.
#[test]
fn only_the_ca_and_its_delegates_sign_for_it() {
    let (world, other) = (World::new(), World::new());
    let other_key = |mut signer: SignerConfig| {
        signer.key = private(&TestKey::generate(KeyKind::P256));
        signer
    };
    let ca = || authority(&world).crl.unwrap();
    let garbage = SignerConfig { certificate: b"0".to_vec(), key: ca().key };
    let ocsp = [
        ("a delegate", delegate(&world, KeyKind::P256), Ok(())),
        ("a delegate with RSA", delegate(&world, KeyKind::Rsa2048), Ok(())),
        ("a delegate with ML-DSA", delegate(&world, KeyKind::MlDsa44), Ok(())),
        ("the CA", ca(), Ok(())),
        ("no certificate", garbage, Err((0, "certificate"))),
        ("another key", other_key(delegate(&world, KeyKind::P256)), Err((0, "key differs"))),
        ("another CA's delegate", delegate(&other, KeyKind::P256), Err((0, "not of CA"))),
        ("no purpose", with_usage(&world, KeyUsages::DigitalSignature, false), Err((0, "OCSP usage"))),
        ("no signatures", with_usage(&world, KeyUsages::KeyAgreement, true), Err((0, "OCSP usage"))),
    ];
    for (what, signer, expected) in ocsp {
        let config = AuthorityConfig { ocsp: Some(signer), ..authority(&world) };
        assert_eq!(outcome(vec![config], START), expected, "{what}");
    }
    let crl = [
        ("the CA", ca(), Ok(())),
        ("another key", other_key(ca()), Err((0, "key differs"))),
        ("a delegate for OCSP", delegate(&world, KeyKind::P256), Err((0, "CRL name"))),
    ];
    for (what, signer, expected) in crl {
        let config = AuthorityConfig { crl: Some(signer), ..authority(&world) };
        assert_eq!(outcome(vec![config], START), expected, "{what}");
    }
    let late = TimeMs(4_000_000_000_000);
    assert_eq!(outcome(vec![authority(&world)], late), Err((0, "not valid")));
    assert_eq!(outcome(vec![authority(&world), authority(&world)], START), Err((1, "twice")));
    for name in ["", "../x", "a b", ".hidden"] {
        let config = AuthorityConfig { names: vec![name.to_owned()], ..authority(&world) };
        assert_eq!(outcome(vec![config], START), Err((0, "name")), "{name}");
    }
    let path = AuthorityConfig { crl_paths: vec!["no-slash".to_owned()], ..authority(&world) };
    assert_eq!(outcome(vec![path], START), Err((0, "name")));
}

/// Where the next keys cannot be used, the present ones stay.
#[tokio::test]
async fn keys_that_cannot_be_used_replace_nothing() {
    let status = StatusWorld::new();
    let der = status.publish("a.example").await;
    let mut config = authority(&status.world);
    config.ocsp = Some(delegate(&World::new(), KeyKind::P256));
    let (index, fault) = status.authorities.replace(vec![config], START).unwrap_err();
    assert_eq!((index, word(&fault)), (0, "not of CA"));
    assert_eq!(status.ask_of(&der).await.said, ["good"]);
}
