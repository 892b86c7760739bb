//! Composed systems, as a reader is told of them.

use serde::{Deserialize, Serialize};
use tabellion_ledger::{Header, TimeMs};
use tabellion_pki::{
    Delivery, FollowedLedger, ForeignRecord, ForeignStanding, Link, OutboxEntry, foreign_standing,
};
use utoipa::ToSchema;

use super::HeaderAnswer;

/// Numbered results of this ledger, with their proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutboxAnswer {
    /// Results that the ledger has numbered under the header.
    pub count: u64,
    /// The results of this page.
    pub results: Vec<ResultAnswer>,
    /// The finalised header under which all of it is proved.
    pub header: HeaderAnswer,
    /// The proof: base64 of a Delivery.
    pub proof: String,
}

/// A result: the status that a request gave a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ResultAnswer {
    /// Its number, from 0.
    pub number: u64,
    /// SHA-256 of the certificate.
    pub certificate: String,
    /// `normal`, `suspended` or `revoked`.
    pub status: String,
    /// Why it is suspended or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Sequence of the certificate's record.
    pub sequence: u64,
    /// The block of that ledger since which it holds.
    pub since_height: u64,
    /// That block's time. Unit: ms since 1970.
    pub since_ms: u64,
    /// First moment of the validity. Unit: ms since 1970.
    pub valid_from_ms: u64,
    /// Last moment of the validity. Unit: ms since 1970.
    pub valid_until_ms: u64,
    /// SHA-256 of the certificate's record.
    pub record: String,
    /// The request: a transaction of that ledger; none where a scheduled publication started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
}

impl ResultAnswer {
    /// A result under its number.
    pub fn new(number: u64, result: &OutboxEntry) -> Self {
        Self {
            number,
            certificate: result.certificate.to_string(),
            status: result.status.to_string(),
            reason: result.reason.map(|reason| reason.word().to_owned()),
            sequence: result.sequence,
            since_height: result.since_height.0,
            since_ms: result.since_time.0,
            valid_from_ms: result.validity.from.0,
            valid_until_ms: result.validity.until.0,
            record: result.record.to_string(),
            request: result.request.map(|request| request.to_string()),
        }
    }
}

impl OutboxAnswer {
    /// What a delivery says; `proof` is its base64.
    pub fn new(delivery: &Delivery, count: u64, results: &[OutboxEntry], proof: String) -> Self {
        Self {
            count,
            results: (delivery.first..)
                .zip(results)
                .map(|(number, one)| ResultAnswer::new(number, one))
                .collect(),
            header: HeaderAnswer::from(&delivery.header.finality.header),
            proof,
        }
    }
}

/// The foreign ledgers that this one follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForeignLedgersAnswer {
    /// The ledgers.
    pub ledgers: Vec<ForeignLedgerAnswer>,
}

/// What this ledger knows of a foreign one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForeignLedgerAnswer {
    /// The ledger: SHA-256 of its genesis document.
    pub ledger: String,
    /// Its name, as the members gave it.
    pub name: String,
    /// How often following began.
    pub generation: u64,
    /// How old what is known may be until it counts as stale. Unit: ms.
    pub stale_after_ms: u64,
    /// Number of the newest roster of its validators that is known.
    pub roster: u64,
    /// Height of its newest header that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The number of the next result.
    pub next: u64,
    /// Time of the newest header under which nothing was missing. Unit: ms since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complete_ms: Option<u64>,
    /// Whether it is older than the members accept.
    pub stale: bool,
    /// The foreign height at which two headers are final, where the link is frozen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frozen_at: Option<u64>,
}

impl ForeignLedgerAnswer {
    /// What is known, judged at a moment.
    pub fn new(id: String, name: String, link: &Link, known: Option<&FollowedLedger>, at: TimeMs) -> Self {
        let known = known.filter(|known| known.generation == link.generation);
        let complete = known.and_then(|known| known.complete);
        let fresh = complete.is_some_and(|complete| complete.time.plus(link.stale_after_ms) >= at);
        Self {
            ledger: id,
            name,
            generation: link.generation,
            stale_after_ms: link.stale_after_ms,
            roster: known.map_or(link.roster.number(), |known| known.roster.number()),
            height: known.and_then(|known| known.newest).map(|newest| newest.height.0),
            next: known.map_or(0, |known| known.next),
            complete_ms: complete.map(|complete| complete.time.0),
            stale: !fresh,
            frozen_at: known.and_then(|known| known.frozen).map(|freeze| freeze.height.0),
        }
    }
}

/// The status of a certificate on a foreign ledger, as recorded here, with its proofs (X.1409 C16).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ForeignStatusAnswer {
    /// The foreign ledger.
    pub ledger: String,
    /// SHA-256 of the certificate.
    pub certificate: String,
    /// `valid`, `expired`, `suspended`, `revoked` or `unknown`. Only `valid` without doubt may be relied
    /// upon.
    pub standing: String,
    /// `stale`, `frozen`, `anew` or `not-followed`; none where nothing speaks against the standing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// The result of the foreign ledger; none where the certificate is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultAnswer>,
    /// Height of the foreign header that proved it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proved_height: Option<u64>,
    /// The block of this ledger that recorded it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_height: Option<u64>,
    /// The finalised header of this ledger under which the answer is proved.
    pub header: HeaderAnswer,
    /// The proofs: base64 of three StateProofs: the link, what is known of the ledger, the foreign record.
    pub proofs: Vec<String>,
}

impl ForeignStatusAnswer {
    /// Judges what is recorded under a finalised header at its time.
    pub fn new(
        (ledger, certificate): (String, String),
        record: Option<&ForeignRecord>,
        link: Option<&Link>,
        known: Option<&FollowedLedger>,
        header: &Header,
        proofs: Vec<String>,
    ) -> Self {
        let ForeignStanding { standing, doubt } = foreign_standing(record, link, known, header.time);
        Self {
            ledger,
            certificate,
            standing: standing.word().to_owned(),
            doubt: doubt.map(|doubt| doubt.word().to_owned()),
            result: record.map(|record| ResultAnswer::new(record.number, &record.result)),
            proved_height: record.map(|record| record.proved_height.0),
            since_height: record.map(|record| record.since_height.0),
            header: HeaderAnswer::from(header),
            proofs,
        }
    }
}
