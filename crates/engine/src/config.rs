//! What a node's engine must be told.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;

use tabellion_ledger::limits::BLOCK_BYTES_MAX;
use tabellion_ledger::{Height, LedgerId};

/// How patient validators are with each other.
///
/// A leader without work waits. When its patience ends, all move on to the next leader: one cheap round of
/// votes, no block. So a dead leader costs at most `leader_ms` once, and nothing after `skip_ms`, when the
/// others have noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Milliseconds that validators wait for a proposal before they turn to the next leader.
    pub leader_ms: u64,
    /// Milliseconds that a view may last: proposal, transfer, check and votes. More than `leader_ms`.
    pub view_ms: u64,
    /// Milliseconds between repeated votes to leave a view that nobody leaves: lost messages, no quorum.
    pub retry_ms: u64,
    /// Milliseconds of silence after which a leader is skipped at once. More than `view_ms`.
    pub skip_ms: u64,
    /// Milliseconds to wait for a peer's answer to a request.
    pub fetch_ms: u64,
}

impl Default for Pace {
    fn default() -> Self {
        Self { leader_ms: 1_000, view_ms: 4_000, retry_ms: 500, skip_ms: 6_000, fetch_ms: 1_000 }
    }
}

/// What all nodes of a ledger must agree upon, and how this node takes part.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// The node's Ed25519 key, as seed.
    pub seed: [u8; 32],
    /// The ledger: separates its votes and connections from any other ledger's.
    pub ledger: LedgerId,
    /// Blocks in an epoch; the same on all nodes for good. More than 1. The committee may change between
    /// epochs.
    pub epoch_blocks: NonZeroU64,
    /// Patience.
    pub pace: Pace,
    /// Bytes of one block on the wire at most; the same on all nodes, and never less than before.
    pub block_bytes_max: usize,
    /// Bytes of one message of the pool's channel at most; the same on all nodes.
    pub gossip_bytes_max: usize,
    /// Where the node's own history begins, if it came by state sync: a block with votes of its own, whose
    /// state the application holds. The [`BlockStore`](crate::BlockStore) then has the headers up to it, its
    /// body and its votes, and the body of the last block of the epoch before; other bodies below it may be
    /// missing for good. The block is given to
    /// [`Application::commit`](crate::Application::commit) once more, which takes no notice of it. `None`:
    /// the store holds every block from genesis on.
    ///
    /// It stays the same at later starts; where the node has gone on from it, that progress counts.
    pub floor: Option<Height>,
    /// What tells the disk of the node's journals from a copy of it: opaque, 256 bytes at most. Where it is
    /// another than at the last start, the node doubts whether it remembers all votes that it sent, and does
    /// not vote before the others have moved on. [`Engine::start`](crate::Engine::start) finds it by itself.
    pub disk: Vec<u8>,
    /// The operator's word, for this start, that no later state of this disk ever ran: nothing is doubted.
    /// [`Engine::start`](crate::Engine::start) takes it from the file `vouched` in the engine's folder.
    pub vouched: bool,
    /// Before the names of the node's journals. Empty where a node has a folder of its own; a simulation, in
    /// which all nodes share one storage, names each node here.
    pub journal_prefix: String,
}

impl NodeConfig {
    /// A configuration with usual limits and patience, and one epoch that outlasts the ledger.
    pub fn new(seed: [u8; 32], ledger: LedgerId) -> Self {
        Self {
            seed,
            ledger,
            epoch_blocks: ONE_EPOCH,
            pace: Pace::default(),
            block_bytes_max: BLOCK_BYTES_MAX,
            gossip_bytes_max: BLOCK_BYTES_MAX,
            floor: None,
            disk: Vec::new(),
            vouched: false,
            journal_prefix: String::new(),
        }
    }
}

/// An epoch that outlasts the ledger: the committee never changes.
pub const ONE_EPOCH: NonZeroU64 = NonZeroU64::new(1 << 62).expect("invariant: not zero");

/// Configuration of a node's engine in production.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the node does in consensus.
    pub node: NodeConfig,
    /// Where the node listens for its peers.
    pub listen: SocketAddr,
    /// Folder of the engine's own journals. The votes in it keep a validator from voting twice. Owned by one
    /// node at a time: two that run with one key break the ledger's safety. A node whose folder is an old
    /// copy votes again when the others have moved on.
    pub folder: PathBuf,
    /// Nodes in one committee at most, followers and this node included. Bounds memory, see [the
    /// crate](crate).
    pub peers_max: usize,
    /// Worker threads for consensus and connections. Two are enough for dozens of peers.
    pub workers: usize,
    /// Refuse connections from addresses that no committee names, before the TLS handshake. Off where peers
    /// come through address translation.
    pub known_addresses_only: bool,
}

impl Config {
    /// A configuration with two workers and room for 32 peers.
    pub fn new(node: NodeConfig, listen: SocketAddr, folder: impl Into<PathBuf>) -> Self {
        Self { node, listen, folder: folder.into(), peers_max: 32, workers: 2, known_addresses_only: false }
    }
}
