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
const COLUMNS: &str = "c.number, c.id, c.key, c.subject, c.issuer, c.serial, c.status, c.valid_from, \
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
}

impl Question {
    /// Answers from one state of the index.
    pub(super) fn answer(&self, connection: &Connection) -> rusqlite::Result<Answer> {
        let transaction = connection.unchecked_transaction()?;
        let limit = self.limit.clamp(1, PAGE_ROWS_MAX);
        let (sql, values) = self.statement(limit);
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
    fn statement(&self, limit: usize) -> (String, Vec<Value>) {
        let mut statement = Statement::default();
        let (mut found_by_text, mut by_name) = (Vec::new(), false);
        for (column, part) in [("subject", &self.subject), ("issuer", &self.issuer)] {
            let Some(part) = part.as_ref().filter(|part| !part.is_empty()) else { continue };
            by_name = true;
            let small = part.to_lowercase();
            if small.chars().count() >= TRIGRAM_LETTERS {
                found_by_text.push(format!("{column} : \"{}\"", small.replace('"', "\"\"")));
            } else {
                statement.add(&format!("c.{column} LIKE ? ESCAPE '\\'"), format!("%{}%", escaped(part)));
            }
        }
        let mut from = "certificate c".to_owned();
        if !found_by_text.is_empty() {
            from = "certificate_text t CROSS JOIN certificate c ON c.number = t.rowid".to_owned();
            statement.add("certificate_text MATCH ?", found_by_text.join(" AND "));
        }
        if let Some(moment) = self.expires_from {
            statement.add("c.valid_until >= ?", signed(moment.0));
        }
        if let Some(moment) = self.expires_until {
            statement.add("c.valid_until <= ?", signed(moment.0));
        }
        let order = match (by_name, found_by_text.is_empty()) {
            (false, _) => "c.valid_until, c.number",
            (true, true) => "c.number",
            (true, false) => "t.rowid",
        };
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
        let sql = format!("SELECT {COLUMNS} FROM {from} WHERE {conditions} ORDER BY {order} LIMIT {rows}");
        (sql, statement.values)
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
