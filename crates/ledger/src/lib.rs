//! The ledger's format: what outlives every node, engine and operator.
//!
//! Purpose: identifiers, deterministic encoding, signed transactions, lanes, blocks, Merkle trees, the state
//! trie, the roster, finality and the proofs that anybody can check offline. `docs/format.md` describes every
//! byte.
//!
//! Absent: the rules of a service (see `tabellion-pki`), clocks, chance, files, sockets, the consensus
//! engine.
//!
//! ```text
//!  bytes -> Transaction -> LaneBody (records root) -> Header (lanes root, state root, history root)
//!                                                        |
//!   StateProof (trie) --------------------------------> FinalityProof (quorum of the Roster) -> checked offline
//! ```
mod block;
pub mod cbor;
mod envelope;
mod equivocation;
mod finality;
mod hand_over;
mod id;
mod lane;
pub mod limits;
pub mod merkle;
mod outline;
mod proof;
mod roster;
mod service;
mod signature;
mod state;
#[cfg(test)]
mod testing;
mod transaction;
pub mod trie;

pub use block::{Block, BlockFault, FORMAT_VERSION, Header};
pub use cbor::{DecodeError, Wire};
pub use envelope::{Envelope, EnvelopeError};
pub use equivocation::{BlockVote, Conflict, Equivocation, EquivocationFault, VotePair};
pub use finality::{CONSENSUS_NAMESPACE, FinalityFault, FinalityProof, FinalitySignature};
pub use hand_over::{HandOver, HandOverFault};
pub use id::{
    CertificateId, Hash, HeaderHash, Height, IdError, KeyId, LaneHeaderHash, LedgerId, RosterHash, StateRoot,
    TimeMs, TransactionId, sha256, sha256_parts,
};
pub use lane::{Lane, LaneBody, LaneHeader};
pub use outline::{LaneOutline, Outline, OutlineRecord};
pub use proof::{ProofFault, ProvedHeader, RecordProof, StateProof};
pub use roster::{MemberId, Roster, RosterFault, Validator};
pub use service::{Context, Effects, Staged, StateKey, View, Writes, map, read};
pub use signature::{Algorithm, PublicKey, Signature, SignatureFault};
pub use state::{HistoryState, LaneState};
pub use transaction::{Content, Transaction, TransactionFault, attachments_root};
