//! The chain of an intake: headers and outlines, and what makes it whole.

use std::collections::{BTreeMap, BTreeSet};

use redb::{ReadableTable, WriteTransaction};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer, from_bytes, to_bytes};
use tabellion_ledger::limits::LANES_MAX;
use tabellion_ledger::merkle::{CompleteNode, Frontier};
use tabellion_ledger::{Block, Header, HeaderHash, Height, Lane, LaneState, Outline};

use super::{Intake, TARGET, Target, WANTED, intake_fault};
use crate::store::base::{CHECKPOINT, Checkpoint};
use crate::store::chain::{BODY_DELETED, Look, stored_header, write_block, write_header};
use crate::store::rows::{
    BODIES, FINALITY, FLOOR, HAND_OVER, HEIGHT, HELD_BLOCKS, HELD_VOTES, HISTORY, LANE_HEADER, META, PLACE,
    RANGE, read, write,
};
use crate::store::{StoreError, Tree};

/// Name of the row that says where the chain ends.
const END: &str = "chain end";
/// Bytes of that row: a header, and for each lane a frontier of 63 hashes at most.
const END_BYTES_MAX: usize = 256 * 1024;

/// Where the chain of headers of an intake ends.
///
/// Shape: [header, frontier over the headers before it, [[lane, lane state], ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    header: Header,
    headers: Frontier,
    lanes: BTreeMap<Lane, LaneState>,
}

/// What makes an intake a store.
#[derive(Debug)]
pub struct Finish<'a> {
    /// Blocks whose bodies the engine asks for: genesis, the last block of the epoch before, the block of the
    /// state.
    pub blocks: &'a [Block],
    /// The votes for the block of the state, and for earlier blocks, encoded.
    pub votes: &'a [(Height, HeaderHash, Vec<u8>)],
    /// Hand-over records by the number of the roster.
    pub hand_overs: &'a [(u64, Vec<u8>)],
}

impl ChainEnd {
    /// The last header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Takes in the next header with its block's outline. Returns the nodes of history trees that it
    /// completes.
    fn push(&mut self, header: &Header, outline: &Outline) -> Vec<(Tree, CompleteNode)> {
        let headers = self.headers.push(self.header.leaf());
        let mut nodes: Vec<_> = headers.into_iter().map(|node| (Tree::Headers, node)).collect();
        for lane in &outline.lanes {
            let (tree, state) =
                (Tree::Lane(lane.header.lane), self.lanes.entry(lane.header.lane).or_default());
            nodes.extend(state.history.push(lane.header.leaf()).into_iter().map(|node| (tree, node)));
            state.tip = lane.header.hash();
        }
        self.header = header.clone();
        nodes
    }
}

impl Intake {
    /// The end of the chain of headers so far; `None` before [`Self::begin_chain`].
    pub fn chain_end(&self) -> Result<Option<ChainEnd>, StoreError> {
        let row = read(&self.chain, |transaction| {
            Ok(transaction.open_table(META)?.get(END)?.map(|row| row.value().to_vec()))
        });
        let row = row.map_err(StoreError::look_up("the end of the chain"))?;
        let decoded = row.map(|row| from_bytes(&row, END_BYTES_MAX)).transpose();
        decoded.map_err(|error| StoreError::damaged("the end of the chain", error))
    }

    /// A header of the chain so far.
    pub fn header(&self, height: Height) -> Result<Option<Header>, StoreError> {
        stored_header(&self.chain, height)
    }

    /// Begins the chain with the genesis block.
    pub fn begin_chain(&self, genesis: &Block) -> Result<ChainEnd, StoreError> {
        let end =
            ChainEnd { header: genesis.header.clone(), headers: Frontier::default(), lanes: BTreeMap::new() };
        let written = write(&self.chain, |transaction| {
            write_block(transaction, &genesis.digest(), genesis, Look::Soon)?;
            write_end(transaction, &end)
        });
        written.map_err(intake_fault)?;
        Ok(end)
    }

    /// Takes in the headers that follow upon the end, with the outlines of their blocks, and votes for some
    /// of them, encoded. All must have been checked: links, signatures, outlines.
    ///
    /// Errors: [`StoreError::OutOfOrder`] for a header that does not follow; then nothing is taken in.
    pub fn put_chain(
        &self,
        end: &mut ChainEnd,
        entries: &[(Header, Outline)],
        votes: &[(Height, HeaderHash, Vec<u8>)],
    ) -> Result<(), StoreError> {
        let mut after = end.clone();
        let mut nodes = Vec::new();
        for (header, outline) in entries {
            if header.height != after.header.height.next() {
                return Err(StoreError::OutOfOrder { found: header.height });
            }
            nodes.extend(after.push(header, outline));
        }
        // Nodes first: a crash between the two writes the same nodes again.
        let written = write(&self.state, |transaction| {
            let mut history = transaction.open_table(HISTORY)?;
            for (tree, CompleteNode { level, index, hash }) in &nodes {
                history.insert((tree.number(), *level, *index), hash.as_bytes())?;
            }
            Ok(())
        });
        written.map_err(intake_fault)?;
        let written = write(&self.chain, |transaction| {
            for (header, outline) in entries {
                write_outline(transaction, header, outline)?;
            }
            write_votes(transaction, votes)?;
            write_end(transaction, &after)
        });
        written.map_err(intake_fault)?;
        *end = after;
        Ok(())
    }

    /// Makes the intake a store, whose newest state is the one aimed at.
    ///
    /// Errors: [`StoreError::Unconfirmed`] where the chain does not end at the state's block, or pieces are
    /// still wanted.
    pub fn finish(&self, finish: &Finish<'_>) -> Result<Target, StoreError> {
        let (target, end) = (self.target()?, self.chain_end()?);
        let Some((target, end)) = target.zip(end) else {
            return Err(StoreError::OutOfOrder { found: Height(0) });
        };
        let Target { height, digest, root } = target;
        let fits = end.header.hash() == digest && end.header.state_root == root;
        if !fits || !self.wanted()?.is_empty() {
            return Err(StoreError::Unconfirmed { height, root });
        }
        let written = write(&self.chain, |transaction| {
            for block in finish.blocks {
                write_block(transaction, &block.digest(), block, Look::Soon)?;
            }
            write_votes(transaction, finish.votes)?;
            write_ranges(transaction, height)?;
            let mut hand_overs = transaction.open_table(HAND_OVER)?;
            for (number, record) in finish.hand_overs {
                hand_overs.insert(*number, record.as_slice())?;
            }
            let mut meta = transaction.open_table(META)?;
            meta.insert(FLOOR, height.0.to_be_bytes().as_slice())?;
            meta.insert(BODIES, 1_u64.to_be_bytes().as_slice())?;
            meta.remove(END)?;
            Ok(())
        });
        written.map_err(intake_fault)?;
        let written = write(&self.state, |transaction| {
            transaction.delete_table(WANTED)?;
            let mut meta = transaction.open_table(META)?;
            meta.insert(CHECKPOINT, Checkpoint { height, digest, root }.to_bytes().as_slice())?;
            meta.remove(TARGET)?;
            Ok(())
        });
        written.map_err(intake_fault)?;
        Ok(target)
    }
}

/// A block's rows without its transactions; where the outline names them, their places.
fn write_outline(
    transaction: &WriteTransaction,
    header: &Header,
    outline: &Outline,
) -> Result<(), redb::Error> {
    write_header(transaction, &header.hash(), header)?;
    let mut lanes = transaction.open_table(LANE_HEADER)?;
    let mut places = transaction.open_table(PLACE)?;
    for lane in &outline.lanes {
        let key = (header.height.0, lane.header.lane.number());
        lanes.insert(key, [[BODY_DELETED].as_slice(), &to_bytes(&lane.header)].concat().as_slice())?;
        for (index, record) in (0..).zip(lane.records.iter().flatten()) {
            places.insert(record.id.as_bytes(), (key.0, key.1, index))?;
        }
    }
    Ok(())
}

fn write_votes(
    transaction: &WriteTransaction,
    votes: &[(Height, HeaderHash, Vec<u8>)],
) -> Result<(), redb::Error> {
    let (mut finality, mut heights) = (transaction.open_table(FINALITY)?, transaction.open_table(HEIGHT)?);
    for (height, digest, votes) in votes {
        finality.insert(height.0, [digest.as_bytes().as_slice(), votes].concat().as_slice())?;
        heights.insert(digest.as_bytes(), height.0)?;
    }
    Ok(())
}

/// All headers are held up to the state's; votes for some blocks.
fn write_ranges(transaction: &WriteTransaction, last: Height) -> Result<(), redb::Error> {
    let mut ranges = transaction.open_table(RANGE)?;
    ranges.insert((HELD_BLOCKS, 0), last.0)?;
    let finality = transaction.open_table(FINALITY)?;
    let heights: BTreeSet<u64> =
        finality.iter()?.map(|row| Ok(row?.0.value())).collect::<Result<_, redb::Error>>()?;
    let mut first = None;
    for height in &heights {
        let start = *first.get_or_insert(*height);
        if !heights.contains(&(height + 1)) {
            ranges.insert((HELD_VOTES, start), *height)?;
            first = None;
        }
    }
    Ok(())
}

fn write_end(transaction: &WriteTransaction, end: &ChainEnd) -> Result<(), redb::Error> {
    transaction.open_table(META)?.insert(END, to_bytes(end).as_slice())?;
    Ok(())
}

impl Wire for ChainEnd {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.header.encode(out);
        self.headers.encode(out);
        out.array(self.lanes.len());
        for (lane, state) in &self.lanes {
            out.array(2);
            lane.encode(out);
            state.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        let (header, headers) = (Header::decode(input)?, Frontier::decode(input)?);
        let mut lanes = BTreeMap::new();
        for _ in 0..input.array(LANES_MAX)? {
            input.array_exact(2)?;
            lanes.insert(Lane::decode(input)?, LaneState::decode(input)?);
        }
        Ok(Self { header, headers, lanes })
    }
}
