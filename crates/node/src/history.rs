//! All records of a certificate, made again from the latest one and from what the index kept.
//!
//! Nothing of it is taken on trust: each record must hash to what the next one carries, up to the latest. So
//! a change that the index never saw cannot be told wrongly; the history begins later then.

use tabellion_api::{History, HistoryEntry};
use tabellion_ledger::{Header, Height};
use tabellion_pki::{CertificateRecord, Status, record_hash};

use crate::index::{Change, HistoryRows};
use crate::store::StoreError;

/// Blocks that are tried for a publication which waited for its start while the members had stopped the
/// ledger: few, as a stopped ledger records next to nothing.
const STOPPED_BLOCKS_MAX: u64 = 2_000;

/// The records up to `latest`, oldest first: all of them, or that one alone where the index lacks one before
/// it. `header` reads the headers of the chain.
pub fn history(
    rows: &HistoryRows,
    latest: &CertificateRecord,
    header: &dyn Fn(Height) -> Result<Option<Header>, StoreError>,
) -> Result<History, StoreError> {
    let mut entries = remade(rows, latest, header)?;
    if entries.last().is_none_or(|last| last.record != *latest) {
        entries.push(HistoryEntry { record: latest.clone(), transaction: transaction_of(rows, latest) });
    }
    Ok(History { entries, height: rows.height })
}

/// The records that lead up to `latest`, with or without it; none where they do not.
fn remade(
    rows: &HistoryRows,
    latest: &CertificateRecord,
    header: &dyn Fn(Height) -> Result<Option<Header>, StoreError>,
) -> Result<Vec<HistoryEntry>, StoreError> {
    let Some((published, ..)) = rows.publication else { return Ok(Vec::new()) };
    // Another publication of the same certificate, dropped at its start.
    if published != latest.published_height {
        return Ok(Vec::new());
    }
    let before = rows.changes.first().map_or(latest.since_height, |(height, _)| *height);
    let until = before.min(latest.since_height);
    let Some(start) = start(latest, until, header)? else { return Ok(Vec::new()) };
    // A publication that did not wait was recorded at once.
    let waited = start.height > published;
    let last = if waited { until.0.min(start.height.0 + STOPPED_BLOCKS_MAX) } else { published.0 };
    for height in start.height.0..=last {
        let Some(start) = header(Height(height))? else { break };
        let entries = remade_from(&start, rows, latest, header)?;
        if entries.last().is_some_and(|last| leads_to(&last.record, latest)) {
            return Ok(entries);
        }
    }
    Ok(Vec::new())
}

fn leads_to(record: &CertificateRecord, latest: &CertificateRecord) -> bool {
    record == latest || latest.previous == Some(record_hash(record))
}

/// The records where the first one is of this block.
fn remade_from(
    start: &Header,
    rows: &HistoryRows,
    latest: &CertificateRecord,
    header: &dyn Fn(Height) -> Result<Option<Header>, StoreError>,
) -> Result<Vec<HistoryEntry>, StoreError> {
    let Some((_, transaction, submitter)) = rows.publication else { return Ok(Vec::new()) };
    let record = CertificateRecord {
        status: Status::Normal,
        reason: None,
        sequence: 0,
        since_height: start.height,
        since_time: start.time,
        submitter,
        evidence: None,
        previous: None,
        ..latest.clone()
    };
    let mut entries = vec![HistoryEntry { record, transaction: Some(transaction) }];
    for (height, change) in &rows.changes {
        let (Some(last), Some(header)) = (entries.last(), header(*height)?) else { break };
        if last.record.sequence == latest.sequence {
            break;
        }
        let Change { transaction, submitter, reason, evidence, .. } = change;
        let record = last.record.followed_by(*reason, *evidence, submitter, header.height, header.time);
        entries.push(HistoryEntry { record, transaction: Some(*transaction) });
    }
    Ok(entries)
}

/// The block that recorded a publication: its own, the first one at or after the start of the validity
/// (X.1409 C12), or before that the one of the first change. Time never goes back, so it is found by halving.
fn start(
    latest: &CertificateRecord,
    until: Height,
    header: &dyn Fn(Height) -> Result<Option<Header>, StoreError>,
) -> Result<Option<Header>, StoreError> {
    let (mut low, mut high) = (latest.published_height, until);
    while low < high {
        let middle = Height(low.0.midpoint(high.0));
        let Some(header) = header(middle)? else { return Ok(None) };
        match header.time < latest.validity.from {
            true => low = middle.next(),
            false => high = middle,
        }
    }
    header(low)
}

/// The transaction that made the latest record, where the index saw it.
fn transaction_of(rows: &HistoryRows, latest: &CertificateRecord) -> Option<tabellion_ledger::TransactionId> {
    let is_latest = |(height, change): &&(Height, Change)| {
        (*height, Some(change.evidence)) == (latest.since_height, latest.evidence)
    };
    let changed = rows.changes.iter().find(is_latest).map(|(_, change)| change.transaction);
    let published = rows.publication.filter(|(height, ..)| *height == latest.published_height);
    match latest.sequence {
        0 => published.map(|(_, transaction, _)| transaction),
        _ => changed,
    }
}

#[cfg(test)]
mod tests;
