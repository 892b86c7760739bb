//! Reading blocks.

use std::sync::Arc;

use redb::{Database, ReadTransaction};
use tabellion_ledger::cbor::{DecodeError, Reader, from_bytes};
use tabellion_ledger::limits::{
    ATTACHMENT_BYTES_MAX, ATTACHMENTS_MAX, HEADER_BYTES_MAX, LANE_HEADER_BYTES_MAX,
};
use tabellion_ledger::{
    Block, Header, HeaderHash, Height, Lane, LaneBody, LaneHeader, LaneOutline, Outline, Transaction,
    TransactionId, Wire,
};

use super::write::BODY_HELD;
use super::{Chain, Place, StoredTransaction};
use crate::store::rows::{
    CARRIED, FINALITY, HEADER, HEIGHT, LANE_HEADER, PLACE, PlaceRow, TRANSACTION, read,
};
use crate::store::{Store, StoreError, reading};

/// A block's rows.
struct BlockRows {
    header: Vec<u8>,
    /// Lane header rows with the transactions that follow.
    lanes: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
}

impl Chain {
    pub(in crate::store) fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        if let Some((_, block)) = reading(&self.staged).blocks.get(&height.0) {
            return Ok(Some(block.header.clone()));
        }
        stored_header(&self.database, height)
    }

    /// The block with all lanes; `None` if it is not held or a lane's body was deleted.
    pub(in crate::store) fn block(&self, height: Height) -> Result<Option<Arc<Block>>, StoreError> {
        if let Some((_, block)) = reading(&self.staged).blocks.get(&height.0) {
            return Ok(Some(Arc::clone(block)));
        }
        let rows = read(&self.database, |transaction| block_rows(transaction, height));
        let rows = rows.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
        let Some(rows) = rows else { return Ok(None) };
        let header = decoded_header(height, &rows.header)?;
        let mut lanes = Vec::with_capacity(rows.lanes.len());
        for (row, transactions) in &rows.lanes {
            let Some(lane) = decoded_lane(height, row)?.held() else { return Ok(None) };
            let transactions = transactions.iter().map(|bytes| Transaction::from_bytes(bytes));
            let transactions = transactions.collect::<Result<_, _>>();
            let transactions = transactions
                .map_err(|error| StoreError::damaged(format!("a transaction of block {height}"), error))?;
            lanes.push(LaneBody { header: lane, transactions });
        }
        Ok(Some(Arc::new(Block { header, lanes, carried: Vec::new() })))
    }

    pub(in crate::store) fn place(&self, id: &TransactionId) -> Result<Option<Place>, StoreError> {
        if let Some(place) = reading(&self.staged).places.get(id) {
            return Ok(Some(*place));
        }
        let row = read(&self.database, |transaction| {
            Ok(transaction.open_table(PLACE)?.get(id.as_bytes())?.map(|row| row.value()))
        });
        row.map_err(StoreError::transaction(id))?.map(decoded_place).transpose()
    }

    fn height_of(&self, digest: &HeaderHash) -> Result<Option<Height>, StoreError> {
        if let Some(height) = reading(&self.staged).heights.get(digest) {
            return Ok(Some(Height(*height)));
        }
        let row = read(&self.database, |transaction| {
            Ok(transaction.open_table(HEIGHT)?.get(digest.as_bytes())?.map(|row| Height(row.value())))
        });
        row.map_err(StoreError::look_up(format!("block {digest}")))
    }

    fn votes(&self, height: Height) -> Result<Option<(HeaderHash, Vec<u8>)>, StoreError> {
        if let Some((digest, votes)) = reading(&self.staged).votes.get(&height.0) {
            return Ok(Some((*digest, votes.to_vec())));
        }
        let row = read(&self.database, |transaction| {
            Ok(transaction.open_table(FINALITY)?.get(height.0)?.map(|row| row.value().to_vec()))
        });
        let row = row.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
        let Some(row) = row else { return Ok(None) };
        let (digest, votes) = row.split_first_chunk::<32>().ok_or_else(|| short(height))?;
        Ok(Some((HeaderHash(*digest), votes.to_vec())))
    }
}

impl Store {
    /// The header at this height.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        self.chain.header(height)
    }

    /// The block at this height; `None` if it is not held or the body of one of its lanes was deleted.
    pub fn block(&self, height: Height) -> Result<Option<Arc<Block>>, StoreError> {
        self.chain.block(height)
    }

    /// The height of the block, or of the votes, with this header hash.
    pub fn height_of(&self, digest: &HeaderHash) -> Result<Option<Height>, StoreError> {
        self.chain.height_of(digest)
    }

    /// The header hash and the votes, encoded, of the block at this height.
    pub fn votes(&self, height: Height) -> Result<Option<(HeaderHash, Vec<u8>)>, StoreError> {
        self.chain.votes(height)
    }

    /// The headers of all lanes of a block, ascending, each with whether its body is held. Empty if there are
    /// none.
    pub fn lane_headers(&self, height: Height) -> Result<Vec<(LaneHeader, bool)>, StoreError> {
        if let Some((_, block)) = reading(&self.chain.staged).blocks.get(&height.0) {
            return Ok(block.lanes.iter().map(|body| (body.header.clone(), true)).collect());
        }
        let rows = read(&self.chain.database, |transaction| lane_rows(transaction, height));
        let rows = rows.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
        let lanes =
            rows.iter().map(|row| decoded_lane(height, row).map(|lane| (lane.header, lane.body_held)));
        lanes.collect()
    }

    /// A block's outline, with its records if `records`; `None` if the block is not held, or the records of
    /// one of its lanes are wanted and were deleted.
    pub fn outline(&self, height: Height, records: bool) -> Result<Option<Outline>, StoreError> {
        if records {
            return Ok(self.block(height)?.map(|block| Outline::of(&block)));
        }
        if !self.has_block(height) {
            return Ok(None);
        }
        let lanes = self.lane_headers(height)?.into_iter();
        let lanes = lanes.map(|(header, _)| LaneOutline { header, records: None }).collect();
        Ok(Some(Outline { lanes }))
    }

    /// One lane of a block; `None` if the block or the lane is not there, or its body was deleted.
    ///
    /// What a proof of a record needs, without the other lanes.
    pub fn lane_body(&self, height: Height, lane: Lane) -> Result<Option<LaneBody>, StoreError> {
        if let Some((_, block)) = reading(&self.chain.staged).blocks.get(&height.0) {
            return Ok(block.lanes.iter().find(|body| body.header.lane == lane).cloned());
        }
        let rows = read(&self.chain.database, |transaction| {
            let row = transaction.open_table(LANE_HEADER)?.get((height.0, lane.number()))?;
            let Some(row) = row.map(|row| row.value().to_vec()) else { return Ok(None) };
            Ok(Some((row, transaction_rows(transaction, height, lane.number())?)))
        });
        let rows = rows.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
        let Some((row, transactions)) = rows else { return Ok(None) };
        let Some(header) = decoded_lane(height, &row)?.held() else { return Ok(None) };
        let transactions =
            transactions.iter().map(|bytes| Transaction::from_bytes(bytes)).collect::<Result<_, _>>();
        let transactions = transactions
            .map_err(|error| StoreError::damaged(format!("a transaction of block {height}"), error))?;
        Ok(Some(LaneBody { header, transactions }))
    }

    /// The attachments that travelled beside a lane of a block and were kept; empty on other nodes than
    /// backup nodes.
    pub fn carried(&self, height: Height, lane: Lane) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(CARRIED)?;
            let rows = table.range((height.0, lane.number(), 0)..=(height.0, lane.number(), u32::MAX))?;
            rows.map(|row| Ok(row?.1.value().to_vec())).collect::<Result<Vec<_>, redb::Error>>()
        });
        let rows = rows.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
        let mut all = Vec::new();
        for row in rows {
            let attachments = decoded_carried(&row);
            let damaged = |error| StoreError::damaged(format!("what travelled beside block {height}"), error);
            all.extend(attachments.map_err(damaged)?);
        }
        Ok(all)
    }

    /// Where a transaction stands, and its bytes where they are held.
    pub fn transaction(&self, id: &TransactionId) -> Result<Option<StoredTransaction>, StoreError> {
        let Some(place) = self.chain.place(id)? else { return Ok(None) };
        if let Some((_, block)) = reading(&self.chain.staged).blocks.get(&place.height.0) {
            let mut transactions = block.lanes.iter().flat_map(|body| &body.transactions);
            let bytes = transactions.find(|transaction| transaction.id() == *id).map(Transaction::to_bytes);
            return Ok(Some(StoredTransaction { place, bytes }));
        }
        let bytes = read(&self.chain.database, |transaction| {
            Ok(transaction.open_table(TRANSACTION)?.get(place.row())?.map(|row| row.value().to_vec()))
        });
        let bytes = bytes.map_err(StoreError::transaction(id))?;
        Ok(Some(StoredTransaction { place, bytes }))
    }
}

/// A lane header's row.
struct LaneRow {
    header: LaneHeader,
    body_held: bool,
}

impl LaneRow {
    /// The header, if the body is held.
    fn held(self) -> Option<LaneHeader> {
        self.body_held.then_some(self.header)
    }
}

/// The header that a database holds at a height.
pub(in crate::store) fn stored_header(
    database: &Database,
    height: Height,
) -> Result<Option<Header>, StoreError> {
    let row = read(database, |transaction| header_row(transaction, height));
    let row = row.map_err(|source| StoreError::ReadBlock { height, source: Box::new(source) })?;
    row.map(|row| decoded_header(height, &row)).transpose()
}

fn header_row(transaction: &ReadTransaction, height: Height) -> Result<Option<Vec<u8>>, redb::Error> {
    Ok(transaction.open_table(HEADER)?.get(height.0)?.map(|row| row.value().to_vec()))
}

fn lane_rows(transaction: &ReadTransaction, height: Height) -> Result<Vec<Vec<u8>>, redb::Error> {
    let table = transaction.open_table(LANE_HEADER)?;
    let rows = table.range((height.0, 0)..=(height.0, u16::MAX))?;
    rows.map(|row| Ok(row?.1.value().to_vec())).collect()
}

fn transaction_rows(
    transaction: &ReadTransaction,
    height: Height,
    lane: u16,
) -> Result<Vec<Vec<u8>>, redb::Error> {
    let table = transaction.open_table(TRANSACTION)?;
    let rows = table.range((height.0, lane, 0)..=(height.0, lane, u32::MAX))?;
    rows.map(|row| Ok(row?.1.value().to_vec())).collect()
}

fn block_rows(transaction: &ReadTransaction, height: Height) -> Result<Option<BlockRows>, redb::Error> {
    let Some(header) = header_row(transaction, height)? else { return Ok(None) };
    let table = transaction.open_table(LANE_HEADER)?;
    let mut lanes = Vec::new();
    for row in table.range((height.0, 0)..=(height.0, u16::MAX))? {
        let (key, value) = row?;
        lanes.push((value.value().to_vec(), transaction_rows(transaction, height, key.value().1)?));
    }
    Ok(Some(BlockRows { header, lanes }))
}

fn decoded_header(height: Height, row: &[u8]) -> Result<Header, StoreError> {
    let (_, bytes) = row.split_first_chunk::<32>().ok_or_else(|| short(height))?;
    decoded(bytes, HEADER_BYTES_MAX, || format!("the header of block {height}"))
}

fn decoded_lane(height: Height, row: &[u8]) -> Result<LaneRow, StoreError> {
    let (state, bytes) = row.split_first().ok_or_else(|| short(height))?;
    let header = decoded(bytes, LANE_HEADER_BYTES_MAX, || format!("a lane header of block {height}"))?;
    Ok(LaneRow { header, body_held: *state == BODY_HELD })
}

fn decoded<T: Wire>(bytes: &[u8], bytes_max: usize, what: impl Fn() -> String) -> Result<T, StoreError> {
    from_bytes(bytes, bytes_max).map_err(|error| StoreError::damaged(what(), error))
}

pub(super) fn decoded_carried(row: &[u8]) -> Result<Vec<Vec<u8>>, DecodeError> {
    let mut input = Reader::new(row);
    let count = input.array(ATTACHMENTS_MAX)?;
    (0..count).map(|_| Ok(input.bytes(ATTACHMENT_BYTES_MAX)?.to_vec())).collect()
}

fn decoded_place((height, lane, index): PlaceRow) -> Result<Place, StoreError> {
    let height = Height(height);
    let unknown = || StoreError::damaged(format!("a transaction's place in block {height}"), "no such lane");
    Ok(Place { height, lane: Lane::from_number(lane).ok_or_else(unknown)?, index })
}

fn short(height: Height) -> StoreError {
    StoreError::damaged(format!("a row of block {height}"), "too few bytes")
}
