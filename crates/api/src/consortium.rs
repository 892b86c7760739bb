//! `/v1/members`, `/v1/nodes`, `/v1/proposals`, `/v1/parameters`, `/v1/permissions`: who makes the rules, and
//! `/v1/state`: the proof of any record of the state.

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tabellion_consortium::{Change, ProposalNumber, agenda, parameters};
use tabellion_ledger::limits::ENVELOPE_BYTES_MAX;
use tabellion_ledger::{MemberId, StateKey, cbor};
use tabellion_machine::{
    DifferenceAnswer, HeaderAnswer, MemberAnswer, MembersAnswer, NodeAnswer, NodesAnswer, ParametersAnswer,
    PermissionsAnswer, ProblemDetails, ProposalAnswer, ProposalsAnswer, StateAnswer, dry_run,
};
use utoipa::IntoParams;

use crate::backend::{Fault, Snapshot};
use crate::encoding::base64;
use crate::face::Shared;
use crate::input::{Asks, Body};
use crate::problem::Problem;
use crate::style::{Style, cbor as cbor_answer};

/// Proposals of one page, unless the client asks for another number.
const PROPOSALS_DEFAULT: usize = 50;
/// Proposals of one page at most.
const PROPOSALS_MAX: usize = 200;
/// Bytes of a key of the state: the longest are two names of 32 characters and their prefix.
const KEY_BYTES_MAX: usize = 256;
/// A change as JSON: its certificates are hexadecimal there.
const CHANGE_BYTES_MAX: usize = 4 * ENVELOPE_BYTES_MAX;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/v1/state/{map}/{key}", get(state))
        .route("/v1/members", get(members))
        .route("/v1/members/{id}", get(member))
        .route("/v1/nodes", get(nodes))
        .route("/v1/nodes/{id}", get(node))
        .route("/v1/proposals", get(proposals))
        .route("/v1/proposals/dry-run", post(try_change))
        .route("/v1/proposals/{number}", get(proposal))
        .route("/v1/parameters", get(current_parameters))
        .route("/v1/permissions", get(permissions))
}

fn header_of(snapshot: &dyn Snapshot) -> HeaderAnswer {
    HeaderAnswer::from(&snapshot.finality().header)
}

fn shown(text: &str) -> String {
    text.chars().take(100).collect()
}

/// A record of the state, with its proof
///
/// Everything that the other paths tell can be proved by this one: docs/format.md says under which key each
/// record lies. A record that is not there is proved as absent.
#[utoipa::path(
    get, path = "/v1/state/{map}/{key}", tag = "Consortium",
    params(
        ("map" = u8, Path, description = "Number of the map: 1 is the consortium; see docs/format.md"),
        ("key" = String, Path, description = "The key, hexadecimal"),
    ),
    responses(
        (status = 200, description = "A StateProof; JSON where Accept names it", content(
            (Vec<u8> = "application/cbor"), (StateAnswer = "application/json"),
        )),
        (status = 400, description = "No key", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn state(
    State(face): State<Shared>,
    style: Style,
    Path((map, key)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let malformed = |what: &str, text: &str| {
        let detail = format!("'{}' is not {what}", shown(text));
        Problem::new("malformed-request", detail)
    };
    let number = map.parse().map_err(|_| malformed("the number of a map", &map))?;
    let bytes = hex::decode(&key).ok().filter(|bytes| (1..=KEY_BYTES_MAX).contains(&bytes.len()));
    let bytes = bytes.ok_or_else(|| malformed("a key of the state in hexadecimal digits", &key))?;
    let snapshot = face.backend.snapshot();
    let proof = snapshot.prove(&StateKey::new(number, &bytes)).map_err(Fault::new)?;
    let encoded = cbor::to_bytes(&proof);
    Ok(match style.names_json() {
        false => cbor_answer(encoded),
        true => style.ok(&StateAnswer {
            header: header_of(&*snapshot),
            record: proof.record.as_deref().map(base64),
            proof: base64(&encoded),
        }),
    })
}

/// All members
///
/// Members, nodes and proposals are changed by signed transactions of the consortium lane: POST
/// /v1/transactions. `tabellion member`, `account`, `node`, `propose` and `vote` make and sign them.
#[utoipa::path(
    get, path = "/v1/members", tag = "Consortium",
    responses((status = 200, description = "All members there ever were", body = MembersAnswer))
)]
pub(crate) async fn members(State(face): State<Shared>, style: Style) -> Response {
    let snapshot = face.backend.snapshot();
    style.ok(&MembersAnswer::new(header_of(&*snapshot), &*snapshot))
}

/// A member
#[utoipa::path(
    get, path = "/v1/members/{id}", tag = "Consortium",
    params(("id" = String, Path, description = "The member's name")),
    responses(
        (status = 200, description = "The member", body = MemberAnswer),
        (status = 404, description = "There is none", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn member(
    State(face): State<Shared>,
    style: Style,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = face.backend.snapshot();
    let found = id.parse().ok().and_then(|id: MemberId| tabellion_consortium::member(&*snapshot, &id));
    let none = || Problem::new("unknown-member", format!("there is no member '{}'", shown(&id)));
    Ok(style.ok(&MemberAnswer::new(&found.ok_or_else(none)?, &*snapshot)))
}

/// All nodes
#[utoipa::path(
    get, path = "/v1/nodes", tag = "Consortium",
    responses((status = 200, description = "All nodes that are not removed", body = NodesAnswer))
)]
pub(crate) async fn nodes(State(face): State<Shared>, style: Style) -> Response {
    let snapshot = face.backend.snapshot();
    style.ok(&NodesAnswer::new(header_of(&*snapshot), &*snapshot))
}

/// A node, also a removed one
#[utoipa::path(
    get, path = "/v1/nodes/{id}", tag = "Consortium",
    params(("id" = String, Path, description = "The node's identifier, 64 hexadecimal digits")),
    responses(
        (status = 200, description = "The node", body = NodeAnswer),
        (status = 404, description = "There is none", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn node(
    State(face): State<Shared>,
    style: Style,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = face.backend.snapshot();
    let found = id.parse().ok().and_then(|id| tabellion_consortium::node(&*snapshot, &id));
    let none = || Problem::new("unknown-node", format!("there is no node '{}'", shown(&id)));
    Ok(style.ok(&NodeAnswer::from(&found.ok_or_else(none)?)))
}

/// Which proposals.
#[derive(Clone, Copy, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only those on which members still vote (`true`), or only others (`false`). Default: all.
    open: Option<bool>,
    /// Only those with a smaller number.
    before: Option<u64>,
    /// Proposals of the page, 1 to 200. Default 50.
    limit: Option<usize>,
}

/// Proposals, newest first
#[utoipa::path(
    get, path = "/v1/proposals", tag = "Consortium", params(Which),
    responses((status = 200, description = "A page of proposals", body = ProposalsAnswer))
)]
pub(crate) async fn proposals(
    State(face): State<Shared>,
    style: Style,
    Asks(Which { open, before, limit }): Asks<Which>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(PROPOSALS_DEFAULT);
    if !(1..=PROPOSALS_MAX).contains(&limit) {
        let detail = format!("limit is {limit}; 1 to {PROPOSALS_MAX} are accepted");
        return Err(Problem::new("malformed-query", detail));
    }
    let answer = face.read(move |backend| {
        let snapshot = backend.snapshot();
        let (agenda, members) = (agenda(&*snapshot), tabellion_consortium::members(&*snapshot));
        let is_open = |number: &u64| agenda.open.iter().any(|entry| entry.number.0 == *number);
        let end = before.unwrap_or(u64::MAX).clamp(1, agenda.next.0);
        let mut numbers = (1..end).rev().filter(|number| open.is_none_or(|open| is_open(number) == open));
        let page: Vec<u64> = numbers.by_ref().take(limit).collect();
        let next = numbers.next().and(page.last().copied());
        let found = page
            .iter()
            .filter_map(|number| tabellion_consortium::proposal(&*snapshot, ProposalNumber(*number)));
        let proposals = found.map(|proposal| ProposalAnswer::new(&proposal, &members)).collect();
        ProposalsAnswer { proposals, next, header: header_of(&*snapshot) }
    });
    Ok(style.ok(&answer.await?))
}

/// A proposal: its change, ballots, count and status
#[utoipa::path(
    get, path = "/v1/proposals/{number}", tag = "Consortium",
    params(("number" = u64, Path, description = "The proposal's number")),
    responses(
        (status = 200, description = "The proposal", body = ProposalAnswer),
        (status = 404, description = "There is none", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn proposal(
    State(face): State<Shared>,
    style: Style,
    Path(number): Path<String>,
) -> Result<Response, Problem> {
    let snapshot = face.backend.snapshot();
    let found = number.parse().ok().map(ProposalNumber);
    let found = found.and_then(|number| tabellion_consortium::proposal(&*snapshot, number));
    let none = || Problem::new("unknown-proposal", format!("there is no proposal {}", shown(&number)));
    let members = tabellion_consortium::members(&*snapshot);
    Ok(style.ok(&ProposalAnswer::new(&found.ok_or_else(none)?, &members)))
}

/// What a change would change
///
/// Nothing is recorded and nobody votes: the change is made upon the newest state and thrown away. A change
/// that could not take effect is answered with its refusal.
#[utoipa::path(
    post, path = "/v1/proposals/dry-run", tag = "Consortium",
    request_body(content = Object, description = "A change, for example `{\"change\": \"stop\"}`"),
    responses(
        (status = 200, description = "The difference", body = DifferenceAnswer),
        (status = 422, description = "The change could not take effect", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn try_change(
    State(face): State<Shared>,
    style: Style,
    request: Request,
) -> Result<Response, Problem> {
    let body = Body::receive(&face, request, &["application/json"], CHANGE_BYTES_MAX).await?;
    let change: Change = body.json()?;
    let tried = face.read(move |backend| {
        let snapshot = backend.snapshot();
        let difference = dry_run(&change, &snapshot.finality().header, &*snapshot)?;
        Ok(DifferenceAnswer::new(difference, header_of(&*snapshot)))
    });
    let outcome: Result<_, tabellion_machine::Refusal> = tried.await?;
    Ok(style.ok(&outcome.map_err(|refusal| Problem::from(&refusal))?))
}

/// The ledger's parameters
#[utoipa::path(
    get, path = "/v1/parameters", tag = "Consortium",
    responses((status = 200, description = "The parameters in force", body = ParametersAnswer))
)]
pub(crate) async fn current_parameters(State(face): State<Shared>, style: Style) -> Response {
    let snapshot = face.backend.snapshot();
    let parameters = serde_json::to_value(parameters(&*snapshot)).unwrap_or_default();
    style.ok(&ParametersAnswer { parameters, header: header_of(&*snapshot) })
}

/// Who may do what
#[utoipa::path(
    get, path = "/v1/permissions", tag = "Consortium",
    responses((status = 200, description = "Every action, and who may do it", body = PermissionsAnswer))
)]
pub(crate) async fn permissions(style: Style) -> Response {
    style.ok(&PermissionsAnswer::default())
}
