//! CRLs, and certificates by their SHA-1.

use tabellion_api::Backend;
use tabellion_consortium::LedgerKind;
use tabellion_ledger::CertificateId;
use tabellion_pki::{AlgorithmSet, EvidenceKind, Facts, Feedback, Number, Reason, Window, feedback};

use crate::ask::{Answer, get};
use crate::status_world::{CRL_MS, STALE_MS, StatusWorld, authority};
use crate::world::{START, World};

impl StatusWorld {
    async fn crl(&self) -> Answer {
        get(&self.router, "/crl/test.crl").await
    }

    /// What a CRL says of a certificate, read as strictly as a CA's feedback is.
    fn about(&self, crl: &[u8], der: &[u8]) -> Feedback {
        let issuer = self.world.ca.lock().unwrap().issuer().certificate.clone();
        let accepted = AlgorithmSet::default();
        feedback((EvidenceKind::Crl, crl), der, &issuer, &self.world.ledger(), &accepted).unwrap().unwrap()
    }
}

/// X.1409 C10: a complete CRL with a number that grows, made anew at once when a status changes, never on old
/// knowledge, and else at half of its validity.
#[tokio::test]
async fn a_crl_follows_the_ledger() {
    let status = StatusWorld::new();
    let (good, held) = (status.publish("a.example").await, status.publish("b.example").await);
    let revoked = status.publish("c.example").await;
    assert_eq!(status.crl().await.problem().code, "not-ready");
    status.faces.renew_crls(true).await;
    let empty = status.crl().await;
    assert_eq!(empty.header("content-type"), "application/pkix-crl");
    let number = |crl: &[u8]| -> Number { status.about(crl, &good).evidence.number };
    for der in [&good, &held, &revoked] {
        assert_eq!(status.about(&empty.body, der).reason, None);
    }
    status.faces.renew_crls(true).await;
    assert_eq!(status.crl().await.body, empty.body, "nothing changed");

    status.change(&held, Some(6)).await;
    status.change(&revoked, Some(3)).await;
    status.faces.renew_crls(true).await;
    let both = status.crl().await.body;
    let rows =
        [(&good, None), (&held, Some(Reason::CertificateHold)), (&revoked, Some(Reason::AffiliationChanged))];
    for (der, reason) in rows {
        assert_eq!(status.about(&both, der).reason, reason);
    }
    assert!(number(&both) > number(&empty.body));
    status.change(&held, None).await;
    status.faces.renew_crls(true).await;
    let one = status.crl().await.body;
    assert_eq!(status.about(&one, &held).reason, None);
    assert!(number(&one) > number(&both));

    status.at(STALE_MS + 1);
    status.faces.renew_crls(true).await;
    assert_eq!(status.crl().await.body, one, "nothing is signed on old knowledge");
    status.at(CRL_MS + 1);
    assert_eq!(status.crl().await.problem().code, "not-ready");
    let by_id = status.world.ca.lock().unwrap().issuer().certificate.clone();
    status.at(0);
    for path in [format!("/crl/{}.crl", CertificateId::of(&by_id)), "/old/ca.crl".to_owned()] {
        assert_eq!(get(&status.router, &path).await.body, one, "{path}");
    }
}

/// X.1409 C10, C12, C13: a certificate that waits for its start is listed once its CA has revoked it.
#[tokio::test]
async fn a_crl_lists_what_was_revoked_before_its_start() {
    let status = StatusWorld::new();
    let window = Window { from: START.plus(60_000), until: START.plus(600_000) };
    let der = status.publish_within("a.example", window).await;
    for (recorded, listed) in [(None, None), (Some(1), Some(Reason::KeyCompromise))] {
        if recorded.is_some() {
            status.change(&der, recorded).await;
        }
        status.faces.renew_crls(true).await;
        assert_eq!(status.about(&status.crl().await.body, &der).reason, listed);
    }
}

/// X.1409 C10: made anew with time alone.
#[tokio::test]
async fn a_crl_is_made_anew_at_half_of_its_validity() {
    let world = World::new();
    let config = authority(&world);
    let status = StatusWorld::with(world, vec![config], u64::MAX);
    let der = status.publish("a.example").await;
    status.faces.renew_crls(false).await;
    let first = status.crl().await.body;
    status.at(CRL_MS / 2 - 1_000);
    status.faces.renew_crls(false).await;
    assert_eq!(status.crl().await.body, first);
    status.at(CRL_MS / 2);
    status.faces.renew_crls(false).await;
    let second = status.crl().await.body;
    assert!(status.about(&second, &der).evidence.number > status.about(&first, &der).evidence.number);
}

/// RFC 5280 3.3: an entry stays until it stood in one CRL made after the certificate's end.
#[tokio::test]
async fn an_expired_certificate_leaves_after_one_more_crl() {
    let world = World::new();
    let config = authority(&world);
    let status = StatusWorld::with(world, vec![config], u64::MAX);
    let der = status.publish_until("a.example", START.plus(5_000)).await;
    status.change(&der, Some(1)).await;
    status.faces.renew_crls(false).await;
    assert!(status.about(&status.crl().await.body, &der).reason.is_some(), "within its validity");
    for number in 0..10 {
        status.publish(&format!("n{number}.example")).await;
    }
    for expected in [true, false] {
        status.at(CRL_MS / 2);
        status.faces.renew_crls(false).await;
        assert_eq!(status.about(&status.crl().await.body, &der).reason.is_some(), expected);
    }
}

/// X.1409 C10: without a key for its CRLs, a CA's own newest one is served, where it was recorded.
#[tokio::test]
async fn without_a_key_the_cas_own_crl_is_served() {
    let world = World::new();
    let mut config = authority(&world);
    config.crl = None;
    let status = StatusWorld::with(world, vec![config], STALE_MS);
    let der = status.publish("a.example").await;
    let missing = status.crl().await.problem();
    assert_eq!((missing.status, missing.code.as_str()), (404, "no-crl"));
    status.change(&der, Some(6)).await;
    let own = status.change(&der, Some(1)).await;
    assert_eq!(status.crl().await.body, own);
    status.at(86_400_001);
    assert!(status.crl().await.problem().detail.contains("is over"));
    assert_eq!(get(&status.router, "/crl/nobody.crl").await.problem().code, "no-crl");
}

/// X.1409 C10: a CRL that may lack somebody is not signed.
#[tokio::test]
async fn on_a_ledger_of_identifiers_no_crl_is_signed() {
    let world = World::with(LedgerKind::Identifiers, true);
    let config = authority(&world);
    let status = StatusWorld::with(world, vec![config], STALE_MS);
    status.faces.renew_crls(true).await;
    let missing = status.crl().await.problem();
    assert_eq!((missing.code.as_str(), missing.detail.contains("identifiers")), ("no-crl", true));
}

/// X.1409 C10: nor where the node began with a state and does not know all that was revoked before.
#[tokio::test]
async fn a_node_that_has_not_seen_all_blocks_signs_no_crl() {
    let world = World::new();
    let config = authority(&world);
    world.prune_below(1);
    let status = StatusWorld::with(world, vec![config], STALE_MS);
    status.faces.renew_crls(true).await;
    let missing = status.crl().await.problem();
    assert_eq!((missing.code.as_str(), missing.detail.contains("[peers]")), ("no-crl", true));
}

/// X.1409 C23: IKEv2 "hash and URL" (RFC 7296 3.6).
#[tokio::test]
async fn a_certificate_is_found_by_its_sha1() {
    let status = StatusWorld::new();
    let der = status.publish("a.example").await;
    let sha1 = hex::encode(Facts::of(&der).unwrap().sha1);
    let found = get(&status.router, &format!("/ikev2/{sha1}")).await;
    assert_eq!((found.header("content-type"), &found.body), ("application/pkix-cert", &der));
    for name in ["0".repeat(40), "0".repeat(39), "xyz".to_owned()] {
        let missing = get(&status.router, &format!("/ikev2/{name}")).await.problem();
        assert_eq!((missing.status, missing.code.as_str()), (404, "certificate-not-held"));
    }
}
