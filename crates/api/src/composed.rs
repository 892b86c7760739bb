//! `/v1/outbox` and `/v1/foreign`: what goes out to other ledgers, and what is known of them.

use axum::Router;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tabellion_consortium::{link_key, links};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{CertificateId, Height, LedgerId, StateKey, StateProof, cbor};
use tabellion_machine::{
    ForeignLedgerAnswer, ForeignLedgersAnswer, ForeignStatusAnswer, OutboxAnswer, ProblemDetails, link,
};
use tabellion_pki::{
    Delivery, Outbox, OutboxEntry, ProvedRecord, RELAY_RESULTS_MAX, followed_ledger, followed_ledger_key,
    foreign_record, foreign_record_key,
};
use utoipa::IntoParams;

use crate::backend::{Fault, Snapshot};
use crate::encoding::base64;
use crate::face::Shared;
use crate::input::{Asks, parse_id};
use crate::problem::Problem;
use crate::style::{Style, cbor as cbor_answer};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/outbox", get(outbox))
        .route("/v1/foreign", get(ledgers))
        .route("/v1/foreign/{ledger}/certificates/{id}", get(status))
}

/// Which results.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// The number of the first result. Default 0.
    #[serde(default)]
    first: u64,
    /// Results of the page, 0 to 64. Default 64.
    limit: Option<usize>,
    /// Height of a header that the receiver knows; the answer leads back to it.
    known: Option<u64>,
}

/// Numbered results for other ledgers
///
/// A Delivery: results without gaps, how many there are, and the finalised header of both. A proxy makes a
/// relay of it. The ledger numbers results while its members want it to.
#[utoipa::path(
    get, path = "/v1/outbox", tag = "Composed systems", params(Wanted),
    responses(
        (status = 200, description = "CBOR, or JSON where Accept names it", content(
            (Vec<u8> = "application/cbor"), (OutboxAnswer = "application/json"),
        )),
        (status = 404, description = "The known header is above this node's newest", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn outbox(
    State(face): State<Shared>,
    style: Style,
    Asks(Wanted { first, limit, known }): Asks<Wanted>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(RELAY_RESULTS_MAX);
    if limit > RELAY_RESULTS_MAX {
        let detail = format!("limit is {limit}; 0 to {RELAY_RESULTS_MAX} are accepted");
        return Err(Problem::new("malformed-query", detail));
    }
    let delivery = face.read(move |backend| backend.delivery(first, limit, known.map(Height))).await??;
    let missing = || Problem::new("no-such-block", "the known header is above the newest one of this node");
    let delivery = delivery.ok_or_else(missing)?;
    let bytes = cbor::to_bytes(&delivery);
    if !style.names_json() {
        return Ok(cbor_answer(bytes));
    }
    let (count, results) = read(&delivery)?;
    Ok(style.ok(&OutboxAnswer::new(&delivery, count, &results, base64(&bytes))))
}

fn read(delivery: &Delivery) -> Result<(u64, Vec<OutboxEntry>), Fault> {
    let count = record::<Outbox>(&delivery.outbox)?.map_or(0, |outbox| outbox.next);
    let results: Result<Vec<_>, Fault> = delivery.results.iter().map(record::<OutboxEntry>).collect();
    Ok((count, results?.into_iter().flatten().collect()))
}

fn record<T: cbor::Wire>(proved: &ProvedRecord) -> Result<Option<T>, Fault> {
    let decode = |bytes: &Vec<u8>| cbor::from_bytes(bytes, RECORD_BYTES_MAX);
    proved.record.as_ref().map(decode).transpose().map_err(Fault::new)
}

/// The foreign ledgers that this one follows
#[utoipa::path(
    get, path = "/v1/foreign", tag = "Composed systems",
    responses((status = 200, description = "The ledgers", body = ForeignLedgersAnswer))
)]
pub(crate) async fn ledgers(State(face): State<Shared>, style: Style) -> Response {
    let snapshot = face.backend.snapshot();
    let followed = links(&*snapshot).0;
    let answer = followed.iter().filter_map(|id| ledger(&*snapshot, id));
    style.ok(&ForeignLedgersAnswer { ledgers: answer.collect() })
}

fn ledger(snapshot: &dyn Snapshot, id: &LedgerId) -> Option<ForeignLedgerAnswer> {
    let name = tabellion_consortium::link(snapshot, id)?.name;
    let (link, known) = (link(snapshot, id)?, followed_ledger(snapshot, id));
    let at = snapshot.finality().header.time;
    Some(ForeignLedgerAnswer::new(id.to_string(), name, &link, known.as_ref(), at))
}

/// The status of a certificate on a foreign ledger, with its proofs
///
/// As recorded on this ledger. Only the standing `valid` without doubt may be relied upon; `revoked` is to be
/// honoured whatever the doubt.
#[utoipa::path(
    get, path = "/v1/foreign/{ledger}/certificates/{id}", tag = "Composed systems",
    params(
        ("ledger" = String, Path, description = "The foreign ledger's identifier"),
        ("id" = String, Path, description = "SHA-256 of the certificate"),
    ),
    responses(
        (status = 200, description = "The status", body = ForeignStatusAnswer),
        (status = 400, description = "Not an identifier", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn status(
    State(face): State<Shared>,
    style: Style,
    names: Result<Path<(String, String)>, PathRejection>,
) -> Result<Response, Problem> {
    let Path((ledger, id)) =
        names.map_err(|_| Problem::new("malformed-identifier", "the path is no text"))?;
    let (ledger, id): (LedgerId, CertificateId) = (parse_id(&ledger)?, parse_id(&id)?);
    let snapshot = face.backend.snapshot();
    let keys = [link_key(&ledger), followed_ledger_key(&ledger), foreign_record_key(&ledger, &id)];
    let prove = |key: &StateKey| -> Result<String, Problem> {
        let proof: StateProof = snapshot.prove(key).map_err(Fault::new)?;
        Ok(base64(&cbor::to_bytes(&proof)))
    };
    let proofs: Result<Vec<String>, Problem> = keys.iter().map(prove).collect();
    let record = foreign_record(&*snapshot, &ledger, &id);
    let (link, known) = (link(&*snapshot, &ledger), followed_ledger(&*snapshot, &ledger));
    let names = (ledger.to_string(), id.to_string());
    let header = &snapshot.finality().header;
    let answer =
        ForeignStatusAnswer::new(names, record.as_ref(), link.as_ref(), known.as_ref(), header, proofs?);
    Ok(style.ok(&answer))
}
