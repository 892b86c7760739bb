//! The built binary, run as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod clock;
mod composed;
mod consortium;
mod disk_full;
mod edge;
mod guide;
mod ikev2;
mod keys;
mod ledger;
mod lifecycle;
mod monitor;
mod network;
mod node;
mod offline;
mod operations;
mod processes;
mod prune;
mod run;
mod state_sync;
mod status_faces;
mod tls;
mod wrong_inputs;
