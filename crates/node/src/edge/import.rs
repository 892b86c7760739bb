//! Blocks that come in a file (X.1409 I.1.2, without any network).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Seek as _};
use std::path::Path;
use std::sync::Arc;

use tabellion_client::{CarriedChain, CarriedError, CarriedReader, verify_carried};
use tabellion_ledger::{FinalityProof, HeaderHash, Height};
use thiserror::Error;

use super::fault::FollowFault;
use super::follower::Follower;
use crate::core::{Core, FinalBlock};
use crate::error::NodeError;

/// Blocks that are committed in one go.
const BATCH: usize = 64;
/// Bytes of their transactions, about.
const BATCH_BYTES: usize = 8 << 20;

/// What a file brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Its first block.
    pub first: Height,
    /// Its last block.
    pub last: Height,
    /// Blocks of it that were not here before.
    pub new: u64,
}

/// Why a file was not taken.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file shows nothing. Nothing of it was taken.
    #[error(transparent)]
    File(#[from] CarriedError),
    /// It does not fit to what is here. Nothing of it was taken.
    #[error(transparent)]
    Follow(#[from] FollowFault),
    /// The node failed.
    #[error(transparent)]
    Node(NodeError),
}

impl ImportError {
    /// What to do about it.
    pub fn advice(&self) -> &'static str {
        match self {
            Self::File(CarriedError::Io(_)) => "see whether it can be read, and try again",
            Self::File(CarriedError::NoCarriedFile) => "`tabellion edge export` writes such files",
            Self::File(CarriedError::Truncated { .. }) => "copy it again, and compare the lengths",
            Self::File(CarriedError::OtherLedger { .. }) => "export from the network of this edge's ledger",
            Self::File(_) => "it was altered on its way, or made up: believe nothing of it, export it again",
            Self::Follow(FollowFault::Gap { .. }) => {
                "bring the files before it first, or export again from the next block on: \
                 tabellion edge export --from-block"
            }
            Self::Follow(FollowFault::Fork { .. }) => {
                "keep the file and tell the consortium: validators signed two histories"
            }
            Self::Follow(_) => "believe nothing of it; export it again",
            Self::Node(_) => "see the node's store and disk",
        }
    }
}

/// Verifies a file as a whole, then commits the blocks of it that are not here, each executed. The node must
/// not run: one that runs takes files from its inbox.
///
/// Refuses, and then changes nothing: files of other ledgers, altered or cut off; blocks that begin above the
/// next one; another history. Blocks that are here already do no harm.
pub fn import_file(core: &Arc<Core>, path: &Path) -> Result<Imported, ImportError> {
    let mut follower = Follower::new(core.clone()).map_err(ImportError::Node)?;
    import(&mut follower, path)
}

/// The same, with a follower that goes on.
pub(super) fn import(follower: &mut Follower, path: &Path) -> Result<Imported, ImportError> {
    let io = |error: io::Error| ImportError::File(CarriedError::Io(error));
    let mut file = File::open(path).map_err(io)?;
    let chain = verify_carried(BufReader::new(&file), follower.trust().clone())?;
    fits(follower, &chain)?;
    file.rewind().map_err(io)?;
    let before = follower.core().newest().height;
    follower.learn(&chain.hand_overs)?;
    commit(follower, &chain, CarriedReader::open(BufReader::new(&file))?)?;
    let new = follower.core().newest().height.0.saturating_sub(before.0);
    Ok(Imported { first: chain.head.first, last: chain.head.last, new })
}

/// Whether the file's chain and the one here are one.
fn fits(follower: &Follower, chain: &CarriedChain) -> Result<(), ImportError> {
    let newest = follower.core().newest();
    let first = chain.head.first;
    if first > newest.height.next() {
        return Err(FollowFault::Gap { first, newest: newest.height }.into());
    }
    let below = Height(first.0.saturating_sub(1));
    compare(follower, below, chain.before)?;
    for (height, hash) in (first.0..=newest.height.0).zip(&chain.hashes) {
        compare(follower, Height(height), *hash)?;
    }
    Ok(())
}

fn compare(follower: &Follower, height: Height, there: HeaderHash) -> Result<(), ImportError> {
    let header = follower.core().store().header(height);
    let header = header.map_err(|error| ImportError::Node(NodeError::Store(error)))?;
    match header.map(|header| header.hash()) {
        Some(here) if here == there => Ok(()),
        Some(here) => Err(FollowFault::Fork { height, here, there }.into()),
        None => Err(ImportError::Node(NodeError::NoHeader { height })),
    }
}

/// Signatures that come with a file, by the block that they are under.
fn proofs(chain: &CarriedChain) -> BTreeMap<Height, FinalityProof> {
    let ends = chain.hand_overs.iter().flat_map(|one| [&one.last, &one.accepted]);
    ends.chain([&chain.proof]).map(|proof| (proof.header.height, proof.clone())).collect()
}

fn commit(
    follower: &Follower,
    chain: &CarriedChain,
    mut reader: CarriedReader<impl io::Read>,
) -> Result<(), ImportError> {
    let (core, proofs) = (follower.core(), proofs(chain));
    let (mut batch, mut bytes): (Vec<FinalBlock>, usize) = (Vec::new(), 0);
    let mut hashes = chain.hashes.iter();
    while let Some(block) = reader.next_block()? {
        let height = block.header.height;
        // The file is read a second time: what was verified is what counts.
        if hashes.next() != Some(&block.digest()) {
            return Err(CarriedError::Link { height }.into());
        }
        if height <= core.newest().height {
            continue;
        }
        bytes += block.transactions().map(|transaction| transaction.as_bytes().len()).sum::<usize>();
        let digest = block.digest();
        let proof = proofs.get(&height).filter(|proof| proof.header.hash() == digest);
        batch.push((Arc::new(block), proof.cloned()));
        if batch.len() == BATCH || bytes >= BATCH_BYTES {
            core.follow(&std::mem::take(&mut batch)).map_err(ImportError::Node)?;
            bytes = 0;
        }
    }
    core.follow(&batch).map_err(ImportError::Node)
}
