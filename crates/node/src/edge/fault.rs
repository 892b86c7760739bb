//! Why blocks are not taken.

use tabellion_client::TrustError;
use tabellion_ledger::{HeaderHash, Height};
use thiserror::Error;

/// Why headers or blocks that somebody showed do not count.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FollowFault {
    /// Signatures, or a change of validators, do not hold.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// A header stands where another one belongs.
    #[error("header {found} stands where header {expected} belongs")]
    Order {
        /// The height that is due.
        expected: Height,
        /// The height that is there.
        found: Height,
    },
    /// A header does not follow from the one before.
    #[error("header {height} does not follow from the one before")]
    Link {
        /// Its height.
        height: Height,
    },
    /// A body is not the one of its header.
    #[error("the body shown for block {height} is not the one that its header commits to")]
    Body {
        /// Its height.
        height: Height,
    },
    /// Blocks are missing between what is here and what was brought.
    #[error("blocks begin at {first}, but the newest one here is {newest}: those between are missing")]
    Gap {
        /// The first block that was brought.
        first: Height,
        /// The newest one here.
        newest: Height,
    },
    /// A quorum finalised two blocks of one height. Keep both: they are evidence.
    #[error("FORK: at height {height} a quorum finalised {here}, and also {there}")]
    Fork {
        /// The height.
        height: Height,
        /// The block here.
        here: HeaderHash,
        /// The block that was shown.
        there: HeaderHash,
    },
}
