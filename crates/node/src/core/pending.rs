//! States of blocks that are not decided yet, each over its parent's.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabellion_ledger::{HeaderHash, Height};
use tabellion_machine::{Outcome, Ruleset, RulesetFault};

use crate::store::Snapshot;

/// An executed block and the state after it.
#[derive(Clone)]
pub struct Executed {
    /// What the block does.
    pub outcome: Arc<Outcome>,
    /// The state after it.
    pub state: Snapshot,
    /// The rules after it, unless this program cannot follow them.
    pub rules: Result<Arc<Ruleset>, RulesetFault>,
}

/// Executed blocks above the newest committed one.
#[derive(Default)]
pub struct Pending {
    blocks: BTreeMap<HeaderHash, Executed>,
}

impl Pending {
    /// An executed block.
    pub fn get(&self, digest: &HeaderHash) -> Option<Executed> {
        self.blocks.get(digest).cloned()
    }

    /// Keeps an executed block.
    pub fn keep(&mut self, executed: Executed) {
        self.blocks.insert(executed.outcome.digest, executed);
    }

    /// Drops everything at or below a committed height: what is on another branch can never be committed.
    pub fn committed(&mut self, height: Height) {
        self.blocks.retain(|_, executed| executed.outcome.block.header.height > height);
    }
}
