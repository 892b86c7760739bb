//! HTTP: the paths and answers of RFC 6962 section 4.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use tabellion_consortium::{LedgerKind, anchor, parameters};
use tabellion_ledger::Hash;

use super::entry::{CtEntry, entries, log_of};
use super::submit::add_chain;
use super::{CtHead, CtLog};
use crate::encoding::base64;
use crate::face::{Face, Shared};
use crate::input::Asks;
use crate::problem::Problem;

/// How far the index may lag behind the ledger before heads are not told: one that is being filled anew would
/// show an old tree. Unit: ms.
const LAG_MS_MAX: u64 = 300_000;
/// Within what time an entry shows in a tree head, as the log list promises: an idle ledger may have long
/// heartbeats. Unit: s.
const MERGE_DELAY_S: u64 = 86_400;

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/ct/v1/", get(root))
        .route("/ct/v1/get-sth", get(get_sth))
        .route("/ct/v1/get-sth-consistency", get(get_sth_consistency))
        .route("/ct/v1/get-proof-by-hash", get(get_proof_by_hash))
        .route("/ct/v1/get-entries", get(get_entries))
        .route("/ct/v1/get-entry-and-proof", get(get_entry_and_proof))
        .route("/ct/v1/get-roots", get(get_roots))
        .route("/ct/v1/add-chain", post(add_chain))
}

/// The log of a node on a ledger that records certificates.
pub(super) fn full_log(face: &Face) -> Result<Arc<CtLog>, Problem> {
    let log = face.ct.clone().ok_or_else(|| Problem::new("no-such-path", "this node is no such log"))?;
    match face.backend.genesis().parameters.certificate.kind {
        LedgerKind::Full => Ok(log),
        _ => Err(Problem::new("no-ct-log", "this ledger records identifiers, and no certificates to list")),
    }
}

/// An answer that is right for this moment only.
pub(super) fn json<T: Serialize>(answer: &T) -> Result<Response, Problem> {
    let mut body = serde_json::to_vec(answer).map_err(crate::backend::Fault::new)?;
    body.push(b'\n');
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, body).into_response())
}

/// The tree that may be told of.
async fn head(face: &Face) -> Result<CtHead, Problem> {
    let head = face.read(|backend| Ok::<_, Problem>(log_of(backend)?.head()?)).await??;
    let filled = || Problem::new("not-ready", "the index is being filled").retry_after(5);
    let head = head.ok_or_else(filled)?;
    if let Some(gap) = head.gap {
        let detail = format!(
            "this node has never seen the certificates of block {gap}, so it cannot make the tree over all"
        );
        return Err(Problem::new("ct-incomplete", detail));
    }
    let newest = face.backend.snapshot().finality().header.time;
    match newest.0.saturating_sub(head.time.0) > LAG_MS_MAX {
        true => Err(filled()),
        false => Ok(head),
    }
}

#[derive(Serialize)]
struct HeadAnswer {
    tree_size: u64,
    timestamp: u64,
    sha256_root_hash: String,
    tree_head_signature: String,
}

/// Source: RFC 6962 section 4.3.
async fn get_sth(State(face): State<Shared>) -> Result<Response, Problem> {
    let log = full_log(&face)?;
    let signed = log.sign(head(&face).await?)?;
    json(&HeadAnswer {
        tree_size: signed.head.size,
        timestamp: signed.head.time.0,
        sha256_root_hash: base64(&signed.head.root.0),
        tree_head_signature: base64(&signed.signature),
    })
}

fn path(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(|hash| base64(&hash.0)).collect()
}

fn malformed(detail: impl Into<String>) -> Problem {
    Problem::new("malformed-query", detail)
}

/// Refuses a tree that is larger than the log.
fn check_size(head: &CtHead, size: u64) -> Result<(), Problem> {
    match size > head.size {
        true => Err(malformed(format!("the log has {} entries, not {size}", head.size))),
        false => Ok(()),
    }
}

#[derive(Deserialize)]
struct TwoTrees {
    first: u64,
    second: u64,
}

#[derive(Serialize)]
struct ConsistencyAnswer {
    consistency: Vec<String>,
}

/// Source: RFC 6962 section 4.4.
async fn get_sth_consistency(
    State(face): State<Shared>,
    Asks(TwoTrees { first, second }): Asks<TwoTrees>,
) -> Result<Response, Problem> {
    full_log(&face)?;
    check_size(&head(&face).await?, second)?;
    if first > second {
        return Err(malformed("the first tree is larger than the second"));
    }
    let found = face.read(move |backend| Ok::<_, Problem>(log_of(backend)?.consistency_path(first, second)?));
    let found = found.await??.ok_or_else(|| malformed("there is no such tree"))?;
    json(&ConsistencyAnswer { consistency: path(&found) })
}

#[derive(Deserialize)]
struct LeafAsked {
    hash: String,
    tree_size: u64,
}

#[derive(Serialize)]
struct ProofAnswer {
    leaf_index: u64,
    audit_path: Vec<String>,
}

/// Source: RFC 6962 section 4.5.
async fn get_proof_by_hash(
    State(face): State<Shared>,
    Asks(LeafAsked { hash, tree_size }): Asks<LeafAsked>,
) -> Result<Response, Problem> {
    full_log(&face)?;
    // Some clients forget to encode a plus sign.
    let leaf = STANDARD.decode(hash.replace(' ', "+")).ok().and_then(|bytes| bytes.try_into().ok());
    let leaf = Hash(leaf.ok_or_else(|| malformed("hash is not the base64 of 32 bytes"))?);
    check_size(&head(&face).await?, tree_size)?;
    let found = face.read(move |backend| {
        let log = log_of(backend)?;
        let Some(place) = log.place(&leaf)? else { return Ok::<_, Problem>(None) };
        Ok(log.inclusion_path(place, tree_size)?.map(|path| (place, path)))
    });
    let missing = || Problem::new("no-such-leaf", format!("not among the first {tree_size} entries"));
    let (leaf_index, hashes) = found.await??.ok_or_else(missing)?;
    json(&ProofAnswer { leaf_index, audit_path: path(&hashes) })
}

#[derive(Deserialize)]
struct RangeAsked {
    start: u64,
    end: u64,
}

#[derive(Serialize)]
struct EntryAnswer {
    leaf_input: String,
    extra_data: String,
}

impl From<&CtEntry> for EntryAnswer {
    fn from(entry: &CtEntry) -> Self {
        Self { leaf_input: base64(&entry.leaf_input), extra_data: base64(&entry.extra_data) }
    }
}

#[derive(Serialize)]
struct EntriesAnswer {
    entries: Vec<EntryAnswer>,
}

/// Source: RFC 6962 section 4.6; both ends are included, and an answer may end earlier.
async fn get_entries(
    State(face): State<Shared>,
    Asks(RangeAsked { start, end }): Asks<RangeAsked>,
) -> Result<Response, Problem> {
    full_log(&face)?;
    if start > end {
        return Err(malformed("the range ends before it starts"));
    }
    let head = head(&face).await?;
    if start >= head.size {
        return Err(malformed(format!("the log has {} entries; the first is number 0", head.size)));
    }
    let entries = entries(&face, start, end.min(head.size - 1)).await?;
    json(&EntriesAnswer { entries: entries.iter().map(EntryAnswer::from).collect() })
}

#[derive(Deserialize)]
struct EntryAsked {
    leaf_index: u64,
    tree_size: u64,
}

#[derive(Serialize)]
struct EntryAndProofAnswer {
    #[serde(flatten)]
    entry: EntryAnswer,
    audit_path: Vec<String>,
}

/// Source: RFC 6962 section 4.8.
async fn get_entry_and_proof(
    State(face): State<Shared>,
    Asks(EntryAsked { leaf_index, tree_size }): Asks<EntryAsked>,
) -> Result<Response, Problem> {
    full_log(&face)?;
    check_size(&head(&face).await?, tree_size)?;
    let outside = || malformed("no such entry in a tree of that size");
    let hashes =
        face.read(move |backend| Ok::<_, Problem>(log_of(backend)?.inclusion_path(leaf_index, tree_size)?));
    let audit_path = path(&hashes.await??.ok_or_else(outside)?);
    let entries = entries(&face, leaf_index, leaf_index).await?;
    let entry = entries.first().ok_or_else(outside)?.into();
    json(&EntryAndProofAnswer { entry, audit_path })
}

#[derive(Serialize)]
struct RootsAnswer {
    certificates: Vec<String>,
}

/// The CAs that are trusted today. Source: RFC 6962 section 4.7.
async fn get_roots(State(face): State<Shared>) -> Result<Response, Problem> {
    full_log(&face)?;
    let certificates = face.read(|backend| {
        let snapshot = backend.snapshot();
        let ids = parameters(&*snapshot).certificate.anchors;
        ids.iter().filter_map(|id| anchor(&*snapshot, id)).map(|der| base64(&der)).collect()
    });
    json(&RootsAnswer { certificates: certificates.await? })
}

#[derive(Serialize)]
struct LogList {
    version: &'static str,
    operators: [Operator; 1],
}

#[derive(Serialize)]
struct Operator {
    name: String,
    email: [&'static str; 0],
    logs: [LogAnswer; 1],
}

#[derive(Serialize)]
struct LogAnswer {
    description: String,
    log_id: String,
    key: String,
    url: String,
    mmd: u64,
    log_type: &'static str,
}

/// The log as a log list of one, in the format (version 3) that CT clients read.
async fn root(State(face): State<Shared>, headers: HeaderMap) -> Result<Response, Problem> {
    let log = full_log(&face)?;
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or("localhost");
    let scheme = if face.is_plain { "http" } else { "https" };
    let url = log.url.clone().unwrap_or_else(|| format!("{scheme}://{host}/"));
    let name = &face.backend.genesis().name;
    let description = format!("certificate lane of ledger {} ({name})", face.backend.ledger());
    let (log_id, key) = (base64(&log.key.id()), base64(log.key.spki()));
    let log = LogAnswer { description, log_id, key, url, mmd: MERGE_DELAY_S, log_type: "monitoring_only" };
    json(&LogList { version: "3", operators: [Operator { name: name.clone(), email: [], logs: [log] }] })
}
