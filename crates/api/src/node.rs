//! The node itself: health, readiness, metrics, the API's description, the first page.

use axum::Router;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;
use tabellion_machine::{HealthAnswer, ProblemDetails};
use utoipa::ToSchema;

use crate::face::Shared;
use crate::openapi::document;
use crate::problem::Problem;
use crate::style::Style;

/// When load balancers may look again at a node that is taken out of service.
const DRAINED_RETRY_AFTER_S: u64 = 10;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(index))
        .route("/openapi.json", get(openapi))
        .route("/metrics", get(metrics))
        .route("/v1/node/health", get(health))
        .route("/v1/node/ready", get(ready))
}

/// The node's health
#[utoipa::path(
    get, path = "/v1/node/health", tag = "Node",
    responses(
        (status = 200, description = "Well", body = HealthAnswer),
        (status = 503, description = "Not well: `status` says what is wrong", body = HealthAnswer),
    )
)]
pub(crate) async fn health(State(face): State<Shared>, style: Style) -> Response {
    let health = face.backend.health();
    let status = match health.status == "ok" {
        true => StatusCode::OK,
        false => StatusCode::SERVICE_UNAVAILABLE,
    };
    style.json(status, &health)
}

/// What a ready node answers.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
pub(crate) struct ReadyAnswer {
    /// Always true: a node that is not ready answers with a problem.
    ready: bool,
}

/// Whether the node can serve
#[utoipa::path(
    get, path = "/v1/node/ready", tag = "Node",
    responses(
        (status = 200, description = "It can", body = ReadyAnswer),
        (status = 503, description = "It cannot yet", body = ProblemDetails,
         content_type = "application/problem+json"),
    )
)]
pub(crate) async fn ready(State(face): State<Shared>, style: Style) -> Result<Response, Problem> {
    if face.backend.draining() {
        let detail = "the node is being taken out of service";
        return Err(Problem::new("draining", detail).retry_after(DRAINED_RETRY_AFTER_S));
    }
    match face.backend.ready() {
        true => Ok(style.ok(&ReadyAnswer { ready: true })),
        false => Err(Problem::new("not-ready", "the node does not follow the chain yet")),
    }
}

/// Metrics as Prometheus text
#[utoipa::path(
    get, path = "/metrics", tag = "Node",
    responses((status = 200, description = "Metrics", body = String, content_type = "text/plain"))
)]
pub(crate) async fn metrics(State(face): State<Shared>) -> Response {
    let text = face.backend.metrics() + &face.metrics();
    ([(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"))], text)
        .into_response()
}

async fn openapi() -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], document()).into_response()
}

/// What the first page lists.
const LINKS: [(&str, &str); 17] = [
    ("GET  /v1/ledger", "the ledger at a glance"),
    ("GET  /v1/blocks/latest", "the newest block; also /v1/blocks/<height>, .../bytes, .../finality"),
    ("POST /v1/certificates?wait=recorded", "publish: --data-binary @chain.pem, the certificate first"),
    ("POST /v1/certificates/<sha256>/changes", "revoke, suspend, resume: --data-binary @ca.crl"),
    ("POST /v1/certificates/verify", "status and proof: --data-binary @certificate.pem"),
    ("GET  /v1/certificates/<sha256>", "status and proof; also .../proof, .../history, .../der, .../pem"),
    (
        "GET  /v1/certificates?subject=example",
        "list; also issuer=, expires_from_ms=, expires_until_ms=, limit=",
    ),
    ("GET  /v1/keys/<sha256>", "the certificates of a key (SHA-256 of its SubjectPublicKeyInfo)"),
    ("POST /v1/transactions?wait=recorded", "submit a signed transaction (CBOR)"),
    ("GET  /v1/transactions/<id>", "where a transaction stands; also .../bytes, .../proof"),
    ("GET  /v1/headers?from=0&limit=100", "headers for light clients"),
    ("GET  /v1/events", "what is new: curl -N; also lane=, certificate=, from="),
    ("GET  /v1/genesis", "the genesis document (CBOR)"),
    ("GET  /v1/node/health", "how the node is"),
    ("GET  /v1/node/ready", "whether it can serve"),
    ("GET  /metrics", "Prometheus"),
    ("GET  /openapi.json", "all of this, for programs"),
];

/// The first page as JSON.
#[derive(Serialize)]
struct IndexAnswer {
    ledger: String,
    name: String,
    links: Vec<LinkAnswer>,
}

#[derive(Serialize)]
struct LinkAnswer {
    request: &'static str,
    what: &'static str,
}

async fn index(State(face): State<Shared>, style: Style, headers: HeaderMap) -> Response {
    let (ledger, name) = (face.backend.ledger().to_string(), face.backend.genesis().name.clone());
    if style.names_json() {
        let links = LINKS.iter().map(|(request, what)| LinkAnswer { request, what }).collect();
        return style.ok(&IndexAnswer { ledger, name, links });
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("<host:port>");
    let mut text = format!("Tabellion node of the ledger \"{name}\"\n{ledger}\n\n");
    for (request, what) in LINKS {
        text.push_str(&format!("{request:<40} {what}\n"));
    }
    text.push_str(&format!(
        "\nFor example:\n  curl --cacert ca.pem https://{host}/v1/ledger\n  \
         curl --cacert ca.pem --data-binary @certificate.pem https://{host}/v1/certificates/verify\n"
    ));
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    ([(CONTENT_TYPE, plain)], text).into_response()
}

pub(crate) async fn no_such_path(uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new("no-such-path", format!("nothing is at {path}"))
}

pub(crate) async fn method_not_allowed(method: Method, uri: Uri) -> Problem {
    let path: String = uri.path().chars().take(200).collect();
    Problem::new("method-not-allowed", format!("{path} does not know {method}"))
}
