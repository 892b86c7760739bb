//! Why a certificate's status does not change.

use serde::Serialize;
use tabellion_ledger::{CertificateId, Hash, Height, TimeMs};
use thiserror::Error;

use crate::change::{Number, Reason};
use crate::evidence::EvidenceRefusal;
use crate::state::Status;

/// Why one status change or renewal is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum ChangeRefusal {
    /// The evidence that the change names is not attached.
    #[error("evidence {hash} is named but not attached")]
    EvidenceNotAttached {
        /// SHA-256 of the missing evidence.
        hash: Hash,
    },
    /// The attached issuer's certificate carries another name than the certificate's issuer.
    #[error("{issuer} is not the certificate of the CA that issued this one")]
    NotIssuer {
        /// The attached issuer's certificate.
        issuer: CertificateId,
    },
    /// The change says another notAfter than the certificate.
    #[error("the certificate ends at {found} (ms), the request says {said}")]
    EndDiffers {
        /// notAfter of the certificate.
        found: TimeMs,
        /// The request's.
        said: TimeMs,
    },
    /// The evidence gives another status or reason than the change asks for.
    #[error("the evidence gives {found}, the request asks for {asked}")]
    StatusDiffers {
        /// The status that the evidence gives.
        found: Status,
        /// Its reason.
        found_reason: Option<Reason>,
        /// The status asked for.
        asked: Status,
        /// Its reason.
        asked_reason: Option<Reason>,
    },
    /// Times, number or signer of the evidence are not those that the change says.
    #[error("the evidence is of {at} until {until} (ms), number {number}, by {signer}; the request differs")]
    EvidenceDiffers {
        /// Whose key signed it.
        signer: CertificateId,
        /// The moment of which it speaks.
        at: TimeMs,
        /// Its last moment.
        until: TimeMs,
        /// Its number.
        number: Number,
    },
    /// The certificate is not on the ledger.
    #[error("certificate {certificate} is not recorded")]
    NotRecorded {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The certificate's validity has not started: there is nothing to resume, and nothing to renew yet.
    #[error("the certificate waits for its start at {from}; it is {now} (ms)")]
    NotStarted {
        /// When it starts.
        from: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// The recorded chain names another issuer.
    #[error("the certificate was issued by {recorded}, not by {said}")]
    IssuerDiffers {
        /// The issuer on the recorded chain.
        recorded: CertificateId,
        /// The request's.
        said: CertificateId,
    },
    /// The certificate is revoked, for good.
    #[error("the certificate is revoked since block {since_height}, for good")]
    RevokedForGood {
        /// Since when.
        since_height: Height,
    },
    /// The certificate has this status already.
    #[error("the certificate is {status} since block {since_height} already")]
    Unchanged {
        /// Its status.
        status: Status,
        /// Since when.
        since_height: Height,
    },
    /// The signer's own certificate is suspended or revoked on this ledger.
    #[error("the certificate {signer}, whose key signed the evidence, is {status}")]
    SignerNotNormal {
        /// Whose key signed it.
        signer: CertificateId,
        /// Its status.
        status: Status,
    },
    /// The evidence speaks of the future.
    #[error("the evidence is of {at}; it is {now} (ms)")]
    EvidenceTooEarly {
        /// The moment of which it speaks.
        at: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// The evidence may not be used any longer.
    #[error("the evidence could be used until {until}; it is {now} (ms)")]
    EvidenceOver {
        /// Its last moment.
        until: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// The evidence is older than the participants accept.
    #[error("the evidence is of {at}; at {now} at most {age_ms_max} ms are accepted")]
    EvidenceTooOld {
        /// The moment of which it speaks.
        at: TimeMs,
        /// Time of the block.
        now: TimeMs,
        /// The limit.
        age_ms_max: u64,
    },
    /// The evidence is not newer than what was used before for this certificate.
    #[error("the evidence is of {at}, the one used before of {used} (ms)")]
    EvidenceNotNewer {
        /// The moment of which it speaks.
        at: TimeMs,
        /// The moment of which the one before spoke.
        used: TimeMs,
    },
    /// The CRL's number is not higher than that of the CRL used before.
    #[error("the CRL has number {number}, the one used before had {used} (hexadecimal)")]
    CrlNumberNotHigher {
        /// Its number.
        number: Number,
        /// The number before.
        used: Number,
    },
    /// The statement is for another place in the certificate's history: replayed, or made too early.
    #[error("the statement is for record {said} of the certificate; the next one is {next} (hexadecimal)")]
    StatementSequence {
        /// The sequence in the statement.
        said: Number,
        /// The sequence of the next record.
        next: Number,
    },
    /// The two certificates of a renewal have different subjects (X.1409 C15, A.1: required).
    #[error("the subject of the old certificate is {old}, of the new one {new}")]
    RenewalNameDiffers {
        /// Subject of the old certificate.
        old: String,
        /// Subject of the new one.
        new: String,
    },
    /// The certificates of a renewal have no subject, so that nothing can be compared.
    #[error("a certificate without subject cannot be renewed; publish the new one, revoke the old one")]
    RenewalWithoutName,
    /// Only a certificate in good standing can be renewed.
    #[error("the certificate to be renewed is {status}")]
    RenewalNotNormal {
        /// Its status.
        status: Status,
    },
    /// The certificate to be renewed has expired.
    #[error("the certificate to be renewed ended at {until}; it is {now} (ms)")]
    RenewalOver {
        /// End of its validity.
        until: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// The new certificate is not valid yet, so that there would be none.
    #[error("the new certificate is valid from {from}; it is {now} (ms)")]
    RenewalTooEarly {
        /// Start of its validity.
        from: TimeMs,
        /// Time of the block.
        now: TimeMs,
    },
    /// The evidence is refused; of a renewal, the signature with the old certificate's key.
    #[error(transparent)]
    #[serde(untagged)]
    Evidence(#[from] EvidenceRefusal),
}

impl ChangeRefusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EvidenceNotAttached { .. } => "evidence-not-attached",
            Self::NotIssuer { .. } => "not-issuer",
            Self::EndDiffers { .. } => "end-differs",
            Self::StatusDiffers { .. } => "status-differs",
            Self::EvidenceDiffers { .. } => "evidence-differs",
            Self::NotRecorded { .. } => "not-recorded",
            Self::NotStarted { .. } => "not-started",
            Self::IssuerDiffers { .. } => "issuer-differs",
            Self::RevokedForGood { .. } => "revoked-for-good",
            Self::Unchanged { .. } => "unchanged",
            Self::SignerNotNormal { .. } => "signer-not-normal",
            Self::EvidenceTooEarly { .. } => "evidence-too-early",
            Self::EvidenceOver { .. } => "evidence-over",
            Self::EvidenceTooOld { .. } => "evidence-too-old",
            Self::EvidenceNotNewer { .. } => "evidence-not-newer",
            Self::CrlNumberNotHigher { .. } => "crl-number-not-higher",
            Self::StatementSequence { .. } => "statement-sequence",
            Self::RenewalNameDiffers { .. } => "renewal-name-differs",
            Self::RenewalWithoutName => "renewal-without-name",
            Self::RenewalNotNormal { .. } => "renewal-not-normal",
            Self::RenewalOver { .. } => "renewal-over",
            Self::RenewalTooEarly { .. } => "renewal-too-early",
            Self::Evidence(refusal) => refusal.code(),
        }
    }
}
