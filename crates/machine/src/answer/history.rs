//! The history of a certificate, as it is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{HeaderAnswer, RecordAnswer};

/// All records of a certificate: each operation on it, with who, why and upon what evidence (X.1409 A5).
///
/// The latest record is proved; each earlier one must hash to `previous` of the next. So a client checks the
/// whole history without trust in the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryAnswer {
    /// SHA-256 of the certificate.
    pub certificate: String,
    /// `valid`, `expired`, `suspended`, `revoked` or `unknown`: the standing of the latest record.
    pub standing: String,
    /// Whether this node has all records. One that deleted the body with the publication of a revoked
    /// certificate, and then filled its index anew, has the latest record alone.
    pub complete: bool,
    /// Sequence of the oldest record that this node has: 0 where it has all. None where there is no record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_sequence: Option<u64>,
    /// The records of this page, oldest first. A page ends with the latest record, or below the sequence that
    /// was asked for.
    pub records: Vec<HistoryRecordAnswer>,
    /// The finalised header under which the latest record is proved.
    pub header: HeaderAnswer,
    /// The proof of the latest record, or that there is none: base64 of a StateProof.
    pub proof: String,
}

/// One record of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HistoryRecordAnswer {
    /// What it says.
    pub record: RecordAnswer,
    /// The member that answers for the submitter's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// The account of that member which the key belongs to, if it is one's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The transaction that made it; for a publication that waited for its start, the one that asked for it.
    /// None where this node's index has not seen it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction: Option<String>,
    /// The record as it stands in the state: base64 of its CBOR form. The next record's `previous` is the
    /// SHA-256 of these bytes.
    pub bytes: String,
}
