//! What is believed, and what becomes of it.

use std::sync::Arc;

use tabellion_client::Trust;
use tabellion_ledger::{Block, FinalityProof, HandOver, HeaderHash, Height, cbor};
use tabellion_machine::ChainHeader;

use super::fault::FollowFault;
use crate::core::{Core, FinalBlock};
use crate::error::NodeError;

/// Bytes of a hand-over in the store: as many headers as an epoch has blocks.
const HAND_OVER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Extends the chain of a core by blocks of which it is shown that a quorum finalised them.
pub(super) struct Follower {
    core: Arc<Core>,
    trust: Trust,
}

impl Follower {
    /// Trust from the genesis document and the changes of validators in the store.
    pub(super) fn new(core: Arc<Core>) -> Result<Self, NodeError> {
        let mut trust = Trust::new(core.document().clone());
        let rows = core.store().hand_overs(0, usize::MAX).map_err(NodeError::Store)?;
        for row in rows {
            let number = trust.roster().number() + 1;
            let record: Option<HandOver> = cbor::from_bytes(&row, HAND_OVER_BYTES_MAX).ok();
            let record = record.ok_or(NodeError::NoHandOver { number })?;
            trust.learn(&record).map_err(|_| NodeError::NoHandOver { number })?;
        }
        Ok(Self { core, trust })
    }

    pub(super) fn core(&self) -> &Arc<Core> {
        &self.core
    }

    pub(super) fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The next block that is wanted.
    pub(super) fn next_height(&self) -> Height {
        self.core.newest().height.next()
    }

    /// Takes in changes of validators; those that are known already are passed over.
    pub(super) fn learn(&mut self, hand_overs: &[HandOver]) -> Result<(), FollowFault> {
        for hand_over in hand_overs {
            if hand_over.roster.number() > self.trust.roster().number() {
                self.trust.learn(hand_over)?;
            }
        }
        Ok(())
    }

    /// Checks headers that are to follow upon the newest block here. Returns those up to the last one with
    /// signatures, which stand for all before it; the others are for later.
    pub(super) fn believe(&self, mut headers: Vec<ChainHeader>) -> Result<Vec<ChainHeader>, FollowFault> {
        let is_final = |entry: &ChainHeader| matches!(entry, ChainHeader::Final(_));
        let Some(end) = headers.iter().rposition(is_final) else { return Ok(Vec::new()) };
        headers.truncate(end + 1);
        let (mut expected, mut before) = (self.next_height(), None);
        for entry in &headers {
            let header = entry.header();
            let found = header.height;
            if found != expected {
                return Err(FollowFault::Order { expected, found });
            }
            if before.is_some_and(|before| header.previous != before) {
                return Err(FollowFault::Link { height: found });
            }
            (before, expected) = (Some(header.hash()), found.next());
        }
        for entry in &headers {
            if let ChainHeader::Final(proof) = entry {
                self.trust.finality(proof)?;
            }
        }
        // Signed, and yet not upon what is here: a quorum contradicts itself.
        if let Some(first) = headers.first() {
            self.fits(first.header().previous)?;
        }
        Ok(headers)
    }

    /// Whether a block that a quorum stands for follows upon the newest one here.
    pub(super) fn fits(&self, previous: HeaderHash) -> Result<(), FollowFault> {
        let (height, here) = (self.core.newest().height, self.core.newest_digest());
        match previous == here {
            true => Ok(()),
            false => Err(FollowFault::Fork { height, here, there: previous }),
        }
    }

    /// Checks that a body is the one of a believed header.
    pub(super) fn body(entry: &ChainHeader, block: Block) -> Result<FinalBlock, FollowFault> {
        let height = entry.header().height;
        let fits = block.header == *entry.header() && block.carried.is_empty();
        if !fits || block.check_body().is_err() {
            return Err(FollowFault::Body { height });
        }
        Ok((Arc::new(block), proof_of(entry)))
    }
}

fn proof_of(entry: &ChainHeader) -> Option<FinalityProof> {
    match entry {
        ChainHeader::Final(proof) => Some(proof.clone()),
        ChainHeader::Linked(_) => None,
    }
}
