//! What the core offers to the engine.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use tabellion_consortium::is_last_of_epoch;
use tabellion_engine::{Application, Committee, NodeKey, StoreError as EngineStoreError, Work};
use tabellion_ledger::limits::CLOCK_DRIFT_MS_MAX;
use tabellion_ledger::{Block, Equivocation, FinalityProof, Header, HeaderHash, TimeMs, Transaction};
use tabellion_machine::{
    Checked, Outcome, Parent, Proposal, Ruleset, build, execute, next_due, shortened, would_apply,
};

use super::pending::Executed;
use super::{Committed, Core, Provable, RECENT_BLOCKS, lock};
use crate::error::NodeError;
use crate::store::{Change, Snapshot, Tree};

impl Core {
    /// The state after a block that is the newest committed one or undecided.
    fn state_after(&self, digest: &HeaderHash) -> Option<Committed> {
        let committed = self.committed();
        if committed.header.hash() == *digest {
            return Some(committed);
        }
        let Executed { outcome, state, rules } = lock(&self.pending).get(digest)?;
        // Nothing is built upon rules that this program cannot follow; the commit says so.
        Some(Committed { header: Arc::new(outcome.block.header.clone()), state, rules: rules.ok()? })
    }

    fn propose(&self, parent: &Block, proposer: u16, now: TimeMs) -> Option<Arc<Block>> {
        let Committed { header, state, rules } = self.state_after(&parent.digest())?;
        let limits = &rules.parameters().block;
        let count_max = usize::try_from(limits.block_transactions_max).unwrap_or(usize::MAX);
        let taken = |id: &_| tabellion_ledger::View::transaction_height(&state, id).is_some();
        let candidates = lock(&self.pool).candidates(limits.block_bytes_max, count_max, taken);
        let upon = Parent { header: &header, view: &state, pages: &state };
        let Proposal { outcome, refused } =
            match build(&upon, &rules, &self.under(&rules, &candidates, &state), now, proposer) {
                Ok(proposal) => proposal,
                Err(fault) => {
                    tracing::debug!(%fault, "nothing to propose");
                    self.review(&candidates, now);
                    return None;
                }
            };
        let refused: Vec<_> =
            candidates.into_iter().filter(|c| refused.iter().any(|(id, _)| *id == c.id())).collect();
        self.review(&refused, now);
        let block = outcome.block.clone();
        self.keep(outcome, &state, &rules);
        Some(block)
    }

    /// Drops from the pool what the newest committed state refuses; what only an undecided block refuses
    /// stays.
    pub(super) fn review(&self, candidates: &[Arc<tabellion_machine::Checked>], now: TimeMs) {
        let Committed { header, state, rules } = self.committed();
        for checked in candidates {
            if let Err(refusal) = would_apply(checked, &header, now, &rules, &state) {
                self.refuse(checked.id(), refusal);
            }
        }
    }

    /// What waits was checked under the rules of its arrival. Where these have changed since it is checked
    /// again, once; what the new rules refuse is dropped.
    fn under(&self, rules: &Ruleset, candidates: &[Arc<Checked>], state: &Snapshot) -> Vec<Arc<Checked>> {
        let again = |checked: &Arc<Checked>| match checked.is_under(rules) {
            true => Some(checked.clone()),
            false => match self.checker.check(checked.transaction().clone(), rules, state) {
                Ok(again) => {
                    lock(&self.pool).renew(again.clone());
                    Some(again)
                }
                Err(refusal) => {
                    self.refuse(checked.id(), refusal);
                    None
                }
            },
        };
        candidates.iter().filter_map(again).collect()
    }

    fn keep(&self, outcome: Outcome, parent: &Snapshot, rules: &Arc<Ruleset>) {
        let state = parent.extend_by(&change_of(&outcome), &outcome.trie);
        let rules = rules.after(&outcome.writes, &state);
        lock(&self.pending).keep(Executed { outcome: Arc::new(outcome), state, rules });
    }

    /// Executes a block upon its parent's state and keeps the state after it. With `recorded`, certificates
    /// that a ledger of identifiers did not record are taken on the quorum's word.
    fn run(&self, block: &Block, recorded: bool) -> Result<(), String> {
        let Committed { header, state, rules } =
            self.state_after(&block.header.previous).ok_or("the parent's state is unknown")?;
        let recorded = recorded && !rules.records_certificates();
        let known = |transaction: &Transaction| {
            let waiting = lock(&self.pool).get(&transaction.id())?;
            let same = waiting.transaction().envelope() == transaction.envelope();
            (waiting.is_under(&rules) && same).then_some(waiting)
        };
        let transactions = complete(block, recorded || rules.records_certificates())?;
        let checked = self
            .checker
            .check_block(transactions, known, recorded, &rules, &state)
            .map_err(|refused| format!("transaction {} is refused: {}", refused.0, refused.1))?;
        let upon = Parent { header: &header, view: &state, pages: &state };
        let outcome = execute(&upon, &rules, block, &checked).map_err(|fault| fault.to_string())?;
        self.keep(outcome, &state, &rules);
        Ok(())
    }

    /// Makes a finalised block the newest committed one. Live blocks and a restart's replay come here alike.
    ///
    /// The block's rows are durable first (`sync`); the state after it is in memory until the next
    /// checkpoint, and a crash replays it from the rows. Only then are those told who wait for the block.
    pub(super) fn commit_block(
        &self,
        block: Arc<Block>,
        proof: Option<FinalityProof>,
    ) -> Result<(), NodeError> {
        let (height, digest) = (block.header.height, block.digest());
        if height <= self.committed().header.height {
            return Ok(());
        }
        if lock(&self.pending).get(&digest).is_none() {
            self.run(&block, true).map_err(|reason| NodeError::Diverged { height, reason })?;
        }
        let executed = lock(&self.pending).get(&digest).ok_or_else(|| NodeError::Diverged {
            height,
            reason: "the block's execution is gone".to_owned(),
        })?;
        let rules = executed.rules.clone().map_err(NodeError::Rules)?;
        let epoch_blocks = rules.parameters().block.epoch_blocks;
        self.store.sync().map_err(NodeError::Store)?;
        // Before the state is the newest one, and so before a checkpoint of it: a crash between the two
        // replays the block, which marks again.
        for (height, lane) in shortened(&executed.outcome.notices, &self.committed().state) {
            self.store.look_again(height, lane);
        }
        self.store.commit(&executed.state).map_err(NodeError::Store)?;
        let state = self.store.tip();
        if !rules.records_certificates() && self.is_backup() {
            self.store.keep_carried();
        }
        let header = Arc::new(block.header.clone());
        *self.committed.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
            Committed { header: header.clone(), state: state.clone(), rules };
        lock(&self.pending).committed(height);
        self.committees.follow(&header, &state, epoch_blocks);
        self.open_hand_over(&header, &state);
        if let Some(finality) = proof {
            self.close_hand_over(&finality)?;
            self.set_provable(Provable { finality, state });
            if is_last_of_epoch(height, epoch_blocks) {
                self.hold_state(header.time);
            }
        }
        self.tell(&executed.outcome, header);
        Ok(())
    }

    fn tell(&self, outcome: &Outcome, header: Arc<Header>) {
        {
            let mut pool = lock(&self.pool);
            for id in outcome.transactions.keys() {
                if pool.remove(id).is_some() {
                    self.store.pool_forget(*id);
                }
            }
        }
        {
            let mut recent = lock(&self.recent);
            recent.push_back((header.height, outcome.checked.clone()));
            if recent.len() > RECENT_BLOCKS {
                recent.pop_front();
            }
        }
        let count = u64::try_from(outcome.transactions.len()).unwrap_or(u64::MAX);
        self.counters.committed.fetch_add(count, Ordering::Relaxed);
        self.announcer.announce(header, count, outcome.notices.clone());
        self.tell_waiters(outcome.transactions.keys());
    }
}

/// The block's transactions with the certificates that travelled beside them.
fn complete(block: &Block, as_recorded: bool) -> Result<Vec<Transaction>, String> {
    if as_recorded {
        return Ok(block.transactions().cloned().collect());
    }
    if block.carried.len() != block.transaction_count() {
        return Err(format!(
            "{} transactions with the certificates of {}",
            block.transaction_count(),
            block.carried.len()
        ));
    }
    let pairs = block.transactions().zip(&block.carried);
    let full = |(transaction, carried): (&Transaction, &Vec<Vec<u8>>)| match transaction.is_complete() {
        true => Ok(transaction.clone()),
        false => transaction.with_attachments(carried.clone()).map_err(|fault| fault.to_string()),
    };
    pairs.map(full).collect()
}

fn change_of(outcome: &Outcome) -> Change {
    let headers = outcome.header_nodes.iter().map(|node| (Tree::Headers, *node));
    let lanes = outcome.lane_nodes.iter().map(|(lane, node)| (Tree::Lane(*lane), *node));
    Change {
        writes: outcome.writes.clone(),
        transactions: outcome.transactions.keys().copied().collect(),
        history: headers.chain(lanes).collect(),
    }
}

impl Application for Core {
    fn genesis(&self) -> Arc<Block> {
        self.genesis.clone()
    }

    fn committee(&self, epoch: u64) -> Option<Committee> {
        self.committees.of(epoch)
    }

    fn accuse(&self, evidence: Equivocation) {
        self.accuse_by_transaction(evidence);
    }

    fn knows(&self, block: HeaderHash) -> bool {
        self.newest_digest() == block || lock(&self.pending).get(&block).is_some()
    }

    fn work(&self, parent: HeaderHash, now: TimeMs) -> Work {
        let Some(Committed { header, state, rules }) = self.state_after(&parent) else { return Work::Idle };
        let taken = |id: &_| tabellion_ledger::View::transaction_height(&state, id).is_some();
        let (waits, oldest) = {
            let pool = lock(&self.pool);
            (!pool.candidates(1, 1, taken).is_empty(), pool.oldest())
        };
        let upon = Parent { header: &header, view: &state, pages: &state };
        let gather_ms = rules.parameters().block.gather_ms;
        let gathered = oldest.filter(|_| waits).map(|oldest| oldest.plus(gather_ms));
        match [gathered, next_due(&upon, &rules)].into_iter().flatten().min() {
            None => Work::Idle,
            Some(due) if due <= now => Work::Now,
            Some(due) => Work::At(due),
        }
    }

    fn build(&self, parent: &Arc<Block>, proposer: u16, now: TimeMs) -> Option<Arc<Block>> {
        self.propose(parent, proposer, now)
    }

    fn check(&self, _: &Arc<Block>, block: &Arc<Block>, now: TimeMs) -> Result<(), String> {
        let (time, latest) = (block.header.time, now.plus(CLOCK_DRIFT_MS_MAX));
        if time > latest {
            return Err(format!("block time {time} runs ahead of this node's clock, {now} (ms)"));
        }
        self.run(block, false)
    }

    fn adopt(&self, _: &Arc<Block>, block: &Arc<Block>) -> Result<(), String> {
        self.run(block, true)
    }

    fn commit(&self, block: Arc<Block>, proof: Option<FinalityProof>) -> Result<(), EngineStoreError> {
        let height = block.header.height;
        self.commit_block(block, proof)
            .map_err(|error| EngineStoreError::new(format!("commit block {height}"), error))
    }

    fn receive(&self, peer: NodeKey, message: Bytes) {
        self.hear(peer, message);
    }
}
