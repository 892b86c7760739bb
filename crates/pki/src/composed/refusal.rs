//! Why a relay is not recorded.

use serde::Serialize;
use tabellion_ledger::{Height, LedgerId};
use thiserror::Error;

/// Why a relay is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum RelayRefusal {
    /// A change of the foreign validators that does not hold.
    #[error("a hand-over of the foreign validators does not hold: {reason}")]
    HandOver {
        /// Why, in words.
        reason: String,
    },
    /// The foreign header is not final, or the older one does not belong to it.
    #[error("the foreign header does not hold: {reason}")]
    Header {
        /// Why, in words.
        reason: String,
    },
    /// A record does not belong to the foreign state, or is none.
    #[error("the foreign {what} does not hold: {reason}")]
    Proof {
        /// The record.
        what: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// The foreign ledger has no such result.
    #[error("there is no result {number}; the foreign ledger has {count}")]
    NoResult {
        /// Its number.
        number: u64,
        /// Results that there are.
        count: u64,
    },
    /// The members do not follow the ledger.
    #[error("ledger {ledger} is not followed")]
    NotFollowed {
        /// The ledger.
        ledger: LedgerId,
    },
    /// The link is frozen, until the members decide.
    #[error(
        "the link to ledger {ledger} is frozen since block {since_height}: two headers at height {height}"
    )]
    Frozen {
        /// The ledger.
        ledger: LedgerId,
        /// The foreign height with two headers.
        height: Height,
        /// Since when.
        since_height: Height,
    },
    /// The relay begins with other validators than the known ones.
    #[error("the relay begins with roster {said}, known is roster {known}")]
    OtherRoster {
        /// Number of the roster that is known.
        known: u64,
        /// Number of the relay's roster.
        said: u64,
    },
    /// The header does not lead back to the one that is known.
    #[error("the header at height {found} does not lead back to the known one at height {known}")]
    NotLinked {
        /// Height of the header that is known.
        known: Height,
        /// Height of the relay's header.
        found: Height,
    },
    /// Results are missing in between.
    #[error("the relay begins with result {first}, the next one is {next}")]
    Gap {
        /// The number of the next result.
        next: u64,
        /// The relay's first.
        first: u64,
    },
    /// Everything is recorded already: another proxy was faster.
    #[error("all of it is recorded already: the header at height {height}, results below {next}")]
    NothingNew {
        /// Height of the newest header that is known.
        height: Height,
        /// The number of the next result.
        next: u64,
    },
}

impl RelayRefusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HandOver { .. } => "foreign-hand-over",
            Self::Header { .. } => "foreign-header",
            Self::Proof { .. } => "foreign-proof",
            Self::NoResult { .. } => "no-foreign-result",
            Self::NotFollowed { .. } => "ledger-not-followed",
            Self::Frozen { .. } => "link-frozen",
            Self::OtherRoster { .. } => "foreign-roster",
            Self::NotLinked { .. } => "foreign-header-not-linked",
            Self::Gap { .. } => "foreign-gap",
            Self::NothingNew { .. } => "nothing-new",
        }
    }
}
