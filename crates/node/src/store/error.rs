//! What can go wrong in the store.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use tabellion_ledger::trie::{PageId, TrieFault};
use tabellion_ledger::{Height, Lane, LedgerId, StateRoot, TransactionId};

/// A database's error.
type Source = Box<redb::Error>;

/// A failure of the store: one variant for each operation. It stops the node; a restart recovers.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder cannot be made.
    #[error("make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A database cannot be opened.
    #[error("open the database {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: redb::DatabaseError,
    },
    /// The tables of a database cannot be prepared or read at start.
    #[error("prepare the database of the {database}")]
    Prepare {
        /// `chain` or `state`.
        database: &'static str,
        /// Why.
        source: Source,
    },
    /// The database has the layout of another version.
    #[error("the database of the {database} has layout {found}, this program reads {expected}")]
    Format {
        /// `chain` or `state`.
        database: &'static str,
        /// Version found.
        found: u32,
        /// Version read here.
        expected: u32,
    },
    /// The folder belongs to another ledger.
    #[error("the folder belongs to ledger {found}, not to {expected}")]
    OtherLedger {
        /// The folder's ledger.
        found: LedgerId,
        /// The ledger asked for.
        expected: LedgerId,
    },
    /// The state does not belong to the blocks beside it: files of two folders were mixed.
    #[error("the state of height {height} does not belong to the blocks beside it")]
    ForeignState {
        /// Height of the state's checkpoint.
        height: Height,
    },
    /// Staged rows cannot be written.
    #[error("write blocks up to height {last}")]
    WriteBlocks {
        /// The highest staged block; 0 if there is none among the staged rows.
        last: Height,
        /// Why.
        source: Source,
    },
    /// A hand-over cannot be written.
    #[error("write the hand-over to roster {number}")]
    WriteHandOver {
        /// The roster's number.
        number: u64,
        /// Why.
        source: Source,
    },
    /// A block's rows cannot be read.
    #[error("read block {height}")]
    ReadBlock {
        /// The block's height.
        height: Height,
        /// Why.
        source: Source,
    },
    /// The chain's rows cannot be searched.
    #[error("look up {what}")]
    LookUp {
        /// What is looked up.
        what: String,
        /// Why.
        source: Source,
    },
    /// A lane's body cannot be deleted.
    #[error("delete the body of lane {lane} in block {height}")]
    DeleteBody {
        /// The block.
        height: Height,
        /// The lane.
        lane: Lane,
        /// Why.
        source: Source,
    },
    /// A body that a restart would have to replay cannot be deleted yet.
    #[error("the body of block {height} is needed until the next checkpoint")]
    BodyNeeded {
        /// The block.
        height: Height,
    },
    /// A body is brought back that is not this block's.
    #[error("block {height} here has no such body of lane {lane}")]
    OtherBody {
        /// The block.
        height: Height,
        /// The lane.
        lane: Lane,
    },
    /// A block that must be replayed has no body.
    #[error("block {height} must be replayed, and its body is gone")]
    BodyGone {
        /// The block.
        height: Height,
    },
    /// The pool's journal cannot be read.
    #[error("read the pool's journal")]
    ReadPool {
        /// Why.
        source: Source,
    },
    /// A row does not say what it should.
    #[error("{what} is damaged")]
    Damaged {
        /// The row.
        what: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A page of the state trie cannot be read.
    #[error("read state page {id:?}")]
    ReadPage {
        /// The page.
        id: PageId,
        /// Why.
        source: Source,
    },
    /// A record cannot be read.
    #[error("read the record at path {path}")]
    ReadRecord {
        /// The record's path, in hexadecimal digits.
        path: String,
        /// Why.
        source: Source,
    },
    /// A node of a history tree cannot be read.
    #[error("read node {index} of level {level} of a history tree")]
    ReadHistory {
        /// The node's level.
        level: u8,
        /// The node's place in it.
        index: u64,
        /// Why.
        source: Source,
    },
    /// The pages do not make up the state.
    #[error("the state after block {height:?} is damaged")]
    Trie {
        /// The block; `None` for the state before the first.
        height: Option<Height>,
        /// What is wrong.
        source: TrieFault,
    },
    /// A state is committed upon another one than the newest.
    #[error("the state of height {found} does not follow the newest state")]
    OutOfOrder {
        /// Height of the state given.
        found: Height,
    },
    /// A file cannot be compacted.
    #[error("compact the database {}", path.display())]
    Compact {
        /// The file.
        path: PathBuf,
        /// Why.
        source: redb::CompactionError,
    },
    /// A checkpoint cannot be written.
    #[error("write the checkpoint of height {height}")]
    Checkpoint {
        /// Height of the state.
        height: Height,
        /// Why.
        source: Source,
    },
    /// What comes in from another node cannot be written.
    #[error("write what other nodes sent")]
    Intake {
        /// Why.
        source: Source,
    },
    /// A state whose block the chain does not hold, or whose root is not the one that the block's header
    /// commits to.
    #[error("the state of height {height} has root {root}, which no block here confirms")]
    Unconfirmed {
        /// Height of the state.
        height: Height,
        /// The state's root.
        root: StateRoot,
    },
}

impl StoreError {
    /// Whether the disk is full: space must be made before the folder is opened again.
    pub fn is_disk_full(&self) -> bool {
        disk_is_full(self)
    }

    pub(super) fn look_up(what: impl Into<String>) -> impl FnOnce(redb::Error) -> Self {
        let what = what.into();
        move |source| Self::LookUp { what, source: Box::new(source) }
    }

    pub(super) fn transaction(id: &TransactionId) -> impl FnOnce(redb::Error) -> Self {
        Self::look_up(format!("transaction {id}"))
    }

    pub(super) fn damaged(what: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Damaged { what: what.into(), source: source.into() }
    }
}

/// Whether an error, or one below it, came of a full disk.
pub(crate) fn disk_is_full(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(is_full) || in_database(error).is_some_and(is_full) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The database does not name the I/O error within as its source.
fn in_database<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a io::Error> {
    let database =
        error.downcast_ref::<redb::Error>().or_else(|| error.downcast_ref::<Source>().map(|error| &**error));
    if let Some(redb::Error::Io(error)) = database {
        return Some(error);
    }
    match error.downcast_ref::<redb::DatabaseError>() {
        Some(redb::DatabaseError::Storage(redb::StorageError::Io(error))) => Some(error),
        _ => None,
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}
