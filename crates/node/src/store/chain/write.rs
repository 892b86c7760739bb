//! Writing blocks and deleting bodies.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::WriteTransaction;
use tabellion_ledger::cbor::to_bytes;
use tabellion_ledger::{Block, Header, HeaderHash, Height, Lane, LaneBody, TimeMs};

use super::due::{delete, note};
use super::lacking::{encoded_carried, places};
use super::{Chain, Held, Marks, Place, PoolChanges};
use crate::store::rows::{
    CARRIED, DUE, FINALITY, HEADER, HEIGHT, HELD_BLOCKS, HELD_VOTES, LANE_HEADER, PLACE, POOL, RANGE,
    TRANSACTION, write,
};
use crate::store::{Store, StoreError, locked, reading, writing};

/// First byte of a lane header's row: the lane's transactions are held.
pub(super) const BODY_HELD: u8 = 1;
/// First byte of a lane header's row: the lane's transactions were deleted.
pub(in crate::store) const BODY_DELETED: u8 = 0;

/// When a body that is written is to be looked at for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) enum Look {
    /// Once the latest expiry in its lane header is over: what happens to it before, blocks to come tell.
    AtExpiry,
    /// Soon: blocks that were not executed here may have told of it.
    Soon,
}

/// What one sync writes: all that was staged when it began.
struct Batch {
    blocks: BTreeMap<u64, (HeaderHash, Arc<Block>)>,
    votes: BTreeMap<u64, (HeaderHash, Arc<[u8]>)>,
    pool: PoolChanges,
    marks: Marks,
    carried: BTreeMap<u64, Arc<Block>>,
}

impl Chain {
    pub(in crate::store) fn sync(&self) -> Result<(), StoreError> {
        // Whoever finds nothing staged still waits here for the sync under way, which may hold its rows.
        let mut durable = locked(&self.durable);
        let batch = {
            let staged = reading(&self.staged);
            Batch {
                blocks: staged.blocks.clone(),
                votes: staged.votes.clone(),
                pool: staged.pool.clone(),
                marks: staged.marks.clone(),
                carried: staged.carried.clone(),
            }
        };
        let Batch { blocks, votes, pool, marks, .. } = &batch;
        if blocks.is_empty() && votes.is_empty() && pool.is_empty() && marks.is_empty() {
            return Ok(());
        }
        let mut after = durable.clone();
        batch.blocks.keys().for_each(|height| after.blocks.insert(*height));
        batch.votes.keys().for_each(|height| after.votes.insert(*height));
        let last = Height(batch.blocks.keys().next_back().copied().unwrap_or(0));
        let written = write(&self.database, |transaction| {
            batch.write(transaction)?;
            write_ranges(transaction, &durable, &after)
        });
        written.map_err(|source| StoreError::WriteBlocks { last, source: Box::new(source) })?;
        *durable = after;
        self.unstage(&batch);
        Ok(())
    }

    /// Forgets what was written. A reader that finds it no longer staged finds it in the database.
    fn unstage(&self, batch: &Batch) {
        let mut staged = writing(&self.staged);
        for (height, (digest, block)) in &batch.blocks {
            staged.blocks.remove(height);
            staged.carried.remove(height);
            staged.heights.remove(digest);
            for transaction in block.lanes.iter().flat_map(|body| &body.transactions) {
                staged.places.remove(&transaction.id());
            }
        }
        for (height, (digest, _)) in &batch.votes {
            staged.votes.remove(height);
            if !staged.blocks.contains_key(height) {
                staged.heights.remove(digest);
            }
        }
        for (id, (number, _)) in &batch.pool {
            if staged.pool.get(id).is_some_and(|(newest, _)| newest == number) {
                staged.pool.remove(id);
            }
        }
        staged.marks.retain(|body, number| batch.marks.get(body) != Some(number));
    }
}

impl Batch {
    fn write(&self, transaction: &WriteTransaction) -> Result<(), redb::Error> {
        for (digest, block) in self.blocks.values() {
            write_block(transaction, digest, block, Look::AtExpiry)?;
        }
        for block in self.carried.values() {
            write_carried(transaction, block)?;
        }
        let mut due = transaction.open_table(DUE)?;
        for ((height, lane), number) in &self.marks {
            due.insert((0, *height, *lane), *number)?;
        }
        let mut heights = transaction.open_table(HEIGHT)?;
        let mut finality = transaction.open_table(FINALITY)?;
        for (height, (digest, votes)) in &self.votes {
            finality.insert(*height, [digest.as_bytes().as_slice(), votes].concat().as_slice())?;
            heights.insert(digest.as_bytes(), *height)?;
        }
        let mut pool = transaction.open_table(POOL)?;
        for (id, (_, kept)) in &self.pool {
            match kept {
                Some(bytes) => pool.insert(id.as_bytes(), &**bytes)?,
                None => pool.remove(id.as_bytes())?,
            };
        }
        Ok(())
    }
}

/// Writes a header's rows.
pub(in crate::store) fn write_header(
    transaction: &WriteTransaction,
    digest: &HeaderHash,
    header: &Header,
) -> Result<(), redb::Error> {
    let row = [digest.as_bytes(), to_bytes(header).as_slice()].concat();
    transaction.open_table(HEADER)?.insert(header.height.0, row.as_slice())?;
    transaction.open_table(HEIGHT)?.insert(digest.as_bytes(), header.height.0)?;
    Ok(())
}

/// Writes all rows of a block.
pub(in crate::store) fn write_block(
    transaction: &WriteTransaction,
    digest: &HeaderHash,
    block: &Block,
    look: Look,
) -> Result<(), redb::Error> {
    let height = block.header.height;
    write_header(transaction, digest, &block.header)?;
    block.lanes.iter().try_for_each(|body| write_body(transaction, height, body, look))
}

/// Writes what travelled beside a block.
fn write_carried(transaction: &WriteTransaction, block: &Block) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(CARRIED)?;
    for (place, attachments) in places(block).zip(&block.carried) {
        if !attachments.is_empty() {
            table.insert(place, encoded_carried(attachments).as_slice())?;
        }
    }
    Ok(())
}

/// Writes all rows of a lane's body.
pub(super) fn write_body(
    transaction: &WriteTransaction,
    height: Height,
    body: &LaneBody,
    look: Look,
) -> Result<(), redb::Error> {
    let mut due = transaction.open_table(DUE)?;
    let mut lanes = transaction.open_table(LANE_HEADER)?;
    let mut transactions = transaction.open_table(TRANSACTION)?;
    let mut places = transaction.open_table(PLACE)?;
    let lane = body.header.lane;
    let row = [[BODY_HELD].as_slice(), &to_bytes(&body.header)].concat();
    lanes.insert((height.0, lane.number()), row.as_slice())?;
    let time = match look {
        Look::AtExpiry => body.header.latest_expiry,
        Look::Soon => TimeMs::default(),
    };
    note(&mut due, height, &body.header, time)?;
    for (index, entry) in (0..).zip(&body.transactions) {
        let place = Place { height, lane, index }.row();
        transactions.insert(place, entry.as_bytes())?;
        places.insert(entry.id().as_bytes(), place)?;
    }
    Ok(())
}

/// Writes the ranges that changed: few, even while gaps are filled.
fn write_ranges(transaction: &WriteTransaction, before: &Held, after: &Held) -> Result<(), redb::Error> {
    let mut table = transaction.open_table(RANGE)?;
    let pairs = [(HELD_BLOCKS, &before.blocks, &after.blocks), (HELD_VOTES, &before.votes, &after.votes)];
    for (what, before, after) in pairs {
        let kept: BTreeMap<u64, u64> = before.iter().collect();
        let wanted: BTreeMap<u64, u64> = after.iter().collect();
        for first in kept.keys().filter(|first| !wanted.contains_key(first)) {
            table.remove((what, *first))?;
        }
        for (first, last) in wanted.iter().filter(|(first, last)| kept.get(first) != Some(last)) {
            table.insert((what, *first), *last)?;
        }
    }
    Ok(())
}

impl Store {
    /// Deletes one lane's transactions in one block, durably; headers, and where each transaction stood,
    /// stay.
    ///
    /// Returns the bytes of the transactions deleted, 0 if they were gone or the block has no such lane. The
    /// file does not shrink: later blocks take the room.
    ///
    /// Source: X.1409 A.3.
    ///
    /// Errors: [`StoreError::BodyNeeded`] for a block above the last checkpoint, which a restart would
    /// replay.
    pub fn delete_lane_body(&self, height: Height, lane: Lane) -> Result<u64, StoreError> {
        if self.checkpoint_height().is_none_or(|checkpoint| height > checkpoint) {
            return Err(StoreError::BodyNeeded { height });
        }
        let deleted = write(&self.chain.database, |transaction| Ok(delete(transaction, height, lane)?.bytes));
        deleted.map_err(|source| StoreError::DeleteBody { height, lane, source: Box::new(source) })
    }
}
