//! Layers: what blocks changed since the last checkpoint.

use std::collections::HashMap;
use std::sync::Arc;

use tabellion_ledger::trie::{Page, PageId};
use tabellion_ledger::{Hash, Height, Lane, TransactionId};

use super::rows::NodeRow;

/// A tree of RFC 9162 whose nodes the store keeps, so that paths in it cost few reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tree {
    /// The tree over the hashes of all headers.
    Headers,
    /// The tree over the hashes of one lane's headers.
    Lane(Lane),
}

impl Tree {
    pub(super) fn number(self) -> u32 {
        match self {
            Self::Headers => 0,
            Self::Lane(lane) => 1 + u32::from(lane.number()),
        }
    }
}

/// What one block, or several blocks in a row, changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    /// Changed pages; `None` for one that is gone.
    pub pages: HashMap<PageId, Option<Arc<Page>>>,
    /// Changed records by path; `None` for one that is gone.
    pub records: HashMap<[u8; 32], Option<Arc<[u8]>>>,
    /// Transactions and the blocks that hold them.
    pub transactions: HashMap<TransactionId, Height>,
    /// New nodes of history trees.
    pub history: HashMap<NodeRow, Hash>,
    /// Memory that the layer takes. Unit: bytes, about.
    pub bytes: usize,
}

/// What an entry costs beside its content. Unit: bytes, about.
const ENTRY_BYTES: usize = 80;

impl Layer {
    /// Measures the layer; to be called once it is filled.
    pub(super) fn measured(mut self) -> Self {
        let pages: usize = self.pages.values().flatten().map(|page| page.memory_bytes()).sum();
        let records: usize = self.records.values().flatten().map(|record| record.len()).sum();
        self.bytes = pages + records + self.entries() * ENTRY_BYTES;
        self
    }

    /// Number of entries: what merging costs.
    pub(super) fn entries(&self) -> usize {
        self.pages.len() + self.records.len() + self.transactions.len() + self.history.len()
    }

    /// This layer with a newer one on top.
    pub(super) fn under(&self, newer: &Self) -> Self {
        let mut merged = self.clone();
        merged.take(newer);
        merged.measured()
    }

    /// Takes over what a newer layer says.
    pub(super) fn take(&mut self, newer: &Self) {
        self.pages.extend(newer.pages.iter().map(|(id, page)| (*id, page.clone())));
        self.records.extend(newer.records.iter().map(|(path, record)| (*path, record.clone())));
        self.transactions.extend(&newer.transactions);
        self.history.extend(&newer.history);
    }
}
