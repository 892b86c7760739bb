//! The last-signed guard: no vote of this key contradicts one that an earlier run of it has sent.
//!
//! The journal of votes protects a restart on the same disk. It does not protect a disk that was restored
//! from an old copy: a snapshot, a backup. Such a node has forgotten votes that it sent after the copy was
//! made.
//!
//! ```text
//!  start ─ nothing ever signed ──────────────────────────────────────────> votes
//!        ├ a disk that is its own ──> listens ─┬ the network stands still ─> votes, as the journal says
//!        │                               │     └ it moves on ─────────────> votes above what it moved past
//!        │      a certificate with a vote of its own that it does not remember
//!        │                               v
//!        └ a copy; a lost guard ────> doubts ── it moves on ──────────────> votes above what it moved past
//! ```
//!
//! **Where an old vote can lie.** A validator votes in a view only when it holds a certificate of the view
//! before. The validators of that certificate know the view before it at least; they send certificates as
//! they move on, and repeat them every [`Pace::retry_ms`](crate::Pace) while they stand still. So once a
//! quorum has been heard, no vote of a run that is over lies more than two views above the newest
//! certificate: that is the barrier. It is on disk before the first vote above it is signed, and no vote at
//! or below it is signed any more, whatever the journal says.
//!
//! **Why listening ends.** A network that moves on does not need this node's votes: within seconds it
//! has passed the barrier. A network that stands still may need them; where nothing speaks for an old
//! disk, the node then trusts its journal. Where something does, it does not vote until the others have moved
//! on without it, however long that takes: two votes are worse than none.
//!
//! **While it does not vote** consensus runs all the same: it follows, fetches, serves and keeps its journal;
//! only the signing scheme answers no. It runs anew over its journal before the first vote, since it takes a
//! vote that it asked for as given.
//!
//! Absent: a guard of a committee of one, whose only history is its own disk; a validator whose disk was
//! emptied in the ledger's first epoch.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use commonware_consensus::simplex::types::{Activity, Attributable};
use commonware_consensus::types::{Epoch, Participant, Round, View};
use commonware_consensus::{Epochable, Viewable};
use commonware_cryptography::ed25519::PublicKey;
use commonware_p2p::{Message, Receiver};
use commonware_utils::sync::Mutex;

use crate::block::Digest;
use crate::committee::NodeKey;
use crate::config::Pace;
use crate::scheme::{Scheme, key_of};

mod record;

pub(crate) use record::Record;

/// How often a guard that holds votes back looks whether it still must.
pub(crate) const LOOK: Duration = Duration::from_millis(50);
/// Views above the newest certificate heard in which a forgotten vote can lie.
const VIEWS_AHEAD: u64 = 2;

/// Whether votes are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// They are, above the barrier.
    Votes,
    /// Not before the others have been heard.
    Listens,
    /// Not before the others have moved on.
    Doubts,
}

/// Why a node doubts its disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Doubt {
    /// The guard names another disk.
    #[error("the engine's folder is a copy of another one")]
    Copy,
    /// The guard names another key.
    #[error("the engine's folder was another key's")]
    OtherKey,
    /// There is no guard, but a ledger.
    #[error("the engine's folder has lost its record of votes")]
    Lost,
    /// The others hold a vote that this node does not remember.
    #[error(
        "the others hold a vote of this node in view {view} of epoch {epoch} that its journal does not have"
    )]
    Forgotten {
        /// The vote's epoch.
        epoch: u64,
        /// The vote's view.
        view: u64,
    },
}

/// What a look at the guard says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing new.
    Wait,
    /// From now on the disk is doubted.
    Doubt(Doubt),
    /// Votes above this round may be signed, once it is on disk.
    Vote(Round),
}

#[derive(Debug)]
struct State {
    phase: Phase,
    /// No vote at or below it is signed.
    barrier: Round,
    /// The operator says that no later state of this disk ever ran.
    vouched: bool,
    /// A vote was signed in this run, so that its journal remembers it.
    has_signed: bool,
    /// The newest vote of this node that the journal has.
    signed: Round,
    /// The newest certificate with a vote of this node in it.
    own: Round,
    /// The newest certificate.
    seen: Round,
    /// When that one came.
    moved: Option<SystemTime>,
    /// Since when a quorum has been connected in this epoch.
    since: Option<SystemTime>,
    /// Validators that sent certificates since then.
    heard: BTreeSet<NodeKey>,
    /// Since when those have been a quorum, with this node.
    enough: Option<SystemTime>,
    /// The newest certificate when a quorum had been heard.
    told: Option<Round>,
}

/// A node's guard. Clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Guard(Arc<Mutex<State>>);

impl Guard {
    /// A guard that holds nothing back but votes at or below the barrier.
    pub(crate) fn open(barrier: Round) -> Self {
        Self::new(Phase::Votes, barrier, false)
    }

    /// A guard that first listens.
    pub(crate) fn listening(barrier: Round, vouched: bool) -> Self {
        Self::new(Phase::Listens, barrier, vouched)
    }

    /// A guard that doubts.
    pub(crate) fn doubting(barrier: Round) -> Self {
        Self::new(Phase::Doubts, barrier, false)
    }

    fn new(phase: Phase, barrier: Round, vouched: bool) -> Self {
        let zero = Round::zero();
        Self(Arc::new(Mutex::new(State {
            phase,
            barrier,
            vouched,
            has_signed: false,
            signed: zero,
            own: zero,
            seen: zero,
            moved: None,
            since: None,
            heard: BTreeSet::new(),
            enough: None,
            told: None,
        })))
    }

    /// Whether a vote in this round may be signed; if so, it is.
    pub(crate) fn permits(&self, round: Round) -> bool {
        let mut state = self.0.lock();
        let permitted = state.phase == Phase::Votes && round > state.barrier;
        state.has_signed |= permitted;
        permitted
    }

    /// Whether votes are held back for now.
    pub(crate) fn holds(&self) -> bool {
        self.0.lock().phase != Phase::Votes
    }

    /// Whether the disk is doubted.
    pub(crate) fn doubts(&self) -> bool {
        self.0.lock().phase == Phase::Doubts
    }

    /// Takes note of what consensus reports, from its journal and from the others.
    pub(crate) fn hear(&self, activity: &Activity<Scheme, Digest>, me: Option<u16>, now: SystemTime) {
        let mut state = self.0.lock();
        if state.phase == Phase::Votes {
            return;
        }
        let round = Round::new(activity.epoch(), activity.view());
        let is_me = |signer: Participant| me.is_some_and(|me| signer.get() == u32::from(me));
        let (vote, signers) = match activity {
            Activity::Notarize(vote) => (is_me(vote.signer()), None),
            Activity::Nullify(vote) => (is_me(vote.signer()), None),
            Activity::Finalize(vote) => (is_me(vote.signer()), None),
            Activity::Notarization(of) | Activity::Certification(of) => {
                (false, Some(&of.certificate.signers))
            }
            Activity::Nullification(of) => (false, Some(&of.certificate.signers)),
            Activity::Finalization(of) => (false, Some(&of.certificate.signers)),
            _ => return,
        };
        if vote {
            state.signed = state.signed.max(round);
        }
        let Some(signers) = signers else { return };
        if signers.iter().any(is_me) {
            state.own = state.own.max(round);
        }
        if round > state.seen {
            state.seen = round;
            state.moved = Some(now);
        }
    }

    /// A new epoch begins here, or the others are seen to be in a later one: what was heard is of the past.
    pub(crate) fn pass(&self) {
        self.0.lock().forget();
    }

    /// Takes note of a validator that sends certificates.
    pub(crate) fn hear_from(&self, validator: NodeKey) {
        let mut state = self.0.lock();
        if state.phase != Phase::Votes {
            state.heard.insert(validator);
        }
    }

    /// Begins to listen where it did not: the network seems to be older than this disk. Anybody can make it
    /// seem so; a node that votes goes on.
    pub(crate) fn listen(&self) {
        let mut state = self.0.lock();
        if !state.has_signed {
            state.phase = Phase::Listens;
        }
    }

    /// Looks whether votes must be held back any longer. `others`: validators that make a quorum with this
    /// node; `connected`: how many are.
    pub(crate) fn look(&self, now: SystemTime, pace: &Pace, others: usize, connected: usize) -> Verdict {
        let mut state = self.0.lock();
        if state.phase == Phase::Votes {
            return Verdict::Wait;
        }
        if others == 0 {
            return Verdict::Vote(state.barrier);
        }
        if state.phase == Phase::Listens && !state.vouched && state.own > state.signed.max(state.barrier) {
            state.phase = Phase::Doubts;
            let (epoch, view) = (state.own.epoch().get(), state.own.view().get());
            return Verdict::Doubt(Doubt::Forgotten { epoch, view });
        }
        if connected < others {
            state.forget();
            return Verdict::Wait;
        }
        let ms = Duration::from_millis;
        let past = |moment: SystemTime| now.duration_since(moment).unwrap_or_default();
        let since = *state.since.get_or_insert(now);
        let seen = state.seen;
        if state.heard.len() >= others && past(*state.enough.get_or_insert(now)) >= ms(pace.retry_ms) {
            let told = *state.told.get_or_insert(seen);
            let ahead = told.view().get().saturating_add(VIEWS_AHEAD);
            let barrier = Round::new(told.epoch(), View::new(ahead)).max(state.barrier);
            if seen >= barrier {
                return Verdict::Vote(barrier);
            }
        }
        let still = past(state.moved.map_or(since, |moved| moved.max(since)));
        if state.phase == Phase::Listens && still >= ms(pace.leader_ms + pace.retry_ms / 2) {
            return Verdict::Vote(state.barrier);
        }
        Verdict::Wait
    }

    /// Lets votes above this round be signed. The round is on disk.
    pub(crate) fn release(&self, barrier: Round) {
        let mut state = self.0.lock();
        state.barrier = barrier;
        state.phase = Phase::Votes;
    }
}

impl State {
    fn forget(&mut self) {
        (self.since, self.enough, self.told) = (None, None, None);
        self.heard.clear();
    }
}

/// A validator's ear for certificates: who sends some is heard.
#[derive(Debug)]
pub(crate) struct Ears<R> {
    inner: R,
    guard: Guard,
    validators: Vec<NodeKey>,
}

impl<R> Ears<R> {
    pub(crate) fn new(inner: R, guard: Guard, validators: Vec<NodeKey>) -> Self {
        Self { inner, guard, validators }
    }
}

impl<R: Receiver<PublicKey = PublicKey>> Receiver for Ears<R> {
    type Error = R::Error;
    type PublicKey = PublicKey;

    async fn recv(&mut self) -> Result<Message<PublicKey>, R::Error> {
        let message = self.inner.recv().await?;
        let sender = key_of(&message.0);
        if self.validators.contains(&sender) {
            self.guard.hear_from(sender);
        }
        Ok(message)
    }

    fn capacity(&self) -> NonZeroUsize {
        self.inner.capacity()
    }
}

/// The round of an epoch and a view.
fn round(epoch: u64, view: u64) -> Round {
    Round::new(Epoch::new(epoch), View::new(view))
}

#[cfg(test)]
mod tests;
