//! Bodies that come after their headers: those below the state that a store was begun with.

use redb::WriteTransaction;
use tabellion_ledger::{Block, Height};

use super::write::write_block;
use crate::store::rows::{BODIES, FLOOR, META, read, write};
use crate::store::{Store, StoreError};

impl Store {
    /// The height of the state that this store was begun with; `None` where it holds every block from
    /// genesis.
    pub fn floor(&self) -> Result<Option<Height>, StoreError> {
        self.height_row(FLOOR)
    }

    /// The first height below the floor whose body is still to be fetched; `None` where all were.
    pub fn next_body(&self) -> Result<Option<Height>, StoreError> {
        let (next, floor) = (self.height_row(BODIES)?, self.floor()?);
        Ok(next.filter(|next| floor.is_some_and(|floor| *next < floor)))
    }

    /// Takes in bodies of blocks from [`Self::next_body`] on, in order; durable when this returns. The caller
    /// has compared each with its header.
    pub fn put_bodies(&self, blocks: &[Block]) -> Result<(), StoreError> {
        let Some(last) = blocks.last().map(|block| block.header.height) else { return Ok(()) };
        let written = write(&self.chain.database, |transaction: &WriteTransaction| {
            for block in blocks {
                write_block(transaction, &block.digest(), block)?;
            }
            let next = last.next().0.to_be_bytes();
            transaction.open_table(META)?.insert(BODIES, next.as_slice())?;
            Ok(())
        });
        written.map_err(|source| StoreError::WriteBlocks { last, source: Box::new(source) })
    }

    fn height_row(&self, name: &'static str) -> Result<Option<Height>, StoreError> {
        let row = read(&self.chain.database, |transaction| {
            Ok(transaction.open_table(META)?.get(name)?.map(|row| row.value().to_vec()))
        });
        let Some(row) = row.map_err(StoreError::look_up(name))? else { return Ok(None) };
        let bytes = row.try_into().map_err(|_| StoreError::damaged(name, "another length"))?;
        Ok(Some(Height(u64::from_be_bytes(bytes))))
    }
}
