//! Giving room back to the disk.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use redb::Builder;
use tabellion_ledger::LedgerId;

use super::{CHAIN_FILE, STATE_FILE, Store, StoreConfig, StoreError};

/// The system counts what a file takes in this unit.
const BLOCK_BYTES: u64 = 512;

/// What a compaction did. Unit: bytes of both files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Size before.
    pub before: u64,
    /// Size after.
    pub after: u64,
}

impl Store {
    /// What the files in a store's folder take on the disk. Unit: bytes.
    pub fn disk_bytes(folder: &Path) -> u64 {
        let taken = |name| std::fs::metadata(folder.join(name)).map_or(0, |file| file.blocks() * BLOCK_BYTES);
        [CHAIN_FILE, STATE_FILE].into_iter().map(taken).sum()
    }

    /// Shrinks the files of a folder that no node has open: deleted bodies, and pages that checkpoints
    /// replaced, leave room that the files otherwise keep for later blocks.
    ///
    /// Takes about as long as copying the files. A crash within loses nothing, but the next start then walks
    /// the whole file, which it otherwise never does.
    pub fn compact(folder: &Path, ledger: LedgerId, config: StoreConfig) -> Result<Compacted, StoreError> {
        // Opening checks that the folder is this ledger's and in order.
        drop(Self::open(folder, ledger, config)?);
        let mut compacted = Compacted { before: 0, after: 0 };
        for name in [CHAIN_FILE, STATE_FILE] {
            let path = folder.join(name);
            let size = || std::fs::metadata(&path).map_or(0, |metadata| metadata.len());
            compacted.before += size();
            let opened = Builder::new().create(&path);
            let mut database = opened.map_err(|source| StoreError::Open { path: path.clone(), source })?;
            let done = database.compact();
            done.map_err(|source| StoreError::Compact { path: path.clone(), source })?;
            drop(database);
            compacted.after += size();
        }
        Ok(compacted)
    }
}
