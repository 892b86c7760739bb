//! The state after one block, readable while others are applied.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use tabellion_ledger::merkle::{CompleteNode, Nodes, stored_inclusion_path};
use tabellion_ledger::trie::{Page, PageId, Pages, TrieFault, TrieProof, Update, prove, update};
use tabellion_ledger::{Hash, Height, StateKey, StateRoot, TransactionId, View, Writes, sha256};

use super::base::Base;
use super::chain::Chain;
use super::layer::{Layer, Tree};
use super::{Store, StoreError};

/// What a block does to the state.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// Records to write; `None` removes.
    pub writes: Writes,
    /// The block's transactions.
    pub transactions: Vec<TransactionId>,
    /// Nodes of history trees that the block completed.
    pub history: Vec<(Tree, CompleteNode)>,
}

/// The state after one block: committed, or of a proposal that is not final yet.
///
/// Cheap to clone, and to extend by a block. It never changes. See the module's documentation for what it
/// pins.
#[derive(Clone)]
pub struct Snapshot {
    pub(super) height: Option<Height>,
    pub(super) root: StateRoot,
    /// Root of the state that this one extends; its own for one that extends nothing.
    pub(super) parent_root: StateRoot,
    /// Newest first.
    pub(super) layers: Vec<Arc<Layer>>,
    pub(super) base: Arc<Base>,
    pub(super) chain: Arc<Chain>,
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("height", &self.height)
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}

impl Snapshot {
    /// Height of the block; `None` before the genesis block.
    pub fn height(&self) -> Option<Height> {
        self.height
    }

    /// Root of the state.
    pub fn root(&self) -> StateRoot {
        self.root
    }

    /// The record under `key`.
    pub fn record(&self, key: &StateKey) -> Result<Option<Vec<u8>>, StoreError> {
        self.record_at(&key.path())
    }

    /// The record at this path of the trie.
    pub fn record_at(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.layers.iter().find_map(|layer| layer.records.get(path)) {
            Some(changed) => Ok(changed.as_deref().map(<[u8]>::to_vec)),
            None => self.base.record(path),
        }
    }

    /// The block, up to this one, that holds the transaction.
    ///
    /// Sees the blocks of this state's own line only, not others that the store may already hold.
    pub fn transaction_block(&self, id: &TransactionId) -> Result<Option<Height>, StoreError> {
        if let Some(height) = self.layers.iter().find_map(|layer| layer.transactions.get(id)) {
            return Ok(Some(*height));
        }
        let Some(checkpoint) = self.base.height() else { return Ok(None) };
        let place = self.chain.place(id)?;
        Ok(place.map(|place| place.height).filter(|height| *height <= checkpoint))
    }

    /// The proof of what stands under `key`, or that nothing does.
    pub fn prove(&self, key: &StateKey) -> Result<TrieProof, StoreError> {
        let pages = ReadPages::of(self);
        let proof = prove(&pages, &self.root, &key.path());
        pages.or_fault(proof)
    }

    /// The proof as [`Self::prove`] gives it, for those who cannot take a store's error: see the note on
    /// [`View`].
    pub fn prove_trie(&self, key: &StateKey) -> Result<TrieProof, TrieFault> {
        prove(self, &self.root, &key.path())
    }

    /// The state after one more block. Nothing is written, and the store knows nothing of it yet.
    pub fn extend(&self, change: &Change) -> Result<Self, StoreError> {
        let hash = |(key, record): (&StateKey, &Option<Vec<u8>>)| (key.path(), record.as_deref().map(sha256));
        let hashes: BTreeMap<_, _> = change.writes.iter().map(hash).collect();
        let pages = ReadPages::of(self);
        let update = pages.or_fault(update(&pages, &self.root, &hashes))?;
        Ok(self.extend_by(change, &update))
    }

    /// As [`Self::extend`], where the trie's update is computed already.
    pub fn extend_by(&self, change: &Change, update: &Update) -> Self {
        let height = self.height.map_or(Height(0), Height::next);
        let mut layer = Layer::default();
        for (key, record) in &change.writes {
            layer.records.insert(key.path(), record.as_deref().map(Arc::from));
        }
        layer.pages = update.pages.iter().map(|(id, page)| (*id, page.clone())).collect();
        layer.transactions = change.transactions.iter().map(|id| (*id, height)).collect();
        for (tree, node) in &change.history {
            layer.history.insert((tree.number(), node.level, node.index), node.hash);
        }
        let mut layers = Vec::with_capacity(self.layers.len() + 1);
        layers.push(Arc::new(layer.measured()));
        layers.extend(self.layers.iter().cloned());
        Self {
            height: Some(height),
            root: update.root,
            parent_root: self.root,
            layers,
            base: Arc::clone(&self.base),
            chain: Arc::clone(&self.chain),
        }
    }

    /// The nodes of a history tree.
    pub fn history(&self, tree: Tree) -> HistoryNodes<'_> {
        HistoryNodes { snapshot: self, tree, fault: RefCell::new(None) }
    }

    pub(super) fn page(&self, id: &PageId) -> Result<Option<Arc<Page>>, StoreError> {
        match self.layers.iter().find_map(|layer| layer.pages.get(id)) {
            Some(changed) => Ok(changed.clone()),
            None => self.base.page(id),
        }
    }
}

/// What services read through. The contract leaves no room for an error: a store that cannot be read stops
/// the thread, and in a release build the process. It never shows as an absent record.
impl View for Snapshot {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        or_stop(self.record(key))
    }

    fn transaction_height(&self, id: &TransactionId) -> Option<Height> {
        or_stop(self.transaction_block(id))
    }
}

/// The trie of this state, for the machine. A store that cannot be read stops the thread, as above.
impl Pages for Snapshot {
    fn page(&self, id: &PageId) -> Option<Arc<Page>> {
        or_stop(Snapshot::page(self, id))
    }
}

fn or_stop<T>(read: Result<T, StoreError>) -> T {
    match read {
        Ok(value) => value,
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the store cannot be read");
            panic!("the store cannot be read: {error}");
        }
    }
}

/// A snapshot's pages for the trie, which takes a page that cannot be read for a missing one; the reason is
/// kept here.
struct ReadPages<'a> {
    snapshot: &'a Snapshot,
    fault: RefCell<Option<StoreError>>,
}

impl<'a> ReadPages<'a> {
    fn of(snapshot: &'a Snapshot) -> Self {
        Self { snapshot, fault: RefCell::new(None) }
    }

    fn or_fault<T>(&self, result: Result<T, TrieFault>) -> Result<T, StoreError> {
        result.map_err(|source| {
            let fault = self.fault.take();
            fault.unwrap_or(StoreError::Trie { height: self.snapshot.height, source })
        })
    }
}

impl Pages for ReadPages<'_> {
    fn page(&self, id: &PageId) -> Option<Arc<Page>> {
        self.snapshot.page(id).unwrap_or_else(|error| {
            self.fault.replace(Some(error));
            None
        })
    }
}

/// A history tree, read through a snapshot.
pub struct HistoryNodes<'a> {
    snapshot: &'a Snapshot,
    tree: Tree,
    fault: RefCell<Option<StoreError>>,
}

impl HistoryNodes<'_> {
    /// The path of leaf `index` in the tree over the first `size` leaves; `None` where the store has no such
    /// tree.
    pub fn inclusion_path(&self, index: u64, size: u64) -> Result<Option<Vec<Hash>>, StoreError> {
        let path = stored_inclusion_path(self, index, size);
        match self.fault.take() {
            Some(error) => Err(error),
            None => Ok(path),
        }
    }
}

impl Nodes for HistoryNodes<'_> {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let row = (self.tree.number(), level, index);
        if let Some(hash) = self.snapshot.layers.iter().find_map(|layer| layer.history.get(&row)) {
            return Some(*hash);
        }
        self.snapshot.base.history(row).unwrap_or_else(|error| {
            self.fault.replace(Some(error));
            None
        })
    }
}

impl Store {
    /// The newest committed state.
    pub fn tip(&self) -> Snapshot {
        super::reading(&self.tip).snapshot(&self.chain)
    }

    /// Height of the newest committed state; `None` before the genesis block.
    pub fn applied_height(&self) -> Option<Height> {
        super::reading(&self.tip).height()
    }

    /// Height of the last checkpoint.
    pub fn checkpoint_height(&self) -> Option<Height> {
        super::reading(&self.tip).base().height()
    }
}
