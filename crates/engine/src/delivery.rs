//! Finalised blocks on their way to the application, one after the other.

use commonware_actor::Feedback;
use commonware_consensus::marshal::Update;
use commonware_consensus::types::{Epocher, FixedEpocher, Height as EngineHeight};
use commonware_consensus::{Heightable, Reporter};
use commonware_cryptography::Digested;
use commonware_utils::Acknowledgement;
use commonware_utils::acknowledgement::Exact;
use commonware_utils::channel::mpsc;

use crate::block::EngineBlock;
use crate::driver::Shared;
use crate::fault::EngineError;
use crate::proof::proof_of;
use crate::runtime::{Runtime, blocking, now};

/// What the keeper of blocks reports to: a queue that its own limit on unacknowledged blocks bounds.
#[derive(Clone)]
pub(crate) struct Inbox(mpsc::UnboundedSender<Update<EngineBlock>>);

impl Inbox {
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Update<EngineBlock>>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }
}

impl Reporter for Inbox {
    type Activity = Update<EngineBlock>;

    fn report(&mut self, update: Update<EngineBlock>) -> Feedback {
        match self.0.send(update) {
            Ok(()) => Feedback::Ok,
            Err(_) => Feedback::Closed,
        }
    }
}

/// Commits finalised blocks and acknowledges them after.
///
/// A crash before the acknowledgement delivers the block again; the application takes no notice of a height
/// that it has. A crash after it finds the block and, by the application's promise, its effects.
pub(crate) struct Delivery<E> {
    pub context: E,
    pub shared: Shared,
    pub epocher: FixedEpocher,
    /// Told the epoch whose last block was committed, before that block is acknowledged.
    pub ended: mpsc::Sender<(u64, Ack)>,
}

/// Releases the last block of an epoch once the next epoch stands.
pub(crate) struct Ack(Exact);

impl Ack {
    pub(crate) fn done(self) {
        self.0.acknowledge();
    }
}

impl<E: Runtime> Delivery<E> {
    /// Runs until the keeper of blocks ends.
    pub(crate) async fn run(self, mut updates: mpsc::UnboundedReceiver<Update<EngineBlock>>) {
        while let Some(update) = updates.recv().await {
            match update {
                Update::Tip(_, height, _) => self.shared.status.see_finalised(height.get()),
                Update::Block(block, ack) => {
                    if !self.commit(&block).await {
                        // The fault is raised. Dropping the acknowledgement would stop the keeper with a
                        // panic.
                        futures::future::pending::<()>().await;
                    }
                    self.acknowledge(block.height(), ack).await;
                }
            }
        }
    }

    async fn commit(&self, block: &Digested<EngineBlock>) -> bool {
        let height = block.height();
        let inner = block.inner().block().clone();
        if !height.is_zero() {
            let certified = self.shared.marshal.get_finalization(height).await;
            let proof = certified.as_ref().and_then(|certified| proof_of(&inner, certified));
            let machine = self.shared.application.clone();
            match blocking(&self.context, move || machine.commit(inner, proof)).await {
                Some(Ok(())) => {}
                Some(Err(err)) => {
                    self.shared.fault.raise(EngineError::Store(err));
                    return false;
                }
                None => return false,
            }
        }
        self.shared.status.see_committed(height.get(), now(&self.context));
        // A leader that waits for work may wait upon a block that is decided now.
        self.shared.waker.wake();
        true
    }

    async fn acknowledge(&self, height: EngineHeight, ack: Exact) {
        let end = self.epocher.containing(height).filter(|info| info.last() == height);
        match end {
            Some(info) => {
                let _ = self.ended.send((info.epoch().get(), Ack(ack))).await;
            }
            None => ack.acknowledge(),
        }
    }
}
