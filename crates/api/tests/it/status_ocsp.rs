//! The OCSP responder: what it says, what it refuses, what it keeps.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tabellion_api::Backend;
use tabellion_corpus::KeyKind;
use tabellion_pki::{AlgorithmSet, EvidenceKind, Reason, Window, feedback};

use crate::ask::{ask, get, post};
use crate::ocsp_requests::{By, CertIdDraft, bare_nonce, nonce, plain, request, unknown_extension};
use crate::status_world::{OCSP_MS, STALE_MS, StatusWorld, authority, delegate, told};
use crate::world::{START, World};

const MALFORMED: u8 = 1;
const TRY_LATER: u8 = 3;
const UNAUTHORIZED: u8 = 6;

/// X.1409 C10, C17, C23: each status in OCSP's words, by SHA-1 and SHA-256, alone and together; and what the
/// node signs holds before the strictest reader there is, the one that checks a CA's feedback.
#[tokio::test]
async fn every_status_has_its_word() {
    let status = StatusWorld::new();
    let (good, held) = (status.publish("a.example").await, status.publish("b.example").await);
    let (revoked, absent) = (status.publish("c.example").await, status.world.issue("d.example").0);
    status.change(&held, Some(6)).await;
    status.change(&revoked, Some(1)).await;
    let rows = [
        (&good, "good", Some(None)),
        (&held, "revoked Some(CertificateHold)", Some(Some(Reason::CertificateHold))),
        (&revoked, "revoked Some(KeyCompromise)", Some(Some(Reason::KeyCompromise))),
        (&absent, "unknown", None),
    ];
    let issuer = status.world.ca.lock().unwrap().issuer().certificate.clone();
    let (ledger, accepted) = (status.world.ledger(), AlgorithmSet::default());
    for (der, word, evidence) in rows {
        for by in [By::Sha1, By::Sha256] {
            let answer = status.ask(plain(&[status.cert_id(der).by(by)])).await;
            assert_eq!((answer.status, answer.said.as_slice()), (0, [word.to_owned()].as_slice()), "{by:?}");
            let read = feedback((EvidenceKind::Ocsp, &answer.der), der, &issuer, &ledger, &accepted).unwrap();
            assert_eq!(read.ok().map(|read| read.reason), evidence, "{word}");
        }
    }
    let ids: Vec<CertIdDraft> = rows.iter().map(|(der, ..)| status.cert_id(der)).collect();
    let together = status.ask(plain(&ids)).await;
    assert_eq!(together.said, rows.map(|(_, word, _)| word.to_owned()));
    status.change(&held, None).await;
    assert_eq!(status.ask_of(&held).await.said, ["good"]);
}

/// X.1409 C10: `good` only within the validity, also from memory.
#[tokio::test]
async fn an_expired_certificate_is_not_good() {
    let status = StatusWorld::new();
    let until = START.plus(30_000);
    let der = status.publish_until("a.example", until).await;
    let first = status.ask_of(&der).await;
    assert_eq!((first.said.as_slice(), first.next_update_ms()), (["good".to_owned()].as_slice(), until.0));
    let end = until.0 - status.known_at().0;
    status.at(end);
    assert_eq!(status.ask_of(&der).await.said, ["good"], "the last moment");
    status.at(end + 1);
    assert_eq!(status.ask_of(&der).await.said, ["unknown"]);
}

/// X.1409 C10, C12, C13, C17: before its start a certificate is `revoked` where its CA says so, and never
/// `good`; what was held and resumed meanwhile is good from the start on.
#[tokio::test]
async fn a_certificate_is_not_good_before_its_start() {
    let status = StatusWorld::new();
    let window = Window { from: START.plus(30_000), until: START.plus(600_000) };
    let der = status.publish_within("a.example", window).await;
    let said = async || status.ask_of(&der).await.said;
    assert_eq!(said().await, ["unknown"], "it waits");
    status.change(&der, Some(6)).await;
    assert_eq!(said().await, ["revoked Some(CertificateHold)"]);
    status.change(&der, None).await;
    assert_eq!(said().await, ["unknown"], "resumed before its start");
    let start = window.from.0 - status.known_at().0;
    status.at(start - 1);
    assert_eq!(said().await, ["unknown"], "the last moment before it");
    status.at(start);
    assert_eq!(said().await, ["good"]);
    status.change(&der, Some(1)).await;
    assert_eq!(said().await, ["revoked Some(KeyCompromise)"]);
}

#[tokio::test]
async fn what_cannot_be_read_or_answered_is_refused_in_ocsps_words() {
    let status = StatusWorld::new();
    let der = status.publish("a.example").await;
    let id = status.cert_id(&der);
    let foreign = World::new().ca.lock().unwrap().issuer().certificate.clone();
    let other = CertIdDraft::of(&foreign, &[1, 2, 3]);
    let ids = |count: usize| vec![id.clone(); count];
    let mut longer = plain(&ids(1));
    longer.push(0);
    let rows = [
        ("nothing", Vec::new(), MALFORMED),
        ("no DER", b"who goes there".to_vec(), MALFORMED),
        ("cut off", plain(&ids(1))[..40].to_vec(), MALFORMED),
        ("trailing", longer, MALFORMED),
        ("no certificate", plain(&[]), MALFORMED),
        ("32 certificates", plain(&ids(32)), 0),
        ("33 certificates", plain(&ids(33)), MALFORMED),
        ("a nonce of 1 octet", request(&ids(1), &[nonce(1)]), 0),
        ("a nonce of 128 octets", request(&ids(1), &[nonce(128)]), 0),
        ("an empty nonce", request(&ids(1), &[nonce(0)]), MALFORMED),
        ("a nonce of 129 octets", request(&ids(1), &[nonce(129)]), MALFORMED),
        ("a bare nonce", request(&ids(1), &[bare_nonce()]), MALFORMED),
        ("two nonces", request(&ids(1), &[nonce(8), nonce(8)]), MALFORMED),
        ("an unknown extension", request(&ids(1), &[unknown_extension(false)]), 0),
        ("a critical one", request(&ids(1), &[unknown_extension(true)]), MALFORMED),
        ("another CA", plain(std::slice::from_ref(&other)), UNAUTHORIZED),
        ("another CA beside", plain(&[id.clone(), other]), UNAUTHORIZED),
        ("another digest", plain(&[id.clone().by(By::Sha512)]), UNAUTHORIZED),
    ];
    for (what, request, expected) in rows {
        assert_eq!(status.ask(request).await.status, expected, "{what}");
    }
    let large = post(&status.router, "/ocsp", "application/ocsp-request", vec![0x30; 16 * 1024 + 1]).await;
    assert_eq!(large.problem().code, "body-too-large");
    let other_type = post(&status.router, "/ocsp", "image/png", vec![0x30]).await;
    assert_eq!(other_type.problem().code, "unsupported-media-type");
}

#[tokio::test]
async fn a_nonce_comes_back() {
    let status = StatusWorld::new();
    let der = status.publish("a.example").await;
    let asked = request(&[status.cert_id(&der)], &[nonce(32)]);
    let answer = status.ask(asked.clone()).await;
    let data = answer.basic.as_ref().unwrap().tbs_response_data.clone();
    assert_eq!(data.nonce().unwrap().0.as_bytes(), [7; 32]);
    let without = status.ask_of(&der).await;
    assert!(without.basic.unwrap().tbs_response_data.nonce().is_none());
}

/// X.1409 C10: an answer is kept as long as it is true and no longer.
#[tokio::test]
async fn an_answer_is_kept_until_its_record_changes_or_its_end_is_near() {
    let status = StatusWorld::new();
    let (der, other) = (status.publish("a.example").await, status.publish("b.example").await);
    let first = status.ask_of(&der).await;
    status.at(1_000);
    assert_eq!(status.ask_of(&der).await.der, first.der, "kept");
    status.publish("c.example").await;
    assert_eq!(status.ask_of(&der).await.der, first.der, "another block changes nothing");
    status.change(&other, Some(4)).await;
    assert_eq!(status.ask_of(&der).await.der, first.der, "nor does another certificate's status");
    status.change(&der, Some(6)).await;
    let held = status.ask_of(&der).await;
    assert_eq!(held.said, ["revoked Some(CertificateHold)"]);
    status.change(&der, None).await;
    let second = status.ask_of(&der).await;
    assert_eq!(second.said, ["good"]);
    assert!(second.this_update_ms() > first.this_update_ms());
    // Other keys: what was signed with the old ones is forgotten.
    let mut config = authority(&status.world);
    config.ocsp = Some(delegate(&status.world, KeyKind::Rsa2048));
    status.authorities.replace(vec![config], status.known_at()).unwrap();
    let by_rsa = status.ask_of(&der).await;
    assert_eq!(by_rsa.said, ["good"]);
    assert_ne!(by_rsa.basic.unwrap().signature_algorithm, second.basic.unwrap().signature_algorithm);
}

/// The same with time alone: half of the validity is left when a new answer is made.
#[tokio::test]
async fn an_answer_is_made_anew_at_half_of_its_validity() {
    let world = World::new();
    let config = authority(&world);
    let status = StatusWorld::with(world, vec![config], u64::MAX);
    let der = status.publish("a.example").await;
    let first = status.ask_of(&der).await;
    assert_eq!(first.next_update_ms() - first.this_update_ms(), OCSP_MS);
    assert_eq!(first.this_update_ms(), status.known_at().0 / 1000 * 1000, "the time of the newest block");
    status.at(OCSP_MS / 2 - 1_000);
    assert_eq!(status.ask_of(&der).await.der, first.der);
    status.at(OCSP_MS / 2);
    let second = status.ask_of(&der).await;
    let produced_at =
        |told: &crate::status_world::Told| told.basic.clone().unwrap().tbs_response_data.produced_at;
    assert_ne!(produced_at(&second), produced_at(&first));
}

/// X.1409 C10, C17: on old knowledge nothing is good, nothing is unknown, nothing is on hold; what is revoked
/// stays so.
#[tokio::test]
async fn on_old_knowledge_only_revoked_is_said() {
    let status = StatusWorld::new();
    let (good, held) = (status.publish("a.example").await, status.publish("b.example").await);
    let (revoked, absent) = (status.publish("c.example").await, status.world.issue("d.example").0);
    status.change(&held, Some(6)).await;
    status.change(&revoked, Some(1)).await;
    status.ask_of(&good).await;
    status.at(STALE_MS);
    assert_eq!(status.ask_of(&good).await.said, ["good"]);
    status.at(STALE_MS + 1);
    for der in [&good, &held, &absent] {
        assert_eq!(status.ask_of(der).await.status, TRY_LATER);
    }
    let both = plain(&[status.cert_id(&revoked), status.cert_id(&good)]);
    assert_eq!(status.ask(both).await.status, TRY_LATER);
    let told = status.ask_of(&revoked).await;
    assert_eq!(told.said, ["revoked Some(KeyCompromise)"]);
    assert!(told.next_update_ms() > status.known_at().0 + STALE_MS);
    let page = get(&status.router, "/").await;
    assert!(page.text().contains("does not follow the ledger"), "{}", page.text());
}

/// RFC 6960 A.1, RFC 5019: by GET, in every form that clients have for base64, at every path.
#[tokio::test]
async fn a_request_may_stand_in_the_path() {
    let status = StatusWorld::new();
    let der = status.publish("a.example").await;
    let plain = plain(&[status.cert_id(&der)]);
    let text = STANDARD.encode(&plain);
    let encoded = text.replace('/', "%2F").replace('+', "%2B").replace('=', "%3d");
    let paths = [
        format!("/ocsp/{text}"),
        format!("/ocsp/{encoded}"),
        format!("/ocsp/{}", text.trim_end_matches('=')),
        format!("/ocsp/{}", URL_SAFE_NO_PAD.encode(&plain)),
        format!("/{encoded}"),
        format!("/pki/ca-1/ocsp/{encoded}"),
    ];
    for path in paths {
        let answer = get(&status.router, &path).await;
        let control = answer.header("cache-control").to_owned();
        assert_eq!(control, "max-age=300, public, no-transform, must-revalidate", "{path}");
        for name in ["etag", "expires", "last-modified"] {
            assert!(!answer.header(name).is_empty(), "{name}");
        }
        assert_eq!(told(answer).said, ["good"], "{path}");
    }
    let with_nonce = STANDARD.encode(request(&[status.cert_id(&der)], &[nonce(16)]));
    let answer = get(&status.router, &format!("/ocsp/{}", with_nonce.replace('/', "%2F"))).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(told(answer).said, ["good"]);
    assert_eq!(told(get(&status.router, "/ocsp/nonsense").await).status, MALFORMED);
    assert_eq!(get(&status.router, "/nonsense").await.problem().code, "no-such-path");
    let put = ask(&status.router, "PUT", "/ocsp", &[], Vec::new()).await;
    assert_eq!(put.problem().code, "method-not-allowed");
    let anywhere = post(&status.router, "/any/where", "application/ocsp-request", plain).await;
    assert_eq!(told(anywhere).said, ["good"]);
}
