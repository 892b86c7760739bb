//! Fills the query index from the blocks, and answers questions from it.
//!
//! The index says which certificates match; what each one's status is comes from the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tabellion_api::{CertificateQuery, Fault, QueryError};
use tabellion_ledger::{Block, CertificateId, Height, Lane, Transaction};
use tabellion_machine::{CertificateList, CertificateRow, Checked, Work};
use tabellion_pki::{Action, CheckedEntry, Entry, Facts, certificate};

use crate::core::Core;
use crate::error::NodeError;
use crate::index::{Index, IndexRow, Question};
use crate::store::Snapshot;

/// How long the index may lag behind the newest block on an idle ledger.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may lag on a busy one: few large batches cost the text index half of many small ones.
const BUSY_LAG: Duration = Duration::from_secs(1);
/// Status of a publication that waits for its start.
const SCHEDULED: &str = "scheduled";

/// The index's thread: takes over block after block, from where the index stands. With `waits`, it waits for
/// bodies that are still to be fetched.
pub fn follow(
    core: Arc<Core>,
    index: Arc<Index>,
    waits: bool,
) -> impl FnOnce(&AtomicBool) -> Result<(), NodeError> + Send + 'static {
    move |stop| {
        let (mut shown, mut paused) = (Instant::now(), false);
        while !stop.load(Ordering::Relaxed) {
            let next = index.applied_height().map_or(Height(0), Height::next);
            let awaited = waits && core.store().awaits_body(next).map_err(NodeError::Store)?;
            if awaited || next > core.newest().height {
                if paused || shown.elapsed() >= BUSY_LAG {
                    index.commit().map_err(NodeError::Index)?;
                    shown = Instant::now();
                }
                std::thread::sleep(PAUSE);
                paused = true;
                continue;
            }
            paused = false;
            let (transactions, rows) = match core.recent(next) {
                Some(checked) => {
                    (checked.len(), checked.iter().flat_map(|one| rows_of_checked(one, next)).collect())
                }
                None => match core.store().block(next).map_err(NodeError::Store)? {
                    Some(block) => (block.transaction_count(), rows(&block)),
                    // A body that is gone held only what is expired or revoked.
                    None => (0, Vec::new()),
                },
            };
            let transactions = u64::try_from(transactions).unwrap_or(u64::MAX);
            index.apply(next, transactions, &rows).map_err(NodeError::Index)?;
        }
        index.commit().map_err(NodeError::Index)
    }
}

/// What a block says about certificates.
fn rows(block: &Block) -> Vec<IndexRow> {
    let height = block.header.height;
    let certificates =
        block.transactions().filter(|transaction| transaction.content().lane == Lane::Certificate);
    certificates.flat_map(|transaction| rows_of(transaction, height)).collect()
}

/// The same of a transaction whose certificates were read when it was checked.
fn rows_of_checked(checked: &Checked, height: Height) -> Vec<IndexRow> {
    let Work::Certificate(request) = checked.work() else { return Vec::new() };
    let row = |entry: &CheckedEntry| row(&entry.entry, entry.chain.as_ref().map(|(facts, _)| facts), height);
    request.published().iter().map(row).collect()
}

fn rows_of(transaction: &Transaction, height: Height) -> Vec<IndexRow> {
    let Ok(action) = Action::from_bytes(&transaction.content().action) else { return Vec::new() };
    let attached: BTreeMap<_, _> =
        transaction.attachments().iter().map(|der| (CertificateId::of(der), der)).collect();
    let facts = |entry: &Entry| attached.get(&entry.certificate).and_then(|der| Facts::of(der).ok());
    action.published().iter().map(|entry| row(entry, facts(entry).as_ref(), height)).collect()
}

/// A ledger of identifiers has no names to ask for.
fn row(entry: &Entry, facts: Option<&Facts>, height: Height) -> IndexRow {
    let validity = entry.effective();
    IndexRow {
        certificate: entry.certificate,
        key: entry.key,
        subject: facts.map(|facts| facts.subject.text().to_owned()).unwrap_or_default(),
        issuer: facts.map(|facts| facts.issuer.text().to_owned()).unwrap_or_default(),
        serial: facts.map(|facts| hex::encode(&facts.serial)).unwrap_or_default(),
        status: SCHEDULED.to_owned(),
        valid_from: validity.from,
        valid_until: validity.until,
        height,
    }
}

/// Answers a face's question.
pub fn query(
    index: &Index,
    state: &Snapshot,
    query: &CertificateQuery,
) -> Result<CertificateList, QueryError> {
    let after = query.cursor.as_deref().map(str::parse).transpose().map_err(|_| QueryError::Cursor)?;
    let question = Question {
        subject: query.subject.clone(),
        issuer: query.issuer.clone(),
        expires_from: query.expires_from,
        expires_until: query.expires_until,
        after,
        limit: query.limit,
    };
    let answer = index.query(&question).map_err(|error| QueryError::Fault(Fault::new(error)))?;
    Ok(CertificateList {
        certificates: answer.rows.into_iter().map(|row| listed(row, state)).collect(),
        next: answer.next.map(|cursor| cursor.to_string()),
        indexed_height: answer.height.unwrap_or_default().0,
    })
}

fn listed(row: IndexRow, state: &Snapshot) -> CertificateRow {
    let status = certificate(state, &row.certificate).map(|record| record.status.to_string());
    CertificateRow {
        certificate: row.certificate.to_string(),
        key: row.key.to_string(),
        subject: row.subject,
        issuer: row.issuer,
        serial: row.serial,
        status: status.unwrap_or(row.status),
        valid_from_ms: row.valid_from.0,
        valid_until_ms: row.valid_until.0,
        height: row.height.0,
    }
}
