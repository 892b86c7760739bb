//! The task that follows the ledger.

use std::sync::Arc;
use std::time::Duration;

use tabellion_client::{HEADERS_PAGE, NodeClient, NodeError as ClientError};
use tabellion_ledger::Height;
use tabellion_machine::ChainHeader;
use tokio::sync::watch;
use tokio::time::Instant;

use super::EdgeSettings;
use super::fault::FollowFault;
use super::follower::Follower;
use super::inbox::Inbox;
use super::peers::Peers;
use super::status::EdgeStatus;
use crate::core::{Core, FinalBlock};
use crate::error::NodeError;

/// Pause between two looks for what is new.
const PAUSE: Duration = Duration::from_millis(500);
/// How long one question may take, with its repetitions.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a node may have no news before another one is asked, at least and at most.
const QUIET: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(120));
/// Blocks committed in one go.
const BATCH: usize = 32;
/// Bytes of their transactions, about.
const BATCH_BYTES: usize = 8 << 20;

/// What a step came to, where it brought nothing.
enum Left {
    /// The node does not answer, or has not what is wanted.
    Failed(String),
    /// The node showed something that does not hold.
    Lied(FollowFault),
    /// This node itself fails.
    Node(NodeError),
}

impl From<ClientError> for Left {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<FollowFault> for Left {
    fn from(fault: FollowFault) -> Self {
        Self::Lied(fault)
    }
}

/// Follows the ledger until `stop` is raised.
///
/// Errors: this node fails, or a block that a quorum finalised cannot be executed here.
pub(crate) async fn run(
    core: Arc<Core>,
    settings: EdgeSettings,
    status: Arc<EdgeStatus>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), NodeError> {
    let EdgeSettings { peers, inbox, .. } = settings;
    let follower = Follower::new(core.clone())?;
    let inbox = inbox.map(Inbox::open).transpose()?;
    let heartbeat = Duration::from_millis(core.rules().parameters().block.heartbeat_ms);
    let quiet = (heartbeat * 3).clamp(QUIET.0, QUIET.1);
    drop(core);
    let mut task = Edge { follower: Some(follower), inbox, peers: Peers::new(peers), status, quiet };
    let mut news = Instant::now();
    loop {
        task.look_into_inbox().await?;
        let advanced = tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            advanced = task.look(&mut news) => advanced?,
        };
        if !advanced {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return Ok(()),
                () = tokio::time::sleep(PAUSE) => {}
            }
        }
    }
}

struct Edge {
    /// Away only while a thread works with it.
    follower: Option<Follower>,
    inbox: Option<Inbox>,
    peers: Peers,
    status: Arc<EdgeStatus>,
    /// How long a node may have no news.
    quiet: Duration,
}

impl Edge {
    fn follower(&mut self) -> &mut Follower {
        self.follower.as_mut().expect("invariant: a thread that works with it is waited for")
    }

    /// Takes or refuses what lies in the inbox.
    async fn look_into_inbox(&mut self) -> Result<(), NodeError> {
        let Some(mut inbox) = self.inbox.take() else { return Ok(()) };
        let Some(mut follower) = self.follower.take() else { return Ok(()) };
        let status = self.status.clone();
        let looking = tokio::task::spawn_blocking(move || {
            let outcome = inbox.look(&mut follower, &status);
            (inbox, follower, outcome)
        });
        // It only panics, or the runtime ends.
        let Ok((inbox, follower, outcome)) = looking.await else { return std::future::pending().await };
        (self.inbox, self.follower) = (Some(inbox), Some(follower));
        outcome
    }

    /// Asks one node for what is new; whether there was something.
    async fn look(&mut self, news: &mut Instant) -> Result<bool, NodeError> {
        let Some(node) = self.peers.present(Instant::now()) else { return Ok(false) };
        let outcome = match tokio::time::timeout(ANSWER, self.fetch(&node)).await {
            Ok(outcome) => outcome,
            Err(_) => Err(Left::Failed(format!("no answer within {} s", ANSWER.as_secs()))),
        };
        let now = Instant::now();
        match outcome {
            Ok(advanced) => {
                self.peers.answered();
                self.status.hears(&node.node());
                if advanced {
                    *news = now;
                } else if now.duration_since(*news) > self.quiet {
                    // Nothing new, or kept back: another one may know.
                    self.peers.turn();
                    *news = now;
                }
                Ok(advanced)
            }
            Err(Left::Node(error)) => Err(error),
            Err(Left::Failed(reason)) => {
                tracing::debug!(node = node.node(), reason, "a node does not answer");
                self.status.loses(&node.node(), &reason, false);
                self.peers.failed(now);
                Ok(false)
            }
            Err(Left::Lied(fault)) => {
                let (node, reason) = (node.node(), fault.to_string());
                match fault {
                    FollowFault::Fork { .. } => tracing::error!(node, reason, "two histories are signed"),
                    _ => tracing::warn!(node, reason, "a node showed what does not hold, and is left"),
                }
                self.status.loses(&node, &reason, true);
                self.peers.lied(now);
                Ok(false)
            }
        }
    }

    /// Headers first, then the bodies of those that are believed, in batches that each count at once.
    async fn fetch(&mut self, node: &Arc<NodeClient>) -> Result<bool, Left> {
        let next = self.follower().next_height();
        let headers = node.headers(next, HEADERS_PAGE.min(256)).await?;
        self.know(node, &headers).await?;
        let believed = self.follower().believe(headers)?;
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for entry in &believed {
            let block = node.block(entry.header().height).await?;
            let block = Follower::body(entry, block)?;
            bytes += block.0.transactions().map(|one| one.as_bytes().len()).sum::<usize>();
            batch.push(block);
            if batch.len() == BATCH || bytes >= BATCH_BYTES {
                self.commit(std::mem::take(&mut batch)).await?;
                bytes = 0;
                self.status.hears(&node.node());
            }
        }
        self.commit(batch).await?;
        Ok(!believed.is_empty())
    }

    /// Learns the validators under these headers.
    async fn know(&mut self, node: &Arc<NodeClient>, headers: &[ChainHeader]) -> Result<(), Left> {
        let unknown = |trust: &tabellion_client::Trust| {
            headers.iter().any(|entry| matches!(entry, ChainHeader::Final(_)) && !trust.knows(entry.header()))
        };
        while unknown(self.follower().trust()) {
            let known = self.follower().trust().roster().number();
            let more = node.hand_overs(known).await?;
            if more.is_empty() {
                break;
            }
            self.follower().learn(&more)?;
            if self.follower().trust().roster().number() == known {
                break;
            }
        }
        Ok(())
    }

    async fn commit(&mut self, batch: Vec<FinalBlock>) -> Result<Height, Left> {
        let core = self.follower().core().clone();
        let committing = tokio::task::spawn_blocking(move || {
            core.follow(&batch).map_err(Left::Node)?;
            Ok(core.newest().height)
        });
        match committing.await {
            Ok(outcome) => outcome,
            Err(_) => std::future::pending().await,
        }
    }
}
