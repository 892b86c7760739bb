//! Composed systems (X.1409 C16, A.1): two ledgers, and proxies of every kind between them.

mod answers;
mod simulation;
mod world;
