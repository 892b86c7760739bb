//! The pool: checked transactions that wait for a block, in the order of their arrival.
//!
//! Bounded in number, bytes and share of one submitter; holds each transaction once; drops what expired. A
//! plain value: its owner locks it, and time comes from the caller.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use tabellion_ledger::{KeyId, TimeMs, TransactionId};
use tabellion_machine::{Checked, Refusal};

/// How much a pool holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolLimits {
    /// Transactions: about ten seconds of full load.
    pub transactions_max: usize,
    /// Bytes of transactions with their attachments.
    pub bytes_max: u64,
    /// Transactions of one submitter, so that none crowds the others out.
    pub per_submitter_max: usize,
    /// Outcomes that are remembered, for late questions.
    pub outcomes_max: usize,
}

impl Default for PoolLimits {
    fn default() -> Self {
        Self {
            transactions_max: 32_768,
            bytes_max: 256 << 20,
            per_submitter_max: 16_384,
            outcomes_max: 65_536,
        }
    }
}

/// Why a pool takes no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolFull {
    /// The pool is full.
    Pool,
    /// The submitter has as many transactions waiting as one may have.
    Submitter,
}

/// A transaction that waits.
#[derive(Clone, Debug)]
struct Waiting {
    checked: Arc<Checked>,
    arrived: TimeMs,
    /// Whether this node took it from a client and so answers for passing it on.
    own: bool,
}

/// The pool.
#[derive(Debug)]
pub struct Pool {
    limits: PoolLimits,
    waiting: BTreeMap<u64, Waiting>,
    arrivals: BTreeMap<TransactionId, u64>,
    per_submitter: BTreeMap<KeyId, usize>,
    next_arrival: u64,
    bytes: u64,
    refused: BTreeMap<TransactionId, Refusal>,
    refused_order: VecDeque<TransactionId>,
}

impl Pool {
    /// An empty pool.
    pub fn new(limits: PoolLimits) -> Self {
        Self {
            limits,
            waiting: BTreeMap::new(),
            arrivals: BTreeMap::new(),
            per_submitter: BTreeMap::new(),
            next_arrival: 0,
            bytes: 0,
            refused: BTreeMap::new(),
            refused_order: VecDeque::new(),
        }
    }

    /// Transactions that wait.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Transactions of this node's own clients that wait.
    pub fn own(&self) -> usize {
        self.waiting.values().filter(|waiting| waiting.own).count()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When the transaction that waits longest arrived.
    pub fn oldest(&self) -> Option<TimeMs> {
        self.waiting.first_key_value().map(|(_, waiting)| waiting.arrived)
    }

    /// Whether there is room for one more of this submitter.
    pub fn room_for(&self, submitter: &KeyId) -> Result<(), PoolFull> {
        if self.waiting.len() >= self.limits.transactions_max || self.bytes >= self.limits.bytes_max {
            return Err(PoolFull::Pool);
        }
        match self.per_submitter.get(submitter) {
            Some(count) if *count >= self.limits.per_submitter_max => Err(PoolFull::Submitter),
            _ => Ok(()),
        }
    }

    /// Takes a transaction in; `false` where it waits already.
    pub fn admit(&mut self, checked: Arc<Checked>, now: TimeMs, own: bool) -> Result<bool, PoolFull> {
        let id = checked.id();
        if let Some(arrival) = self.arrivals.get(&id) {
            if let Some(waiting) = self.waiting.get_mut(arrival) {
                waiting.own |= own;
            }
            return Ok(false);
        }
        let submitter = checked.transaction().submitter();
        self.room_for(&submitter)?;
        self.forget_refusal(&id);
        self.bytes += checked.bytes();
        *self.per_submitter.entry(submitter).or_default() += 1;
        self.arrivals.insert(id, self.next_arrival);
        self.waiting.insert(self.next_arrival, Waiting { checked, arrived: now, own });
        self.next_arrival += 1;
        Ok(true)
    }

    /// Takes a waiting transaction as it was checked anew.
    pub fn renew(&mut self, checked: Arc<Checked>) {
        let waiting = self.arrivals.get(&checked.id()).and_then(|arrival| self.waiting.get_mut(arrival));
        if let Some(waiting) = waiting {
            waiting.checked = checked;
        }
    }

    /// The transaction, if it waits.
    pub fn get(&self, id: &TransactionId) -> Option<Arc<Checked>> {
        let arrival = self.arrivals.get(id)?;
        self.waiting.get(arrival).map(|waiting| waiting.checked.clone())
    }

    /// As many transactions as fit a block, oldest first, without those that `taken` says are in a block
    /// already.
    pub fn candidates(
        &self,
        bytes_max: u64,
        count_max: usize,
        taken: impl Fn(&TransactionId) -> bool,
    ) -> Vec<Arc<Checked>> {
        let mut candidates = Vec::new();
        let mut bytes = 0;
        for Waiting { checked, .. } in self.waiting.values() {
            if candidates.len() >= count_max || bytes >= bytes_max {
                break;
            }
            if !taken(&checked.id()) {
                bytes += checked.bytes();
                candidates.push(checked.clone());
            }
        }
        candidates
    }

    /// Transactions that arrived before `before`, oldest first: those to look at again.
    pub fn waiting_since(&self, before: TimeMs, count_max: usize) -> Vec<Arc<Checked>> {
        let since = self.waiting.values().take_while(|waiting| waiting.arrived < before);
        since.take(count_max).map(|waiting| waiting.checked.clone()).collect()
    }

    /// Transactions of this node's own clients that arrived before `before`: those to pass on again.
    pub fn own_since(&self, before: TimeMs, count_max: usize) -> Vec<Arc<Checked>> {
        let since = self.waiting.values().take_while(|waiting| waiting.arrived < before);
        since.filter(|waiting| waiting.own).take(count_max).map(|waiting| waiting.checked.clone()).collect()
    }

    /// Takes a transaction out: it was recorded.
    pub fn remove(&mut self, id: &TransactionId) -> Option<Arc<Checked>> {
        let arrival = self.arrivals.remove(id)?;
        let Waiting { checked, .. } = self.waiting.remove(&arrival)?;
        self.bytes -= checked.bytes();
        let submitter = checked.transaction().submitter();
        if let Some(count) = self.per_submitter.get_mut(&submitter) {
            *count -= 1;
            if *count == 0 {
                self.per_submitter.remove(&submitter);
            }
        }
        Some(checked)
    }

    /// Takes a transaction out because it is refused, and remembers why.
    pub fn refuse(&mut self, id: TransactionId, refusal: Refusal) {
        self.remove(&id);
        if self.refused.insert(id, refusal).is_none() {
            self.refused_order.push_back(id);
        }
        while self.refused_order.len() > self.limits.outcomes_max {
            if let Some(oldest) = self.refused_order.pop_front() {
                self.refused.remove(&oldest);
            }
        }
    }

    fn forget_refusal(&mut self, id: &TransactionId) {
        if self.refused.remove(id).is_some() {
            self.refused_order.retain(|other| other != id);
        }
    }

    /// Why a transaction was refused, if that is remembered.
    pub fn refusal(&self, id: &TransactionId) -> Option<&Refusal> {
        self.refused.get(id)
    }

    /// Takes out what can no longer be recorded at `now`.
    pub fn expire(&mut self, now: TimeMs) -> Vec<TransactionId> {
        let is_over = |waiting: &&Waiting| waiting.checked.transaction().content().valid_until < now;
        let over: Vec<_> =
            self.waiting.values().filter(is_over).map(|waiting| waiting.checked.clone()).collect();
        over.iter().map(|checked| self.refuse_expired(checked, now)).collect()
    }

    fn refuse_expired(&mut self, checked: &Checked, at: TimeMs) -> TransactionId {
        let valid_until = checked.transaction().content().valid_until;
        self.refuse(checked.id(), Refusal::Expired { valid_until, at });
        checked.id()
    }
}
