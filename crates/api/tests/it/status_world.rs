//! A ledger with one CA for which a node answers, and a clock that tests set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use certval::ocsp::{BasicOcspResponse, OcspResponse, SingleResponse};
use der::Decode;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tabellion_api::{
    AuthorityConfig, Backend, FaceConfig, SignerConfig, StatusAuthorities, StatusConfig, StatusFaces,
    status_router,
};
use tabellion_corpus::{CrlDraft, KeyKind, TestKey, extensions};
use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_pki::{Action, AlgorithmSet, EvidenceKind, Facts, Staleness, StatusChange, Window, feedback};
use x509_cert::ext::pkix::KeyUsages;

use crate::ask::{Answer, post};
use crate::ocsp_requests::{CertIdDraft, plain};
use crate::world::{START, World};

pub const STALE_MS: u64 = 60_000;
pub const OCSP_MS: u64 = 600_000;
pub const CRL_MS: u64 = 3_600_000;

pub struct StatusWorld {
    pub world: Arc<World>,
    pub now: Arc<AtomicU64>,
    pub authorities: Arc<StatusAuthorities>,
    pub faces: Arc<StatusFaces>,
    pub router: Router,
}

pub fn private(key: &TestKey) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8()))
}

/// A delegate of the CA that issues.
pub fn delegate(world: &World, kind: KeyKind) -> SignerConfig {
    let key = TestKey::generate(kind);
    let mut ca = world.ca.lock().unwrap();
    let mut draft = ca.leaf_draft("ocsp.example", &key.spki());
    draft.set(extensions::ocsp_signing());
    SignerConfig { certificate: ca.sign(&draft), key: private(&key) }
}

/// The CA that issues, with an OCSP delegate and its own key for CRLs.
pub fn authority(world: &World) -> AuthorityConfig {
    let ocsp = Some(delegate(world, KeyKind::P256));
    let ca = world.ca.lock().unwrap();
    let issuer = ca.issuer();
    let certificate = issuer.certificate.clone();
    let crl = SignerConfig { certificate: certificate.clone(), key: private(&issuer.key) };
    let (names, crl_paths) = (vec!["test".to_owned()], vec!["/old/ca.crl".to_owned()]);
    AuthorityConfig { certificate, ocsp, crl: Some(crl), names, crl_paths }
}

impl StatusWorld {
    pub fn new() -> Self {
        let world = World::new();
        let config = authority(&world);
        Self::with(world, vec![config], STALE_MS)
    }

    pub fn with(world: Arc<World>, configs: Vec<AuthorityConfig>, limit_ms: u64) -> Self {
        let now = Arc::new(AtomicU64::new(START.0));
        let clock = {
            let now = now.clone();
            Arc::new(move || TimeMs(now.load(Ordering::Relaxed)))
        };
        let authorities = StatusAuthorities::new(configs, START).unwrap();
        let config = StatusConfig {
            staleness: Staleness { limit_ms },
            ocsp_validity_ms: OCSP_MS,
            crl_validity_ms: CRL_MS,
            clock,
        };
        let backend: Arc<dyn Backend> = world.clone();
        let faces = StatusFaces::new(backend.clone(), authorities.clone(), config);
        let router = status_router(backend, FaceConfig::default(), faces.clone(), None);
        Self { world, now, authorities, faces, router }
    }

    pub fn known_at(&self) -> TimeMs {
        self.world.snapshot().finality().header.time
    }

    /// Sets the clock this far behind the newest block.
    pub fn at(&self, after_ms: u64) {
        self.now.store(self.known_at().0 + after_ms, Ordering::Relaxed);
    }

    /// Records a certificate, DER.
    pub async fn publish(&self, name: &str) -> Vec<u8> {
        let (id, transaction) = self.world.publication(name, 1);
        self.world.submit(transaction).await.unwrap();
        self.at(0);
        self.world.certificate_der(&id).unwrap().unwrap().to_vec()
    }

    /// Records a certificate that is valid until then.
    pub async fn publish_until(&self, name: &str, until: TimeMs) -> Vec<u8> {
        self.publish_within(name, Window { from: START, until }).await
    }

    /// Publishes a certificate for this validity.
    pub async fn publish_within(&self, name: &str, window: Window) -> Vec<u8> {
        let (id, publication) = self.world.publication(name, 1);
        let Action::Publish(mut entries) = Action::from_bytes(&publication.content().action).unwrap() else {
            unreachable!("a publication")
        };
        entries[0].window = Some(window);
        let attachments = publication.attachments().to_vec();
        let publication = self.world.sign(&Action::Publish(entries), attachments, 1);
        self.world.submit(publication).await.unwrap();
        self.at(0);
        self.world.certificate_der(&id).unwrap().unwrap().to_vec()
    }

    /// The CA's CRL with this certificate, for this reason, changes its status.
    pub async fn change(&self, der: &[u8], reason: Option<u8>) -> Vec<u8> {
        let (crl, issuer) = {
            let ca = self.world.ca.lock().unwrap();
            let at = TimeMs(self.known_at().0 / 1000 * 1000);
            let mut crl = CrlDraft::new(ca.issuer(), at.seconds(), at);
            if reason.is_some() {
                crl.revoke(&Facts::of(der).unwrap().serial, reason);
            }
            (crl.sign(&ca.issuer().key), ca.issuer().certificate.clone())
        };
        let (ledger, accepted) = (self.world.ledger(), AlgorithmSet::default());
        let said = feedback((EvidenceKind::Crl, &crl), der, &issuer, &ledger, &accepted).unwrap().unwrap();
        let change = StatusChange {
            certificate: CertificateId::of(der),
            issuer: CertificateId::of(&issuer),
            not_after: Facts::of(der).unwrap().not_after,
            reason: said.reason,
            evidence: said.evidence,
        };
        let attachments = vec![der.to_vec(), issuer, crl.clone()];
        let transaction = self.world.sign(&Action::Change(vec![change]), attachments, 1);
        self.world.submit(transaction).await.unwrap();
        self.at(0);
        crl
    }

    pub fn cert_id(&self, der: &[u8]) -> CertIdDraft {
        let ca = self.world.ca.lock().unwrap();
        CertIdDraft::of(&ca.issuer().certificate, &Facts::of(der).unwrap().serial)
    }

    pub async fn ask(&self, request: Vec<u8>) -> Told {
        told(post(&self.router, "/ocsp", "application/ocsp-request", request).await)
    }

    pub async fn ask_of(&self, der: &[u8]) -> Told {
        self.ask(plain(&[self.cert_id(der)])).await
    }
}

/// What an OCSP response says.
#[derive(Clone, Debug)]
pub struct Told {
    pub der: Vec<u8>,
    /// Of the response as a whole.
    pub status: u8,
    /// `good`, `revoked (reason)` or `unknown`, one for each certificate.
    pub said: Vec<String>,
    pub basic: Option<BasicOcspResponse>,
}

impl Told {
    pub fn single(&self) -> &SingleResponse {
        &self.basic.as_ref().unwrap().tbs_response_data.responses[0]
    }

    pub fn this_update_ms(&self) -> u64 {
        u64::try_from(self.single().this_update.0.to_unix_duration().as_millis()).unwrap()
    }

    pub fn next_update_ms(&self) -> u64 {
        let next_update = self.single().next_update.unwrap();
        u64::try_from(next_update.0.to_unix_duration().as_millis()).unwrap()
    }
}

fn word(single: &SingleResponse) -> String {
    use certval::ocsp::CertStatus;
    match single.cert_status {
        CertStatus::Good(_) => "good".to_owned(),
        CertStatus::Unknown(_) => "unknown".to_owned(),
        CertStatus::Revoked(info) => format!("revoked {:?}", info.revocation_reason),
    }
}

pub fn told(answer: Answer) -> Told {
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
    assert_eq!(answer.header("content-type"), "application/ocsp-response");
    let response = OcspResponse::from_der(&answer.body).unwrap();
    let basic =
        response.response_bytes.map(|inner| BasicOcspResponse::from_der(inner.response.as_bytes()).unwrap());
    let said = basic.iter().flat_map(|basic| &basic.tbs_response_data.responses).map(word).collect();
    Told { der: answer.body, status: response.response_status as u8, said, basic }
}

/// A CRL issuer or delegate with other usages.
pub fn with_usage(world: &World, usage: KeyUsages, purposes: bool) -> SignerConfig {
    let key = TestKey::generate(KeyKind::P256);
    let mut ca = world.ca.lock().unwrap();
    let mut draft = ca.leaf_draft("other.example", &key.spki());
    draft.set(extensions::key_usage(usage));
    if purposes {
        draft.set(extensions::ocsp_signing());
    }
    SignerConfig { certificate: ca.sign(&draft), key: private(&key) }
}
