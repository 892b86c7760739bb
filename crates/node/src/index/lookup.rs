//! What other protocols ask by: OCSP by issuer and serial number, CRLs by issuer, IKEv2 by SHA-1.

use rusqlite::{Connection, OptionalExtension, params};
use tabellion_api::IssuerKey;
use tabellion_ledger::{CertificateId, Hash, Height, TimeMs};

use super::{Change, Index, IndexBlock, IndexError, progress, signed, unsigned};

/// A certificate that was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issued {
    /// SHA-256 of the certificate.
    pub certificate: CertificateId,
    /// The certificate that issued it.
    pub issuer: CertificateId,
    /// Its serial number without leading zeros.
    pub serial: Vec<u8>,
    /// SHA-1 of the certificate.
    pub sha1: [u8; 20],
}

/// A CRL that was recorded as evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrlRow {
    /// The CA's certificate.
    pub issuer: CertificateId,
    /// `thisUpdate`.
    pub at: TimeMs,
    /// `nextUpdate`, or the end of the CA's certificate.
    pub until: TimeMs,
    /// SHA-256 of the CRL.
    pub hash: Hash,
    /// The block whose body holds it.
    pub height: Height,
}

/// What was found, and how far the index had got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What was found.
    pub rows: Vec<T>,
    /// The block up to which the index was filled.
    pub height: Option<Height>,
}

/// A certificate whose status has changed at least once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedRow {
    /// The certificate.
    pub certificate: CertificateId,
    /// Its serial number without leading zeros.
    pub serial: Vec<u8>,
}

/// Conditions on an authority `a` by ?1 (certificate), ?2 (name) and ?3 (key).
const IS_ISSUER: &str = "(a.id = ?1 OR (a.name = ?2 AND a.key = ?3))";

impl Index {
    /// The certificates of this issuer with this serial number: one, but for a CA that gave a number twice.
    pub fn issued(&self, by: &IssuerKey, serial: &[u8]) -> Result<Found<CertificateId>, IndexError> {
        let sql = format!(
            "SELECT c.id FROM issued i JOIN authority a ON a.number = i.authority \
             JOIN certificate c ON c.number = i.number WHERE i.serial = ?4 AND {IS_ISSUER}"
        );
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached(&sql)?;
            let asked = params![bytes(&by.certificate), by.name.0, by.key.0, serial];
            let rows = statement.query_map(asked, |row| row.get(0).map(CertificateId))?;
            let rows = rows.collect::<rusqlite::Result<_>>()?;
            Ok(Found { rows, height: progress(&transaction)?.height })
        })
    }

    /// The certificates of this issuer whose status has ever changed, in the order of publication.
    pub fn changed(&self, by: &IssuerKey) -> Result<Found<ChangedRow>, IndexError> {
        let sql = format!(
            "SELECT c.id, i.serial FROM authority a \
             JOIN issued i ON i.authority = a.number AND i.changed = 1 \
             JOIN certificate c ON c.number = i.number WHERE {IS_ISSUER} ORDER BY i.number"
        );
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut statement = transaction.prepare_cached(&sql)?;
            let asked = params![bytes(&by.certificate), by.name.0, by.key.0];
            let rows = statement.query_map(asked, |row| {
                Ok(ChangedRow { certificate: CertificateId(row.get(0)?), serial: row.get(1)? })
            })?;
            let rows = rows.collect::<rusqlite::Result<_>>()?;
            Ok(Found { rows, height: progress(&transaction)?.height })
        })
    }

    /// The certificate with this SHA-1; the oldest where two have the same.
    pub fn by_sha1(&self, sha1: &[u8; 20]) -> Result<Option<CertificateId>, IndexError> {
        let sql = "SELECT c.id FROM issued i JOIN certificate c ON c.number = i.number \
                   WHERE i.sha1 = ?1 ORDER BY i.number LIMIT 1";
        self.read(|connection| {
            let mut statement = connection.prepare_cached(sql)?;
            statement.query_row([sha1.as_slice()], |row| row.get(0).map(CertificateId)).optional()
        })
    }

    /// The newest CRL of this issuer that was recorded as evidence.
    pub fn recorded_crl(&self, by: &IssuerKey) -> Result<Option<CrlRow>, IndexError> {
        let sql = format!(
            "SELECT a.id, l.at, l.until, l.hash, l.height FROM authority a \
             JOIN crl l ON l.authority = a.number WHERE {IS_ISSUER} ORDER BY l.at DESC LIMIT 1"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let asked = params![bytes(&by.certificate), by.name.0, by.key.0];
            let row = |row: &rusqlite::Row<'_>| {
                Ok(CrlRow {
                    issuer: CertificateId(row.get(0)?),
                    at: TimeMs(unsigned(row.get(1)?)),
                    until: TimeMs(unsigned(row.get(2)?)),
                    hash: Hash(row.get(3)?),
                    height: Height(unsigned(row.get(4)?)),
                })
            };
            statement.query_row(asked, row).optional()
        })
    }
}

fn bytes(id: &CertificateId) -> &[u8] {
    id.as_bytes().as_slice()
}

/// Writes what a block says beyond its rows, which are there already.
pub(super) fn put(connection: &Connection, block: &IndexBlock) -> rusqlite::Result<()> {
    for IssuerKey { certificate, name, key } in &block.issuers {
        let number = authority(connection, certificate)?;
        let mut name_it =
            connection.prepare_cached("UPDATE authority SET name = ?2, key = ?3 WHERE number = ?1")?;
        name_it.execute(params![number, name.0, key.0])?;
    }
    for Issued { certificate, issuer, serial, sha1 } in &block.issued {
        let mut add = connection.prepare_cached(
            "INSERT OR IGNORE INTO issued (number, authority, serial, sha1, changed) \
             SELECT number, ?2, ?3, ?4, 0 FROM certificate WHERE id = ?1",
        )?;
        add.execute(params![bytes(certificate), authority(connection, issuer)?, serial, sha1.as_slice()])?;
    }
    for Change { certificate, .. } in &block.changed {
        let mut mark = connection.prepare_cached(
            "UPDATE issued SET changed = 1 WHERE number = (SELECT number FROM certificate WHERE id = ?1)",
        )?;
        mark.execute([bytes(certificate)])?;
    }
    for CrlRow { issuer, at, until, hash, height } in &block.crls {
        let mut keep = connection.prepare_cached(
            "INSERT INTO crl (authority, at, until, hash, height) VALUES (?1, ?2, ?3, ?4, ?5) \
             ON CONFLICT (authority) DO UPDATE SET at = excluded.at, until = excluded.until, \
             hash = excluded.hash, height = excluded.height WHERE excluded.at >= crl.at",
        )?;
        let (at, until) = (signed(at.0), signed(until.0));
        keep.execute(params![authority(connection, issuer)?, at, until, hash.0, signed(height.0)])?;
    }
    Ok(())
}

fn authority(connection: &Connection, id: &CertificateId) -> rusqlite::Result<i64> {
    let mut known = connection.prepare_cached("SELECT number FROM authority WHERE id = ?1")?;
    if let Some(number) = known.query_row([bytes(id)], |found| found.get(0)).optional()? {
        return Ok(number);
    }
    let mut add = connection.prepare_cached("INSERT INTO authority (id) VALUES (?1)")?;
    add.execute([bytes(id)])?;
    Ok(connection.last_insert_rowid())
}
