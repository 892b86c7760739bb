//! The certificate lane as a log of Certificate Transparency (RFC 6962), for monitors and auditors that
//! follow such logs (X.1409 C25, A5).
//!
//! The entries are the certificates in the order in which blocks recorded them; an entry's time is its
//! block's. So every node has the same tree, whoever signs its heads. The heads are signed by a key of the
//! node, since validators sign blocks and not such trees: a client trusts one node no further than it trusts
//! a CT log, that is as far as it compares heads. Proofs that need no trust are in the REST face.
//!
//! ```text
//!  GET /ct/v1/<what> -> http --.-> CertificateLog (index): head, rows, paths
//!                               \-> Backend: transaction -> certificate, chain -> leaf, compared with the row
//!  POST add-chain ---> submit ---> Gateway, Backend: submit, wait until recorded -> SCT
//! ```
//!
//! Absent: pre-certificates (a ledger records what was issued), RFC 9162 (nobody speaks it).

mod entry;
mod http;
mod key;
mod submit;
mod wire;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tabellion_ledger::{CertificateId, Hash, Height, TimeMs, TransactionId};

pub use self::key::{CtKey, CtKeyFault};
pub use self::wire::{ct_leaf, ct_leaf_hash};

pub(crate) use self::http::routes;

use crate::backend::Fault;

/// The tree of a log, as far as the index was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CtHead {
    /// Number of entries.
    pub size: u64,
    /// Root of the tree.
    pub root: Hash,
    /// Time of the newest block in it.
    pub time: TimeMs,
    /// The first block whose certificates this node has never seen: the tree ends before it for good.
    pub gap: Option<Height>,
}

/// Where an entry of the log comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CtRow {
    /// Its place in the log, from 0.
    pub place: u64,
    /// The block.
    pub height: Height,
    /// The transaction that published the certificate.
    pub transaction: TransactionId,
    /// Which of the certificates that it published, from 0.
    pub entry: u32,
    /// Time of the block.
    pub time: TimeMs,
    /// The leaf's hash.
    pub leaf: Hash,
}

/// The certificate lane as a tree of entries. All functions read the store.
pub trait CertificateLog: Send + Sync {
    /// The tree; `None` while the index is empty.
    fn head(&self) -> Result<Option<CtHead>, Fault>;

    /// The entries from `first` on, at most `limit`.
    fn rows(&self, first: u64, limit: usize) -> Result<Vec<CtRow>, Fault>;

    /// The place of a leaf by its hash; the first one where several have it.
    fn place(&self, leaf: &Hash) -> Result<Option<u64>, Fault>;

    /// The path from a place to the root of the tree of the first `size` entries; `None` outside of it.
    fn inclusion_path(&self, place: u64, size: u64) -> Result<Option<Vec<Hash>>, Fault>;

    /// The proof that the tree of the first `new` entries extends that of the first `old`; `None` where the
    /// log is shorter.
    fn consistency_path(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, Fault>;

    /// A CA that was trusted when a certificate under it was recorded; `None` where this node has not kept
    /// it.
    fn root(&self, id: &CertificateId) -> Result<Option<Bytes>, Fault>;
}

/// A tree head with its signature.
#[derive(Clone, Debug)]
struct SignedHead {
    head: CtHead,
    signature: Vec<u8>,
}

/// A node as a log: its key, and the newest head that it signed.
pub struct CtLog {
    key: CtKey,
    url: Option<String>,
    signed: Mutex<Option<SignedHead>>,
}

impl CtLog {
    /// A log under this key. `url` is what clients know it by, up to `/ct/v1/`; without it the log list names
    /// whatever host it was asked at.
    pub fn new(key: CtKey, url: Option<String>) -> Arc<Self> {
        Arc::new(Self { key, url, signed: Mutex::default() })
    }

    /// Its key.
    pub fn key(&self) -> &CtKey {
        &self.key
    }

    /// Signs a head. Heads of one time are one head: a block that has the time of the one before it shows
    /// with the next. Source: RFC 6962 section 3.5 (each timestamp is later than the one before).
    fn sign(&self, head: CtHead) -> Result<SignedHead, Fault> {
        let mut signed = self.signed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*signed {
            Some(known) if known.head.time >= head.time => return Ok(known.clone()),
            _ => {}
        }
        let signature = self.key.sign(&wire::head_input(head.size, &head.root, head.time))?;
        Ok(signed.insert(SignedHead { head, signature }).clone())
    }
}
