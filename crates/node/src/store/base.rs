//! The state as of the last checkpoint: `state.redb`.

use std::sync::Arc;

use redb::{Database, ReadOnlyTable, ReadableDatabase};
use tabellion_ledger::trie::{Page, PageId};
use tabellion_ledger::{Hash, HeaderHash, Height, LedgerId, StateRoot};

use super::StoreError;
use super::cache::PageCache;
use super::layer::Layer;
use super::rows::{HISTORY, META, NodeRow, RECORD_TAG, STATE, prepare, write};

/// Name of the row that says which state the database holds.
pub(super) const CHECKPOINT: &str = "checkpoint";
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
    pub(super) fn to_bytes(self) -> Vec<u8> {
        [self.height.0.to_be_bytes().as_slice(), self.digest.as_bytes(), self.root.as_bytes()].concat()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<Self> {
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
    state: ReadOnlyTable<&'static [u8], &'static [u8]>,
    history: ReadOnlyTable<NodeRow, &'static [u8; 32]>,
}

impl StateDatabase {
    /// Makes the tables of a new database; refuses one of another ledger or layout.
    pub(super) fn prepare(database: &Database, ledger: LedgerId) -> Result<(), StoreError> {
        prepare(database, "state", ledger, |transaction| {
            transaction.open_table(STATE)?;
            transaction.open_table(HISTORY)?;
            Ok(())
        })
    }

    pub(super) fn open(
        database: Database,
        ledger: LedgerId,
        page_cache_bytes: usize,
    ) -> Result<(Self, Arc<Base>), StoreError> {
        Self::prepare(&database, ledger)?;
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
            Ok((row, transaction.open_table(STATE)?, transaction.open_table(HISTORY)?))
        };
        let prepare = |source| StoreError::Prepare { database: "state", source: Box::new(source) };
        let (row, state, history) = opened().map_err(prepare)?;
        let damaged = || StoreError::damaged("the checkpoint's row", "another length");
        let checkpoint = row.map(|row| Checkpoint::from_bytes(&row).ok_or_else(damaged)).transpose()?;
        Ok(Base { checkpoint, generation, cache: Arc::clone(&self.cache), state, history })
    }

    /// Writes a checkpoint of these layers, newest first, upon `base` in one durable transaction, and returns
    /// the state as of it.
    pub(super) fn write(
        &self,
        base: &Base,
        checkpoint: Checkpoint,
        layers: &[Arc<Layer>],
    ) -> Result<Arc<Base>, StoreError> {
        let rows = newest_rows(layers);
        let written = write(&self.database, |transaction| {
            let mut state = transaction.open_table(STATE)?;
            for (key, row) in &rows {
                match row {
                    Row::Page(_, Some(page)) => state.insert(key.as_slice(), page.to_bytes().as_slice())?,
                    Row::Record(Some(record)) => state.insert(key.as_slice(), &***record)?,
                    Row::Page(_, None) | Row::Record(None) => state.remove(key.as_slice())?,
                };
            }
            let mut history = transaction.open_table(HISTORY)?;
            for (node, hash) in layers.iter().rev().flat_map(|layer| &layer.history) {
                history.insert(*node, hash.as_bytes())?;
            }
            transaction.open_table(META)?.insert(CHECKPOINT, checkpoint.to_bytes().as_slice())?;
            Ok(())
        });
        let height = checkpoint.height;
        written.map_err(|source| StoreError::Checkpoint { height, source: Box::new(source) })?;
        let generation = base.generation + 1;
        let base = self.base(generation)?;
        let pages = rows.iter().filter_map(|(_, row)| match row {
            Row::Page(id, page) => Some((*id, *page)),
            Row::Record(_) => None,
        });
        self.cache.begin(generation, pages);
        Ok(Arc::new(base))
    }
}

/// A changed row of the state; `None` for one that goes.
enum Row<'a> {
    Page(PageId, Option<&'a Arc<Page>>),
    Record(Option<&'a Arc<[u8]>>),
}

/// The rows that layers, newest first, change, each as the newest of them says, in the order of keys:
/// neighbours share pages of the file.
fn newest_rows(layers: &[Arc<Layer>]) -> Vec<(Vec<u8>, Row<'_>)> {
    let count = layers.iter().map(|layer| layer.pages.len() + layer.records.len()).sum();
    let mut rows = Vec::with_capacity(count);
    for layer in layers {
        rows.extend(layer.pages.iter().map(|(id, page)| (id.to_key(), Row::Page(*id, page.as_ref()))));
        let records = layer.records.iter();
        rows.extend(records.map(|(path, record)| (record_key(path).to_vec(), Row::Record(record.as_ref()))));
    }
    // A stable sort leaves the newest of equal keys in front.
    rows.sort_by(|left, right| left.0.cmp(&right.0));
    rows.dedup_by(|later, first| later.0 == first.0);
    rows
}

/// A record and its path.
pub(super) type PathAndRecord = ([u8; 32], Vec<u8>);

/// The path of a record's key; `None` for a page's.
fn path_of(key: &[u8]) -> Option<[u8; 32]> {
    let (tag, path) = key.split_last()?;
    if *tag == RECORD_TAG { path.try_into().ok() } else { None }
}

pub(super) fn record_key(path: &[u8; 32]) -> [u8; 33] {
    let mut key = [RECORD_TAG; 33];
    key[..32].copy_from_slice(path);
    key
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
        let row = self.state.get(id.to_key().as_slice());
        let row = row.map_err(|error| StoreError::ReadPage { id: *id, source: Box::new(error.into()) })?;
        let Some(row) = row else { return Ok(None) };
        let page = Page::from_bytes(row.value());
        let page = Arc::new(page.map_err(|error| StoreError::damaged(format!("state page {id:?}"), error))?);
        self.cache.found(self.generation, *id, &page);
        Ok(Some(page))
    }

    pub(super) fn record(&self, path: &[u8; 32]) -> Result<Option<Vec<u8>>, StoreError> {
        match self.state.get(record_key(path).as_slice()) {
            Ok(row) => Ok(row.map(|row| row.value().to_vec())),
            Err(error) => {
                Err(StoreError::ReadRecord { path: hex::encode(path), source: Box::new(error.into()) })
            }
        }
    }

    /// The records between two paths, both included, ascending.
    pub(super) fn records(
        &self,
        first: &[u8; 32],
        last: &[u8; 32],
    ) -> Result<impl Iterator<Item = Result<PathAndRecord, StoreError>> + use<>, StoreError> {
        let path = hex::encode(first);
        let fault = move |error: redb::StorageError| StoreError::ReadRecord {
            path: path.clone(),
            source: Box::new(error.into()),
        };
        let rows = self.state.range(first.as_slice()..=record_key(last).as_slice()).map_err(&fault)?;
        Ok(rows.filter_map(move |row| match row {
            Ok((key, record)) => Some(Ok((path_of(key.value())?, record.value().to_vec()))),
            Err(error) => Some(Err(fault(error))),
        }))
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
