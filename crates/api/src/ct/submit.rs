//! `add-chain`: a certificate is recorded, and its SCT given.

use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tabellion_ledger::limits::TRANSACTION_BYTES_MAX;
use tabellion_ledger::{CertificateId, Height, Lane};
use tabellion_machine::Location;
use tabellion_pki::{certificate, scheduled};

use super::http::{full_log, json};
use super::wire::timestamp_input;
use crate::backend::{Fault, TransactionState};
use crate::encoding::base64;
use crate::face::Shared;
use crate::input::Body;
use crate::problem::Problem;
use crate::publication::{Asked, publication};
use crate::transactions::Wait;

/// What `add-chain` takes. Source: RFC 6962 section 4.1.
#[derive(Deserialize)]
struct AddChain {
    chain: Vec<String>,
}

/// What it answers: an SCT.
#[derive(Serialize)]
struct Timestamp {
    sct_version: u8,
    id: String,
    timestamp: u64,
    extensions: &'static str,
    signature: String,
}

/// Records a certificate, signed by the node's gateway, and answers with its SCT once that is done. One that
/// is recorded already gets the SCT of its time.
pub(super) async fn add_chain(State(face): State<Shared>, request: Request) -> Result<Response, Problem> {
    let log = full_log(&face)?;
    if face.is_plain {
        let detail = "this listener only tells; certificates are taken under the REST face's TLS";
        return Err(Problem::new("ct-read-only", detail));
    }
    if face.backend.gateway().is_none() {
        return Err(Problem::new("no-gateway", "this node has no key to sign with for others"));
    }
    let body = Body::receive(&face, request, &["application/json"], TRANSACTION_BYTES_MAX * 2).await?;
    let AddChain { chain } = body.json()?;
    let decode = |text: &String| STANDARD.decode(text);
    let chain: Result<Vec<Vec<u8>>, _> = chain.iter().map(decode).collect();
    let chain = chain.map_err(|error| Problem::new("malformed-json", format!("chain: {error}")))?;
    let Some(der) = chain.first().cloned() else {
        return Err(Problem::new("malformed-json", "the chain is empty"));
    };
    let height = match published_height(&face, &CertificateId::of(&der)) {
        Some(height) => height,
        None => publish(&face, chain).await?,
    };
    let header = face.read(move |backend| backend.header(height)).await??;
    let time = header.ok_or_else(|| Fault::new(format!("no header of block {height}")))?.time;
    let signature = log.key().sign(&timestamp_input(&der, time))?;
    let answer = Timestamp {
        sct_version: 0,
        id: base64(&log.key().id()),
        timestamp: time.0,
        extensions: "",
        signature: base64(&signature),
    };
    json(&answer)
}

/// The block that recorded a certificate, if one did.
fn published_height(face: &Shared, id: &CertificateId) -> Option<Height> {
    let snapshot = face.backend.snapshot();
    let begun = certificate(&*snapshot, id).map(|record| record.published_height);
    begun.or_else(|| scheduled(&*snapshot, id).map(|waiting| waiting.published_height))
}

/// Publishes the first certificate of a chain; returns the block that holds it.
async fn publish(face: &Shared, chain: Vec<Vec<u8>>) -> Result<Height, Problem> {
    let anchors = face.anchors.of(&*face.backend.snapshot());
    let signed = face.read(move |backend| {
        let publication = publication(&chain, &Asked::default(), &anchors)?;
        let gateway =
            backend.gateway().ok_or_else(|| Problem::new("no-gateway", "the node's key is gone"))?;
        Ok::<_, Problem>(gateway.sign(Lane::Certificate, publication.action, publication.attachments)?)
    });
    let id = face.backend.submit(signed.await??).await?;
    match Wait::RECORDED.state(face, id).await? {
        TransactionState::Recorded(Location { height, .. }) => Ok(height),
        TransactionState::Refused(refusal) => Err(Problem::from(&refusal)),
        TransactionState::Pending | TransactionState::Unknown => {
            let detail = "the certificate waits for a block; send it again for its SCT";
            Err(Problem::new("not-ready", detail).retry_after(2))
        }
    }
}
