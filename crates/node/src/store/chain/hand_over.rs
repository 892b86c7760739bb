//! Hand-over records: few, and kept for good.

use redb::ReadableTable;

use crate::store::rows::{HAND_OVER, read, write};
use crate::store::{Store, StoreError};

impl Store {
    /// Keeps the hand-over to the roster with this number; durable when this returns.
    pub fn put_hand_over(&self, number: u64, bytes: &[u8]) -> Result<(), StoreError> {
        let written = write(&self.chain.database, |transaction| {
            transaction.open_table(HAND_OVER)?.insert(number, bytes)?;
            Ok(())
        });
        written.map_err(|source| StoreError::WriteHandOver { number, source: Box::new(source) })
    }

    /// Hand-overs to rosters above this number, ascending, at most `count`.
    pub fn hand_overs(&self, after: u64, count: usize) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(HAND_OVER)?;
            let mut rows = Vec::new();
            for row in table.range(after.saturating_add(1)..)?.take(count) {
                rows.push(row?.1.value().to_vec());
            }
            Ok(rows)
        });
        rows.map_err(StoreError::look_up("hand-overs".to_owned()))
    }

    /// Number of the newest roster to which a hand-over is kept; 0 without any.
    pub fn newest_hand_over(&self) -> Result<u64, StoreError> {
        let last = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(HAND_OVER)?;
            Ok(table.last()?.map(|(number, _)| number.value()))
        });
        Ok(last.map_err(StoreError::look_up("the newest hand-over".to_owned()))?.unwrap_or(0))
    }
}
