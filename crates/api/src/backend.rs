//! What a node offers to its faces.
//!
//! Everything that answers at once from memory is a plain function. What reads the disk is a plain function
//! too, and the faces call it on a blocking thread ("Reads the store" below says which). What takes as long
//! as it takes is a future. A face holds the node as `Arc<dyn Backend>` and knows nothing of the engine
//! behind it.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use tabellion_consortium::Genesis;
use tabellion_ledger::trie::{PageId, Piece, TrieFault};
use tabellion_ledger::{
    Block, CertificateId, FinalityProof, HandOver, Header, Height, Lane, LedgerId, Outline, RecordProof,
    StateKey, StateProof, TimeMs, Transaction, TransactionId, View,
};
use tabellion_machine::{
    CertificateList, ChainHeader, HealthAnswer, KnowledgeAnswer, Location, Notice, Refusal,
};
use tabellion_pki::{CertificateRecord, Delivery, Stale, Status};
use thiserror::Error;

use crate::ct::CertificateLog;
use crate::history::History;
use crate::lookup::Lookup;

/// The state after one finalised block, with proofs. Held by a request from its first read to its last, so
/// that one answer never mixes two states.
///
/// Cost: [`View::get`] and [`Snapshot::prove`] are called on the async threads and answer from memory, or by
/// one short read of the store.
pub trait Snapshot: View + Send + Sync + 'static {
    /// The header of the block with the signatures that finalised it. The header's state root is the root of
    /// this state.
    fn finality(&self) -> &FinalityProof;

    /// The record under `key`, or its absence, with the proof under [`Snapshot::finality`].
    ///
    /// Errors: a page of the trie is broken; the store behind it is.
    fn prove(&self, key: &StateKey) -> Result<StateProof, TrieFault>;
}

/// A node, as its faces see it.
pub trait Backend: Send + Sync + 'static {
    /// The ledger.
    fn ledger(&self) -> LedgerId;

    /// The genesis document.
    fn genesis(&self) -> &Genesis;

    /// The genesis document's bytes. Cheap to clone.
    fn genesis_bytes(&self) -> Bytes;

    /// The newest state that is finalised, durable here and provable.
    fn snapshot(&self) -> Arc<dyn Snapshot>;

    /// Takes a transaction: checks it away from the async threads, puts it into the pool, passes it on
    /// (X.1409 L5, L6).
    ///
    /// A transaction that already waits in the pool is taken again without effect; one that is recorded is
    /// refused as replayed.
    fn submit(&self, transaction: Transaction) -> BoxFuture<'_, Result<TransactionId, SubmitError>>;

    /// Where a transaction stands. Reads the store.
    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, Fault>;

    /// Waits until a transaction is recorded (final and durable on this node) or refused, at most for
    /// `timeout`; returns where it stands then. One that is unknown is waited for too: it may be on its way.
    fn wait(&self, id: TransactionId, timeout: Duration) -> BoxFuture<'_, Result<TransactionState, Fault>>;

    /// A recorded transaction's wire bytes, as recorded. `None` where it is unknown or its body is gone.
    /// Reads the store.
    fn transaction_bytes(&self, id: &TransactionId) -> Result<Option<Bytes>, Fault>;

    /// The proof that a transaction is recorded. `None` where it is unknown or its body is gone. Reads the
    /// store.
    fn record_proof(&self, id: &TransactionId) -> Result<Option<RecordProof>, Fault>;

    /// The header at a height; `None` above the newest. Reads the store.
    fn header(&self, height: Height) -> Result<Option<Header>, Fault>;

    /// The block at a height. `None` above the newest. Reads the store.
    fn block(&self, height: Height) -> Result<Option<HeldBlock>, Fault>;

    /// What travelled beside a block of a ledger of identifiers, where this node keeps it: an entry for each
    /// transaction, empty where there is none, or no entries at all. Reads the store.
    ///
    /// Source: X.1409 C18, Appendix II.2.
    fn attachments(&self, _: &Block) -> Result<Vec<Vec<Vec<u8>>>, Fault> {
        Ok(Vec::new())
    }

    /// The signatures under the block at a height, where this node has some for this very block. Reads the
    /// store.
    fn finality(&self, height: Height) -> Result<Option<FinalityProof>, Fault>;

    /// Headers from `from` upwards, at most `limit`. Reads the store.
    fn headers(&self, from: Height, limit: usize) -> Result<Vec<ChainHeader>, Fault>;

    /// Changes of validators to rosters with numbers above `after`, ascending, at most `limit`. Reads the
    /// store.
    fn hand_overs(&self, after: u64, limit: usize) -> Result<Vec<HandOver>, Fault>;

    /// Numbered results from `first` on, at most `limit`, with how many there are, under the newest header
    /// that is proved; with it the header at `known`. `None` where that one is above. Reads the store.
    fn delivery(&self, first: u64, limit: usize, known: Option<Height>) -> Result<Option<Delivery>, Fault>;

    /// The blocks after which this node still holds the state, newest first.
    fn held_states(&self) -> Vec<FinalityProof>;

    /// A piece of a held state; `None` where the state after that block is not held. Reads the store.
    fn piece(&self, height: Height, prefix: &PageId) -> Result<Option<Piece>, Fault>;

    /// Outlines of the blocks from `from` upwards, at most `limit`, fewer where they grow long; with what
    /// stands for each record if `records`. `None` where the first one's records are wanted and not held.
    /// Reads the store.
    fn outlines(&self, from: Height, limit: usize, records: bool) -> Result<Option<Vec<Outline>>, Fault>;

    /// A certificate's DER: a published one from its body, or a trusted CA. `None` where it is unknown, on a
    /// ledger of identifiers, or where the body is gone. Reads the store.
    fn certificate_der(&self, id: &CertificateId) -> Result<Option<Bytes>, Fault>;

    /// A certificate on the ledger that this node does not hold, from another node, compared with its
    /// identifier. `None` where the ledger does not know it, or nobody who was asked holds it.
    ///
    /// Source: X.1409 C18, A.2, Appendix II.2.
    fn certificate_elsewhere(&self, _: CertificateId) -> BoxFuture<'_, Option<Bytes>> {
        Box::pin(async { None })
    }

    /// A block whose body is gone here, from another node, compared with its header. `None` where nobody who
    /// was asked holds it.
    fn block_elsewhere(&self, _: Height) -> BoxFuture<'_, Option<Block>> {
        Box::pin(async { None })
    }

    /// A page of certificates from the query index. Reads the store.
    fn query(&self, query: &CertificateQuery) -> Result<CertificateList, QueryError>;

    /// The records of a certificate up to `latest`, which the state holds, without a gap. Reads the store.
    fn history(&self, id: &CertificateId, latest: &CertificateRecord) -> Result<History, QueryError>;

    /// What OCSP, CRLs and IKEv2 look up; `None` where the node keeps no index.
    fn lookup(&self) -> Option<&dyn Lookup> {
        None
    }

    /// The certificate lane as a log of Certificate Transparency; `None` where the node keeps no index.
    fn certificate_log(&self) -> Option<&dyn CertificateLog> {
        None
    }

    /// Transactions on the ledger, as far as the index knows.
    fn transaction_count(&self) -> u64;

    /// The gateway that signs for clients that cannot; `None` where the node has no key for it.
    fn gateway(&self) -> Option<&dyn Gateway>;

    /// What happens from now on, or from the block at `from` on (that block included).
    ///
    /// Every block comes once, in order, also one without notices. The stream ends when the node stops, and
    /// when its reader falls further behind than the node's buffer: the reader asks again from the last block
    /// that it has seen.
    fn subscribe(&self, from: Option<Height>) -> Result<BoxStream<'static, Announcement>, SubscribeError>;

    /// Whether the node may say what it knows by a block of this time of a certificate's status (`None`: that
    /// the ledger has no record of it). Only a node that may lose touch with the ledger refuses.
    ///
    /// Source: X.1409 C22, I.1.2.
    fn may_tell(&self, _: Option<Status>, _: TimeMs) -> Result<(), Stale> {
        Ok(())
    }

    /// How old the node's knowledge is; only of an edge node.
    fn knowledge(&self) -> Option<KnowledgeAnswer> {
        None
    }

    /// How the node is.
    fn health(&self) -> HealthAnswer;

    /// Whether the node is being taken out of service.
    fn draining(&self) -> bool {
        false
    }

    /// Whether the node can serve: its store is open and it follows the chain.
    fn ready(&self) -> bool;

    /// The node's metrics as Prometheus text; every line ends with a line feed.
    fn metrics(&self) -> String;
}

/// Signs transactions for clients that cannot, with a member's key that the operator gave to the node.
pub trait Gateway: Send + Sync {
    /// Makes a transaction of an action: ledger, nonce and lifetime are the gateway's to choose.
    ///
    /// Errors: the key's owner (a token, a service) did not sign.
    fn sign(&self, lane: Lane, action: Vec<u8>, attachments: Vec<Vec<u8>>) -> Result<Transaction, Fault>;
}

/// A fault inside the node: the store, an index, a token. Told to the client as an internal error without its
/// details, which go to the log.
pub struct Fault(Box<dyn Error + Send + Sync>);

impl Fault {
    /// Wraps the cause.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self(cause.into())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the node failed to answer")
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.0.as_ref())
    }
}

/// Why a transaction is not taken.
#[derive(Debug, Error)]
pub enum SubmitError {
    /// It is refused; nothing will be recorded.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The pool or the queue before it is full.
    #[error("the node has more transactions than it can check now; try again in {retry_after_ms} ms")]
    Overloaded {
        /// When to try again. Unit: ms.
        retry_after_ms: u64,
    },
    /// The node is being taken out of service.
    #[error("the node is being taken out of service and takes no more transactions; ask another node")]
    Draining {
        /// When to try again here. Unit: ms.
        retry_after_ms: u64,
    },
    /// An edge node: it follows the ledger and records nothing.
    #[error("this is an edge node: it follows the ledger and passes no transactions on; submit to a node")]
    FollowsOnly,
    /// The node stops.
    #[error("the node is stopping")]
    Stopping,
    /// The node failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// Where a transaction stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionState {
    /// This node knows nothing of it.
    Unknown,
    /// Checked and waiting for a block.
    Pending,
    /// In a finalised block that is durable here.
    Recorded(Location),
    /// Refused, not long ago: a node remembers refusals for some minutes only.
    Refused(Refusal),
}

/// A block as far as a node still holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldBlock {
    /// The block; a lane whose body is gone has its header and no transactions.
    pub block: Block,
    /// Whether all bodies are there.
    pub complete: bool,
}

/// A question to the query index. Conditions are joined by "and".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateQuery {
    /// Part of the subject's RFC 4514 text, in any case.
    pub subject: Option<String>,
    /// Part of the issuer's RFC 4514 text, in any case.
    pub issuer: Option<String>,
    /// Validity ends at this moment or later.
    pub expires_from: Option<TimeMs>,
    /// Validity ends at this moment or earlier.
    pub expires_until: Option<TimeMs>,
    /// Where the page begins: `next` of the page before.
    pub cursor: Option<String>,
    /// Certificates of the page, at least 1.
    pub limit: usize,
}

/// Why the index gives no answer.
#[derive(Debug, Error)]
pub enum QueryError {
    /// This node keeps no index.
    #[error("this node keeps no query index")]
    NoIndex,
    /// The cursor is not one that this node gave.
    #[error("the cursor is not one that this node gave")]
    Cursor,
    /// The node failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// A finalised block and what happened in it.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// The block's header.
    pub header: Arc<Header>,
    /// Number of transactions in it.
    pub transactions: u64,
    /// What happened, in order.
    pub notices: Arc<[Notice]>,
}

/// Why there is no stream from a height.
#[derive(Debug, Error)]
pub enum SubscribeError {
    /// The notices of that block are no longer kept.
    #[error("notices are kept from block {oldest} on")]
    Gone {
        /// The oldest block whose notices are kept.
        oldest: Height,
    },
    /// The node failed.
    #[error(transparent)]
    Fault(#[from] Fault),
}
