//! What drives a node's core: consensus with the other nodes, or following them from outside.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::Path;
use std::sync::Arc;

use tabellion_engine::{
    Config, Controls, Engine, EngineHandle, EngineStatus, NodeConfig, ONE_EPOCH, Pace, Peer,
};
use tokio::sync::watch;
use tokio::task::JoinHandle as Task;

use crate::clock::now;
use crate::core::{Core, Voice};
use crate::edge::{EdgeSettings, EdgeStatus};
use crate::error::{NodeError, chain};

/// Nodes that may join before this one must restart to make room.
const PEERS_TO_COME: usize = 8;

/// What drives a node.
pub enum Driver {
    /// Consensus: a validator, or a full node that the validators let follow.
    Engine(EngineSettings),
    /// Blocks that are fetched, or carried in: an edge node (X.1409 I.1.2).
    Edge(EdgeSettings),
}

/// What the engine must be told.
pub struct EngineSettings {
    /// Where peers connect to.
    pub listen: SocketAddr,
    /// Nodes that this node lets follow besides those on the ledger.
    pub followers: Vec<Peer>,
    /// Patience of consensus.
    pub pace: Pace,
}

impl Driver {
    /// Nodes that this node lets follow besides those on the ledger.
    pub(crate) fn followers(&self) -> Vec<Peer> {
        match self {
            Self::Engine(engine) => engine.followers.clone(),
            Self::Edge(_) => Vec::new(),
        }
    }
}

/// Tells the engine's metrics as Prometheus text.
pub(crate) type MetricsSource = Box<dyn Fn() -> String + Send + Sync>;

/// What drives a node while it runs.
pub(crate) enum Drive {
    Engine(EngineHandle),
    Edge(Task<Result<(), NodeError>>, Arc<EdgeStatus>),
}

impl Drive {
    /// Begins to drive the core. An edge ends once `stop` is raised, and raises `fail` where it fails.
    pub(crate) fn start(
        driver: Driver,
        core: &Arc<Core>,
        data: &Path,
        stop: watch::Receiver<bool>,
        fail: watch::Sender<bool>,
    ) -> Result<(Self, EngineStatus), NodeError> {
        match driver {
            Driver::Engine(settings) => start_engine(settings, core, data),
            Driver::Edge(settings) => {
                let status = Arc::new(EdgeStatus::new(settings.staleness));
                let work = crate::edge::run(core.clone(), settings, status.clone(), stop);
                let task = tokio::spawn(async move {
                    let outcome = work.await;
                    if let Err(error) = &outcome {
                        tracing::error!(error = %chain(error), "the node must stop");
                        let _ = fail.send(true);
                    }
                    outcome
                });
                // It has no peers among the nodes, and no seat.
                Ok((Self::Edge(task, status), EngineStatus::default()))
            }
        }
    }

    pub(crate) fn edge(&self) -> Option<Arc<EdgeStatus>> {
        match self {
            Self::Engine(_) => None,
            Self::Edge(_, status) => Some(status.clone()),
        }
    }

    pub(crate) fn metrics_source(&self, core: &Arc<Core>) -> MetricsSource {
        match self {
            Self::Engine(engine) => engine.metrics_source(),
            Self::Edge(_, status) => {
                let (status, core) = (status.clone(), core.clone());
                Box::new(move || status.metrics(&core, now()))
            }
        }
    }

    /// Resolves when it has ended by itself; an edge tells by `fail`.
    pub(crate) async fn ended(&self) {
        match self {
            Self::Engine(engine) => engine.ended().await,
            Self::Edge(..) => std::future::pending().await,
        }
    }

    /// Waits for an edge, which has been told to stop.
    pub(crate) async fn settle(self) -> (Option<EngineHandle>, Result<(), NodeError>) {
        match self {
            Self::Engine(engine) => (Some(engine), Ok(())),
            Self::Edge(task, _) => (None, task.await.unwrap_or(Ok(()))),
        }
    }
}

fn start_engine(
    settings: EngineSettings,
    core: &Arc<Core>,
    data: &Path,
) -> Result<(Drive, EngineStatus), NodeError> {
    let store = core.store().clone();
    let mut config = NodeConfig::new(core.seed(), core.ledger());
    config.pace = settings.pace;
    let epoch_blocks = core.rules().parameters().block.epoch_blocks;
    config.epoch_blocks = NonZeroU64::new(epoch_blocks).unwrap_or(ONE_EPOCH);
    config.floor = store.floor().map_err(NodeError::Store)?;
    let mut config = Config::new(config, settings.listen, data.join("engine"));
    // Each place for a peer is memory in every channel: as many as there are, and as many as may come
    // before the next restart.
    config.peers_max = (core.peer_count() + PEERS_TO_COME).next_multiple_of(8);
    let engine = Engine::start(config, core.clone(), store).map_err(NodeError::Engine)?;
    let Controls { waker, gossip, status, .. } = engine.controls();
    core.give_voice(Voice { waker, gossip });
    Ok((Drive::Engine(engine), status))
}
