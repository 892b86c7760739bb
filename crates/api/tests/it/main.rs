//! The faces over a ledger in memory.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ask;
mod certificates;
mod chain;
mod composed;
mod consortium;
mod events;
mod limits;
mod problems;
mod snapshots;
mod tls;
mod transactions;
mod world;
