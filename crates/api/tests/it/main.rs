//! The faces over a ledger in memory.

mod ask;
mod certificates;
mod chain;
mod events;
mod limits;
mod problems;
mod tls;
mod transactions;
mod world;
