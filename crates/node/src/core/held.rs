//! States held for nodes that take one over.
//!
//! All nodes hold the state after the same blocks, the last ones of epochs, so that a joining node can fetch
//! pieces of one state from several of them. A node that was just started holds the state that it stands on
//! as well: on an idle ledger the next epoch's end may be far.

use std::collections::VecDeque;
use std::sync::Arc;

use tabellion_ledger::trie::{PageId, Piece};
use tabellion_ledger::{FinalityProof, Height, TimeMs};

use super::{Core, Provable, lock};
use crate::error::NodeError;
use crate::store::HeldState;

/// How long a state stays after it was last read, once there is a newer one. Unit: ms.
const LEASE_MS: u64 = 120_000;
/// States held at most: each keeps what newer checkpoints replaced.
const HELD_MAX: usize = 3;

/// States held, oldest first.
#[derive(Debug, Default)]
pub(super) struct HeldStates(VecDeque<Held>);

#[derive(Debug)]
struct Held {
    finality: FinalityProof,
    state: Arc<HeldState>,
    read: TimeMs,
}

impl HeldStates {
    fn hold(&mut self, provable: &Provable, now: TimeMs) {
        self.drop_idle(now);
        if self.0.len() == HELD_MAX {
            self.0.pop_front();
        }
        let state = Arc::new(HeldState::new(provable.state.clone()));
        self.0.push_back(Held { finality: provable.finality.clone(), state, read: now });
    }

    /// Drops states that nobody reads any more; the newest stays.
    fn drop_idle(&mut self, now: TimeMs) {
        let newest = self.0.pop_back();
        self.0.retain(|held| now <= held.read.plus(LEASE_MS));
        self.0.extend(newest);
    }
}

impl Core {
    /// Holds the newest proved state.
    pub(super) fn hold_state(&self, now: TimeMs) {
        let provable = self.provable();
        if !provable.finality.signatures.is_empty() {
            lock(&self.held).hold(&provable, now);
        }
    }

    /// Drops states that nobody reads any more.
    pub(super) fn drop_idle_states(&self, now: TimeMs) {
        lock(&self.held).drop_idle(now);
    }

    /// The blocks whose states are held, newest first, with the signatures that finalise them.
    pub fn held_states(&self) -> Vec<FinalityProof> {
        lock(&self.held).0.iter().rev().map(|held| held.finality.clone()).collect()
    }

    /// A piece of a held state; `None` where the state after that block is not held. Reads the store.
    pub fn piece(&self, height: Height, id: &PageId, now: TimeMs) -> Result<Option<Piece>, NodeError> {
        let state = {
            let mut held = lock(&self.held);
            let Some(held) = held.0.iter_mut().find(|held| held.state.height() == Some(height)) else {
                return Ok(None);
            };
            held.read = now;
            held.state.clone()
        };
        state.piece(id).map(Some).map_err(NodeError::Store)
    }
}
