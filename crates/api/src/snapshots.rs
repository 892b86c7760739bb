//! `/v1/snapshots`, `/v1/outlines`: what a node fetches that takes a state over instead of executing every
//! block.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tabellion_ledger::cbor::Writer;
use tabellion_ledger::trie::PageId;
use tabellion_ledger::{FinalityProof, Height, cbor};
use tabellion_machine::{CHAIN_HEADERS_MAX, HeaderAnswer, ProblemDetails, ProofAnswer, SnapshotsAnswer};
use utoipa::IntoParams;

use crate::encoding::base64;
use crate::face::Shared;
use crate::input::{Asks, HeightPath};
use crate::problem::Problem;
use crate::style::{Style, cbor as cbor_answer};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/snapshots", get(snapshots))
        .route("/v1/snapshots/{height}/piece", get(piece))
        .route("/v1/outlines", get(outlines))
}

/// States held for nodes that join
///
/// An array of FinalityProof, newest first: of the blocks after which the node still holds the state. Each
/// stays for two minutes after it was last read.
#[utoipa::path(
    get, path = "/v1/snapshots", tag = "Chain",
    responses((status = 200, description = "CBOR, or JSON where Accept names it", content(
        (Vec<u8> = "application/cbor"), (SnapshotsAnswer = "application/json"),
    )))
)]
pub(crate) async fn snapshots(State(face): State<Shared>, style: Style) -> Response {
    let held = face.backend.held_states();
    if style.names_json() {
        let answer = |proof: &FinalityProof| ProofAnswer {
            header: HeaderAnswer::from(&proof.header),
            proof: base64(&cbor::to_bytes(proof)),
        };
        return style.ok(&SnapshotsAnswer { snapshots: held.iter().map(answer).collect() });
    }
    let mut out = Writer::default();
    out.list(&held);
    cbor_answer(out.into_bytes())
}

/// Which piece.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Prefix {
    /// First hexadecimal digits of the paths of all records of the piece, at most 63. Default none: all
    /// records.
    #[serde(default)]
    prefix: String,
}

/// A piece of a held state
///
/// All records below a prefix, or, where these are more than about a megabyte, the page of the state trie at
/// the prefix. Whoever has the hash above can check it.
#[utoipa::path(
    get, path = "/v1/snapshots/{height}/piece", tag = "Chain",
    params(("height" = String, Path, description = "A height that /v1/snapshots lists"), Prefix),
    responses(
        (status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"),
        (status = 404, description = "The state is not held (any more)", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn piece(
    State(face): State<Shared>,
    HeightPath(height): HeightPath,
    Asks(Prefix { prefix }): Asks<Prefix>,
) -> Result<Response, Problem> {
    let id: PageId = prefix.parse().map_err(|fault| Problem::new("malformed-query", format!("{fault}")))?;
    let held = || face.backend.held_states().into_iter().map(|proof| proof.header.height);
    let height = height.or_else(|| held().next()).unwrap_or_default();
    let piece = face.read(move |backend| backend.piece(height, &id)).await??;
    let piece = piece.ok_or_else(|| {
        let held: Vec<String> = held().map(|height| height.to_string()).collect();
        let held = if held.is_empty() { "none".to_owned() } else { held.join(", ") };
        Problem::new("no-such-snapshot", format!("the state after block {height} is not held; held: {held}"))
    })?;
    Ok(cbor_answer(cbor::to_bytes(&piece)))
}

/// Which outlines.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// The first height. Default 0.
    #[serde(default)]
    from: u64,
    /// Outlines of the page, 1 to 1,000. Default 100.
    limit: Option<usize>,
    /// Whether the records' identifiers and hashes are wanted. Default false.
    #[serde(default)]
    records: bool,
}

/// Outlines of blocks
///
/// An array of Outline, ascending: the lane headers of each block, and on request of each record the
/// transaction identifier and the hash of its bytes. It may end early where it grows long.
#[utoipa::path(
    get, path = "/v1/outlines", tag = "Chain", params(Span),
    responses(
        (status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"),
        (status = 404, description = "A body is gone", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn outlines(
    State(face): State<Shared>,
    Asks(Span { from, limit, records }): Asks<Span>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(100);
    if !(1..=CHAIN_HEADERS_MAX).contains(&limit) {
        let detail = format!("limit is {limit}; 1 to {CHAIN_HEADERS_MAX} are accepted");
        return Err(Problem::new("malformed-query", detail));
    }
    let outlines = face.read(move |backend| backend.outlines(Height(from), limit, records)).await??;
    let gone = || Problem::new("body-not-held", format!("the records of block {from} are not held here"));
    let mut out = Writer::default();
    out.list(&outlines.ok_or_else(gone)?);
    Ok(cbor_answer(out.into_bytes()))
}
