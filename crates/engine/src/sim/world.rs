//! A world in one thread: same seed, same run.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::simulated::{self, Control, Network, Oracle, Receiver};
use commonware_runtime::deterministic::{Config as RuntimeConfig, Context, Runner};
use commonware_runtime::{
    Blob, Clock, Handle, ReadOptions, Runner as _, Spawner, Storage, Supervisor, WriteOptions,
};
use commonware_utils::channel::oneshot;
use commonware_utils::sync::Mutex;
use commonware_utils::{NZUsize, Probability};
use futures::FutureExt;
use tabellion_ledger::{LedgerId, TimeMs};

use crate::application::Application;
use crate::committee::NodeKey;
use crate::config::NodeConfig;
use crate::fault::EngineError;
use crate::node::{Controls, Ends, Wire, Wires, message_bytes_max, run};
use crate::runtime::{moment, now};
use crate::scheme::{key_of, node_key, public_key};
use crate::sim::disk::{Disk, Journals};
use crate::sim::tap::{Presence, Reach, Tap, TapSender, hears};
use crate::store::BlockStore;
use crate::watched::Watched;

/// Settings of a simulated world.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Decides everything that is left to chance: order of tasks, delays, losses.
    pub seed: u64,
    /// The world's time at its beginning.
    pub start: TimeMs,
    /// Simulated time after which the run panics; it hangs.
    pub patience: Duration,
    /// Nodes in one committee at most, followers included.
    pub peers_max: usize,
    /// Bytes of a message between nodes at most.
    pub message_bytes_max: u32,
}

impl Simulation {
    /// A world of this seed that begins at 2026-01-01, lasts a day at most and has room for 64 nodes of usual
    /// limits.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            start: TimeMs(1_767_225_600_000),
            patience: Duration::from_secs(86_400),
            peers_max: 64,
            message_bytes_max: message_bytes_max(&NodeConfig::new([0; 32], LedgerId::default())),
        }
    }

    /// Runs a scenario to its end.
    pub fn run<T, F: Future<Output = T>>(self, scenario: impl FnOnce(World) -> F) -> T {
        let runtime = RuntimeConfig::new()
            .with_seed(self.seed)
            .with_start_time(moment(self.start))
            .with_timeout(Some(self.patience));
        Runner::new(runtime).start(|context| async move {
            let config = simulated::Config {
                max_size: self.message_bytes_max,
                max_peers_per_set: NZUsize!(self.peers_max),
                disconnect_on_block: true,
                tracked_peer_sets: NZUsize!(4),
            };
            let (network, oracle) = Network::new(context.child("network"), config);
            network.start();
            let starts = AtomicU64::default();
            let (links, running, journals) = (Arc::default(), Arc::default(), Journals::default());
            scenario(World { context, oracle, starts, links, running, journals }).await
        })
    }
}

/// How a link behaves, in both directions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Link {
    /// Mean delay.
    pub latency: Duration,
    /// Standard deviation of the delay.
    pub jitter: Duration,
    /// Share of messages that arrive, from 0 to 1.
    pub delivered: f64,
}

/// A simulated world: its clock, its links, its nodes.
pub struct World {
    context: Context,
    oracle: Oracle<PublicKey, Context>,
    starts: AtomicU64,
    links: Arc<Mutex<BTreeSet<(NodeKey, NodeKey)>>>,
    running: Arc<Mutex<BTreeMap<NodeKey, usize>>>,
    journals: Journals,
}

impl World {
    /// The world's time.
    pub fn now(&self) -> TimeMs {
        now(&self.context)
    }

    /// Lets time pass.
    pub async fn sleep(&self, ms: u64) {
        self.context.sleep(Duration::from_millis(ms)).await;
    }

    /// A hash over all that has happened, to compare runs.
    pub fn audit(&self) -> String {
        self.context.auditor().state()
    }

    /// Links two nodes, or changes their link.
    ///
    /// Panics when a key is none or `delivered` is no share.
    pub async fn link(&self, a: NodeKey, b: NodeKey, link: Link) {
        self.cut(a, b).await;
        let Link { latency, jitter, delivered } = link;
        let success_rate = Probability::from_f64(delivered).expect("a share from 0 to 1");
        for (from, to) in [(a, b), (b, a)] {
            self.links.lock().insert((from, to));
            let link = simulated::Link { latency, jitter, success_rate };
            self.oracle
                .add_link(engine_key(from), engine_key(to), link)
                .await
                .expect("two nodes and no link yet");
        }
    }

    /// Cuts the link between two nodes, if there is one.
    pub async fn cut(&self, a: NodeKey, b: NodeKey) {
        for (from, to) in [(a, b), (b, a)] {
            self.links.lock().remove(&(from, to));
            // There may be no link.
            let _ = self.oracle.remove_link(engine_key(from), engine_key(to)).await;
        }
    }

    /// Starts an honest node on a quick disk. Give every node a [`NodeConfig::journal_prefix`] of its own,
    /// and the same one when it restarts.
    ///
    /// `application` receives the node's controls before the node runs.
    pub async fn start<A: Application>(
        &self,
        config: NodeConfig,
        application: impl FnOnce(Controls) -> Arc<A> + 'static,
        store: Arc<dyn BlockStore>,
    ) -> SimulatedNode {
        self.install(Installation::new(config, application, store)).await
    }

    /// Starts a node as it was installed.
    pub async fn install(&self, node: Installation) -> SimulatedNode {
        let control = self.control(&node);
        let mut plugs = Vec::new();
        for wire in Wire::ALL {
            plugs.push(register(&control, wire).await);
        }
        self.launch(node, control, plugs)
    }

    /// Starts two nodes of one key: what each of them signs, one validator signs. Each twin talks to the
    /// peers of its tap, and hears them alone. Give each a journal of its own, and crash both before they
    /// start again.
    ///
    /// Panics when a twin has no tap.
    pub async fn install_twins(&self, twins: [Installation; 2]) -> [SimulatedNode; 2] {
        let control = self.control(&twins[0]);
        let taps = twins.each_ref().map(|twin| twin.tap.clone().expect("a twin has a tap"));
        let mut plugs = [Vec::new(), Vec::new()];
        for wire in Wire::ALL {
            let (sender, receiver) = register(&control, wire).await;
            let (one, other) = receiver.split_with(self.context.child("twins"), hears(taps.clone()));
            plugs[0].push((sender.clone(), one));
            plugs[1].push((sender, other));
        }
        let ([one, other], [of_one, of_other]) = (twins, plugs);
        [self.launch(one, control.clone(), of_one), self.launch(other, control, of_other)]
    }

    fn control(&self, node: &Installation) -> Control<PublicKey, Context> {
        self.oracle.control(engine_key(node_key(&node.config.seed)))
    }

    /// Not generic, so that the engine is compiled once, here.
    fn launch(
        &self,
        node: Installation,
        control: Control<PublicKey, Context>,
        plugs: Vec<Plug>,
    ) -> SimulatedNode {
        let Installation { config, application, store, mut disk, tap } = node;
        disk.journals = self.journals.clone();
        let (links, running) = (self.links.clone(), self.running.clone());
        let reach = Reach { me: node_key(&config.seed), links, running };
        let (controls, ends) = Ends::new(&config);
        let application = application(controls.clone());
        let tapped = Wire::ALL.into_iter().zip(plugs);
        let tapped = tapped.map(|(wire, (sender, receiver))| {
            (TapSender::new(sender, wire, tap.clone(), reach.clone()), receiver)
        });
        let Ok([votes, certificates, requests, backfill, blocks, pool]) =
            <[_; 6]>::try_from(tapped.collect::<Vec<_>>())
        else {
            panic!("a plug for each wire");
        };
        let wires = Wires { votes, certificates, requests, backfill, blocks, pool };
        let (stop, stopped) = oneshot::channel();
        // Each start is a place of its own in the metrics.
        let start = self.starts.fetch_add(1, Relaxed);
        let context = self.context.child("node").with_attribute("start", start);
        let context = Watched::new(context, disk);
        let network = (wires, self.oracle.socket_manager(), control);
        let task =
            context.spawn(move |context| run(context, config, application, store, ends, network, stopped));
        SimulatedNode { controls, task, stop, _presence: Presence::new(reach) }
    }

    /// Copies all journals of one prefix to another one: what a backup of a node's disk holds. The node must
    /// not run.
    pub async fn copy_journals(&self, from: &str, to: &str) {
        let names: Vec<String> = self.journals.lock().iter().cloned().collect();
        for (name, rest) in names.iter().filter_map(|name| Some((name, name.strip_prefix(from)?))) {
            let copy = format!("{to}{rest}");
            // A copy is made anew.
            let _ = self.context.remove(&copy, None).await;
            for blob in self.context.scan(name).await.unwrap_or_default() {
                let (source, length) = self.context.open(name, &blob).await.expect("a journal of a node");
                let length = usize::try_from(length).expect("a small file");
                let bytes = source.read_at(0, length, ReadOptions::default()).await.expect("a readable file");
                let (target, _) = self.context.open(&copy, &blob).await.expect("a new file");
                target.write_at(0, bytes.coalesce(), WriteOptions::default()).await.expect("a writable file");
                target.sync().await.expect("a working disk");
            }
            self.journals.lock().insert(copy);
        }
    }

    /// Ends all blocks between nodes. In production they end by themselves, after a minute.
    pub async fn forgive(&self) {
        for (blocker, blocked) in self.oracle.blocked().await.expect("the simulated network runs") {
            self.oracle.unblock(blocker, blocked).await.expect("the simulated network runs");
        }
    }

    /// Who talks no more to whom, since it sent what no honest node sends.
    pub async fn blocked(&self) -> Vec<(NodeKey, NodeKey)> {
        let blocked = self.oracle.blocked().await.expect("the simulated network runs");
        blocked.iter().map(|(blocker, blocked)| (key_of(blocker), key_of(blocked))).collect()
    }
}

/// The two ends of a channel.
type Plug = (simulated::Sender<PublicKey, Context>, Receiver<PublicKey>);

async fn register(control: &Control<PublicKey, Context>, wire: Wire) -> Plug {
    control.register(wire.number(), wire.quota()).await.expect("the simulated network runs")
}

/// Makes the application once the controls of its node are there.
type Connect = Box<dyn FnOnce(Controls) -> Arc<dyn Application>>;

/// A node before it starts: what production would find on its machine.
pub struct Installation {
    config: NodeConfig,
    application: Connect,
    store: Arc<dyn BlockStore>,
    disk: Disk,
    tap: Option<Arc<dyn Tap>>,
}

impl Installation {
    /// An honest node on a quick disk.
    pub fn new<A: Application>(
        config: NodeConfig,
        application: impl FnOnce(Controls) -> Arc<A> + 'static,
        store: Arc<dyn BlockStore>,
    ) -> Self {
        let application: Connect = Box::new(|controls| application(controls));
        Self { config, application, store, disk: Disk::default(), tap: None }
    }

    /// The node on this disk.
    pub fn on(self, disk: Disk) -> Self {
        Self { disk, ..self }
    }

    /// The node with a hand on its wires.
    pub fn tapped(self, tap: Arc<dyn Tap>) -> Self {
        Self { tap: Some(tap), ..self }
    }
}

fn engine_key(key: NodeKey) -> PublicKey {
    public_key(&key).expect("a node's key")
}

/// A node in a simulated world.
pub struct SimulatedNode {
    /// What other threads would hold of it.
    pub controls: Controls,
    task: Handle<Result<(), EngineError>>,
    stop: oneshot::Sender<()>,
    _presence: Presence,
}

impl SimulatedNode {
    /// Kills the node in the middle of what it does. What its store had not made durable is the store's to
    /// forget.
    pub async fn crash(self) {
        self.task.abort();
        // Resolves when all of the node's tasks are gone, so that its journals can be opened again.
        let _ = self.task.await;
    }

    /// Stops the node in order.
    pub async fn stop(self) -> Result<(), EngineError> {
        let _ = self.stop.send(());
        ended(self.task).await
    }

    /// How the node ended, if it did so by itself.
    pub fn has_ended(&mut self) -> Option<Result<(), EngineError>> {
        let ended = (&mut self.task).now_or_never()?;
        Some(ended.unwrap_or_else(|err| Err(EngineError::Panicked(err.to_string()))))
    }

    /// Waits until the node ends by itself.
    pub async fn ended(self) -> Result<(), EngineError> {
        let Self { task, stop, .. } = self;
        let result = ended(task).await;
        drop(stop);
        result
    }
}

async fn ended(task: Handle<Result<(), EngineError>>) -> Result<(), EngineError> {
    task.await.unwrap_or_else(|err| Err(EngineError::Panicked(err.to_string())))
}
