//! What a relying party may ask of the certificate lane.

use serde::{Deserialize, Serialize};
use tabellion_ledger::{CertificateId, KeyId, TimeMs, View, read};

use crate::action::Window;
use crate::key::{certificate_key, certificates_of_key_key, scheduled_key};
use crate::state::{CertificateRecord, KeyRecord, Scheduled, Status};

/// The answer to "may I rely on this certificate": the latest status, and whether the validity covers the
/// moment.
///
/// Source: X.1409 C10, C17, clause A.2 (required): `normal` = valid; `revoked`, `suspended` = invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standing {
    /// Recorded as normal, and within its validity.
    Valid,
    /// Recorded as normal; its validity is over.
    Expired,
    /// Suspended.
    Suspended,
    /// Revoked.
    Revoked,
    /// Not on the ledger; or recorded as normal, and its validity has not started.
    Unknown,
}

impl Standing {
    /// Judges a record at a moment. A certificate without a record is unknown.
    pub fn of(record: Option<&CertificateRecord>, at: TimeMs) -> Self {
        record.map_or(Self::Unknown, |record| Self::judge(record.status, record.validity, at))
    }

    /// Judges a status with its validity at a moment.
    ///
    /// Before its start a certificate is as unknown as one that waits for it: it has a record then only
    /// because its CA suspended it and resumed it.
    pub(crate) fn judge(status: Status, validity: Window, at: TimeMs) -> Self {
        match status {
            Status::Revoked => Self::Revoked,
            Status::Suspended => Self::Suspended,
            Status::Normal if validity.until < at => Self::Expired,
            Status::Normal if at < validity.from => Self::Unknown,
            Status::Normal => Self::Valid,
        }
    }

    /// The word in answers and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Unknown => "unknown",
        }
    }
}

/// The record of a certificate.
pub fn certificate(view: &dyn View, id: &CertificateId) -> Option<CertificateRecord> {
    read(view, &certificate_key(id))
}

/// The publication of a certificate that waits for its start.
pub fn scheduled(view: &dyn View, id: &CertificateId) -> Option<Scheduled> {
    read(view, &scheduled_key(id))
}

/// The certificates that carry a key, oldest first.
pub fn certificates_of_key(view: &dyn View, key: &KeyId) -> Vec<CertificateId> {
    read::<KeyRecord>(view, &certificates_of_key_key(key)).unwrap_or_default().0
}

#[cfg(test)]
mod tests;
