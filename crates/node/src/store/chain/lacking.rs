//! What a backup node lacks: bodies of certificates, and certificates that travelled beside blocks while it
//! was away or before it joined.
//!
//! Each block is looked at once, after it was written: a block whose body of certificates is not here, or has
//! a transaction without the attachments that it commits to, gets a mark. A look follows the rows that are
//! there, so it does not matter why something is missing. How far looks have come is kept in memory and
//! written with every mark, and now and then without one: a crash costs looking at a few blocks again. Where
//! nothing is missing, a look reads the block's rows and writes nothing.
//!
//! What comes in, and the end of the mark, are one durable transaction.
//!
//! Source: X.1409 C18, Appendix II.2.

use redb::{Database, ReadableTable, ReadableTableMetadata};
use tabellion_ledger::cbor::Writer;
use tabellion_ledger::{Block, Height, Lane, Transaction};

use super::Place;
use super::read::decoded_carried;
use super::write::{BODY_HELD, Look, write_body};
use crate::store::rows::{
    CARRIED, HEADER, LACKING, LANE_HEADER, LOOKED, META, PlaceRow, TRANSACTION, read, write,
};
use crate::store::{Store, StoreError, locked};

/// Blocks looked at without anything missing, after which that is written.
const SAVE_EVERY: u64 = 1024;

/// Who was asked for what a block lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nobody yet, or not all have answered.
    Open,
    /// All that were named, and each lacks it too.
    InVain,
}

impl Asked {
    fn number(self) -> u8 {
        match self {
            Self::Open => 0,
            Self::InVain => 1,
        }
    }
}

/// How far blocks were looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looked {
    /// The next height.
    next: u64,
    /// The next height after a crash.
    durable: u64,
}

impl Looked {
    /// As the database says.
    pub(super) fn of(database: &Database) -> Result<Self, StoreError> {
        let row = read(database, |transaction| {
            let row = transaction.open_table(META)?.get(LOOKED)?.and_then(|row| row.value().try_into().ok());
            Ok(row.map_or(0, u64::from_be_bytes))
        });
        let next = row.map_err(StoreError::look_up(WHAT))?;
        Ok(Self { next, durable: next })
    }
}

const WHAT: &str = "what a backup node lacks";

impl Store {
    /// Looks at the next blocks, at most `count_max`, and marks those that lack something, durably. Says
    /// whether all blocks were looked at, up to the first gap.
    pub fn look_for_lacking(&self, count_max: usize) -> Result<bool, StoreError> {
        let database = &self.chain.database;
        let mut looked = locked(&self.chain.looked);
        let (mut next, mut lacking, mut count) = (looked.next, Vec::new(), 0);
        let seen = read(database, |transaction| {
            let lanes = transaction.open_table(LANE_HEADER)?;
            let (transactions, carried) =
                (transaction.open_table(TRANSACTION)?, transaction.open_table(CARRIED)?);
            for row in transaction.open_table(HEADER)?.range(next..)?.take(count_max) {
                if row?.0.value() != next {
                    break;
                }
                if lacks(&lanes, &transactions, &carried, next)? {
                    lacking.push(next);
                }
                (next, count) = (next + 1, count + 1);
            }
            Ok(())
        });
        seen.map_err(StoreError::look_up(WHAT))?;
        if !lacking.is_empty() || next - looked.durable >= SAVE_EVERY {
            let written = write(database, |transaction| {
                let mut table = transaction.open_table(LACKING)?;
                for height in &lacking {
                    table.insert(*height, Asked::Open.number())?;
                }
                transaction.open_table(META)?.insert(LOOKED, next.to_be_bytes().as_slice())?;
                Ok(())
            });
            written.map_err(StoreError::look_up(WHAT))?;
            looked.durable = next;
        }
        looked.next = next;
        Ok(count < count_max)
    }

    /// Blocks that lack something, from `from` on, of which so many were asked; at most `count_max`.
    pub fn lacking(&self, from: Height, asked: Asked, count_max: usize) -> Result<Vec<Height>, StoreError> {
        let rows = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(LACKING)?;
            let mut heights = Vec::new();
            for row in table.range(from.0..)? {
                let (height, state) = row?;
                if heights.len() == count_max {
                    break;
                }
                if state.value() == asked.number() {
                    heights.push(Height(height.value()));
                }
            }
            Ok(heights)
        });
        rows.map_err(StoreError::look_up(WHAT))
    }

    /// Blocks that lack something, of those that were looked at.
    pub fn lacking_count(&self) -> Result<u64, StoreError> {
        let count = read(&self.chain.database, |transaction| Ok(transaction.open_table(LACKING)?.len()?));
        count.map_err(StoreError::look_up(WHAT))
    }

    /// Whether a block is known to lack nothing: it was looked at, and has no mark.
    pub fn is_whole(&self, height: Height) -> Result<bool, StoreError> {
        if locked(&self.chain.looked).next <= height.0 {
            return Ok(false);
        }
        let mark = read(&self.chain.database, |transaction| {
            Ok(transaction.open_table(LACKING)?.get(height.0)?.is_some())
        });
        Ok(!mark.map_err(StoreError::look_up(WHAT))?)
    }

    /// Takes in what a marked block lacks: bodies that are not here, and attachments in the block's
    /// `carried`, one entry for each transaction, empty where there is none. Durable when this returns, with
    /// the end of the mark where nothing is missing any more; says whether that is so.
    ///
    /// The caller has compared the block with its header, and each entry with the root that the signed
    /// content commits to. A body that comes in is looked at soon by the lane's rule.
    pub fn put_beside(&self, block: &Block) -> Result<bool, StoreError> {
        let height = block.header.height;
        let written = write(&self.chain.database, |transaction| {
            for body in &block.lanes {
                let key = (height.0, body.header.lane.number());
                let row = transaction.open_table(LANE_HEADER)?.get(key)?.map(|row| row.value().to_vec());
                if row.is_some_and(|row| row.first() != Some(&BODY_HELD)) {
                    write_body(transaction, height, body, Look::Soon)?;
                }
            }
            let mut carried = transaction.open_table(CARRIED)?;
            for (place, attachments) in places(block).zip(&block.carried) {
                if !attachments.is_empty() {
                    carried.insert(place, encoded_carried(attachments).as_slice())?;
                }
            }
            let (lanes, transactions) =
                (transaction.open_table(LANE_HEADER)?, transaction.open_table(TRANSACTION)?);
            let is_whole = !lacks(&lanes, &transactions, &carried, height.0)?;
            if is_whole {
                transaction.open_table(LACKING)?.remove(height.0)?;
            }
            Ok(is_whole)
        });
        written.map_err(|source| StoreError::WriteBlocks { last: height, source: Box::new(source) })
    }

    /// Notes that all were asked for what these blocks lack, and lack it too. Durable.
    pub fn asked_in_vain(&self, heights: &[Height]) -> Result<(), StoreError> {
        if heights.is_empty() {
            return Ok(());
        }
        let written = write(&self.chain.database, |transaction| {
            let mut table = transaction.open_table(LACKING)?;
            for height in heights {
                let is_marked = table.get(height.0)?.is_some();
                if is_marked {
                    table.insert(height.0, Asked::InVain.number())?;
                }
            }
            Ok(())
        });
        written.map_err(StoreError::look_up(WHAT))
    }

    /// What travelled beside a block and is kept: an entry for each of its transactions, empty where there is
    /// none; nothing at all where there is none for any.
    pub fn carried_beside(&self, block: &Block) -> Result<Vec<Vec<Vec<u8>>>, StoreError> {
        let height = block.header.height;
        let rows = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(CARRIED)?;
            let row = |place: PlaceRow| Ok(table.get(place)?.map(|row| row.value().to_vec()));
            places(block).map(row).collect::<Result<Vec<_>, redb::Error>>()
        });
        let rows = rows.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
        if rows.iter().all(Option::is_none) {
            return Ok(Vec::new());
        }
        let damaged = |error| StoreError::damaged(format!("what travelled beside block {height}"), error);
        let decoded = |row: Option<Vec<u8>>| row.map_or(Ok(Vec::new()), |row| decoded_carried(&row));
        rows.into_iter().map(|row| decoded(row).map_err(damaged)).collect()
    }
}

/// The places of a block's transactions, in order.
pub(super) fn places(block: &Block) -> impl Iterator<Item = PlaceRow> {
    let height = block.header.height;
    block.lanes.iter().flat_map(move |body| {
        let lane = body.header.lane;
        (0..).zip(&body.transactions).map(move |(index, _)| Place { height, lane, index }.row())
    })
}

/// A row of attachments.
pub(super) fn encoded_carried(attachments: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(attachments.len());
    attachments.iter().for_each(|bytes| out.bytes(bytes));
    out.into_bytes()
}

/// Whether the rows of a block say that something is missing.
fn lacks(
    lanes: &impl ReadableTable<(u64, u16), &'static [u8]>,
    transactions: &impl ReadableTable<PlaceRow, &'static [u8]>,
    carried: &impl ReadableTable<PlaceRow, &'static [u8]>,
    height: u64,
) -> Result<bool, redb::Error> {
    let lane = Lane::Certificate.number();
    let Some(row) = lanes.get((height, lane))? else { return Ok(false) };
    if row.value().first() != Some(&BODY_HELD) {
        return Ok(true);
    }
    for row in transactions.range((height, lane, 0)..=(height, lane, u32::MAX))? {
        let (place, bytes) = row?;
        // What is kept beside it was compared when it came.
        let is_here = carried.get(place.value())?.is_some()
            || Transaction::from_bytes(bytes.value()).is_ok_and(|transaction| transaction.is_complete());
        if !is_here {
            return Ok(true);
        }
    }
    Ok(false)
}
