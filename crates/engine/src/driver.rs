//! The adapter between consensus and the machine: propose, check, vouch for durability, report.

use std::sync::Arc;
use std::time::Duration;

use commonware_actor::Feedback;
use commonware_consensus::marshal::core::{CommitmentFallback, DigestFallback, Mailbox};
use commonware_consensus::marshal::standard::Standard;
use commonware_consensus::simplex::Plan;
use commonware_consensus::simplex::types::{Activity, Context};
use commonware_consensus::types::{Height as EngineHeight, Round, View};
use commonware_consensus::{
    Automaton, Block as _, CertifiableAutomaton, Epochable, Heightable, Relay, Reporter, Viewable,
};
use commonware_cryptography::ed25519::PublicKey;
use commonware_cryptography::{Digested, Digestible};
use commonware_macros::select;
use commonware_p2p::Recipients;
use commonware_runtime::{Error as RuntimeError, Handle};
use commonware_utils::channel::fallible::OneshotExt;
use commonware_utils::channel::oneshot;
use tabellion_ledger::{Height, LedgerId};

use crate::application::{Application, Work};
use crate::block::{Digest, EngineBlock, hash_of};
use crate::evidence::evidence;
use crate::fault::{EngineError, Fault};
use crate::gates::{Gates, Staged};
use crate::guard::Guard;
use crate::runtime::{Runtime, blocking, moment, now};
use crate::scheme::{Scheme, Seat};
use crate::status::EngineStatus;
use crate::waker::Waker;

/// The engine's keeper of blocks.
pub(crate) type Marshal = Mailbox<Scheme, Standard<EngineBlock>>;
/// What consensus tells about a proposal.
type Proposal = Context<Digest, PublicKey>;

/// Blocks between the last committed one and a proposal's parent up to which a node executes ahead of
/// finality to take part. Further behind, it waits for its own catching up: executing the same blocks twice
/// would slow that down.
const AHEAD_BLOCKS_MAX: u64 = 64;

/// How long a leader with work that no block came of waits before it asks again. A wake-up ends the wait.
const REBUILD_WAIT: Duration = Duration::from_millis(100);

/// What all epochs of a node share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub ledger: LedgerId,
    pub application: Arc<dyn Application>,
    pub marshal: Marshal,
    pub gates: Gates,
    pub guard: Guard,
    pub waker: Waker,
    pub status: EngineStatus,
    pub fault: Fault,
    pub block_bytes_max: usize,
}

/// One epoch's adapter: consensus asks it, it asks the machine.
pub(crate) struct Driver<E> {
    context: Arc<E>,
    shared: Shared,
    seat: Seat,
    last: EngineHeight,
}

impl<E> Clone for Driver<E> {
    fn clone(&self) -> Self {
        let Self { context, shared, seat, last } = self;
        Self { context: context.clone(), shared: shared.clone(), seat: seat.clone(), last: *last }
    }
}

impl<E: Runtime> Driver<E> {
    /// An adapter for the epoch that ends with the block at `last`.
    pub(crate) fn new(context: E, shared: Shared, seat: Seat, last: EngineHeight) -> Self {
        Self { context: Arc::new(context), shared, seat, last }
    }

    fn spawn<F>(&self, name: &'static str, work: impl FnOnce(E) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.context.child(name).spawn(work);
    }

    /// The parent that a proposal names. It may be undecided, so it is asked for by its round.
    fn parent(&self, proposal: &Proposal) -> oneshot::Receiver<Digested<EngineBlock>> {
        let (view, digest) = proposal.parent;
        let round = Round::new(proposal.epoch(), view);
        self.shared.marshal.subscribe_by_commitment(digest, CommitmentFallback::FetchByRound { round })
    }

    /// Makes the state after a block known to the machine, by executing what it has not executed. `None`: it
    /// never will be, or the node stops.
    async fn ready(&self, context: &E, block: &Digested<EngineBlock>) -> Option<()> {
        let Shared { application, status, marshal, .. } = &self.shared;
        let mut unknown = Vec::new();
        let mut at = block.clone();
        loop {
            if application.knows(at.inner().hash()) {
                break;
            }
            let height = at.height().get();
            let committed = status.view().committed.0;
            if height <= committed {
                // Another block was finalised at this height, or the state here has moved on meanwhile.
                return application.knows(block.inner().hash()).then_some(());
            }
            if height > committed + AHEAD_BLOCKS_MAX {
                status.committed(Height(height - AHEAD_BLOCKS_MAX)).await;
                continue;
            }
            let before = EngineHeight::new(height - 1);
            let fetch = CommitmentFallback::FetchByCommitment { height: before };
            let parent = marshal.subscribe_by_commitment(at.parent(), fetch).await.ok()?;
            unknown.push(at);
            at = parent;
        }
        while let Some(next) = unknown.pop() {
            if application.knows(next.inner().hash()) {
                at = next;
                continue;
            }
            let (parent, block) = (at.inner().block().clone(), next.inner().block().clone());
            let machine = application.clone();
            let (known, hash) = (application.clone(), next.inner().hash());
            let adopted = blocking(context, move || machine.adopt(&parent, &block)).await?;
            // A commit of the same block may have overtaken the adoption.
            if let Err(reason) = adopted.or_else(|err| if known.knows(hash) { Ok(()) } else { Err(err) }) {
                tracing::error!(block = %hash, reason, "cannot execute an accepted block");
                return None;
            }
            at = next;
        }
        Some(())
    }

    /// Waits for work upon the parent and builds. `None`: nothing can be built upon it.
    async fn compose(&self, context: &E, proposal: &Proposal) -> Option<Digested<EngineBlock>> {
        let parent = self.parent(proposal).await.ok()?;
        if parent.height() == self.last {
            // The epoch's last block is proposed again until it is final; the next epoch builds upon it.
            return Some(parent);
        }
        self.ready(context, &parent).await?;
        let proposer = self.seat.index?;
        let mut woken = self.shared.waker.listen();
        loop {
            woken.mark();
            let time = now(context);
            let until = match self.shared.application.work(parent.inner().hash(), time) {
                Work::Idle => {
                    woken.changed().await;
                    continue;
                }
                Work::At(at) if at > time => moment(at),
                Work::Now | Work::At(_) => {
                    let (machine, upon) = (self.shared.application.clone(), parent.inner().block().clone());
                    if let Some(block) =
                        blocking(context, move || machine.build(&upon, proposer, time)).await?
                    {
                        return Some(EngineBlock::new(block).digested());
                    }
                    context.current() + REBUILD_WAIT
                }
            };
            select! {
                _ = woken.changed() => {},
                _ = context.sleep_until(until) => {},
            }
        }
    }

    async fn run_propose(self, context: E, proposal: Proposal, mut answer: oneshot::Sender<Digest>) {
        let block = select! {
            // The view is over: whatever was built is not asked for any more.
            _ = answer.closed() => return,
            block = self.compose(&context, &proposal) => block,
        };
        let Some(block) = block else { return };
        if block.inner().wire_bytes() > self.shared.block_bytes_max {
            let bytes = block.inner().wire_bytes();
            tracing::error!(bytes, limit = self.shared.block_bytes_max, "built a block above the limit");
            return;
        }
        let digest = block.digest();
        let (done, write) = self.shared.gates.stage(proposal.round, block);
        answer.send_lossy(digest);
        if let Ok(handle) = write.await
            && self.durable(handle).await
        {
            done.send_lossy(());
        }
    }

    /// Waits for a write. A failed write ends the engine: what it vouched for would be a lie.
    async fn durable(&self, handle: Handle<()>) -> bool {
        match handle.await {
            Ok(()) => true,
            Err(RuntimeError::Closed | RuntimeError::Aborted) => false,
            Err(err) => {
                self.shared.fault.raise(EngineError::journal("write a proposed block", &err));
                false
            }
        }
    }

    /// Whether a proposal can be voted for. `None`: it cannot be told any more.
    async fn examine(
        &self,
        context: &E,
        proposal: &Proposal,
        parent: oneshot::Receiver<Digested<EngineBlock>>,
        block: &Digested<EngineBlock>,
    ) -> Option<Result<(), String>> {
        let parent = parent.await.ok()?;
        if let Err(reason) = self.fits(proposal, &parent, block) {
            return Some(Err(reason));
        }
        self.ready(context, &parent).await?;
        let machine = self.shared.application.clone();
        let (upon, block) = (parent.inner().block().clone(), block.inner().block().clone());
        let time = now(context);
        blocking(context, move || machine.check(&upon, &block, time)).await
    }

    /// What a proposal must be before the machine looks at it.
    fn fits(
        &self,
        proposal: &Proposal,
        parent: &Digested<EngineBlock>,
        block: &Digested<EngineBlock>,
    ) -> Result<(), String> {
        let header = &block.inner().block().header;
        if parent.digest() != proposal.parent.1 || block.parent() != parent.digest() {
            return Err(format!("builds upon {}, not upon {}", header.previous, hash_of(&proposal.parent.1)));
        }
        if Some(block.height()) != parent.height().get().checked_add(1).map(EngineHeight::new) {
            return Err(format!("height {} upon height {}", header.height, parent.height()));
        }
        if block.height() > self.last {
            return Err(format!("height {} lies beyond the epoch", header.height));
        }
        let leader = crate::scheme::key_of(&proposal.leader);
        let keys = self.seat.committee.keys();
        if keys.get(usize::from(header.proposer)) != Some(&leader) {
            return Err(format!("names proposer {}, proposed by {leader}", header.proposer));
        }
        Ok(())
    }

    async fn run_verify(
        self,
        context: E,
        proposal: Proposal,
        block: oneshot::Receiver<Digested<EngineBlock>>,
        done: oneshot::Sender<()>,
        mut answer: oneshot::Sender<bool>,
    ) {
        let again = |block: &Digested<EngineBlock>| block.digest() == proposal.parent.1;
        let parent = self.parent(&proposal);
        let block = select! {
            _ = answer.closed() => return,
            block = block => match block {
                Ok(block) => block,
                Err(_) => return,
            },
        };
        if again(&block) {
            // The last block of the epoch, proposed again: what it holds was decided when it first came.
            let valid = block.height() == self.last;
            if valid && self.shared.marshal.verified(proposal.round, block).await {
                done.send_lossy(());
            }
            answer.send_lossy(valid);
            return;
        }
        // The block goes to disk while it is executed: having it is one promise, liking it another.
        let store = async {
            if self.shared.marshal.verified(proposal.round, block.clone()).await {
                done.send_lossy(());
            }
        };
        let vote = async {
            let verdict = select! {
                _ = answer.closed() => None,
                verdict = self.examine(&context, &proposal, parent, &block) => verdict,
            };
            let Some(verdict) = verdict else { return };
            if let Err(reason) = &verdict {
                self.shared.status.see_voted_down();
                let leader = crate::scheme::key_of(&proposal.leader);
                tracing::warn!(block = %block.inner().hash(), %leader, reason, "voted down");
            }
            answer.send_lossy(verdict.is_ok());
        };
        futures::join!(vote, store);
    }

    async fn run_certify(
        self,
        round: Round,
        digest: Digest,
        gate: Option<oneshot::Receiver<()>>,
        mut answer: oneshot::Sender<bool>,
    ) {
        let marshal = &self.shared.marshal;
        let work = async {
            if let Some(gate) = gate
                && gate.await.is_ok()
            {
                return true;
            }
            // The block never came, or a restart forgot it: fetch what the quorum has accepted.
            let fetch = DigestFallback::FetchByRound { round };
            match marshal.subscribe_by_digest(digest, fetch).await {
                Ok(block) => marshal.certified(round, block).await,
                Err(_) => false,
            }
        };
        let have = select! {
            _ = answer.closed() => return,
            have = work => have,
        };
        if have {
            answer.send_lossy(true);
        }
    }
}

impl<E: Runtime> Automaton for Driver<E> {
    type Context = Proposal;
    type Digest = Digest;

    async fn propose(&mut self, proposal: Proposal) -> oneshot::Receiver<Digest> {
        let (answer, digest) = oneshot::channel();
        let driver = self.clone();
        self.spawn("propose", move |context| driver.run_propose(context, proposal, answer));
        digest
    }

    async fn verify(&mut self, proposal: Proposal, digest: Digest) -> oneshot::Receiver<bool> {
        let (answer, verdict) = oneshot::channel();
        // The wait for the block must stand before the gate does: certification only nudges a wait that
        // exists.
        let block = self.shared.marshal.subscribe_by_digest(digest, DigestFallback::Wait);
        let done = self.shared.gates.expect(proposal.round, digest);
        let driver = self.clone();
        self.spawn("verify", move |context| driver.run_verify(context, proposal, block, done, answer));
        verdict
    }
}

impl<E: Runtime> CertifiableAutomaton for Driver<E> {
    /// A block may be finalised once it is durable here. Whether it is valid was settled by the quorum's
    /// votes, so the answer is the same on every honest node.
    async fn certify(&mut self, round: Round, digest: Digest) -> oneshot::Receiver<bool> {
        if let Some(Staged { block, written }) = self.shared.gates.unstage(round, digest) {
            self.shared.marshal.verified_deferred(round, block, written);
        }
        let gate = self.shared.gates.durable(round, digest);
        if gate.is_some() {
            self.shared.marshal.hint_notarized(round, digest);
        }
        let (answer, verdict) = oneshot::channel();
        let driver = self.clone();
        self.spawn("certify", move |_| driver.run_certify(round, digest, gate, answer));
        verdict
    }
}

impl<E: Runtime> Relay for Driver<E> {
    type Digest = Digest;
    type PublicKey = PublicKey;
    type Plan = Plan<PublicKey>;

    fn broadcast(&mut self, digest: Digest, plan: Plan<PublicKey>) -> Feedback {
        let Shared { gates, marshal, .. } = &self.shared;
        match plan {
            Plan::Propose { round } => match gates.unstage(round, digest) {
                Some(Staged { block, written }) => marshal.proposed(round, block, Recipients::All, written),
                None => Feedback::Ok,
            },
            Plan::Forward { round, recipients } => marshal.forward(round, digest, recipients),
            // Only for leaders that keep their seat over several views, which this engine does not use.
            Plan::Prepare { .. } => Feedback::Ok,
        }
    }
}

impl<E: Runtime> Reporter for Driver<E> {
    type Activity = Activity<Scheme, Digest>;

    fn report(&mut self, activity: Self::Activity) -> Feedback {
        let epoch = activity.epoch();
        let decided = match &activity {
            Activity::Finalization(finalization) => finalization.round(),
            _ => Round::new(epoch, View::zero()),
        };
        self.shared.gates.decided(decided);
        self.shared.guard.hear(&activity, self.seat.index, self.context.current());
        match &activity {
            Activity::Notarization(_) | Activity::Nullification(_) | Activity::Finalization(_) => {
                self.shared.status.see_view(epoch.get(), activity.view().get());
            }
            Activity::ConflictingNotarize(_)
            | Activity::ConflictingFinalize(_)
            | Activity::NullifyFinalize(_) => {
                let keys = self.seat.committee.keys();
                if let Some(evidence) = evidence(&activity, &self.shared.ledger, &keys) {
                    self.shared.application.accuse(evidence);
                }
            }
            _ => {}
        }
        self.shared.marshal.report(activity)
    }
}
