//! The tables of both databases, and how rows are written.

use redb::{Database, ReadTransaction, ReadableDatabase, TableDefinition, WriteTransaction};
use tabellion_ledger::LedgerId;

use super::{FORMAT, StoreError};

/// `chain.redb`: height -> header hash (32 bytes), header.
pub(super) const HEADER: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("header");
/// `chain.redb`: header hash -> height, of blocks and of votes.
pub(super) const HEIGHT: TableDefinition<'_, &[u8; 32], u64> = TableDefinition::new("height_by_digest");
/// `chain.redb`: height -> header hash (32 bytes), votes as the engine's adapter encodes them.
pub(super) const FINALITY: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("finality");
/// `chain.redb`: (height, lane) -> whether the body is held (1 byte), lane header.
pub(super) const LANE_HEADER: TableDefinition<'_, (u64, u16), &[u8]> = TableDefinition::new("lane_header");
/// `chain.redb`: (height, lane, index) -> transaction as recorded.
pub(super) const TRANSACTION: TableDefinition<'_, PlaceRow, &[u8]> = TableDefinition::new("tx");
/// `chain.redb`: (height, lane, index) -> the attachments of a transaction that a ledger of identifiers does
/// not record; kept by backup nodes.
pub(super) const CARRIED: TableDefinition<'_, PlaceRow, &[u8]> = TableDefinition::new("carried");
/// `chain.redb`: height -> 0, or 1 once all who were asked lack it too: a block whose body of certificates,
/// or what travelled beside it, is not all here. Of backup nodes.
pub(super) const LACKING: TableDefinition<'_, u64, u8> = TableDefinition::new("lacking");
/// `chain.redb`: transaction id -> its place. Stays when the body goes.
pub(super) const PLACE: TableDefinition<'_, &[u8; 32], PlaceRow> = TableDefinition::new("tx_height");
/// `chain.redb`: (what, first height) -> last height, for ranges without gaps.
pub(super) const RANGE: TableDefinition<'_, (u8, u64), u64> = TableDefinition::new("range");
/// `chain.redb`: transaction id -> what the pool keeps of it.
pub(super) const POOL: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("pool");
/// `chain.redb`: number of a roster -> the record of the hand-over to it.
pub(super) const HAND_OVER: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("hand_over");
/// `chain.redb`: (moment in ms, height, lane): the lane's body is to be looked at once the moment is over. A
/// mark has the number that it was made with, so that a look does not settle a later mark; others have 0.
pub(super) const DUE: TableDefinition<'_, DueRow, u64> = TableDefinition::new("due");
/// `state.redb`: pages of the trie and records, sorted by path, so that a record lies beside the pages above
/// it.
///
/// Key of a page: [`PageId::to_key`](tabellion_ledger::trie::PageId::to_key), whose last byte is below 64.
/// Key of a record: its path, then [`RECORD_TAG`].
pub(super) const STATE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("state");
/// Last byte of a record's key.
pub(super) const RECORD_TAG: u8 = 64;
/// `state.redb`: (tree, level, index) -> hash.
pub(super) const HISTORY: TableDefinition<'_, NodeRow, &[u8; 32]> = TableDefinition::new("history");
/// Both: name -> bytes.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// `chain.redb`, in [`META`]: the height of the state that this store was begun with, where it is not the
/// genesis block's.
pub(super) const FLOOR: &str = "floor";
/// `chain.redb`, in [`META`]: the first height below the floor whose body was not fetched yet.
pub(super) const BODIES: &str = "bodies";

/// `chain.redb`, in [`META`]: the first height whose bodies have no row in [`DUE`] yet.
pub(super) const INDEXED: &str = "due from";

/// `chain.redb`, in [`META`]: the first height that was not looked at for what it lacks; it may lag.
pub(super) const LOOKED: &str = "lacking from";

/// Moment (ms), height, lane.
pub(super) type DueRow = (u64, u64, u16);
/// Height, lane, index in the lane.
pub(super) type PlaceRow = (u64, u16, u32);
/// Tree, level, index in the level.
pub(super) type NodeRow = (u32, u8, u64);

/// Ranges of heights with a header.
pub(super) const HELD_BLOCKS: u8 = 0;
/// Ranges of heights with votes.
pub(super) const HELD_VOTES: u8 = 1;

const META_FORMAT: &str = "format";
const META_LEDGER: &str = "ledger";

/// Runs `body` in one durable transaction.
pub(super) fn write<T>(
    database: &Database,
    body: impl FnOnce(&WriteTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    let mut transaction = database.begin_write()?;
    // Without it a crash costs a walk over the whole file at the next start, and its two phases have outlived
    // the faults that single-phase commits had.
    transaction.set_quick_repair(true);
    let value = body(&transaction)?;
    transaction.commit()?;
    Ok(value)
}

/// Runs `body` on the database as of now.
pub(super) fn read<T>(
    database: &Database,
    body: impl FnOnce(&ReadTransaction) -> Result<T, redb::Error>,
) -> Result<T, redb::Error> {
    body(&database.begin_read()?)
}

/// Makes the tables of a new database; refuses one of another ledger or layout.
pub(super) fn prepare(
    database: &Database,
    name: &'static str,
    ledger: LedgerId,
    tables: impl FnOnce(&WriteTransaction) -> Result<(), redb::Error>,
) -> Result<(), StoreError> {
    let found = write(database, |transaction| {
        tables(transaction)?;
        let mut meta = transaction.open_table(META)?;
        let named = |key: &str| -> Result<Option<Vec<u8>>, redb::Error> {
            Ok(redb::ReadableTable::get(&meta, key)?.map(|bytes| bytes.value().to_vec()))
        };
        let found = named(META_FORMAT)?.zip(named(META_LEDGER)?);
        if found.is_none() {
            meta.insert(META_FORMAT, FORMAT.to_be_bytes().as_slice())?;
            meta.insert(META_LEDGER, ledger.as_bytes().as_slice())?;
        }
        Ok(found)
    });
    let found = found.map_err(|source| StoreError::Prepare { database: name, source: Box::new(source) })?;
    let Some((format, id)) = found else { return Ok(()) };
    let damaged =
        |_| StoreError::damaged(format!("the head of the {name} database"), "a field of another length");
    let format = u32::from_be_bytes(format.try_into().map_err(damaged)?);
    if format != FORMAT {
        return Err(StoreError::Format { database: name, found: format, expected: FORMAT });
    }
    let id = LedgerId(id.try_into().map_err(damaged)?);
    if id != ledger {
        return Err(StoreError::OtherLedger { found: id, expected: ledger });
    }
    Ok(())
}
