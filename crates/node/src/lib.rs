//! A node of the ledger: store, pool, core and wiring.
//!
//! Purpose: the machine over a durable store, between clients, other nodes and the engine; one node's parts
//! started, watched and stopped together.
//!
//! Absent: rules (`tabellion-machine` and the services), consensus (`tabellion-engine`), HTTP
//! (`tabellion-api`), files of a network and the command line (`tabellion`).
//!
//! ```text
//!          clients                         other nodes
//!             | TLS                          | TLS
//!   [api] backend -> core: checker, pool <-> engine (propose, check, vote)
//!                     |                        | finalised
//!                     `----- commit <----------'
//!                              |-> store: block rows, then state (checkpoints) -> proofs
//!                              `-> announcements, query index
//!   [edge]: blocks from outside, in the place of the engine
//!   [sync]: a state taken over from other nodes, before the first start
//! ```
mod backend;
mod certificate_log;
mod checker;
mod clock;
pub mod core;
mod drain;
mod drive;
pub mod edge;
mod elsewhere;
mod error;
mod history;
pub mod index;
mod indexer;
mod key_watch;
mod lookup;
mod metrics;
mod node;
mod pool;
mod prune;
pub mod store;
pub mod sync;

pub use backend::NodeBackend;
pub use clock::now;
pub use drain::{Drain, DrainProgress};
pub use drive::{Driver, EngineSettings};
pub use error::{NodeError, chain};
pub use node::{FaceSettings, INDEX_FOLDER, Node, NodeSettings, StatusSettings};
pub use pool::{Pool, PoolFull, PoolLimits};
pub use prune::{
    ArchiveError, ArchivedBody, BodyArchive, BucketFault, BucketSettings, KEEP_MS, PruneError, PruneReport,
    PruneSettings, Pruned, Pruner, Step,
};
