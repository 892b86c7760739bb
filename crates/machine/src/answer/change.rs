//! What a gateway answers to a CA's feedback.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{EvidenceAnswer, TransactionAnswer};

/// A status change that a gateway took: what the CA's feedback says, and the transaction that carries it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeAnswer {
    /// SHA-256 of the certificate: its status is at `/v1/certificates/<this>`.
    pub certificate: String,
    /// The new status: `normal`, `suspended` or `revoked`.
    pub status: String,
    /// Why it is suspended or revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What the change rests on.
    pub evidence: EvidenceAnswer,
    /// The transaction.
    pub transaction: TransactionAnswer,
}
