//! The hand-over from one roster to the next, signed by a quorum of both.
//!
//! The old quorum finalises the last block of its term, whose header names the next roster; a quorum of the
//! next roster finalises a block that follows from it. A chain of hand-overs leads from the genesis document
//! to the validators of today, without the blocks between.
//!
//! ```text
//!  old roster's quorum signs         next roster's quorum signs
//!  [last: roster old, next roster new] <- [header] <- ... <- [accepted: roster new]
//! ```

use std::fmt;

use crate::block::Header;
use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::finality::{FinalityFault, FinalityProof};
use crate::id::{Height, LedgerId};
use crate::limits::HAND_OVER_HEADERS_MAX;
use crate::roster::Roster;

/// The record of one change of the roster.
///
/// Shape: [finality proof of the last block of the old roster, next roster, [header, ...], finality proof of
/// the block that the next roster accepted with].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandOver {
    /// The last block of the old roster.
    pub last: FinalityProof,
    /// The next roster.
    pub roster: Roster,
    /// The headers between the two proofs' headers, ascending; most often none.
    pub between: Vec<Header>,
    /// The first block that the next roster's quorum signed, which finalises those between.
    pub accepted: FinalityProof,
}

/// Why a hand-over does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandOverFault {
    /// The old quorum's proof fails.
    Last(FinalityFault),
    /// The next quorum's proof fails.
    Accepted(FinalityFault),
    /// The next roster is not the one that the last block names, or names no change.
    Roster,
    /// The next roster's number is not one above the old one's.
    Number {
        /// The number found.
        found: u64,
        /// The number expected.
        expected: u64,
    },
    /// A header does not follow from the one before under the next roster.
    Link {
        /// The header's height.
        height: Height,
    },
}

impl fmt::Display for HandOverFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last(fault) => write!(f, "the old validators did not hand over: {fault}"),
            Self::Accepted(fault) => write!(f, "the next validators did not take over: {fault}"),
            Self::Roster => write!(f, "the next roster is not the one that the last block names"),
            Self::Number { found, expected } => write!(f, "roster {found} follows where {expected} should"),
            Self::Link { height } => write!(f, "header {height} does not follow from the one before"),
        }
    }
}

impl std::error::Error for HandOverFault {}

impl HandOver {
    /// Checks the hand-over from `old` and returns the next roster. Needs nothing but SHA-256 and Ed25519.
    ///
    /// Source: X.1409 L9, IV.1 (node management); the roster's term ends with the returned height.
    pub fn verify(&self, ledger: &LedgerId, old: &Roster) -> Result<(&Roster, Height), HandOverFault> {
        self.last.verify(ledger, old).map_err(HandOverFault::Last)?;
        let (last, next) = (&self.last.header, self.roster.hash());
        if last.next_roster != next || last.roster == next {
            return Err(HandOverFault::Roster);
        }
        let (found, expected) = (self.roster.number(), old.number() + 1);
        if found != expected {
            return Err(HandOverFault::Number { found, expected });
        }
        let mut before = last;
        for header in self.between.iter().chain([&self.accepted.header]) {
            let follows = header.previous == before.hash() && header.height == before.height.next();
            if !follows || header.roster != next || header.time < before.time {
                return Err(HandOverFault::Link { height: header.height });
            }
            before = header;
        }
        self.accepted.verify(ledger, &self.roster).map_err(HandOverFault::Accepted)?;
        Ok((&self.roster, last.height))
    }
}

impl Wire for HandOver {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.last.encode(out);
        self.roster.encode(out);
        out.list(&self.between);
        self.accepted.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            last: FinalityProof::decode(input)?,
            roster: Roster::decode(input)?,
            between: input.list(HAND_OVER_HEADERS_MAX)?,
            accepted: FinalityProof::decode(input)?,
        })
    }
}

#[cfg(test)]
mod tests;
