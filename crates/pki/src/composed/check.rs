//! The stateless half: quorums, history and trie proofs.

use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{Header, LedgerId, Roster, RosterHash, StateKey, StateRoot, TimeMs, cbor, sha256};

use super::refusal::RelayRefusal;
use super::relay::{Delivery, ProvedRecord, Relay};
use super::state::{ForeignHeader, Outbox, OutboxEntry};
use crate::key::{outbox_entry_key, outbox_key};

/// A relay whose proofs hold, for whoever knows the roster that it begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedRelay {
    /// The foreign ledger.
    pub ledger: LedgerId,
    /// Number and hash of the roster that it begins with.
    pub before: (u64, RosterHash),
    /// The roster to which the hand-overs lead.
    pub roster: Roster,
    /// What that roster's quorum stands for.
    pub delivered: Option<Delivered>,
}

/// Results whose proofs hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The finalised header.
    pub header: ForeignHeader,
    /// An older header of the same chain.
    pub older: Option<ForeignHeader>,
    /// How many results the foreign ledger had.
    pub count: u64,
    /// The number of the first result.
    pub first: u64,
    /// The results.
    pub results: Vec<OutboxEntry>,
}

impl CheckedRelay {
    /// The latest moment at which a certificate of the results expires.
    pub fn latest_expiry(&self) -> TimeMs {
        let results = self.delivered.iter().flat_map(|delivered| &delivered.results);
        results.map(|entry| entry.validity.until).max().unwrap_or_default()
    }
}

/// Checks all proofs of a relay. Needs SHA-256 and Ed25519 and no state.
///
/// Limit: the signatures of nine quorums, and as many trie proofs as fit.
pub(crate) fn check(relay: &Relay) -> Result<CheckedRelay, RelayRefusal> {
    let Relay { ledger, roster, hand_overs, delivery } = relay;
    let before = (roster.number(), roster.hash());
    let mut roster = roster;
    for hand_over in hand_overs {
        let verdict = hand_over.verify(ledger, roster);
        roster = verdict.map_err(|fault| RelayRefusal::HandOver { reason: fault.to_string() })?.0;
    }
    let delivered = delivery.as_ref().map(|delivery| check_delivery(delivery, ledger, roster)).transpose()?;
    Ok(CheckedRelay { ledger: *ledger, before, roster: roster.clone(), delivered })
}

fn check_delivery(
    delivery: &Delivery,
    ledger: &LedgerId,
    roster: &Roster,
) -> Result<Delivered, RelayRefusal> {
    let verdict = delivery.header.verify(ledger, roster);
    verdict.map_err(|fault| RelayRefusal::Header { reason: fault.to_string() })?;
    let header = &delivery.header.finality.header;
    let (count, results) = check_results(delivery, header)?;
    Ok(Delivered {
        header: ForeignHeader::from(header),
        older: delivery.header.older.as_ref().map(|(older, _)| ForeignHeader::from(older)),
        count,
        first: delivery.first,
        results,
    })
}

fn check_results(delivery: &Delivery, header: &Header) -> Result<(u64, Vec<OutboxEntry>), RelayRefusal> {
    let root = &header.state_root;
    let outbox = proved(&delivery.outbox, root, &outbox_key(), "outbox")?;
    let count = outbox.map_or(0, |outbox: Outbox| outbox.next);
    let mut results = Vec::new();
    for (number, result) in (delivery.first..).zip(&delivery.results) {
        let entry = proved(result, root, &outbox_entry_key(number), "result")?;
        // A result that the ledger does not have: beyond its newest one.
        results.push(entry.ok_or(RelayRefusal::NoResult { number, count })?);
    }
    Ok((count, results))
}

fn proved<T: cbor::Wire>(
    proved: &ProvedRecord,
    root: &StateRoot,
    key: &StateKey,
    what: &'static str,
) -> Result<Option<T>, RelayRefusal> {
    let refused = |reason: String| RelayRefusal::Proof { what, reason };
    let value_hash = proved.record.as_deref().map(sha256);
    let verdict = proved.trie.verify(root, &key.path(), value_hash.as_ref());
    verdict.map_err(|fault| refused(fault.to_string()))?;
    let decode = |bytes: &Vec<u8>| cbor::from_bytes(bytes, RECORD_BYTES_MAX);
    proved.record.as_ref().map(decode).transpose().map_err(|error| refused(error.to_string()))
}
