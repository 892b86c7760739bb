//! Verifying the chain block by block: links and bodies, or everything executed again.

use std::collections::BTreeMap;

use tabellion_ledger::merkle::Frontier;
use tabellion_ledger::{
    Block, BlockFault, FinalityProof, Header, HeaderHash, Height, Lane, LaneHeader, LaneState, Outline,
};
use tabellion_machine::{MemoryState, Notice, Replay, ReplayFault, RulesetFault};
use thiserror::Error;

use crate::light::{LightError, check_link};
use crate::trust::{ProvedBy, Trust, TrustError};

/// Why the chain does not hold.
#[derive(Debug, Error)]
pub enum ChainFault {
    /// A header does not follow from the one before.
    #[error(transparent)]
    Link(#[from] LightError),
    /// A body is not the one that its header commits to.
    #[error("the body of block {height} is not the one that its header commits to: {fault}")]
    Body {
        /// The block.
        height: Height,
        /// What is wrong.
        fault: BlockFault,
    },
    /// A lane header does not follow from the lane's one before.
    #[error("in block {height}, the header of lane {lane} does not follow from the lane's one before")]
    LaneLink {
        /// The block.
        height: Height,
        /// The lane.
        lane: Lane,
    },
    /// A block that is to be executed has no body.
    #[error("block {height} cannot be executed again: no node that was asked holds its body any more")]
    BodyGone {
        /// The block.
        height: Height,
    },
    /// Execution gives something else than the block says.
    #[error("executing the chain again gives another result")]
    Replay(#[from] ReplayFault),
    /// The genesis document cannot be followed.
    #[error("this program cannot follow the genesis document")]
    Genesis(#[from] RulesetFault),
    /// The finality proof of the last block fails.
    #[error(transparent)]
    Finality(#[from] TrustError),
    /// The finality proof is for another header than the last block's.
    #[error("the finality proof is for header {proved}, the last block verified is {last}")]
    OtherEnd {
        /// The header that is proved.
        proved: HeaderHash,
        /// The last block's.
        last: HeaderHash,
    },
}

/// What was verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainReport {
    /// Blocks, the genesis block not counted.
    pub blocks: u64,
    /// Transactions in them.
    pub transactions: u64,
    /// Blocks of which a body is gone everywhere that was asked: verified by header and lane headers.
    pub without_body: u64,
    /// Whether they were executed again.
    pub executed: bool,
    /// The last header and who finalised it, and with it all before.
    pub by: ProvedBy,
}

/// Verifies a chain block by block, from the genesis block on; free of I/O.
pub struct ChainCheck {
    trust: Trust,
    header: Header,
    history: Frontier,
    lanes: BTreeMap<Lane, LaneState>,
    replay: Option<Replay>,
    transactions: u64,
    without_body: u64,
}

impl ChainCheck {
    /// Begins at the genesis block; with `execute`, every block is executed again on a state in memory.
    pub fn new(trust: Trust, execute: bool) -> Result<Self, ChainFault> {
        let header = tabellion_machine::genesis(trust.genesis())?.block.header;
        let replay = if execute { Some(Replay::new(trust.genesis())?) } else { None };
        let (history, lanes) = (Frontier::default(), BTreeMap::new());
        Ok(Self { trust, header, history, lanes, replay, transactions: 0, without_body: 0 })
    }

    /// The height of the next block.
    pub fn next_height(&self) -> Height {
        self.header.height.next()
    }

    /// The state after the newest block, where blocks are executed.
    pub fn state(&self) -> Option<&MemoryState> {
        self.replay.as_ref().map(Replay::state)
    }

    /// Verifies the next block. Returns what happened in it, where blocks are executed.
    pub fn next(&mut self, block: &Block) -> Result<Vec<Notice>, ChainFault> {
        let height = block.header.height;
        let history = self.history_of(&block.header)?;
        block.check_body().map_err(|fault| ChainFault::Body { height, fault })?;
        self.link_lanes(height, block.lanes.iter().map(|body| &body.header))?;
        let notices = match &mut self.replay {
            Some(replay) => replay.accept(block)?.notices,
            None => Vec::new(),
        };
        self.transactions += u64::try_from(block.transaction_count()).unwrap_or_default();
        (self.header, self.history) = (block.header.clone(), history);
        Ok(notices)
    }

    /// Verifies the next block where a body of it was deleted: by its header and lane headers, which stay.
    ///
    /// Source: X.1409 A.3. Refuses: [`ChainFault::BodyGone`] where blocks are executed.
    pub fn next_without_body(&mut self, header: &Header, outline: &Outline) -> Result<(), ChainFault> {
        let height = header.height;
        if self.replay.is_some() {
            return Err(ChainFault::BodyGone { height });
        }
        let history = self.history_of(header)?;
        outline.check(header).map_err(|fault| ChainFault::Body { height, fault })?;
        self.link_lanes(height, outline.lanes.iter().map(|lane| &lane.header))?;
        let count = |lane: &LaneHeader| u64::from(lane.record_count);
        self.transactions += outline.lanes.iter().map(|lane| count(&lane.header)).sum::<u64>();
        self.without_body += 1;
        (self.header, self.history) = (header.clone(), history);
        Ok(())
    }

    /// Checks that a header follows; the history that the one after it must carry.
    fn history_of(&self, header: &Header) -> Result<Frontier, ChainFault> {
        let mut history = self.history.clone();
        history.push(self.header.leaf());
        check_link(&self.header, &history, header)?;
        Ok(history)
    }

    fn link_lanes<'a>(
        &mut self,
        height: Height,
        headers: impl Iterator<Item = &'a LaneHeader>,
    ) -> Result<(), ChainFault> {
        for header in headers {
            let state = self.lanes.entry(header.lane).or_default();
            if header.previous != state.tip || header.history_root != state.history.root() {
                return Err(ChainFault::LaneLink { height, lane: header.lane });
            }
            state.history.push(header.leaf());
            state.tip = header.hash();
        }
        Ok(())
    }

    /// Ends at the last block, which a quorum must have finalised; that makes all before it final too.
    pub fn finish(self, proof: &FinalityProof) -> Result<ChainReport, ChainFault> {
        let trust = self.trust.clone();
        self.finish_under(&trust, proof)
    }

    /// The same, where the validators of the last block were learned meanwhile.
    pub fn finish_under(self, trust: &Trust, proof: &FinalityProof) -> Result<ChainReport, ChainFault> {
        let by = trust.finality(proof)?;
        let (proved, last) = (proof.header.hash(), self.header.hash());
        if proved != last {
            return Err(ChainFault::OtherEnd { proved, last });
        }
        let (blocks, executed) = (self.header.height.0, self.replay.is_some());
        let Self { transactions, without_body, .. } = self;
        Ok(ChainReport { blocks, transactions, without_body, executed, by })
    }
}
