//! What is deleted, in numbers.

use std::collections::{BTreeMap, BTreeSet};

use tabellion_ledger::Height;

use crate::store::{Deleted, Due};

/// What a pass would delete.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneReport {
    /// Blocks of which a body goes.
    pub blocks: u64,
    /// Certificates whose publication is in them.
    pub certificates: u64,
    /// All bodies.
    pub sum: Pruned,
    /// The same of each lane, by its name.
    pub lanes: BTreeMap<String, Pruned>,
    heights: BTreeSet<Height>,
}

/// Bodies that go, or went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Bodies.
    pub bodies: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Bytes of those.
    pub bytes: u64,
}

impl PruneReport {
    pub(super) fn add(&mut self, due: Due, size: Deleted, certificates: u64) {
        self.certificates += certificates;
        self.heights.insert(due.height);
        self.blocks = u64::try_from(self.heights.len()).unwrap_or(u64::MAX);
        self.sum.add(size);
        self.lanes.entry(due.lane.to_string()).or_default().add(size);
    }
}

impl Pruned {
    /// Counts a deletion.
    pub fn add(&mut self, deleted: Deleted) {
        self.bodies += deleted.bodies;
        self.transactions += deleted.transactions;
        self.bytes += deleted.bytes;
    }
}
