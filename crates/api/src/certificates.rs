//! `/v1/certificates` and `/v1/keys`: publishing, status with proof, verification, lists.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};
use tabellion_ledger::limits::{RECORD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use tabellion_ledger::{CertificateId, KeyId, Lane, StateProof, TimeMs, Wire, cbor};
use tabellion_machine::{
    CertificateList, KeyAnswer, ProblemDetails, PublishAnswer, PublishRequest, StatusAnswer, VerifyRequest,
};
use tabellion_pki::{
    CertificateRecord, KeyRecord, Standing, Status, Window, certificate_key, certificates_of_key_key,
    scheduled,
};
use utoipa::{IntoParams, ToSchema};

use crate::backend::{CertificateQuery, Fault, Snapshot};
use crate::changes::change;
use crate::encoding::{base64, pem_of};
use crate::face::{Face, Shared};
use crate::history::history;
use crate::input::{Asks, Body, Here, IdPath, certificates_of_pem, parse_id};
use crate::problem::Problem;
use crate::publication::{Asked, publication};
use crate::style::{Style, cbor as cbor_answer};
use crate::transactions::{Wait, located, submitted};

/// Media types of certificates, besides those that say nothing.
const MEDIA_TYPES: [&str; 6] = [
    "application/json",
    "application/x-pem-file",
    "application/pem-certificate-chain",
    "application/x-x509-ca-cert",
    "application/x-x509-user-cert",
    "application/pkix-cert",
];

/// Bytes of a certificate with its chain: a question needs no more.
const CHAIN_BYTES_MAX: usize = 256 * 1024;
/// Certificates of one page of a list, unless the client asks for another number.
const LIST_LIMIT_DEFAULT: usize = 100;
/// Certificates of one page at most.
const LIST_LIMIT_MAX: usize = 1000;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/certificates", post(publish).get(list))
        .route("/v1/certificates/verify", post(verify))
        .route("/v1/certificates/{id}", get(status))
        .route("/v1/certificates/{id}/proof", get(proof))
        .route("/v1/certificates/{id}/history", get(history))
        .route("/v1/certificates/{id}/changes", post(change))
        .route("/v1/certificates/{id}/der", get(der))
        .route("/v1/certificates/{id}/pem", get(pem))
        .route("/v1/keys/{id}", get(key))
}

/// Publish a certificate
///
/// For clients that cannot sign transactions: the node signs as the member that its operator is. The body is
/// JSON, or a PEM file with the certificate first: `curl --data-binary @chain.pem`. Every validator verifies
/// the whole chain.
#[utoipa::path(
    post, path = "/v1/certificates", tag = "Certificates", params(Wait),
    request_body(content(
        (PublishRequest = "application/json"), (String = "application/pem-certificate-chain"),
    )),
    responses(
        (status = 200, description = "Recorded", body = PublishAnswer),
        (status = 202, description = "Checked, and waiting for a block", body = PublishAnswer),
        (status = "4XX", description = "Refused", body = ProblemDetails,
         content_type = "application/problem+json"),
        (status = 501, description = "This node signs for nobody", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn publish(
    State(face): State<Shared>,
    style: Style,
    Asks(wait): Asks<Wait>,
    request: Request,
) -> Result<Response, Problem> {
    if face.backend.gateway().is_none() {
        return Err(Problem::new("no-gateway", "this node has no key to sign with for others"));
    }
    let body = Body::receive(&face, request, &MEDIA_TYPES, TRANSACTION_BYTES_MAX).await?;
    let (certificates, asked) = match body.is_json() {
        true => read_publish(&body.json()?)?,
        false => (body.certificates()?, Asked::default()),
    };
    let anchors = face.anchors.of(&*face.backend.snapshot());
    let prepared = face.read(move |backend| {
        let publication = publication(&certificates, &asked, &anchors)?;
        let gateway =
            backend.gateway().ok_or_else(|| Problem::new("no-gateway", "the node's key is gone"))?;
        let transaction = gateway.sign(Lane::Certificate, publication.action, publication.attachments)?;
        Ok::<_, Problem>((publication.certificate, publication.key, transaction))
    });
    let (certificate, key, transaction) = prepared.await??;
    let id = face.backend.submit(transaction).await?;
    let (status, transaction) = submitted(&face, id, wait).await?;
    let answer = PublishAnswer { certificate: certificate.to_string(), key: key.to_string(), transaction };
    Ok(located(style.json(status, &answer), &id))
}

fn read_publish(request: &PublishRequest) -> Result<(Vec<Vec<u8>>, Asked), Problem> {
    let mut certificates = certificates_of_pem(request.certificate.as_bytes())?;
    if !request.chain.trim().is_empty() {
        certificates.extend(certificates_of_pem(request.chain.as_bytes())?);
    }
    let status = match request.status.as_deref() {
        None => None,
        Some(text) => {
            let unknown = |_| Problem::new("malformed-json", format!("'{text}' is not a status"));
            Some(text.parse().map_err(unknown)?)
        }
    };
    let window =
        request.window.map(|asked| Window { from: TimeMs(asked.from_ms), until: TimeMs(asked.until_ms) });
    Ok((certificates, Asked { root: request.root.as_deref().map(parse_id).transpose()?, status, window }))
}

/// What comes with a status.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct With {
    /// Whether to answer with the certificate itself, where this node or one that it can ask holds it.
    #[serde(default)]
    certificate: bool,
}

/// The status of a certificate, with its proof
///
/// The answer for an unknown certificate is proved too. Only the standing `valid` may be relied upon. With
/// `Accept: application/cbor` the answer is the proof alone.
#[utoipa::path(
    get, path = "/v1/certificates/{id}", tag = "Certificates",
    params(("id" = String, Path,
        description = "SHA-256 of the certificate; colons and upper case are allowed"), With),
    responses(
        (status = 200, description = "The status", content(
            (StatusAnswer = "application/json"), (Vec<u8> = "application/cbor"),
        )),
        (status = 400, description = "Not an identifier", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn status(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<CertificateId>,
    Asks(with): Asks<With>,
) -> Result<Response, Problem> {
    if style.names_cbor() {
        return proof(State(face), style, IdPath(id)).await;
    }
    Ok(style.ok(&status_answer(&face, &id, with).await?))
}

async fn status_answer(face: &Face, id: &CertificateId, with: With) -> Result<StatusAnswer, Problem> {
    let mut answer = status_of(face, &*face.backend.snapshot(), id)?;
    if with.certificate {
        answer.pem = found(face, *id).await?.as_deref().map(pem_of);
    }
    Ok(answer)
}

pub(crate) fn prove(
    snapshot: &dyn Snapshot,
    key: &tabellion_ledger::StateKey,
) -> Result<StateProof, Problem> {
    Ok(snapshot.prove(key).map_err(Fault::new)?)
}

pub(crate) fn record_in<T: Wire>(proof: &StateProof) -> Result<Option<T>, Problem> {
    let decode = |bytes: &Vec<u8>| cbor::from_bytes(bytes, RECORD_BYTES_MAX);
    Ok(proof.record.as_ref().map(decode).transpose().map_err(Fault::new)?)
}

/// Refuses to say anything but `revoked` where the node's knowledge is too old (X.1409 C22).
pub(crate) fn may_tell(face: &Face, status: Option<Status>, known_at: TimeMs) -> Result<(), Problem> {
    Ok(face.backend.may_tell(status, known_at).map_err(|stale| (known_at, stale))?)
}

fn status_of(face: &Face, snapshot: &dyn Snapshot, id: &CertificateId) -> Result<StatusAnswer, Problem> {
    let proof = prove(snapshot, &certificate_key(id))?;
    let record: Option<CertificateRecord> = record_in(&proof)?;
    may_tell(face, record.as_ref().map(|record| record.status), proof.finality.header.time)?;
    let waits = match &record {
        Some(_) => None,
        None => scheduled(snapshot, id).map(|publication| publication.validity.from.0),
    };
    let text = base64(&cbor::to_bytes(&proof));
    Ok(StatusAnswer::new(id.to_string(), record.as_ref(), waits, &proof.finality.header, text))
}

/// The proof of a certificate's status
///
/// A StateProof, which anybody can check offline with the genesis document; for an unknown certificate it
/// proves that there is no record.
#[utoipa::path(
    get, path = "/v1/certificates/{id}/proof", tag = "Certificates",
    params(("id" = String, Path,
        description = "SHA-256 of the certificate; colons and upper case are allowed")),
    responses((status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"))
)]
pub(crate) async fn proof(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<CertificateId>,
) -> Result<Response, Problem> {
    let proof = prove(&*face.backend.snapshot(), &certificate_key(&id))?;
    let record: Option<CertificateRecord> = record_in(&proof)?;
    may_tell(&face, record.map(|record| record.status), proof.finality.header.time)?;
    let bytes = cbor::to_bytes(&proof);
    match style.names_json() {
        false => Ok(cbor_answer(bytes)),
        true => {
            let header = tabellion_machine::HeaderAnswer::from(&proof.finality.header);
            Ok(style.ok(&tabellion_machine::ProofAnswer { header, proof: base64(&bytes) }))
        }
    }
}

async fn held(face: &Face, id: CertificateId) -> Result<Option<bytes::Bytes>, Problem> {
    Ok(face.read(move |backend| backend.certificate_der(&id)).await??)
}

/// The certificate from here, or from another node (X.1409 C18).
pub(crate) async fn found(face: &Face, id: CertificateId) -> Result<Option<bytes::Bytes>, Problem> {
    match held(face, id).await? {
        Some(der) => Ok(Some(der)),
        None => Ok(face.backend.certificate_elsewhere(id).await),
    }
}

async fn found_or_missing(
    face: &Face,
    id: CertificateId,
    Here { here }: Here,
) -> Result<bytes::Bytes, Problem> {
    let der = if here { held(face, id).await? } else { found(face, id).await? };
    let missing = || {
        let others = if here { "" } else { ", nor does a node that it can ask" };
        Problem::new("certificate-not-held", format!("this node does not hold certificate {id}{others}"))
    };
    der.ok_or_else(missing)
}

/// A certificate, DER
#[utoipa::path(
    get, path = "/v1/certificates/{id}/der", tag = "Certificates",
    params(("id" = String, Path,
        description = "SHA-256 of the certificate; colons and upper case are allowed"), Here),
    responses(
        (status = 200, description = "The certificate", body = Vec<u8>,
         content_type = "application/pkix-cert"),
        (status = 404, description = "Not held", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn der(
    State(face): State<Shared>,
    IdPath(id): IdPath<CertificateId>,
    Asks(here): Asks<Here>,
) -> Result<Response, Problem> {
    let der = found_or_missing(&face, id, here).await?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/pkix-cert"))], der).into_response())
}

/// A certificate, PEM
#[utoipa::path(
    get, path = "/v1/certificates/{id}/pem", tag = "Certificates",
    params(("id" = String, Path,
        description = "SHA-256 of the certificate; colons and upper case are allowed"), Here),
    responses(
        (status = 200, description = "The certificate", body = String,
         content_type = "application/x-pem-file"),
        (status = 404, description = "Not held", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn pem(
    State(face): State<Shared>,
    IdPath(id): IdPath<CertificateId>,
    Asks(here): Asks<Here>,
) -> Result<Response, Problem> {
    let der = found_or_missing(&face, id, here).await?;
    Ok(([(CONTENT_TYPE, HeaderValue::from_static("application/x-pem-file"))], pem_of(&der)).into_response())
}

/// Which certificates to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Part of the subject (RFC 4514), in any case.
    subject: Option<String>,
    /// Part of the issuer (RFC 4514), in any case.
    issuer: Option<String>,
    /// Validity ends at this moment or later. Unit: ms since 1970.
    expires_from_ms: Option<u64>,
    /// Validity ends at this moment or earlier. Unit: ms since 1970.
    expires_until_ms: Option<u64>,
    /// Certificates of the page, 1 to 1,000. Default 100.
    limit: Option<usize>,
    /// Where the page begins: `next` of the page before.
    cursor: Option<String>,
}

/// List certificates
///
/// From this node's query index; the rows carry no proof: ask for the status of each one that matters.
#[utoipa::path(
    get, path = "/v1/certificates", tag = "Certificates", params(ListQuery),
    responses(
        (status = 200, description = "A page", body = CertificateList),
        (status = 400, description = "The query cannot be read", body = ProblemDetails,
         content_type = "application/problem+json"),
        (status = 501, description = "This node keeps no index", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn list(
    State(face): State<Shared>,
    style: Style,
    Asks(asked): Asks<ListQuery>,
) -> Result<Response, Problem> {
    let limit = asked.limit.unwrap_or(LIST_LIMIT_DEFAULT);
    if !(1..=LIST_LIMIT_MAX).contains(&limit) {
        let detail = format!("limit is {limit}; 1 to {LIST_LIMIT_MAX} are accepted");
        return Err(Problem::new("malformed-query", detail));
    }
    let query = CertificateQuery {
        subject: asked.subject,
        issuer: asked.issuer,
        expires_from: asked.expires_from_ms.map(TimeMs),
        expires_until: asked.expires_until_ms.map(TimeMs),
        cursor: asked.cursor,
        limit,
    };
    may_tell(&face, None, face.backend.snapshot().finality().header.time)?;
    let page = face.read(move |backend| backend.query(&query)).await??;
    Ok(style.ok(&page))
}

/// What a question for a status is answered with.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum VerifyAnswer {
    /// By certificate or identifier.
    Certificate(Box<StatusAnswer>),
    /// By key.
    Key(KeyAnswer),
}

/// Verify a certificate
///
/// By the certificate (PEM or DER body, or in JSON), by its SHA-256, or by the SHA-256 of its key. The answer
/// is the latest status with its proof; the relying party then applies X.509's own checks (X.1409 A.2).
#[utoipa::path(
    post, path = "/v1/certificates/verify", tag = "Certificates", params(With),
    request_body(content(
        (VerifyRequest = "application/json"), (String = "application/x-pem-file"),
         (Vec<u8> = "application/pkix-cert"),
    )),
    responses(
        (status = 200, description = "The status, by key of every certificate", body = VerifyAnswer),
        (status = "4XX", description = "Not a certificate", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn verify(
    State(face): State<Shared>,
    style: Style,
    Asks(with): Asks<With>,
    request: Request,
) -> Result<Response, Problem> {
    let body = Body::receive(&face, request, &MEDIA_TYPES, CHAIN_BYTES_MAX).await?;
    let id = match body.is_json() {
        false => certificate_id(&body.certificates()?),
        true => match body.json()? {
            VerifyRequest { certificate: Some(pem), id: None, key: None } => {
                certificate_id(&certificates_of_pem(pem.as_bytes())?)
            }
            VerifyRequest { certificate: None, id: Some(id), key: None } => parse_id(&id)?,
            VerifyRequest { certificate: None, id: None, key: Some(key) } => {
                return Ok(style.ok(&VerifyAnswer::Key(key_answer(&face, parse_id(&key)?, with).await?)));
            }
            _ => return Err(Problem::new("malformed-json", "give one of certificate, id and key")),
        },
    };
    Ok(style.ok(&VerifyAnswer::Certificate(Box::new(status_answer(&face, &id, with).await?))))
}

/// The first certificate counts; a server's chain file holds its issuers behind it.
fn certificate_id(certificates: &[Vec<u8>]) -> CertificateId {
    certificates.first().map(|der| CertificateId::of(der)).unwrap_or_default()
}

/// The certificates of a key, each with its status and proof
#[utoipa::path(
    get, path = "/v1/keys/{id}", tag = "Certificates",
    params(("id" = String, Path, description = "SHA-256 of the DER SubjectPublicKeyInfo"), With),
    responses((status = 200, description = "The certificates; none where the key is unknown",
        body = KeyAnswer))
)]
pub(crate) async fn key(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<KeyId>,
    Asks(with): Asks<With>,
) -> Result<Response, Problem> {
    Ok(style.ok(&key_answer(&face, id, with).await?))
}

async fn key_answer(face: &Face, id: KeyId, with: With) -> Result<KeyAnswer, Problem> {
    let snapshot = face.backend.snapshot();
    let proof = prove(&*snapshot, &certificates_of_key_key(&id))?;
    let KeyRecord(ids) = record_in(&proof)?.unwrap_or_default();
    if ids.is_empty() {
        may_tell(face, None, proof.finality.header.time)?;
    }
    let mut certificates = Vec::with_capacity(ids.len());
    for certificate in ids.iter().rev() {
        let mut answer = status_of(face, &*snapshot, certificate)?;
        if with.certificate {
            answer.pem = found(face, *certificate).await?.as_deref().map(pem_of);
        }
        certificates.push(answer);
    }
    let valid = certificates.iter().find(|answer| answer.standing == Standing::Valid.word());
    Ok(KeyAnswer {
        key: id.to_string(),
        valid: valid.map(|answer| answer.certificate.clone()),
        certificates,
        proof: base64(&cbor::to_bytes(&proof)),
    })
}
