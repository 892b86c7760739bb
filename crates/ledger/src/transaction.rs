//! A transaction: a signed content and the attachments that the content names by hash.

use std::fmt;

use crate::cbor::{self, DecodeError, Reader, Wire, Writer};
use crate::envelope::{Envelope, EnvelopeError};
use crate::id::{Hash, KeyId, LedgerId, TimeMs, TransactionId, sha256, sha256_parts};
use crate::lane::Lane;
use crate::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, ENVELOPE_BYTES_MAX, TRANSACTION_BYTES_MAX};
use crate::merkle;

/// What a submitter signs.
///
/// Shape: [ledger id, lane, valid until (ms), nonce (16 bytes), action (bytes of the service that owns the
/// lane)].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The ledger that this transaction is for; on any other it is refused.
    pub ledger: LedgerId,
    /// The lane, and with it the service.
    pub lane: Lane,
    /// The last moment at which the transaction may be recorded. Unit: ms since 1970.
    pub valid_until: TimeMs,
    /// Makes two equal actions two transactions.
    pub nonce: [u8; 16],
    /// The service's action, encoded.
    pub action: Vec<u8>,
}

impl Wire for Content {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.ledger.encode(out);
        self.lane.encode(out);
        self.valid_until.encode(out);
        out.bytes(&self.nonce);
        out.bytes(&self.action);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            lane: Lane::decode(input)?,
            valid_until: TimeMs::decode(input)?,
            nonce: input.bytes_exact()?,
            action: input.bytes(ENVELOPE_BYTES_MAX)?.to_vec(),
        })
    }
}

/// A transaction that parsed: canonical bytes, content decoded, identifier known; the signature is not yet
/// checked.
///
/// Shape: [envelope (COSE_Sign1), [attachment bytes, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    envelope: Envelope,
    attachments: Vec<Vec<u8>>,
    content: Content,
    id: TransactionId,
}

/// Why bytes are not a transaction of this ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionFault {
    /// Not the transaction's only encoding.
    Encoding(DecodeError),
    /// Made for another ledger.
    ForeignLedger {
        /// The ledger that it names.
        named: LedgerId,
        /// The ledger here.
        here: LedgerId,
    },
    /// Signed by another key, or the signature fails.
    Envelope(EnvelopeError),
}

impl fmt::Display for TransactionFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encoding(error) => write!(f, "the transaction's encoding is refused: {error}"),
            Self::ForeignLedger { named, here } => {
                write!(f, "made for ledger {named}; this is ledger {here}")
            }
            Self::Envelope(error) => write!(f, "the signature is refused: {error}"),
        }
    }
}

impl std::error::Error for TransactionFault {}

impl Transaction {
    /// Joins an envelope and its attachments.
    pub fn new(envelope: Envelope, attachments: Vec<Vec<u8>>) -> Result<Self, DecodeError> {
        let content = cbor::from_bytes(&envelope.payload, ENVELOPE_BYTES_MAX)?;
        let id = envelope.transaction_id();
        Ok(Self { envelope, attachments, content, id })
    }

    /// Parses the wire form.
    ///
    /// Limit: [`TRANSACTION_BYTES_MAX`], [`ATTACHMENTS_MAX`], [`ATTACHMENT_BYTES_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::from_bytes(bytes, TRANSACTION_BYTES_MAX)
    }

    /// The wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        cbor::to_bytes(self)
    }

    /// The signed envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// What the submitter signed.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// The attachments, in the order in which they were sent.
    pub fn attachments(&self) -> &[Vec<u8>] {
        &self.attachments
    }

    /// The unique identifier.
    pub fn id(&self) -> TransactionId {
        self.id
    }

    /// The submitter's key.
    pub fn submitter(&self) -> KeyId {
        self.envelope.key_id
    }

    /// The same transaction without attachments: what a ledger of identifiers records.
    pub fn without_attachments(&self) -> Self {
        self.with_attachments(Vec::new())
    }

    /// The same signed content with these attachments.
    pub fn with_attachments(&self, attachments: Vec<Vec<u8>>) -> Self {
        Self { envelope: self.envelope.clone(), attachments, content: self.content.clone(), id: self.id }
    }

    /// The leaf of the lane's records tree.
    ///
    /// Shape: leaf hash (RFC 9162) of transaction id || SHA-256(recorded bytes). The identifier alone leaves
    /// the signature and the attachments out; with the second half the header commits to every byte of the
    /// body, so nobody can pass on a block whose body was altered under an unchanged digest.
    pub fn record_leaf(&self) -> Hash {
        let mut data = [0; 64];
        data[..32].copy_from_slice(self.id.as_bytes());
        data[32..].copy_from_slice(&sha256(&self.to_bytes()));
        merkle::leaf_hash(&data)
    }

    /// The record leaf of a transaction of which only the two hashes are at hand.
    pub fn record_leaf_of(id: &TransactionId, bytes_hash: &Hash) -> Hash {
        Hash(sha256_parts(&[&[0], id.as_bytes(), bytes_hash.as_bytes()]))
    }
}

impl Wire for Transaction {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.envelope.encode(out);
        encode_attachments(&self.attachments, out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let envelope = Envelope::decode(input)?;
        let attachments = decode_attachments(input)?;
        Self::new(envelope, attachments)
    }
}

/// Appends a list of attachments.
pub(crate) fn encode_attachments(attachments: &[Vec<u8>], out: &mut Writer) {
    out.array(attachments.len());
    for attachment in attachments {
        out.bytes(attachment);
    }
}

/// Reads a list of attachments.
///
/// Limit: [`ATTACHMENTS_MAX`] of [`ATTACHMENT_BYTES_MAX`].
pub(crate) fn decode_attachments(input: &mut Reader<'_>) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut attachments = Vec::new();
    for _ in 0..input.array(ATTACHMENTS_MAX)? {
        attachments.push(input.bytes(ATTACHMENT_BYTES_MAX)?.to_vec());
    }
    Ok(attachments)
}

#[cfg(test)]
mod tests;
