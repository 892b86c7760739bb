//! `/v1/ledger`, `/v1/genesis`, `/v1/blocks`, `/v1/headers`: the chain itself.

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tabellion_consortium::{parameters, roster};
use tabellion_ledger::cbor::Writer;
use tabellion_ledger::{Block, HandOver, Height, LaneBody, Validator, cbor};
use tabellion_machine::{
    BlockAnswer, CHAIN_HEADERS_MAX, ChainHeader, ChainHeaderAnswer, HandOverAnswer, HandOversAnswer,
    HeaderAnswer, HeadersAnswer, LaneAnswer, LedgerAnswer, ProblemDetails, ProofAnswer, ValidatorAnswer,
};
use utoipa::IntoParams;

use crate::backend::{Fault, HeldBlock};
use crate::encoding::base64;
use crate::face::{Face, Shared};
use crate::input::{Asks, BlockBytes, HeightPath};
use crate::problem::Problem;
use crate::style::{Style, cbor as cbor_answer};

/// Headers of one page, unless the client asks for another number.
const HEADERS_DEFAULT: usize = 100;
/// Hand-overs of one page.
const HAND_OVERS_PAGE: usize = 100;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/ledger", get(ledger))
        .route("/v1/genesis", get(genesis))
        .route("/v1/blocks/{height}", get(block))
        .route("/v1/blocks/{height}/bytes", get(bytes))
        .route("/v1/blocks/{height}/finality", get(finality))
        .route("/v1/headers", get(headers))
        .route("/v1/hand-overs", get(hand_overs))
}

/// The ledger at a glance
#[utoipa::path(
    get, path = "/v1/ledger", tag = "Chain",
    responses((status = 200, description = "The ledger", body = LedgerAnswer))
)]
pub(crate) async fn ledger(State(face): State<Shared>, style: Style) -> Response {
    let snapshot = face.backend.snapshot();
    let header = &snapshot.finality().header;
    let (roster, rules) = (roster(&*snapshot), parameters(&*snapshot).certificate);
    let validators = (0..).zip(roster.validators()).map(|(index, validator)| ValidatorAnswer {
        index,
        name: validator.name.clone(),
        member: validator.member.to_string(),
        key: validator.key_id().to_string(),
    });
    style.ok(&LedgerAnswer {
        ledger: face.backend.ledger().to_string(),
        name: face.backend.genesis().name.clone(),
        kind: rules.kind.to_string(),
        height: header.height.0,
        time_ms: header.time.0,
        validators: validators.collect(),
        quorum: roster.quorum(),
        transactions: face.backend.transaction_count(),
        trusted_cas: rules.anchors.len(),
        knowledge: face.backend.knowledge(),
    })
}

/// The genesis document
///
/// Its SHA-256 is the ledger's identifier; with it alone every proof can be checked. Compare it with the one
/// that you were given by another way.
#[utoipa::path(
    get, path = "/v1/genesis", tag = "Chain",
    responses((status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"))
)]
pub(crate) async fn genesis(State(face): State<Shared>) -> Response {
    cbor_answer(face.backend.genesis_bytes())
}

async fn held_block(face: &Face, height: Option<Height>) -> Result<HeldBlock, Problem> {
    let height = or_newest(face, height);
    let held = face.read(move |backend| backend.block(height)).await??;
    held.ok_or_else(|| no_such_block(face, height))
}

fn or_newest(face: &Face, height: Option<Height>) -> Height {
    height.unwrap_or_else(|| face.backend.snapshot().finality().header.height)
}

fn no_such_block(face: &Face, height: Height) -> Problem {
    let newest = face.backend.snapshot().finality().header.height;
    Problem::new("no-such-block", format!("block {height} is not there; the newest is {newest}"))
}

/// A block
#[utoipa::path(
    get, path = "/v1/blocks/{height}", tag = "Chain",
    params(("height" = String, Path, description = "A height, or `latest`")),
    responses(
        (status = 200, description = "The block", body = BlockAnswer),
        (status = 404, description = "Not there yet", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn block(
    State(face): State<Shared>,
    style: Style,
    HeightPath(height): HeightPath,
) -> Result<Response, Problem> {
    let HeldBlock { block, complete } = held_block(&face, height).await?;
    let header = HeaderAnswer::from(&block.header);
    Ok(style.ok(&BlockAnswer { header, lanes: block.lanes.iter().map(lane_answer).collect(), complete }))
}

fn lane_answer(body: &LaneBody) -> LaneAnswer {
    LaneAnswer {
        lane: body.header.lane.to_string(),
        hash: body.header.hash().to_string(),
        records_root: body.header.records_root.to_string(),
        record_count: body.header.record_count,
        transactions: body.transactions.iter().map(|transaction| transaction.id().to_string()).collect(),
    }
}

/// A block's bytes
#[utoipa::path(
    get, path = "/v1/blocks/{height}/bytes", tag = "Chain",
    params(("height" = String, Path, description = "A height, or `latest`"), BlockBytes),
    responses(
        (status = 200, description = "CBOR", body = Vec<u8>, content_type = "application/cbor"),
        (status = 404, description = "Not there", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn bytes(
    State(face): State<Shared>,
    HeightPath(height): HeightPath,
    Asks(BlockBytes { here, attachments }): Asks<BlockBytes>,
) -> Result<Response, Problem> {
    let HeldBlock { mut block, complete } = held_block(&face, height).await?;
    if complete && attachments {
        block = face
            .read(move |backend| {
                let carried = backend.attachments(&block)?;
                Ok::<_, Fault>(Block { carried, ..block })
            })
            .await??;
    }
    if complete {
        return Ok(cbor_answer(cbor::to_bytes(&block)));
    }
    let height = block.header.height;
    let elsewhere = if here { None } else { face.backend.block_elsewhere(height).await };
    match elsewhere {
        Some(block) => Ok(cbor_answer(cbor::to_bytes(&block))),
        None => {
            let detail = format!(
                "a body of block {height} was deleted here, as nothing in it is needed any more (X.1409 A.3)"
            );
            Err(Problem::new("body-not-held", detail))
        }
    }
}

/// The signatures that make a block final
///
/// Not every block has some of its own: a quorum that finalises a block finalises all before it.
#[utoipa::path(
    get, path = "/v1/blocks/{height}/finality", tag = "Chain",
    params(("height" = String, Path, description = "A height, or `latest`")),
    responses(
        (status = 200, description = "A FinalityProof; JSON where Accept names it", content(
            (Vec<u8> = "application/cbor"), (ProofAnswer = "application/json"),
        )),
        (status = 404, description = "None", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn finality(
    State(face): State<Shared>,
    style: Style,
    HeightPath(height): HeightPath,
) -> Result<Response, Problem> {
    let proof = match height {
        None => face.backend.snapshot().finality().clone(),
        Some(height) => {
            let newest = or_newest(&face, None);
            let proof = face.read(move |backend| backend.finality(height)).await??;
            proof.ok_or_else(|| match height > newest {
                true => no_such_block(&face, height),
                false => Problem::new(
                    "no-finality",
                    format!("block {height} is final by a later block's signatures"),
                ),
            })?
        }
    };
    let bytes = cbor::to_bytes(&proof);
    match style.names_json() {
        false => Ok(cbor_answer(bytes)),
        true => {
            let header = HeaderAnswer::from(&proof.header);
            Ok(style.ok(&ProofAnswer { header, proof: base64(&bytes) }))
        }
    }
}

/// Which headers.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Range {
    /// The first height. Default 0.
    #[serde(default)]
    from: u64,
    /// Headers of the page, 1 to 1,000. Default 100.
    limit: Option<usize>,
}

/// Headers for light clients
///
/// An array of ChainHeader, ascending: `[1, finality proof]` where a block has signatures of its own, else
/// `[0, header]`.
#[utoipa::path(
    get, path = "/v1/headers", tag = "Chain", params(Range),
    responses((status = 200, description = "CBOR, or JSON where Accept names it", content(
        (Vec<u8> = "application/cbor"), (HeadersAnswer = "application/json"),
    )))
)]
pub(crate) async fn headers(
    State(face): State<Shared>,
    style: Style,
    Asks(Range { from, limit }): Asks<Range>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(HEADERS_DEFAULT);
    if !(1..=CHAIN_HEADERS_MAX).contains(&limit) {
        let detail = format!("limit is {limit}; 1 to {CHAIN_HEADERS_MAX} are accepted");
        return Err(Problem::new("malformed-query", detail));
    }
    let headers = face.read(move |backend| backend.headers(Height(from), limit)).await??;
    if !style.names_json() {
        let mut out = Writer::default();
        out.list(&headers);
        return Ok(cbor_answer(out.into_bytes()));
    }
    let newest = or_newest(&face, None).0;
    let last = headers.last().map(|header| header.header().height.0);
    let next = last.filter(|last| *last < newest).map(|last| last + 1);
    Ok(style.ok(&HeadersAnswer { headers: headers.iter().map(header_answer).collect(), next }))
}

/// From where on.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct After {
    /// Number of the newest roster that the client knows. Default 0, the genesis document's.
    #[serde(default)]
    after: u64,
}

/// Changes of validators for light clients
///
/// An array of HandOver, ascending, at most 100: each is signed by a quorum of the validators before and
/// after.
#[utoipa::path(
    get, path = "/v1/hand-overs", tag = "Chain", params(After),
    responses((status = 200, description = "CBOR, or JSON where Accept names it", content(
        (Vec<u8> = "application/cbor"), (HandOversAnswer = "application/json"),
    )))
)]
pub(crate) async fn hand_overs(
    State(face): State<Shared>,
    style: Style,
    Asks(After { after }): Asks<After>,
) -> Result<Response, Problem> {
    let list = face.read(move |backend| backend.hand_overs(after, HAND_OVERS_PAGE)).await??;
    if style.names_json() {
        return Ok(style.ok(&HandOversAnswer { hand_overs: list.iter().map(hand_over_answer).collect() }));
    }
    let mut out = Writer::default();
    out.list(&list);
    Ok(cbor_answer(out.into_bytes()))
}

fn hand_over_answer(hand_over: &HandOver) -> HandOverAnswer {
    let key = |validator: &Validator| validator.key_id().to_string();
    HandOverAnswer {
        roster: hand_over.roster.number(),
        last_height: hand_over.last.header.height.0,
        validators: hand_over.roster.validators().iter().map(key).collect(),
        proof: base64(&cbor::to_bytes(hand_over)),
    }
}

fn header_answer(header: &ChainHeader) -> ChainHeaderAnswer {
    let finality = match header {
        ChainHeader::Linked(_) => None,
        ChainHeader::Final(proof) => Some(base64(&cbor::to_bytes(proof))),
    };
    ChainHeaderAnswer { header: HeaderAnswer::from(header.header()), finality }
}
