//! The state's authenticated map: a binary sparse Merkle trie over SHA-256.
//!
//! A path has 256 bits, read from the top bit of its first byte. The rules, byte-compatible with NOMT's:
//!
//! - the empty subtree is 32 zero bytes;
//! - a leaf is SHA-256(path || value hash) with the top bit set;
//! - a subtree with one leaf *is* that leaf, at whatever depth;
//! - a node is SHA-256(left || right) with the top bit cleared.
//!
//! So the root is a function of the map's content alone: neither the order of writes nor earlier content
//! shows in it.
//!
//! ```text
//!            writes                       path
//!              v                            v
//!  Pages -> update -> Update{root, pages}  prove -> TrieProof -> verify(root, path, value hash or absence)
//!    ^                   |
//!    +---- Overlay <-----+   a block on a block that is not final yet reads through its parent's pages
//! ```
//!
//! Four levels of the trie lie in one [`Page`]. A [`Piece`] is a part of it that goes to a node which takes
//! the state over. Absent: values (only their hashes are here), storage, caches.

mod page;
mod piece;
mod proof;
mod update;

pub use page::{Leaf, MemoryPages, Overlay, Page, PageFault, PageId, Pages, PrefixFault, Slot};
pub use piece::{OpenedPiece, Piece, PieceFault, PieceRecord};
pub use proof::{Terminal, TrieFault, TrieProof, prove};
pub use update::{Update, update};

use sha2::{Digest, Sha256};

/// The empty subtree.
const EMPTY: [u8; 32] = [0; 32];
/// The bit that tells leaves from nodes.
const LEAF_BIT: u8 = 0x80;

/// The hash of a leaf.
pub fn leaf_hash(path: &[u8; 32], value_hash: &[u8; 32]) -> [u8; 32] {
    let mut hash = pair_hash(path, value_hash);
    hash[0] |= LEAF_BIT;
    hash
}

/// The hash of the subtree that has these two below it.
fn combine(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    if *left == EMPTY && (is_leaf(right) || *right == EMPTY) {
        return *right;
    }
    if *right == EMPTY && is_leaf(left) {
        return *left;
    }
    node_hash(left, right)
}

fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    let mut hash = pair_hash(left, right);
    hash[0] &= !LEAF_BIT;
    hash
}

fn pair_hash(first: &[u8; 32], second: &[u8; 32]) -> [u8; 32] {
    let mut input = [0; 64];
    input[..32].copy_from_slice(first);
    input[32..].copy_from_slice(second);
    Sha256::digest(input).into()
}

fn is_leaf(hash: &[u8; 32]) -> bool {
    hash[0] & LEAF_BIT != 0
}

/// The bit of `path` at `depth`; `true` leads to the right.
fn bit(path: &[u8; 32], depth: usize) -> bool {
    path[depth / 8] >> (7 - depth % 8) & 1 == 1
}

#[cfg(test)]
mod tests;
