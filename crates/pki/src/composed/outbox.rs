//! The results of this ledger, numbered for others.

use tabellion_ledger::{CertificateId, TransactionId, View, Writes, cbor, read};

use super::state::{Outbox, OutboxEntry};
use crate::event::Event;
use crate::key::{outbox_entry_key, outbox_key};
use crate::state::{CertificateRecord, record_hash};

/// Numbers the results among events, without a gap: every new status of a certificate of this ledger. What
/// came from other ledgers is theirs to give out.
///
/// Source: X.1409 C16, A.1: the request and its result are forwarded to the other systems.
pub fn number_results(events: &[Event], request: Option<TransactionId>, view: &dyn View) -> Writes {
    let mut writes = Writes::new();
    let mut outbox: Outbox = read(view, &outbox_key()).unwrap_or_default();
    for (certificate, record) in events.iter().filter_map(result) {
        let entry = OutboxEntry {
            certificate,
            status: record.status,
            reason: record.reason,
            sequence: record.sequence,
            since_height: record.since_height,
            since_time: record.since_time,
            validity: record.validity,
            record: record_hash(record),
            request,
        };
        writes.insert(outbox_entry_key(outbox.next), Some(cbor::to_bytes(&entry)));
        outbox.next += 1;
    }
    if !writes.is_empty() {
        writes.insert(outbox_key(), Some(cbor::to_bytes(&outbox)));
    }
    writes
}

fn result(event: &Event) -> Option<(CertificateId, &CertificateRecord)> {
    match event {
        Event::Published { certificate, record }
        | Event::Revoked { certificate, record }
        | Event::Suspended { certificate, record }
        | Event::Resumed { certificate, record }
        | Event::Renewed { certificate, record, .. } => Some((*certificate, record)),
        Event::Scheduled { .. }
        | Event::Dropped { .. }
        | Event::Noticed { .. }
        | Event::Relayed { .. }
        | Event::LinkFrozen { .. } => None,
    }
}
