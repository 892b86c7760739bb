//! From checked transactions to a block, and from a block to the state after it.
//!
//! Rules of execution. Transactions apply in the order of lanes and records, each upon the state that the
//! ones before left. A transaction that is refused is no part of a block: a leader leaves it out, a validator
//! votes the block down. Then every service closes the block. Last the chain's own records: the tree over
//! earlier headers, and the lanes. Leader and validator run the same function; a validator compares the
//! header that comes out.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabellion_ledger::merkle::CompleteNode;
use tabellion_ledger::trie::{self, Pages, TrieFault};
use tabellion_ledger::{
    Block, Context, Effects, FORMAT_VERSION, Header, HeaderHash, Height, HistoryState, Lane, LaneBody,
    LaneHeader, LaneState, Staged, StateKey, TimeMs, Transaction, TransactionId, View, Writes, cbor, read,
    sha256,
};
use thiserror::Error;

use crate::event::{Event, Notice};
use crate::refusal::Refusal;
use crate::ruleset::{Ruleset, judge};
use crate::transaction::{Checked, apply, results_for_others};

/// The block upon which the next one is built, and the state after it.
#[derive(Clone, Copy)]
pub struct Parent<'a> {
    /// Its header.
    pub header: &'a Header,
    /// The state after it.
    pub view: &'a dyn View,
    /// The trie of that state.
    pub pages: &'a dyn Pages,
}

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The block.
    pub height: Height,
    /// The lane.
    pub lane: Lane,
    /// The place in the lane, from 0.
    pub index: u32,
}

/// What a block makes of the state.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The block.
    pub block: Arc<Block>,
    /// Its digest.
    pub digest: HeaderHash,
    /// Records to write.
    pub writes: Writes,
    /// The new root and the pages of the trie to write.
    pub trie: trie::Update,
    /// Nodes that the tree over all headers completed with the parent's.
    pub header_nodes: Vec<CompleteNode>,
    /// Nodes that the trees over lane headers completed.
    pub lane_nodes: Vec<(Lane, CompleteNode)>,
    /// What happened.
    pub notices: Vec<Notice>,
    /// Where its transactions stand.
    pub transactions: BTreeMap<TransactionId, Location>,
    /// Its transactions as they were checked, in order of lanes and records.
    pub checked: Vec<Arc<Checked>>,
}

/// What a leader made: a block, and the transactions that it had to leave out.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The block and its outcome.
    pub outcome: Outcome,
    /// Transactions that are refused upon this state.
    pub refused: Vec<(TransactionId, Refusal)>,
}

/// Why a block is voted down.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockFault {
    /// The body is not the header's.
    #[error("the body is not the one that the header commits to: {0}")]
    Body(tabellion_ledger::BlockFault),
    /// A transaction that is refused.
    #[error("transaction {id} is refused: {refusal}")]
    Refused {
        /// The transaction.
        id: TransactionId,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// A transaction that was checked under other parameters, or another one than the block's.
    #[error("transaction number {index} was not checked for this block")]
    Unchecked {
        /// Its place in the block.
        index: usize,
    },
    /// A field of the header that differs from what execution gives.
    #[error("the header's {field} is not the one that execution gives")]
    Header {
        /// The field.
        field: &'static str,
    },
    /// The time goes back.
    #[error("block time {time} lies before the parent's, {parent} (ms)")]
    TimeBack {
        /// Time of the block.
        time: TimeMs,
        /// Time of its parent.
        parent: TimeMs,
    },
    /// Nothing in it, and no heartbeat or scheduled publication is due.
    #[error("the block is empty and nothing is due")]
    Empty,
    /// More bytes than the parameters allow.
    #[error("the block has {bytes} bytes, the limit is {bytes_max}")]
    TooLarge {
        /// Bytes found.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// More transactions than the parameters allow.
    #[error("the block has {count} transactions, the limit is {count_max}")]
    TooMany {
        /// Transactions found.
        count: u64,
        /// The limit.
        count_max: u64,
    },
    /// The trie's pages are broken: a fault of the store, which stops the node.
    #[error("the state trie is broken")]
    Trie(#[source] TrieFault),
}

/// When a block is due though no transaction waits: the first one, a heartbeat, the start of a scheduled
/// publication, the deadline of a proposal, or at once while a change of validators waits for its epoch's
/// end.
pub fn next_due(parent: &Parent<'_>, rules: &Ruleset) -> Option<TimeMs> {
    let heartbeat_ms = rules.parameters().block.heartbeat_ms;
    let heartbeat = match parent.header.height {
        // Nothing is proved before a quorum has signed a first block.
        Height(0) => Some(parent.header.time),
        _ => (heartbeat_ms > 0).then(|| parent.header.time.plus(heartbeat_ms)),
    };
    let start = match tabellion_consortium::stop(parent.view) {
        None => tabellion_pki::next_start(parent.view),
        Some(_) => None,
    };
    let governing = tabellion_consortium::next_due(parent.view);
    [heartbeat, start, governing].into_iter().flatten().min()
}

/// Whether an empty block is due at `time`.
pub fn is_due(parent: &Parent<'_>, rules: &Ruleset, time: TimeMs) -> bool {
    next_due(parent, rules).is_some_and(|due| due <= time)
}

/// Builds a block at `time` of as many of `candidates` as hold and fit, in their order (X.1409 L4, C9).
///
/// Refuses: a block with nothing in it when nothing is due.
pub fn build(
    parent: &Parent<'_>,
    rules: &Ruleset,
    candidates: &[Arc<Checked>],
    time: TimeMs,
    proposer: u16,
) -> Result<Proposal, BlockFault> {
    let time = time.max(parent.header.time);
    let mut run = Run::start(parent, rules, time);
    let mut refused = Vec::new();
    let mut room = Room::of(rules);
    for checked in ordered(candidates) {
        if !room.fits(checked) {
            continue;
        }
        match run.transaction(checked) {
            Ok(()) => room.take(checked),
            Err(refusal) => refused.push((checked.id(), refusal)),
        }
    }
    if run.accepted.is_empty() && !is_due(parent, rules, time) {
        return Err(BlockFault::Empty);
    }
    Ok(Proposal { outcome: run.finish(proposer)?, refused })
}

/// Lanes ascend in a block; within a lane the order of arrival stays.
fn ordered(candidates: &[Arc<Checked>]) -> Vec<&Arc<Checked>> {
    let mut candidates: Vec<_> = candidates.iter().collect();
    candidates.sort_by_key(|checked| checked.transaction().content().lane);
    candidates
}

/// Executes a block upon its parent's state and compares what comes out with its header.
///
/// `checked` holds the block's transactions in order, each checked under these parameters.
pub fn execute(
    parent: &Parent<'_>,
    rules: &Ruleset,
    block: &Block,
    checked: &[Arc<Checked>],
) -> Result<Outcome, BlockFault> {
    let header = &block.header;
    if header.time < parent.header.time {
        return Err(BlockFault::TimeBack { time: header.time, parent: parent.header.time });
    }
    block.check_body().map_err(BlockFault::Body)?;
    check_size(block, rules)?;
    if block.lanes.is_empty() && !is_due(parent, rules, header.time) {
        return Err(BlockFault::Empty);
    }
    let mut run = Run::start(parent, rules, header.time);
    let count = block.transaction_count();
    for (index, transaction) in block.transactions().enumerate() {
        let known =
            checked.get(index).filter(|known| is_same(known, transaction, rules) && checked.len() == count);
        let known = known.ok_or(BlockFault::Unchecked { index })?;
        run.transaction(known)
            .map_err(|refusal| BlockFault::Refused { id: transaction.id(), refusal: Box::new(refusal) })?;
    }
    let outcome = run.finish(header.proposer)?;
    compare(header, &outcome.block.header)?;
    Ok(outcome)
}

fn is_same(known: &Checked, transaction: &Transaction, rules: &Ruleset) -> bool {
    let same_signature = known.transaction().envelope() == transaction.envelope();
    let same_attachments = match rules.records_attachments(transaction.content().lane) {
        true => known.transaction().attachments() == transaction.attachments(),
        false => transaction.attachments().is_empty(),
    };
    known.is_under(rules) && same_signature && same_attachments
}

fn check_size(block: &Block, rules: &Ruleset) -> Result<(), BlockFault> {
    let limits = &rules.parameters().block;
    let bytes_of = |lane: &LaneBody| lane.transactions.iter().map(|tx| length(tx.as_bytes())).sum::<u64>();
    let bytes = block.lanes.iter().map(bytes_of).sum();
    if bytes > limits.block_bytes_max {
        return Err(BlockFault::TooLarge { bytes, bytes_max: limits.block_bytes_max });
    }
    let count = u64::try_from(block.transaction_count()).unwrap_or(u64::MAX);
    if count > limits.block_transactions_max {
        return Err(BlockFault::TooMany { count, count_max: limits.block_transactions_max });
    }
    Ok(())
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("invariant: usize fits u64")
}

fn compare(said: &Header, found: &Header) -> Result<(), BlockFault> {
    let fields = [
        ("version", said.version == found.version),
        ("ledger", said.ledger == found.ledger),
        ("height", said.height == found.height),
        ("previous header", said.previous == found.previous),
        ("roster", said.roster == found.roster),
        ("next roster", said.next_roster == found.next_roster),
        ("history root", said.history_root == found.history_root),
        ("lanes root", said.lanes_root == found.lanes_root),
        ("state root", said.state_root == found.state_root),
    ];
    match fields.into_iter().find(|(_, same)| !same) {
        Some((field, _)) => Err(BlockFault::Header { field }),
        None => Ok(()),
    }
}

/// What is left of a block's limits.
struct Room {
    bytes: u64,
    transactions: u64,
}

impl Room {
    fn of(rules: &Ruleset) -> Self {
        let limits = &rules.parameters().block;
        Self { bytes: limits.block_bytes_max, transactions: limits.block_transactions_max }
    }

    fn fits(&self, checked: &Checked) -> bool {
        self.transactions > 0 && checked.bytes() <= self.bytes
    }

    fn take(&mut self, checked: &Checked) {
        self.transactions -= 1;
        self.bytes -= checked.bytes();
    }
}

/// The execution of one block.
struct Run<'a> {
    parent: &'a Parent<'a>,
    rules: &'a Ruleset,
    ctx: Context,
    state: Staged<'a>,
    accepted: Vec<Arc<Checked>>,
    next_index: BTreeMap<Lane, u32>,
    lane_nodes: Vec<(Lane, CompleteNode)>,
    transactions: BTreeMap<TransactionId, Location>,
    notices: Vec<Notice>,
}

impl<'a> Run<'a> {
    fn start(parent: &'a Parent<'a>, rules: &'a Ruleset, time: TimeMs) -> Self {
        let ctx = Context {
            ledger: rules.ledger(),
            height: parent.header.height.next(),
            time,
            previous_time: parent.header.time,
        };
        let state = Staged::over(parent.view);
        Self {
            parent,
            rules,
            ctx,
            state,
            accepted: Vec::new(),
            next_index: BTreeMap::new(),
            lane_nodes: Vec::new(),
            transactions: BTreeMap::new(),
            notices: Vec::new(),
        }
    }

    fn transaction(&mut self, checked: &Arc<Checked>) -> Result<(), Refusal> {
        let (id, lane) = (checked.id(), checked.transaction().content().lane);
        if self.transactions.contains_key(&id) {
            return Err(Refusal::Replayed { id, height: self.ctx.height });
        }
        let effects = apply(checked, &self.ctx, self.rules, &self.state)?;
        let next = self.next_index.entry(lane).or_default();
        self.transactions.insert(id, Location { height: self.ctx.height, lane, index: *next });
        *next += 1;
        self.accepted.push(checked.clone());
        self.merge(effects, Some(id));
        Ok(())
    }

    fn merge(&mut self, effects: Effects<Event>, transaction: Option<TransactionId>) {
        self.state.merge(effects.writes);
        let Context { height, time, .. } = self.ctx;
        let notice = |event| Notice { height, time, transaction, event };
        self.notices.extend(effects.events.into_iter().map(notice));
    }

    fn close(&mut self) {
        if tabellion_consortium::stop(&self.state).is_none() {
            let Effects { writes, events } =
                tabellion_pki::close(&self.ctx, &self.rules.certificate_rules(), &self.state);
            let results = results_for_others(&events, None, &self.state);
            let events = events.into_iter().map(Event::Certificate).collect();
            self.merge(Effects { writes, events }, None);
            self.state.merge(results);
        }
        // Last, so that what the members decided holds from the next block on.
        let previous = self.parent.header.hash();
        let epoch_blocks = self.rules.parameters().block.epoch_blocks;
        let Effects { writes, events } =
            tabellion_consortium::close(&self.ctx, &previous, epoch_blocks, &judge, &self.state);
        self.merge(Effects { writes, events: events.into_iter().map(Event::Consortium).collect() }, None);
    }

    fn finish(mut self, proposer: u16) -> Result<Outcome, BlockFault> {
        self.close();
        let lanes = self.lanes();
        let mut history: HistoryState = read(&self.state, &HistoryState::key()).unwrap_or_default();
        let header_nodes = history.0.push(self.parent.header.leaf());
        let history_root = history.0.root();
        self.state.put(HistoryState::key(), cbor::to_bytes(&history));
        let roster = self.parent.header.next_roster;
        let next_roster = tabellion_consortium::roster(&self.state).hash();
        let carried = self.carried();
        let writes = self.state.into_writes();
        let trie = trie::update(self.parent.pages, &self.parent.header.state_root, &value_hashes(&writes))
            .map_err(BlockFault::Trie)?;
        let header = Header {
            version: FORMAT_VERSION,
            ledger: self.ctx.ledger,
            height: self.ctx.height,
            previous: self.parent.header.hash(),
            time: self.ctx.time,
            proposer,
            lanes_root: Block::lanes_root(&lanes),
            state_root: trie.root,
            roster,
            next_roster,
            history_root,
        };
        let digest = header.hash();
        let block = Arc::new(Block { header, lanes, carried });
        let Self { notices, transactions, lane_nodes, accepted: checked, .. } = self;
        Ok(Outcome { block, digest, writes, trie, header_nodes, lane_nodes, notices, transactions, checked })
    }

    /// Makes the lanes and moves their chains of headers on.
    fn lanes(&mut self) -> Vec<LaneBody> {
        let accepted = std::mem::take(&mut self.accepted);
        let bodies = accepted
            .chunk_by(|a, b| a.transaction().content().lane == b.transaction().content().lane)
            .map(|members| self.lane(members))
            .collect();
        self.accepted = accepted;
        bodies
    }

    fn lane(&mut self, members: &[Arc<Checked>]) -> LaneBody {
        let lane = members[0].transaction().content().lane;
        let transactions: Vec<Transaction> = members.iter().map(|checked| self.recorded(checked)).collect();
        let key = LaneState::key(lane);
        let LaneState { tip, mut history } = read(&self.state, &key).unwrap_or_default();
        let header = LaneHeader {
            ledger: self.ctx.ledger,
            lane,
            height: self.ctx.height,
            time: self.ctx.time,
            previous: tip,
            records_root: LaneBody::records_root(&transactions),
            record_count: u32::try_from(transactions.len())
                .expect("invariant: a block holds few transactions"),
            latest_expiry: members.iter().map(|checked| checked.latest_expiry()).max().unwrap_or_default(),
            history_root: history.root(),
        };
        let completed = history.push(header.leaf());
        self.lane_nodes.extend(completed.into_iter().map(|node| (lane, node)));
        self.state.put(key, cbor::to_bytes(&LaneState { tip: header.hash(), history }));
        LaneBody { header, transactions }
    }

    /// X.1409 C6, 8.2.1(4): the complete certificate, or its identifier only.
    fn recorded(&self, checked: &Checked) -> Transaction {
        match self.rules.records_attachments(checked.transaction().content().lane) {
            true => checked.transaction().clone(),
            false => checked.transaction().without_attachments(),
        }
    }

    /// On a ledger of identifiers: what validators need besides the records.
    fn carried(&self) -> Vec<Vec<Vec<u8>>> {
        if self.rules.records_certificates() {
            return Vec::new();
        }
        let not_recorded = |checked: &Arc<Checked>| {
            let transaction = checked.transaction();
            match self.rules.records_attachments(transaction.content().lane) {
                true => Vec::new(),
                false => transaction.attachments().to_vec(),
            }
        };
        self.accepted.iter().map(not_recorded).collect()
    }
}

fn value_hashes(writes: &Writes) -> BTreeMap<[u8; 32], Option<[u8; 32]>> {
    let hash = |(key, record): (&StateKey, &Option<Vec<u8>>)| (key.path(), record.as_deref().map(sha256));
    writes.iter().map(hash).collect()
}
