//! The store as the engine's adapter wants it.

use std::sync::Arc;

use tabellion_engine::{BlockKey, BlockStore, FinalityVotes, StoreError as EngineStoreError};
use tabellion_ledger::cbor::{from_bytes, to_bytes};
use tabellion_ledger::{Block, FinalityProof, HeaderHash, Height};

use super::{Store, StoreError};

/// Bytes of votes: 128 signatures of 64 bytes, each with its signer and heads of up to 7 bytes, and three
/// numbers.
const VOTES_BYTES_MAX: usize = 16 * 1024;

impl Store {
    /// The finality proof of the block at this height; `None` where the block was finalised by a later one.
    pub fn finality_proof(&self, height: Height) -> Result<Option<FinalityProof>, StoreError> {
        let Some(header) = self.header(height)? else { return Ok(None) };
        let Some((digest, votes)) = self.decoded_votes(height)? else { return Ok(None) };
        if digest != header.hash() {
            return Err(StoreError::damaged(
                format!("the votes for block {height}"),
                "votes for another block",
            ));
        }
        Ok(Some(votes.proof(&Block { header, lanes: Vec::new(), carried: Vec::new() })))
    }

    fn decoded_votes(&self, height: Height) -> Result<Option<(HeaderHash, FinalityVotes)>, StoreError> {
        let Some((digest, bytes)) = self.votes(height)? else { return Ok(None) };
        let votes = from_bytes(&bytes, VOTES_BYTES_MAX);
        let votes =
            votes.map_err(|error| StoreError::damaged(format!("the votes for block {height}"), error))?;
        Ok(Some((digest, votes)))
    }

    fn height_for(&self, key: BlockKey) -> Result<Option<Height>, StoreError> {
        match key {
            BlockKey::Height(height) => Ok(Some(height)),
            BlockKey::Hash(digest) => self.height_of(&digest),
        }
    }

    fn block_for(&self, key: BlockKey) -> Result<Option<Arc<Block>>, StoreError> {
        let Some(height) = self.height_for(key)? else { return Ok(None) };
        let block = self.block(height)?;
        // Votes may name a height before the block of that hash is here.
        Ok(block.filter(|block| key == BlockKey::Height(height) || key == BlockKey::Hash(block.digest())))
    }

    fn votes_for(&self, key: BlockKey) -> Result<Option<(HeaderHash, FinalityVotes)>, StoreError> {
        let Some(height) = self.height_for(key)? else { return Ok(None) };
        let votes = self.decoded_votes(height)?;
        Ok(votes.filter(|(digest, _)| key == BlockKey::Height(height) || key == BlockKey::Hash(*digest)))
    }
}

impl BlockStore for Store {
    fn put_block(&self, hash: HeaderHash, block: &Arc<Block>) -> Result<(), EngineStoreError> {
        Store::put_block(self, hash, block);
        Ok(())
    }

    fn put_votes(
        &self,
        height: Height,
        hash: HeaderHash,
        votes: &FinalityVotes,
    ) -> Result<(), EngineStoreError> {
        Store::put_votes(self, height, hash, &to_bytes(votes));
        Ok(())
    }

    fn sync(&self) -> Result<(), EngineStoreError> {
        Store::sync(self).map_err(|error| EngineStoreError::new("make blocks durable", error))
    }

    fn block(&self, key: BlockKey) -> Result<Option<Arc<Block>>, EngineStoreError> {
        self.block_for(key).map_err(|error| EngineStoreError::new("read a block", error))
    }

    fn votes(&self, key: BlockKey) -> Result<Option<(HeaderHash, FinalityVotes)>, EngineStoreError> {
        self.votes_for(key).map_err(|error| EngineStoreError::new("read the votes for a block", error))
    }

    fn block_ranges(&self) -> Result<Vec<(Height, Height)>, EngineStoreError> {
        Ok(Store::block_ranges(self))
    }

    fn votes_ranges(&self) -> Result<Vec<(Height, Height)>, EngineStoreError> {
        Ok(Store::votes_ranges(self))
    }
}
