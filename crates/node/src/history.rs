//! All records of a certificate, made again from the latest one and from what the index kept.
//!
//! Nothing of it is taken on trust: each record must hash to what the next one carries, up to the latest. So
//! a change that the index never saw cannot be told wrongly; the history begins later then.

use tabellion_api::{History, HistoryEntry};
use tabellion_ledger::{Header, Height};
use tabellion_pki::{CertificateRecord, Status, record_hash};

use crate::index::{Change, HistoryRows};
use crate::store::StoreError;

/// The records up to `latest`, oldest first: all of them, or that one alone where the index lacks one before
/// it. `header` reads the headers of the chain.
pub fn history(
    rows: &HistoryRows,
    latest: &CertificateRecord,
    header: &dyn Fn(Height) -> Result<Option<Header>, StoreError>,
) -> Result<History, StoreError> {
    let mut entries = remade(rows, latest, header)?;
    let last = entries.last();
    let is_all = last.is_some_and(|last| last.record == *latest);
    let is_all_but_last = last.is_some_and(|last| latest.previous == Some(record_hash(&last.record)));
    if !is_all {
        if !is_all_but_last {
            entries.clear();
        }
        entries.push(HistoryEntry { record: latest.clone(), transaction: transaction_of(rows, latest) });
    }
    Ok(History { entries, height: rows.height })
}

fn remade(
    rows: &HistoryRows,
    latest: &CertificateRecord,
    header: &dyn Fn(Height) -> Result<Option<Header>, StoreError>,
) -> Result<Vec<HistoryEntry>, StoreError> {
    let mut entries = Vec::new();
    let Some((height, transaction, submitter)) = rows.publication else { return Ok(entries) };
    // Another publication of the same certificate, dropped at its start.
    if height != latest.published_height {
        return Ok(entries);
    }
    let changes = || rows.changes.iter().filter(|(height, _)| *height <= latest.since_height);
    let before = changes().next().map_or(latest.since_height, |(height, _)| *height);
    let Some(start) = start(latest, before, header)? else { return Ok(entries) };
    let first = CertificateRecord {
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
    entries.push(HistoryEntry { record: first, transaction: Some(transaction) });
    for (height, change) in changes() {
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

/// The block that recorded a publication: its own, or the first one at or after the start of the validity
/// (X.1409 C12). Time never goes back, so it is found by halving.
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
