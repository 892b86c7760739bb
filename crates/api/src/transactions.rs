//! `/v1/transactions`: submitting, waiting for finality, proofs.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tabellion_ledger::limits::TRANSACTION_BYTES_MAX;
use tabellion_ledger::{TransactionId, cbor};
use tabellion_machine::{
    HeaderAnswer, ProblemDetails, ProofAnswer, TransactionAnswer, TransactionStanding, submit as parse,
};
use utoipa::{IntoParams, ToSchema};

use crate::backend::TransactionState;
use crate::encoding::base64;
use crate::face::{Face, Shared};
use crate::input::{Asks, Body, IdPath};
use crate::problem::Problem;
use crate::style::{Style, cbor as cbor_answer};

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/transactions", post(submit))
        .route("/v1/transactions/{id}", get(transaction))
        .route("/v1/transactions/{id}/bytes", get(bytes))
        .route("/v1/transactions/{id}/proof", get(proof))
}

/// How long the client wants to wait.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wait {
    /// `recorded`: answer once the transaction is final and durable on this node, or refused.
    wait: Option<WaitFor>,
    /// The longest wait; after it the answer is where the transaction stands then. Unit: ms. Default 10,000.
    timeout_ms: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum WaitFor {
    /// Final and durable on this node.
    Recorded,
}

const TIMEOUT_MS_DEFAULT: u64 = 10_000;

impl Wait {
    /// Until it is recorded, as long as usual.
    pub(crate) const RECORDED: Self = Self { wait: Some(WaitFor::Recorded), timeout_ms: None };

    /// Where the transaction stands, after the wait that was asked for, if the node has room for one more to
    /// wait.
    pub(crate) async fn state(self, face: &Face, id: TransactionId) -> Result<TransactionState, Problem> {
        let permit = self.wait.and_then(|_| face.waits.try_acquire().ok());
        if permit.is_none() {
            return Ok(face.read(move |backend| backend.transaction(&id)).await??);
        }
        let timeout = Duration::from_millis(self.timeout_ms.unwrap_or(TIMEOUT_MS_DEFAULT));
        Ok(face.backend.wait(id, timeout.min(face.config.wait_max)).await?)
    }
}

fn answer(id: &TransactionId, state: TransactionState) -> TransactionAnswer {
    let mut answer = TransactionAnswer {
        id: id.to_string(),
        standing: TransactionStanding::Unknown,
        height: None,
        lane: None,
        index: None,
        refusal: None,
    };
    match state {
        TransactionState::Unknown => {}
        TransactionState::Pending => answer.standing = TransactionStanding::Pending,
        TransactionState::Recorded(location) => {
            answer.standing = TransactionStanding::Recorded;
            answer.height = Some(location.height.0);
            answer.lane = Some(location.lane.to_string());
            answer.index = Some(location.index);
        }
        TransactionState::Refused(refusal) => {
            answer.standing = TransactionStanding::Refused;
            answer.refusal = Some(Problem::from(&refusal).into_details());
        }
    }
    answer
}

/// A submitted transaction's answer: recorded, pending, or the problem for which it was refused meanwhile.
///
/// A node that has just taken a transaction may not know it under its identifier yet: it is pending then.
pub(crate) async fn submitted(
    face: &Face,
    id: TransactionId,
    wait: Wait,
) -> Result<(StatusCode, TransactionAnswer), Problem> {
    let state = match wait.wait {
        None => TransactionState::Pending,
        Some(_) => wait.state(face, id).await?,
    };
    match state {
        TransactionState::Refused(refusal) => Err(Problem::from(&refusal)),
        TransactionState::Recorded(_) => Ok((StatusCode::OK, answer(&id, state))),
        TransactionState::Pending | TransactionState::Unknown => {
            Ok((StatusCode::ACCEPTED, answer(&id, TransactionState::Pending)))
        }
    }
}

/// Adds where to look for the transaction.
pub(crate) fn located(mut response: Response, id: &TransactionId) -> Response {
    if let Ok(location) = HeaderValue::try_from(format!("/v1/transactions/{id}")) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// Submit a signed transaction
///
/// The body is the transaction's bytes as `docs/format.md` describes them. The node checks it, also every
/// certificate, before it answers. Sending the same bytes again is harmless.
#[utoipa::path(
    post, path = "/v1/transactions", tag = "Transactions", params(Wait),
    request_body(content = Vec<u8>, content_type = "application/cbor"),
    responses(
        (status = 200, description = "Recorded", body = TransactionAnswer),
        (status = 202, description = "Checked, and waiting for a block", body = TransactionAnswer),
        (status = "4XX", description = "Refused", body = ProblemDetails,
         content_type = "application/problem+json"),
        (status = 503, description = "The node stops, or is being taken out of service: ask another",
         body = ProblemDetails, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn submit(
    State(face): State<Shared>,
    style: Style,
    Asks(wait): Asks<Wait>,
    request: Request,
) -> Result<Response, Problem> {
    let media_types = ["application/cbor", "application/cose"];
    let body = Body::receive(&face, request, &media_types, TRANSACTION_BYTES_MAX).await?;
    let transaction =
        parse(&body.bytes, &face.backend.ledger()).map_err(|refusal| Problem::from(&refusal))?;
    drop(body);
    let id = face.backend.submit(transaction).await?;
    let (status, answer) = submitted(&face, id, wait).await?;
    Ok(located(style.json(status, &answer), &id))
}

/// Where a transaction stands
///
/// `unknown` where this node knows nothing of it; it may be on its way. Refusals are remembered for some
/// minutes.
#[utoipa::path(
    get, path = "/v1/transactions/{id}", tag = "Transactions",
    params(("id" = String, Path, description = "The transaction's identifier"), Wait),
    responses(
        (status = 200, description = "Pending, recorded, refused or unknown", body = TransactionAnswer),
        (status = 400, description = "Not an identifier", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn transaction(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<TransactionId>,
    Asks(wait): Asks<Wait>,
) -> Result<Response, Problem> {
    Ok(style.ok(&answer(&id, wait.state(&face, id).await?)))
}

/// A recorded transaction's bytes
#[utoipa::path(
    get, path = "/v1/transactions/{id}/bytes", tag = "Transactions",
    params(("id" = String, Path, description = "The transaction's identifier")),
    responses(
        (status = 200, description = "As recorded", body = Vec<u8>, content_type = "application/cbor"),
        (status = 404, description = "Unknown here", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn bytes(
    State(face): State<Shared>,
    IdPath(id): IdPath<TransactionId>,
) -> Result<Response, Problem> {
    let bytes = face.read(move |backend| backend.transaction_bytes(&id)).await??;
    match bytes {
        Some(bytes) => Ok(cbor_answer(bytes)),
        None => Err(missing(&face, id).await),
    }
}

/// The proof that a transaction is recorded
///
/// A RecordProof, which anybody can check offline with the genesis document.
#[utoipa::path(
    get, path = "/v1/transactions/{id}/proof", tag = "Transactions",
    params(("id" = String, Path, description = "The transaction's identifier")),
    responses(
        (status = 200, description = "CBOR, or JSON where Accept names it", content(
            (Vec<u8> = "application/cbor"), (ProofAnswer = "application/json"),
        )),
        (status = 404, description = "Unknown here", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn proof(
    State(face): State<Shared>,
    style: Style,
    IdPath(id): IdPath<TransactionId>,
) -> Result<Response, Problem> {
    let Some(proof) = face.read(move |backend| backend.record_proof(&id)).await?? else {
        return Err(missing(&face, id).await);
    };
    let bytes = cbor::to_bytes(&proof);
    match style.names_json() {
        false => Ok(cbor_answer(bytes)),
        true => {
            let header = HeaderAnswer::from(&proof.header.finality.header);
            Ok(style.ok(&ProofAnswer { header, proof: base64(&bytes) }))
        }
    }
}

fn unknown(id: &TransactionId) -> Problem {
    Problem::new("no-such-transaction", format!("this node knows no transaction {id}"))
}

/// Why a node has no bytes of a transaction.
async fn missing(face: &Face, id: TransactionId) -> Problem {
    let state = face.read(move |backend| backend.transaction(&id)).await;
    match state {
        Ok(Ok(TransactionState::Recorded(location))) => {
            let detail = format!(
                "the body of lane {} of block {} was deleted here, as nothing in it is needed any more",
                location.lane, location.height
            );
            Problem::new("body-not-held", detail)
        }
        Ok(Ok(TransactionState::Pending)) => {
            Problem::new("no-such-transaction", format!("transaction {id} is not recorded yet"))
        }
        Ok(Ok(_)) => unknown(&id),
        Ok(Err(fault)) => Problem::from(fault),
        Err(problem) => problem,
    }
}
