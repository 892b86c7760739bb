//! Pieces of a state: what a node fetches that takes a state over, each checkable by itself.
//!
//! ```text
//!  state root --> piece at the root --> the 16 hashes below it --> a piece for each --> ... --> all records
//! ```
//!
//! Who receives a piece knows the hash that it must come to: from the page above, and at first from a
//! finalised header. So it may come from anybody, and pieces from several may be mixed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::page::SLOTS;
use super::update::pages_over;
use super::{Page, PageId, Slot, is_leaf};
use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::sha256;
use crate::limits::{PIECE_RECORDS_MAX, RECORD_BYTES_MAX};

/// A record and its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceRecord {
    /// The record's path.
    pub path: [u8; 32],
    /// The record.
    pub record: Vec<u8>,
}

/// What a state holds below one prefix of paths: all of it, or its topmost page.
///
/// Shape: [0, [[path, record], ...]] or [1, page, [[path, record], ...]]; records ascending by path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// All records below the prefix.
    Whole(Vec<PieceRecord>),
    /// The page at the prefix, and the records that hang on the page itself. What lies below its other slots
    /// comes as pieces of their own.
    Split(Page, Vec<PieceRecord>),
}

/// A piece that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OpenedPiece {
    /// Pages, as every other node has them.
    pub pages: BTreeMap<PageId, Arc<Page>>,
    /// Records, ascending by path.
    pub records: Vec<PieceRecord>,
    /// Prefixes whose pieces are still to come, each with the hash that it must come to.
    pub below: Vec<(PageId, [u8; 32])>,
}

/// Why a piece is not the one of the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PieceFault {
    /// A record's path lies elsewhere, or does not ascend.
    Path {
        /// The path.
        path: [u8; 32],
    },
    /// The piece comes to another hash.
    Hash {
        /// The hash that it comes to.
        found: [u8; 32],
        /// The hash expected.
        expected: [u8; 32],
    },
    /// The page is none that a state has: a leaf in a foreign slot, or a node that is a leaf.
    Page {
        /// Number of the slot.
        slot: u8,
    },
    /// The records are not those that hang on the page.
    Records,
}

impl fmt::Display for PieceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path { path } => {
                write!(f, "a record at path {} does not belong there", hex::encode(path))
            }
            Self::Hash { found, expected } => {
                write!(f, "it comes to {}, expected is {}", hex::encode(found), hex::encode(expected))
            }
            Self::Page { slot } => write!(f, "slot {slot} of its page holds what it cannot hold"),
            Self::Records => write!(f, "its records are not those of its page"),
        }
    }
}

impl std::error::Error for PieceFault {}

impl Piece {
    /// Checks the piece against the hash that stands for prefix `id`, and takes it apart.
    ///
    /// At [`PageId::ROOT`] the hash is the state root.
    pub fn open(self, id: &PageId, expected: &[u8; 32]) -> Result<OpenedPiece, PieceFault> {
        match self {
            Self::Whole(records) => open_whole(records, id, expected),
            Self::Split(page, records) => open_split(page, records, id, expected),
        }
    }
}

fn open_whole(
    records: Vec<PieceRecord>,
    id: &PageId,
    expected: &[u8; 32],
) -> Result<OpenedPiece, PieceFault> {
    check_paths(&records, id)?;
    let writes = records.iter().map(|entry| (entry.path, Some(sha256(&entry.record)))).collect();
    let (found, pages) = pages_over(*id, &writes);
    check_hash(found, expected)?;
    Ok(OpenedPiece { pages, records, below: Vec::new() })
}

fn open_split(
    page: Page,
    records: Vec<PieceRecord>,
    id: &PageId,
    expected: &[u8; 32],
) -> Result<OpenedPiece, PieceFault> {
    check_paths(&records, id)?;
    check_hash(page.hash(), expected)?;
    let (mut below, mut leaves) = (Vec::new(), Vec::new());
    for (number, slot) in (0..).zip(page.slots()) {
        match slot {
            Slot::Empty => {}
            // The hash does not say on which side of an empty subtree a leaf hangs.
            Slot::Leaf(leaf) if id.covers(&leaf.path) && id.slot_of(&leaf.path) == number => {
                leaves.push((leaf.path, leaf.value_hash));
            }
            Slot::Node(hash) if !is_leaf(&hash) && !id.is_deepest() => below.push((id.child(number), hash)),
            Slot::Leaf(_) | Slot::Node(_) => return Err(PieceFault::Page { slot: number }),
        }
    }
    let found = records.iter().map(|entry| (entry.path, sha256(&entry.record)));
    if !found.eq(leaves) {
        return Err(PieceFault::Records);
    }
    Ok(OpenedPiece { pages: BTreeMap::from([(*id, Arc::new(page))]), records, below })
}

fn check_paths(records: &[PieceRecord], id: &PageId) -> Result<(), PieceFault> {
    let mut before = None;
    for PieceRecord { path, .. } in records {
        if !id.covers(path) || before.is_some_and(|before| before >= path) {
            return Err(PieceFault::Path { path: *path });
        }
        before = Some(path);
    }
    Ok(())
}

fn check_hash(found: [u8; 32], expected: &[u8; 32]) -> Result<(), PieceFault> {
    match found == *expected {
        true => Ok(()),
        false => Err(PieceFault::Hash { found, expected: *expected }),
    }
}

impl Wire for PieceRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.bytes(&self.path);
        out.bytes(&self.record);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { path: input.bytes_exact()?, record: input.bytes(RECORD_BYTES_MAX)?.to_vec() })
    }
}

/// Bytes of a page: two bitmaps and 16 leaves.
const PAGE_BYTES_MAX: usize = 4 + SLOTS * 64;

impl Wire for Piece {
    fn encode(&self, out: &mut Writer) {
        match self {
            Self::Whole(records) => {
                out.array(2);
                out.uint(0);
                out.list(records);
            }
            Self::Split(page, records) => {
                out.array(3);
                out.uint(1);
                out.bytes(&page.to_bytes());
                out.list(records);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let refused = || DecodeError::Value { field: "piece" };
        match (input.array(3)?, input.uint()?) {
            (2, 0) => Ok(Self::Whole(input.list(PIECE_RECORDS_MAX)?)),
            (3, 1) => {
                let page = Page::from_bytes(input.bytes(PAGE_BYTES_MAX)?).map_err(|_| refused())?;
                Ok(Self::Split(page, input.list(SLOTS)?))
            }
            _ => Err(refused()),
        }
    }
}

#[cfg(test)]
mod tests;
