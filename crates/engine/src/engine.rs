//! A node's engine in production: own thread, own workers, TLS.

use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;

use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::authenticated::lookup::{self, Network, Oracle};
use commonware_runtime::tokio::{Config as RuntimeConfig, Context, Runner};
use commonware_runtime::{Metrics, Quota, Runner as _, Supervisor};
use commonware_utils::channel::{oneshot, watch};
use commonware_utils::{NZU32, NZUsize};

use crate::application::Application;
use crate::config::{Config, NodeConfig};
use crate::disk;
use crate::fault::EngineError;
use crate::gossip::Gossip;
use crate::node::{Controls, Ends, Wire, Wires, check, message_bytes_max, run};
use crate::status::EngineStatus;
use crate::store::BlockStore;
use crate::tls::{Credentials, Tls};
use crate::waker::Waker;

/// What separates this ledger's connections from any other use of the node's key.
const NAMESPACE: &[u8] = b"tabellion/node/1";
/// Peer sets kept: the current committee's and the one before, whose members may still fetch.
const PEER_SETS: usize = 2;
/// Threads for synchronous calls: builds, checks and commits of one node do not run in parallel much.
const BLOCKING_THREADS_MAX: usize = 16;

type Prometheus = Arc<OnceLock<Box<dyn Fn() -> String + Send + Sync>>>;

/// Starts engines.
#[derive(Debug)]
pub struct Engine;

impl Engine {
    /// Starts a node's engine on a thread of its own. Several engines can run in one process.
    ///
    /// Errors: a configuration that cannot work, an address that cannot be listened on. What fails later is
    /// told by [`EngineHandle::ended`] and [`EngineHandle::join`].
    pub fn start(
        config: Config,
        application: Arc<dyn Application>,
        store: Arc<dyn BlockStore>,
    ) -> Result<EngineHandle, EngineError> {
        let mut config = config;
        check(&config.node)?;
        if config.peers_max == 0 || config.workers == 0 {
            return Err(EngineError::Config("peers_max and workers are above zero".into()));
        }
        std::fs::create_dir_all(&config.folder)
            .map_err(|err| EngineError::Config(format!("folder {}: {err}", config.folder.display())))?;
        (config.node.disk, config.node.vouched) = disk::identify(&config.folder)
            .map_err(|err| EngineError::Config(format!("folder {}: {err}", config.folder.display())))?;
        // The transport panics when it cannot listen; asking first turns the common cause into an error.
        TcpListener::bind(config.listen)
            .map_err(|source| EngineError::Listen { address: config.listen, source })?;
        let credentials = Credentials::new(&config.node.seed, &config.node.ledger)
            .map_err(|err| EngineError::Config(format!("credentials: {err}")))?;

        let (controls, ends) = Ends::new(&config.node);
        let prometheus = Prometheus::default();
        let (stop, stopped) = oneshot::channel();
        let (ended, end) = watch::channel(false);
        let transport = Tls::new(credentials, controls.status.clone());
        let metrics = prometheus.clone();
        let thread = std::thread::Builder::new()
            .name("engine".into())
            .spawn(move || {
                let result = on_thread(config, application, store, ends, transport, metrics, stopped);
                ended.send_replace(true);
                result
            })
            .map_err(|err| EngineError::Config(format!("thread: {err}")))?;
        Ok(EngineHandle { controls, prometheus, stop: Some(stop), end, thread })
    }
}

fn on_thread(
    config: Config,
    application: Arc<dyn Application>,
    store: Arc<dyn BlockStore>,
    ends: Ends,
    transport: Tls,
    metrics: Prometheus,
    stopped: oneshot::Receiver<()>,
) -> Result<(), EngineError> {
    let (fault, folder) = (ends.fault.clone(), config.folder.clone());
    let runtime = RuntimeConfig::new()
        .with_worker_threads(config.workers)
        .with_max_blocking_threads(BLOCKING_THREADS_MAX)
        .with_tcp_nodelay(Some(true))
        .with_catch_panics(false)
        .with_storage_directory(&config.folder);
    let work = |context: Context| async move {
        let encoder = context.child("metrics");
        let _ = metrics.set(Box::new(move || encoder.encode()));
        let network = network(&context, &config, transport);
        run(context.child("node"), config.node, application, store, ends, network, stopped).await
    };
    let result = catch_unwind(AssertUnwindSafe(|| Runner::new(runtime).start(work)));
    let result = result.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Err(fault.take().unwrap_or(EngineError::Panicked(text.unwrap_or_else(|| "without a message".into()))))
    });
    result.map_err(|error| error.with_cause(&folder))
}

type Sender = lookup::Sender<PublicKey, Context>;
type Receiver = lookup::Receiver<PublicKey>;

fn network(
    context: &Context,
    config: &Config,
    transport: Tls,
) -> (Wires<Sender, Receiver>, Oracle<PublicKey>, Oracle<PublicKey>) {
    let (mut network, oracle) = Network::new(context.child("network"), transport_config(config, transport));
    let mut register = |wire: Wire| network.register(wire.number(), wire.quota());
    let wires = Wires {
        votes: register(Wire::Votes),
        certificates: register(Wire::Certificates),
        requests: register(Wire::Requests),
        backfill: register(Wire::Backfill),
        blocks: register(Wire::Blocks),
        pool: register(Wire::Pool),
    };
    network.start();
    (wires, oracle.clone(), oracle)
}

fn transport_config(config: &Config, transport: Tls) -> lookup::Config<Tls> {
    let NodeConfig { ledger, .. } = &config.node;
    let seconds = Duration::from_secs;
    lookup::Config {
        handshake: transport,
        namespace: [NAMESPACE, ledger.as_bytes()].concat(),
        listen: config.listen,
        allow_private_ips: true,
        allow_dns: true,
        bypass_ip_check: !config.known_addresses_only,
        max_message_size: message_bytes_max(&config.node),
        max_peers_per_set: NZUsize!(config.peers_max),
        mailbox_size: NZUsize!(1_024),
        send_batch_size: NZUsize!(32),
        handshake_timeout: seconds(5),
        dial_timeout: seconds(5),
        // A quorum that comes back must find itself well within five seconds.
        peer_connection_cooldown: Duration::from_millis(500),
        max_concurrent_handshakes: NZU32!(64),
        // A node that comes back dials all its peers at once, and several nodes may share an address.
        allowed_handshake_rate_per_ip: Quota::per_second(NZU32!(32)),
        allowed_handshake_rate_per_subnet: Quota::per_second(NZU32!(64)),
        ping_frequency: seconds(10),
        dial_frequency: Duration::from_millis(150),
        tracked_peer_sets: NZUsize!(PEER_SETS),
        // A peer that breaks the protocol is shut out, shortly: it may be one that is only behind.
        block_duration: seconds(60),
    }
}

/// A running engine. Dropping it stops the engine without waiting for its end.
pub struct EngineHandle {
    controls: Controls,
    prometheus: Prometheus,
    stop: Option<oneshot::Sender<()>>,
    end: watch::Receiver<bool>,
    thread: JoinHandle<Result<(), EngineError>>,
}

impl std::fmt::Debug for EngineHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineHandle").field("status", &self.controls.status.view()).finish_non_exhaustive()
    }
}

impl EngineHandle {
    /// Everything that other threads hold of the engine.
    pub fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// Wakes a waiting leader.
    pub fn waker(&self) -> &Waker {
        &self.controls.waker
    }

    /// Sends the pool's messages.
    pub fn gossip(&self) -> &Gossip {
        &self.controls.gossip
    }

    /// The engine's state.
    pub fn status(&self) -> &EngineStatus {
        &self.controls.status
    }

    /// The engine's metrics in the Prometheus text format; empty before it runs.
    pub fn metrics(&self) -> String {
        self.prometheus.get().map(|encode| encode()).unwrap_or_default()
    }

    /// What [`Self::metrics`] answers, for those who outlive the handle.
    pub fn metrics_source(&self) -> Box<dyn Fn() -> String + Send + Sync> {
        let prometheus = self.prometheus.clone();
        Box::new(move || prometheus.get().map(|encode| encode()).unwrap_or_default())
    }

    /// Resolves when the engine has ended, stopped or failed. On any executor.
    pub async fn ended(&self) {
        let mut end = self.end.clone();
        // An error means that the sender is gone, which is an end too.
        let _ = end.wait_for(|ended| *ended).await;
    }

    /// Stops the engine in order, and waits for its end. Blocks.
    pub fn stop(mut self) -> Result<(), EngineError> {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        self.join()
    }

    /// Waits for the engine's end. Blocks.
    pub fn join(self) -> Result<(), EngineError> {
        let Self { thread, stop, .. } = self;
        let result = thread.join().unwrap_or_else(|_| Err(EngineError::Ended("thread")));
        drop(stop);
        result
    }
}
