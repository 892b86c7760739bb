//! State sync: a node takes the state of other nodes over, instead of executing every block from genesis.
//!
//! Nobody is believed. What may be trusted follows from the genesis document: hand-overs lead to the
//! validators of today, their signatures to a header, the header to the state root, and each piece of the
//! state is compared with the hash above it. So pieces come from several nodes at once, a node that sends
//! anything else is left, and whatever is here stays over a crash.
//!
//! ```text
//!  genesis --hand-overs--> validators --signatures--> header of the state --root--> pieces --> records
//!                                     \-- headers and outlines of all blocks before it (links)
//! ```
//!
//! The result is the folder of a store. The node that opens it executes what came since.

mod bodies;
mod chain;
mod error;
mod lacking;
mod peers;
mod pieces;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tabellion_client::{LightClient, LightError, NodeClient, NodeError, Trust};
use tabellion_consortium::Genesis;
use tabellion_ledger::{Block, FinalityProof, HeaderHash, Height, cbor};
use tabellion_machine::genesis as genesis_state;

use self::peers::Peers;
use crate::store::{Finish, Intake, StoreConfig, Target};

pub(crate) use self::chain::votes_of;
pub(crate) use self::lacking::fetch_lacking;

pub use self::bodies::fetch_bodies;
pub use self::error::SyncError;

/// Folder of the store within a node's data.
pub const STORE_FOLDER: &str = "store";
/// Folder of a store that is not whole yet.
const PART_FOLDER: &str = "store.part";
/// File with the light client's memory in it.
const LIGHT_FILE: &str = "light";
/// States that are tried, one after the other, when nodes stop holding the one aimed at.
const AIMS_MAX: usize = 8;

/// What a node needs to take a state over.
pub struct SyncSettings {
    /// The ledger's genesis document.
    pub genesis: Genesis,
    /// The node's data; the store comes to stand in it.
    pub data: PathBuf,
    /// Nodes to fetch from, each by itself.
    pub peers: Vec<NodeClient>,
    /// Sizes of the store.
    pub store: StoreConfig,
}

/// How far a state sync is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Progress {
    /// Headers up to `height` of `last` are here.
    Headers {
        /// The newest header here.
        height: Height,
        /// The header of the state.
        last: Height,
    },
    /// This much of the state is here.
    State {
        /// 0 to 1.
        share: f64,
        /// Records fetched by this run.
        records: u64,
    },
}

/// What a state sync came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Synced {
    /// The store holds the state after this block.
    At(Height),
    /// No node holds a state: the ledger is young, and a node executes its blocks from genesis.
    Young,
}

/// Takes a state over. A run that ended early goes on where it ended.
///
/// Errors: a store that is there already; nobody who answers; I/O. What came in stays.
pub async fn take_state(
    settings: SyncSettings,
    mut progress: impl FnMut(Progress),
) -> Result<Synced, SyncError> {
    let SyncSettings { genesis, data, peers, store } = settings;
    let (whole, part) = (data.join(STORE_FOLDER), data.join(PART_FOLDER));
    if whole.exists() {
        return Err(SyncError::StoreExists { path: whole });
    }
    let intake = Intake::open(&part, genesis.ledger_id(), &store).map_err(SyncError::Store)?;
    let trust = Trust::new(genesis.clone());
    let light = LightClient::open(trust, &part.join(LIGHT_FILE)).map_err(SyncError::Light)?;
    let peers = Peers::new(peers.into_iter().map(Arc::new).collect());
    let mut sync = Sync { genesis, intake: Arc::new(intake), light, peers };
    let synced = sync.run(&mut progress).await;
    drop(sync);
    match synced? {
        Some(target) => {
            put_in_place(&part, &whole)?;
            Ok(Synced::At(target.height))
        }
        None => Ok(Synced::Young),
    }
}

/// The folder gets its name once all in it is durable.
fn put_in_place(part: &Path, whole: &Path) -> Result<(), SyncError> {
    let fault = |path: &Path| {
        let path = path.to_owned();
        move |source| SyncError::Folder { path, source }
    };
    std::fs::remove_file(part.join(LIGHT_FILE)).map_err(fault(part))?;
    std::fs::rename(part, whole).map_err(fault(part))?;
    let parent = whole.parent().unwrap_or(whole);
    std::fs::File::open(parent).and_then(|folder| folder.sync_all()).map_err(fault(parent))
}

/// A state sync under way.
struct Sync {
    genesis: Genesis,
    intake: Arc<Intake>,
    light: LightClient,
    peers: Peers,
}

impl Sync {
    async fn run(&mut self, progress: &mut impl FnMut(Progress)) -> Result<Option<Target>, SyncError> {
        for _ in 0..AIMS_MAX {
            self.learn_hand_overs().await?;
            let Some((proof, holders)) = self.choose().await? else { return Ok(None) };
            let target = target_of(&proof);
            self.fetch_chain(&proof.header, progress).await?;
            let intake = self.intake.clone();
            blocking(move || intake.aim(target).map_err(SyncError::Store)).await?;
            if self.fetch_pieces(&target, holders, progress).await? {
                self.finish(&proof).await?;
                return Ok(Some(target));
            }
        }
        Err(SyncError::StatesGone)
    }

    /// Follows the validators to those of today.
    async fn learn_hand_overs(&mut self) -> Result<(), SyncError> {
        loop {
            let known = self.light.trust().hand_overs().last().map_or(0, |known| known.roster.number());
            let more = self.peers.ask(|peer| async move { told(peer.hand_overs(known).await) }).await?;
            if more.is_empty() {
                return Ok(());
            }
            for hand_over in &more {
                self.light.learn(hand_over).map_err(SyncError::Light)?;
            }
        }
    }

    /// The state to aim at, and who holds it: the one aimed at before where it is still held, else the newest
    /// of those that most nodes hold.
    async fn choose(&mut self) -> Result<Option<(FinalityProof, Vec<usize>)>, SyncError> {
        let before = self.intake.target().map_err(SyncError::Store)?;
        let mut best: Option<(FinalityProof, Vec<usize>)> = None;
        let mut seen: Vec<(FinalityProof, Vec<usize>)> = Vec::new();
        for (number, proofs) in
            self.peers.ask_each(|peer| async move { told(peer.snapshots().await) }).await?
        {
            for proof in proofs {
                let known = seen.iter_mut().find(|(other, _)| other.header == proof.header);
                match known {
                    Some((_, holders)) => holders.push(number),
                    None => match self.believe(&proof) {
                        Ok(()) => seen.push((proof, vec![number])),
                        Err(error) => self.peers.leave(number, &error.to_string()),
                    },
                }
            }
        }
        for (proof, holders) in seen {
            let aimed = before.is_some_and(|before| before.digest == proof.header.hash());
            let older = before.is_some_and(|before| proof.header.height < before.height);
            if aimed {
                return Ok(Some((proof, holders)));
            }
            let rank = |entry: &(FinalityProof, Vec<usize>)| (entry.1.len(), entry.0.header.height);
            let entry = (proof, holders);
            if !older && best.as_ref().is_none_or(|best| rank(best) < rank(&entry)) {
                best = Some(entry);
            }
        }
        Ok(best)
    }

    /// Checks a header that a node says to hold the state of.
    fn believe(&mut self, proof: &FinalityProof) -> Result<(), LightError> {
        self.light.trust().finality(proof)?;
        Ok(())
    }

    /// Fetches the bodies that the engine begins with, and makes the intake a store.
    async fn finish(&mut self, proof: &FinalityProof) -> Result<(), SyncError> {
        let newest = &proof.header;
        let epoch_blocks = self.genesis.parameters.block.epoch_blocks;
        let first = tabellion_consortium::epoch_of(newest.height.next(), epoch_blocks) * epoch_blocks;
        let mut blocks = Vec::new();
        // The epoch under way builds upon the last block of the one before.
        if first > 0 && first - 1 != newest.height.0 {
            let height = Height(first - 1);
            let header = self.intake.header(height).map_err(SyncError::Store)?;
            let header = header.ok_or(SyncError::NoHeader { height })?;
            blocks.push(self.fetch_block(height, header.hash()).await?);
        }
        blocks.push(self.fetch_block(newest.height, newest.hash()).await?);
        let hand_overs: Vec<_> = self.light.trust().hand_overs().iter().map(numbered).collect();
        let votes = [chain::votes_of(proof)];
        let intake = self.intake.clone();
        blocking(move || {
            let finish = Finish { blocks: &blocks, votes: &votes, hand_overs: &hand_overs };
            intake.finish(&finish).map(drop).map_err(SyncError::Store)
        })
        .await
    }

    async fn fetch_block(&mut self, height: Height, digest: HeaderHash) -> Result<Block, SyncError> {
        self.peers
            .ask(|peer| async move {
                let block = told(peer.block(height).await)?;
                match block.digest() == digest && block.carried.is_empty() && block.check_body().is_ok() {
                    true => Ok(block),
                    false => Err(format!("another block {height}")),
                }
            })
            .await
    }

    fn genesis_block(&self) -> Result<Block, SyncError> {
        genesis_state(&self.genesis).map(|state| state.block).map_err(SyncError::Rules)
    }
}

fn numbered(hand_over: &tabellion_ledger::HandOver) -> (u64, Vec<u8>) {
    (hand_over.roster.number(), cbor::to_bytes(hand_over))
}

fn target_of(proof: &FinalityProof) -> Target {
    let header = &proof.header;
    Target { height: header.height, digest: header.hash(), root: header.state_root }
}

/// What a node answered, or why it did not.
fn told<T>(answer: Result<T, NodeError>) -> Result<T, String> {
    answer.map_err(|error| error.to_string())
}

/// Runs what blocks on a thread where it may.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SyncError> + Send + 'static,
) -> Result<T, SyncError> {
    tokio::task::spawn_blocking(work).await.unwrap_or(Err(SyncError::Interrupted))
}
