//! Blocks that no honest validator votes for.

use std::sync::{Arc, Mutex, PoisonError};

use tabellion_ledger::{Block, LaneBody, TimeMs, Transaction};

use crate::chance::Chance;
use crate::ledger::TRANSACTIONS_MAX;

/// Spoils the honest blocks of a node.
pub struct Spoiler(Mutex<State>);

struct State {
    chance: Chance,
    /// Valid transactions that nobody else knows.
    supply: Vec<Transaction>,
    /// A transaction of the newest block that had one.
    recorded: Option<Transaction>,
}

impl Spoiler {
    /// Spoils by this chance.
    pub fn new(chance: Chance, supply: Vec<Transaction>) -> Self {
        Self(Mutex::new(State { chance, supply, recorded: None }))
    }

    /// Remembers what is recorded, to propose it again.
    pub fn see(&self, block: &Block) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transaction) = block.transactions().next() {
            state.recorded = Some(transaction.clone());
        }
    }

    /// A block that is invalid in one way. One in four stays honest, so that the node keeps its place.
    pub fn spoil(&self, parent: &Block, block: Arc<Block>, now: TimeMs) -> Arc<Block> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let State { chance, supply, recorded } = &mut *state;
        if chance.once_in(4) {
            return block;
        }
        let mut spoiled = Block::clone(&block);
        let header = &mut spoiled.header;
        match chance.below(13) {
            0 => header.state_root.0[chance.place(32)] ^= 1,
            1 => header.history_root.0[chance.place(32)] ^= 1,
            2 => header.next_roster.0[chance.place(32)] ^= 1,
            3 => header.roster.0[chance.place(32)] ^= 1,
            4 => header.proposer ^= 1,
            5 => header.version += 1,
            6 => set_time(&mut spoiled, now.plus(3_600_000)),
            7 => set_time(&mut spoiled, TimeMs(parent.header.time.0.saturating_sub(1))),
            8 => add(&mut spoiled, recorded.iter().cloned()),
            9 => add(&mut spoiled, supply.first().into_iter().flat_map(|one| vec![one.clone(); 2])),
            10 => add(&mut spoiled, supply.iter().cycle().take(TRANSACTIONS_MAX + 1).cloned()),
            11 => add(&mut spoiled, supply.iter().cycle().take(4 * TRANSACTIONS_MAX).cloned()),
            // A body that is not its header's does not even decode.
            _ => header.lanes_root.0[chance.place(32)] ^= 1,
        }
        if spoiled == *block { block } else { Arc::new(spoiled) }
    }
}

/// Moves the block in time, with the headers of its lanes, so that only the time is wrong.
fn set_time(block: &mut Block, time: TimeMs) {
    block.header.time = time;
    block.lanes.iter_mut().for_each(|body| body.header.time = time);
    block.header.lanes_root = Block::lanes_root(&block.lanes);
}

/// Adds transactions to the first lane, with the sums that belong to them, so that only they are wrong.
fn add(block: &mut Block, more: impl Iterator<Item = Transaction>) {
    let Some(LaneBody { header, transactions }) = block.lanes.first_mut() else { return };
    transactions.extend(more);
    header.record_count = u32::try_from(transactions.len()).unwrap_or(u32::MAX);
    header.records_root = LaneBody::records_root(transactions);
    block.header.lanes_root = Block::lanes_root(&block.lanes);
}
