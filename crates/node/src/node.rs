//! One node: its parts started, watched and stopped together.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tabellion_api::{
    Backend, CtLog, FaceConfig, Gateway, ServerConfig, StatusAuthorities, StatusConfig, StatusFaces,
    router_with_status, serve, serve_plain, status_router,
};
use tabellion_client::NodeClient;
use tabellion_consortium::{Genesis, GenesisValidator, NodeKey};
use tabellion_engine::PeerAddress;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle as Task;

use crate::backend::NodeBackend;
use crate::clock::now;
use crate::core::{Core, Rounds, Seeds};
use crate::drive::{Drive, Driver};
use crate::error::{NodeError, chain};
use crate::index::Index;
use crate::indexer;
use crate::key_watch::KeyWatch;
use crate::pool::PoolLimits;
use crate::prune::{PruneError, PruneReport, PruneSettings, Pruned, Pruner};
use crate::store::{Store, StoreConfig};
use crate::sync::{STORE_FOLDER, fetch_bodies, fetch_lacking};

/// Folder of the query index within a node's data; it may be deleted while the node does not run.
pub const INDEX_FOLDER: &str = "index";
/// How long the pool's thread sleeps when nothing rings.
const IDLE_TICK: Duration = Duration::from_millis(250);
/// How long transactions gather before they are passed on in one message.
const GOSSIP_GATHER: Duration = Duration::from_millis(4);

/// How long the last users of a stopped node's store may take, and how often they are looked for.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
const CLOSE_LOOK: Duration = Duration::from_millis(5);

/// The REST face of a node.
pub struct FaceSettings {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Certificate and key.
    pub tls: Arc<rustls::ServerConfig>,
    /// Limits of requests.
    pub face: FaceConfig,
    /// Limits of connections.
    pub server: ServerConfig,
}

/// OCSP, CRLs and IKEv2 look-up of a node.
pub struct StatusSettings {
    /// Where they listen, over plain HTTP.
    pub listen: SocketAddr,
    /// The CAs for which the node answers.
    pub authorities: Arc<StatusAuthorities>,
    /// How they answer.
    pub status: StatusConfig,
    /// Limits of requests.
    pub face: FaceConfig,
    /// Limits of connections.
    pub server: ServerConfig,
    /// Threads that answer.
    pub threads: NonZeroUsize,
}

/// All that a node must be told.
pub struct NodeSettings {
    /// The node's name, for people.
    pub name: String,
    /// The ledger's genesis document.
    pub genesis: Genesis,
    /// Seeds of the node's Ed25519 keys; the state says which one it runs under. In the roster it makes the
    /// node a validator; else the node follows.
    pub seeds: Seeds,
    /// Folder of the node's data; one node at a time.
    pub data: PathBuf,
    /// What drives it.
    pub driver: Driver,
    /// Sizes of the store.
    pub store: StoreConfig,
    /// Limits of the pool.
    pub pool: PoolLimits,
    /// Whether the node keeps the query index.
    pub index: bool,
    /// The REST face, if it has one.
    pub face: Option<FaceSettings>,
    /// OCSP, CRLs and IKEv2 look-up, if it has them; they need the query index.
    pub status: Option<StatusSettings>,
    /// Certificate Transparency, if the node has it: under the REST face and beside OCSP; it needs the query
    /// index.
    pub ct: Option<Arc<CtLog>>,
    /// Other nodes: bodies below the node's floor are fetched from them (see [`crate::sync`]; without them
    /// they never come), and they are asked for what is gone here.
    pub bodies_from: Vec<Arc<NodeClient>>,
    /// Deletes bodies by itself, if the operator wants it.
    pub prune: Option<PruneSettings>,
    /// Signs for clients that cannot, if the operator gave a key.
    pub gateway: Option<Arc<dyn Gateway>>,
}

/// A running node.
pub struct Node {
    core: Arc<Core>,
    drive: Drive,
    threads: Vec<JoinHandle<Result<(), NodeError>>>,
    face: Option<Task<()>>,
    bodies: Task<()>,
    face_address: Option<SocketAddr>,
    status: Option<Task<()>>,
    status_address: Option<SocketAddr>,
    ct: Option<Arc<CtLog>>,
    stop: Arc<AtomicBool>,
    stop_face: watch::Sender<bool>,
    failed: watch::Receiver<bool>,
    wanted_key: watch::Receiver<NodeKey>,
}

impl Node {
    /// Starts a node: opens its store, replays, starts the engine, the pool's thread, the index and the face.
    ///
    /// Errors: see [`NodeError`]; nothing keeps running.
    pub async fn start(settings: NodeSettings) -> Result<Self, NodeError> {
        let ledger = settings.genesis.ledger_id();
        let store = Store::open(&settings.data.join(STORE_FOLDER), ledger, settings.store.clone());
        let store = Arc::new(store.map_err(NodeError::Store)?);
        check_addresses(&settings.genesis)?;
        let (genesis, followers) = (settings.genesis.clone(), settings.driver.followers());
        let core = Core::open(genesis, settings.seeds, followers, store.clone(), settings.pool.clone())?;
        let core = Arc::new(core);
        let index = settings.index.then(|| Index::open(&settings.data.join(INDEX_FOLDER))).transpose();
        let index = index.map_err(NodeError::Index)?.map(Arc::new);
        let listener = match &settings.face {
            Some(face) => Some(listen(face.listen).await?),
            None => None,
        };
        if settings.ct.is_some() && index.is_none() {
            return Err(NodeError::CtNeedsIndex);
        }
        let status_listener = match &settings.status {
            Some(_) if index.is_none() => return Err(NodeError::StatusNeedsIndex),
            Some(status) => Some(listen(status.listen).await?),
            None => None,
        };
        let stop = Arc::new(AtomicBool::new(false));
        let (fail, failed) = watch::channel(false);
        let (stop_face, face_stopped) = watch::channel(false);
        let started =
            Drive::start(settings.driver, &core, &settings.data, face_stopped.clone(), fail.clone());
        let (drive, status) = started?;
        let (keys, wanted_key) = KeyWatch::new(status.clone(), core.key());
        let mut threads = vec![start_thread("pool", &stop, &fail, pool_loop(core.clone(), keys))?];
        if let Some(index) = &index {
            let waits = !settings.bodies_from.is_empty();
            let follow = indexer::follow(core.clone(), index.clone(), waits);
            threads.push(start_thread("index", &stop, &fail, follow)?);
        }
        let prune = crate::prune::run(core.clone(), settings.prune);
        threads.push(start_thread("prune", &stop, &fail, prune)?);
        let others = settings.bodies_from.clone();
        let bodies =
            fetch_in_background(core.clone(), settings.bodies_from, face_stopped.clone(), fail.clone());
        let mut node = Self {
            core: core.clone(),
            drive,
            threads,
            face: None,
            bodies,
            face_address: None,
            status: None,
            status_address: None,
            ct: settings.ct.clone(),
            stop,
            stop_face,
            failed,
            wanted_key,
        };
        let (metrics, edge) = (node.drive.metrics_source(&core), node.drive.edge());
        let backend =
            NodeBackend::new(core, index, status, metrics, settings.gateway, settings.name, others, edge);
        let backend: Arc<dyn Backend> = Arc::new(backend);
        let mut faces = None;
        if let (Some(status), Some(listener)) = (settings.status, status_listener) {
            warn_of_heartbeat(&node.core, &status.status);
            node.status_address = listener.local_addr().ok();
            let shared = StatusFaces::new(backend.clone(), status.authorities, status.status);
            let router = status_router(backend.clone(), status.face, shared.clone(), settings.ct.clone());
            let stopped = told(face_stopped.clone());
            let serving = serve_plain(listener, status.threads, router, status.server, stopped);
            let serving = serving.map_err(|source| thread_missing("status", source))?;
            let (crls, stopped) = (shared.clone().keep_crls(), told(face_stopped.clone()));
            faces = Some(shared);
            node.status = Some(tokio::spawn(async move {
                let keep = async {
                    tokio::select! {
                        () = crls => {}
                        () = stopped => {}
                    }
                };
                tokio::join!(serving, keep);
            }));
        }
        if let (Some(face), Some(listener)) = (settings.face, listener) {
            node.face_address = listener.local_addr().ok();
            let router = router_with_status(backend, face.face, faces, settings.ct);
            node.face =
                Some(tokio::spawn(serve(listener, face.tls, router, face.server, told(face_stopped))));
        }
        Ok(node)
    }

    /// The node's core.
    pub fn core(&self) -> &Arc<Core> {
        &self.core
    }

    /// Where the REST face listens.
    pub fn face_address(&self) -> Option<SocketAddr> {
        self.face_address
    }

    /// Where OCSP, CRLs and IKEv2 look-up listen.
    pub fn status_address(&self) -> Option<SocketAddr> {
        self.status_address
    }

    /// Its log of Certificate Transparency.
    pub fn ct(&self) -> Option<&CtLog> {
        self.ct.as_deref()
    }

    /// What [`Node::prune`] would delete now.
    pub async fn prune_report(&self, keep_ms: u64) -> Result<PruneReport, NodeError> {
        if self.core.is_backup() {
            return Ok(PruneReport::default());
        }
        let store = self.core.store().clone();
        blocking(move || {
            store.checkpoint(now()).map_err(NodeError::Store)?;
            Pruner::new(store, keep_ms).dry_run().map_err(NodeError::Store)
        })
        .await
    }

    /// Deletes all bodies in which nothing is needed any more, while the node goes on. A backup node deletes
    /// nothing.
    pub async fn prune(&self, settings: PruneSettings) -> Result<Pruned, PruneError> {
        let core = self.core.clone();
        blocking(move || {
            core.store().checkpoint(now())?;
            crate::prune::pass(&core, &settings, || false)
        })
        .await
    }

    /// Resolves when a part of the node has failed; [`Node::stop`] tells why.
    pub async fn failed(&self) {
        let mut failed = self.failed.clone();
        tokio::select! {
            _ = failed.wait_for(|failed| *failed) => {}
            () = self.drive.ended() => {}
        }
    }

    /// Resolves with the key that the node should run under, once that is another one than it runs under and
    /// than `unknown`: the ledger names its next key. Whoever has that key stops the node and starts it again
    /// with it.
    pub async fn other_key(&self, unknown: Option<NodeKey>) -> NodeKey {
        let own = self.core.key();
        let mut wanted = self.wanted_key.clone();
        let other = wanted.wait_for(|key| *key != own && Some(*key) != unknown).await.map(|key| *key);
        match other {
            Ok(key) => key,
            // The thread that looks is gone; the node stops.
            Err(_) => std::future::pending().await,
        }
    }

    /// Stops the node in order: no new requests, then the engine, then the pool and the index, then a
    /// checkpoint. The store is closed when this returns, so that the node can be started again.
    ///
    /// Errors: what made a part fail.
    pub async fn stop(self) -> Result<(), NodeError> {
        let Self { core, drive, threads, face, status, bodies, stop, stop_face, .. } = self;
        let _ = stop_face.send(true);
        core.end_streams();
        for task in [face, status, Some(bodies)].into_iter().flatten() {
            // One that panicked has nothing left to stop.
            let _ = task.await;
        }
        let (engine, driven) = drive.settle().await;
        let stopping = tokio::task::spawn_blocking(move || {
            let engine = engine.map_or(driven, |engine| engine.stop().map_err(NodeError::Engine));
            stop.store(true, Ordering::Relaxed);
            core.bell().ring();
            let mut outcome = engine;
            for thread in threads {
                let ended = thread.join().unwrap_or(Ok(()));
                outcome = ended.and(outcome);
            }
            let checkpoint = core.store().checkpoint(now()).map_err(NodeError::Store);
            let store = Arc::downgrade(core.store());
            drop(core);
            let patience = Instant::now();
            // A check that a client asked for last may still hold it.
            while store.strong_count() > 0 && patience.elapsed() < CLOSE_PATIENCE {
                std::thread::sleep(CLOSE_LOOK);
            }
            outcome.and(checkpoint)
        });
        stopping.await.unwrap_or(Ok(()))
    }
}

/// Runs what blocks on a thread where it may.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends, and whoever waits with it.
            Err(_) => std::future::pending().await,
        },
    }
}

/// Fetches the bodies that the store wants, and what a backup node lacks; without nodes to ask, a backup node
/// still finds out what it lacks.
fn fetch_in_background(
    core: Arc<Core>,
    nodes: Vec<Arc<NodeClient>>,
    stop: watch::Receiver<bool>,
    fail: watch::Sender<bool>,
) -> Task<()> {
    let (store, lacking) = (core.store().clone(), fetch_lacking(core, nodes.clone(), stop.clone()));
    let bodies = async move {
        match nodes.is_empty() {
            true => Ok(()),
            false => fetch_bodies(store, nodes, stop).await,
        }
    };
    tokio::spawn(async move {
        if let Err(error) = tokio::try_join!(bodies, lacking) {
            tracing::error!(error = %chain(&error), "the node must stop");
            let _ = fail.send(true);
        }
    })
}

/// Refuses a genesis document whose validators nobody can reach.
fn check_addresses(genesis: &Genesis) -> Result<(), NodeError> {
    for GenesisValidator { validator, address } in &genesis.validators {
        let parsed: Result<PeerAddress, _> = address.parse();
        parsed.map_err(|error| NodeError::Content {
            path: PathBuf::from("genesis document"),
            problem: format!("address of validator {}: {error}", validator.name),
        })?;
    }
    Ok(())
}

/// Says so where an idle ledger would let OCSP and CRLs fall silent.
fn warn_of_heartbeat(core: &Core, status: &StatusConfig) {
    let (heartbeat_ms, limit_ms) = (core.rules().parameters().block.heartbeat_ms, status.staleness.limit_ms);
    if heartbeat_ms == 0 || heartbeat_ms.saturating_mul(2) > limit_ms {
        tracing::warn!(
            heartbeat_ms,
            limit_ms,
            "on an idle ledger the status faces will say that they know nothing new enough: stale_after_s \
             should be twice the ledger's heartbeat or more"
        );
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, NodeError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| NodeError::Listen { address: address.to_string(), source })
}

/// Ends when the node stops.
async fn told(mut stopped: watch::Receiver<bool>) {
    // An error means that the node is gone, which is a stop too.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn thread_missing(name: &str, source: std::io::Error) -> NodeError {
    NodeError::File { action: "start thread", path: PathBuf::from(name), source }
}

/// Runs `work` on a thread until the node stops; a failure is told at once.
fn start_thread(
    name: &'static str,
    stop: &Arc<AtomicBool>,
    fail: &watch::Sender<bool>,
    work: impl FnOnce(&AtomicBool) -> Result<(), NodeError> + Send + 'static,
) -> Result<JoinHandle<Result<(), NodeError>>, NodeError> {
    let (stop, fail) = (stop.clone(), fail.clone());
    let run = move || {
        let outcome = work(&stop);
        if let Err(error) = &outcome {
            tracing::error!(thread = name, error = %chain(error), "the node must stop");
            let _ = fail.send(true);
        }
        outcome
    };
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
    thread.map_err(|source| thread_missing(name, source))
}

/// The pool's thread: passes transactions on, looks after the pool, writes checkpoints.
fn pool_loop(
    core: Arc<Core>,
    mut keys: KeyWatch,
) -> impl FnOnce(&AtomicBool) -> Result<(), NodeError> + Send + 'static {
    move |stop| {
        let mut rounds = Rounds::default();
        while !stop.load(Ordering::Relaxed) {
            if core.bell().wait(IDLE_TICK) {
                std::thread::sleep(GOSSIP_GATHER);
            }
            core.tick(&mut rounds, now())?;
            keys.look(&core, now());
        }
        Ok(())
    }
}
