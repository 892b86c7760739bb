//! What happened to certificates, for those who watch.

use serde::{Deserialize, Serialize};
use tabellion_ledger::{CertificateId, Height, KeyId, LedgerId, TimeMs};

use crate::composed::{ForeignRecord, Freeze};
use crate::state::CertificateRecord;

/// An event of the certificate lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A certificate was recorded.
    Published {
        /// The certificate.
        certificate: CertificateId,
        /// Its record.
        record: CertificateRecord,
    },
    /// A publication was accepted and waits for the start of its validity.
    Scheduled {
        /// The certificate.
        certificate: CertificateId,
        /// When it will be recorded. Unit: ms since 1970.
        from: TimeMs,
    },
    /// A publication that waited was dropped at its start.
    Dropped {
        /// The certificate.
        certificate: CertificateId,
        /// The CA at the end of its chain, which the participants no longer trust.
        root: CertificateId,
    },
    /// A certificate was revoked, for good.
    Revoked {
        /// The certificate.
        certificate: CertificateId,
        /// Its record.
        record: CertificateRecord,
    },
    /// A certificate was suspended.
    Suspended {
        /// The certificate.
        certificate: CertificateId,
        /// Its record.
        record: CertificateRecord,
    },
    /// A suspended certificate is in good standing again.
    Resumed {
        /// The certificate.
        certificate: CertificateId,
        /// Its record.
        record: CertificateRecord,
    },
    /// A certificate was revoked as another one took its place, whose publication is an event of its own.
    Renewed {
        /// The old certificate.
        certificate: CertificateId,
        /// Its record.
        record: CertificateRecord,
        /// The new certificate.
        by: CertificateId,
    },
    /// A backup node says that nothing in some blocks is needed any more. Each node verifies that by itself.
    Noticed {
        /// The blocks, ascending.
        heights: Vec<Height>,
        /// The backup node's key.
        by: KeyId,
    },
    /// A foreign ledger gave a certificate a new status.
    Relayed {
        /// The foreign ledger.
        ledger: LedgerId,
        /// What is recorded of it here.
        record: ForeignRecord,
    },
    /// The validators of a foreign ledger finalised two headers at one height.
    LinkFrozen {
        /// The foreign ledger.
        ledger: LedgerId,
        /// What was shown.
        freeze: Freeze,
    },
}

impl Event {
    /// The certificate that it is about, if it is about one.
    pub fn certificate(&self) -> Option<CertificateId> {
        match self {
            Self::Noticed { .. } => None,
            Self::Published { certificate, .. }
            | Self::Scheduled { certificate, .. }
            | Self::Dropped { certificate, .. }
            | Self::Revoked { certificate, .. }
            | Self::Suspended { certificate, .. }
            | Self::Resumed { certificate, .. }
            | Self::Renewed { certificate, .. } => Some(*certificate),
            Self::Relayed { record, .. } => Some(record.result.certificate),
            Self::LinkFrozen { .. } => None,
        }
    }
}
