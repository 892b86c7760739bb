//! The state as of the last checkpoint: `state.redb`.

use std::collections::BTreeMap;
use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase};
use tabellion_ledger::trie::{Page, PageId};
use tabellion_ledger::{Hash, HeaderHash, Height, LedgerId, StateRoot};

use super::StoreError;
use super::cache::PageCache;
use super::layer::Layer;
use super::rows::{HISTORY, META, NodeRow, PAGE, RECORD, prepare, write};

/// Name of the row that says which state the database holds.
const CHECKPOINT: &str = "checkpoint";
/// Height, header hash, state root.
const CHECKPOINT_BYTES: usize = 8 + 32 + 32;

/// Which state a database holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checkpoint {
    pub height: Height,
    pub digest: HeaderHash,
    pub root: StateRoot,
}

impl Checkpoint {
    fn to_bytes(self) -> Vec<u8> {
        [self.height.0.to_be_bytes().as_slice(), self.digest.as_bytes(), self.root.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; CHECKPOINT_BYTES] = bytes.try_into().ok()?;
        let (height, hashes) = bytes.split_first_chunk::<8>()?;
        let (digest, root) = hashes.split_first_chunk::<32>()?;
        Some(Self {
            height: Height(u64::from_be_bytes(*height)),
            digest: HeaderHash(*digest),
            root: StateRoot(root.try_into().ok()?),
        })
    }
}

/// The state's database and the cache over it.
#[derive(Debug)]
pub(super) struct StateDatabase {
    database: Database,
    cache: Arc<PageCache>,
}

/// The state as of one checkpoint, through a read transaction of its own.
#[derive(Debug)]
pub(super) struct Base {
    checkpoint: Option<Checkpoint>,
    generation: u64,
    cache: Arc<PageCache>,
    pages: ReadOnlyTable<&'static [u8], &'static [u8]>,
    records: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    history: ReadOnlyTable<NodeRow, &'static [u8; 32]>,
}

impl StateDatabase {
    pub(super) fn open(
        database: Database,
        ledger: LedgerId,
        page_cache_bytes: usize,
    ) -> Result<(Self, Arc<Base>), StoreError> {
        prepare(&database, "state", ledger, |transaction| {
            transaction.open_table(PAGE)?;
            transaction.open_table(RECORD)?;
            transaction.open_table(HISTORY)?;
            Ok(())
        })?;
        let state = Self { database, cache: Arc::new(PageCache::new(page_cache_bytes)) };
        let base = state.base(0)?;
        // The topmost page must hash to the root: a cheap look at whether file and checkpoint belong
        // together.
        if let Some(Checkpoint { height, root, .. }) = base.checkpoint {
            let page = base.page(&PageId::ROOT)?;
            if page.map_or(StateRoot::default(), |page| StateRoot(page.hash())) != root {
                return Err(StoreError::Unconfirmed { height, root });
            }
        }
        Ok((state, Arc::new(base)))
    }

    fn base(&self, generation: u64) -> Result<Base, StoreError> {
        let opened = || -> Result<_, redb::Error> {
            let transaction = self.database.begin_read()?;
            let row = transaction.open_table(META)?.get(CHECKPOINT)?.map(|row| row.value().to_vec());
            let (pages, records) = (transaction.open_table(PAGE)?, transaction.open_table(RECORD)?);
            Ok((row, pages, records, transaction.open_table(HISTORY)?))
        };
        let prepare = |source| StoreError::Prepare { database: "state", source: Box::new(source) };
        let (row, pages, records, history) = opened().map_err(prepare)?;
        let damaged = || StoreError::damaged("the checkpoint's row", "another length");
        let checkpoint = row.map(|row| Checkpoint::from_bytes(&row).ok_or_else(damaged)).transpose()?;
        Ok(Base { checkpoint, generation, cache: Arc::clone(&self.cache), pages, records, history })
    }

    /// Writes a checkpoint upon `base` in one durable transaction, and returns the state as of it.
    pub(super) fn write(
        &self,
        base: &Base,
        checkpoint: Checkpoint,
        layer: &Layer,
    ) -> Result<Arc<Base>, StoreError> {
        let written = write(&self.database, |transaction| {
            // In the order of keys, neighbours share the pages of the file.
            let mut pages = transaction.open_table(PAGE)?;
            for (id, page) in layer.pages.iter().collect::<BTreeMap<_, _>>() {
                match page {
                    Some(page) => pages.insert(id.to_key().as_slice(), page.to_bytes().as_slice())?,
                    None => pages.remove(id.to_key().as_slice())?,
                };
            }
            let mut records = transaction.open_table(RECORD)?;
            for (path, record) in layer.records.iter().collect::<BTreeMap<_, _>>() {
                match record {
                    Some(record) => records.insert(path, &**record)?,
                    None => records.remove(path)?,
                };
            }
            let mut history = transaction.open_table(HISTORY)?;
            for (node, hash) in layer.history.iter().collect::<BTreeMap<_, _>>() {
                history.insert(*node, hash.as_bytes())?;
            }
            transaction.open_table(META)?.insert(CHECKPOINT, checkpoint.to_bytes().as_slice())?;
            Ok(())
        });
        let height = checkpoint.height;
        written.map_err(|source| StoreError::Checkpoint { height, source: Box::new(source) })?;
        let generation = base.generation + 1;
        let base = self.base(generation)?;
        self.cache.begin(generation, layer.pages.iter());
        Ok(Arc::new(base))
    }
}

impl Base {
    /// Height and header hash of the checkpoint.
    pub(super) fn checkpoint(&self) -> Option<(Height, HeaderHash)> {
        self.checkpoint.map(|checkpoint| (checkpoint.height, checkpoint.digest))
    }

    pub(super) fn height(&self) -> Option<Height> {
        self.checkpoint.map(|checkpoint| checkpoint.height)
    }

    pub(super) fn root(&self) -> StateRoot {
        self.checkpoint.map_or(StateRoot::default(), |checkpoint| checkpoint.root)
    }

    pub(super) fn page(&self, id: &PageId) -> Result<Option<Arc<Page>>, StoreError> {
        if let Some(page) = self.cache.get(self.generation, id) {
            return Ok(Some(page));
        }
        let row = self.pages.get(id.to_key().as_slice());
        let row = row.map_err(|error| StoreError::ReadPage { id: *id, source: Box::new(error.into()) })?;
        let Some(row) = row else { return Ok(None) };
        let page = Page::from_bytes(row.value());
        let page = Arc::new(page.map_err(|error| StoreError::damaged(format!("state page {id:?}"), error))?);
        self.cache.found(self.generation, *id, &page);
        Ok(Some(page))
    }

    pub(super) fn record(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.records.get(path) {
            Ok(row) => Ok(row.map(|row| row.value().to_vec())),
            Err(error) => {
                let path = path.iter().map(|byte| format!("{byte:02x}")).collect();
                Err(StoreError::ReadRecord { path, source: Box::new(error.into()) })
            }
        }
    }

    pub(super) fn history(&self, node: NodeRow) -> Result<Option<Hash>, StoreError> {
        match self.history.get(node) {
            Ok(row) => Ok(row.map(|row| Hash(*row.value()))),
            Err(error) => {
                let (_, level, index) = node;
                Err(StoreError::ReadHistory { level, index, source: Box::new(error.into()) })
            }
        }
    }
}
