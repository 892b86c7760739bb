//! `/v1/certificates/{id}/history`: every operation on a certificate, with who, why and upon what evidence.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use serde::Deserialize;
use tabellion_consortium::{Owner, key_record};
use tabellion_ledger::{CertificateId, Height, StateProof, TransactionId, View, cbor};
use tabellion_machine::{HeaderAnswer, HistoryAnswer, HistoryRecordAnswer, ProblemDetails, RecordAnswer};
use tabellion_pki::{CertificateRecord, Standing, certificate_key};
use tokio::time::{Instant, sleep};
use utoipa::IntoParams;

use crate::backend::Snapshot;
use crate::certificates::{may_tell, prove, record_in};
use crate::encoding::base64;
use crate::face::{Face, Shared};
use crate::input::{Asks, IdPath};
use crate::problem::Problem;
use crate::style::Style;

/// Records of one page: about a kilobyte and a half each.
const PAGE_RECORDS: usize = 500;
/// How long an answer waits for an index that has not seen the latest record yet: it lags by a second at most
/// on a node that is in step.
const INDEX_WAIT: Duration = Duration::from_secs(3);
/// Pause before it is asked again.
const INDEX_PAUSE: Duration = Duration::from_millis(50);

/// The records of a certificate as a node has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// The records, oldest first, without a gap, up to the latest.
    pub entries: Vec<HistoryEntry>,
    /// The block up to which the index was filled; `None` for an empty one.
    pub height: Option<Height>,
}

/// A record, and the transaction that made it, where the index saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryEntry {
    /// The record.
    pub record: CertificateRecord,
    /// The transaction.
    pub transaction: Option<TransactionId>,
}

/// Which records.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Below {
    /// Only records with a smaller sequence: `record.sequence` of the first record of the page before.
    below: Option<u64>,
}

/// The history of a certificate
///
/// Every operation is a record: publication, suspension, resumption, revocation, renewal, each with who, why
/// and upon what evidence of the CA. The latest record is proved as at /v1/certificates/{id}/proof, and each
/// carries the SHA-256 of the one before, so the whole history can be checked: `tabellion cert history` does.
/// A page holds 500 records.
#[utoipa::path(
    get, path = "/v1/certificates/{id}/history", tag = "Certificates",
    params(("id" = String, Path,
        description = "SHA-256 of the certificate; colons and upper case are allowed"), Below),
    responses(
        (status = 200, description = "The records; none where the certificate is unknown",
         body = HistoryAnswer),
        (status = 400, description = "Not an identifier", body = ProblemDetails,
         content_type = "application/problem+json"),
        (status = 501, description = "This node keeps no index", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn history(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<CertificateId>,
    Asks(Below { below }): Asks<Below>,
) -> Result<Response, Problem> {
    let (snapshot, proof, history) = indexed(&face, id).await?;
    let latest: Option<CertificateRecord> = record_in(&proof)?;
    let header = &proof.finality.header;
    let page = history.entries.iter().filter(|entry| below.is_none_or(|below| entry.record.sequence < below));
    let skipped = page.clone().count().saturating_sub(PAGE_RECORDS);
    let first = history.entries.first().map(|entry| entry.record.sequence);
    Ok(style.ok(&HistoryAnswer {
        certificate: id.to_string(),
        standing: Standing::of(latest.as_ref(), header.time).word().to_owned(),
        complete: first.is_none_or(|first| first == 0),
        first_sequence: first,
        records: page.skip(skipped).map(|entry| told(entry, &*snapshot)).collect(),
        header: HeaderAnswer::from(header),
        proof: base64(&cbor::to_bytes(&proof)),
    }))
}

/// The proof of the latest record and the records up to it, once the index has seen that one, or after some
/// time without.
async fn indexed(
    face: &Face,
    id: CertificateId,
) -> Result<(Arc<dyn Snapshot>, StateProof, History), Problem> {
    let end = Instant::now() + INDEX_WAIT;
    loop {
        let snapshot = face.backend.snapshot();
        let proof = prove(&*snapshot, &certificate_key(&id))?;
        let latest: Option<CertificateRecord> = record_in(&proof)?;
        may_tell(face, latest.as_ref().map(|record| record.status), proof.finality.header.time)?;
        let Some(latest) = latest else { return Ok((snapshot, proof, History::default())) };
        let since = latest.since_height;
        let history = face.read(move |backend| backend.history(&id, &latest)).await??;
        if history.height >= Some(since) || Instant::now() >= end {
            return Ok((snapshot, proof, history));
        }
        sleep(INDEX_PAUSE).await;
    }
}

fn told(HistoryEntry { record, transaction }: &HistoryEntry, view: &dyn View) -> HistoryRecordAnswer {
    let key = key_record(view, &record.submitter);
    let account = key.as_ref().and_then(|key| match &key.owner {
        Owner::Account(name) => Some(name.to_string()),
        Owner::Member | Owner::Invitation | Owner::Node(_) => None,
    });
    HistoryRecordAnswer {
        record: RecordAnswer::from(record),
        member: key.map(|key| key.member.to_string()),
        account,
        transaction: transaction.map(|id| id.to_string()),
        bytes: base64(&cbor::to_bytes(record)),
    }
}
