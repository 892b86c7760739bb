//! The faces of a node: REST over a view of the machine, and OCSP, CRLs, IKEv2 look-up and Certificate
//! Transparency over its index.
//!
//! Purpose: what DLT clients use without holding a ledger (X.1409 L8): submit, publish, status with proof,
//! blocks, headers, events. What a node must offer for it is the trait [`Backend`].
//!
//! Absent: rules, the store, the engine, the node's keys.
//!
//! ```text
//! TLS 1.3 (serve) -> guard: rate, number, time -> handler -> Snapshot (memory)       -> JSON or CBOR
//!                                                    |-----> Backend (blocking reads)
//!                                                    `-----> submit, wait (futures)  -> Problem (RFC 9457)
//! ```
mod anchors;
mod backend;
mod certificates;
mod chain;
mod changes;
mod composed;
mod config;
mod consortium;
mod ct;
mod encoding;
mod events;
mod face;
mod history;
mod input;
mod lookup;
mod node;
mod openapi;
mod problem;
mod publication;
mod rate;
mod router;
mod server;
mod snapshots;
mod status;
mod status_faces;
mod style;
mod tls;
mod transactions;

pub use backend::{
    Announcement, Backend, CertificateQuery, Fault, Gateway, HeldBlock, QueryError, Snapshot, SubmitError,
    SubscribeError, TransactionState,
};
pub use config::{FaceConfig, ServerConfig};
pub use ct::{CertificateLog, CtHead, CtKey, CtKeyFault, CtLog, CtRow, ct_leaf, ct_leaf_hash};
pub use history::{History, HistoryEntry};
pub use lookup::{Found, IssuerKey, Lookup, RecordedCrl};
pub use openapi::openapi_json;
pub use problem::Problem;
pub use router::{router, router_with_status, status_router};
pub use server::{serve, serve_plain};
pub use status::{PROBLEM_KINDS, ProblemKind, problem_kind};
pub use status_faces::{
    AuthorityConfig, AuthorityFault, Clock, OcspRefusal, SignerConfig, StatusAuthorities, StatusConfig,
    StatusFaces, precheck_ocsp_request,
};
pub use tls::{
    CaLinks, FaceCertificate, MadeCertificate, NodeCa, NodeCaError, OwnCertificate, tls_config, tls_config_of,
};
