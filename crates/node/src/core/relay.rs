//! Passing transactions on: every transaction that reaches one node reaches all (X.1409 L5, 8.2.1(2)).
//!
//! A node sends what its own clients gave it to all peers at once, in one message for what gathered in a few
//! milliseconds, and again while it stays undecided. It does not pass on what it heard: the network is a full
//! mesh.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use rayon::prelude::*;
use tabellion_engine::{GossipRefusal, NodeKey, To};
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, TRANSACTION_BYTES_MAX};
use tabellion_ledger::{TimeMs, TransactionId};
use tabellion_machine::{Checked, submit};

use super::{Core, NotTaken, lock};
use crate::error::NodeError;

/// Undecided transactions are sent again after this long. Unit: ms.
const RESEND_MS: u64 = 2_000;
/// Transactions that are sent again at a time.
const RESEND_MAX: usize = 1024;
/// Transactions that wait this long are looked at again: their refusal may have come with another one's
/// recording.
const REVIEW_MS: u64 = 1_000;
/// Transactions that are looked at again at a time.
const REVIEW_MAX: usize = 256;
/// Bytes of one message: half of what the channel carries, so that one transaction more always fits.
const MESSAGE_BYTES: usize = BLOCK_BYTES_MAX / 2;

/// Transactions on their way to other nodes.
///
/// Shape: [transaction bytes, ...].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolMessage(pub Vec<Vec<u8>>);

impl Wire for PoolMessage {
    fn encode(&self, out: &mut Writer) {
        out.array(self.0.len());
        for bytes in &self.0 {
            out.bytes(bytes);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.array(BLOCK_TRANSACTIONS_MAX)?;
        let list: Result<_, _> =
            (0..count).map(|_| input.bytes(TRANSACTION_BYTES_MAX).map(<[u8]>::to_vec)).collect();
        list.map(Self)
    }
}

/// When the slow duties of [`Core::tick`] were last done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rounds {
    resent: TimeMs,
    reviewed: TimeMs,
}

impl Core {
    pub(super) fn hear(&self, peer: NodeKey, message: Bytes) {
        if self.inbox.try_send((peer, message)).is_err() {
            self.counters.inbox_dropped.fetch_add(1, Ordering::Relaxed);
        }
        self.bell.ring();
    }

    /// Does what is due: takes what other nodes sent, passes on what clients sent, looks again at what waits,
    /// writes a checkpoint. Production calls it from a thread of its own, simulation between its steps.
    ///
    /// Errors: a store that fails, which stops the node.
    pub fn tick(&self, rounds: &mut Rounds, now: TimeMs) -> Result<(), NodeError> {
        self.take_inbox(now);
        self.send(std::mem::take(&mut *lock(&self.outbox)));
        if now >= rounds.reviewed.plus(REVIEW_MS) {
            rounds.reviewed = now;
            self.report(now);
            self.drop_idle_states(now);
            let over = lock(&self.pool).expire(now);
            over.iter().for_each(|id| self.store.pool_forget(*id));
            self.tell_waiters(&over);
            self.sweep_waiters();
            let before = TimeMs(now.0.saturating_sub(REVIEW_MS));
            let waiting = lock(&self.pool).waiting_since(before, REVIEW_MAX);
            self.review(&waiting, now);
        }
        if now >= rounds.resent.plus(RESEND_MS) {
            rounds.resent = now;
            let before = TimeMs(now.0.saturating_sub(RESEND_MS));
            self.send(lock(&self.pool).own_since(before, RESEND_MAX));
        }
        if self.store.checkpoint_due(now) {
            self.store.checkpoint(now).map_err(NodeError::Store)?;
        }
        Ok(())
    }

    fn take_inbox(&self, now: TimeMs) {
        let messages: Vec<_> = lock(&self.inbox_end).try_iter().collect();
        for (peer, message) in messages {
            match cbor::from_bytes::<PoolMessage>(&message, BLOCK_BYTES_MAX) {
                Ok(PoolMessage(list)) => {
                    // Checked side by side, taken in the order in which they came (X.1409 L4).
                    let examined: Vec<_> =
                        list.par_iter().map(|bytes| self.examine_heard(bytes, now)).collect();
                    examined.into_iter().for_each(|outcome| self.take_heard(peer, outcome, now));
                }
                Err(error) => tracing::warn!(%peer, %error, "a peer sent what is no list of transactions"),
            }
        }
    }

    fn examine_heard(&self, bytes: &[u8], now: TimeMs) -> Result<Option<Arc<Checked>>, NotTaken> {
        let transaction = submit(bytes, &self.ledger()).map_err(NotTaken::Refused)?;
        self.examine(transaction, now, false)
    }

    fn take_heard(&self, peer: NodeKey, examined: Result<Option<Arc<Checked>>, NotTaken>, now: TimeMs) {
        let outcome = match examined {
            Ok(Some(checked)) => self.admit(checked, now, false),
            Ok(None) => Ok(false),
            Err(reason) => Err(reason),
        };
        match outcome {
            Ok(true) => {
                self.counters.received.fetch_add(1, Ordering::Relaxed);
            }
            Ok(false) => {}
            // Often recorded meanwhile, on the way here.
            Err(reason) => tracing::debug!(%peer, ?reason, "a transaction from a peer is not taken"),
        }
    }

    fn send(&self, transactions: Vec<Arc<Checked>>) {
        let Some(voice) = self.voice.get() else { return };
        let mut list = Vec::new();
        let mut length = 0;
        let flush = |list: &mut Vec<Vec<u8>>| {
            if list.is_empty() {
                return;
            }
            let message = Bytes::from(cbor::to_bytes(&PoolMessage(std::mem::take(list))));
            match voice.gossip.send(To::All, message) {
                Ok(()) | Err(GossipRefusal::Ended) => {}
                // They stay in the pool and are sent again.
                Err(refusal) => tracing::debug!(%refusal, "transactions are not passed on now"),
            }
        };
        for checked in transactions {
            let bytes = checked.transaction().to_bytes();
            length += bytes.len();
            list.push(bytes);
            if length >= MESSAGE_BYTES || list.len() >= BLOCK_TRANSACTIONS_MAX {
                flush(&mut list);
                length = 0;
            }
        }
        flush(&mut list);
    }

    /// Whether the transaction waits in the pool.
    pub fn holds(&self, id: &TransactionId) -> bool {
        lock(&self.pool).get(id).is_some()
    }
}
