//! The contract between a service and the machine.
//!
//! A service has three functions. `check(transaction, parameters)` needs no state, is expensive and runs in
//! parallel.
//! `apply(checked, context, view)` is cheap, runs in order, reads a [`View`] and returns [`Effects`] or a
//! refusal.
//! `close(context, view)` runs once at the end of each block. Only the machine merges effects.

use std::collections::BTreeMap;

use crate::cbor::{self, Wire};
use crate::id::{Height, LedgerId, TimeMs, TransactionId, sha256_parts};
use crate::limits::RECORD_BYTES_MAX;

/// Numbers of the state's maps.
pub mod map {
    /// The chain itself: history of headers, lanes.
    pub const CHAIN: u8 = 0;
    /// Members, keys, roster and parameters.
    pub const CONSORTIUM: u8 = 1;
    /// Certificate records by certificate identifier.
    pub const CERTIFICATE: u8 = 2;
    /// Certificates of one key, by key identifier.
    pub const CERTIFICATE_KEY: u8 = 3;
    /// Publications that wait for the start of their validity.
    pub const CERTIFICATE_SCHEDULE: u8 = 4;
    /// The latest optimisation notice for each block, by height.
    pub const OPTIMISATION_NOTICE: u8 = 5;
    /// Results for other ledgers, and what came from them.
    pub const COMPOSED: u8 = 6;
}

const PATH_DOMAIN: &[u8] = b"tabellion/state/1";

/// The natural key of a record in the state.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey {
    /// The map, one of [`map`].
    pub map: u8,
    /// The key within the map.
    pub key: Vec<u8>,
}

impl StateKey {
    /// A key within a map.
    pub fn new(map: u8, key: &[u8]) -> Self {
        Self { map, key: key.to_vec() }
    }

    /// The record's path in the trie: SHA-256("tabellion/state/1" || map || key).
    pub fn path(&self) -> [u8; 32] {
        sha256_parts(&[PATH_DOMAIN, &[self.map], &self.key])
    }
}

/// The block in which a service acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    /// The ledger.
    pub ledger: LedgerId,
    /// Height of the block.
    pub height: Height,
    /// Time of the block.
    pub time: TimeMs,
    /// Time of the block before.
    pub previous_time: TimeMs,
}

/// What a service may read: the state before the action.
///
/// A fault of the store behind a view stops the node; it never shows as an absent record.
pub trait View {
    /// The record under `key`.
    fn get(&self, key: &StateKey) -> Option<Vec<u8>>;
    /// The block that holds the transaction, if one does.
    fn transaction_height(&self, id: &TransactionId) -> Option<Height>;
}

/// Records to write; `None` removes.
pub type Writes = BTreeMap<StateKey, Option<Vec<u8>>>;

/// What an action changes, as a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effects<E> {
    /// Records to write.
    pub writes: Writes,
    /// What happened, for those who watch.
    pub events: Vec<E>,
}

impl<E> Default for Effects<E> {
    fn default() -> Self {
        Self { writes: Writes::new(), events: Vec::new() }
    }
}

impl<E> Effects<E> {
    /// Writes `record` under `key`.
    pub fn put(&mut self, key: StateKey, record: Vec<u8>) {
        self.writes.insert(key, Some(record));
    }
}

/// A view with writes laid over it: what an action reads back of its own earlier writes.
pub struct Staged<'a> {
    below: &'a dyn View,
    writes: Writes,
}

impl<'a> Staged<'a> {
    /// No writes yet.
    pub fn over(below: &'a dyn View) -> Self {
        Self { below, writes: Writes::new() }
    }

    /// Writes `record` under `key`.
    pub fn put(&mut self, key: StateKey, record: Vec<u8>) {
        self.writes.insert(key, Some(record));
    }

    /// Removes the record under `key`.
    pub fn remove(&mut self, key: StateKey) {
        self.writes.insert(key, None);
    }

    /// Takes the writes of an action over.
    pub fn merge(&mut self, writes: Writes) {
        self.writes.extend(writes);
    }

    /// All writes.
    pub fn into_writes(self) -> Writes {
        self.writes
    }
}

impl View for Staged<'_> {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        match self.writes.get(key) {
            Some(record) => record.clone(),
            None => self.below.get(key),
        }
    }

    fn transaction_height(&self, id: &TransactionId) -> Option<Height> {
        self.below.transaction_height(id)
    }
}

/// The record under `key`, decoded.
///
/// The state holds only records that this program encoded; anything else is a bug or a broken disk, and stops
/// the node.
pub fn read<T: Wire>(view: &dyn View, key: &StateKey) -> Option<T> {
    let bytes = view.get(key)?;
    Some(
        cbor::from_bytes(&bytes, RECORD_BYTES_MAX)
            .expect("invariant: the state holds records that we encoded"),
    )
}
