//! What happened to a certificate: who published it, and every change of its status.
//!
//! A record in the state says all that a publication said, and the hash of the record before; so what differs
//! from record to record is enough to make the earlier ones again.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::{CertificateId, Height, KeyId, TransactionId};
use tabellion_pki::{Evidence, Reason};

use super::{Index, IndexBlock, IndexError, IndexRow, progress, signed, unsigned};

/// Bytes of evidence in a record: two hashes and four numbers.
const EVIDENCE_BYTES_MAX: usize = 256;

/// A transaction that published certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// The transaction.
    pub transaction: TransactionId,
    /// The key that signed it.
    pub submitter: KeyId,
    /// The certificates, new ones or known ones that are published again.
    pub rows: Vec<IndexRow>,
}

/// A change of a certificate's status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// The certificate.
    pub certificate: CertificateId,
    /// The transaction.
    pub transaction: TransactionId,
    /// The key that signed it.
    pub submitter: KeyId,
    /// The reason; none for a certificate that is resumed.
    pub reason: Option<Reason>,
    /// What the change rests on.
    pub evidence: Evidence,
}

/// What happened to a certificate, as far as the blocks were seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryRows {
    /// The block, transaction and submitter of its newest publication.
    pub publication: Option<(Height, TransactionId, KeyId)>,
    /// The changes of its status with their blocks, in order.
    pub changes: Vec<(Height, Change)>,
    /// The block up to which the index was filled.
    pub height: Option<Height>,
}

/// Adds a publishing transaction; returns its number.
pub(super) fn put_publication(connection: &Connection, one: &Publication) -> rusqlite::Result<i64> {
    let mut add = connection.prepare_cached("INSERT INTO publication (txid, signer) VALUES (?1, ?2)")?;
    add.execute(params![one.transaction.as_bytes().as_slice(), signer(connection, &one.submitter)?])?;
    Ok(connection.last_insert_rowid())
}

/// Adds a block's changes. One of a certificate that is not in the index gives no history, and is left out.
pub(super) fn put(connection: &Connection, height: Height, block: &IndexBlock) -> rusqlite::Result<()> {
    for change in &block.changed {
        let Change { certificate, transaction, submitter, reason, evidence } = change;
        let mut add = connection.prepare_cached(
            "INSERT INTO change (certificate, height, txid, signer, reason, evidence) \
             SELECT number, ?2, ?3, ?4, ?5, ?6 FROM certificate WHERE id = ?1",
        )?;
        add.execute(params![
            certificate.as_bytes().as_slice(),
            signed(height.0),
            transaction.as_bytes().as_slice(),
            signer(connection, submitter)?,
            reason.map(Reason::number),
            cbor::to_bytes(evidence),
        ])?;
    }
    Ok(())
}

fn signer(connection: &Connection, key: &KeyId) -> rusqlite::Result<i64> {
    let key = key.as_bytes().as_slice();
    let mut known = connection.prepare_cached("SELECT number FROM signer WHERE key = ?1")?;
    if let Some(number) = known.query_row([key], |found| found.get(0)).optional()? {
        return Ok(number);
    }
    let mut add = connection.prepare_cached("INSERT INTO signer (key) VALUES (?1)")?;
    add.execute([key])?;
    Ok(connection.last_insert_rowid())
}

impl Index {
    /// What happened to a certificate.
    pub fn history(&self, id: &CertificateId) -> Result<HistoryRows, IndexError> {
        self.read(|connection| {
            let transaction = connection.unchecked_transaction()?;
            let mut publication = transaction.prepare_cached(
                "SELECT c.height, p.txid, s.key FROM certificate c \
                 JOIN publication p ON p.number = c.publication \
                 JOIN signer s ON s.number = p.signer WHERE c.id = ?1",
            )?;
            let asked = [id.as_bytes().as_slice()];
            let found = publication.query_row(asked, |row| {
                Ok((Height(unsigned(row.get(0)?)), TransactionId(row.get(1)?), KeyId(row.get(2)?)))
            });
            let mut changes = transaction.prepare_cached(
                "SELECT h.height, h.txid, s.key, h.reason, h.evidence FROM certificate c \
                 JOIN change h ON h.certificate = c.number \
                 JOIN signer s ON s.number = h.signer WHERE c.id = ?1 ORDER BY h.number",
            )?;
            let changes = changes.query_map(asked, |row| change(id, row))?;
            Ok(HistoryRows {
                publication: found.optional()?,
                changes: changes.collect::<rusqlite::Result<_>>()?,
                height: progress(&transaction)?.height,
            })
        })
    }
}

fn change(id: &CertificateId, row: &Row<'_>) -> rusqlite::Result<(Height, Change)> {
    let reason: Option<u8> = row.get(3)?;
    let evidence: Vec<u8> = row.get(4)?;
    let broken = |column, kind, error: DecodeError| {
        rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
    };
    let unknown = || broken(3, Type::Integer, DecodeError::Value { field: "reason" });
    let reason = reason.map(|number| Reason::of_number(number).ok_or_else(unknown)).transpose()?;
    let evidence = cbor::from_bytes(&evidence, EVIDENCE_BYTES_MAX);
    let change = Change {
        certificate: *id,
        transaction: TransactionId(row.get(1)?),
        submitter: KeyId(row.get(2)?),
        reason,
        evidence: evidence.map_err(|error| broken(4, Type::Blob, error))?,
    };
    Ok((Height(unsigned(row.get(0)?)), change))
}
