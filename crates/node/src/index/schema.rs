//! The index's tables.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Version of the layout. An index of another version is dropped and refilled.
const LAYOUT: i64 = 2;

/// `number` is the order of publication. Subjects are also in a trigram index, in small letters, so that a
/// part of one is found without a walk over all rows. Issuers are few: each stands once, and a walk over
/// them is cheap.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE issuer (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, small TEXT NOT NULL);
CREATE TABLE certificate (
    number INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    key BLOB NOT NULL,
    subject TEXT NOT NULL,
    issuer INTEGER NOT NULL REFERENCES issuer,
    serial TEXT NOT NULL,
    status TEXT NOT NULL,
    valid_from INTEGER NOT NULL,
    valid_until INTEGER NOT NULL,
    height INTEGER NOT NULL
);
CREATE INDEX certificate_expiry ON certificate (valid_until, number);
CREATE INDEX certificate_issuer ON certificate (issuer, number);
CREATE VIRTUAL TABLE certificate_text USING fts5 (
    subject, content = '', tokenize = 'trigram case_sensitive 1'
);
";

/// Opens the file for writing, with its tables.
///
/// The write-ahead log lets readers go on. With `synchronous = NORMAL` a power cut may lose the newest
/// commits, never the file: they are refilled from the blocks.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -64 * 1024)?;
    connection.set_prepared_statement_cache_capacity(32);
    let layout: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if layout != LAYOUT {
        empty(&connection)?;
    }
    Ok(connection)
}

/// Opens the file for questions.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// Drops all tables and makes them anew, in one transaction.
pub(super) fn empty(connection: &Connection) -> rusqlite::Result<()> {
    let tables = "
        DROP TABLE IF EXISTS certificate_text;
        DROP TABLE IF EXISTS certificate;
        DROP TABLE IF EXISTS issuer;
        DROP TABLE IF EXISTS meta;";
    let layout = format!("PRAGMA user_version = {LAYOUT};");
    let result = connection.execute_batch(&format!("BEGIN IMMEDIATE; {tables} {TABLES} {layout} COMMIT;"));
    if result.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    result
}
