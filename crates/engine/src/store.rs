//! Where finalised blocks and finality votes live: the node's own store behind the engine's store traits.

use std::error::Error;
use std::sync::Arc;

use commonware_consensus::marshal::store::{Blocks, Certificates};
use commonware_consensus::types::{Epoch, Height as EngineHeight};
use commonware_runtime::Handle;
use commonware_storage::archive::Identifier;
use tabellion_ledger::{Block, HeaderHash, Height};

use crate::block::{Digest, EngineBlock, hash_of};
use crate::fault::{EngineError, Fault};
use crate::proof::{Certified, FinalityVotes};
use crate::ranges::Ranges;
use crate::runtime::Runtime;
use crate::scheme::{Scheme, Seats};

/// A store that failed: the node stops, and a restart recovers.
#[derive(Debug, thiserror::Error)]
#[error("store: {operation}")]
pub struct StoreError {
    /// What was being done.
    pub operation: String,
    /// What went wrong.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

impl StoreError {
    /// A failure of `operation`.
    pub fn new(operation: impl Into<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { operation: operation.into(), source: source.into() }
    }
}

/// How a finalised block is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockKey {
    /// By height.
    Height(Height),
    /// By header hash.
    Hash(HeaderHash),
}

/// Storage of finalised blocks and of the votes that finalise them, over the node's own store.
///
/// Two threads at most use it at once: one puts and gets, another waits in [`sync`](Self::sync), so a put
/// must not wait for a sync under way. What was put is seen by reads at once, and is durable after the next
/// sync that begins later. A put at a height or of a hash that is there already changes nothing.
///
/// A block whose body was deleted counts as held in [`block_ranges`](Self::block_ranges), so that nobody
/// fetches it again, while [`block`](Self::block) answers `None`. The last committed block and the last block
/// of an epoch keep their bodies. In the store of a node that came by state sync the bodies below its
/// [floor](crate::NodeConfig::floor) were never there; they count as deleted. Blocks may come with gaps: a
/// node that catches up receives the newest block before those between.
pub trait BlockStore: Send + Sync + 'static {
    /// Takes a finalised block.
    fn put_block(&self, hash: HeaderHash, block: &Arc<Block>) -> Result<(), StoreError>;

    /// Takes the votes for the block of this height and hash, which may come before the block itself.
    fn put_votes(&self, height: Height, hash: HeaderHash, votes: &FinalityVotes) -> Result<(), StoreError>;

    /// Returns when all that was put before is durable. May block.
    fn sync(&self) -> Result<(), StoreError>;

    /// A block with its body.
    fn block(&self, key: BlockKey) -> Result<Option<Arc<Block>>, StoreError>;

    /// The votes for a block, with the block's hash.
    fn votes(&self, key: BlockKey) -> Result<Option<(HeaderHash, FinalityVotes)>, StoreError>;

    /// Heights with a header, as ranges (first, last). Asked once, at start.
    fn block_ranges(&self) -> Result<Vec<(Height, Height)>, StoreError>;

    /// Heights with votes, as ranges (first, last). Asked once, at start.
    fn votes_ranges(&self) -> Result<Vec<(Height, Height)>, StoreError>;
}

fn block_key(id: Identifier<'_, Digest>) -> BlockKey {
    match id {
        Identifier::Index(height) => BlockKey::Height(Height(height)),
        Identifier::Key(digest) => BlockKey::Hash(hash_of(digest)),
    }
}

fn load(ranges: Vec<(Height, Height)>) -> Ranges {
    let mut loaded = Ranges::default();
    for (first, last) in ranges {
        loaded.insert(first.0, last.0);
    }
    loaded
}

/// What both halves share: the store, and what to do when it fails.
///
/// The engine's actors panic upon a store's error. A failed operation therefore never returns to them: it
/// raises the fault, which ends the whole engine in order, and waits.
struct Backing<E> {
    context: E,
    store: Arc<dyn BlockStore>,
    fault: Fault,
}

impl<E: Runtime> Backing<E> {
    async fn or_stop<T>(&self, result: Result<T, StoreError>) -> T {
        match result {
            Ok(value) => value,
            Err(err) => {
                self.fault.raise(EngineError::Store(err));
                futures::future::pending().await
            }
        }
    }

    /// Makes all puts durable on another thread.
    fn start_sync(&self) -> Handle<()> {
        let (store, fault) = (self.store.clone(), self.fault.clone());
        self.context.child("sync").shared(true).spawn(move |_| async move {
            if let Err(err) = store.sync() {
                fault.raise(EngineError::Store(err));
                futures::future::pending::<()>().await;
            }
        })
    }
}

/// What the engine's traits name as an error, and what never reaches them.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Never {}

/// Finalised blocks, as the engine wants them.
pub(crate) struct BlockShelf<E> {
    backing: Backing<E>,
    held: Ranges,
}

impl<E: Runtime> BlockShelf<E> {
    pub(crate) fn open(context: E, store: Arc<dyn BlockStore>, fault: Fault) -> Result<Self, StoreError> {
        let held = load(store.block_ranges()?);
        Ok(Self { backing: Backing { context, store, fault }, held })
    }
}

impl<E: Runtime> Blocks for BlockShelf<E> {
    type Block = Arc<EngineBlock>;
    type Error = Never;

    async fn put(mut self, digest: Digest, block: &Arc<EngineBlock>) -> Result<Self, Never> {
        let height = block.block().header.height.0;
        let put = self.backing.store.put_block(hash_of(&digest), block.block());
        self.backing.or_stop(put).await;
        self.held.insert(height, height);
        Ok(self)
    }

    async fn sync(self) -> Result<Self, Never> {
        let synced = self.backing.start_sync().await;
        if synced.is_err() {
            futures::future::pending::<()>().await;
        }
        Ok(self)
    }

    async fn start_sync(self) -> Result<(Self, Handle<()>), Never> {
        let handle = self.backing.start_sync();
        Ok((self, handle))
    }

    async fn get(&self, id: Identifier<'_, Digest>) -> Result<Option<Arc<EngineBlock>>, Never> {
        let found = self.backing.or_stop(self.backing.store.block(block_key(id))).await;
        Ok(found.map(|block| Arc::new(EngineBlock::new(block))))
    }

    /// Which bodies go, and when, is the node's own rule: nothing is deleted here.
    async fn prune(self, _: EngineHeight) -> Result<Self, Never> {
        Ok(self)
    }

    fn missing_items(&self, start: EngineHeight, count_max: usize) -> Vec<EngineHeight> {
        self.held.missing(start.get(), count_max).into_iter().map(EngineHeight::new).collect()
    }

    fn next_gap(&self, height: EngineHeight) -> (Option<EngineHeight>, Option<EngineHeight>) {
        let (end, next) = self.held.next_gap(height.get());
        (end.map(EngineHeight::new), next.map(EngineHeight::new))
    }

    fn last_index(&self) -> Option<EngineHeight> {
        self.held.last().map(EngineHeight::new)
    }
}

/// Finality votes, as the engine wants them.
pub(crate) struct VoteShelf<E> {
    backing: Backing<E>,
    seats: Seats,
    held: Ranges,
}

impl<E: Runtime> VoteShelf<E> {
    pub(crate) fn open(
        context: E,
        store: Arc<dyn BlockStore>,
        fault: Fault,
        seats: Seats,
    ) -> Result<Self, StoreError> {
        let held = load(store.votes_ranges()?);
        Ok(Self { backing: Backing { context, store, fault }, seats, held })
    }
}

impl<E: Runtime> Certificates for VoteShelf<E> {
    type BlockDigest = Digest;
    type Commitment = Digest;
    type Scheme = Scheme;
    type Error = Never;

    async fn put(
        mut self,
        height: EngineHeight,
        digest: Digest,
        certified: &Certified,
    ) -> Result<Self, Never> {
        let height = Height(height.get());
        let votes = FinalityVotes::of(certified)
            .ok_or_else(|| StoreError::new("put finality votes", "a certificate without its signatures"));
        let put = votes.and_then(|votes| self.backing.store.put_votes(height, hash_of(&digest), &votes));
        self.backing.or_stop(put).await;
        self.held.insert(height.0, height.0);
        Ok(self)
    }

    async fn sync(self) -> Result<Self, Never> {
        let synced = self.backing.start_sync().await;
        if synced.is_err() {
            futures::future::pending::<()>().await;
        }
        Ok(self)
    }

    async fn start_sync(self) -> Result<(Self, Handle<()>), Never> {
        let handle = self.backing.start_sync();
        Ok((self, handle))
    }

    async fn get(&self, id: Identifier<'_, Digest>) -> Result<Option<Certified>, Never> {
        let found = self.backing.or_stop(self.backing.store.votes(block_key(id))).await;
        Ok(found.and_then(|(hash, votes)| {
            let seat = self.seats.seat(Epoch::new(votes.epoch))?;
            votes.certified(hash, seat.validators)
        }))
    }

    async fn has(&self, height: EngineHeight) -> Result<bool, Never> {
        Ok(self.held.contains(height.get()))
    }

    async fn prune(self, _: EngineHeight) -> Result<Self, Never> {
        Ok(self)
    }

    fn last_index(&self) -> Option<EngineHeight> {
        self.held.last().map(EngineHeight::new)
    }

    fn ranges_from(&self, from: EngineHeight) -> impl Iterator<Item = (EngineHeight, EngineHeight)> {
        self.held.from(from.get()).map(|(first, last)| (EngineHeight::new(first), EngineHeight::new(last)))
    }
}
