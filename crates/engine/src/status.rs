//! What an engine tells about itself.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use commonware_utils::channel::watch;
use tabellion_ledger::{Height, TimeMs};

use crate::guard::Guard;

/// No vote is held back; why some are.
const FREE: u8 = 0;
const LISTENS: u8 = 1;
const DOUBTS: u8 = 2;

/// Whether a node signs votes, and why not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Voting {
    /// It has no seat in the current epoch.
    #[default]
    Follows,
    /// It has a seat, and hears the others for a moment after a restart before it votes.
    Listens,
    /// It has a seat, and does not vote before the others have moved on: its disk may be an old copy.
    Doubts,
    /// It has a seat and votes.
    Votes,
}

impl fmt::Display for Voting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Follows => "follows",
            Self::Listens => "listens",
            Self::Doubts => "doubts",
            Self::Votes => "votes",
        })
    }
}

/// One look at an engine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusView {
    /// The current epoch.
    pub epoch: u64,
    /// The current view in it. Moves on also while nothing is to do.
    pub view: u64,
    /// Whether this node has a seat in the current epoch.
    pub validator: bool,
    /// Whether it votes there.
    pub voting: Voting,
    /// Height of the highest block known to be finalised.
    pub finalised: Height,
    /// Height of the highest block that the application has committed here.
    pub committed: Height,
    /// When a block was last committed; 0 before the first since start. Unit: Unix milliseconds.
    pub committed_at: TimeMs,
    /// Peers connected.
    pub peers: usize,
    /// Proposals voted down since start.
    pub voted_down: u64,
}

/// A handle to an engine's state, cheap to clone and to read.
#[derive(Clone, Debug)]
pub struct EngineStatus(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    epoch: AtomicU64,
    view: AtomicU64,
    validator: AtomicBool,
    held: AtomicU8,
    finalised: AtomicU64,
    committed_at: AtomicU64,
    peers: AtomicUsize,
    voted_down: AtomicU64,
    committed: watch::Sender<u64>,
}

impl Default for EngineStatus {
    fn default() -> Self {
        Self(Arc::new(Inner {
            epoch: AtomicU64::default(),
            view: AtomicU64::default(),
            validator: AtomicBool::default(),
            held: AtomicU8::default(),
            finalised: AtomicU64::default(),
            committed_at: AtomicU64::default(),
            peers: AtomicUsize::default(),
            voted_down: AtomicU64::default(),
            committed: watch::channel(0).0,
        }))
    }
}

impl EngineStatus {
    /// The state now.
    pub fn view(&self) -> StatusView {
        let inner = &self.0;
        StatusView {
            epoch: inner.epoch.load(Relaxed),
            view: inner.view.load(Relaxed),
            validator: inner.validator.load(Relaxed),
            voting: match (inner.validator.load(Relaxed), inner.held.load(Relaxed)) {
                (false, _) => Voting::Follows,
                (true, FREE) => Voting::Votes,
                (true, LISTENS) => Voting::Listens,
                (true, _) => Voting::Doubts,
            },
            finalised: Height(inner.finalised.load(Relaxed)),
            committed: Height(*inner.committed.borrow()),
            committed_at: TimeMs(inner.committed_at.load(Relaxed)),
            peers: inner.peers.load(Relaxed),
            voted_down: inner.voted_down.load(Relaxed),
        }
    }

    /// Resolves when a block of this height or above is committed here.
    pub async fn committed(&self, height: Height) {
        let mut committed = self.0.committed.subscribe();
        // The sender lives as long as this handle, so the wait cannot fail.
        let _ = committed.wait_for(|at| *at >= height.0).await;
    }

    pub(crate) fn enter(&self, epoch: u64, validator: bool) {
        self.0.epoch.store(epoch, Relaxed);
        self.0.view.store(0, Relaxed);
        self.0.validator.store(validator, Relaxed);
    }

    /// Tells whether votes are held back, and why.
    pub(crate) fn hold(&self, guard: &Guard) {
        let held = match (guard.holds(), guard.doubts()) {
            (false, _) => FREE,
            (true, false) => LISTENS,
            (true, true) => DOUBTS,
        };
        self.0.held.store(held, Relaxed);
    }

    pub(crate) fn see_view(&self, epoch: u64, view: u64) {
        if self.0.epoch.load(Relaxed) == epoch {
            self.0.view.fetch_max(view, Relaxed);
        }
    }

    pub(crate) fn see_finalised(&self, height: u64) {
        self.0.finalised.fetch_max(height, Relaxed);
    }

    pub(crate) fn see_committed(&self, height: u64, at: TimeMs) {
        self.0.committed_at.store(at.0, Relaxed);
        self.see_finalised(height);
        self.0.committed.send_if_modified(|before| height > std::mem::replace(before, height.max(*before)));
    }

    pub(crate) fn see_voted_down(&self) {
        self.0.voted_down.fetch_add(1, Relaxed);
    }

    pub(crate) fn connected(&self) -> Connection {
        self.0.peers.fetch_add(1, Relaxed);
        Connection(self.clone())
    }
}

/// A live connection; counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Connection(EngineStatus);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.0.peers.fetch_sub(1, Relaxed);
    }
}
