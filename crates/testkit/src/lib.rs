//! Seeded plans and properties over whole nodes: the product's core and store on a simulated network.
//!
//! A plan is a function of its seed: which nodes crash and restart, which links break and lose messages,
//! whose disks are slow, restored from old copies or lost, how one validator lies, what is published where,
//! and whom the members vote into the roster and out of it, some of them voting as they like. After each step
//! the properties hold or the run panics with the command that replays it.
//!
//! ```text
//! seed -> Chance -> steps: publish, propose, vote, crash, restore, partition, heal -> properties of the honest nodes
//!                    over: taps and disks + engine (simulated network, deterministic clock)
//!                          + Shell (keeps evidence, spoils a liar's blocks) + Core + Store in a folder
//! ```
mod byzantine;
mod chance;
mod ledger;
mod members;
mod plan;
mod properties;
mod refill;
mod shell;
mod spoiler;
mod world;

pub use byzantine::Strategy;
pub use chance::Chance;
pub use plan::{Outcome, PlanSize, run_plan};

#[cfg(test)]
mod tests;
