//! The heart of a node: the machine over the store, between pool and engine.
//!
//! Synchronous and free of clocks and runtimes: time comes from the caller, so the simulator runs what
//! production runs.
//!
//! ```text
//!   faces ----submit----> [checker] -> [pool] --tick--> gossip to the other nodes
//!   other nodes --receive--> inbox --tick--^   |
//!                                              v
//!   engine: work? build / check / adopt -> pending states (one per undecided block, over their parents')
//!           commit -> the store's newest state -> waiters, announcements, query index
//! ```
mod announce;
mod application;
mod committees;
mod follow;
mod hand_over;
mod held;
mod key;
mod own;
mod pending;
mod relay;

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use bytes::Bytes;
use tabellion_consortium::Genesis;
use tabellion_engine::{Gossip, NodeKey, Peer, Waker};
use tabellion_ledger::{
    Block, FinalityProof, Header, HeaderHash, Height, LedgerId, TimeMs, Transaction, TransactionId,
};
use tabellion_machine::{Checked, GenesisState, Refusal, Ruleset, genesis, submit, would_apply};
use tokio::sync::oneshot;

use crate::checker::Checker;
use crate::error::NodeError;
use crate::pool::{Pool, PoolFull, PoolLimits};
use crate::store::{Change, Snapshot, Store};

pub use self::announce::{Announcer, Block as AnnouncedBlock};
pub(crate) use self::follow::FinalBlock;
pub use self::key::{NamedKeys, Seeds};
pub use self::relay::{PoolMessage, Rounds};

use self::committees::Committees;
use self::own::Identity;
use self::pending::Pending;

/// Blocks whose checked transactions are kept: an index that keeps up reads nothing from the store.
const RECENT_BLOCKS: usize = 16;
/// Messages of other nodes that wait to be looked at. Beyond it they are dropped; their senders send again.
const INBOX_MAX: usize = 1024;

/// The newest state that a quorum's signatures prove.
pub struct Provable {
    /// The signed header; without signatures before the first block.
    pub finality: FinalityProof,
    /// The state after it.
    pub state: Snapshot,
}

/// The newest committed block and the state after it.
#[derive(Clone)]
struct Committed {
    header: Arc<Header>,
    state: Snapshot,
    rules: Arc<Ruleset>,
}

/// Voice and waker of the engine, once it runs.
#[derive(Clone)]
pub struct Voice {
    /// Wakes a waiting leader.
    pub waker: Waker,
    /// Sends to other nodes.
    pub gossip: Gossip,
}

/// Counters for the metrics.
#[derive(Debug, Default)]
pub struct Counters {
    /// Transactions taken from clients.
    pub submitted: AtomicU64,
    /// Transactions refused at submission.
    pub refused: AtomicU64,
    /// Transactions taken from other nodes.
    pub received: AtomicU64,
    /// Messages of other nodes dropped because too many waited.
    pub inbox_dropped: AtomicU64,
    /// Transactions committed.
    pub committed: AtomicU64,
    /// Bodies deleted by a lane's rule.
    pub pruned_bodies: AtomicU64,
    /// Bytes of their transactions.
    pub pruned_bytes: AtomicU64,
    /// Optimisation notices that were not true when they were given.
    pub untrue_notices: AtomicU64,
    /// Answers to a backup node that were not what the signed contents commit to.
    pub untrue_attachments: AtomicU64,
}

/// The heart of a node.
pub struct Core {
    genesis: Arc<Block>,
    document: Genesis,
    document_bytes: Bytes,
    committees: Committees,
    identity: Identity,
    store: Arc<Store>,
    checker: Checker,
    pool: Mutex<Pool>,
    pending: Mutex<Pending>,
    committed: RwLock<Committed>,
    provable: RwLock<Arc<Provable>>,
    /// The newest blocks' transactions as they were checked, for the query index.
    recent: Mutex<VecDeque<(Height, Vec<Arc<Checked>>)>>,
    /// The change of the roster whose record is still to be made.
    open: Mutex<Option<hand_over::Open>>,
    /// States held for nodes that join.
    held: Mutex<held::HeldStates>,
    waiters: Mutex<BTreeMap<TransactionId, Vec<oneshot::Sender<()>>>>,
    announcer: Announcer,
    outbox: Mutex<Vec<Arc<Checked>>>,
    inbox: SyncSender<(NodeKey, Bytes)>,
    inbox_end: Mutex<Receiver<(NodeKey, Bytes)>>,
    voice: OnceLock<Voice>,
    bell: Bell,
    counters: Counters,
    draining: AtomicBool,
}

/// Rings when there is something for [`Core::tick`] to do.
#[derive(Debug, Default)]
pub struct Bell {
    rung: Mutex<bool>,
    sound: std::sync::Condvar,
}

impl Bell {
    /// Rings.
    pub fn ring(&self) {
        *lock(&self.rung) = true;
        self.sound.notify_all();
    }

    /// Waits until it rings, at most for `timeout`; says whether it rang.
    pub fn wait(&self, timeout: std::time::Duration) -> bool {
        let guard = lock(&self.rung);
        let waited = self.sound.wait_timeout_while(guard, timeout, |rung| !*rung);
        let (mut guard, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *guard)
    }
}

/// Why a transaction is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotTaken {
    /// It is refused.
    Refused(Refusal),
    /// The pool is full.
    Full(PoolFull),
    /// The node is being taken out of service.
    Draining,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Core {
    /// Opens a node's core over its store: writes the genesis state into an empty store, replays blocks above
    /// the last checkpoint, fills the pool from its journal.
    ///
    /// Errors: parameters that this program cannot follow; a store that cannot be read or belongs to another
    /// ledger.
    pub fn open(
        document: Genesis,
        seeds: impl Into<Seeds>,
        followers: Vec<Peer>,
        store: Arc<Store>,
        limits: PoolLimits,
    ) -> Result<Self, NodeError> {
        let GenesisState { block, writes, .. } = genesis(&document).map_err(NodeError::Rules)?;
        let genesis = Arc::new(block);
        if store.applied_height().is_none() {
            let change = Change { writes, ..Change::default() };
            let first = store.tip().extend(&change).map_err(NodeError::Store)?;
            store.put_block(genesis.digest(), &genesis);
            store.sync().map_err(NodeError::Store)?;
            store.commit(&first).map_err(NodeError::Store)?;
        }
        let (inbox, inbox_end) = sync_channel(INBOX_MAX);
        let height = store.applied_height().unwrap_or_default();
        let header = store.header(height).map_err(NodeError::Store)?.ok_or(NodeError::NoHeader { height })?;
        let state = store.tip();
        let rules = Arc::new(Ruleset::of(document.ledger_id(), &state).map_err(NodeError::Rules)?);
        let committed = Committed { header: Arc::new(header), state, rules };
        let provable = unsigned(&committed);
        let seeds = seeds.into();
        let mut core = Self {
            document_bytes: Bytes::from(tabellion_ledger::cbor::to_bytes(&document)),
            committees: Committees::new(followers),
            identity: Identity::new(seeds.present),
            genesis,
            document,
            checker: Checker::new(),
            pool: Mutex::new(Pool::new(limits)),
            pending: Mutex::new(Pending::default()),
            committed: RwLock::new(committed),
            provable: RwLock::new(Arc::new(provable)),
            recent: Mutex::new(VecDeque::new()),
            open: Mutex::new(None),
            held: Mutex::default(),
            waiters: Mutex::new(BTreeMap::new()),
            announcer: Announcer::default(),
            outbox: Mutex::new(Vec::new()),
            inbox,
            inbox_end: Mutex::new(inbox_end),
            voice: OnceLock::new(),
            bell: Bell::default(),
            counters: Counters::default(),
            draining: AtomicBool::new(false),
            store,
        };
        core.prove_tip()?;
        core.replay()?;
        core.choose_key(&seeds);
        core.seat_committees()?;
        core.reopen_hand_over()?;
        core.refill_pool()?;
        core.hold_state(core.newest().time);
        if core.is_backup() {
            core.store.keep_carried();
        }
        Ok(core)
    }

    /// Applies the blocks above the last checkpoint with the function that applies new ones.
    fn replay(&self) -> Result<(), NodeError> {
        for block in self.store.blocks_above_checkpoint() {
            let block = block.map_err(NodeError::Store)?;
            let height = block.header.height;
            if height <= self.committed().header.height {
                continue;
            }
            let proof = self.store.finality_proof(height).map_err(NodeError::Store)?;
            self.commit_block(block, proof)?;
        }
        Ok(())
    }

    /// Finds the signatures under the newest committed block.
    fn prove_tip(&self) -> Result<(), NodeError> {
        let committed = self.committed();
        let proof = self.store.finality_proof(committed.header.height).map_err(NodeError::Store)?;
        if let Some(finality) = proof {
            self.set_provable(Provable { finality, state: committed.state });
        }
        Ok(())
    }

    /// Takes the pool's journal back: what waited before a restart waits again.
    fn refill_pool(&self) -> Result<(), NodeError> {
        let Committed { state, rules, .. } = self.committed();
        for (id, bytes) in self.store.pool_rows().map_err(NodeError::Store)? {
            let checked = submit(&bytes, &self.ledger())
                .and_then(|transaction| self.checker.check(transaction, &rules, &state));
            match checked {
                Ok(checked) => {
                    let arrived = self.committed().header.time;
                    if lock(&self.pool).admit(checked, arrived, true).is_err() {
                        self.store.pool_forget(id);
                    }
                }
                Err(_) => self.store.pool_forget(id),
            }
        }
        Ok(())
    }

    /// Gives the core the engine's voice. Only the first call counts.
    pub fn give_voice(&self, voice: Voice) {
        let _ = self.voice.set(voice);
    }

    /// The ledger.
    pub fn ledger(&self) -> LedgerId {
        self.genesis.header.ledger
    }

    /// The genesis document.
    pub fn document(&self) -> &Genesis {
        &self.document
    }

    /// The genesis document's bytes.
    pub fn document_bytes(&self) -> &Bytes {
        &self.document_bytes
    }

    /// The rules of the next block.
    pub fn rules(&self) -> Arc<Ruleset> {
        self.committed().rules
    }

    /// The store.
    pub fn store(&self) -> &Arc<Store> {
        &self.store
    }

    /// What happens, for those who watch.
    pub fn announcer(&self) -> &Announcer {
        &self.announcer
    }

    /// Counters for the metrics.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Rings when there is something for [`Core::tick`] to do.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }

    /// The newest committed header.
    pub fn newest(&self) -> Arc<Header> {
        self.committed().header
    }

    /// The newest state with a proof.
    pub fn provable(&self) -> Arc<Provable> {
        self.provable.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Transactions in the pool.
    pub fn pool_len(&self) -> usize {
        lock(&self.pool).len()
    }

    /// Transactions in the pool that this node took from its clients, and so answers for passing them on.
    pub fn pool_own(&self) -> usize {
        lock(&self.pool).own()
    }

    /// Takes no more transactions from clients from now on; those of other nodes go on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Whether the node takes no more transactions from clients.
    pub fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Ends all streams of announcements: the node stops.
    pub(crate) fn end_streams(&self) {
        self.announcer.close();
    }

    fn set_provable(&self, provable: Provable) {
        *self.provable.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(provable);
    }

    fn committed(&self) -> Committed {
        self.committed.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes a client's transaction: checks it, puts it into the pool, has it passed on (X.1409 L5, L6).
    ///
    /// Blocks for as long as path validation takes. Refuses what the next block would refuse.
    pub fn submit(&self, transaction: Transaction, now: TimeMs) -> Result<TransactionId, NotTaken> {
        if self.is_draining() {
            return Err(NotTaken::Draining);
        }
        let id = transaction.id();
        let outcome = self.take(transaction, now, true);
        match &outcome {
            Ok(_) => self.counters.submitted.fetch_add(1, Ordering::Relaxed),
            Err(_) => self.counters.refused.fetch_add(1, Ordering::Relaxed),
        };
        outcome.map(|_| id)
    }

    /// Checks a transaction and puts it into the pool; `true` where it is new there.
    fn take(&self, transaction: Transaction, now: TimeMs, own: bool) -> Result<bool, NotTaken> {
        match self.examine(transaction, now, own)? {
            Some(checked) => self.admit(checked, now, own),
            None => Ok(false),
        }
    }

    /// Checks a transaction; `None` where the pool has it already.
    fn examine(
        &self,
        transaction: Transaction,
        now: TimeMs,
        own: bool,
    ) -> Result<Option<Arc<Checked>>, NotTaken> {
        let Committed { header, state, rules } = self.committed();
        {
            let pool = lock(&self.pool);
            if pool.get(&transaction.id()).is_some() {
                return Ok(None);
            }
            pool.room_for(&transaction.submitter()).map_err(NotTaken::Full)?;
        }
        let checked = self.checker.check(transaction, &rules, &state).map_err(NotTaken::Refused)?;
        // Another node has asked this for its client; what changed since, the next leader finds.
        if own {
            would_apply(&checked, &header, now, &rules, &state).map_err(NotTaken::Refused)?;
        }
        Ok(Some(checked))
    }

    /// Puts a checked transaction into the pool; `true` where it is new there.
    fn admit(&self, checked: Arc<Checked>, now: TimeMs, own: bool) -> Result<bool, NotTaken> {
        if !lock(&self.pool).admit(checked.clone(), now, own).map_err(NotTaken::Full)? {
            return Ok(false);
        }
        if own {
            self.store.pool_keep(checked.id(), checked.transaction().as_bytes());
            lock(&self.outbox).push(checked);
            self.bell.ring();
        }
        self.wake();
        Ok(true)
    }

    fn wake(&self) {
        if let Some(voice) = self.voice.get() {
            voice.waker.wake();
        }
    }

    /// The transactions of one of the newest blocks, in their order, as they were checked.
    pub fn recent(&self, height: Height) -> Option<Vec<Arc<Checked>>> {
        let recent = lock(&self.recent);
        recent.iter().find(|(other, _)| *other == height).map(|(_, checked)| checked.clone())
    }

    /// Where a transaction that is not recorded stands: waiting, or refused and why.
    pub fn waiting(&self, id: &TransactionId) -> Option<Result<(), Refusal>> {
        let pool = lock(&self.pool);
        match pool.get(id) {
            Some(_) => Some(Ok(())),
            None => pool.refusal(id).cloned().map(Err),
        }
    }

    /// Resolves when the transaction is decided: recorded and provable here, or refused.
    pub fn decided(&self, id: TransactionId) -> oneshot::Receiver<()> {
        let (told, decided) = oneshot::channel();
        lock(&self.waiters).entry(id).or_default().push(told);
        decided
    }

    /// Forgets waiters that gave up.
    fn sweep_waiters(&self) {
        lock(&self.waiters).retain(|_, waiters| {
            waiters.retain(|waiter| !waiter.is_closed());
            !waiters.is_empty()
        });
    }

    fn tell_waiters<'a>(&self, ids: impl IntoIterator<Item = &'a TransactionId>) {
        let mut waiters = lock(&self.waiters);
        for waiter in ids.into_iter().filter_map(|id| waiters.remove(id)).flatten() {
            // A waiter that is gone needs no answer.
            let _ = waiter.send(());
        }
    }

    fn refuse(&self, id: TransactionId, refusal: Refusal) {
        lock(&self.pool).refuse(id, refusal);
        self.store.pool_forget(id);
        self.tell_waiters([&id]);
    }

    /// The digest of the newest committed block.
    pub fn newest_digest(&self) -> HeaderHash {
        self.committed().header.hash()
    }
}

/// A state without signatures: before the first block, and after a restart until the next proof.
fn unsigned(committed: &Committed) -> Provable {
    let header = (*committed.header).clone();
    let finality = FinalityProof { header, epoch: 0, view: 0, parent_view: 0, signatures: Vec::new() };
    Provable { finality, state: committed.state.clone() }
}
