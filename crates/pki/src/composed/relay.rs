//! What a proxy brings from a foreign ledger.

use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::trie::TrieProof;
use tabellion_ledger::{HandOver, LedgerId, ProvedHeader, Roster, TimeMs};

use super::state::OutboxEntry;

/// Results in one relay: with their proofs about half of the signed payload.
pub const RELAY_RESULTS_MAX: usize = 64;
/// Changes of validators in one relay: bounds the signatures that one check verifies.
pub const RELAY_HAND_OVERS_MAX: usize = 8;

/// A record of the foreign state, or its absence, with its trie proof.
///
/// Shape: [record or null, trie proof].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedRecord {
    /// The record; none where there is none.
    pub record: Option<Vec<u8>>,
    /// From the record to the state root.
    pub trie: TrieProof,
}

impl Wire for ProvedRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        match &self.record {
            Some(record) => out.bytes(record),
            None => out.null(),
        }
        self.trie.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let record = if input.null()? { None } else { Some(input.bytes(RECORD_BYTES_MAX)?.to_vec()) };
        Ok(Self { record, trie: TrieProof::decode(input)? })
    }
}

/// Results of a ledger under one finalised header, as its nodes give them out.
///
/// How many results there are is always proved with them, so that nobody can keep the last ones back.
///
/// Shape: [proved header, proved record of the outbox, number of the first result, [proved record, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// The header of which the results are; with it, as its older header, the one that the receiver knows.
    pub header: ProvedHeader,
    /// The record that says how many results there are.
    pub outbox: ProvedRecord,
    /// The number of the first result.
    pub first: u64,
    /// The results, by number, without gaps.
    pub results: Vec<ProvedRecord>,
}

impl Wire for Delivery {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.header.encode(out);
        self.outbox.encode(out);
        out.uint(self.first);
        out.list(&self.results);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            header: ProvedHeader::decode(input)?,
            outbox: ProvedRecord::decode(input)?,
            first: input.uint()?,
            results: input.list(RELAY_RESULTS_MAX)?,
        })
    }
}

/// The request and the result of a foreign ledger, forwarded to this one (X.1409 C16, A.1).
///
/// The roster is the one that this ledger knows; it stands here so that the proofs can be checked without the
/// state, and by whoever reads the block later.
///
/// Shape: [ledger id, roster, [hand-over, ...], delivery or null].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relay {
    /// The foreign ledger.
    pub ledger: LedgerId,
    /// Its validators as this ledger knows them.
    pub roster: Roster,
    /// The changes from those to the ones that finalised the header.
    pub hand_overs: Vec<HandOver>,
    /// The results; none where the changes of validators are more than one relay takes, and more follow.
    pub delivery: Option<Delivery>,
}

impl Relay {
    /// Until when each of the certificates is valid whose results it brings; for good where a result does not
    /// read.
    pub fn ends(&self) -> impl Iterator<Item = TimeMs> {
        let results = self.delivery.iter().flat_map(|delivery| &delivery.results);
        results.filter_map(|result| result.record.as_ref()).map(|record| {
            let entry: Result<OutboxEntry, DecodeError> = cbor::from_bytes(record, RECORD_BYTES_MAX);
            entry.map_or(TimeMs::MAX, |entry| entry.validity.until)
        })
    }
}

impl Wire for Relay {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.ledger.encode(out);
        self.roster.encode(out);
        out.list(&self.hand_overs);
        out.option(self.delivery.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            roster: Roster::decode(input)?,
            hand_overs: input.list(RELAY_HAND_OVERS_MAX)?,
            delivery: input.option()?,
        })
    }
}
