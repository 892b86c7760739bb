//! The node's side of the command line: a network on one machine, the files of a network, one node.

mod dev;
mod files;
mod gateway;
mod network;
mod plan;
mod run;
mod tls;

pub use dev::{DevArgs, dev};
pub use network::{NetworkCommand, network};
pub use run::{NodeArgs, node};
