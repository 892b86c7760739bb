//! The faces of a node: REST over a view of the machine.
mod backend;

pub use backend::{
    Announcement, Backend, CertificateQuery, Fault, Gateway, HeldBlock, QueryError, Snapshot, SubmitError,
    SubscribeError, TransactionState,
};
