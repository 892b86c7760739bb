//! Layers: what blocks changed since the last checkpoint.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
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

/// A map whose keys are hashes, or parts of hashes, that nobody can choose freely.
pub(super) type QuickMap<K, V> = HashMap<K, V, BuildHasherDefault<QuickHasher>>;

/// Mixes eight bytes at a time: the keys are even already.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct QuickHasher(u64);

impl QuickHasher {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(26) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl Hasher for QuickHasher {
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.mix(u64::from_le_bytes(*word)));
        rest.iter().for_each(|byte| self.mix(u64::from(*byte)));
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.mix(value);
    }

    fn write_usize(&mut self, value: usize) {
        self.mix(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

/// What one block, or several blocks in a row, changed.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer {
    /// Changed pages; `None` for one that is gone.
    pub pages: QuickMap<PageId, Option<Arc<Page>>>,
    /// Changed records by path; `None` for one that is gone.
    pub records: QuickMap<[u8; 32], Option<Arc<[u8]>>>,
    /// Transactions and the blocks that hold them.
    pub transactions: QuickMap<TransactionId, Height>,
    /// New nodes of history trees.
    pub history: QuickMap<NodeRow, Hash>,
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

    /// These layers, oldest first, as one.
    pub(super) fn merged(layers: &[Arc<Self>]) -> Self {
        let mut merged = Self::default();
        for layer in layers {
            merged.pages.extend(layer.pages.iter().map(|(id, page)| (*id, page.clone())));
            merged.records.extend(layer.records.iter().map(|(path, record)| (*path, record.clone())));
            merged.transactions.extend(&layer.transactions);
            merged.history.extend(&layer.history);
        }
        merged.measured()
    }
}
