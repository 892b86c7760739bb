//! The signed envelope: COSE_Sign1 (RFC 9052 section 4.2) in one fixed form.
//!
//! Shape: `18([protected, {}, payload, signature])` where protected is the bytes of
//! `{1: algorithm, 4: key id}`. The signature covers `["Signature1", protected, h'', payload]`.

use std::fmt;

use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::{KeyId, TransactionId, sha256};
use crate::limits::ENVELOPE_BYTES_MAX;
use crate::signature::{Algorithm, PublicKey, Signature, SignatureFault};

const COSE_SIGN1_TAG: u64 = 18;
const HEADER_ALGORITHM: i64 = 1;
const HEADER_KEY_ID: i64 = 4;

/// A payload under one signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The signature's algorithm.
    pub algorithm: Algorithm,
    /// The submitter's key.
    pub key_id: KeyId,
    /// What is signed.
    pub payload: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

/// Why an envelope does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// The key at hand is not the one that the envelope names.
    OtherKey {
        /// The key that the envelope names.
        named: KeyId,
        /// The key at hand.
        given: KeyId,
    },
    /// The envelope names another algorithm than the key's.
    OtherAlgorithm {
        /// The envelope's.
        named: Algorithm,
        /// The key's.
        given: Algorithm,
    },
    /// The signature fails.
    Signature(SignatureFault),
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherKey { named, given } => write!(f, "signed by key {named}, checked with key {given}"),
            Self::OtherAlgorithm { named, given } => write!(f, "signed as {named} with a key for {given}"),
            Self::Signature(fault) => fault.fmt(f),
        }
    }
}

impl std::error::Error for EnvelopeError {}

fn protected_bytes(algorithm: Algorithm, key_id: &KeyId) -> Vec<u8> {
    let mut out = Writer::default();
    out.map(2);
    out.int(HEADER_ALGORITHM);
    out.int(algorithm.cose_number());
    out.int(HEADER_KEY_ID);
    out.bytes(key_id.as_bytes());
    out.into_bytes()
}

impl Envelope {
    /// The bytes that a submitter signs: the Sig_structure of RFC 9052 section 4.4.
    pub fn signed_bytes(algorithm: Algorithm, key_id: &KeyId, payload: &[u8]) -> Vec<u8> {
        let mut out = Writer::default();
        out.array(4);
        out.text("Signature1");
        out.bytes(&protected_bytes(algorithm, key_id));
        out.bytes(&[]);
        out.bytes(payload);
        out.into_bytes()
    }

    /// SHA-256 of the signed bytes. The signature is left out: a second valid signature over the same content
    /// makes no second transaction.
    ///
    /// Source: X.1409 L2, clause 3.1.12 (required).
    pub fn transaction_id(&self) -> TransactionId {
        TransactionId(sha256(&Self::signed_bytes(self.algorithm, &self.key_id, &self.payload)))
    }

    /// Checks the signature with the key that the envelope names.
    #[cfg(not(target_family = "wasm"))]
    pub fn verify(&self, key: &PublicKey) -> Result<(), EnvelopeError> {
        if key.id() != self.key_id {
            return Err(EnvelopeError::OtherKey { named: self.key_id, given: key.id() });
        }
        if key.algorithm() != self.algorithm {
            return Err(EnvelopeError::OtherAlgorithm { named: self.algorithm, given: key.algorithm() });
        }
        let signed = Self::signed_bytes(self.algorithm, &self.key_id, &self.payload);
        key.verify(&signed, &self.signature).map_err(EnvelopeError::Signature)
    }
}

impl Wire for Envelope {
    fn encode(&self, out: &mut Writer) {
        out.tag(COSE_SIGN1_TAG);
        out.array(4);
        out.bytes(&protected_bytes(self.algorithm, &self.key_id));
        out.map(0);
        out.bytes(&self.payload);
        out.bytes(&self.signature.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.tag(COSE_SIGN1_TAG)?;
        input.array_exact(4)?;
        let (algorithm, key_id) = decode_protected(input.bytes(64)?)?;
        input.map_exact(0)?;
        let payload = input.bytes(ENVELOPE_BYTES_MAX)?.to_vec();
        let signature = Signature(input.bytes(algorithm.signature_bytes())?.to_vec());
        if signature.0.len() != algorithm.signature_bytes() {
            return Err(DecodeError::Value { field: "signature" });
        }
        Ok(Self { algorithm, key_id, payload, signature })
    }
}

fn decode_protected(bytes: &[u8]) -> Result<(Algorithm, KeyId), DecodeError> {
    let mut input = Reader::new(bytes);
    input.map_exact(2)?;
    if input.int()? != HEADER_ALGORITHM {
        return Err(DecodeError::Value { field: "protected header 1" });
    }
    let algorithm = Algorithm::decode(&mut input)?;
    if input.int()? != HEADER_KEY_ID {
        return Err(DecodeError::Value { field: "protected header 4" });
    }
    let key_id = KeyId::decode(&mut input)?;
    input.finish()?;
    Ok((algorithm, key_id))
}

#[cfg(test)]
mod tests;
