//! The certificate lane as a tree of entries (RFC 6962): leaves in the order of the ledger, and each inner
//! node once it is complete, so that a proof costs O(log n) reads.

use std::cell::RefCell;

use rusqlite::{Connection, OptionalExtension, params};
use tabellion_ledger::merkle::{
    Frontier, Nodes, empty_root, stored_consistency_path, stored_inclusion_path, stored_root,
};
use tabellion_ledger::{CertificateId, Hash, Height, TimeMs, TransactionId};

use super::{Index, IndexError, progress, signed, unsigned};

/// Name of the first block whose certificates were never seen.
const GAP: &str = "log_gap";

/// An entry of the log as a block brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLeaf {
    /// The transaction that published the certificate.
    pub transaction: TransactionId,
    /// Which of its publications.
    pub entry: u32,
    /// Time of the block.
    pub time: TimeMs,
    /// The leaf's hash.
    pub leaf: Hash,
}

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRow {
    /// Its place, from 0.
    pub place: u64,
    /// The block.
    pub height: Height,
    /// What the block brought.
    pub leaf: LogLeaf,
}

/// What a block says of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogBlock {
    /// Its entries.
    pub leaves: Vec<LogLeaf>,
    /// CAs at the ends of chains, DER: they may be trusted no longer when somebody asks.
    pub roots: Vec<(CertificateId, Vec<u8>)>,
    /// Whether it may hold certificates that are not here: the tree ends before this block then.
    pub is_gap: bool,
}

/// The tree as far as it was committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogHead {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// The newest block in it; `None` for an empty index.
    pub height: Option<Height>,
    /// The first block whose certificates were never seen.
    pub gap: Option<Height>,
}

/// What the writer keeps of the tree.
#[derive(Clone, Debug, Default)]
pub(super) struct LogWriter {
    frontier: Frontier,
    gap: Option<Height>,
}

impl LogWriter {
    /// What was committed.
    pub(super) fn open(connection: &Connection) -> rusqlite::Result<Self> {
        let size = size(connection)?;
        let frontier = StoredNodes::new(connection).read(|nodes| Frontier::of(nodes, size))?;
        // A committed tree has all its nodes.
        let frontier = frontier.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        Ok(Self { frontier, gap: gap(connection)? })
    }

    /// Adds what a block says.
    pub(super) fn put(
        &mut self,
        connection: &Connection,
        height: Height,
        block: &LogBlock,
    ) -> rusqlite::Result<()> {
        for (id, der) in &block.roots {
            let mut keep =
                connection.prepare_cached("INSERT OR IGNORE INTO ct_root (id, der) VALUES (?1, ?2)")?;
            keep.execute(params![id.as_bytes().as_slice(), der])?;
        }
        if block.is_gap && self.gap.is_none() {
            let mut mark = connection.prepare_cached("INSERT INTO meta (name, value) VALUES (?1, ?2)")?;
            mark.execute(params![GAP, signed(height.0)])?;
            self.gap = Some(height);
        }
        if self.gap.is_some() {
            return Ok(());
        }
        for leaf in &block.leaves {
            self.push(connection, height, leaf)?;
        }
        Ok(())
    }

    fn push(&mut self, connection: &Connection, height: Height, leaf: &LogLeaf) -> rusqlite::Result<()> {
        let place = self.frontier.size();
        let mut add = connection.prepare_cached(
            "INSERT INTO ct_entry (place, height, txid, entry, time, leaf) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let LogLeaf { transaction, entry, time, leaf } = leaf;
        add.execute(params![
            signed(place),
            signed(height.0),
            transaction.as_bytes().as_slice(),
            entry,
            signed(time.0),
            leaf.0
        ])?;
        let mut keep =
            connection.prepare_cached("INSERT INTO ct_node (level, place, hash) VALUES (?1, ?2, ?3)")?;
        // The first is the leaf itself.
        for node in self.frontier.push(*leaf).iter().skip(1) {
            keep.execute(params![node.level, signed(node.index), node.hash.0])?;
        }
        Ok(())
    }
}

/// The nodes in the tables. A failed read is kept, since the readers of a tree know absence alone.
struct StoredNodes<'a> {
    connection: &'a Connection,
    failed: RefCell<Option<rusqlite::Error>>,
}

impl<'a> StoredNodes<'a> {
    fn new(connection: &'a Connection) -> Self {
        Self { connection, failed: RefCell::default() }
    }

    fn read<T>(self, read: impl FnOnce(&Self) -> Option<T>) -> rusqlite::Result<Option<T>> {
        let found = read(&self);
        match self.failed.into_inner() {
            Some(error) => Err(error),
            None => Ok(found),
        }
    }

    fn hash(&self, level: u8, index: u64) -> rusqlite::Result<Option<Hash>> {
        let hash = |row: &rusqlite::Row<'_>| row.get(0).map(Hash);
        if level == 0 {
            let mut leaf = self.connection.prepare_cached("SELECT leaf FROM ct_entry WHERE place = ?1")?;
            return leaf.query_row([signed(index)], hash).optional();
        }
        let mut node =
            self.connection.prepare_cached("SELECT hash FROM ct_node WHERE level = ?1 AND place = ?2")?;
        node.query_row(params![level, signed(index)], hash).optional()
    }
}

impl Nodes for StoredNodes<'_> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        match self.hash(level, index) {
            Ok(found) => found,
            Err(error) => {
                self.failed.replace(Some(error));
                None
            }
        }
    }
}

fn size(connection: &Connection) -> rusqlite::Result<u64> {
    let mut last = connection.prepare_cached("SELECT MAX(place) FROM ct_entry")?;
    let last: Option<i64> = last.query_row([], |row| row.get(0))?;
    Ok(last.map_or(0, |last| unsigned(last) + 1))
}

fn gap(connection: &Connection) -> rusqlite::Result<Option<Height>> {
    let mut value = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(value.query_row([GAP], |row| row.get(0)).optional()?.map(|height| Height(unsigned(height))))
}

impl Index {
    /// The tree as far as it was committed.
    pub fn log_head(&self) -> Result<LogHead, IndexError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let size = size(&transaction)?;
            let root = match size {
                0 => Some(empty_root()),
                _ => StoredNodes::new(&transaction).read(|nodes| stored_root(nodes, size))?,
            };
            let root = root.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
            Ok(LogHead { size, root, height: progress(&transaction)?.height, gap: gap(&transaction)? })
        })
    }

    /// The entries from `first` on, at most `limit`.
    pub fn log_rows(&self, first: u64, limit: usize) -> Result<Vec<LogRow>, IndexError> {
        self.read(|connection| {
            let mut rows = connection.prepare_cached(
                "SELECT place, height, txid, entry, time, leaf FROM ct_entry \
                 WHERE place >= ?1 ORDER BY place LIMIT ?2",
            )?;
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let rows = rows.query_map(params![signed(first), limit], |row| {
                let leaf = LogLeaf {
                    transaction: TransactionId(row.get(2)?),
                    entry: row.get(3)?,
                    time: TimeMs(unsigned(row.get(4)?)),
                    leaf: Hash(row.get(5)?),
                };
                Ok(LogRow { place: unsigned(row.get(0)?), height: Height(unsigned(row.get(1)?)), leaf })
            })?;
            rows.collect()
        })
    }

    /// The first place of a leaf.
    pub fn log_place(&self, leaf: &Hash) -> Result<Option<u64>, IndexError> {
        self.read(|connection| {
            let mut place = connection.prepare_cached("SELECT MIN(place) FROM ct_entry WHERE leaf = ?1")?;
            let place: Option<i64> = place.query_row([leaf.0], |row| row.get(0))?;
            Ok(place.map(unsigned))
        })
    }

    /// The path from a place to the root over the first `size` entries; `None` outside of that tree.
    pub fn log_inclusion_path(&self, place: u64, size: u64) -> Result<Option<Vec<Hash>>, IndexError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            if size > self::size(&transaction)? {
                return Ok(None);
            }
            StoredNodes::new(&transaction).read(|nodes| stored_inclusion_path(nodes, place, size))
        })
    }

    /// The proof that the tree over the first `new` entries extends that over the first `old`.
    pub fn log_consistency_path(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, IndexError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            if new > size(&transaction)? {
                return Ok(None);
            }
            StoredNodes::new(&transaction).read(|nodes| stored_consistency_path(nodes, old, new))
        })
    }

    /// A CA at the end of a chain, DER.
    pub fn log_root(&self, id: &CertificateId) -> Result<Option<Vec<u8>>, IndexError> {
        self.read(|connection| {
            let mut root = connection.prepare_cached("SELECT der FROM ct_root WHERE id = ?1")?;
            root.query_row([id.as_bytes().as_slice()], |row| row.get(0)).optional()
        })
    }
}
