//! A store in memory that forgets at a crash what was not synced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use tabellion_engine::{BlockKey, BlockStore, FinalityVotes, StoreError};
use tabellion_ledger::{Block, HeaderHash, Height};

#[derive(Clone, Default)]
struct Rows {
    blocks: BTreeMap<u64, (HeaderHash, Arc<Block>)>,
    votes: BTreeMap<u64, (HeaderHash, FinalityVotes)>,
    /// Heights whose bodies were deleted; only their headers are left.
    bare: BTreeSet<u64>,
}

#[derive(Default)]
struct Inner {
    durable: Rows,
    rows: Rows,
    fails: bool,
}

/// A store in memory. Clones share it.
#[derive(Clone, Default)]
pub struct Shelf(Arc<Mutex<Inner>>);

impl Shelf {
    /// Forgets what was not synced.
    pub fn crash(&self) {
        let mut inner = self.0.lock().unwrap();
        inner.rows = inner.durable.clone();
    }

    /// Has every sync from now on fail.
    pub fn break_down(&self) {
        self.0.lock().unwrap().fails = true;
    }

    /// Deletes the bodies up to a height.
    pub fn prune(&self, last: u64) {
        self.0.lock().unwrap().rows.bare.extend(1..=last);
    }

    /// What state sync leaves on a new node: the headers up to a height, the body and votes of that one.
    pub fn synced(&self, floor: u64, epoch_blocks: u64) -> Self {
        let mut rows = self.0.lock().unwrap().rows.clone();
        rows.blocks.retain(|height, _| *height <= floor);
        rows.votes.retain(|height, _| *height == floor);
        // The epoch under way builds upon the last block of the one before.
        let base = ((floor + 1) / epoch_blocks * epoch_blocks).checked_sub(1);
        rows.bare = (0..floor).filter(|height| Some(*height) != base).collect();
        Self(Arc::new(Mutex::new(Inner { durable: rows.clone(), rows, fails: false })))
    }

    /// A copy of what is durable.
    pub fn synced_copy(&self) -> Self {
        let durable = self.0.lock().unwrap().durable.clone();
        Self(Arc::new(Mutex::new(Inner { rows: durable.clone(), durable, fails: false })))
    }

    /// All headers as blocks, by height. No test block has more than a header.
    pub fn blocks(&self) -> Vec<Arc<Block>> {
        self.0.lock().unwrap().rows.blocks.values().map(|(_, block)| block.clone()).collect()
    }
}

fn find<T>(rows: &BTreeMap<u64, (HeaderHash, T)>, key: BlockKey) -> Option<&(HeaderHash, T)> {
    match key {
        BlockKey::Height(height) => rows.get(&height.0),
        BlockKey::Hash(hash) => rows.values().find(|(at, _)| *at == hash),
    }
}

fn ranges<T>(rows: &BTreeMap<u64, T>) -> Vec<(Height, Height)> {
    rows.keys().map(|height| (Height(*height), Height(*height))).collect()
}

impl BlockStore for Shelf {
    fn put_block(&self, hash: HeaderHash, block: &Arc<Block>) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap();
        inner.rows.blocks.entry(block.header.height.0).or_insert_with(|| (hash, block.clone()));
        Ok(())
    }

    fn put_votes(&self, height: Height, hash: HeaderHash, votes: &FinalityVotes) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap();
        inner.rows.votes.entry(height.0).or_insert_with(|| (hash, votes.clone()));
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        let mut inner = self.0.lock().unwrap();
        if inner.fails {
            return Err(StoreError::new("sync", "the disk is full"));
        }
        inner.durable = inner.rows.clone();
        Ok(())
    }

    fn block(&self, key: BlockKey) -> Result<Option<Arc<Block>>, StoreError> {
        let inner = self.0.lock().unwrap();
        let found = find(&inner.rows.blocks, key).map(|(_, block)| block.clone());
        Ok(found.filter(|block| !inner.rows.bare.contains(&block.header.height.0)))
    }

    fn votes(&self, key: BlockKey) -> Result<Option<(HeaderHash, FinalityVotes)>, StoreError> {
        Ok(find(&self.0.lock().unwrap().rows.votes, key).cloned())
    }

    fn block_ranges(&self) -> Result<Vec<(Height, Height)>, StoreError> {
        Ok(ranges(&self.0.lock().unwrap().rows.blocks))
    }

    fn votes_ranges(&self) -> Result<Vec<(Height, Height)>, StoreError> {
        Ok(ranges(&self.0.lock().unwrap().rows.votes))
    }
}
