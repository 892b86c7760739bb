//! Questions to the index.

use std::fmt;
use std::str::FromStr;

use rusqlite::types::Value;
use rusqlite::{Connection, Row, params_from_iter};
use tabellion_ledger::{CertificateId, Height, KeyId, TimeMs};

use super::{IndexRow, Progress, progress, signed, unsigned};

/// Rows of a page at most: what a page costs stays small whoever asks.
const PAGE_ROWS_MAX: usize = 1_000;
/// Letters that a part of a name needs for the text index; shorter ones are looked for in row after row.
const TRIGRAM_LETTERS: usize = 3;
const COLUMNS: &str = "c.number, c.id, c.key, c.subject, i.name, c.serial, c.status, c.valid_from, \
                       c.valid_until, c.height";

/// Which certificates are asked for. Conditions are joined by "and".
///
/// With a part of a name the answer is in the order of publication, without one in the order of expiry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Question {
    /// Part of the subject, in any case.
    pub subject: Option<String>,
    /// Part of the issuer, in any case.
    pub issuer: Option<String>,
    /// Validity ends at this moment or later.
    pub expires_from: Option<TimeMs>,
    /// Validity ends at this moment or earlier.
    pub expires_until: Option<TimeMs>,
    /// Where the page begins: [`Answer::next`] of the page before, for the same conditions.
    pub after: Option<Cursor>,
    /// Rows of the page; 1 at least, 1,000 at most.
    pub limit: usize,
}

/// A page of certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The certificates.
    pub rows: Vec<IndexRow>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<Cursor>,
    /// The block up to which the index was filled.
    pub height: Option<Height>,
}

/// The end of a page. As text two numbers joined by a dot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    valid_until: u64,
    number: u64,
}

/// A text that is not a cursor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor of this index")]
pub struct CursorFault;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.valid_until, self.number)
    }
}

impl FromStr for Cursor {
    type Err = CursorFault;

    fn from_str(text: &str) -> Result<Self, CursorFault> {
        let (valid_until, number) = text.split_once('.').ok_or(CursorFault)?;
        let parse = |digits: &str| digits.parse().map_err(|_| CursorFault);
        Ok(Self { valid_until: parse(valid_until)?, number: parse(number)? })
    }
}

/// A statement in the making.
#[derive(Default)]
struct Statement {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Statement {
    /// Adds a condition whose `?` stands for `value`.
    fn add(&mut self, condition: &str, value: impl Into<Value>) {
        self.values.push(value.into());
        self.conditions.push(condition.replace('?', &format!("?{}", self.values.len())));
    }

    /// Adds the condition that the issuer's name has this part, in small letters; returns how to read the
    /// table then. The rows of one issuer stand in their order in an index; those of several would have to be
    /// sorted anew for each page, so there the rows are walked in their order.
    fn add_issuer(&mut self, connection: &Connection, small: &str) -> rusqlite::Result<&'static str> {
        let mut found =
            connection.prepare_cached("SELECT number FROM issuer WHERE instr(small, ?1) LIMIT 2")?;
        let found: Vec<i64> = found.query_map([small], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        if let [number] = found[..] {
            self.add("c.issuer = ?", number);
            return Ok("certificate c");
        }
        self.add("c.issuer IN (SELECT number FROM issuer WHERE instr(small, ?))", small.to_owned());
        Ok("certificate c NOT INDEXED")
    }
}

impl Question {
    /// Answers from one state of the index.
    pub(super) fn answer(&self, connection: &Connection) -> rusqlite::Result<Answer> {
        let transaction = connection.unchecked_transaction()?;
        let limit = self.limit.clamp(1, PAGE_ROWS_MAX);
        let (sql, values) = self.statement(&transaction, limit)?;
        let mut statement = transaction.prepare_cached(&sql)?;
        let mut rows: Vec<(u64, IndexRow)> =
            statement.query_map(params_from_iter(values), numbered_row)?.collect::<rusqlite::Result<_>>()?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| more);
        let next = last.map(|(number, row)| Cursor { valid_until: row.valid_until.0, number: *number });
        let Progress { height, .. } = progress(&transaction)?;
        Ok(Answer { rows: rows.into_iter().map(|(_, row)| row).collect(), next, height })
    }

    /// The statement asks for one row more than a page has, which tells whether there is a next page.
    fn statement(&self, connection: &Connection, limit: usize) -> rusqlite::Result<(String, Vec<Value>)> {
        let mut statement = Statement::default();
        let asked = |part: &'_ Option<String>| part.clone().filter(|part| !part.is_empty());
        let (subject, issuer) = (asked(&self.subject), asked(&self.issuer));
        let by_name = subject.is_some() || issuer.is_some();
        let mut from = "certificate c";
        if let Some(issuer) = issuer {
            from = statement.add_issuer(connection, &issuer.to_lowercase())?;
        }
        let mut order = if by_name { "c.number" } else { "c.valid_until, c.number" };
        if let Some(part) = subject {
            let small = part.to_lowercase();
            if small.chars().count() >= TRIGRAM_LETTERS {
                (from, order) =
                    ("certificate_text t CROSS JOIN certificate c ON c.number = t.rowid", "t.rowid");
                statement.add("certificate_text MATCH ?", format!("\"{}\"", small.replace('"', "\"\"")));
            } else {
                statement.add("c.subject LIKE ? ESCAPE '\\'", format!("%{}%", escaped(&part)));
            }
        }
        if let Some(moment) = self.expires_from {
            statement.add("c.valid_until >= ?", signed(moment.0));
        }
        if let Some(moment) = self.expires_until {
            statement.add("c.valid_until <= ?", signed(moment.0));
        }
        if let Some(Cursor { valid_until, number }) = self.after {
            if by_name {
                statement.add(&format!("{order} > ?"), signed(number));
            } else {
                statement.add("c.valid_until >= ?", signed(valid_until));
                statement.values.push(Value::Integer(signed(number)));
                let (until, number) = (statement.values.len() - 1, statement.values.len());
                statement.conditions.push(format!("(c.valid_until > ?{until} OR c.number > ?{number})"));
            }
        }
        let conditions = match statement.conditions.is_empty() {
            true => "1".to_owned(),
            false => statement.conditions.join(" AND "),
        };
        let rows = limit + 1;
        let joined = format!("{from} JOIN issuer i ON i.number = c.issuer");
        let sql = format!("SELECT {COLUMNS} FROM {joined} WHERE {conditions} ORDER BY {order} LIMIT {rows}");
        Ok((sql, statement.values))
    }
}

/// A text that `LIKE` takes for itself.
fn escaped(part: &str) -> String {
    part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")
}

fn numbered_row(row: &Row<'_>) -> rusqlite::Result<(u64, IndexRow)> {
    let indexed = IndexRow {
        certificate: CertificateId(row.get(1)?),
        key: KeyId(row.get(2)?),
        subject: row.get(3)?,
        issuer: row.get(4)?,
        serial: row.get(5)?,
        status: row.get(6)?,
        valid_from: TimeMs(unsigned(row.get(7)?)),
        valid_until: TimeMs(unsigned(row.get(8)?)),
        height: Height(unsigned(row.get(9)?)),
    };
    Ok((unsigned(row.get(0)?), indexed))
}
