//! The faces over a ledger in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ask;
mod certificates;
mod chain;
mod changes;
mod composed;
mod consortium;
mod ct;
mod ct_client;
mod events;
mod history;
mod key;
mod limits;
mod lookup;
mod ocsp_requests;
mod permissions;
mod problems;
mod snapshots;
mod status_authorities;
mod status_crl;
mod status_ocsp;
mod status_world;
mod tls;
mod transactions;
mod world;
