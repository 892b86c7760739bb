//! Talking to nodes over REST: one or several (X.1409 8.2.1), the next one when one fails.

use std::error::Error as StdError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use tabellion_ledger::TransactionId;
use tabellion_ledger::limits::PIECE_BYTES_MAX;
use tabellion_machine::{ProblemDetails, TransactionAnswer, TransactionStanding};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::tls::{NodeTrust, TlsError, tls_config};

/// Media type of our binary bodies.
pub const CBOR: &str = "application/cbor";
const JSON: &str = "application/json";
/// Bytes of an answer: the largest is a piece of a state, then a genesis document of eight megabytes.
const ANSWER_BYTES_MAX: usize = PIECE_BYTES_MAX + 1024 * 1024;
/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take; waiting for a record is asked for in slices below that.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// A slice of waiting for a transaction.
const WAIT_SLICE: Duration = Duration::from_secs(10);
/// Rounds over all nodes before giving up on connection errors.
const ROUNDS: u32 = 3;
/// Pause before the second round; it doubles with each.
const PAUSE: Duration = Duration::from_millis(200);
/// The longest pause that a node's Retry-After is followed.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);
/// Times that a node may say "later" to one request.
const LATER_MAX: u32 = 20;

/// Why a node gives no answer.
#[derive(Debug, Error)]
pub enum NodeError {
    /// A text that is no address of a node.
    #[error("'{text}' is no address of a node; expected is for example https://127.0.0.1:8441")]
    Address {
        /// The text.
        text: String,
    },
    /// No address at all.
    #[error("no node is named")]
    NoNode,
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The HTTP client cannot be set up.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// None of the nodes can be reached.
    #[error("no node answers; the last one tried was {node}: {reason}")]
    Unreachable {
        /// The last node tried.
        node: String,
        /// What happened, from the outside in.
        reason: String,
    },
    /// The node said no, with a reason.
    #[error("{}", .0.detail)]
    Refused(Box<ProblemDetails>),
    /// The node stays overloaded.
    #[error("the node stays overloaded; it said {LATER_MAX} times to come later")]
    Overloaded,
    /// An answer that is not what was asked for.
    #[error("{node} answered {path} with something unexpected: {reason}")]
    Answer {
        /// The node.
        node: String,
        /// What was asked.
        path: String,
        /// What is wrong.
        reason: String,
    },
}

impl NodeError {
    /// The problem that a node answered with, if it did.
    pub fn problem(&self) -> Option<&ProblemDetails> {
        match self {
            Self::Refused(problem) => Some(problem),
            _ => None,
        }
    }

    /// Whether the node has deleted the body that was asked for, by its lane's rule (X.1409 A.3).
    pub fn is_body_gone(&self) -> bool {
        self.problem().is_some_and(|problem| problem.code == BODY_GONE)
    }

    /// Whether the node says that what it knows is too old to rely on (X.1409 C22).
    pub fn is_knowledge_too_old(&self) -> bool {
        self.problem().is_some_and(is_too_old)
    }
}

/// Problem code of a node that has lost touch with the ledger.
const TOO_OLD: &str = "knowledge-too-old";

fn is_too_old(problem: &ProblemDetails) -> bool {
    problem.code == TOO_OLD
}

/// Problem code of a node that deleted a body.
const BODY_GONE: &str = "body-not-held";

/// How a submission ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Submitted {
    /// In a finalised block that is durable on the answering node.
    Recorded(TransactionAnswer),
    /// Refused; nothing was recorded.
    Refused(Box<ProblemDetails>),
    /// Still waiting when the time to wait was over.
    Pending(TransactionId),
}

/// A client of one or several nodes of one ledger.
pub struct NodeClient {
    nodes: Vec<Url>,
    http: reqwest::Client,
    preferred: AtomicUsize,
}

enum Body {
    None,
    Cbor(Vec<u8>),
    Json(Vec<u8>),
}

impl NodeClient {
    /// A client of these nodes, tried in this order.
    pub fn new(nodes: &[String], trust: &NodeTrust) -> Result<Self, NodeError> {
        let nodes: Result<Vec<Url>, NodeError> = nodes.iter().map(|text| address(text)).collect();
        let nodes = nodes?;
        if nodes.is_empty() {
            return Err(NodeError::NoNode);
        }
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls_config(trust)?)
            .https_only(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("tabellion/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(NodeError::Client)?;
        Ok(Self { nodes, http, preferred: AtomicUsize::new(0) })
    }

    /// The node that answers at present.
    pub fn node(&self) -> String {
        self.preferred().1.as_str().trim_end_matches('/').to_owned()
    }

    /// Number of nodes.
    pub fn node_count(&self) -> usize {
        self.nodes.len()
    }

    /// Turns to the next node: what the present one shows is not good enough.
    pub fn next_node(&self) {
        self.preferred.fetch_add(1, Ordering::Relaxed);
    }

    fn preferred(&self) -> (usize, &Url) {
        let index = self.preferred.load(Ordering::Relaxed) % self.nodes.len();
        (index, &self.nodes[index])
    }

    /// `GET` of JSON.
    pub async fn json<T: DeserializeOwned>(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, NodeError> {
        let bytes = self.call(Method::GET, path, query, Body::None, JSON, ANSWER_TIMEOUT).await?;
        self.parse(path, &bytes)
    }

    /// `GET` of JSON from the present node alone, also where it answers with 503 because it is not well.
    pub(crate) async fn words_of_one<T: DeserializeOwned>(&self, path: &str) -> Result<T, NodeError> {
        let (_, node) = self.preferred();
        let request = self.http.get(url(node, path, &[])).header(ACCEPT, JSON).timeout(ANSWER_TIMEOUT);
        let response = request.send().await.map_err(|error| unreachable(node, &error))?;
        let status = response.status();
        if !status.is_success() && status != StatusCode::SERVICE_UNAVAILABLE {
            return Err(self.failure(node, path, response).await);
        }
        let bytes = read_body(node, path, response).await?;
        self.parse(path, &bytes)
    }

    /// `GET` of bytes.
    pub async fn bytes(&self, path: &str, query: &[(&str, String)]) -> Result<Vec<u8>, NodeError> {
        self.call(Method::GET, path, query, Body::None, CBOR, ANSWER_TIMEOUT).await
    }

    /// `POST` of JSON that changes nothing and so may be repeated.
    pub async fn post_json<T: DeserializeOwned>(&self, path: &str, body: Vec<u8>) -> Result<T, NodeError> {
        let bytes = self.call(Method::POST, path, &[], Body::Json(body), JSON, ANSWER_TIMEOUT).await?;
        self.parse(path, &bytes)
    }

    /// Submits a transaction and waits until it is recorded or refused, at most for `wait`.
    ///
    /// Safe to repeat: a transaction has one identifier and is recorded once, so a lost answer costs nothing.
    pub async fn submit(
        &self,
        id: TransactionId,
        transaction: Vec<u8>,
        wait: Duration,
    ) -> Result<Submitted, NodeError> {
        let end = Instant::now() + wait;
        let first = match self.submit_once(transaction, wait.min(WAIT_SLICE)).await {
            // An earlier try came through, or somebody else brought the same bytes.
            Err(NodeError::Refused(problem)) if problem.code == "replayed" => {
                self.wait_once(id, WAIT_SLICE).await?
            }
            Err(NodeError::Refused(problem)) => return Ok(Submitted::Refused(problem)),
            answer => answer?,
        };
        let mut answer = first;
        loop {
            let rest = end.saturating_duration_since(Instant::now());
            match (answer.standing, answer.refusal.take()) {
                (TransactionStanding::Recorded, _) => return Ok(Submitted::Recorded(answer)),
                (TransactionStanding::Refused, Some(problem)) => {
                    return Ok(Submitted::Refused(Box::new(problem)));
                }
                _ if rest.is_zero() => return Ok(Submitted::Pending(id)),
                _ => {
                    // A node with no room for one more to wait answers at once.
                    sleep(PAUSE.min(rest)).await;
                    answer = self.wait_once(id, rest.min(WAIT_SLICE)).await?;
                }
            }
        }
    }

    async fn submit_once(
        &self,
        transaction: Vec<u8>,
        wait: Duration,
    ) -> Result<TransactionAnswer, NodeError> {
        let path = "/v1/transactions";
        let timeout = ANSWER_TIMEOUT + wait;
        let body = Body::Cbor(transaction);
        let bytes = self.call(Method::POST, path, &wait_query(wait), body, JSON, timeout).await?;
        self.parse(path, &bytes)
    }

    async fn wait_once(&self, id: TransactionId, wait: Duration) -> Result<TransactionAnswer, NodeError> {
        let path = format!("/v1/transactions/{id}");
        let timeout = ANSWER_TIMEOUT + wait;
        match self.call(Method::GET, &path, &wait_query(wait), Body::None, JSON, timeout).await {
            Ok(bytes) => self.parse(&path, &bytes),
            // Another node may not have heard of it yet.
            Err(NodeError::Refused(problem)) if problem.code == "no-such-transaction" => {
                Ok(TransactionAnswer {
                    id: id.to_string(),
                    standing: TransactionStanding::Unknown,
                    height: None,
                    lane: None,
                    index: None,
                    refusal: None,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Opens the stream of events.
    pub(crate) async fn open_stream(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Response, NodeError> {
        let (_, node) = self.preferred();
        let request = self.http.get(url(node, path, query)).header(ACCEPT, "text/event-stream");
        let response = request.send().await.map_err(|error| unreachable(node, &error))?;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(self.failure(node, path, response).await),
        }
    }

    fn parse<T: DeserializeOwned>(&self, path: &str, bytes: &[u8]) -> Result<T, NodeError> {
        serde_json::from_slice(bytes).map_err(|error| self.unexpected(path, &error.to_string()))
    }

    pub(crate) fn unexpected(&self, path: &str, reason: &str) -> NodeError {
        NodeError::Answer { node: self.node(), path: path.to_owned(), reason: reason.to_owned() }
    }

    /// One request: over all nodes until one answers, again when a node says "later".
    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Body,
        accept: &str,
        timeout: Duration,
    ) -> Result<Vec<u8>, NodeError> {
        let mut last = NodeError::NoNode;
        let (mut round, mut later) = (0, 0);
        while round < ROUNDS {
            let mut come_back: Option<Duration> = None;
            for _ in 0..self.nodes.len() {
                let (index, node) = self.preferred();
                match self.once(&method, node, path, query, &body, accept, timeout).await {
                    Ok(Outcome::Answer(bytes)) => return Ok(bytes),
                    Ok(Outcome::Later(_)) if later == LATER_MAX => return Err(NodeError::Overloaded),
                    Ok(Outcome::Later(pause)) => {
                        later += 1;
                        self.preferred.store(index + 1, Ordering::Relaxed);
                        come_back = Some(come_back.map_or(pause, |before| before.min(pause)));
                    }
                    Err(error @ (NodeError::Unreachable { .. } | NodeError::Answer { .. })) => {
                        last = error;
                        self.preferred.store(index + 1, Ordering::Relaxed);
                    }
                    Err(error) => return Err(error),
                }
            }
            // Another node may have time when one has not, or is being taken out of service.
            if let Some(pause) = come_back {
                sleep(pause).await;
            }
            if !matches!(last, NodeError::NoNode) {
                round += 1;
                sleep(PAUSE * 2_u32.pow(round)).await;
            }
        }
        Err(last)
    }

    #[expect(clippy::too_many_arguments, reason = "one request, spelled out")]
    async fn once(
        &self,
        method: &Method,
        node: &Url,
        path: &str,
        query: &[(&str, String)],
        body: &Body,
        accept: &str,
        timeout: Duration,
    ) -> Result<Outcome, NodeError> {
        let request = self.http.request(method.clone(), url(node, path, query)).timeout(timeout);
        let request = request.header(ACCEPT, accept);
        let request = match body {
            Body::None => request,
            Body::Cbor(bytes) => request.header(CONTENT_TYPE, CBOR).body(bytes.clone()),
            Body::Json(bytes) => request.header(CONTENT_TYPE, JSON).body(bytes.clone()),
        };
        let response = request.send().await.map_err(|error| unreachable(node, &error))?;
        let status = response.status();
        if status.is_success() {
            return read_body(node, path, response).await.map(Outcome::Answer);
        }
        if status == StatusCode::TOO_MANY_REQUESTS || status == StatusCode::SERVICE_UNAVAILABLE {
            let pause = retry_after(&response);
            // It has no news, and will not have any for the asking.
            return match self.failure(node, path, response).await {
                error if error.is_knowledge_too_old() => Err(error),
                _ => Ok(Outcome::Later(pause)),
            };
        }
        Err(self.failure(node, path, response).await)
    }

    /// A refusal with its problem details; anything else is an answer that makes no sense, or a broken node.
    async fn failure(&self, node: &Url, path: &str, response: Response) -> NodeError {
        let status = response.status();
        let bytes = match read_body(node, path, response).await {
            Ok(bytes) => bytes,
            Err(error) => return error,
        };
        match serde_json::from_slice(&bytes) {
            Ok(problem) if status.is_client_error() || is_too_old(&problem) => {
                NodeError::Refused(Box::new(problem))
            }
            _ => NodeError::Answer {
                node: node.to_string(),
                path: path.to_owned(),
                reason: format!("HTTP status {status}"),
            },
        }
    }
}

enum Outcome {
    Answer(Vec<u8>),
    Later(Duration),
}

fn wait_query(wait: Duration) -> Vec<(&'static str, String)> {
    match wait.is_zero() {
        true => Vec::new(),
        false => vec![("wait", "recorded".to_owned()), ("timeout_ms", wait.as_millis().to_string())],
    }
}

pub(crate) fn address(text: &str) -> Result<Url, NodeError> {
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "https" && url.host_str().is_some());
    url.ok_or_else(|| NodeError::Address { text: text.to_owned() })
}

fn url(node: &Url, path: &str, query: &[(&str, String)]) -> Url {
    let mut url = node.clone();
    url.set_path(path);
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

fn retry_after(response: &Response) -> Duration {
    let seconds = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    seconds.map_or(PAUSE, Duration::from_secs).clamp(PAUSE, RETRY_AFTER_MAX)
}

fn unreachable(node: &Url, error: &reqwest::Error) -> NodeError {
    // The outermost message only repeats the address; what happened is at the bottom.
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        reason = cause.to_string();
        source = cause.source();
    }
    NodeError::Unreachable { node: node.as_str().trim_end_matches('/').to_owned(), reason }
}

async fn read_body(node: &Url, path: &str, mut response: Response) -> Result<Vec<u8>, NodeError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(node, &error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            let reason = format!("more than {ANSWER_BYTES_MAX} bytes");
            return Err(NodeError::Answer { node: node.to_string(), path: path.to_owned(), reason });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}
