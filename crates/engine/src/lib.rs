//! The consensus engine's adapter: the only crate that imports Commonware.
#![recursion_limit = "256"]

mod application;
mod block;
mod committee;
mod config;
mod delivery;
mod driver;
mod engine;
mod epoch;
mod fault;
mod gates;
mod gossip;
mod node;
mod proof;
mod ranges;
mod runtime;
mod scheme;
mod status;
mod store;
mod tls;
mod waker;

pub use application::{Application, Work};
pub use committee::{AddressError, Committee, NodeKey, Peer, PeerAddress};
pub use config::{Config, NodeConfig, ONE_EPOCH, Pace};
pub use engine::{Engine, EngineHandle};
pub use fault::EngineError;
pub use gossip::{Gossip, GossipRefusal, To};
pub use node::Controls;
pub use proof::FinalityVotes;
pub use scheme::node_key;
pub use status::{EngineStatus, StatusView};
pub use store::{BlockKey, BlockStore, StoreError};
pub use tls::{CredentialError, Credentials};
pub use waker::Waker;

/// The node without a machine under it, for simulation.
pub mod sim {
    pub use crate::node::{Ends, Wire, Wires, message_bytes_max, run};
    pub use crate::runtime::Runtime;
}
