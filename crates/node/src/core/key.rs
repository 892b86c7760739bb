//! Which of its keys a node runs under. The ledger says so: a key that was registered as the next one takes
//! over with an epoch, for all nodes at the same block.

use tabellion_consortium::{Node, NodeKey, node_of_key};

use super::{Committed, Core};
use crate::core::own::Identity;

/// The seeds of a node's Ed25519 keys.
#[derive(Clone)]
pub struct Seeds {
    /// The key that it runs under unless the ledger names the next one.
    pub present: [u8; 32],
    /// The key that is to take over, if there is one.
    pub next: Option<[u8; 32]>,
}

impl From<[u8; 32]> for Seeds {
    fn from(present: [u8; 32]) -> Self {
        Self { present, next: None }
    }
}

/// What the state here says of a node's keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NamedKeys {
    /// The key that it signs with.
    pub now: Option<NodeKey>,
    /// The key that takes over with the next epoch.
    pub next: Option<NodeKey>,
}

impl Core {
    /// Chooses, at start, the key that the newest state names; the present one where it names neither.
    ///
    /// A crash at any moment of a rotation comes through here: which file a key lies in decides nothing.
    pub(super) fn choose_key(&mut self, seeds: &Seeds) {
        let Some(next) = seeds.next.map(Identity::new) else { return };
        if self.node_of(&next.key()).is_some_and(|node| node.key == next.key()) {
            self.identity = next;
        }
    }

    fn node_of(&self, key: &NodeKey) -> Option<Node> {
        let Committed { state, .. } = self.committed();
        node_of_key(&state, key)
    }

    /// The key that this node runs under.
    pub fn key(&self) -> NodeKey {
        self.identity.key()
    }

    /// Its seed.
    pub(crate) fn seed(&self) -> [u8; 32] {
        self.identity.seed()
    }

    /// What the newest state here says of this node's keys; nothing where it does not know the node.
    pub fn named_keys(&self) -> NamedKeys {
        let node = self.node_of(&self.key());
        NamedKeys { now: node.as_ref().map(|node| node.key), next: node.and_then(|node| node.next_key) }
    }

    /// The key that this node should run under. `alone`: no peer has let it in for a while.
    ///
    /// A node that slept through the end of the epoch in which its key was rotated knows nothing of it, and
    /// its peers let the old key in no more. With the next key they do, and it follows until its own state
    /// names that key: it votes with neither meanwhile, because no committee that it knows holds the next
    /// one.
    pub(crate) fn wanted_key(&self, alone: bool) -> NodeKey {
        let own = self.key();
        match self.named_keys() {
            NamedKeys { now: None, .. } => own,
            NamedKeys { now: Some(now), next } if now == own => next.filter(|_| alone).unwrap_or(own),
            // Run under its next key before the state here names it.
            NamedKeys { now: Some(now), next } if next == Some(own) => {
                if alone {
                    now
                } else {
                    own
                }
            }
            NamedKeys { now: Some(now), .. } => now,
        }
    }
}
