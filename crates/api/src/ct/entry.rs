//! Entries of the log, made anew from the transactions that recorded them.

use bytes::Bytes;
use tabellion_ledger::{CertificateId, Lane, Transaction, TransactionId};
use tabellion_pki::Action;

use super::wire::{chain, ct_leaf};
use super::{CertificateLog, CtRow};
use crate::backend::{Backend, Fault};
use crate::face::Face;
use crate::problem::Problem;
use tabellion_ledger::merkle::leaf_hash;

/// Entries of one answer; clients ask again from where it ends. Source: RFC 6962 section 4.6.
pub(super) const ENTRIES_MAX: usize = 256;
/// Bytes of one answer's entries, about.
const BYTES_MAX: usize = 4 << 20;

/// An entry as clients get it.
pub(super) struct CtEntry {
    pub(super) leaf_input: Vec<u8>,
    pub(super) extra_data: Vec<u8>,
}

/// What is read from this node alone.
struct Local {
    rows: Vec<CtRow>,
    entries: Vec<CtEntry>,
}

/// The entries from `first` to `last`, or as many of them as one answer takes; at least one.
///
/// Where this node has deleted a body it asks others for it, once for each request.
pub(super) async fn entries(face: &Face, first: u64, last: u64) -> Result<Vec<CtEntry>, Problem> {
    let count = usize::try_from(last - first).unwrap_or(usize::MAX).saturating_add(1).min(ENTRIES_MAX);
    let Local { rows, entries } = face.read(move |backend| local(backend, first, count)).await??;
    let Some(first) = rows.first().filter(|_| entries.is_empty()).copied() else { return Ok(entries) };
    let block = face.backend.block_elsewhere(first.height).await;
    let transaction = block.and_then(|block| {
        block.transactions().find(|transaction| transaction.id() == first.transaction).cloned()
    });
    let Some(transaction) = transaction else {
        let detail = format!(
            "the body of block {} is gone here, and no other node that was asked holds it",
            first.height
        );
        return Err(Problem::new("body-not-held", detail));
    };
    face.read(move |backend| {
        let log = log_of(backend)?;
        let same = rows.iter().take_while(|row| row.transaction == first.transaction);
        Ok(same.map(|row| entry(row, &transaction, log)).collect::<Result<_, Fault>>()?)
    })
    .await?
}

/// The log of a node that has one.
pub(super) fn log_of(backend: &dyn Backend) -> Result<&dyn CertificateLog, Problem> {
    let missing = || Problem::new("no-index", "the log of certificates is made from the query index");
    backend.certificate_log().ok_or_else(missing)
}

fn local(backend: &dyn Backend, first: u64, count: usize) -> Result<Local, Problem> {
    let log = log_of(backend)?;
    let rows = log.rows(first, count)?;
    let (mut entries, mut bytes) = (Vec::with_capacity(rows.len()), 0);
    let mut last: Option<(TransactionId, Transaction)> = None;
    for row in &rows {
        // One transaction publishes many certificates.
        if last.as_ref().is_none_or(|(id, _)| *id != row.transaction) {
            let Some(recorded) = backend.transaction_bytes(&row.transaction)? else { break };
            last = Some((row.transaction, decoded(&recorded)?));
        }
        let Some((_, transaction)) = &last else { break };
        let entry = entry(row, transaction, log)?;
        bytes += entry.leaf_input.len() + entry.extra_data.len();
        if bytes > BYTES_MAX && !entries.is_empty() {
            break;
        }
        entries.push(entry);
    }
    Ok(Local { rows, entries })
}

fn decoded(recorded: &Bytes) -> Result<Transaction, Fault> {
    Transaction::from_bytes(recorded).map_err(|error| Fault::new(error.to_string()))
}

/// Makes an entry, and compares it with the leaf in the tree.
fn entry(row: &CtRow, transaction: &Transaction, log: &dyn CertificateLog) -> Result<CtEntry, Fault> {
    let broken = || Fault::new(format!("entry {} of the log is not in its transaction", row.place));
    if transaction.content().lane != Lane::Certificate {
        return Err(broken());
    }
    let action = Action::from_bytes(&transaction.content().action).map_err(|_| broken())?;
    let place = usize::try_from(row.entry).unwrap_or(usize::MAX);
    let published = action.published().get(place).ok_or_else(broken)?;
    let attached = |id: &CertificateId| {
        transaction.attachments().iter().find(|der| CertificateId::of(der) == *id).cloned()
    };
    let certificate = attached(&published.certificate).ok_or_else(broken)?;
    let leaf_input = ct_leaf(&certificate, row.time);
    if leaf_hash(&leaf_input) != row.leaf {
        return Err(broken());
    }
    let mut above: Vec<Vec<u8>> = published.intermediates.iter().filter_map(attached).collect();
    above.extend(log.root(&published.root)?.map(|der| der.to_vec()));
    Ok(CtEntry { leaf_input, extra_data: chain(&above) })
}
