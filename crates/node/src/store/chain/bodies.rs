//! Bodies that come after their headers: those below the state that a store was begun with.

use redb::WriteTransaction;
use tabellion_ledger::{Block, Height, LaneBody};

use super::write::{Look, write_block, write_body};
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

    /// Whether the body of a block below the floor is still to be fetched.
    pub fn awaits_body(&self, height: Height) -> Result<bool, StoreError> {
        let floor = self.floor()?.is_some_and(|floor| height < floor);
        Ok(floor && self.next_body()?.is_some_and(|next| next <= height))
    }

    /// Takes in bodies of blocks from [`Self::next_body`] on, up to `next`; durable when this returns. The
    /// caller has compared each with its header. One that is left out counts as deleted.
    pub fn put_bodies(&self, blocks: &[Block], next: Height) -> Result<(), StoreError> {
        let written = write(&self.chain.database, |transaction: &WriteTransaction| {
            for block in blocks {
                write_block(transaction, &block.digest(), block, Look::Soon)?;
            }
            let next = next.0.to_be_bytes();
            transaction.open_table(META)?.insert(BODIES, next.as_slice())?;
            Ok(())
        });
        written.map_err(|source| StoreError::WriteBlocks { last: next, source: Box::new(source) })
    }

    /// Brings a deleted body back, durably; the caller has compared it with its lane header. Says whether it
    /// was gone. It is looked at again once its latest expiry is over.
    ///
    /// Refuses: [`StoreError::OtherBody`] where the lane header here is another one, or none.
    pub fn restore_body(&self, height: Height, body: &LaneBody) -> Result<bool, StoreError> {
        let lane = body.header.lane;
        let held = self.lane_headers(height)?.into_iter().find(|(header, _)| *header == body.header);
        match held {
            None => return Err(StoreError::OtherBody { height, lane }),
            Some((_, true)) => return Ok(false),
            Some((_, false)) => {}
        }
        let written =
            write(&self.chain.database, |transaction| write_body(transaction, height, body, Look::AtExpiry));
        written.map_err(|source| StoreError::WriteBlocks { last: height, source: Box::new(source) })?;
        Ok(true)
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
