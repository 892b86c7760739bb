//! A CA's feedback through the gateway, as curl sends it.

use std::sync::Arc;

use axum::Router;
use tabellion_api::Backend;
use tabellion_consortium::LedgerKind;
use tabellion_corpus::{CrlDraft, OcspDraft, OcspStatus};
use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_machine::{ChangeAnswer, HistoryAnswer, StatusAnswer, TransactionStanding};
use tabellion_pki::{Action, Facts, Window};

use crate::ask::{Answer, face, get, pem_of, post};
use crate::world::{Mode, START, World};

const CRL: &str = "application/pkix-crl";
const OCSP: &str = "application/ocsp-response";
const CURL: &str = "application/x-www-form-urlencoded";

/// A ledger with one certificate, and its CA.
struct Case {
    world: Arc<World>,
    face: Router,
    der: Vec<u8>,
}

impl Case {
    async fn new(kind: LedgerKind) -> Self {
        Self::within(kind, None).await
    }

    /// The certificate is published for this validity.
    async fn within(kind: LedgerKind, window: Option<Window>) -> Self {
        let world = World::with(kind, true);
        let (id, mut transaction) = world.publication("a.example", 1);
        if let Ok(Action::Publish(mut entries)) = Action::from_bytes(&transaction.content().action) {
            entries[0].window = window;
            let attachments = transaction.attachments().to_vec();
            transaction = world.sign(&Action::Publish(entries), attachments, 1);
        }
        let mut ders = transaction.attachments().iter();
        let der = ders.find(|der| CertificateId::of(der) == id).unwrap().clone();
        world.submit(transaction).await.unwrap();
        let face = face(&world);
        Self { world, face, der }
    }

    fn id(&self) -> CertificateId {
        CertificateId::of(&self.der)
    }

    fn now(&self) -> TimeMs {
        TimeMs(self.world.snapshot().finality().header.time.0 / 1000 * 1000)
    }

    fn crl(&self, number: u64, reason: Option<u8>) -> Vec<u8> {
        let ca = self.world.ca.lock().unwrap();
        let mut crl = CrlDraft::new(ca.issuer(), number, self.now());
        if reason.is_some() {
            crl.revoke(&Facts::of(&self.der).unwrap().serial, reason);
        }
        crl.sign(&ca.issuer().key)
    }

    fn ocsp(&self, status: OcspStatus) -> Vec<u8> {
        let ca = self.world.ca.lock().unwrap();
        let serial = Facts::of(&self.der).unwrap().serial;
        OcspDraft::new(ca.issuer(), &serial, status, self.now()).sign(&ca.issuer().key)
    }

    async fn post(&self, media_type: &str, body: Vec<u8>) -> Answer {
        let path = format!("/v1/certificates/{}/changes?wait=recorded", self.id());
        post(&self.face, &path, media_type, body).await
    }

    async fn refused(&self, media_type: &str, body: Vec<u8>) -> (u16, String) {
        let answer = self.post(media_type, body).await;
        (answer.status.as_u16(), answer.problem().code)
    }
}

/// X.1409 C8, C13, A.1(1): a CA that cannot sign transactions pushes what it has; the record says that the
/// gateway brought it.
#[tokio::test]
async fn a_ca_pushes_its_feedback_with_curl_alone() {
    let case = Case::new(LedgerKind::Full).await;
    let pushed = async |media_type: &str, body: Vec<u8>| {
        let answer = case.post(media_type, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let change: ChangeAnswer = answer.json();
        assert_eq!(answer.header("location"), format!("/v1/transactions/{}", change.transaction.id));
        assert_eq!(change.certificate, case.id().to_string());
        assert_eq!(change.transaction.standing, TransactionStanding::Recorded);
        (change.status, change.reason.unwrap_or_default(), change.evidence.kind)
    };
    let told =
        |status: &str, reason: &str, kind: &str| (status.to_owned(), reason.to_owned(), kind.to_owned());
    let pem = pem::encode(&pem::Pem::new("X509 CRL", case.crl(1, Some(6))));
    assert_eq!(pushed(CURL, pem.into_bytes()).await, told("suspended", "certificate-hold", "crl"));
    assert_eq!(pushed(CURL, case.ocsp(OcspStatus::Good)).await, told("normal", "", "ocsp"));
    assert_eq!(pushed(CRL, case.crl(2, Some(1))).await, told("revoked", "key-compromise", "crl"));
    let path = format!("/v1/certificates/{}", case.id());
    assert_eq!(get(&case.face, &path).await.json::<StatusAnswer>().standing, "revoked");
    let history: HistoryAnswer = get(&case.face, &format!("{path}/history")).await.json();
    let who: Vec<_> = history.records.iter().map(|told| told.member.as_deref().unwrap()).collect();
    assert_eq!(who, ["publisher", "gateway", "gateway", "gateway"]);
}

/// X.1409 C8, C12, C13, A5: the same for a certificate that waits for its start; its history is complete.
#[tokio::test]
async fn a_ca_takes_back_a_certificate_that_waits() {
    let window = Window { from: START.plus(60_000), until: START.plus(600_000) };
    let case = Case::within(LedgerKind::Full, Some(window)).await;
    let path = format!("/v1/certificates/{}", case.id());
    let standing = async || {
        let answer: StatusAnswer = get(&case.face, &path).await.json();
        (answer.standing, answer.scheduled_ms)
    };
    assert_eq!(standing().await, ("unknown".to_owned(), Some(window.from.0)));
    let waits = (409, "not-started".to_owned());
    assert_eq!(case.refused(OCSP, case.ocsp(OcspStatus::Good)).await, waits);
    assert_eq!(case.post(CRL, case.crl(1, Some(6))).await.json::<ChangeAnswer>().status, "suspended");
    assert_eq!(standing().await, ("suspended".to_owned(), None));
    assert_eq!(case.post(OCSP, case.ocsp(OcspStatus::Good)).await.status, 200);
    assert_eq!(standing().await, ("unknown".to_owned(), None), "resumed, and not started");
    assert_eq!(case.post(CRL, case.crl(2, Some(1))).await.json::<ChangeAnswer>().status, "revoked");
    assert_eq!(standing().await, ("revoked".to_owned(), None));
    let history: HistoryAnswer = get(&case.face, &format!("{path}/history")).await.json();
    let told: Vec<_> = history.records.iter().map(|told| told.member.as_deref().unwrap()).collect();
    assert_eq!(
        (told.as_slice(), history.complete),
        (["publisher", "gateway", "gateway", "gateway"].as_slice(), true)
    );
}

/// X.1409 C18: on a ledger of identifiers nobody at hand holds the certificates, so they come along.
#[tokio::test]
async fn certificates_may_come_with_the_crl() {
    let case = Case::new(LedgerKind::Identifiers).await;
    let crl = pem::encode(&pem::Pem::new("X509 CRL", case.crl(1, Some(1))));
    let missing = (404, "certificate-not-held".to_owned());
    assert_eq!(case.refused(CURL, crl.clone().into_bytes()).await, missing);
    let with_leaf = format!("{crl}{}", pem_of(&case.der));
    assert_eq!(case.refused(CURL, with_leaf.clone().into_bytes()).await, missing, "its issuer's too");
    let issuer = pem_of(&case.world.ca.lock().unwrap().issuer().certificate);
    let answer = case.post("application/x-pem-file", format!("{issuer}{with_leaf}").into_bytes()).await;
    assert_eq!(answer.json::<ChangeAnswer>().status, "revoked", "{}", answer.text());
}

#[tokio::test]
async fn feedback_that_cannot_be_used_is_a_problem() {
    let case = Case::new(LedgerKind::Full).await;
    let other = Case::new(LedgerKind::Full).await;
    let mut forged = case.crl(1, Some(1));
    *forged.last_mut().unwrap() ^= 1;
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let two = pem::encode(&pem::Pem::new("X509 CRL", case.crl(1, Some(1)))).repeat(2);
    let table = [
        (CRL, forged, 403, "evidence-signature"),
        // Of the same name, with another key.
        (CRL, other.crl(1, Some(1)), 403, "evidence-signature"),
        (CRL, case.ocsp(OcspStatus::Good), 422, "evidence-malformed"),
        (OCSP, case.crl(1, Some(1)), 422, "evidence-malformed"),
        (OCSP, case.ocsp(OcspStatus::Unknown), 422, "status-unknown"),
        // It says that nothing has changed.
        (CRL, case.crl(1, None), 409, "unchanged"),
        (CURL, Vec::new(), 422, "evidence-malformed"),
        (CURL, two.into_bytes(), 422, "evidence-malformed"),
        (CURL, pem_of(&case.der).into_bytes(), 422, "evidence-malformed"),
        (CURL, key.as_bytes().to_vec(), 400, "malformed-pem"),
        ("image/png", case.crl(1, Some(1)), 415, "unsupported-media-type"),
    ];
    for (media_type, body, status, code) in table {
        assert_eq!(case.refused(media_type, body).await, (status, code.to_owned()), "{media_type}");
    }
    let unknown = format!("/v1/certificates/{}/changes", "00".repeat(32));
    let answer = post(&case.face, &unknown, CRL, case.crl(1, Some(1))).await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (404, "not-recorded"));
    assert_eq!(
        post(&case.face, "/v1/certificates/ab/changes", CRL, "").await.problem().code,
        "malformed-identifier"
    );

    case.world.set_mode(Mode::Hold);
    let path = format!("/v1/certificates/{}/changes", case.id());
    let answer = post(&case.face, &path, CRL, case.crl(1, Some(1))).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert_eq!(answer.json::<ChangeAnswer>().transaction.standing, TransactionStanding::Pending);
    case.world.set_mode(Mode::Drain);
    assert_eq!(case.refused(CRL, case.crl(1, Some(1))).await, (503, "draining".to_owned()));

    let mute = World::with(LedgerKind::Full, false);
    let answer = post(&face(&mute), &path, CRL, case.crl(1, Some(1))).await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (501, "no-gateway"));
}
