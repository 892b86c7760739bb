//! Bodies that may go: when each is to be looked at, and deleting them in small batches.
//!
//! A row of the table says "look at this body once this moment is over". It is written in one transaction
//! with the body, from the latest expiry in its lane header, so no crash separates the two. A body that came
//! after its block, from another node, is looked at once at the next occasion: what happened to it meanwhile
//! is in the state. Where a later block makes a body's end come nearer, the caller marks it
//! ([`Store::look_again`]); marks are durable before the state that they follow from is, and a replay makes
//! them again. What a look finds is the caller's to say; the store only remembers.

use redb::{ReadableTable, Table, WriteTransaction};
use tabellion_ledger::{Height, Lane, LaneHeader, TimeMs};

use super::write::{BODY_DELETED, BODY_HELD};
use crate::store::rows::{DUE, DueRow, INDEXED, LANE_HEADER, META, TRANSACTION, read, write};
use crate::store::{Store, StoreError, writing};

/// Value of [`INDEXED`] in a store whose bodies all have their rows.
const ALL: u64 = u64::MAX;

/// A body to look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Due {
    /// The moment; [`TimeMs::default`] for the next occasion.
    pub time: TimeMs,
    /// The block.
    pub height: Height,
    /// The lane.
    pub lane: Lane,
    /// The number of the mark that says so; 0 where none does.
    pub mark: u64,
}

/// What a look at a body came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The body goes.
    Ended,
    /// It is looked at again once this moment is over.
    NeededUntil(TimeMs),
    /// It is not looked at again, unless it is marked: it is gone, or stays for good.
    Settled,
}

/// What a deletion took away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deleted {
    /// Bodies.
    pub bodies: u64,
    /// Their transactions.
    pub transactions: u64,
    /// Bytes of those.
    pub bytes: u64,
}

impl Due {
    fn row(&self) -> DueRow {
        (self.time.0, self.height.0, self.lane.number())
    }
}

/// Notes when a body is to be looked at.
pub(super) fn note(
    table: &mut Table<'_, DueRow, u64>,
    height: Height,
    lane: &LaneHeader,
    time: TimeMs,
) -> Result<(), redb::Error> {
    // What never expires has no rule by which it goes.
    if lane.latest_expiry != TimeMs::MAX {
        table.insert((time.0, height.0, lane.lane.number()), 0)?;
    }
    Ok(())
}

/// Deletes the rows of a body's transactions and marks its lane header.
pub(super) fn delete(
    transaction: &WriteTransaction,
    height: Height,
    lane: Lane,
) -> Result<Deleted, redb::Error> {
    let mut lanes = transaction.open_table(LANE_HEADER)?;
    let key = (height.0, lane.number());
    let Some(mut row) = lanes.get(key)?.map(|row| row.value().to_vec()) else {
        return Ok(Deleted::default());
    };
    let mut deleted = Deleted::default();
    if let Some(state) = row.first_mut() {
        deleted.bodies = u64::from(*state == BODY_HELD);
        *state = BODY_DELETED;
    }
    lanes.insert(key, row.as_slice())?;
    let mut table = transaction.open_table(TRANSACTION)?;
    let span = (height.0, lane.number(), 0)..=(height.0, lane.number(), u32::MAX);
    for row in table.extract_from_if(span, |_, _| true)? {
        deleted.transactions += 1;
        deleted.bytes += row?.1.value().len() as u64;
    }
    Ok(deleted)
}

impl Store {
    /// Marks a body to be looked at soon; durable after the next [`sync`](Self::sync), and so before the
    /// next checkpoint.
    pub fn look_again(&self, height: Height, lane: Lane) {
        let mut staged = writing(&self.chain.staged);
        staged.mark_changes += 1;
        let number = staged.mark_changes;
        staged.marks.insert((height.0, lane.number()), number);
    }

    /// Bodies whose moment lies before `before`, in the order of moments, from behind `after` on, at most
    /// `count_max`. Marks count once they are durable.
    pub fn due(&self, before: TimeMs, after: Option<Due>, count_max: usize) -> Result<Vec<Due>, StoreError> {
        let rows = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(DUE)?;
            let first = after.map_or((0, 0, 0), |after| after.row());
            let end = (before.0.max(1), 0, 0);
            let mut rows = Vec::new();
            for row in table.range(first..end)? {
                let (key, mark) = row?;
                let row = key.value();
                if after.is_some_and(|after| after.row() == row) {
                    continue;
                }
                rows.push((row, mark.value()));
                if rows.len() == count_max {
                    break;
                }
            }
            Ok(rows)
        });
        let rows = rows.map_err(StoreError::look_up("bodies that may go"))?;
        let unknown = || StoreError::damaged("a row of bodies that may go", "no such lane");
        let due = |((time, height, lane), mark): (DueRow, u64)| {
            let lane = Lane::from_number(lane).ok_or_else(unknown)?;
            Ok(Due { time: TimeMs(time), height: Height(height), lane, mark })
        };
        rows.into_iter().map(due).collect()
    }

    /// Bodies that stand in the table, with all their moments.
    pub fn due_count(&self) -> Result<u64, StoreError> {
        let count = read(&self.chain.database, |transaction| {
            Ok(redb::ReadableTableMetadata::len(&transaction.open_table(DUE)?)?)
        });
        count.map_err(StoreError::look_up("bodies that may go"))
    }

    /// Acts upon looks, in one durable transaction: bodies that have ended are deleted, others looked at
    /// again. Headers, lane headers and the places of transactions stay. Says what was deleted.
    ///
    /// A look does not settle a mark that was made after the look's row was read: take the state to judge by
    /// after [`Self::due`]. A crash within leaves all of it undone; the same looks are then made again. Other
    /// writes wait meanwhile: give a few bodies at a time.
    ///
    /// Source: X.1409 C20, A.3.
    ///
    /// Errors: [`StoreError::BodyNeeded`] for a block above the last checkpoint, which a restart would
    /// replay; then nothing is done.
    pub fn settle(&self, looks: &[(Due, Found)]) -> Result<Deleted, StoreError> {
        let checkpoint = self.checkpoint_height();
        for (due, found) in looks {
            if *found == Found::Ended && checkpoint.is_none_or(|checkpoint| due.height > checkpoint) {
                return Err(StoreError::BodyNeeded { height: due.height });
            }
        }
        let Some((first, _)) = looks.first() else { return Ok(Deleted::default()) };
        let (height, lane) = (first.height, first.lane);
        let settled = write(&self.chain.database, |transaction| {
            let mut table = transaction.open_table(DUE)?;
            let mut sum = Deleted::default();
            for (due, found) in looks {
                let is_marked_again = table.get(due.row())?.is_some_and(|row| row.value() != due.mark);
                if !is_marked_again {
                    table.remove(due.row())?;
                }
                match found {
                    Found::Settled => {}
                    Found::NeededUntil(time) => {
                        table.insert((time.0, due.height.0, due.lane.number()), 0)?;
                    }
                    Found::Ended => {
                        let deleted = delete(transaction, due.height, due.lane)?;
                        sum.bodies += deleted.bodies;
                        sum.transactions += deleted.transactions;
                        sum.bytes += deleted.bytes;
                    }
                }
            }
            Ok(sum)
        });
        settled.map_err(|source| StoreError::DeleteBody { height, lane, source: Box::new(source) })
    }

    /// Bytes of a body's transactions as they stand in the file, without reading them.
    pub fn body_bytes(&self, height: Height, lane: Lane) -> Result<Deleted, StoreError> {
        let sum = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(TRANSACTION)?;
            let span = (height.0, lane.number(), 0)..=(height.0, lane.number(), u32::MAX);
            let mut sum = Deleted { bodies: 1, ..Deleted::default() };
            for row in table.range(span)? {
                sum.transactions += 1;
                sum.bytes += row?.1.value().len() as u64;
            }
            Ok(sum)
        });
        sum.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })
    }

    /// Makes the rows of bodies that were written before there were such rows, of at most `count_max` lane
    /// headers; says whether all are made. Each of these bodies is looked at once. Durable; goes on where it
    /// ended.
    pub fn index_due(&self, count_max: usize) -> Result<bool, StoreError> {
        let next = read(&self.chain.database, |transaction| {
            let row = transaction.open_table(META)?.get(INDEXED)?.and_then(|row| row.value().try_into().ok());
            Ok(row.map_or(0, u64::from_be_bytes))
        });
        let first = next.map_err(StoreError::look_up("bodies without a moment"))?;
        if first == ALL {
            return Ok(true);
        }
        let done = write(&self.chain.database, |transaction| {
            let mut meta = transaction.open_table(META)?;
            let (mut table, lanes) = (transaction.open_table(DUE)?, transaction.open_table(LANE_HEADER)?);
            let (mut count, mut next) = (0, ALL);
            for row in lanes.range((first, 0)..)? {
                let (key, value) = row?;
                let (height, lane) = key.value();
                // A block's lanes are taken together.
                if count >= count_max && height > next {
                    next = height;
                    break;
                }
                (count, next) = (count + 1, height);
                if lane != Lane::Consortium.number() && value.value().first() == Some(&BODY_HELD) {
                    table.insert((0, height, lane), 0)?;
                }
            }
            let is_done = count < count_max;
            let next = if is_done { ALL } else { next };
            meta.insert(INDEXED, next.to_be_bytes().as_slice())?;
            Ok(is_done)
        });
        done.map_err(StoreError::look_up("bodies without a moment"))
    }
}
