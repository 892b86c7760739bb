//! What is worth remembering between chains: intermediate certificates, decoded, checked and found authentic.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabellion_ledger::{CertificateId, KeyId};

use super::certificate::{FormRules, ParsedCertificate};

/// A bounded memory of intermediate certificates.
///
/// An entry says: under these rules of form the certificate with this SHA-256 passes the pre-check, and its
/// signature verifies under the key with that SHA-256. Both are facts of the bytes alone, so a verdict never
/// depends on what a cache holds, only its cost does.
///
/// Sharing: verification reads a `&ChainCache` and returns what it learned as a value ([`Learned`]); whoever
/// owns the cache takes it in with [`ChainCache::absorb`]. So many threads read one snapshot without locks,
/// and the edge chooses how to hold it: a cache per thread, or `RwLock<Arc<ChainCache>>` that is replaced now
/// and then.
///
/// Eviction: when full, the entry that was used longest ago goes; the order is that of absorbing.
#[derive(Clone, Default)]
pub struct ChainCache {
    capacity: usize,
    clock: u64,
    entries: BTreeMap<CacheKey, Entry>,
    by_use: BTreeMap<u64, CacheKey>,
}

/// Certificate and rules of form.
type CacheKey = (CertificateId, FormRules);

#[derive(Clone)]
struct Entry {
    known: KnownIntermediate,
    used: u64,
}

/// An intermediate certificate that need not be decoded, checked or verified again.
#[derive(Clone)]
pub(crate) struct KnownIntermediate {
    pub certificate: Arc<ParsedCertificate>,
    /// The key under which its signature verifies.
    pub issuer_key: KeyId,
}

/// What one verification adds to a [`ChainCache`].
#[derive(Clone, Default)]
pub struct Learned {
    used: Vec<CacheKey>,
    found: Vec<(CacheKey, KnownIntermediate)>,
}

impl Learned {
    /// Whether the cache would only note uses; such a value may be dropped to save the write.
    pub fn is_only_use(&self) -> bool {
        self.found.is_empty()
    }

    pub(crate) fn note_use(&mut self, certificate: CertificateId, rules: FormRules) {
        self.used.push((certificate, rules));
    }

    pub(crate) fn note_intermediate(&mut self, rules: FormRules, known: KnownIntermediate) {
        self.found.push(((known.certificate.id(), rules), known));
    }
}

impl ChainCache {
    /// Entries that cover all 2,534 intermediates of the public web at once, at about 8 kB each.
    pub const CAPACITY_DEFAULT: usize = 4096;

    /// A cache of at most `capacity` certificates; 0 remembers nothing.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, ..Self::default() }
    }

    /// Certificates held.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Takes in what a verification learned.
    pub fn absorb(&mut self, learned: Learned) {
        for key in learned.used {
            self.touch(&key);
        }
        for (key, known) in learned.found {
            if self.capacity == 0 {
                return;
            }
            if !self.touch(&key) {
                self.clock += 1;
                self.by_use.insert(self.clock, key);
                self.entries.insert(key, Entry { known, used: self.clock });
            }
            if self.entries.len() > self.capacity
                && let Some((_, oldest)) = self.by_use.pop_first()
            {
                self.entries.remove(&oldest);
            }
        }
    }

    pub(crate) fn find(&self, certificate: CertificateId, rules: FormRules) -> Option<&KnownIntermediate> {
        self.entries.get(&(certificate, rules)).map(|entry| &entry.known)
    }

    /// Makes the entry the youngest; says whether there is one.
    fn touch(&mut self, key: &CacheKey) -> bool {
        let Some(entry) = self.entries.get_mut(key) else { return false };
        self.clock += 1;
        self.by_use.remove(&entry.used);
        self.by_use.insert(self.clock, *key);
        entry.used = self.clock;
        true
    }
}

impl std::fmt::Debug for ChainCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainCache").field("capacity", &self.capacity).field("len", &self.len()).finish()
    }
}
