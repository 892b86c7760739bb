//! Blocks under way: proposed but not yet sent, sent or received but not yet durable.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonware_consensus::types::Round;
use commonware_cryptography::Digested;
use commonware_runtime::Handle;
use commonware_utils::channel::oneshot;
use commonware_utils::sync::Mutex;

use crate::block::{Digest, EngineBlock};

/// A proposal of this node that waits for consensus to have it sent.
pub(crate) struct Staged {
    /// The block.
    pub block: Digested<EngineBlock>,
    /// Takes the handle of the write that makes the block durable.
    pub written: oneshot::Sender<Handle<()>>,
}

#[derive(Default)]
struct Inner {
    /// Resolves when the block of a round is durable here; closes when that cannot be told.
    durable: BTreeMap<(Round, Digest), oneshot::Receiver<()>>,
    /// Proposals of this node.
    staged: BTreeMap<(Round, Digest), Staged>,
}

/// The blocks under way of one node. Ordered maps, so that a simulation replays alike.
#[derive(Clone, Default)]
pub(crate) struct Gates(Arc<Mutex<Inner>>);

impl Gates {
    /// A block is on its way to the disk.
    pub(crate) fn expect(&self, round: Round, digest: Digest) -> oneshot::Sender<()> {
        let (done, durable) = oneshot::channel();
        self.0.lock().durable.insert((round, digest), durable);
        done
    }

    /// Keeps a proposal until consensus has it sent, and the handle of its write after that.
    pub(crate) fn stage(
        &self,
        round: Round,
        block: Digested<EngineBlock>,
    ) -> (oneshot::Sender<()>, oneshot::Receiver<Handle<()>>) {
        let digest = commonware_cryptography::Digestible::digest(&block);
        let done = self.expect(round, digest);
        let (written, write) = oneshot::channel();
        self.0.lock().staged.insert((round, digest), Staged { block, written });
        (done, write)
    }

    /// Takes a proposal to send or to write it.
    pub(crate) fn unstage(&self, round: Round, digest: Digest) -> Option<Staged> {
        self.0.lock().staged.remove(&(round, digest))
    }

    /// Takes the wait for a block to be durable.
    pub(crate) fn durable(&self, round: Round, digest: Digest) -> Option<oneshot::Receiver<()>> {
        self.0.lock().durable.remove(&(round, digest))
    }

    /// Forgets the rounds up to a decided one.
    pub(crate) fn decided(&self, round: Round) {
        let mut inner = self.0.lock();
        inner.durable.retain(|(at, _), _| *at > round);
        inner.staged.retain(|(at, _), _| *at > round);
    }
}
