//! The query index: what people ask about certificates beyond a single identifier.
//!
//! A SQLite file of its own, made of what the blocks say and nothing else. Consensus never reads it, proofs
//! do not come from it, and it may be dropped at any time: [`Index::applied_height`] says from where to
//! refill it. Rows are committed in batches without waiting for the disk; a crash loses the newest batch,
//! which is then refilled.
//!
//! ```text
//!  committed blocks -> IndexRow -> Index::apply -> Index::commit -> Question -> Answer (a page and where the
//! next begins)
//! ```
//!
//! Absent: what rows a block makes, who may ask.

mod history;
mod log;
mod lookup;
mod question;
mod schema;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};
use tabellion_api::IssuerKey;
use tabellion_ledger::{CertificateId, Height, KeyId, TimeMs};

use self::log::LogWriter;

pub use self::history::{Change, HistoryRows, Publication};
pub use self::log::{LogBlock, LogHead, LogLeaf, LogRow};
pub use self::lookup::{ChangedRow, CrlRow, Found, Issued};
pub use self::question::{Answer, Cursor, CursorFault, Question};

/// File of the index within its folder.
pub const INDEX_FILE: &str = "index.sqlite";
/// Rows after which a batch is committed: enough to spread the cost of its pages, little to refill.
const BATCH_ROWS: usize = 4_000;
/// Connections kept for readers.
const READERS_MAX: usize = 4;

/// One certificate as the index has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRow {
    /// SHA-256 of the certificate.
    pub certificate: CertificateId,
    /// SHA-256 of its SubjectPublicKeyInfo.
    pub key: KeyId,
    /// Subject, RFC 4514; empty where the ledger does not hold the certificate.
    pub subject: String,
    /// Issuer, RFC 4514; empty where the ledger does not hold the certificate.
    pub issuer: String,
    /// Serial number, hexadecimal; empty where the ledger does not hold the certificate.
    pub serial: String,
    /// Status in one word.
    pub status: String,
    /// First moment of the validity.
    pub valid_from: TimeMs,
    /// Last moment of the validity; moments beyond 2^63 - 1 are kept as that.
    pub valid_until: TimeMs,
    /// The block whose body holds the publication.
    pub height: Height,
}

/// What a block says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IndexBlock {
    /// What was published.
    pub publications: Vec<Publication>,
    /// Certificates whose row changed, or whose publication is not there any more.
    pub rows: Vec<IndexRow>,
    /// Names and keys of issuers.
    pub issuers: Vec<IssuerKey>,
    /// Of the new certificates those that were seen.
    pub issued: Vec<Issued>,
    /// Changes of statuses, in order.
    pub changed: Vec<Change>,
    /// CRLs that were recorded as evidence.
    pub crls: Vec<CrlRow>,
    /// Entries of the log of certificates.
    pub log: LogBlock,
}

impl IndexBlock {
    /// Rows that it writes, about.
    fn row_count(&self) -> usize {
        let published: usize = self.publications.iter().map(|one| one.rows.len()).sum();
        published + self.rows.len() + self.changed.len()
    }
}

impl From<&[IndexRow]> for IndexBlock {
    fn from(rows: &[IndexRow]) -> Self {
        Self { rows: rows.to_vec(), ..Self::default() }
    }
}

/// A failure of the index: one variant for each operation.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The folder cannot be made.
    #[error("make the folder {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file cannot be opened or prepared.
    #[error("open the query index {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A block's rows cannot be written.
    #[error("index block {height}")]
    Apply {
        /// The block.
        height: Height,
        /// Why.
        source: rusqlite::Error,
    },
    /// A block that does not follow the last indexed one.
    #[error("block {found} does not follow the last indexed block {last:?}")]
    Gap {
        /// The block given.
        found: Height,
        /// The last indexed block.
        last: Option<Height>,
    },
    /// A batch cannot be committed.
    #[error("commit the query index")]
    Commit {
        /// Why.
        source: rusqlite::Error,
    },
    /// The index cannot be emptied.
    #[error("empty the query index")]
    Clear {
        /// Why.
        source: rusqlite::Error,
    },
    /// A question cannot be answered.
    #[error("query the index")]
    Query {
        /// Why.
        source: rusqlite::Error,
    },
}

/// How far the index got, the batch under way included.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    height: Option<Height>,
    transactions: u64,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    progress: Progress,
    /// Rows of the batch under way; `None` while there is none.
    batch: Option<usize>,
    log: LogWriter,
}

/// The query index of a node. Questions are answered while blocks are indexed.
#[derive(Debug)]
pub struct Index {
    path: PathBuf,
    writer: Mutex<Writer>,
    readers: Mutex<Vec<Connection>>,
}

impl Index {
    /// Opens the folder's index, or makes an empty one; one of another layout is made anew.
    pub fn open(folder: &Path) -> Result<Self, IndexError> {
        std::fs::create_dir_all(folder)
            .map_err(|source| IndexError::Folder { path: folder.to_owned(), source })?;
        let path = folder.join(INDEX_FILE);
        let opened = schema::open(&path).and_then(|connection| {
            let progress = progress(&connection)?;
            let log = LogWriter::open(&connection)?;
            Ok(Writer { connection, progress, batch: None, log })
        });
        let writer = opened.map_err(|source| IndexError::Open { path: path.clone(), source })?;
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::default() })
    }

    /// The last indexed block, the batch under way included; `None` for an empty index.
    pub fn applied_height(&self) -> Option<Height> {
        locked(&self.writer).progress.height
    }

    /// Transactions in the indexed blocks.
    pub fn transactions(&self) -> u64 {
        locked(&self.writer).progress.transactions
    }

    /// Takes what the next block says, and its number of transactions.
    ///
    /// Questions see it after the next [`commit`](Self::commit), or once 4,000 rows have come together. A
    /// block that is indexed already changes nothing.
    ///
    /// Errors: [`IndexError::Gap`] for a block that is not the next one.
    pub fn apply(&self, height: Height, transactions: u64, block: &IndexBlock) -> Result<(), IndexError> {
        let mut writer = locked(&self.writer);
        let last = writer.progress.height;
        if last.is_some_and(|last| height <= last) {
            return Ok(());
        }
        if height != last.map_or(Height(0), Height::next) {
            return Err(IndexError::Gap { found: height, last });
        }
        writer.write(height, block).map_err(|source| IndexError::Apply { height, source })?;
        writer.progress.height = Some(height);
        writer.progress.transactions += transactions;
        if writer.batch.is_some_and(|rows| rows >= BATCH_ROWS) {
            writer.commit().map_err(|source| IndexError::Commit { source })?;
        }
        Ok(())
    }

    /// Shows to questions what was applied. To be called whenever there is nothing more to apply for now.
    pub fn commit(&self) -> Result<(), IndexError> {
        locked(&self.writer).commit().map_err(|source| IndexError::Commit { source })
    }

    /// Empties the index, so that the caller refills it from the first block on.
    pub fn clear(&self) -> Result<(), IndexError> {
        let mut writer = locked(&self.writer);
        writer.clear().map_err(|source| IndexError::Clear { source })
    }

    /// Answers a question from what was committed.
    pub fn query(&self, question: &Question) -> Result<Answer, IndexError> {
        self.read(|connection| question.answer(connection))
    }

    /// Reads what was committed.
    fn read<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, IndexError> {
        let kept = locked(&self.readers).pop();
        let answered = match kept {
            Some(connection) => Ok(connection),
            None => schema::open_to_read(&self.path),
        };
        let answered = answered.and_then(|connection| {
            let answer = read(&connection)?;
            let mut readers = locked(&self.readers);
            if readers.len() < READERS_MAX {
                readers.push(connection);
            }
            Ok(answer)
        });
        answered.map_err(|source| IndexError::Query { source })
    }
}

impl Writer {
    fn write(&mut self, height: Height, block: &IndexBlock) -> rusqlite::Result<()> {
        if self.batch.is_none() {
            self.connection.execute_batch("BEGIN IMMEDIATE")?;
            self.batch = Some(0);
        }
        // A block's rows are one step: where one fails, none of them stays in the batch.
        self.connection.execute_batch("SAVEPOINT block")?;
        let mut log = self.log.clone();
        let written = put_rows(&self.connection, block)
            .and_then(|()| lookup::put(&self.connection, block))
            .and_then(|()| history::put(&self.connection, height, block))
            .and_then(|()| log.put(&self.connection, height, &block.log));
        match &written {
            Ok(()) => self.log = log,
            Err(_) => self.connection.execute_batch("ROLLBACK TO block")?,
        }
        self.connection.execute_batch("RELEASE block")?;
        self.batch = self.batch.map(|before| before + block.row_count());
        written
    }

    fn commit(&mut self) -> rusqlite::Result<()> {
        if self.batch.is_none() {
            return Ok(());
        }
        let Progress { height, transactions } = self.progress;
        let mut put =
            self.connection.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?;
        if let Some(height) = height {
            put.execute(params!["applied_height", signed(height.0)])?;
        }
        put.execute(params!["transactions", signed(transactions)])?;
        drop(put);
        self.connection.execute_batch("COMMIT")?;
        self.batch = None;
        Ok(())
    }

    fn clear(&mut self) -> rusqlite::Result<()> {
        if self.batch.take().is_some() {
            self.connection.execute_batch("ROLLBACK")?;
        }
        schema::empty(&self.connection)?;
        self.progress = Progress::default();
        self.log = LogWriter::default();
        Ok(())
    }
}

fn put_rows(connection: &Connection, block: &IndexBlock) -> rusqlite::Result<()> {
    for publication in &block.publications {
        let number = history::put_publication(connection, publication)?;
        publication.rows.iter().try_for_each(|row| put(connection, row, Some(number)))?;
    }
    block.rows.iter().try_for_each(|row| put(connection, row, None))
}

/// Adds a certificate, or gives a known one its new status; `publication` is the number of the transaction
/// that published it.
fn put(connection: &Connection, row: &IndexRow, publication: Option<i64>) -> rusqlite::Result<()> {
    let id = row.certificate.as_bytes().as_slice();
    let mut known = connection.prepare_cached("SELECT number FROM certificate WHERE id = ?1")?;
    let known: Option<i64> = known.query_row([id], |found| found.get(0)).optional()?;
    if let Some(number) = known {
        let mut change = connection.prepare_cached(
            "UPDATE certificate SET status = ?2, valid_from = ?3, valid_until = ?4, height = ?5, \
             publication = COALESCE(?6, publication) WHERE number = ?1",
        )?;
        let (from, until) = (signed(row.valid_from.0), signed(row.valid_until.0));
        change.execute(params![number, row.status, from, until, signed(row.height.0), publication])?;
        return Ok(());
    }
    let mut add = connection.prepare_cached(
        "INSERT INTO certificate \
         (id, key, subject, issuer, serial, status, valid_from, valid_until, height, publication) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    add.execute(params![
        id,
        row.key.as_bytes().as_slice(),
        row.subject,
        issuer_number(connection, &row.issuer)?,
        row.serial,
        row.status,
        signed(row.valid_from.0),
        signed(row.valid_until.0),
        signed(row.height.0),
        publication,
    ])?;
    let number = connection.last_insert_rowid();
    let mut text =
        connection.prepare_cached("INSERT INTO certificate_text (rowid, subject) VALUES (?1, ?2)")?;
    text.execute(params![number, row.subject.to_lowercase()])?;
    Ok(())
}

fn issuer_number(connection: &Connection, name: &str) -> rusqlite::Result<i64> {
    let mut known = connection.prepare_cached("SELECT number FROM issuer WHERE name = ?1")?;
    if let Some(number) = known.query_row([name], |found| found.get(0)).optional()? {
        return Ok(number);
    }
    let mut add = connection.prepare_cached("INSERT INTO issuer (name, small) VALUES (?1, ?2)")?;
    add.execute(params![name, name.to_lowercase()])?;
    Ok(connection.last_insert_rowid())
}

fn progress(connection: &Connection) -> rusqlite::Result<Progress> {
    let mut value = connection.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    let mut named = |name: &str| -> rusqlite::Result<Option<u64>> {
        Ok(value.query_row([name], |row| row.get(0)).optional()?.map(unsigned))
    };
    Ok(Progress {
        height: named("applied_height")?.map(Height),
        transactions: named("transactions")?.unwrap_or(0),
    })
}

/// SQLite's integers are signed; what lies beyond is kept as the largest.
fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn unsigned(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

/// A holder that panicked leaves a connection whose transaction the next error or commit ends.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
