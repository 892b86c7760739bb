//! Seeded plans and properties over whole nodes: the product's core and store on a simulated network.
//!
//! A plan is a function of its seed: which nodes crash and restart, which links break and lose messages, what
//! is published where. After each plan the properties hold or the run panics with the command that replays
//! it.
//!
//! ```text
//! seed -> Chance -> steps: publish, crash, restart, partition, loss, heal -> properties
//!                     over: engine (simulated network, deterministic clock) + Core + Store in a folder
//! ```
mod chance;
mod ledger;
mod plan;
mod properties;
mod world;

pub use chance::Chance;
pub use plan::{PlanSize, run_plan};

#[cfg(test)]
mod tests;
