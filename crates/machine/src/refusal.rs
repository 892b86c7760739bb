//! Why a transaction is refused: every service's refusals and the machine's own, with one stable code each.

use serde::Serialize;
use tabellion_ledger::{DecodeError, EnvelopeError, Height, Lane, LedgerId, TimeMs, TransactionId};
use thiserror::Error;

/// An expected no to a transaction. Nothing is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The bytes are not a transaction's only encoding.
    #[error("the transaction's encoding is refused: {0}")]
    Encoding(DecodeError),
    /// The transaction is for another ledger.
    #[error("the transaction is for ledger {named}; this is ledger {here}")]
    ForeignLedger {
        /// The ledger that it names.
        named: LedgerId,
        /// The ledger here.
        here: LedgerId,
    },
    /// No service of this ledger takes transactions of the lane.
    #[error("this ledger takes no transactions in lane {lane}")]
    LaneNotServed {
        /// The lane.
        lane: Lane,
    },
    /// The attachments that the signed content commits to are not there.
    #[error("the attachments that the signed content commits to were not sent")]
    AttachmentsMissing,
    /// The signature is refused.
    #[error("the signature is refused: {0}")]
    Signature(EnvelopeError),
    /// The transaction's time is over.
    #[error("the transaction was valid until {valid_until}; it is {at} (ms)")]
    Expired {
        /// Its last moment.
        valid_until: TimeMs,
        /// Time of the block.
        at: TimeMs,
    },
    /// The transaction would be valid for longer than the ledger remembers.
    #[error("valid until {valid_until}; at {at} at most {lifetime_ms_max} ms ahead are accepted")]
    LifetimeTooLong {
        /// Its last moment.
        valid_until: TimeMs,
        /// Time of the block.
        at: TimeMs,
        /// The limit.
        lifetime_ms_max: u64,
    },
    /// The transaction is on the ledger already.
    #[error("transaction {id} is already recorded in block {height}")]
    Replayed {
        /// The transaction.
        id: TransactionId,
        /// The block that holds it.
        height: Height,
    },
    /// By the consortium's rules.
    #[error(transparent)]
    Consortium(#[from] tabellion_consortium::Refusal),
    /// By the certificate lane's rules.
    #[error(transparent)]
    Certificate(#[from] tabellion_pki::Refusal),
}

impl Refusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Encoding(_) => "malformed-transaction",
            Self::ForeignLedger { .. } => "foreign-ledger",
            Self::LaneNotServed { .. } => "lane-not-served",
            Self::AttachmentsMissing => "attachments-missing",
            Self::Signature(_) => "signature-refused",
            Self::Expired { .. } => "transaction-expired",
            Self::LifetimeTooLong { .. } => "lifetime-too-long",
            Self::Replayed { .. } => "replayed",
            Self::Consortium(refusal) => refusal.code(),
            Self::Certificate(refusal) => refusal.code(),
        }
    }

    /// The certificates of a publish request that are refused; empty for a refusal of the whole transaction.
    pub fn entries(&self) -> &[tabellion_pki::RefusedEntry] {
        match self {
            Self::Certificate(tabellion_pki::Refusal::Entries(entries)) => entries,
            _ => &[],
        }
    }
}

/// A refusal as it is told: code, sentence, refused entries.
#[derive(Serialize)]
struct Told<'a> {
    code: &'a str,
    message: String,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entries: &'a [tabellion_pki::RefusedEntry],
}

impl Serialize for Refusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Told { code: self.code(), message: self.to_string(), entries: self.entries() }.serialize(serializer)
    }
}
