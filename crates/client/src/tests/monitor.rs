//! What a domain owner is told.

use tabellion_corpus::CrlDraft;
use tabellion_ledger::{CertificateId, Height};
use tabellion_pki::{EvidenceKind, Reason, Status};

use super::world::{NOW, World};
use crate::monitor::{AlertKind, CaRegister, Watch, WatchedName};
use crate::{Certificate, ChangeRequest, Signer};

fn name(text: &str) -> WatchedName {
    text.parse().unwrap()
}

/// A certificate concerns an owner if it could be shown for one of its names.
#[test]
fn a_name_is_concerned_by_what_could_be_shown_for_it() {
    let rows = [
        ("www.example.com", "www.example.com", true),
        ("www.example.com", "WWW.Example.COM.", true),
        ("www.example.com", "example.com", false),
        ("www.example.com", "a.www.example.com", false),
        ("www.example.com", "*.example.com", true),
        ("www.example.com", "*.com", false),
        ("example.com", "*.com", true),
        (".example.com", "example.com", true),
        (".example.com", "a.b.example.com", true),
        (".example.com", "*.b.example.com", true),
        (".example.com", "*.example.com", true),
        (".example.com", "*.com", true),
        (".example.com", "badexample.com", false),
        (".example.com", "example.com.evil.org", false),
    ];
    for (watched, in_certificate, expected) in rows {
        assert_eq!(name(watched).concerns(in_certificate), expected, "{watched} {in_certificate}");
    }
    for text in ["", ".", "a..b", "*.example.com", "exa mple.com", ".-\u{e4}.com"] {
        assert!(text.parse::<WatchedName>().is_err(), "{text}");
    }
}

fn kinds(watch: &mut Watch, world: &World) -> Vec<AlertKind> {
    let (height, block) = (Height(world.blocks.len() as u64), world.blocks.last().unwrap());
    let alerts = block.transactions().flat_map(|tx| watch.judge(tx, height, block.header.time));
    alerts.map(|alert| alert.kind).collect()
}

/// X.1409 C25, V.2: new certificates, an unexpected issuer, a rogue CA, and what becomes of a certificate.
#[test]
fn an_owner_is_told_of_new_certificates_strange_issuers_and_rogue_cas() {
    let mut world = World::new();
    let ca = CertificateId::of(&world.ca.issuer().certificate);
    let mut watch = Watch { names: vec![name(".example.com")], ..Watch::default() };
    world.publish("www.other.org");
    assert_eq!(kinds(&mut watch, &world), []);
    world.publish("www.example.com");
    assert_eq!(kinds(&mut watch, &world), [AlertKind::NewCertificate]);
    watch.issuers.insert(ca);
    world.publish("shop.example.com");
    assert_eq!(kinds(&mut watch, &world), [AlertKind::NewCertificate]);
    watch.issuers = [CertificateId([9; 32])].into();
    world.publish("mail.example.com");
    assert_eq!(kinds(&mut watch, &world), [AlertKind::UnexpectedIssuer]);

    watch.registers.push(CaRegister { ca, names: vec![name(".other.org")] });
    world.publish("a.other.org");
    assert_eq!(kinds(&mut watch, &world), []);
    world.publish("bank.test");
    assert_eq!(kinds(&mut watch, &world), [AlertKind::RogueCa { name: "bank.test".to_owned() }]);
    world.publish("*.org");
    assert_eq!(kinds(&mut watch, &world), [AlertKind::RogueCa { name: "*.org".to_owned() }]);
    watch.registers.clear();

    let der = world.ca.issue("held.example.com");
    let held = Certificate::from_der(&der).unwrap();
    let publication = crate::Publication::new(&world.pool().chain_of(&held, None).unwrap(), None, "");
    let transaction = world.transaction(&[publication]);
    world.record(vec![transaction]);
    kinds(&mut watch, &world);
    assert!(watch.certificates.contains(&held.id()));
    let issuer = Certificate::from_der(&world.ca.issuer().certificate).unwrap();
    let mut crl = CrlDraft::new(world.ca.issuer(), 1, NOW);
    crl.revoke(&held.facts.serial, Some(6));
    let crl = crl.sign(&world.ca.issuer().key);
    let ledger = world.trust.ledger();
    let request = ChangeRequest::new((EvidenceKind::Crl, &crl), &held, &issuer, &ledger).unwrap();
    let transaction = Signer { key: &world.user, ledger }.change(&[request], NOW.plus(600_000)).unwrap();
    world.record(vec![transaction]);
    let expected =
        AlertKind::StatusChanged { status: Status::Suspended, reason: Some(Reason::CertificateHold) };
    assert_eq!(kinds(&mut watch, &world), [expected]);
    let mut stranger = Watch { names: vec![name("www.other.org")], ..Watch::default() };
    assert_eq!(kinds(&mut stranger, &world), [], "not a certificate of theirs");
}
