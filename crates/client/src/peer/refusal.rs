//! Why a peer is not let in.

use tabellion_ledger::{CertificateId, KeyId};
use tabellion_pki::{Reason, Standing};
use thiserror::Error;

/// Why a peer is not let in. The handshake ends with it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PeerRefusal {
    /// It showed something that is neither a key nor a certificate.
    #[error("the peer shows no {expected}")]
    Malformed {
        /// What was expected.
        expected: &'static str,
    },
    /// No certificate of its key is on the ledger.
    #[error("the ledger knows no certificate of key {key}")]
    UnknownKey {
        /// SHA-256 of the SubjectPublicKeyInfo that it showed.
        key: KeyId,
    },
    /// Its certificate, or the newest one of its key, is not valid.
    #[error("certificate {certificate} is {}", standing.word())]
    NotValid {
        /// The certificate.
        certificate: CertificateId,
        /// What it is.
        standing: Standing,
    },
    /// A certificate of its key was revoked for a reason that concerns the key: no other certificate helps.
    #[error("key {key} is compromised: certificate {certificate} was revoked as {reason}")]
    Compromised {
        /// The key.
        key: KeyId,
        /// The revoked certificate.
        certificate: CertificateId,
        /// Why it was revoked.
        reason: Reason,
    },
    /// The certificate does not name whom was asked for.
    #[error("certificate {certificate} is not for {expected}")]
    Name {
        /// The certificate.
        certificate: CertificateId,
        /// Whom was asked for.
        expected: String,
    },
    /// The certificate may not be used at this end of a TLS connection (RFC 5280 4.2.1.3, 4.2.1.12).
    #[error("certificate {certificate} may not be used by a TLS {end}")]
    Usage {
        /// The certificate.
        certificate: CertificateId,
        /// Server or client.
        end: &'static str,
    },
    /// No node gives the certificate, so that its name cannot be compared: a ledger of identifiers whose
    /// backup nodes are away.
    #[error("no node gives certificate {certificate}, so nobody knows whom it is for")]
    NoCertificate {
        /// The certificate.
        certificate: CertificateId,
    },
    /// No node answers with a proof, and what is known is too old to rely on.
    #[error("the status is not known: {reason}")]
    Unreachable {
        /// What happened.
        reason: String,
    },
}
