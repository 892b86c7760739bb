//! The consensus engine's adapter: the only crate that imports Commonware.
//!
//! Purpose: make one chain of the blocks that the machine builds, on nodes that trust no single one of them.
//! Simplex (Ed25519 votes, rotating leaders, one instance per epoch) decides, marshal keeps and fetches
//! finalised blocks in order, TLS 1.3 carries it all. What is here: the adapter between these and the
//! machine, the store, the wire.
//!
//! Absent: the rules of any service, the contents of any store, the pool. They stand behind two traits,
//! [`Application`] and [`BlockStore`], and another engine could turn them.
//!
//! ```text
//!  pool ── Waker ──> propose: work? wait : build on parent ──┐    The parent may be undecided. Its state is
//!                    (or heartbeat)                          v    known because it was built or checked here,
//!  Application <──── verify: height, parent, proposer, check ── vote         or is adopted before.
//!                                                            │
//!                    certify: is the block durable here? ────┤ finalise vote
//!                                                            v
//!  BlockStore <───── marshal: block and votes durable, in order of height; gaps fetched from peers
//!                                                            │
//!  Application <──── delivery: commit(block, proof), acknowledge; at an epoch's end the next committee
//! ```
//!
//! **Idle.** A leader without work waits; when the others' patience ([`Pace::leader_ms`]) ends, all vote to
//! move on, no block is made, and the next leader waits. The pace of idle views is the price for noticing a
//! dead leader within the same time, whether or not there is work. A leader that was silent for
//! [`Pace::skip_ms`] is skipped at once. The machine's heartbeat bounds how many undecided views pile up:
//! keep it below ten minutes.
//!
//! **Old disks.** A validator that restarts first listens, and one whose disk may be an old copy does not
//! vote before the others have moved on without it ([`Voting`]): it may have sent votes that it has
//! forgotten.
//!
//! **Durability.** Three things are on disk before they count. A vote: simplex writes it to its journal
//! before it sends it, so a restarted validator votes no other way. A block: before the finalise vote for it,
//! so a quorum that finalises can also serve. A finalised block with its votes: in the [`BlockStore`], before
//! [`Application::commit`] sees it. A crash between the store and the commit delivers the block again.
//!
//! **Threads.** Each engine runs on its own thread and workers, apart from any other runtime of the process.
//! Machine and store are called on a pool of threads where they may block; `work`, `knows`, `receive` and the
//! store's puts and reads are called from consensus itself and must be quick.
//!
//! **Fail-stop.** A failing store or journal ends the engine with an [`EngineError`] that says what failed
//! where; so does a state that the engine holds for impossible (under `panic = "abort"` that one ends the
//! process). Nothing is voted after a failed write.
//!
//! **Memory.** Each channel keeps room for one second of its quota from every peer; the quotas and
//! [`Config::peers_max`] are chosen so that 32 peers take some 75 MB at most.
#![recursion_limit = "256"]

mod application;
mod block;
mod committee;
mod config;
mod delivery;
mod disk;
mod driver;
mod engine;
mod epoch;
mod evidence;
mod fault;
mod gates;
mod gossip;
mod guard;
mod node;
mod proof;
mod ranges;
mod runtime;
mod scheme;
pub mod sim;
mod status;
mod store;
mod tasks;
mod tls;
mod waker;
mod watched;

pub use application::{Application, Work};
pub use committee::{AddressError, Committee, NodeKey, Peer, PeerAddress};
pub use config::{Config, NodeConfig, ONE_EPOCH, Pace};
pub use engine::{Engine, EngineHandle};
pub use fault::EngineError;
pub use gossip::{Gossip, GossipRefusal, To};
pub use node::Controls;
pub use proof::FinalityVotes;
pub use scheme::node_key;
pub use status::{EngineStatus, StatusView, Voting};
pub use store::{BlockKey, BlockStore, StoreError};
pub use tls::{CredentialError, Credentials};
pub use waker::Waker;
