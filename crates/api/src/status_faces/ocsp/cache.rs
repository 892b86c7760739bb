//! What is kept in memory: answers that were signed already, and which certificates CertIDs mean.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash as StdHash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tabellion_ledger::{CertificateId, StateKey, StateRoot, TimeMs};

use super::super::authority::Authority;
use super::OcspAnswer;
use crate::backend::Snapshot;
use crate::lookup::{Found, IssuerKey};

/// Tables that share the entries, so that requests on several cores seldom wait for one lock.
const SHARDS: usize = 16;
/// Answers kept: under 1 kB each with a P-256 delegate, so at most 32 MB or so.
const ANSWERS_MAX: usize = 32 * 1024;
/// Names kept.
const NAMES_MAX: usize = 64 * 1024;
/// How long a name is believed. It changes only where a CA gives a serial number a second time.
const NAME_MS: u64 = 30_000;

/// A table of bounded size in several parts.
struct Shards<K, V> {
    hasher: RandomState,
    entries_max: usize,
    shards: Vec<Mutex<HashMap<K, V>>>,
}

impl<K: StdHash + Eq + Clone, V> Shards<K, V> {
    fn new(entries_max: usize) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { hasher: RandomState::new(), entries_max: entries_max / SHARDS, shards }
    }

    fn shard<Q: StdHash + ?Sized>(&self, key: &Q) -> MutexGuard<'_, HashMap<K, V>> {
        let hash = usize::try_from(self.hasher.hash_one(key) % 16).unwrap_or_default();
        self.shards[hash].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an entry; where there is no room, another one goes: any one, so that nobody can choose it.
    fn put(&self, key: K, value: V) {
        let mut shard = self.shard(&key);
        if shard.len() >= self.entries_max
            && !shard.contains_key(&key)
            && let Some(other) = shard.keys().next().cloned()
        {
            shard.remove(&other);
        }
        shard.insert(key, value);
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

/// An answer that was signed for a request without a nonce.
#[derive(Clone)]
pub(super) struct Kept {
    pub answer: OcspAnswer,
    /// The record on which it rests, as it was.
    pub record: (StateKey, Vec<u8>),
    /// The root of the newest state in which it was the same.
    pub root: StateRoot,
    /// The CAs under whose keys it was signed.
    pub signed_by: Arc<Vec<Authority>>,
}

/// Answers by the bytes of their requests.
pub(in crate::status_faces) struct AnswerCache(Shards<Bytes, Kept>);

impl Default for AnswerCache {
    fn default() -> Self {
        Self(Shards::new(ANSWERS_MAX))
    }
}

impl AnswerCache {
    /// The kept answer, where its record is still what it was, its end is not near, and the keys are the
    /// same.
    pub fn get(
        &self,
        request: &[u8],
        snapshot: &dyn Snapshot,
        authorities: &Arc<Vec<Authority>>,
        now: TimeMs,
    ) -> Option<OcspAnswer> {
        let mut shard = self.0.shard(request);
        let kept = shard.get_mut(request)?;
        let root = snapshot.finality().header.state_root;
        let is_over = kept.answer.keep.is_none_or(|keep| keep.until <= now)
            || !Arc::ptr_eq(&kept.signed_by, authorities);
        let (key, record) = &kept.record;
        if is_over || (kept.root != root && snapshot.get(key).as_deref() != Some(record)) {
            shard.remove(request);
            return None;
        }
        kept.root = root;
        Some(kept.answer.clone())
    }

    /// Keeps an answer.
    pub(super) fn put(&self, request: &Bytes, kept: Kept) {
        // The request's bytes are copied: they may be a part of a larger buffer.
        self.0.put(Bytes::copy_from_slice(request), kept);
    }

    /// Answers kept.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// Which certificates an issuer and a serial number mean.
pub(in crate::status_faces) struct NameCache(Shards<(IssuerKey, Vec<u8>), (Found<CertificateId>, TimeMs)>);

impl Default for NameCache {
    fn default() -> Self {
        Self(Shards::new(NAMES_MAX))
    }
}

impl NameCache {
    pub(super) fn get(&self, key: &(IssuerKey, Vec<u8>), now: TimeMs) -> Option<Found<CertificateId>> {
        let shard = self.0.shard(key);
        let (found, at) = shard.get(key)?;
        (at.0 <= now.0 && now.0 < at.0 + NAME_MS).then(|| found.clone())
    }

    pub(super) fn put(&self, key: (IssuerKey, Vec<u8>), found: Found<CertificateId>, now: TimeMs) {
        self.0.put(key, (found, now));
    }
}
