//! Nodes that a state is fetched from: whoever fails often or lies is left.

use std::future::Future;
use std::sync::Arc;

use tabellion_client::NodeClient;

use super::SyncError;

/// Failures after which a node is left.
const FAILURES_MAX: u32 = 4;

/// Nodes to fetch from.
pub(super) struct Peers {
    peers: Vec<Peer>,
    /// Where the next question goes first.
    next: usize,
    /// What the last one did that failed.
    reason: String,
}

struct Peer {
    node: Arc<NodeClient>,
    failures: u32,
}

impl Peers {
    pub(super) fn new(nodes: Vec<Arc<NodeClient>>) -> Self {
        let peers = nodes.into_iter().map(|node| Peer { node, failures: 0 }).collect();
        Self { peers, next: 0, reason: "none is named".to_owned() }
    }

    /// A node by its number.
    pub(super) fn node(&self, number: usize) -> &Arc<NodeClient> {
        &self.peers[number].node
    }

    /// Whether a node is still asked.
    pub(super) fn is_asked(&self, number: usize) -> bool {
        self.peers[number].failures < FAILURES_MAX
    }

    /// Asks a node no more: it lied.
    pub(super) fn leave(&mut self, number: usize, reason: &str) {
        tracing::warn!(node = self.node(number).node(), reason, "a node is not asked any more");
        self.peers[number].failures = FAILURES_MAX;
        self.note(number, reason);
    }

    /// Notes that a node failed to answer.
    pub(super) fn failed(&mut self, number: usize, reason: &str) {
        tracing::debug!(node = self.node(number).node(), reason, "a node failed to answer");
        self.peers[number].failures += 1;
        self.note(number, reason);
    }

    fn note(&mut self, number: usize, reason: &str) {
        self.reason = format!("{}: {reason}", self.node(number).node());
    }

    /// Nobody is left.
    pub(super) fn nobody(&self) -> SyncError {
        SyncError::NoPeer { reason: self.reason.clone() }
    }

    /// Asks one node after the other until one gives what can be believed.
    pub(super) async fn ask<T, F>(&mut self, question: impl Fn(Arc<NodeClient>) -> F) -> Result<T, SyncError>
    where
        F: Future<Output = Result<T, String>>,
    {
        while (0..self.peers.len()).any(|number| self.is_asked(number)) {
            let number = self.next % self.peers.len();
            if !self.is_asked(number) {
                self.next += 1;
                continue;
            }
            match question(self.node(number).clone()).await {
                Ok(answer) => return Ok(answer),
                Err(reason) => {
                    self.failed(number, &reason);
                    self.next += 1;
                }
            }
        }
        Err(self.nobody())
    }

    /// All nodes, also those that are not asked.
    pub(super) fn count(&self) -> usize {
        self.peers.len()
    }

    /// The nodes that are still asked, with their numbers.
    pub(super) fn asked(&self) -> Vec<(usize, Arc<NodeClient>)> {
        let asked = (0..self.peers.len()).filter(|number| self.is_asked(*number));
        asked.map(|number| (number, self.node(number).clone())).collect()
    }

    /// Any node that is still asked.
    pub(super) fn any(&self) -> Option<Arc<NodeClient>> {
        self.peers.iter().find(|peer| peer.failures < FAILURES_MAX).map(|peer| peer.node.clone())
    }

    /// Asks all nodes again.
    pub(super) fn forgive(&mut self) {
        self.peers.iter_mut().for_each(|peer| peer.failures = 0);
    }

    /// Asks all nodes, and says which of them gave which answer; refuses where none answers.
    pub(super) async fn ask_each<T, F>(
        &mut self,
        question: impl Fn(Arc<NodeClient>) -> F,
    ) -> Result<Vec<(usize, T)>, SyncError>
    where
        F: Future<Output = Result<T, String>>,
    {
        let asked: Vec<usize> = (0..self.peers.len()).filter(|number| self.is_asked(*number)).collect();
        let asking = asked.iter().map(|number| question(self.node(*number).clone()));
        let mut answers = Vec::new();
        for (number, answer) in asked.iter().zip(futures::future::join_all(asking).await) {
            match answer {
                Ok(answer) => answers.push((*number, answer)),
                Err(reason) => self.failed(*number, &reason),
            }
        }
        if answers.is_empty() { Err(self.nobody()) } else { Ok(answers) }
    }
}
