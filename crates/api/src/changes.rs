//! `POST /v1/certificates/{id}/changes`: a CA's feedback as it is, made into a signed request by the node.

use axum::extract::{Request, State};
use axum::response::Response;
use tabellion_ledger::limits::TRANSACTION_BYTES_MAX;
use tabellion_ledger::{CertificateId, Height, Lane, LedgerId, cbor};
use tabellion_machine::{ChangeAnswer, EvidenceAnswer, ProblemDetails};
use tabellion_pki::{
    Action, AlgorithmSet, EvidenceKind, Facts, StatusChange, certificate, feedback, scheduled,
};

use crate::backend::{Backend, Snapshot};
use crate::certificates::found;
use crate::face::{Face, Shared};
use crate::input::{Asks, Body, IdPath, pem_blocks};
use crate::problem::Problem;
use crate::style::Style;
use crate::transactions::{Wait, located, submitted};

const OCSP: &str = "application/ocsp-response";
const CRL: &str = "application/pkix-crl";
const PEM: &str = "application/x-pem-file";
/// The octets with which an OCSP response's first element begins: an ENUMERATED of one octet. A CRL's is a
/// SEQUENCE.
const ENUMERATED: [u8; 2] = [0x0a, 0x01];

/// Report a CA's feedback on a certificate
///
/// For CAs that cannot sign transactions: the node signs as the member that its operator is. The body is an
/// OCSP response or a complete CRL, DER, or a CRL as PEM: `curl --data-binary @ca.crl`. What it says of the
/// certificate becomes its status: revoked, suspended (certificateHold), or good again. Every validator
/// verifies it. On a ledger of identifiers send PEM, with the certificate and its issuer's behind the CRL.
#[utoipa::path(
    post, path = "/v1/certificates/{id}/changes", tag = "Certificates",
    params(("id" = String, Path,
        description = "SHA-256 of the certificate; colons and upper case are allowed"), Wait),
    request_body(content(
        (Vec<u8> = "application/pkix-crl"), (Vec<u8> = "application/ocsp-response"),
        (String = "application/x-pem-file"),
    )),
    responses(
        (status = 200, description = "Recorded", body = ChangeAnswer),
        (status = 202, description = "Checked, and waiting for a block", body = ChangeAnswer),
        (status = "4XX", description = "Refused", body = ProblemDetails,
         content_type = "application/problem+json"),
        (status = 501, description = "This node signs for nobody", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn change(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<CertificateId>,
    Asks(wait): Asks<Wait>,
    request: Request,
) -> Result<Response, Problem> {
    let no_gateway = || Problem::new("no-gateway", "this node has no key to sign with for others");
    if face.backend.gateway().is_none() {
        return Err(no_gateway());
    }
    let body = Body::receive(&face, request, &[OCSP, CRL, PEM], TRANSACTION_BYTES_MAX).await?;
    let said = Said::of(&body)?;
    let [der, issuer] = certificates(&face, id, &said).await?;
    let ledger = face.backend.ledger();
    let prepared = face.read(move |backend| {
        let change = change_of(&said, &der, &issuer, &ledger)?;
        let action = cbor::to_bytes(&Action::Change(vec![change.clone()]));
        let gateway = backend.gateway().ok_or_else(no_gateway)?;
        let transaction = gateway.sign(Lane::Certificate, action, vec![der, issuer, said.evidence])?;
        Ok::<_, Problem>((change, transaction))
    });
    let (change, transaction) = prepared.await??;
    let id = face.backend.submit(transaction).await?;
    let (status, transaction) = submitted(&face, id, wait).await?;
    let answer = ChangeAnswer {
        certificate: change.certificate.to_string(),
        status: change.status().to_string(),
        reason: change.reason.map(|reason| reason.to_string()),
        evidence: EvidenceAnswer::from(&change.evidence),
        transaction,
    };
    Ok(located(style.json(status, &answer), &id))
}

/// What a body holds.
struct Said {
    kind: EvidenceKind,
    evidence: Vec<u8>,
    /// Certificates beside it, DER.
    certificates: Vec<Vec<u8>>,
}

impl Said {
    fn of(body: &Body) -> Result<Self, Problem> {
        if body.bytes.first() != Some(&0x30) {
            return Self::of_pem(&body.bytes);
        }
        let kind = match body.media_type.as_str() {
            OCSP => EvidenceKind::Ocsp,
            CRL => EvidenceKind::Crl,
            _ if is_ocsp_response(&body.bytes) => EvidenceKind::Ocsp,
            _ => EvidenceKind::Crl,
        };
        Ok(Self { kind, evidence: body.bytes.to_vec(), certificates: Vec::new() })
    }

    fn of_pem(text: &[u8]) -> Result<Self, Problem> {
        let (mut crls, mut certificates) = (Vec::new(), Vec::new());
        for block in pem_blocks(text)? {
            match block.tag() {
                "X509 CRL" => crls.push(block.into_contents()),
                "CERTIFICATE" => certificates.push(block.into_contents()),
                _ => {}
            }
        }
        let count = crls.len();
        let crl = crls.pop().filter(|_| count == 1);
        let evidence = crl.ok_or_else(|| {
            let detail = format!("{count} CRLs in the body; one is wanted, or an OCSP response as DER");
            Problem::new("evidence-malformed", detail)
        })?;
        Ok(Self { kind: EvidenceKind::Crl, evidence, certificates })
    }

    fn certificate(&self, id: &CertificateId) -> Option<Vec<u8>> {
        self.certificates.iter().find(|der| CertificateId::of(der) == *id).cloned()
    }
}

/// By the element behind the outer head: a client that is not told sends no media type of its own.
fn is_ocsp_response(der: &[u8]) -> bool {
    let inner = match der {
        [_, length, rest @ ..] if *length < 0x80 => rest,
        [_, length, rest @ ..] => rest.get(usize::from(length & 0x7f)..).unwrap_or_default(),
        _ => &[],
    };
    inner.starts_with(&ENUMERATED)
}

/// The certificate and its issuer's: from the body, from here, or from another node.
async fn certificates(face: &Face, id: CertificateId, said: &Said) -> Result<[Vec<u8>; 2], Problem> {
    let (issuer_id, published) = published(&*face.backend.snapshot(), &id).ok_or_else(|| {
        Problem::new("not-recorded", format!("certificate {id} is not recorded on this ledger"))
    })?;
    let der = match said.certificate(&id) {
        Some(der) => der,
        None => {
            let der = found(face, id).await?.ok_or_else(|| not_held(&id))?;
            der.to_vec()
        }
    };
    let issuer = match said.certificate(&issuer_id) {
        Some(issuer) => Some(issuer),
        None => face.read(move |backend| issuer_of(backend, &issuer_id, published)).await??,
    };
    Ok([der, issuer.ok_or_else(|| not_held(&issuer_id))?])
}

/// The issuer of a certificate that is recorded or waits for its start, and the block of its publication.
fn published(snapshot: &dyn Snapshot, id: &CertificateId) -> Option<(CertificateId, Height)> {
    let recorded = certificate(snapshot, id).map(|record| (record.issuer, record.published_height));
    recorded.or_else(|| scheduled(snapshot, id).map(|waits| (waits.issuer, waits.published_height)))
}

fn not_held(id: &CertificateId) -> Problem {
    let detail = format!(
        "neither this node nor one that it can ask holds certificate {id}; send it behind the CRL, as PEM"
    );
    Problem::new("certificate-not-held", detail)
}

/// The issuer's certificate: a trusted CA, one that was published, or the one that came along when the
/// certificate was.
fn issuer_of(
    backend: &dyn Backend,
    issuer: &CertificateId,
    published: Height,
) -> Result<Option<Vec<u8>>, Problem> {
    if let Some(der) = backend.certificate_der(issuer)? {
        return Ok(Some(der.to_vec()));
    }
    let Some(held) = backend.block(published)? else { return Ok(None) };
    let mut attached = held.block.transactions().flat_map(|transaction| transaction.attachments());
    Ok(attached.find(|der| CertificateId::of(der) == *issuer).cloned())
}

/// What the feedback says of the certificate, as every validator will read it.
fn change_of(said: &Said, der: &[u8], issuer: &[u8], ledger: &LedgerId) -> Result<StatusChange, Problem> {
    let accepted = AlgorithmSet::default();
    let read = feedback((said.kind, &said.evidence), der, issuer, ledger, &accepted);
    let read = read.map_err(|refusal| Problem::new(refusal.code(), refusal.to_string()))?;
    let read = read.map_err(|refusal| Problem::new(refusal.code(), refusal.to_string()))?;
    let facts = Facts::of(der).map_err(|refusal| Problem::new(refusal.code(), refusal.to_string()))?;
    Ok(StatusChange {
        certificate: facts.certificate,
        issuer: CertificateId::of(issuer),
        not_after: facts.not_after,
        reason: read.reason,
        evidence: read.evidence,
    })
}
