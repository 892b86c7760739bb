//! Proof files: checked with the genesis document alone, without any network.
//!
//! A proof file holds the CBOR of a StateProof (status of a certificate) or of a RecordProof (a transaction),
//! as a node serves them, or a node's JSON answer about a certificate, of which only the proof is believed.
//! Where the validators have changed since genesis it holds `[[hand-over, ...], proof]`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tabellion_ledger::cbor::{self, DecodeError, Reader};
use tabellion_ledger::limits::{RECORD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use tabellion_ledger::{CertificateId, HandOver, RecordProof, StateProof, Transaction, map};
use thiserror::Error;

use crate::trust::{ProvedStatus, ProvedTransaction, Trust, TrustError};

/// Bytes of a proof: the largest record or transaction, and its paths.
pub const PROOF_BYTES_MAX: usize =
    if RECORD_BYTES_MAX > TRANSACTION_BYTES_MAX { RECORD_BYTES_MAX } else { TRANSACTION_BYTES_MAX }
        + 64 * 1024;

/// Bytes of a proof file: a proof, and hand-overs of a kilobyte each and more.
const PROOF_FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Hand-overs of a proof file.
const HAND_OVERS_MAX: usize = 65_536;
/// The head of a file that begins with hand-overs.
const ARRAY_OF_TWO: u8 = 0x82;
/// The head of a record proof; a state proof has five elements.
const ARRAY_OF_SIX: u8 = 0x86;

/// A proof file that was read and not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProofFile {
    /// The changes of validators from genesis on, or none.
    pub hand_overs: Vec<HandOver>,
    /// The proof.
    pub proof: Proof,
}

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
pub fn read_proof(bytes: &[u8]) -> Result<ProofFile, OfflineError> {
    match bytes.first() {
        None => Err(OfflineError::Empty),
        Some(b'{') => {
            let json = |reason: String| OfflineError::Json(reason);
            let answer: WithProof = serde_json::from_slice(bytes).map_err(|error| json(error.to_string()))?;
            let bytes = STANDARD.decode(answer.proof).map_err(|error| json(error.to_string()))?;
            read_binary(&bytes).map_err(OfflineError::Encoding)
        }
        Some(_) => read_binary(bytes).map_err(OfflineError::Encoding),
    }
}

fn read_binary(bytes: &[u8]) -> Result<ProofFile, DecodeError> {
    if bytes.len() > PROOF_FILE_BYTES_MAX {
        return Err(DecodeError::TooLong { length: bytes.len(), limit: PROOF_FILE_BYTES_MAX });
    }
    let mut input = Reader::new(bytes);
    let mut hand_overs = Vec::new();
    let mut rest = bytes;
    if bytes.first() == Some(&ARRAY_OF_TWO) {
        input.array_exact(2)?;
        hand_overs = input.list(HAND_OVERS_MAX)?;
        rest = &bytes[input.offset()..];
    }
    let proof = match rest.first() {
        Some(&ARRAY_OF_SIX) => Proof::Record(Box::new(cbor::from_bytes(rest, PROOF_BYTES_MAX)?)),
        _ => Proof::State(Box::new(cbor::from_bytes(rest, PROOF_BYTES_MAX)?)),
    };
    Ok(ProofFile { hand_overs, proof })
}

/// Checks a proof file against a genesis document, and that it is about `certificate` where one is given.
///
/// Source: X.1409 C10, C17: the verdict of a quorum, checked without asking anybody.
pub fn verify_offline(
    proof: &[u8],
    trust: &Trust,
    certificate: Option<&CertificateId>,
) -> Result<Proved, OfflineError> {
    let ProofFile { hand_overs, proof } = read_proof(proof)?;
    let mut trust = trust.clone();
    for hand_over in &hand_overs {
        trust.learn(hand_over)?;
    }
    let proof = match proof {
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
