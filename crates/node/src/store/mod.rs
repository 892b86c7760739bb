//! What a node keeps: finalised blocks, the state behind them, and the pool's journal.
//!
//! A folder holds two databases. `chain.redb` has the blocks and is written at every block; `state.redb` has
//! the state trie and the records, and is written at checkpoints. They are two, so that the write of a large
//! checkpoint never holds up the acknowledgement of a block.
//!
//! # The order of writes, and what a crash leaves
//!
//! 1. [`Store::put_block`] and [`Store::put_votes`] stage a block and the votes that finalise it in
//!    memory. *A crash here* loses them; nobody was told about them, and the node fetches them again.
//! 2. [`Store::sync`] writes all that is staged in one durable transaction of `chain.redb`. When it
//!    returns, the blocks are **acknowledged**: no crash loses them. *A crash within* leaves either all
//!    of the staged rows or none.
//! 3. [`Store::commit`] makes the state after the block the newest one, in memory alone. *A crash here*
//!    loses the state and keeps the block: it is replayed.
//! 4. [`Store::checkpoint`] writes the state of the newest committed block, with its height, in one
//!    durable transaction of `state.redb`, every 64 blocks or 5 seconds. It first syncs the chain, and
//!    refuses a state whose root is not the one of the block's header: what stands in `state.redb` never
//!    runs ahead of `chain.redb` and never disagrees with it. *A crash within* leaves the checkpoint
//!    before.
//! 5. [`Store::open`] finds the last checkpoint; the caller applies [`Store::blocks_above_checkpoint`]
//!    with the same function that applies new blocks, and stands where it stood.
//! 6. The query index ([`crate::index`]) comes last, in its own file; it says how far it got and is
//!    refilled from there.
//!
//! A full disk fails step 2 or 4 with an error ([`StoreError::is_disk_full`]) and loses nothing acknowledged.
//! The database then refuses all further work: the node stops, and opening the folder once there is space
//! recovers it.
//!
//! # Reading while blocks are applied
//!
//! ```text
//!   Snapshot (a block's state)         Snapshot of a proposal, not final yet
//!      |  newest first                     |
//!      v                                   v
//!   [layer] [layer ...]  <- extend ---- [layer] + the same layers
//!      |                                   |
//!      +------------> Base <---------------+     one read transaction of state.redb at the last checkpoint,
//!                                                pages through a cache
//! ```
//!
//! A [`Snapshot`] is a few shared, immutable layers over the last checkpoint; taking one copies a short list.
//! It stays what it was while blocks are committed and checkpoints written. It pins the read transaction of
//! its checkpoint, so hold it for a request or for a proposal, not for hours: `state.redb` grows by what it
//! pins.
//!
//! # A store that begins with a state
//!
//! A node that joins fills an [`Intake`] with headers and a state from other nodes. Once it is whole it is a
//! store like any other, whose [`floor`](Store::floor) is that state's block: bodies below it come later
//! ([`Store::put_bodies`]), or never.
//!
//! # Bodies that go
//!
//! The store remembers when each lane's body is to be looked at ([`Store::due`]) and deletes those of which
//! the caller says that they have ended ([`Store::settle`]): X.1409 A.3. Freed room is taken by later blocks;
//! [`Store::compact`] gives it back to the disk.
//!
//! # What a backup node lacks
//!
//! On a ledger of identifiers certificates travel beside the blocks, and only backup nodes keep them. Which
//! blocks lack some is found by one look at each ([`Store::look_for_lacking`]) and marked; what comes later
//! from other nodes ([`Store::put_beside`]) takes the mark away in the transaction that writes it.
//!
//! Absent: which blocks to apply and how (`tabellion-machine`), which bodies have ended, consensus.

mod base;
mod cache;
mod chain;
mod checkpoint;
mod compact;
mod engine;
mod error;
mod intake;
mod layer;
mod pieces;
mod ranges;
mod rows;
mod snapshot;
mod tip;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use redb::{Builder, Database};
use tabellion_ledger::LedgerId;

use self::base::StateDatabase;
use self::chain::Chain;
use self::tip::Tip;

pub use self::chain::{Asked, Deleted, Due, Found, Place, StoredTransaction};
pub use self::compact::Compacted;
pub use self::error::StoreError;
pub(crate) use self::error::disk_is_full;
pub use self::intake::{ChainEnd, Finish, Intake, Target};
pub use self::layer::Tree;
pub use self::pieces::HeldState;
pub use self::snapshot::{Change, HistoryNodes, Snapshot};

/// File of the blocks within the folder.
pub const CHAIN_FILE: &str = "chain.redb";
/// File of the state within the folder.
pub const STATE_FILE: &str = "state.redb";
/// Version of the layout of both files.
const FORMAT: u32 = 1;

/// Sizes and periods of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    /// Memory for decoded pages of the state trie. Unit: bytes.
    pub page_cache_bytes: usize,
    /// Memory for file pages of `state.redb`. Unit: bytes.
    pub state_cache_bytes: usize,
    /// Memory for file pages of `chain.redb`. Unit: bytes.
    pub chain_cache_bytes: usize,
    /// Blocks after which a checkpoint is due: as many as a restart may have to replay.
    pub checkpoint_blocks: u64,
    /// Time after which a checkpoint is due. Unit: ms.
    pub checkpoint_ms: u64,
    /// Changed state in memory after which a checkpoint is due. Unit: bytes, about.
    pub checkpoint_bytes: usize,
}

impl Default for StoreConfig {
    fn default() -> Self {
        Self {
            page_cache_bytes: 256 << 20,
            state_cache_bytes: 256 << 20,
            chain_cache_bytes: 64 << 20,
            checkpoint_blocks: 64,
            checkpoint_ms: 5_000,
            checkpoint_bytes: 256 << 20,
        }
    }
}

/// A node's store: one for each folder.
///
/// All methods may be called from any thread. Those that write a file block until it is durable.
#[derive(Debug)]
pub struct Store {
    chain: Arc<Chain>,
    state: StateDatabase,
    tip: RwLock<Tip>,
    /// Held while a checkpoint is written: there is one at a time.
    checkpointing: Mutex<()>,
    config: StoreConfig,
}

impl Store {
    /// Opens the folder's store, or makes an empty one.
    ///
    /// Errors: a folder of another ledger or format, one in use by another process, a state that does not
    /// belong to the blocks beside it, I/O.
    pub fn open(folder: &Path, ledger: LedgerId, config: StoreConfig) -> Result<Self, StoreError> {
        let (chain, state) = open_databases(folder, &config)?;
        Self::over(chain, state, ledger, config)
    }

    /// A store over two open databases.
    fn over(
        chain: Database,
        state: Database,
        ledger: LedgerId,
        config: StoreConfig,
    ) -> Result<Self, StoreError> {
        let chain = Arc::new(Chain::open(chain, ledger)?);
        let (state, base) = StateDatabase::open(state, ledger, config.page_cache_bytes)?;
        if let Some((height, digest)) = base.checkpoint() {
            let held = chain.header(height)?.map(|header| (header.hash(), header.state_root));
            if held != Some((digest, base.root())) {
                return Err(StoreError::ForeignState { height });
            }
        }
        let tip = RwLock::new(Tip::new(base));
        Ok(Self { chain, state, tip, checkpointing: Mutex::new(()), config })
    }
}

/// Opens the files of the blocks and of the state in a folder, or makes them.
fn open_databases(folder: &Path, config: &StoreConfig) -> Result<(Database, Database), StoreError> {
    std::fs::create_dir_all(folder)
        .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
    let open = |name: &str, cache_bytes: usize| {
        let path = folder.join(name);
        let opened = Builder::new().set_cache_size(cache_bytes).create(&path);
        opened.map_err(|source| StoreError::Open { path, source })
    };
    Ok((open(CHAIN_FILE, config.chain_cache_bytes)?, open(STATE_FILE, config.state_cache_bytes)?))
}

/// A lock whose holder panicked guards what it guarded before: all changes under our locks are single
/// assignments.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reading<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(PoisonError::into_inner)
}

fn writing<T>(lock: &RwLock<T>) -> RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
