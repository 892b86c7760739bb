//! Why an optimisation notice is refused.

use tabellion_ledger::Height;
use thiserror::Error;

/// Why an optimisation notice is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoticeRefusal {
    /// No block.
    #[error("the notice names no block")]
    NoBlock,
    /// Blocks out of order, or one twice.
    #[error("the notice names block {height} out of order or twice")]
    NotAscending {
        /// The block that stands too late.
        height: Height,
    },
    /// A block that is not before the one that would record the notice.
    #[error("the notice names block {height}, which is not there yet")]
    NotYet {
        /// The block.
        height: Height,
    },
    /// The ledger records complete certificates.
    #[error("this ledger records complete certificates: its nodes need no notice")]
    FullLedger,
}

impl NoticeRefusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoBlock => "notice-names-no-block",
            Self::NotAscending { .. } => "notice-not-ascending",
            Self::NotYet { .. } => "notice-not-yet",
            Self::FullLedger => "notice-on-full-ledger",
        }
    }
}
