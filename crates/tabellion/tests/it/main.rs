//! The built binary, run as a user runs it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

mod clock;
mod composed;
mod disk_full;
mod governance;
mod keys;
mod ledger;
mod lifecycle;
mod network;
mod node;
mod offline;
mod operations;
mod processes;
mod run;
mod state_sync;
mod wrong_inputs;
