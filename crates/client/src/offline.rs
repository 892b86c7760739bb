//! Proof files: checked with the genesis document alone, without any network.
//!
//! A proof file holds the CBOR of a StateProof (status of a certificate) or of a RecordProof (a transaction),
//! as a node serves them, or a node's JSON answer about a certificate, of which only the proof is believed.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::limits::{RECORD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use tabellion_ledger::{CertificateId, RecordProof, StateProof, Transaction, map};
use thiserror::Error;

use crate::trust::{ProvedStatus, ProvedTransaction, Trust, TrustError};

/// Bytes of a proof: the largest record or transaction, and its paths.
pub const PROOF_BYTES_MAX: usize =
    if RECORD_BYTES_MAX > TRANSACTION_BYTES_MAX { RECORD_BYTES_MAX } else { TRANSACTION_BYTES_MAX }
        + 64 * 1024;

/// A proof that was read and not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Of a record of the state, or its absence.
    State(Box<StateProof>),
    /// Of a transaction.
    Record(Box<RecordProof>),
}

/// What a proof file proves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proved {
    /// The status of a certificate.
    Status(Box<ProvedStatus>),
    /// A transaction.
    Transaction(Box<ProvedTransaction>),
}

/// Why a proof file proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OfflineError {
    /// The file is empty.
    #[error("the proof file is empty")]
    Empty,
    /// Not a proof.
    #[error("the file is no proof: {0}")]
    Encoding(DecodeError),
    /// JSON without a proof.
    #[error("the file is JSON, but no answer with a proof: {0}")]
    Json(String),
    /// A proof of something else than a certificate's status.
    #[error("the proof is about map {map} of the state, not about a certificate")]
    OtherRecord {
        /// The map.
        map: u8,
    },
    /// The proof is for another certificate.
    #[error("the proof is for certificate {found}, not for {expected}")]
    OtherCertificate {
        /// The proof's.
        found: CertificateId,
        /// The one asked for.
        expected: CertificateId,
    },
    /// The proof does not hold.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// The part of a node's JSON answer that is of use.
#[derive(Deserialize)]
struct WithProof {
    proof: String,
}

/// Reads a state proof as JSON answers carry it: base64 of its CBOR.
pub fn state_proof_from_base64(text: &str) -> Result<StateProof, OfflineError> {
    let bytes = STANDARD.decode(text).map_err(|error| OfflineError::Json(error.to_string()))?;
    cbor::from_bytes(&bytes, PROOF_BYTES_MAX).map_err(OfflineError::Encoding)
}

/// Reads a proof file.
pub fn read_proof(bytes: &[u8]) -> Result<Proof, OfflineError> {
    match bytes.first() {
        None => Err(OfflineError::Empty),
        Some(b'{') => {
            let json = |reason: String| OfflineError::Json(reason);
            let answer: WithProof = serde_json::from_slice(bytes).map_err(|error| json(error.to_string()))?;
            let bytes = STANDARD.decode(answer.proof).map_err(|error| json(error.to_string()))?;
            read_binary(&bytes)
        }
        Some(_) => read_binary(bytes),
    }
}

fn read_binary(bytes: &[u8]) -> Result<Proof, OfflineError> {
    match bytes.first() {
        // The head of an array of six: a record proof; a state proof has five elements.
        Some(0x86) => cbor::from_bytes(bytes, PROOF_BYTES_MAX)
            .map(|proof| Proof::Record(Box::new(proof)))
            .map_err(OfflineError::Encoding),
        _ => cbor::from_bytes(bytes, PROOF_BYTES_MAX)
            .map(|proof| Proof::State(Box::new(proof)))
            .map_err(OfflineError::Encoding),
    }
}

/// Checks a proof file against a genesis document, and that it is about `certificate` where one is given.
///
/// Source: X.1409 C10, C17: the verdict of a quorum, checked without asking anybody.
pub fn verify_offline(
    proof: &[u8],
    trust: &Trust,
    certificate: Option<&CertificateId>,
) -> Result<Proved, OfflineError> {
    let proof = match read_proof(proof)? {
        Proof::State(proof) => proof,
        Proof::Record(proof) => {
            let transaction = Transaction::from_bytes(&proof.transaction).map_err(OfflineError::Encoding)?;
            let proved = trust.transaction(&proof, &transaction.id())?;
            return Ok(Proved::Transaction(Box::new(proved)));
        }
    };
    let key =
        <[u8; 32]>::try_from(proof.key.key.as_slice()).ok().filter(|_| proof.key.map == map::CERTIFICATE);
    let found = CertificateId(key.ok_or(OfflineError::OtherRecord { map: proof.key.map })?);
    if let Some(expected) = certificate.copied().filter(|expected| *expected != found) {
        return Err(OfflineError::OtherCertificate { found, expected });
    }
    Ok(Proved::Status(Box::new(trust.status(&proof, &found)?)))
}
