//! The newest committed state, and how layers are kept few.

use std::sync::Arc;

use tabellion_ledger::{Height, StateRoot, TimeMs};

use super::base::Base;
use super::chain::Chain;
use super::layer::Layer;
use super::{Snapshot, Store, StoreConfig, StoreError, writing};

/// Layers that become one.
const MERGED: usize = 4;
/// Layers at most, whatever their sizes: a read looks into each.
const LAYERS_MAX: usize = 16;

/// The newest committed state.
///
/// A commit puts its layer on top and merges it with the one below while that is not larger: so there are
/// about log2 of the number of blocks, and each entry is copied about as many times. Layers that a checkpoint
/// is being made of are left alone.
#[derive(Debug)]
pub(super) struct Tip {
    height: Option<Height>,
    root: StateRoot,
    base: Arc<Base>,
    /// Oldest first.
    layers: Vec<Arc<Layer>>,
    /// How many of the layers, from the oldest on, are being written.
    frozen: usize,
    /// When the state was last the checkpoint's; known from the first time that a caller tells the time.
    clean_since: Option<TimeMs>,
}

impl Tip {
    pub(super) fn new(base: Arc<Base>) -> Self {
        Self {
            height: base.height(),
            root: base.root(),
            base,
            layers: Vec::new(),
            frozen: 0,
            clean_since: None,
        }
    }

    pub(super) fn height(&self) -> Option<Height> {
        self.height
    }

    pub(super) fn base(&self) -> &Arc<Base> {
        &self.base
    }

    pub(super) fn snapshot(&self, chain: &Arc<Chain>) -> Snapshot {
        Snapshot {
            height: self.height,
            root: self.root,
            parent_root: self.root,
            layers: self.layers.iter().rev().cloned().collect(),
            base: Arc::clone(&self.base),
            chain: Arc::clone(chain),
        }
    }

    fn commit(&mut self, next: &Snapshot) -> Result<(), StoreError> {
        let height = self.height.map_or(Height(0), Height::next);
        let own =
            next.layers.first().filter(|_| next.height == Some(height) && next.parent_root == self.root);
        let Some(own) = own else {
            return Err(StoreError::OutOfOrder { found: next.height.unwrap_or_default() });
        };
        self.layers.push(Arc::clone(own));
        self.merge();
        self.height = Some(height);
        self.root = next.root;
        Ok(())
    }

    fn merge(&mut self) {
        while self.layers.len() >= self.frozen + MERGED {
            let first = self.layers.len() - MERGED;
            let (oldest, newest) = (self.layers[first].entries(), self.layers[first + MERGED - 1].entries());
            if oldest > 2 * newest && self.layers.len() < self.frozen + LAYERS_MAX {
                break;
            }
            let merged = Layer::merged(&self.layers[first..]);
            self.layers.truncate(first);
            self.layers.push(Arc::new(merged));
        }
    }

    /// Leaves the layers of now alone until [`Self::thaw`].
    pub(super) fn freeze(&mut self) {
        self.frozen = self.layers.len();
    }

    /// Stands on a newer checkpoint, made of the frozen layers; or, without one, lets them be merged again.
    pub(super) fn thaw(&mut self, checkpoint: Option<(Arc<Base>, TimeMs)>) {
        if let Some((base, now)) = checkpoint {
            self.layers.drain(..self.frozen);
            self.base = base;
            self.clean_since = Some(now);
        }
        self.frozen = 0;
    }

    /// Whether a checkpoint is due.
    fn is_due(&mut self, now: TimeMs, config: &StoreConfig) -> bool {
        let since = *self.clean_since.get_or_insert(now);
        let Some(height) = self.height else { return false };
        let first_above = self.base.height().map_or(Height(0), Height::next);
        let blocks = (height.0 + 1).saturating_sub(first_above.0);
        if blocks == 0 {
            self.clean_since = Some(now);
            return false;
        }
        let bytes: usize = self.layers.iter().map(|layer| layer.bytes).sum();
        blocks >= config.checkpoint_blocks
            || now >= since.plus(config.checkpoint_ms)
            || bytes >= config.checkpoint_bytes
    }
}

impl Store {
    /// Makes the state after the next block the newest committed one, in memory. Cheap.
    ///
    /// The block must have been acknowledged ([`sync`](Self::sync)) before: a checkpoint refuses a state
    /// without block.
    ///
    /// Errors: [`StoreError::OutOfOrder`] for a state that does not extend the newest one by one block.
    pub fn commit(&self, next: &Snapshot) -> Result<(), StoreError> {
        writing(&self.tip).commit(next)
    }

    /// Whether a checkpoint is due: enough blocks, time or changed bytes since the last one.
    pub fn checkpoint_due(&self, now: TimeMs) -> bool {
        writing(&self.tip).is_due(now, &self.config)
    }
}
