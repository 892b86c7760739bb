//! Which of the nodes is asked: one at a time; whoever fails rests for a while, whoever lies for long.

use std::sync::Arc;
use std::time::Duration;

use tabellion_client::NodeClient;
use tokio::time::Instant;

/// Rest after a first failure; it doubles with each.
const REST: Duration = Duration::from_secs(1);
/// The longest rest of a node that fails.
const REST_MAX: Duration = Duration::from_secs(60);
/// Rest of a node that lied.
const REST_OF_LIAR: Duration = Duration::from_secs(600);

/// The nodes.
pub(super) struct Peers {
    peers: Vec<Peer>,
    present: usize,
}

struct Peer {
    node: Arc<NodeClient>,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Peers {
    pub(super) fn new(nodes: Vec<Arc<NodeClient>>) -> Self {
        let peers = nodes.into_iter().map(|node| Peer { node, failures: 0, rests_until: None }).collect();
        Self { peers, present: 0 }
    }

    /// The node to ask: the present one, or the next one that does not rest.
    pub(super) fn present(&mut self, now: Instant) -> Option<Arc<NodeClient>> {
        for step in 0..self.peers.len() {
            let place = (self.present + step) % self.peers.len();
            if self.peers[place].rests_until.is_none_or(|until| until <= now) {
                self.present = place;
                return Some(self.peers[place].node.clone());
            }
        }
        None
    }

    /// The present one answered.
    pub(super) fn answered(&mut self) {
        if let Some(peer) = self.peers.get_mut(self.present) {
            (peer.failures, peer.rests_until) = (0, None);
        }
    }

    /// The present one did not answer.
    pub(super) fn failed(&mut self, now: Instant) {
        if let Some(peer) = self.peers.get_mut(self.present) {
            let rest = REST.saturating_mul(2_u32.saturating_pow(peer.failures)).min(REST_MAX);
            (peer.failures, peer.rests_until) = (peer.failures.saturating_add(1), Some(now + rest));
        }
        self.turn();
    }

    /// The present one lied.
    pub(super) fn lied(&mut self, now: Instant) {
        if let Some(peer) = self.peers.get_mut(self.present) {
            peer.rests_until = Some(now + REST_OF_LIAR);
        }
        self.turn();
    }

    /// Turns to the next one: the present one has no news.
    pub(super) fn turn(&mut self) {
        self.present = (self.present + 1) % self.peers.len().max(1);
    }
}
