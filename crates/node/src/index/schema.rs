//! The index's tables.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Version of the layout. An index of another version is dropped and refilled.
const LAYOUT: i64 = 5;

/// `number` is the order of publication. Subjects are also in a trigram index, in small letters, so that a
/// part of one is found without a walk over all rows. Issuers are few: each stands once, and a walk over
/// them is cheap.
///
/// `authority` and `issued` are what OCSP, CRLs and IKEv2 ask by: name and key of an issuer as SHA-256
/// (absent until a certificate of it was seen), the serial number, SHA-1 of the certificate. `issued` has a
/// row for each certificate that was seen; `changed` marks those whose status has ever changed.
///
/// `publication` has a row for each transaction that published certificates, `change` one for each change of
/// a status, in the order of the ledger: with the record in the state they give all records of a certificate.
/// `signer` are the keys that signed them, each once.
///
/// `ct_entry`, `ct_node` and `ct_root` are the log of Certificate Transparency: leaves in the order of the
/// ledger, complete inner nodes from level 1 on, CAs at the ends of chains.
const TABLES: &str = "
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE issuer (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, small TEXT NOT NULL);
CREATE TABLE signer (number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE);
CREATE TABLE publication (
    number INTEGER PRIMARY KEY,
    txid BLOB NOT NULL,
    signer INTEGER NOT NULL REFERENCES signer
);
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
    height INTEGER NOT NULL,
    publication INTEGER REFERENCES publication
);
CREATE INDEX certificate_expiry ON certificate (valid_until, number);
CREATE INDEX certificate_issuer ON certificate (issuer, number);
CREATE VIRTUAL TABLE certificate_text USING fts5 (
    subject, content = '', tokenize = 'trigram case_sensitive 1'
);
CREATE TABLE authority (number INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, name BLOB, key BLOB);
CREATE INDEX authority_name ON authority (name, key);
CREATE TABLE issued (
    number INTEGER PRIMARY KEY REFERENCES certificate,
    authority INTEGER NOT NULL REFERENCES authority,
    serial BLOB NOT NULL,
    sha1 BLOB NOT NULL,
    changed INTEGER NOT NULL
);
CREATE INDEX issued_serial ON issued (serial, authority);
CREATE INDEX issued_sha1 ON issued (sha1);
CREATE INDEX issued_changed ON issued (authority, number) WHERE changed = 1;
CREATE TABLE change (
    number INTEGER PRIMARY KEY,
    certificate INTEGER NOT NULL REFERENCES certificate,
    height INTEGER NOT NULL,
    txid BLOB NOT NULL,
    signer INTEGER NOT NULL REFERENCES signer,
    reason INTEGER,
    evidence BLOB NOT NULL
);
CREATE INDEX change_certificate ON change (certificate, number);
CREATE TABLE crl (
    authority INTEGER PRIMARY KEY REFERENCES authority,
    at INTEGER NOT NULL,
    until INTEGER NOT NULL,
    hash BLOB NOT NULL,
    height INTEGER NOT NULL
);
CREATE TABLE ct_entry (
    place INTEGER PRIMARY KEY,
    height INTEGER NOT NULL,
    txid BLOB NOT NULL,
    entry INTEGER NOT NULL,
    time INTEGER NOT NULL,
    leaf BLOB NOT NULL
);
CREATE INDEX ct_leaf ON ct_entry (leaf);
CREATE TABLE ct_node (
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (level, place)
) WITHOUT ROWID;
CREATE TABLE ct_root (id BLOB PRIMARY KEY, der BLOB NOT NULL) WITHOUT ROWID;
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
        DROP TABLE IF EXISTS ct_root;
        DROP TABLE IF EXISTS ct_node;
        DROP TABLE IF EXISTS ct_entry;
        DROP TABLE IF EXISTS change;
        DROP TABLE IF EXISTS crl;
        DROP TABLE IF EXISTS issued;
        DROP TABLE IF EXISTS authority;
        DROP TABLE IF EXISTS certificate_text;
        DROP TABLE IF EXISTS certificate;
        DROP TABLE IF EXISTS publication;
        DROP TABLE IF EXISTS signer;
        DROP TABLE IF EXISTS issuer;
        DROP TABLE IF EXISTS meta;";
    let layout = format!("PRAGMA user_version = {LAYOUT};");
    let result = connection.execute_batch(&format!("BEGIN IMMEDIATE; {tables} {TABLES} {layout} COMMIT;"));
    if result.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    result
}
