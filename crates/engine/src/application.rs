//! The seam: what the machine offers to the engine.

use std::sync::Arc;

use bytes::Bytes;
use tabellion_ledger::{Block, Equivocation, FinalityProof, HeaderHash, TimeMs, cbor};

use crate::committee::{Committee, NodeKey};
use crate::store::StoreError;

/// Whether there is something to put into a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Build at once.
    Now,
    /// Build at this moment, if nothing wakes the engine before: a heartbeat, a publication that is due.
    At(TimeMs),
    /// Nothing to do until [`Waker::wake`](crate::Waker::wake).
    Idle,
}

/// What the machine offers to the engine.
///
/// All methods are synchronous. `build`, `check`, `adopt` and `commit` may take long: the engine calls them
/// where blocking is allowed (a pool of threads in production, inline in the simulation). The others must
/// return in microseconds. Given equal calls in equal order the answers must be equal, or a simulation cannot
/// be replayed.
pub trait Application: Send + Sync + 'static {
    /// The block at height 0.
    fn genesis(&self) -> Arc<Block>;

    /// Who votes and who listens in an epoch; `None` where the state does not say yet.
    ///
    /// Must answer for every epoch from the one of the last committed block on, and for the next one once its
    /// predecessor's last block is committed.
    fn committee(&self, epoch: u64) -> Option<Committee>;

    /// Whether the state after this block is at hand: it is the last committed one, or was built, checked or
    /// adopted here and is not yet decided.
    fn knows(&self, block: HeaderHash) -> bool;

    /// Whether there is something to put into a block upon `parent`.
    fn work(&self, parent: HeaderHash, now: TimeMs) -> Work;

    /// Builds a block upon `parent`, which may not be finalised yet. `None`: nothing to do, or the parent is
    /// unknown.
    ///
    /// `proposer` is this node's place in the roster. Must return well within the leader's patience
    /// ([`Pace::leader_ms`](crate::Pace)), or the others stop waiting for this block.
    fn build(&self, parent: &Arc<Block>, proposer: u16, now: TimeMs) -> Option<Arc<Block>>;

    /// Checks a proposed block by executing it upon its parent's state. `Err`: vote it down, with the reason
    /// for the log. The engine has checked height, parent link, proposer, size and that the body is the
    /// header's.
    fn check(&self, parent: &Arc<Block>, block: &Arc<Block>, now: TimeMs) -> Result<(), String>;

    /// Executes a block that a quorum has accepted while this node did not look, so that blocks upon it can
    /// be built and checked. As [`check`](Self::check), but against no clock and without what is not
    /// recorded.
    fn adopt(&self, parent: &Arc<Block>, block: &Arc<Block>) -> Result<(), String>;

    /// Takes a finalised block: what it does must be durable, or recoverable from the
    /// [`BlockStore`](crate::BlockStore), when this returns. Blocks come in order of height without gaps,
    /// each at least once; a repeated height is acknowledged again and changes nothing. `Err` stops the node.
    ///
    /// The block may never have been checked here: a node that catches up sees finalised blocks only, and
    /// they may come without what is not recorded.
    ///
    /// `proof` is `None` for a block that was finalised by a later one: the proof of the next block that has
    /// one, together with the headers between, proves it.
    fn commit(&self, block: Arc<Block>, proof: Option<FinalityProof>) -> Result<(), StoreError>;

    /// A message of the pool's channel from a peer. Must only take it over: its check belongs to another
    /// thread.
    fn receive(&self, peer: NodeKey, message: Bytes);

    /// Evidence, verified, that a validator voted two ways in one view. Consensus goes on without it, and the
    /// engine talks no more to that validator for a while; what else becomes of it is for its peers to say.
    /// Must only take it over. One validator may be accused again, of another view or after a restart.
    fn accuse(&self, evidence: Equivocation) {
        tracing::error!(
            validator = %NodeKey(evidence.validator),
            epoch = evidence.epoch,
            view = evidence.view,
            evidence = %hex::encode(cbor::to_bytes(&evidence)),
            "a validator voted two ways"
        );
    }
}
