//! Why a CA's feedback is no evidence.

use serde::Serialize;
use tabellion_ledger::{CertificateId, LedgerId, TimeMs};
use thiserror::Error;

use crate::change::EvidenceKind;

/// Why a piece of evidence is refused, whatever the time and the state.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum EvidenceRefusal {
    /// More bytes than evidence of this kind may have.
    #[error("the evidence ({kind}) has {bytes} bytes, the limit is {bytes_max}")]
    #[serde(rename = "evidence-too-large")]
    TooLarge {
        /// Its kind.
        kind: EvidenceKind,
        /// Bytes found.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Cut off.
    #[error("the evidence ({kind}) announces {expected} bytes and has {found}")]
    #[serde(rename = "evidence-truncated")]
    Truncated {
        /// Its kind.
        kind: EvidenceKind,
        /// Bytes announced.
        expected: usize,
        /// Bytes found.
        found: usize,
    },
    /// Followed by other bytes.
    #[error("the evidence ({kind}) is followed by {extra} other bytes")]
    #[serde(rename = "evidence-trailing-bytes")]
    TrailingBytes {
        /// Its kind.
        kind: EvidenceKind,
        /// Bytes that follow.
        extra: usize,
    },
    /// Not evidence of this kind.
    #[error("the evidence is no {kind} that can be read")]
    #[serde(rename = "evidence-malformed")]
    Malformed {
        /// The kind it should be.
        kind: EvidenceKind,
        /// Where decoding stopped, if it is known.
        position: Option<u32>,
    },
    /// Not in DER.
    #[error("the evidence ({kind}) is not in its only encoding, DER")]
    #[serde(rename = "evidence-not-canonical")]
    NotCanonical {
        /// Its kind.
        kind: EvidenceKind,
    },
    /// Too many responses or certificates within.
    #[error("the evidence ({kind}) has {count} parts of one sort, the limit is {count_max}")]
    #[serde(rename = "evidence-too-many-parts")]
    TooManyParts {
        /// Its kind.
        kind: EvidenceKind,
        /// Parts found.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// Says two things of one certificate, or has an extension twice.
    #[error("the evidence ({kind}) says something twice")]
    #[serde(rename = "evidence-ambiguous")]
    Ambiguous {
        /// Its kind.
        kind: EvidenceKind,
    },
    /// A critical extension that nobody here understands.
    #[error("the evidence ({kind}) has the unknown critical extension {extension}")]
    #[serde(rename = "evidence-unknown-extension")]
    UnknownExtension {
        /// Its kind.
        kind: EvidenceKind,
        /// Object identifier.
        extension: String,
    },
    /// A signature or hash algorithm that is not accepted.
    #[error("the evidence uses {algorithm}, which this ledger does not accept")]
    #[serde(rename = "evidence-algorithm")]
    AlgorithmNotAccepted {
        /// The algorithm.
        algorithm: String,
    },
    /// Two algorithms where one is meant.
    #[error("the evidence names {signed} inside of what is signed and {outer} outside")]
    #[serde(rename = "evidence-algorithms-differ")]
    AlgorithmsDiffer {
        /// Inside.
        signed: String,
        /// Outside.
        outer: String,
    },
    /// The signer's key is of a kind that is not accepted.
    #[error("the evidence is signed with a key that this ledger does not accept: {key}")]
    #[serde(rename = "evidence-key")]
    KeyNotAccepted {
        /// The key's kind.
        key: String,
    },
    /// An algorithm that this key cannot have been used with.
    #[error("{algorithm} does not fit the signer's key, {key}")]
    #[serde(rename = "evidence-algorithm-does-not-fit-key")]
    AlgorithmDoesNotFitKey {
        /// The algorithm.
        algorithm: String,
        /// The key's kind.
        key: String,
    },
    /// The signature does not verify.
    #[error("the signature does not verify with the key of {signer}")]
    #[serde(rename = "evidence-signature")]
    SignatureWrong {
        /// The certificate whose key should have made it.
        signer: CertificateId,
    },
    /// It speaks of certificates of another CA.
    #[error("the evidence ({kind}) is not about certificates that {issuer} issued")]
    #[serde(rename = "evidence-of-other-ca")]
    OtherIssuer {
        /// Its kind.
        kind: EvidenceKind,
        /// The certificate of the CA in question.
        issuer: CertificateId,
    },
    /// It does not speak of this certificate.
    #[error("the evidence ({kind}) does not speak of certificate {asked}")]
    #[serde(rename = "evidence-of-other-certificate")]
    OtherCertificate {
        /// Its kind.
        kind: EvidenceKind,
        /// The certificate in question.
        asked: CertificateId,
    },
    /// A statement for another ledger.
    #[error("the statement is for ledger {named}; this is ledger {here}")]
    #[serde(rename = "evidence-for-other-ledger")]
    OtherLedger {
        /// The ledger that it names.
        named: LedgerId,
        /// The ledger here.
        here: LedgerId,
    },
    /// An OCSP response that is an error.
    #[error("the OCSP response is the error {status}")]
    ResponseNotSuccessful {
        /// Its number. Source: RFC 6960 4.2.1.
        status: u8,
    },
    /// An OCSP response of another type than basic.
    #[error("the OCSP response is of type {response_type}, not basic")]
    ResponseType {
        /// Object identifier.
        response_type: String,
    },
    /// The responder does not know the certificate.
    #[error("the OCSP responder says unknown, which is no status")]
    StatusUnknown,
    /// Neither the CA nor a certificate in the response is the responder.
    #[error("the responder is neither {issuer} nor one whose certificate is in the response")]
    ResponderUnknown {
        /// The CA's certificate.
        issuer: CertificateId,
    },
    /// The CA did not issue the delegate's certificate itself.
    #[error("the responder's certificate {delegate} was not issued by {issuer} itself")]
    DelegateNotOfCa {
        /// The delegate's certificate.
        delegate: CertificateId,
        /// The CA's certificate.
        issuer: CertificateId,
    },
    /// The delegate's certificate is not for OCSP responses.
    #[error("the responder's certificate {delegate} is not for signing OCSP responses")]
    DelegateUsage {
        /// The delegate's certificate.
        delegate: CertificateId,
    },
    /// The delegate's certificate was not valid when the response was made.
    #[error("the responder's certificate {delegate} is valid from {from} until {until}, not at {at} (ms)")]
    DelegateNotValid {
        /// The delegate's certificate.
        delegate: CertificateId,
        /// Start of its validity.
        from: TimeMs,
        /// End of its validity.
        until: TimeMs,
        /// When the response was made.
        at: TimeMs,
    },
    /// A delta CRL.
    #[error("the CRL is a delta CRL; a complete one is needed")]
    DeltaCrl,
    /// An indirect CRL.
    #[error("the CRL is an indirect one; one of the CA's own is needed")]
    IndirectCrl,
    /// A CRL that covers a part only.
    #[error("the CRL covers a part of the CA's certificates or reasons; a complete one is needed")]
    PartialCrl,
    /// A CRL without a usable number.
    #[error("the CRL has no number, or one of more than 20 octets")]
    CrlNumber,
    /// `removeFromCRL`, which stands in delta CRLs only.
    #[error("the reason removeFromCRL belongs into delta CRLs")]
    RemovedFromCrl,
    /// The CA's certificate is not for CRLs.
    #[error("the certificate {issuer} is not for signing CRLs")]
    CrlUsage {
        /// The CA's certificate.
        issuer: CertificateId,
    },
}

impl EvidenceRefusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "evidence-too-large",
            Self::Truncated { .. } => "evidence-truncated",
            Self::TrailingBytes { .. } => "evidence-trailing-bytes",
            Self::Malformed { .. } => "evidence-malformed",
            Self::NotCanonical { .. } => "evidence-not-canonical",
            Self::TooManyParts { .. } => "evidence-too-many-parts",
            Self::Ambiguous { .. } => "evidence-ambiguous",
            Self::UnknownExtension { .. } => "evidence-unknown-extension",
            Self::AlgorithmNotAccepted { .. } => "evidence-algorithm",
            Self::AlgorithmsDiffer { .. } => "evidence-algorithms-differ",
            Self::KeyNotAccepted { .. } => "evidence-key",
            Self::AlgorithmDoesNotFitKey { .. } => "evidence-algorithm-does-not-fit-key",
            Self::SignatureWrong { .. } => "evidence-signature",
            Self::OtherIssuer { .. } => "evidence-of-other-ca",
            Self::OtherCertificate { .. } => "evidence-of-other-certificate",
            Self::OtherLedger { .. } => "evidence-for-other-ledger",
            Self::ResponseNotSuccessful { .. } => "response-not-successful",
            Self::ResponseType { .. } => "response-type",
            Self::StatusUnknown => "status-unknown",
            Self::ResponderUnknown { .. } => "responder-unknown",
            Self::DelegateNotOfCa { .. } => "delegate-not-of-ca",
            Self::DelegateUsage { .. } => "delegate-usage",
            Self::DelegateNotValid { .. } => "delegate-not-valid",
            Self::DeltaCrl => "delta-crl",
            Self::IndirectCrl => "indirect-crl",
            Self::PartialCrl => "partial-crl",
            Self::CrlNumber => "crl-number",
            Self::RemovedFromCrl => "removed-from-crl",
            Self::CrlUsage { .. } => "crl-usage",
        }
    }
}
