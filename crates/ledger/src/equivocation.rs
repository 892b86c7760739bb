//! Equivocation: two votes of one validator in one view that no honest validator signs both.
//!
//! Evidence carries the votes with their signatures, so that anybody who knows the validator's key can check
//! it offline, without the engine and without the blocks. Each vote is signed with plain Ed25519 (RFC 8032,
//! verified by the rules of ZIP 215):
//!
//! ```text
//! notarise  varint(62) || "tabellion/consensus/1" || ledger id (32) || "_NOTARIZE"
//!                      || varint(epoch) || varint(view) || varint(parent view) || header hash (32)
//! nullify   varint(61) || "tabellion/consensus/1" || ledger id (32) || "_NULLIFY"
//!                      || varint(epoch) || varint(view)
//! finalise  as in a finality proof
//! ```
//!
//! What is no evidence: two votes of different views; a notarise vote beside a nullify vote, which an honest
//! validator signs when its patience ends; a notarise vote for one block and a finalise vote for another,
//! which the engine does not report.

use std::fmt;

use ed25519_consensus::{Signature, VerificationKey};

use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::finality::{CONSENSUS_NAMESPACE, finalize_message, push_varint};
use crate::id::{HeaderHash, LedgerId};

const NOTARIZE_SUFFIX: &[u8] = b"_NOTARIZE";
const NULLIFY_SUFFIX: &[u8] = b"_NULLIFY";

/// A validator's vote for a block, to notarise or to finalise it.
///
/// Shape: [parent view, header hash, signature (64 bytes)].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockVote {
    /// The view of the block's parent.
    pub parent_view: u64,
    /// The block.
    pub header: HeaderHash,
    /// The Ed25519 signature.
    pub signature: [u8; 64],
}

impl BlockVote {
    /// What is voted for: an honest validator votes for one of these in a view.
    fn subject(&self) -> (u64, HeaderHash) {
        (self.parent_view, self.header)
    }
}

impl Wire for BlockVote {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        out.uint(self.parent_view);
        self.header.encode(out);
        out.bytes(&self.signature);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            parent_view: input.uint()?,
            header: HeaderHash::decode(input)?,
            signature: input.bytes_exact()?,
        })
    }
}

/// Two votes of one kind for different blocks, ascending by parent view and header hash, so that two votes
/// make one evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VotePair([BlockVote; 2]);

impl VotePair {
    /// The pair, in whatever order the votes came. `None`: both are for the same block upon the same view.
    pub fn new(one: BlockVote, other: BlockVote) -> Option<Self> {
        match one.subject().cmp(&other.subject()) {
            std::cmp::Ordering::Less => Some(Self([one, other])),
            std::cmp::Ordering::Equal => None,
            std::cmp::Ordering::Greater => Some(Self([other, one])),
        }
    }

    /// The two votes.
    pub fn votes(&self) -> &[BlockVote; 2] {
        &self.0
    }
}

/// The two votes that exclude each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// To notarise two blocks. Kind 0.
    Notarize(VotePair),
    /// To finalise two blocks. Kind 1.
    Finalize(VotePair),
    /// To leave the view without a block, and to finalise one in it. Kind 2.
    NullifyFinalize {
        /// Signature of the nullify vote.
        nullify: [u8; 64],
        /// The finalise vote.
        finalize: BlockVote,
    },
}

/// Evidence that a validator voted two ways in one view.
///
/// Shape: [kind, epoch, view, validator key (32 bytes), vote, vote]; of kind 2 the first vote is the nullify
/// vote's signature alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The engine's epoch.
    pub epoch: u64,
    /// The engine's view.
    pub view: u64,
    /// The validator's Ed25519 key. A place in the roster would not be signed by anybody.
    pub validator: [u8; 32],
    /// What it signed.
    pub conflict: Conflict,
}

/// Why evidence shows nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EquivocationFault {
    /// It accuses another validator than the one asked about.
    OtherValidator {
        /// The key in the evidence.
        named: [u8; 32],
        /// The key asked about.
        given: [u8; 32],
    },
    /// A vote's signature does not verify.
    Signature {
        /// The vote's place, 0 or 1.
        vote: usize,
    },
}

impl fmt::Display for EquivocationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherValidator { named, given } => {
                write!(f, "evidence against {}, not against {}", hex::encode(named), hex::encode(given))
            }
            Self::Signature { vote } => write!(f, "the signature of vote {vote} does not verify"),
        }
    }
}

impl std::error::Error for EquivocationFault {}

impl Equivocation {
    /// Bytes of the largest evidence, rounded up: all of its parts have a fixed size.
    pub const BYTES_MAX: usize = 512;

    /// What the validator signed: the messages of the two votes, in their order.
    pub fn messages(&self, ledger: &LedgerId) -> [Vec<u8>; 2] {
        let notarize = |vote: &BlockVote| {
            notarize_message(ledger, self.epoch, self.view, vote.parent_view, &vote.header)
        };
        let finalize = |vote: &BlockVote| {
            finalize_message(ledger, self.epoch, self.view, vote.parent_view, &vote.header)
        };
        match &self.conflict {
            Conflict::Notarize(pair) => pair.votes().each_ref().map(notarize),
            Conflict::Finalize(pair) => pair.votes().each_ref().map(finalize),
            Conflict::NullifyFinalize { finalize: vote, .. } => {
                [nullify_message(ledger, self.epoch, self.view), finalize(vote)]
            }
        }
    }

    fn signatures(&self) -> [[u8; 64]; 2] {
        match &self.conflict {
            Conflict::Notarize(pair) | Conflict::Finalize(pair) => {
                pair.votes().each_ref().map(|vote| vote.signature)
            }
            Conflict::NullifyFinalize { nullify, finalize } => [*nullify, finalize.signature],
        }
    }

    /// Checks that the validator with this key signed both votes on this ledger. Whether the key was a
    /// validator's then, the roster of the epoch says.
    pub fn verify(&self, ledger: &LedgerId, key: &[u8; 32]) -> Result<(), EquivocationFault> {
        if self.validator != *key {
            return Err(EquivocationFault::OtherValidator { named: self.validator, given: *key });
        }
        let signed = self.messages(ledger).into_iter().zip(self.signatures());
        for (vote, (message, signature)) in signed.enumerate() {
            VerificationKey::try_from(*key)
                .and_then(|key| key.verify(&Signature::from(signature), &message))
                .map_err(|_| EquivocationFault::Signature { vote })?;
        }
        Ok(())
    }
}

/// The bytes of a notarise vote.
fn notarize_message(
    ledger: &LedgerId,
    epoch: u64,
    view: u64,
    parent_view: u64,
    header: &HeaderHash,
) -> Vec<u8> {
    let mut message = round_message(ledger, NOTARIZE_SUFFIX, epoch, view);
    push_varint(&mut message, parent_view);
    message.extend_from_slice(header.as_bytes());
    message
}

/// The bytes of a nullify vote.
fn nullify_message(ledger: &LedgerId, epoch: u64, view: u64) -> Vec<u8> {
    round_message(ledger, NULLIFY_SUFFIX, epoch, view)
}

fn round_message(ledger: &LedgerId, suffix: &[u8], epoch: u64, view: u64) -> Vec<u8> {
    let namespace = [CONSENSUS_NAMESPACE, ledger.as_bytes(), suffix].concat();
    let mut message = Vec::new();
    push_varint(&mut message, u64::try_from(namespace.len()).expect("invariant: usize fits u64"));
    message.extend_from_slice(&namespace);
    push_varint(&mut message, epoch);
    push_varint(&mut message, view);
    message
}

impl Wire for Equivocation {
    fn encode(&self, out: &mut Writer) {
        let kind = match &self.conflict {
            Conflict::Notarize(_) => 0,
            Conflict::Finalize(_) => 1,
            Conflict::NullifyFinalize { .. } => 2,
        };
        out.array(6);
        out.uint(kind);
        out.uint(self.epoch);
        out.uint(self.view);
        out.bytes(&self.validator);
        match &self.conflict {
            Conflict::Notarize(pair) | Conflict::Finalize(pair) => {
                pair.votes().iter().for_each(|vote| vote.encode(out));
            }
            Conflict::NullifyFinalize { nullify, finalize } => {
                out.bytes(nullify);
                finalize.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        let kind = input.uint()?;
        let (epoch, view, validator) = (input.uint()?, input.uint()?, input.bytes_exact()?);
        let conflict = match kind {
            0 => Conflict::Notarize(decode_pair(input)?),
            1 => Conflict::Finalize(decode_pair(input)?),
            2 => Conflict::NullifyFinalize {
                nullify: input.bytes_exact()?,
                finalize: BlockVote::decode(input)?,
            },
            _ => return Err(DecodeError::Value { field: "equivocation kind" }),
        };
        Ok(Self { epoch, view, validator, conflict })
    }
}

/// Two votes in their order.
fn decode_pair(input: &mut Reader<'_>) -> Result<VotePair, DecodeError> {
    let votes = [BlockVote::decode(input)?, BlockVote::decode(input)?];
    match votes[0].subject() < votes[1].subject() {
        true => Ok(VotePair(votes)),
        false => Err(DecodeError::Value { field: "equivocation votes" }),
    }
}

#[cfg(test)]
mod tests;
