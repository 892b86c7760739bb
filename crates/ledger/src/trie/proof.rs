//! Proofs that a record stands in the map, or that none does.

use std::fmt;

use super::page::{SLOTS, subtree_hash};
use super::update::root_page;
use super::{EMPTY, Leaf, PageId, Pages, Slot, bit, leaf_hash, node_hash};
use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::StateRoot;
use crate::limits::TRIE_DEPTH_MAX;

/// Why a proof does not hold, or pages do not make up the trie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrieFault {
    /// A page that should be there is not, or could not be read.
    MissingPage {
        /// The page.
        id: PageId,
    },
    /// The hashes lead to another root.
    Root {
        /// The root that they lead to.
        found: StateRoot,
        /// The root expected.
        expected: StateRoot,
    },
    /// The proof is deeper than a path is long.
    Depth {
        /// Siblings found.
        found: usize,
    },
    /// The proof shows that no record stands at the path.
    Absent,
    /// The proof shows a record where none was expected.
    Present {
        /// SHA-256 of the record.
        value_hash: [u8; 32],
    },
    /// The proof shows another record.
    Value {
        /// SHA-256 of the record shown.
        found: [u8; 32],
        /// SHA-256 of the record expected.
        expected: [u8; 32],
    },
    /// The proof ends in a leaf that does not lie on the way of the path.
    ForeignLeaf {
        /// The leaf's path.
        path: [u8; 32],
    },
}

impl fmt::Display for TrieFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingPage { id } => write!(f, "the state page {id:?} is missing"),
            Self::Root { found, expected } => {
                write!(f, "the hashes lead to state root {found}, expected is {expected}")
            }
            Self::Depth { found } => write!(f, "{found} siblings, a path has {TRIE_DEPTH_MAX} bits"),
            Self::Absent => write!(f, "no record stands at the path"),
            Self::Present { value_hash } => {
                write!(f, "a record with SHA-256 {} stands at the path", hex::encode(value_hash))
            }
            Self::Value { found, expected } => write!(
                f,
                "the record at the path has SHA-256 {}, expected is {}",
                hex::encode(found),
                hex::encode(expected)
            ),
            Self::ForeignLeaf { path } => {
                write!(f, "the leaf of path {} does not lie on the way", hex::encode(path))
            }
        }
    }
}

impl std::error::Error for TrieFault {}

/// Where a path ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// In an empty subtree.
    Empty,
    /// In a leaf: the path's own, or the only one that shares its first bits.
    Leaf(Leaf),
}

/// A proof for one path: what stands at it, under one root.
///
/// Shape: [depth, bitmap of the siblings that are not empty (bytes, first sibling in the top bit of the first
/// byte, unused bits zero), those siblings' hashes one after the other (bytes), null or [path, value hash]].
/// Limit: 256 siblings. About log2 n + 1 are not empty in a map of n records, which makes 760 bytes at ten
/// million.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrieProof {
    siblings: Vec<[u8; 32]>,
    terminal: Terminal,
}

impl TrieProof {
    /// Where the path ends.
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// The siblings from the root downwards; zeros for an empty one.
    pub fn siblings(&self) -> &[[u8; 32]] {
        &self.siblings
    }

    /// Checks that under `root` a record with hash `expected` stands at `path`; with `None`, that no record
    /// does.
    ///
    /// Refuses: a proof of another root, path, record; see [`TrieFault`].
    pub fn verify(
        &self,
        root: &StateRoot,
        path: &[u8; 32],
        expected: Option<&[u8; 32]>,
    ) -> Result<(), TrieFault> {
        let depth = self.siblings.len();
        if depth > TRIE_DEPTH_MAX {
            return Err(TrieFault::Depth { found: depth });
        }
        let mut node = match &self.terminal {
            Terminal::Empty => EMPTY,
            Terminal::Leaf(leaf) if (0..depth).any(|depth| bit(&leaf.path, depth) != bit(path, depth)) => {
                return Err(TrieFault::ForeignLeaf { path: leaf.path });
            }
            Terminal::Leaf(leaf) => leaf_hash(&leaf.path, &leaf.value_hash),
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            node = if bit(path, depth) { node_hash(sibling, &node) } else { node_hash(&node, sibling) };
        }
        if node != root.0 {
            return Err(TrieFault::Root { found: StateRoot(node), expected: *root });
        }
        let shown = match &self.terminal {
            Terminal::Leaf(leaf) if leaf.path == *path => Some(leaf.value_hash),
            _ => None,
        };
        match (shown, expected) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(TrieFault::Absent),
            (Some(value_hash), None) => Err(TrieFault::Present { value_hash }),
            (Some(found), Some(expected)) if found == *expected => Ok(()),
            (Some(found), Some(expected)) => Err(TrieFault::Value { found, expected: *expected }),
        }
    }
}

/// The proof of what stands at `path` under `root`.
///
/// Errors: [`TrieFault::MissingPage`], [`TrieFault::Root`] as for [`super::update`].
pub fn prove(pages: &dyn Pages, root: &StateRoot, path: &[u8; 32]) -> Result<TrieProof, TrieFault> {
    let mut siblings = Vec::new();
    let mut below = root_page(pages, root)?;
    let mut id = PageId::ROOT;
    while let Some(page) = below {
        let slots = page.slots();
        let number = id.slot_of(path);
        let mut span = slots.as_slice();
        for level in 0..4 {
            // A subtree with one leaf or none is where the path ends.
            if let Some(terminal) = terminal_of(span) {
                return Ok(TrieProof { siblings, terminal });
            }
            let (left, right) = span.split_at(span.len() / 2);
            let to_the_right = number >> (3 - level) & 1 == 1;
            let (ahead, sibling) = if to_the_right { (right, left) } else { (left, right) };
            siblings.push(subtree_hash(sibling));
            span = ahead;
        }
        if let Some(terminal) = terminal_of(span) {
            return Ok(TrieProof { siblings, terminal });
        }
        id = id.child(number);
        below = Some(pages.page(&id).ok_or(TrieFault::MissingPage { id })?);
    }
    Ok(TrieProof { siblings, terminal: Terminal::Empty })
}

/// The end of a path that reaches these slots; `None` if two leaves or more lie below.
fn terminal_of(slots: &[Slot]) -> Option<Terminal> {
    let mut used = slots.iter().filter(|slot| **slot != Slot::Empty);
    match (used.next(), used.next()) {
        (None, _) => Some(Terminal::Empty),
        (Some(Slot::Leaf(leaf)), None) => Some(Terminal::Leaf(*leaf)),
        _ => None,
    }
}

impl Wire for TrieProof {
    fn encode(&self, out: &mut Writer) {
        let mut bitmap = vec![0_u8; self.siblings.len().div_ceil(8)];
        let mut hashes = Vec::with_capacity(self.siblings.len() * 32);
        for (depth, sibling) in self.siblings.iter().enumerate() {
            if *sibling != EMPTY {
                bitmap[depth / 8] |= LEFTMOST >> (depth % 8);
                hashes.extend_from_slice(sibling);
            }
        }
        out.array(4);
        out.uint(u64::try_from(self.siblings.len()).expect("invariant: usize fits u64"));
        out.bytes(&bitmap);
        out.bytes(&hashes);
        match &self.terminal {
            Terminal::Empty => out.null(),
            Terminal::Leaf(leaf) => {
                out.array(2);
                out.bytes(&leaf.path);
                out.bytes(&leaf.value_hash);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        let depth = usize::try_from(input.uint()?).unwrap_or(usize::MAX);
        if depth > TRIE_DEPTH_MAX {
            return Err(DecodeError::TooLong { length: depth, limit: TRIE_DEPTH_MAX });
        }
        let bitmap = input.bytes(TRIE_DEPTH_MAX / 8)?;
        let hashes = input.bytes(TRIE_DEPTH_MAX * 32)?;
        let siblings = spread(depth, bitmap, hashes)?;
        if input.null()? {
            return Ok(Self { siblings, terminal: Terminal::Empty });
        }
        input.array_exact(2)?;
        let leaf = Leaf { path: input.bytes_exact()?, value_hash: input.bytes_exact()? };
        Ok(Self { siblings, terminal: Terminal::Leaf(leaf) })
    }
}

/// The top bit of a byte.
const LEFTMOST: u8 = 0x80;

/// All siblings from the bitmap and the hashes of those that are not empty. One list has one spelling.
fn spread(depth: usize, bitmap: &[u8], hashes: &[u8]) -> Result<Vec<[u8; 32]>, DecodeError> {
    let refused = DecodeError::Value { field: "siblings" };
    let marked = |depth: usize| bitmap[depth / 8] & LEFTMOST >> (depth % 8) != 0;
    if bitmap.len() != depth.div_ceil(8) || (depth..bitmap.len() * 8).any(marked) {
        return Err(refused);
    }
    let (hashes, rest) = hashes.as_chunks::<32>();
    if !rest.is_empty()
        || hashes.contains(&EMPTY)
        || (0..depth).filter(|depth| marked(*depth)).count() != hashes.len()
    {
        return Err(refused);
    }
    let mut hashes = hashes.iter();
    Ok((0..depth)
        .map(|depth| if marked(depth) { hashes.next() } else { None }.copied().unwrap_or(EMPTY))
        .collect())
}

const _: () = assert!(SLOTS == 16, "four bits of a path lead through one page");
