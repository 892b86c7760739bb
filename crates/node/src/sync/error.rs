//! What can go wrong in a state sync.

use std::io;
use std::path::PathBuf;

use tabellion_client::LightError;
use tabellion_ledger::Height;
use tabellion_machine::RulesetFault;

use crate::store::StoreError;

/// Why there is no state. What came in stays for the next run.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The folder holds a store.
    #[error("{} is there already: a node with a store catches up by itself", path.display())]
    StoreExists {
        /// The store's folder.
        path: PathBuf,
    },
    /// No node is left that answers and can be believed.
    #[error("no node is left to fetch from: {reason}")]
    NoPeer {
        /// What the last one did.
        reason: String,
    },
    /// Nodes stopped holding every state aimed at.
    #[error("the nodes did not hold a state for long enough")]
    StatesGone,
    /// A header that should be here is not.
    #[error("header {height} is not here")]
    NoHeader {
        /// The header's height.
        height: Height,
    },
    /// Headers or signatures that cannot be believed.
    #[error(transparent)]
    Light(LightError),
    /// The genesis document's parameters cannot be followed.
    #[error(transparent)]
    Rules(RulesetFault),
    /// The store cannot be written.
    #[error(transparent)]
    Store(StoreError),
    /// The store's folder cannot be put in its place.
    #[error("put the store in its place in {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The program is ending.
    #[error("interrupted")]
    Interrupted,
}
