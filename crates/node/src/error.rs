//! What goes wrong in a node. Refusals are not errors: see `tabellion_machine::Refusal`.

use std::iter::successors;
use std::path::PathBuf;

use tabellion_engine::EngineError;
use tabellion_ledger::Height;
use tabellion_machine::RulesetFault;
use thiserror::Error;

use crate::store::{StoreError, disk_is_full};

/// An error that stops a node, or keeps it from starting.
#[derive(Debug, Error)]
pub enum NodeError {
    /// The ledger's parameters cannot be followed.
    #[error("the ledger's parameters cannot be followed")]
    Rules(#[source] RulesetFault),
    /// The store failed.
    #[error("the node's store failed")]
    Store(#[source] StoreError),
    /// The store has a state without the header of its block.
    #[error("the store holds a state for block {height} without the block's header")]
    NoHeader {
        /// The block.
        height: Height,
    },
    /// The store has a state of a roster without the record of how it came about.
    #[error("the store holds no hand-over to roster {number}; let the node join anew")]
    NoHandOver {
        /// The roster's number.
        number: u64,
    },
    /// A finalised block does not give the state that it commits to: this node and the quorum disagree.
    #[error("block {height} is final, but here it is refused: {reason}")]
    Diverged {
        /// The block.
        height: Height,
        /// What differs.
        reason: String,
    },
    /// The engine failed.
    #[error("the consensus engine failed")]
    Engine(#[source] EngineError),
    /// A file cannot be read or written.
    #[error("{action} {}", path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A file holds something else than it should.
    #[error("{}: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A listener cannot be opened.
    #[error("cannot listen on {address}")]
    Listen {
        /// Where.
        address: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A key or certificate of TLS cannot be used.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// OCSP, CRLs and IKEv2 look certificates up in the query index.
    #[error("the status faces need the query index: index = true")]
    StatusNeedsIndex,
    /// Certificate Transparency without the index.
    #[error("Certificate Transparency needs the query index: index = true")]
    CtNeedsIndex,
    /// The query index failed.
    #[error("the query index failed")]
    Index(#[source] crate::index::IndexError),
}

impl NodeError {
    /// Whether the disk is full: the node starts again, and loses nothing, once there is room.
    pub fn is_disk_full(&self) -> bool {
        let causes = successors(Some(self as &(dyn std::error::Error + 'static)), |error| (**error).source());
        let mut of_index = causes.filter_map(|error| error.downcast_ref::<rusqlite::Error>());
        disk_is_full(self)
            || of_index.any(|error| error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull))
    }

    /// Logs the error with its causes.
    pub fn log(&self) {
        tracing::error!(error = %chain(self), "node error");
    }
}

/// An error and its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
