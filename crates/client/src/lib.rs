//! The DLT client library: keys, signing, submitting, light client, proof checks.
//!
//! Purpose: what a user node, a relying party and an auditor need to work with a ledger through any of its
//! nodes and to trust none of them.
//!
//! Absent: the engine, the node, the faces; a clock (the caller says what time it is).
//!
//! ```text
//! certificates -> ChainPool -> Publication -> batches -> Signer -> Transaction -> NodeClient --REST--> node
//!                                                                                     |
//! genesis -> Trust -> status, key, transaction, finality <----- proofs ---------------+
//!              `-> LightClient (newest header, fork, age, links)  `-> ChainCheck (every block, executed)
//! ```
mod archive;
pub mod bench;
mod carried;
mod certificate;
mod chain;
mod composed;
mod consortium;
mod error;
mod event;
mod history;
mod key;
mod key_file;
mod lifecycle;
mod light;
pub mod monitor;
mod node;
mod offline;
mod participation;
pub mod peer;
mod publish;
mod publisher;
mod relying_party;
mod replay;
mod rest;
mod rules;
mod shown;
mod tls;
mod trust;

pub use archive::{ArchiveError, ArchiveWriter, replay_archive};
pub use carried::{CarriedChain, CarriedError, CarriedHead, CarriedReader, CarriedWriter, verify_carried};
pub use certificate::{Certificate, CertificateInput, InputError, read_certificates};
pub use chain::{ChainError, ChainPool, FoundChain, Verifier, leaves};
pub use composed::{ProvedForeign, ProvedLink, Proxy, Relayed};
pub use consortium::{Governed, join, node_key_of, offer_key, rotate};
pub use error::ClientError;
pub use event::{EventStream, ServerEvent};
pub use history::{CertificateHistory, HistoryFault, HistoryRecord, check_history};
pub use key::{KeyError, SigningKey};
pub use key_file::{
    KeyFileError, Protection, is_encrypted_key_file, is_readable_by_others, read_key_file, write_key_file,
};
pub use lifecycle::{ChangeRequest, FeedbackError, renewal_signature};
pub use light::{LightClient, LightError, Observation};
pub use node::{CBOR, NodeClient, NodeError, Submitted};
pub use offline::{
    OfflineError, PROOF_BYTES_MAX, Proof, ProofFile, Proved, read_proof, state_proof_from_base64,
    verify_offline,
};
pub use participation::{Participant, Participation};
pub use publish::{Publication, PublishError, Signer, batches};
pub use publisher::{BatchOutcome, PublicationOutcome, Publisher};
pub use relying_party::{RelyingParty, StatusWithProof, proof_file};
pub use replay::{ChainCheck, ChainFault, ChainReport};
pub use rest::{CertificateFilter, HEADERS_PAGE};
pub use rules::LedgerRules;
pub use shown::shown_certificates;
pub use tls::{NodeTrust, TlsError, tls_config};
pub use trust::{ProvedBy, ProvedKey, ProvedStatus, ProvedTransaction, Trust, TrustError};

#[cfg(test)]
mod tests;
