//! The pool's journal: transactions that wait for a block survive a restart.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::ReadableTable;
use tabellion_ledger::TransactionId;

use super::Chain;
use crate::store::rows::{POOL, read};
use crate::store::{Store, StoreError, reading, writing};

impl Chain {
    fn stage_pool(&self, id: TransactionId, kept: Option<Arc<[u8]>>) {
        let mut staged = writing(&self.staged);
        staged.pool_changes += 1;
        let number = staged.pool_changes;
        staged.pool.insert(id, (number, kept));
    }
}

impl Store {
    /// Stages a row of the pool's journal; durable after the next [`sync`](Self::sync).
    pub fn pool_keep(&self, id: TransactionId, bytes: &[u8]) {
        self.chain.stage_pool(id, Some(bytes.into()));
    }

    /// Stages that a row of the pool's journal goes; durable after the next [`sync`](Self::sync).
    pub fn pool_forget(&self, id: TransactionId) {
        self.chain.stage_pool(id, None);
    }

    /// All rows of the pool's journal, ascending by identifier.
    pub fn pool_rows(&self) -> Result<Vec<(TransactionId, Vec<u8>)>, StoreError> {
        let staged = reading(&self.chain.staged).pool.clone();
        let rows = read(&self.chain.database, |transaction| {
            let table = transaction.open_table(POOL)?;
            let mut rows = BTreeMap::new();
            for row in table.iter()? {
                let (id, bytes) = row?;
                rows.insert(TransactionId(*id.value()), bytes.value().to_vec());
            }
            Ok(rows)
        });
        let mut rows = rows.map_err(|source| StoreError::ReadPool { source: Box::new(source) })?;
        for (id, (_, kept)) in staged {
            match kept {
                Some(bytes) => rows.insert(id, bytes.to_vec()),
                None => rows.remove(&id),
            };
        }
        Ok(rows.into_iter().collect())
    }
}
