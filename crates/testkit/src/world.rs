//! Whole nodes on a simulated network.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tabellion_consortium::Action;
use tabellion_engine::sim::{Disk, Installation, Link, SimulatedNode, World};
use tabellion_engine::{NodeConfig, NodeKey, Voting, node_key};
use tabellion_ledger::{Height, TransactionId};
use tabellion_node::PoolLimits;
use tabellion_node::core::{Core, Rounds, Voice};
use tabellion_node::store::{Store, StoreConfig};
use tempfile::TempDir;

use crate::byzantine::{Byzantine, Strategy};
use crate::chance::Chance;
use crate::ledger::{TestLedger, node_seed};
use crate::refill::refill;
use crate::shell::{Evidence, Shell};

/// How often nodes do what is due. Unit: ms.
const TICK_MS: u64 = 50;
/// Transactions that a liar has for itself.
const SUPPLY: usize = 4;

/// A copy of a node's disk.
struct Backup {
    index: usize,
    folder: TempDir,
    prefix: String,
}

/// How long a crashed node's files take to be closed. Unit: ms.
const CLOSING_MS: u64 = 50;

/// A node that runs.
struct Running {
    core: Arc<Core>,
    rounds: Rounds,
    engine: SimulatedNode,
}

/// Nodes, running or crashed, with their folders. One of them at most lies.
pub struct Nodes {
    /// The simulated world.
    pub world: World,
    /// The ledger.
    pub ledger: TestLedger,
    /// The liar.
    pub byzantine: Byzantine,
    /// Equivocations that honest nodes were told of.
    pub evidence: Evidence,
    /// Transactions that an honest node has acknowledged: recorded and durable there.
    pub acknowledged: BTreeMap<TransactionId, Height>,
    /// Blocks that honest nodes voted down.
    pub voted_down: u64,
    folders: Vec<TempDir>,
    disks: Vec<Disk>,
    /// Before the names of a node's journals, and what tells its disk from a copy.
    journals: Vec<(String, Vec<u8>)>,
    /// A copy of an honest node's disk.
    backup: Option<Backup>,
    /// A node that came back without its memory, and has not been seen to vote since.
    forgetful: Option<usize>,
    running: Vec<Option<Running>>,
    /// The liar's second node, if it is twins. Its folder is the last one.
    twin: Option<Running>,
    submitted: Vec<(usize, TransactionId)>,
}

fn copy_folder(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("a node's folder") {
        let entry = entry.expect("a node's file");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a node's file").is_dir() {
            fs::create_dir(&target).expect("a folder can be made");
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file can be copied");
        }
    }
}

fn key(index: usize) -> NodeKey {
    node_key(&node_seed(index))
}

/// Small caches: a plan has many stores.
fn store_config() -> StoreConfig {
    StoreConfig {
        page_cache_bytes: 1 << 20,
        state_cache_bytes: 1 << 20,
        chain_cache_bytes: 1 << 20,
        ..StoreConfig::default()
    }
}

/// A disk on which everything takes up to some time, and now and then much longer.
fn slow_disk(chance: &mut Chance) -> Disk {
    let most = [10, 50, 150][chance.place(3)];
    let chance = Mutex::new(chance.fork());
    Disk::slow(move || {
        let mut chance = chance.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = if chance.once_in(200) { 2_000 } else { chance.below(most) };
        Duration::from_millis(ms)
    })
}

impl Nodes {
    /// Starts as many nodes, linked each with each: one lies as `strategy` says, `slow` have slow disks.
    pub async fn start(
        world: World,
        count: usize,
        strategy: Strategy,
        slow: usize,
        chance: &mut Chance,
    ) -> Self {
        let mut ledger = TestLedger::new(count, world.now());
        let liar = chance.place(count);
        let peers = (0..count).filter(|index| *index != liar).map(key).collect();
        let supply = (0..SUPPLY).map(|_| ledger.publish(world.now())).collect();
        let byzantine = Byzantine::new(liar, strategy, peers, supply, chance);
        let mut disks = vec![Disk::default(); count];
        for _ in 0..slow {
            disks[chance.place(count)] = slow_disk(chance);
        }
        let folders = (0..=count).map(|_| tempfile::tempdir().expect("a folder can be made")).collect();
        let mut nodes = Self {
            world,
            ledger,
            byzantine,
            evidence: Evidence::default(),
            acknowledged: BTreeMap::new(),
            voted_down: 0,
            folders,
            disks,
            journals: (0..=count).map(|folder| (format!("node-{folder}-"), Vec::new())).collect(),
            backup: None,
            forgetful: None,
            running: (0..count).map(|_| None).collect(),
            twin: None,
            submitted: Vec::new(),
        };
        for index in 0..count {
            nodes.start_node(index).await;
        }
        nodes.link_all(1.0).await;
        nodes
    }

    /// Number of nodes.
    pub fn count(&self) -> usize {
        self.running.len()
    }

    /// Nodes that run.
    pub fn running(&self) -> Vec<usize> {
        (0..self.count()).filter(|index| self.running[*index].is_some()).collect()
    }

    /// Nodes that do not lie.
    pub fn honest(&self) -> Vec<usize> {
        (0..self.count()).filter(|index| self.is_honest(*index)).collect()
    }

    /// Whether a node does not lie.
    pub fn is_honest(&self, index: usize) -> bool {
        self.byzantine.strategy == Strategy::Honest || self.byzantine.index != index
    }

    /// The core of an honest node, if it runs.
    pub fn core(&self, index: usize) -> Option<&Arc<Core>> {
        self.running[index].as_ref().filter(|_| self.is_honest(index)).map(|running| &running.core)
    }

    /// The key of a node.
    pub fn key(&self, index: usize) -> NodeKey {
        key(index)
    }

    /// Links all nodes; `delivered` is the share of messages that arrive.
    pub async fn link_all(&self, delivered: f64) {
        for (a, b) in self.pairs() {
            let (latency, jitter) = (Duration::from_millis(10), Duration::from_millis(3));
            self.world.link(key(a), key(b), Link { latency, jitter, delivered }).await;
        }
    }

    /// Cuts the nodes below `border` off from the others.
    pub async fn partition(&self, border: usize) {
        for (a, b) in self.pairs().filter(|(a, b)| *a < border && *b >= border) {
            self.world.cut(key(a), key(b)).await;
        }
    }

    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let count = self.count();
        (0..count).flat_map(move |a| (a + 1..count).map(move |b| (a, b)))
    }

    /// Starts a node over its folder, as it is.
    pub async fn start_node(&mut self, index: usize) {
        if self.running[index].is_some() {
            return;
        }
        let (core, mut node) = self.install(index, index);
        if self.is_honest(index) {
            let engine = self.world.install(node).await;
            self.running[index] = Some(Running { core, rounds: Rounds::default(), engine });
            return;
        }
        if let Some(tap) = self.byzantine.tap(0) {
            node = node.tapped(tap);
        }
        let Some(tap) = self.byzantine.tap(1) else {
            let engine = self.world.install(node).await;
            self.running[index] = Some(Running { core, rounds: Rounds::default(), engine });
            return;
        };
        let (second_core, second) = self.install(index, self.count());
        let [engine, second] = self.world.install_twins([node, second.tapped(tap)]).await;
        self.running[index] = Some(Running { core, rounds: Rounds::default(), engine });
        self.twin = Some(Running { core: second_core, rounds: Rounds::default(), engine: second });
    }

    /// The core over a folder, and the node around it.
    fn install(&self, index: usize, folder: usize) -> (Arc<Core>, Installation) {
        let id = self.ledger.id();
        let store =
            Store::open(self.folders[folder].path(), id, store_config()).expect("the store opens again");
        let store = Arc::new(store);
        let genesis = self.ledger.genesis.clone();
        let epoch_blocks = genesis.parameters.block.epoch_blocks;
        let core = Core::open(genesis, node_seed(index), Vec::new(), store.clone(), PoolLimits::default())
            .expect("the core opens again");
        let core = Arc::new(core);
        let mut node = NodeConfig::new(node_seed(index), id);
        node.epoch_blocks = NonZeroU64::new(epoch_blocks).expect("an epoch has blocks");
        node.floor = store.floor().expect("the store reads");
        (node.journal_prefix, node.disk) = self.journals[folder].clone();
        let shell = match self.is_honest(index) {
            true => Shell::honest(core.clone(), self.evidence.clone()),
            false => Shell::dishonest(core.clone(), self.byzantine.spoiler.clone()),
        };
        let speaker = core.clone();
        let connect = move |controls: tabellion_engine::Controls| {
            speaker.give_voice(Voice { waker: controls.waker, gossip: controls.gossip });
            Arc::new(shell)
        };
        (core, Installation::new(node, connect, store).on(self.disks[index].clone()))
    }

    /// Kills a node in the middle of what it does.
    pub async fn crash_node(&mut self, index: usize) {
        self.count_votes(index);
        if let Some(Running { engine, .. }) = self.running[index].take() {
            engine.crash().await;
        }
        if !self.is_honest(index)
            && let Some(Running { engine, .. }) = self.twin.take()
        {
            engine.crash().await;
        }
    }

    /// Copies the disk of an honest node, which restarts for it. A later copy takes the place of the one
    /// before.
    pub async fn back_up(&mut self, index: usize) {
        self.crash_node(index).await;
        self.world.sleep(CLOSING_MS).await;
        let prefix = format!("copy-{}-{index}-", self.world.now().0);
        self.world.copy_journals(&self.journals[index].0, &prefix).await;
        let folder = tempfile::tempdir().expect("a folder can be made");
        copy_folder(self.folders[index].path(), folder.path());
        self.backup = Some(Backup { index, folder, prefix });
        self.start_node(index).await;
    }

    /// Has the node of the copy run on the copy, which the file system tells from what it was, or not.
    /// Whether there was one.
    pub async fn restore(&mut self, chance: &mut Chance) -> bool {
        let Some(Backup { index, folder, prefix }) = self.backup.take() else { return false };
        self.crash_node(index).await;
        self.world.sleep(CLOSING_MS).await;
        let identity = if chance.once_in(2) { Vec::new() } else { prefix.clone().into_bytes() };
        self.folders[index] = folder;
        self.journals[index] = (prefix, identity);
        self.forgetful = Some(index);
        self.start_node(index).await;
        true
    }

    /// Has an honest node lose its disk, all of it, and go on from the state that another one holds. Whether
    /// one held a state.
    pub async fn lose(&mut self, index: usize, chance: &mut Chance) -> bool {
        self.crash_node(index).await;
        self.world.sleep(CLOSING_MS).await;
        let now = self.world.now();
        let folder = tempfile::tempdir().expect("a folder can be made");
        let witness = self.witness(chance).and_then(|witness| self.core(witness));
        let lost = witness.is_some_and(|source| refill(folder.path(), source, &store_config(), now));
        if lost {
            let prefix = format!("new-{}-{index}-", now.0);
            self.journals[index] = (prefix.clone(), prefix.into_bytes());
            self.folders[index] = folder;
            self.forgetful = Some(index);
        }
        self.start_node(index).await;
        lost
    }

    /// Height and voting of each node that runs, for whoever looks into a plan that failed.
    pub fn standing(&self) -> Vec<(usize, Height, Voting)> {
        let of = |(index, running): (usize, &Option<Running>)| {
            let Running { core, engine, .. } = running.as_ref()?;
            Some((index, core.newest().height, engine.controls.status.view().voting))
        };
        self.running.iter().enumerate().filter_map(of).collect()
    }

    /// Whether a node that forgot its votes has not got over it: it votes when the others have moved on.
    pub fn has_forgetful(&mut self) -> bool {
        let Some(running) = self.forgetful.map(|index| self.running[index].as_ref()) else { return false };
        let voting = running.map(|running| running.engine.controls.status.view().voting);
        if voting == Some(Voting::Votes) {
            self.forgetful = None;
        }
        self.forgetful.is_some()
    }

    /// An honest node that runs.
    pub fn witness(&self, chance: &mut Chance) -> Option<usize> {
        let running: Vec<_> = self.running().into_iter().filter(|index| self.is_honest(*index)).collect();
        (!running.is_empty()).then(|| running[chance.place(running.len())])
    }

    /// Gives what a member does to a node; a refusal is none of our business.
    pub fn act(&mut self, index: usize, member: usize, action: &Action) {
        let now = self.world.now();
        let transaction = self.ledger.act(member, action, now);
        let Some(core) = self.core(index) else { return };
        if let Ok(id) = core.submit(transaction, now) {
            self.submitted.push((index, id));
        }
    }

    /// Adds what a node voted down since its start.
    pub fn count_votes(&mut self, index: usize) {
        if self.is_honest(index)
            && let Some(running) = &self.running[index]
        {
            self.voted_down += running.engine.controls.status.view().voted_down;
        }
    }

    /// Ends that no honest node may come to: by an error, or for no reason.
    pub fn ends(&mut self) -> Vec<(usize, String)> {
        let honest = self.honest();
        let nodes = self.running.iter_mut().enumerate().filter(|(index, _)| honest.contains(index));
        nodes
            .filter_map(|(index, node)| {
                let end = node.as_mut()?.engine.has_ended()?;
                Some((index, format!("{end:?}")))
            })
            .collect()
    }

    /// Gives a fresh transaction to a node, if it is honest and runs.
    pub fn submit(&mut self, index: usize) {
        let now = self.world.now();
        let transaction = self.ledger.publish(now);
        let Some(core) = self.core(index) else { return };
        // A node that lags may refuse; then nothing is owed.
        if let Ok(id) = core.submit(transaction, now) {
            self.submitted.push((index, id));
        }
    }

    /// Lets time pass, while all running nodes do what is due.
    pub async fn pass(&mut self, ms: u64) {
        let until = self.world.now().plus(ms);
        while self.world.now() < until {
            self.world.sleep(TICK_MS).await;
            let now = self.world.now();
            for running in self.running.iter_mut().chain([&mut self.twin]).flatten() {
                running.core.tick(&mut running.rounds, now).expect("the store works");
            }
            self.take_acknowledgements();
        }
    }

    /// What the node that took a transaction says is recorded is owed from then on.
    fn take_acknowledgements(&mut self) {
        let recorded = |(index, id): &(usize, TransactionId)| {
            let core = self.core(*index)?;
            let found = core.store().transaction(id).expect("the store reads")?;
            (found.place.height <= core.newest().height).then_some((*id, found.place.height))
        };
        let news: Vec<_> = self.submitted.iter().filter_map(recorded).collect();
        self.acknowledged.extend(news);
        self.submitted.retain(|(_, id)| !self.acknowledged.contains_key(id));
    }
}
