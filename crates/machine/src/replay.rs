//! A ledger in memory: for an auditor who executes every block again, and for tests.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabellion_consortium::Genesis;
use tabellion_ledger::trie::{MemoryPages, TrieFault, TrieProof, prove};
use tabellion_ledger::{Block, Header, Height, StateKey, TimeMs, Transaction, TransactionId, View, Writes};
use tabellion_pki::ChainCache;
use thiserror::Error;

use crate::block::{BlockFault, Outcome, Parent, Proposal, build, execute};
use crate::genesis::{GenesisState, genesis};
use crate::refusal::Refusal;
use crate::ruleset::{Ruleset, RulesetFault};
use crate::transaction::{Checked, check, check_recorded};

/// Intermediate certificates that a replay keeps verified.
const KNOWN_INTERMEDIATES_MAX: usize = 4096;

/// Records and recorded transactions in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryState {
    records: BTreeMap<StateKey, Vec<u8>>,
    transactions: BTreeMap<TransactionId, Height>,
}

impl MemoryState {
    /// All records, ascending by key.
    pub fn records(&self) -> impl Iterator<Item = (&StateKey, &[u8])> {
        self.records.iter().map(|(key, record)| (key, record.as_slice()))
    }

    fn write(&mut self, writes: Writes) {
        for (key, record) in writes {
            match record {
                Some(record) => self.records.insert(key, record),
                None => self.records.remove(&key),
            };
        }
    }
}

impl View for MemoryState {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.records.get(key).cloned()
    }

    fn transaction_height(&self, id: &TransactionId) -> Option<Height> {
        self.transactions.get(id).copied()
    }
}

/// Why a block is not the next one of this ledger.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayFault {
    /// A transaction of the block is refused.
    #[error("transaction {id} of block {height} is refused: {refusal}")]
    Refused {
        /// The block.
        height: Height,
        /// The transaction.
        id: TransactionId,
        /// Why.
        refusal: Box<Refusal>,
    },
    /// The members decided on rules that this program cannot follow.
    #[error("from block {height} on this program cannot follow the ledger: {fault}")]
    Rules {
        /// The block after which they hold.
        height: Height,
        /// Why not.
        fault: Box<RulesetFault>,
    },
    /// Execution gives another block.
    #[error("block {height} does not follow from the ones before: {fault}")]
    Block {
        /// The block.
        height: Height,
        /// What differs.
        fault: BlockFault,
    },
}

/// A ledger in memory, block by block.
pub struct Replay {
    rules: Arc<Ruleset>,
    header: Header,
    state: MemoryState,
    pages: MemoryPages,
    cache: ChainCache,
}

impl Replay {
    /// Begins at the genesis block.
    pub fn new(document: &Genesis) -> Result<Self, RulesetFault> {
        let GenesisState { block, writes, pages, rules } = genesis(document)?;
        let mut state = MemoryState::default();
        state.write(writes);
        let cache = ChainCache::new(KNOWN_INTERMEDIATES_MAX);
        Ok(Self { rules: Arc::new(rules), header: block.header, state, pages, cache })
    }

    /// The rules in force.
    pub fn rules(&self) -> &Arc<Ruleset> {
        &self.rules
    }

    /// The newest header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The state after the newest block.
    pub fn state(&self) -> &MemoryState {
        &self.state
    }

    /// The newest block as the next one's parent.
    pub fn parent(&self) -> Parent<'_> {
        Parent { header: &self.header, view: &self.state, pages: &self.pages }
    }

    /// Proves a record, or its absence, under the newest state root.
    pub fn prove(&self, key: &StateKey) -> Result<TrieProof, TrieFault> {
        prove(&self.pages, &self.header.state_root, &key.path())
    }

    /// Checks a transaction.
    pub fn check(&mut self, transaction: Transaction) -> Result<Arc<Checked>, Refusal> {
        let (outcome, learned) = check(transaction, &self.rules, &self.state, &self.cache);
        learned.into_iter().for_each(|learned| self.cache.absorb(learned));
        outcome
    }

    /// Builds the next block, without going on to it.
    pub fn build(
        &self,
        candidates: &[Arc<Checked>],
        time: TimeMs,
        proposer: u16,
    ) -> Result<Proposal, BlockFault> {
        build(&self.parent(), &self.rules, candidates, time, proposer)
    }

    /// Executes the next block and goes on to it.
    ///
    /// On a ledger of identifiers, certificates that the block does not hold are taken on the quorum's word.
    pub fn accept(&mut self, block: &Block) -> Result<Outcome, ReplayFault> {
        let height = block.header.height;
        let mut checked = Vec::new();
        for transaction in block.transactions() {
            let outcome = match self.rules.records_certificates() {
                true => self.check(transaction.clone()),
                false => check_recorded(transaction.clone(), &self.rules, &self.state),
            };
            let id = transaction.id();
            checked.push(outcome.map_err(|refusal| ReplayFault::Refused {
                height,
                id,
                refusal: Box::new(refusal),
            })?);
        }
        let outcome = execute(&self.parent(), &self.rules, block, &checked);
        let outcome = outcome.map_err(|fault| ReplayFault::Block { height, fault })?;
        self.go_on(&outcome).map_err(|fault| ReplayFault::Rules { height, fault: Box::new(fault) })?;
        Ok(outcome)
    }

    /// Goes on to a block that was built or executed upon this state.
    ///
    /// Panics where the block changes the parameters to some that this program cannot follow.
    pub fn advance(&mut self, outcome: &Outcome) {
        self.go_on(outcome).expect("invariant: who builds blocks can follow them");
    }

    fn go_on(&mut self, outcome: &Outcome) -> Result<(), RulesetFault> {
        self.state.write(outcome.writes.clone());
        let height = outcome.block.header.height;
        self.state.transactions.extend(outcome.transactions.keys().map(|id| (*id, height)));
        self.pages.apply(&outcome.trie);
        self.header = outcome.block.header.clone();
        self.rules = self.rules.after(&outcome.writes, &self.state)?;
        Ok(())
    }
}
