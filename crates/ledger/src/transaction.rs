//! A transaction: a signed content and the attachments that the content commits to.

use std::fmt;
use std::sync::Arc;

use crate::cbor::{self, DecodeError, Reader, Wire, Writer};
use crate::envelope::{Envelope, EnvelopeError};
use crate::id::{Hash, KeyId, LedgerId, TimeMs, TransactionId, sha256, sha256_parts};
use crate::lane::Lane;
use crate::limits::{ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, ENVELOPE_BYTES_MAX, TRANSACTION_BYTES_MAX};
use crate::merkle;

/// What a submitter signs.
///
/// Shape: [ledger id, lane, valid until (ms), nonce (16 bytes), action (bytes of the service that owns the
/// lane), attachments root].
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
    /// RFC 9162 root over the attachments, in order; [`attachments_root`] makes it.
    pub attachments: Hash,
}

/// The root over attachments that a content carries; over none it is the root of the empty tree.
pub fn attachments_root(attachments: &[Vec<u8>]) -> Hash {
    let leaves: Vec<Hash> = attachments.iter().map(|attachment| merkle::leaf_hash(attachment)).collect();
    merkle::root(&leaves)
}

impl Wire for Content {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        self.ledger.encode(out);
        self.lane.encode(out);
        self.valid_until.encode(out);
        out.bytes(&self.nonce);
        out.bytes(&self.action);
        self.attachments.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            lane: Lane::decode(input)?,
            valid_until: TimeMs::decode(input)?,
            nonce: input.bytes_exact()?,
            action: input.bytes(ENVELOPE_BYTES_MAX)?.to_vec(),
            attachments: Hash::decode(input)?,
        })
    }
}

/// A transaction that parsed: canonical bytes, content decoded, identifier known, attachments those that the
/// content commits to, or left out; the signature is not yet checked. Cheap to clone.
///
/// Shape: [envelope (COSE_Sign1), [attachment bytes, ...]].
#[derive(Clone, PartialEq, Eq)]
pub struct Transaction(Arc<Parsed>);

/// What is known of a transaction once its bytes are read; all of it follows from `wire`.
#[derive(PartialEq, Eq)]
struct Parsed {
    wire: Vec<u8>,
    envelope: Envelope,
    attachments: Vec<Vec<u8>>,
    content: Content,
    id: TransactionId,
    record_leaf: Hash,
    is_complete: bool,
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
    ///
    /// Refuses: a payload that is no content; attachments, unless there are none, that are not those that the
    /// content commits to.
    pub fn new(envelope: Envelope, attachments: Vec<Vec<u8>>) -> Result<Self, DecodeError> {
        let mut out = Writer::default();
        out.array(2);
        envelope.encode(&mut out);
        encode_attachments(&attachments, &mut out);
        Self::of_parts(envelope, attachments, out.into_bytes())
    }

    fn of_parts(envelope: Envelope, attachments: Vec<Vec<u8>>, wire: Vec<u8>) -> Result<Self, DecodeError> {
        let content: Content = cbor::from_bytes(&envelope.payload, ENVELOPE_BYTES_MAX)?;
        let is_complete = attachments_root(&attachments) == content.attachments;
        if !is_complete && !attachments.is_empty() {
            return Err(DecodeError::Value { field: "attachments" });
        }
        let id = envelope.transaction_id();
        let record_leaf = Self::record_leaf_of(&id, &Hash(sha256(&wire)));
        Ok(Self(Arc::new(Parsed { wire, envelope, attachments, content, id, record_leaf, is_complete })))
    }

    /// Parses the wire form.
    ///
    /// Limit: [`TRANSACTION_BYTES_MAX`], [`ATTACHMENTS_MAX`], [`ATTACHMENT_BYTES_MAX`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::from_bytes(bytes, TRANSACTION_BYTES_MAX)
    }

    /// The wire form.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.wire
    }

    /// A copy of the wire form.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.wire.clone()
    }

    /// The signed envelope.
    pub fn envelope(&self) -> &Envelope {
        &self.0.envelope
    }

    /// What the submitter signed.
    pub fn content(&self) -> &Content {
        &self.0.content
    }

    /// The attachments, in the order in which they were signed.
    pub fn attachments(&self) -> &[Vec<u8>] {
        &self.0.attachments
    }

    /// Whether all attachments that the content commits to are here.
    pub fn is_complete(&self) -> bool {
        self.0.is_complete
    }

    /// The unique identifier.
    pub fn id(&self) -> TransactionId {
        self.0.id
    }

    /// The submitter's key.
    pub fn submitter(&self) -> KeyId {
        self.0.envelope.key_id
    }

    /// The same transaction without attachments: what a ledger of identifiers records.
    pub fn without_attachments(&self) -> Self {
        match self.0.attachments.is_empty() {
            true => self.clone(),
            false => self.with_attachments(Vec::new()).expect("invariant: none may always be left out"),
        }
    }

    /// The same signed content with these attachments.
    ///
    /// Refuses: attachments, unless there are none, that are not those that the content commits to.
    pub fn with_attachments(&self, attachments: Vec<Vec<u8>>) -> Result<Self, DecodeError> {
        Self::new(self.0.envelope.clone(), attachments)
    }

    /// The leaf of the lane's records tree.
    ///
    /// Shape: leaf hash (RFC 9162) of transaction id || SHA-256(recorded bytes). The identifier alone leaves
    /// the signature out, and whether attachments are recorded; with the second half the header commits to
    /// every byte of the body, so nobody can pass on a block whose body was altered under an unchanged
    /// digest.
    pub fn record_leaf(&self) -> Hash {
        self.0.record_leaf
    }

    /// The record leaf of a transaction of which only the two hashes are at hand.
    pub fn record_leaf_of(id: &TransactionId, bytes_hash: &Hash) -> Hash {
        Hash(sha256_parts(&[&[0], id.as_bytes(), bytes_hash.as_bytes()]))
    }
}

impl fmt::Debug for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("id", &self.id())
            .field("envelope", self.envelope())
            .field("content", self.content())
            .field("attachments", &self.attachments())
            .finish()
    }
}

impl Wire for Transaction {
    fn encode(&self, out: &mut Writer) {
        out.raw(&self.0.wire);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let begin = input.offset();
        input.array_exact(2)?;
        let envelope = Envelope::decode(input)?;
        let attachments = decode_attachments(input)?;
        Self::of_parts(envelope, attachments, input.since(begin).to_vec())
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
