//! The history of a certificate: the latest record proved, every earlier one by the hash that the next one
//! carries. So any node may hand it over, and none can leave out or change a part of it.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_consortium::{KeyRecord, key_key};
use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{CertificateId, Hash, Height, KeyId, TimeMs, TransactionId};
use tabellion_machine::{HistoryAnswer, HistoryRecordAnswer};
use tabellion_pki::{CertificateRecord, Reason, Status, record_hash};
use thiserror::Error;

use crate::error::ClientError;
use crate::light::LightError;
use crate::node::{NodeClient, NodeError};
use crate::offline::state_proof_from_base64;
use crate::relying_party::RelyingParty;
use crate::trust::ProvedStatus;

/// Records of one certificate that a client takes in: a node that sends more without end is left.
const RECORDS_MAX: usize = 100_000;

/// Why the records that a node hands over are not the history of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HistoryFault {
    /// Bytes that are no record.
    #[error("record {place} of the answer, counted from 0, cannot be read: {error}")]
    Encoding {
        /// Its place in the answer.
        place: usize,
        /// Why.
        error: DecodeError,
    },
    /// Records of a certificate that is not on the ledger, or none of one that is.
    #[error("{found} records were sent, and the ledger proves {expected}")]
    Count {
        /// How many were sent.
        found: usize,
        /// How many there are.
        expected: u64,
    },
    /// The last record is not the proved one.
    #[error("the last record, {sequence}, has hash {found}; the proved one, {proved}, has {expected}")]
    Latest {
        /// Its sequence.
        sequence: u64,
        /// Its hash.
        found: Hash,
        /// Sequence of the proved one.
        proved: u64,
        /// Hash of the proved one.
        expected: Hash,
    },
    /// A record is not the one of which the next one carries the hash.
    #[error("record {sequence} has hash {found}, and the record after it says {}", said(.expected))]
    Hash {
        /// Its sequence.
        sequence: u64,
        /// What the next record says; none where that one says that it is the first.
        expected: Option<Hash>,
        /// Its hash.
        found: Hash,
    },
    /// The history is said to be complete, and its beginning is not there.
    #[error("the history is said to begin with record {said}, and it begins with record {found}")]
    Shortened {
        /// Sequence of the first record that there is.
        found: u64,
        /// What the node says of it.
        said: u64,
    },
    /// A sequence that is not one more than that of the record before.
    #[error("record {found} follows record {before}")]
    Gap {
        /// Its sequence.
        found: u64,
        /// Sequence of the record before.
        before: u64,
    },
    /// A record of an earlier block or time than the record before.
    #[error("record {sequence} is of block {height}, and the record before it of block {before}")]
    Backwards {
        /// Its sequence.
        sequence: u64,
        /// Its block.
        height: Height,
        /// Block of the record before.
        before: Height,
    },
    /// A record after a revocation, which is for good.
    #[error("record {sequence} makes a revoked certificate {status}")]
    AfterRevocation {
        /// Its sequence.
        sequence: u64,
        /// Its status.
        status: Status,
    },
    /// A record that says something of the certificate that the others do not.
    #[error("record {sequence} is of another certificate: its {field} differs")]
    OtherCertificate {
        /// Its sequence.
        sequence: u64,
        /// What differs.
        field: &'static str,
    },
    /// A record that contradicts itself: its status and reason, or the evidence of a first or a later record.
    #[error("record {sequence} contradicts itself: {field}")]
    Contradiction {
        /// Its sequence.
        sequence: u64,
        /// What does not fit.
        field: &'static str,
    },
}

fn said(hash: &Option<Hash>) -> String {
    hash.map_or_else(|| "that there is none before it".to_owned(), |hash| hash.to_string())
}

/// A record whose place in the history is proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HistoryRecord {
    /// The record.
    pub record: CertificateRecord,
    /// The transaction that made it. This is the node's word: `RelyingParty::transaction` proves it.
    pub transaction: Option<TransactionId>,
}

/// The history of a certificate, every record of it proved.
#[derive(Clone, Debug)]
pub struct CertificateHistory {
    /// The latest record, or that there is none, and who stands for it.
    pub status: ProvedStatus,
    /// The records, oldest first.
    pub records: Vec<HistoryRecord>,
    /// Who signed the transactions: the ledger's records of their keys, proved too.
    pub submitters: BTreeMap<KeyId, KeyRecord>,
}

impl CertificateHistory {
    /// Whether it begins with the publication. Where it does not, the node has no more; all that it has is
    /// proved.
    pub fn is_complete(&self) -> bool {
        self.records.first().is_none_or(|first| first.record.sequence == 0)
    }
}

impl NodeClient {
    /// A page of a certificate's history, which ends below this sequence, or with the latest record.
    pub async fn history(&self, id: &CertificateId, below: Option<u64>) -> Result<HistoryAnswer, NodeError> {
        let query: Vec<_> = below.map(|below| ("below", below.to_string())).into_iter().collect();
        self.json(&format!("/v1/certificates/{id}/history"), &query).await
    }
}

impl RelyingParty {
    /// The history of a certificate, proved (X.1409 A5); where a node's proof is too old or not signed yet,
    /// or it has a part alone, the next node's.
    ///
    /// Errors: [`ClientError::History`] where a node hands over other records than those of the ledger.
    pub async fn history(
        &mut self,
        id: &CertificateId,
        now: TimeMs,
    ) -> Result<CertificateHistory, ClientError> {
        let mut tries = self.nodes().node_count();
        loop {
            tries -= 1;
            match self.history_once(id, now).await {
                Err(ClientError::Light(LightError::Stale { .. })) if tries > 0 => {}
                Err(ClientError::Trust(error)) if tries > 0 && error.is_unsigned() => {}
                Ok(part) if tries > 0 && !part.is_complete() => {}
                answer => return answer,
            }
            self.nodes().next_node();
        }
    }

    async fn history_once(
        &mut self,
        id: &CertificateId,
        now: TimeMs,
    ) -> Result<CertificateHistory, ClientError> {
        let answer = self.nodes().history(id, None).await?;
        let proof = state_proof_from_base64(&answer.proof)?;
        self.know(&proof.finality.header).await?;
        let status = self.light().trust().status(&proof, id)?;
        self.accept(&proof, now)?;
        let first = answer.first_sequence.unwrap_or_default();
        let mut records = decoded(&answer.records)?;
        while let Some(oldest) = records.first().map(|oldest| oldest.record.sequence)
            && oldest > first
            && records.len() < RECORDS_MAX
        {
            let mut page = decoded(&self.nodes().history(id, Some(oldest)).await?.records)?;
            // What does not lead down to the beginning is found out below.
            if page.last().is_none_or(|newest| newest.record.sequence >= oldest) {
                break;
            }
            page.append(&mut records);
            records = page;
        }
        check_history(status.record.as_ref(), &records, first)?;
        let mut submitters = BTreeMap::new();
        for HistoryRecord { record, .. } in &records {
            let key = record.submitter;
            if !submitters.contains_key(&key)
                && let (Some(found), _) = self.record::<KeyRecord>(&key_key(&key), now).await?
            {
                submitters.insert(key, found);
            }
        }
        Ok(CertificateHistory { status, records, submitters })
    }
}

fn decoded(answers: &[HistoryRecordAnswer]) -> Result<Vec<HistoryRecord>, HistoryFault> {
    let decode = |(place, answer): (usize, &HistoryRecordAnswer)| {
        let broken = |error| HistoryFault::Encoding { place, error };
        let bytes = STANDARD.decode(&answer.bytes);
        let bytes = bytes.map_err(|_| broken(DecodeError::Value { field: "base64" }))?;
        let record = cbor::from_bytes(&bytes, RECORD_BYTES_MAX).map_err(broken)?;
        let transaction = answer.transaction.as_ref().and_then(|id| id.parse().ok());
        Ok(HistoryRecord { record, transaction })
    };
    answers.iter().enumerate().map(decode).collect()
}

/// Checks that records, oldest first, are the history up to the proved one, from the sequence `first` on.
///
/// The hashes decide: where they fit, the records are what the validators wrote. What they say is compared
/// as well, so that nothing has to be believed of the validators of long ago either.
///
/// Source: X.1409 C10, A5.
///
/// Refuses, from the newest record to the oldest: [`HistoryFault`].
pub fn check_history(
    proved: Option<&CertificateRecord>,
    records: &[HistoryRecord],
    first: u64,
) -> Result<(), HistoryFault> {
    let (latest, last) = match (proved, records.last()) {
        (None, None) => return Ok(()),
        (Some(latest), Some(last)) => (latest, &last.record),
        (proved, _) => {
            let expected = proved.map_or(0, |record| record.sequence + 1);
            return Err(HistoryFault::Count { found: records.len(), expected });
        }
    };
    if last != latest {
        return Err(HistoryFault::Latest {
            sequence: last.sequence,
            found: record_hash(last),
            proved: latest.sequence,
            expected: record_hash(latest),
        });
    }
    for pair in records.windows(2).rev() {
        if let [before, after] = pair {
            check_step(&before.record, &after.record)?;
        }
    }
    let oldest = records.first().map_or(last, |oldest| &oldest.record);
    if oldest.sequence != first {
        return Err(HistoryFault::Shortened { found: oldest.sequence, said: first });
    }
    check_alone(oldest, oldest.sequence == 0)
}

fn check_step(before: &CertificateRecord, after: &CertificateRecord) -> Result<(), HistoryFault> {
    let sequence = after.sequence;
    let found = record_hash(before);
    if after.previous != Some(found) {
        let (sequence, expected) = (before.sequence, after.previous);
        return Err(HistoryFault::Hash { sequence, expected, found });
    }
    if before.sequence.checked_add(1) != Some(sequence) {
        return Err(HistoryFault::Gap { found: sequence, before: before.sequence });
    }
    if after.since_height < before.since_height || after.since_time < before.since_time {
        let (height, before) = (after.since_height, before.since_height);
        return Err(HistoryFault::Backwards { sequence, height, before });
    }
    let fields = [
        ("key", before.key == after.key),
        ("issuer", before.issuer == after.issuer),
        ("root", before.root == after.root),
        ("validity", before.validity == after.validity),
        ("publication", before.published_height == after.published_height),
    ];
    if let Some((field, _)) = fields.into_iter().find(|(_, same)| !same) {
        return Err(HistoryFault::OtherCertificate { sequence, field });
    }
    if before.status == Status::Revoked {
        return Err(HistoryFault::AfterRevocation { sequence, status: after.status });
    }
    check_alone(after, false)
}

/// What a record says by itself.
fn check_alone(record: &CertificateRecord, is_first: bool) -> Result<(), HistoryFault> {
    let checks = [
        ("the reason is another status's", Reason::status(record.reason) == record.status),
        ("a first record is normal", !is_first || record.status == Status::Normal),
        ("a first record has no record before", is_first == record.previous.is_none()),
        ("a later record has evidence, the first has none", is_first == record.evidence.is_none()),
        ("it is older than its publication", record.since_height >= record.published_height),
    ];
    match checks.into_iter().find(|(_, holds)| !holds) {
        Some((field, _)) => Err(HistoryFault::Contradiction { sequence: record.sequence, field }),
        None => Ok(()),
    }
}
