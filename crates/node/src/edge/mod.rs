//! An edge node: follows the ledger from outside of the network of nodes, and answers where these cannot be
//! reached (X.1409 I.1.2).
//!
//! It takes no part in anything: it has no key on the ledger, no port for other nodes, and records nothing.
//! Blocks come from the REST faces of other nodes, one at a time, or in files. Nobody is believed: signatures
//! of the validators that follow from the genesis document stand for every header, headers for their bodies,
//! and each block is executed here as everywhere, before it counts.
//!
//! ```text
//!  peers' REST faces ---.
//!                        >- follow: hand-overs, signatures, links, bodies -> core (execute, store)
//!  inbox (files) -------'
//! ```

mod fault;
mod follower;
mod import;
mod inbox;
mod peers;
mod run;
mod status;

use std::path::PathBuf;
use std::sync::Arc;

use tabellion_client::NodeClient;
use tabellion_pki::Staleness;

pub(crate) use self::run::run;
pub(crate) use self::status::EdgeStatus;

pub use self::fault::FollowFault;
pub use self::import::{ImportError, Imported, import_file};
pub use self::inbox::{REFUSED_FOLDER, TAKEN_FOLDER};

/// All that an edge node must be told besides what every node must.
pub struct EdgeSettings {
    /// Nodes from which blocks come, each by itself. None behind an air gap.
    pub peers: Vec<Arc<NodeClient>>,
    /// How old knowledge may be on which the node says that a certificate may be relied on.
    pub staleness: Staleness,
    /// Folder in which files of blocks are laid, if there is one.
    pub inbox: Option<PathBuf>,
}

#[cfg(test)]
mod tests;
