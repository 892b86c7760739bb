//! Finality: a header under the signatures of a quorum of its roster, checkable without the engine.
//!
//! Each validator signs, with plain Ed25519 (RFC 8032, verified by the rules of ZIP 215), the engine's
//! finalise vote:
//!
//! ```text
//! varint(62) || "tabellion/consensus/1" || ledger id (32) || "_FINALIZE"
//!            || varint(epoch) || varint(view) || varint(parent view) || header hash (32)
//! ```
//!
//! where varint is unsigned LEB128 in its shortest form. The height is bound through the header hash.

use std::fmt;

use ed25519_consensus::{Signature, VerificationKey};

use crate::block::Header;
use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::{HeaderHash, LedgerId, RosterHash};
use crate::limits::VALIDATORS_MAX;
use crate::roster::Roster;

/// Namespace of every consensus signature, before the ledger id.
pub const CONSENSUS_NAMESPACE: &[u8] = b"tabellion/consensus/1";
const FINALIZE_SUFFIX: &[u8] = b"_FINALIZE";

/// One validator's signature under a header.
///
/// Shape: [validator index, signature (64 bytes)].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalitySignature {
    /// The signer's place in the roster.
    pub validator: u16,
    /// Its Ed25519 signature.
    pub signature: [u8; 64],
}

impl Wire for FinalitySignature {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(u64::from(self.validator));
        out.bytes(&self.signature);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { validator: input.u16("validator index")?, signature: input.bytes_exact()? })
    }
}

/// A header that a quorum finalised.
///
/// Shape: [header, epoch, view, parent view, [signature, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalityProof {
    /// The finalised header.
    pub header: Header,
    /// The engine's epoch; the header names the roster.
    pub epoch: u64,
    /// The engine's view in which the block was proposed.
    pub view: u64,
    /// The view of the block's parent.
    pub parent_view: u64,
    /// Signatures, ascending by validator.
    pub signatures: Vec<FinalitySignature>,
}

/// Why a header does not count as finalised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinalityFault {
    /// The header belongs to another ledger.
    ForeignLedger {
        /// The header's ledger.
        named: LedgerId,
        /// The ledger asked for.
        expected: LedgerId,
    },
    /// The header names another roster than the one at hand.
    OtherRoster {
        /// The header's roster.
        named: RosterHash,
        /// The roster at hand.
        given: RosterHash,
    },
    /// Too few signatures.
    Quorum {
        /// Signatures found.
        found: usize,
        /// Signatures needed.
        needed: usize,
    },
    /// A signer twice, out of order, or outside the roster.
    Signer {
        /// The signer's index.
        validator: u16,
    },
    /// A signature that does not verify.
    Signature {
        /// The signer's index.
        validator: u16,
    },
}

impl fmt::Display for FinalityFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ForeignLedger { named, expected } => {
                write!(f, "a header of ledger {named}, not of {expected}")
            }
            Self::OtherRoster { named, given } => {
                write!(f, "the header names roster {named}, at hand is {given}")
            }
            Self::Quorum { found, needed } => write!(f, "{found} signatures, {needed} are needed"),
            Self::Signer { validator } => {
                write!(f, "signer {validator} stands twice, out of order or outside")
            }
            Self::Signature { validator } => {
                write!(f, "the signature of validator {validator} does not verify")
            }
        }
    }
}

impl std::error::Error for FinalityFault {}

impl FinalityProof {
    /// What each validator signed.
    pub fn message(&self, ledger: &LedgerId) -> Vec<u8> {
        finalize_message(ledger, self.epoch, self.view, self.parent_view, &self.header.hash())
    }

    /// Checks the proof against a ledger and its roster.
    pub fn verify(&self, ledger: &LedgerId, roster: &Roster) -> Result<(), FinalityFault> {
        let header = &self.header;
        if header.ledger != *ledger {
            return Err(FinalityFault::ForeignLedger { named: header.ledger, expected: *ledger });
        }
        let given = roster.hash();
        if header.roster != given {
            return Err(FinalityFault::OtherRoster { named: header.roster, given });
        }
        let (found, needed) = (self.signatures.len(), roster.quorum());
        if found < needed {
            return Err(FinalityFault::Quorum { found, needed });
        }
        self.verify_signatures(&self.message(ledger), roster)
    }

    fn verify_signatures(&self, message: &[u8], roster: &Roster) -> Result<(), FinalityFault> {
        let mut least = 0;
        for FinalitySignature { validator, signature } in &self.signatures {
            let validator = *validator;
            let signer = roster.validators().get(usize::from(validator)).filter(|_| validator >= least);
            let signer = signer.ok_or(FinalityFault::Signer { validator })?;
            least = validator + 1;
            VerificationKey::try_from(signer.key)
                .and_then(|key| key.verify(&Signature::from(*signature), message))
                .map_err(|_| FinalityFault::Signature { validator })?;
        }
        Ok(())
    }
}

/// The bytes of a finalise vote.
pub fn finalize_message(
    ledger: &LedgerId,
    epoch: u64,
    view: u64,
    parent_view: u64,
    header: &HeaderHash,
) -> Vec<u8> {
    let namespace = [CONSENSUS_NAMESPACE, ledger.as_bytes(), FINALIZE_SUFFIX].concat();
    let mut message = Vec::with_capacity(namespace.len() + 63);
    push_varint(&mut message, u64::try_from(namespace.len()).expect("invariant: usize fits u64"));
    message.extend_from_slice(&namespace);
    push_varint(&mut message, epoch);
    push_varint(&mut message, view);
    push_varint(&mut message, parent_view);
    message.extend_from_slice(header.as_bytes());
    message
}

pub(crate) fn push_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}

impl Wire for FinalityProof {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.header.encode(out);
        out.uint(self.epoch);
        out.uint(self.view);
        out.uint(self.parent_view);
        out.list(&self.signatures);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            header: Header::decode(input)?,
            epoch: input.uint()?,
            view: input.uint()?,
            parent_view: input.uint()?,
            signatures: input.list(VALIDATORS_MAX)?,
        })
    }
}

#[cfg(test)]
mod tests;
