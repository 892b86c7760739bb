//! Blocks that a quorum has finalised, from a caller that has checked so: not from the engine.

use std::sync::Arc;

use tabellion_ledger::{Block, FinalityProof};

use super::Core;
use crate::error::NodeError;
use crate::store::Store;
use crate::sync::votes_of;

/// A block that a quorum finalised: by its own signatures, or by those of a later one.
pub(crate) type FinalBlock = (Arc<Block>, Option<FinalityProof>);

impl Core {
    /// Commits the blocks that follow upon the newest one here, each executed and its state root compared, as
    /// when the engine delivers them.
    ///
    /// Trusts the caller that a quorum finalised them.
    ///
    /// Errors: a store that fails; [`NodeError::Diverged`].
    pub(crate) fn follow(&self, blocks: &[FinalBlock]) -> Result<(), NodeError> {
        // All rows become durable with the first commit; a crash on the way replays what it finds.
        for (block, proof) in blocks {
            self.store.put_block(block.digest(), block);
            put_votes(&self.store, proof.as_ref());
        }
        blocks.iter().try_for_each(|(block, proof)| self.commit_block(block.clone(), proof.clone()))
    }
}

fn put_votes(store: &Store, proof: Option<&FinalityProof>) {
    if let Some((height, digest, votes)) = proof.map(votes_of) {
        store.put_votes(height, digest, &votes);
    }
}
