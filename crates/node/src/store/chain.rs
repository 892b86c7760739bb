//! Blocks, their transactions and the votes that finalise them: `chain.redb`.

mod bodies;
mod due;
mod hand_over;
mod lacking;
mod pool;
mod read;
mod write;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use redb::{Database, ReadableTable, ReadableTableMetadata};
use tabellion_ledger::{Block, HeaderHash, Height, Lane, LedgerId, TransactionId};

use super::ranges::Ranges;
use super::rows::{
    CARRIED, DUE, FINALITY, HAND_OVER, HEADER, HEIGHT, HELD_BLOCKS, INDEXED, LACKING, LANE_HEADER, META,
    PLACE, POOL, PlaceRow, RANGE, TRANSACTION, prepare, read,
};
use super::{Store, StoreError, reading, writing};

pub use self::due::{Deleted, Due, Found};
pub use self::lacking::Asked;
pub(super) use self::read::stored_header;
pub(super) use self::write::{BODY_DELETED, Look, write_block, write_header};

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The block.
    pub height: Height,
    /// The lane within the block.
    pub lane: Lane,
    /// The place within the lane.
    pub index: u32,
}

impl Place {
    fn row(&self) -> PlaceRow {
        (self.height.0, self.lane.number(), self.index)
    }
}

/// A transaction of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredTransaction {
    /// Where it stands.
    pub place: Place,
    /// Its bytes as recorded; `None` once the lane's body was deleted.
    pub bytes: Option<Vec<u8>>,
}

/// Changes of the pool's journal, each with a number, so that a later change is not taken for a written one.
type PoolChanges = BTreeMap<TransactionId, (u64, Option<Arc<[u8]>>)>;

/// Bodies to be looked at soon (height, lane), each with a number, for the same reason.
type Marks = BTreeMap<(u64, u16), u64>;

/// Rows that wait for the next sync. Reads see them.
#[derive(Debug, Default)]
struct Staged {
    blocks: BTreeMap<u64, (HeaderHash, Arc<Block>)>,
    votes: BTreeMap<u64, (HeaderHash, Arc<[u8]>)>,
    heights: HashMap<HeaderHash, u64>,
    places: HashMap<TransactionId, Place>,
    pool: PoolChanges,
    pool_changes: u64,
    /// Blocks with what travelled beside them, where that is kept.
    carried: BTreeMap<u64, Arc<Block>>,
    /// Bodies to be looked at soon, each with the number of its mark.
    marks: Marks,
    mark_changes: u64,
}

/// Heights held, staged ones included.
#[derive(Clone, Debug, Default)]
struct Held {
    blocks: Ranges,
    votes: Ranges,
}

/// The blocks' database.
#[derive(Debug)]
pub(super) struct Chain {
    database: Database,
    staged: RwLock<Staged>,
    held: RwLock<Held>,
    /// Whether what travels beside blocks is kept.
    keeps_carried: AtomicBool,
    /// How far blocks were looked at for what they lack.
    looked: Mutex<lacking::Looked>,
    /// What the range table says; held while staged rows are written, so that one sync runs at a time.
    durable: Mutex<Held>,
}

impl Chain {
    /// Makes the tables of a new database; refuses one of another ledger or layout.
    pub(super) fn prepare(database: &Database, ledger: LedgerId) -> Result<(), StoreError> {
        prepare(database, "chain", ledger, |transaction| {
            transaction.open_table(HEADER)?;
            transaction.open_table(HEIGHT)?;
            transaction.open_table(FINALITY)?;
            transaction.open_table(LANE_HEADER)?;
            transaction.open_table(TRANSACTION)?;
            transaction.open_table(PLACE)?;
            transaction.open_table(RANGE)?;
            transaction.open_table(POOL)?;
            transaction.open_table(HAND_OVER)?;
            transaction.open_table(DUE)?;
            transaction.open_table(CARRIED)?;
            transaction.open_table(LACKING)?;
            // A store without blocks has none that were written before there were such rows.
            let mut meta = transaction.open_table(META)?;
            if meta.get(INDEXED)?.is_none() && transaction.open_table(HEADER)?.is_empty()? {
                meta.insert(INDEXED, u64::MAX.to_be_bytes().as_slice())?;
            }
            Ok(())
        })
    }

    pub(super) fn open(database: Database, ledger: LedgerId) -> Result<Self, StoreError> {
        Self::prepare(&database, ledger)?;
        let held = read(&database, |transaction| {
            let mut held = Held::default();
            for row in transaction.open_table(RANGE)?.iter()? {
                let (key, last) = row?;
                match key.value() {
                    (HELD_BLOCKS, first) => held.blocks.restore(first, last.value()),
                    (_, first) => held.votes.restore(first, last.value()),
                }
            }
            Ok(held)
        });
        let held =
            held.map_err(|source| StoreError::Prepare { database: "chain", source: Box::new(source) })?;
        let looked = Mutex::new(lacking::Looked::of(&database)?);
        Ok(Self {
            database,
            looked,
            staged: RwLock::default(),
            held: RwLock::new(held.clone()),
            keeps_carried: AtomicBool::new(false),
            durable: Mutex::new(held),
        })
    }

    /// Stages a block; one at a height that is held changes nothing.
    fn put_block(&self, digest: HeaderHash, block: &Arc<Block>) {
        let height = block.header.height;
        let mut held = writing(&self.held);
        if held.blocks.contains(height.0) {
            return;
        }
        // What only travels with a proposal is not recorded; a backup node keeps it beside the ledger.
        let keeps = self.keeps_carried.load(Ordering::Relaxed) && !block.carried.is_empty();
        let carried = keeps.then(|| Arc::clone(block));
        let block = match block.carried.is_empty() {
            true => Arc::clone(block),
            false => Arc::new(Block::clone(block).recorded()),
        };
        let mut staged = writing(&self.staged);
        if let Some(carried) = carried {
            staged.carried.insert(height.0, carried);
        }
        for body in &block.lanes {
            for (index, transaction) in (0..).zip(&body.transactions) {
                let place = Place { height, lane: body.header.lane, index };
                staged.places.insert(transaction.id(), place);
            }
        }
        staged.heights.insert(digest, height.0);
        staged.blocks.insert(height.0, (digest, block));
        held.blocks.insert(height.0);
    }

    /// Stages votes; some at a height that has votes change nothing.
    fn put_votes(&self, height: Height, digest: HeaderHash, votes: Arc<[u8]>) {
        let mut held = writing(&self.held);
        if held.votes.contains(height.0) {
            return;
        }
        let mut staged = writing(&self.staged);
        staged.heights.insert(digest, height.0);
        staged.votes.insert(height.0, (digest, votes));
        held.votes.insert(height.0);
    }
}

impl Store {
    /// Stages a finalised block. Reads see it at once; it is durable after the next [`sync`](Self::sync).
    ///
    /// Blocks may come in any order. A block at a height that is held, with its body or without, changes
    /// nothing.
    pub fn put_block(&self, digest: HeaderHash, block: &Arc<Block>) {
        self.chain.put_block(digest, block);
    }

    /// From now on keeps what travels beside blocks of a ledger of identifiers: the store is a backup node's.
    pub fn keep_carried(&self) {
        self.chain.keeps_carried.store(true, Ordering::Relaxed);
    }

    /// Stages the votes that finalise the block of this height and hash, encoded; they may come before the
    /// block.
    ///
    /// Reads see them at once; they are durable after the next [`sync`](Self::sync).
    pub fn put_votes(&self, height: Height, digest: HeaderHash, votes: &[u8]) {
        self.chain.put_votes(height, digest, votes.into());
    }

    /// Writes all that is staged in one durable transaction. **What was put before this call is
    /// acknowledged** when it returns.
    ///
    /// Puts and reads go on meanwhile. A crash within leaves all rows of the transaction or none.
    ///
    /// Errors: [`StoreError::WriteBlocks`]; what was staged stays staged, and the store must be opened anew.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.chain.sync()
    }

    /// Whether the block's header is held, with its body or without.
    pub fn has_block(&self, height: Height) -> bool {
        reading(&self.chain.held).blocks.contains(height.0)
    }

    /// The highest height of a held block.
    pub fn last_height(&self) -> Option<Height> {
        reading(&self.chain.held).blocks.last().map(Height)
    }

    /// The end of the range of held blocks around `height`, and the start of the next range.
    pub fn next_gap(&self, height: Height) -> (Option<Height>, Option<Height>) {
        let (end, next) = reading(&self.chain.held).blocks.next_gap(height.0);
        (end.map(Height), next.map(Height))
    }

    /// Heights from `from` on without a block, below one that is held; at most `count_max`.
    pub fn missing(&self, from: Height, count_max: usize) -> Vec<Height> {
        let missing = reading(&self.chain.held).blocks.missing(from.0, count_max);
        missing.into_iter().map(Height).collect()
    }

    /// Heights with a header, as ranges (first, last).
    pub fn block_ranges(&self) -> Vec<(Height, Height)> {
        reading(&self.chain.held).blocks.iter().map(|(first, last)| (Height(first), Height(last))).collect()
    }

    /// Heights with votes, as ranges (first, last).
    pub fn votes_ranges(&self) -> Vec<(Height, Height)> {
        reading(&self.chain.held).votes.iter().map(|(first, last)| (Height(first), Height(last))).collect()
    }
}
