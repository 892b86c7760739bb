//! Checkpoints, and what a restart has to replay.

use std::sync::Arc;

use tabellion_ledger::{Block, Height, TimeMs};

use super::base::{Base, Checkpoint};
use super::{Snapshot, Store, StoreError, locked, writing};

impl Store {
    /// Writes the newest committed state in one durable transaction.
    ///
    /// Blocks may be committed, proposed and read meanwhile: call it from a thread of its own. `now` starts
    /// the time to the next one. Does nothing if the newest state is the checkpoint's. A crash within leaves
    /// the checkpoint before.
    ///
    /// Errors: [`StoreError::Checkpoint`], [`StoreError::WriteBlocks`] on I/O; [`StoreError::Unconfirmed`] if
    /// the block of that height is not held or commits to another root.
    pub fn checkpoint(&self, now: TimeMs) -> Result<(), StoreError> {
        let _one_at_a_time = locked(&self.checkpointing);
        let state = {
            let mut tip = writing(&self.tip);
            tip.freeze();
            tip.snapshot(&self.chain)
        };
        let written = self.write_checkpoint(&state);
        let mut tip = writing(&self.tip);
        match written {
            Ok(base) => {
                tip.thaw(base.map(|base| (base, now)));
                Ok(())
            }
            Err(error) => {
                tip.thaw(None);
                Err(error)
            }
        }
    }

    fn write_checkpoint(&self, state: &Snapshot) -> Result<Option<Arc<Base>>, StoreError> {
        let Some(height) = state.height.filter(|_| !state.layers.is_empty()) else { return Ok(None) };
        // State must never run ahead of blocks: a crash after this transaction finds the block.
        self.sync()?;
        let header = self.header(height)?.filter(|header| header.state_root == state.root);
        let unconfirmed = StoreError::Unconfirmed { height, root: state.root };
        let digest = header.ok_or(unconfirmed)?.hash();
        let checkpoint = Checkpoint { height, digest, root: state.root };
        self.state.write(&state.base, checkpoint, &state.layers).map(Some)
    }

    /// The blocks above the newest committed state, in order, up to the first that is not held. After opening
    /// the store, where the newest state is the last checkpoint's, they are what the caller has to apply
    /// again.
    ///
    /// Errors: [`StoreError::BodyGone`] where a block's body was deleted, which [`Store::delete_lane_body`]
    /// prevents.
    pub fn blocks_above_checkpoint(&self) -> impl Iterator<Item = Result<Arc<Block>, StoreError>> + '_ {
        let mut next = Some(self.applied_height().map_or(Height(0), Height::next));
        std::iter::from_fn(move || {
            let height = next.take().filter(|height| self.has_block(*height))?;
            let block = self.block(height).and_then(|block| block.ok_or(StoreError::BodyGone { height }));
            if block.is_ok() {
                next = Some(height.next());
            }
            Some(block)
        })
    }
}
