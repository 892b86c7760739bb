use tabellion_corpus::{CrlDraft, KeyKind, OcspDraft, OcspStatus, TestKey};
use tabellion_ledger::{CertificateId, LedgerId, TimeMs};
use tabellion_pki::{
    EvidenceKind, EvidenceRefusal, KeySignature, Reason, Standing, Status, certificate, renewal_message,
};

use super::world::{NOW, World};
use crate::{Certificate, ChangeRequest, FeedbackError, Publication, Signer};

fn until() -> TimeMs {
    NOW.plus(600_000)
}

fn publication(world: &World, der: &[u8]) -> Publication {
    let found = Certificate::from_der(der).unwrap();
    Publication::new(&world.pool().chain_of(&found, None).unwrap(), None, "")
}

fn standing(world: &World, id: &CertificateId) -> Standing {
    Standing::of(certificate(world.ledger.state(), id).as_ref(), world.ledger.header().time)
}

/// X.1409 C8, C13: a client turns what its CA gave it into a request, several certificates at once.
#[test]
fn a_client_suspends_by_a_crl_and_resumes_by_a_response() {
    let mut world = World::new();
    let ders: Vec<Vec<u8>> = ["one.example", "two.example"].map(|name| world.ca.issue(name)).into();
    let publications: Vec<Publication> = ders.iter().map(|der| publication(&world, der)).collect();
    let transaction = world.transaction(&publications);
    world.record(vec![transaction]);
    let certificates: Vec<Certificate> = ders.iter().map(|der| Certificate::from_der(der).unwrap()).collect();
    let issuer = Certificate::from_der(&world.ca.issuer().certificate).unwrap();
    let ledger = world.trust.ledger();
    let mut crl = CrlDraft::new(world.ca.issuer(), 1, NOW);
    certificates.iter().for_each(|certificate| crl.revoke(&certificate.facts.serial, Some(6)));
    let crl = crl.sign(&world.ca.issuer().key);
    let ask =
        |certificate| ChangeRequest::new((EvidenceKind::Crl, &crl), certificate, &issuer, &ledger).unwrap();
    let requests: Vec<ChangeRequest> = certificates.iter().map(ask).collect();
    assert!(requests.iter().all(|request| request.change.status() == Status::Suspended));
    let change = |world: &World, requests: &[ChangeRequest]| {
        Signer { key: &world.user, ledger }.change(requests, until()).unwrap()
    };
    let transaction = change(&world, &requests);
    assert_eq!(transaction.attachments().len(), 4, "two certificates, their issuer, one CRL");
    world.record(vec![transaction]);
    assert!(certificates.iter().all(|one| standing(&world, &one.id()) == Standing::Suspended));

    let serial = &certificates[0].facts.serial;
    let good = OcspDraft::new(world.ca.issuer(), serial, OcspStatus::Good, NOW.plus(1_000));
    let good = good.sign(&world.ca.issuer().key);
    let request = ChangeRequest::new((EvidenceKind::Ocsp, &good), &certificates[0], &issuer, &ledger);
    let transaction = change(&world, &[request.unwrap()]);
    world.record(vec![transaction]);
    assert_eq!(standing(&world, &certificates[0].id()), Standing::Valid);
    assert_eq!(standing(&world, &certificates[1].id()), Standing::Suspended);

    let (kind, asked) = (EvidenceKind::Ocsp, certificates[1].id());
    let of_other = ChangeRequest::new((kind, &good), &certificates[1], &issuer, &LedgerId([0; 32]));
    let expected = FeedbackError::Evidence(EvidenceRefusal::OtherCertificate { kind, asked });
    assert_eq!(of_other.map(|_| ()), Err(expected));
}

/// X.1409 C15: the owner of a certificate renews it with its key.
#[test]
fn a_client_renews_a_certificate() {
    let mut world = World::new();
    let key = TestKey::generate(KeyKind::P256);
    let draft = world.ca.leaf_draft("one.example", &key.spki());
    let old = world.ca.sign(&draft);
    let transaction = world.transaction(&[publication(&world, &old)]);
    world.record(vec![transaction]);
    let (old, new) = (Certificate::from_der(&old).unwrap(), world.ca.issue("one.example"));
    let new = publication(&world, &new);
    let ledger = world.trust.ledger();
    let signature = key.sign(&renewal_message(&ledger, &old.id(), &new.id()));
    let signature = KeySignature { algorithm: KeyKind::P256.signature_algorithm(), signature };
    let transaction = Signer { key: &world.user, ledger }.renew(&new, &old, signature, until()).unwrap();
    world.record(vec![transaction]);
    assert_eq!(standing(&world, &new.id()), Standing::Valid);
    let record = certificate(world.ledger.state(), &old.id()).unwrap();
    assert_eq!((record.status, record.reason), (Status::Revoked, Some(Reason::Superseded)));
}
