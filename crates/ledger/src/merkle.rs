//! Merkle trees of RFC 9162 section 2.1, over SHA-256.
//!
//! A leaf's hash is SHA-256(0x00 || data), a node's SHA-256(0x01 || left || right), the empty tree's
//! SHA-256(""). The records of a lane, the lanes of a block and the history of headers are such trees.
//!
//! ```text
//!  Frontier   what a writer keeps: the roots of the perfect subtrees, at most 63 hashes; push, root
//!  Nodes      what a prover keeps: each node once it is complete; a path costs O(log n) reads
//!  verify_*   what a reader needs: a path, two sizes, two hashes
//! ```
//!
//! Absent: hashing of the data behind a leaf (callers say what a leaf is), storage.

use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::{Hash, sha256, sha256_parts};
use crate::limits::MERKLE_PATH_MAX;

/// The hash of a leaf: SHA-256(0x00 || data).
///
/// Source: RFC 9162 section 2.1.1.
pub fn leaf_hash(data: &[u8]) -> Hash {
    Hash(sha256_parts(&[&[0x00], data]))
}

/// The hash of a node: SHA-256(0x01 || left || right).
///
/// Source: RFC 9162 section 2.1.1.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(sha256_parts(&[&[0x01], &left.0, &right.0]))
}

/// The root of the tree without leaves: SHA-256 of nothing.
pub fn empty_root() -> Hash {
    Hash(sha256(&[]))
}

/// The root over these leaf hashes.
///
/// Source: RFC 9162 section 2.1.1.
pub fn root(leaves: &[Hash]) -> Hash {
    let mut stack: Vec<Hash> = Vec::with_capacity(MERKLE_PATH_MAX);
    for (before, leaf) in leaves.iter().enumerate() {
        let mut node = *leaf;
        // As many perfect subtrees end at this leaf as the count before it has trailing one bits.
        for _ in 0..before.trailing_ones() {
            node = node_hash(&stack.pop().expect("invariant: one subtree for each bit of the count"), &node);
        }
        stack.push(node);
    }
    fold_right(&stack)
}

/// The root of a tree whose perfect subtrees, largest first, have these roots.
fn fold_right(subtrees: &[Hash]) -> Hash {
    let mut right_to_left = subtrees.iter().rev();
    match right_to_left.next() {
        Some(last) => right_to_left.fold(*last, |right, left| node_hash(left, &right)),
        None => empty_root(),
    }
}

/// The nodes of a tree whose subtrees are complete: level 0 holds the leaf hashes, the node (level, index) is
/// the root over the leaves from index * 2^level on, 2^level of them.
pub trait Nodes {
    /// The node's hash; `None` if it is not there.
    fn node(&self, level: u8, index: u64) -> Option<Hash>;
}

/// Leaf hashes in memory: nodes are computed when asked for.
impl Nodes for [Hash] {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        let count = 1_usize.checked_shl(u32::from(level))?;
        let start = usize::try_from(index).ok()?.checked_mul(count)?;
        Some(root(self.get(start..start.checked_add(count)?)?))
    }
}

/// The leaves from `start` to `end` (exclusive), as one subtree of a tree.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    end: u64,
}

impl Span {
    fn count(self) -> u64 {
        self.end - self.start
    }

    /// The two subtrees below; for two leaves or more. The left one is the largest power of two below the
    /// count.
    fn split(self) -> (Self, Self) {
        let middle = self.start + (1 << (self.count() - 1).ilog2());
        (Self { start: self.start, end: middle }, Self { start: middle, end: self.end })
    }

    /// The subtree's root, read from complete nodes: one read for each bit of the count.
    fn root<N: Nodes + ?Sized>(self, nodes: &N) -> Option<Hash> {
        let mut parts = Vec::new();
        let mut rest = self;
        while rest.count() > 0 {
            let level = rest.count().ilog2();
            parts.push(nodes.node(u8::try_from(level).ok()?, rest.start >> level)?);
            rest.start += 1 << level;
        }
        Some(fold_right(&parts))
    }
}

/// The audit path of leaf `index` in the tree over the first `size` leaves, read from complete nodes.
///
/// Returns `None` for an index outside of the tree, or when a node is missing.
///
/// Source: RFC 9162 section 2.1.3.1. Limit: O(log² size) reads, in practice about log2 size.
pub fn stored_inclusion_path<N: Nodes + ?Sized>(nodes: &N, index: u64, size: u64) -> Option<Vec<Hash>> {
    if index >= size {
        return None;
    }
    let mut path = Vec::new();
    let mut span = Span { start: 0, end: size };
    while span.count() > 1 {
        let (left, right) = span.split();
        let (below, sibling) = if index < right.start { (left, right) } else { (right, left) };
        path.push(sibling.root(nodes)?);
        span = below;
    }
    path.reverse();
    Some(path)
}

/// The proof that the tree over the first `new_size` leaves extends the one over the first `old_size`, read
/// from complete nodes.
///
/// Returns `None` if `old_size` exceeds `new_size`, or when a node is missing. Empty for equal sizes and for
/// the empty old tree.
///
/// Source: RFC 9162 section 2.1.4.1.
pub fn stored_consistency_path<N: Nodes + ?Sized>(
    nodes: &N,
    old_size: u64,
    new_size: u64,
) -> Option<Vec<Hash>> {
    if old_size > new_size {
        return None;
    }
    let mut path = Vec::new();
    if old_size == 0 {
        return Some(path);
    }
    let mut span = Span { start: 0, end: new_size };
    while span.end != old_size {
        let (left, right) = span.split();
        let (below, sibling) = if old_size <= right.start { (left, right) } else { (right, left) };
        path.push(sibling.root(nodes)?);
        span = below;
    }
    // The old tree's root is known to the reader only if the subtree reached is the whole old tree.
    if span.start != 0 {
        path.push(span.root(nodes)?);
    }
    path.reverse();
    Some(path)
}

/// The root over the first `size` leaves, read from complete nodes; `None` when one is missing.
pub fn stored_root<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Option<Hash> {
    Span { start: 0, end: size }.root(nodes)
}

/// The audit path of leaf `index` in the tree over these leaf hashes; empty for an index outside of it.
///
/// Source: RFC 9162 section 2.1.3.1.
pub fn inclusion_path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    stored_inclusion_path(leaves, wide(index), wide(leaves.len())).unwrap_or_default()
}

/// The proof that the tree over these leaf hashes extends the one over the first `old_size` of them; empty if
/// there are fewer.
///
/// Source: RFC 9162 section 2.1.4.1.
pub fn consistency_path(leaves: &[Hash], old_size: usize) -> Vec<Hash> {
    stored_consistency_path(leaves, wide(old_size), wide(leaves.len())).unwrap_or_default()
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).expect("invariant: usize fits u64")
}

/// Whether `path` proves that `leaf` (a leaf hash) is leaf `index` of the tree of `size` leaves with this
/// root.
///
/// Source: RFC 9162 section 2.1.3.2.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last) = (index, size - 1);
    let mut node = *leaf;
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            node = node_hash(sibling, &node);
            skip_absent_levels(&mut place, &mut last);
        } else {
            node = node_hash(&node, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && node == *root
}

/// Climbs over the levels where a right border node has no sibling, to the level where the place is odd.
fn skip_absent_levels(place: &mut u64, last: &mut u64) {
    while *place & 1 == 0 && *place != 0 {
        *place >>= 1;
        *last >>= 1;
    }
}

/// Whether `path` proves that the tree (`new_size`, `new_root`) extends the tree (`old_size`, `old_root`).
///
/// Every tree extends the empty one; equal sizes want equal roots. Both take the empty path.
///
/// Source: RFC 9162 section 2.1.4.2.
pub fn verify_consistency(
    old_size: u64,
    new_size: u64,
    old_root: &Hash,
    new_root: &Hash,
    path: &[Hash],
) -> bool {
    if old_size > new_size {
        return false;
    }
    if old_size == new_size {
        return path.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return path.is_empty() && *old_root == empty_root();
    }
    // A power of two is one perfect subtree: its root stands for the path's first hash.
    let mut rest = path.iter();
    let first = if old_size.is_power_of_two() { Some(old_root) } else { rest.next() };
    let Some(first) = first else { return false };
    let (mut place, mut last) = (old_size - 1, new_size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut old, mut new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            old = node_hash(sibling, &old);
            new = node_hash(sibling, &new);
            skip_absent_levels(&mut place, &mut last);
        } else {
            new = node_hash(&new, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && old == *old_root && new == *new_root
}

/// A node that a [`Frontier::push`] completed: what a store keeps so as to answer as [`Nodes`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompleteNode {
    /// 0 for a leaf.
    pub level: u8,
    /// Place among the nodes of its level.
    pub index: u64,
    /// The node's hash.
    pub hash: Hash,
}

/// All that a writer of a growing tree must keep: the roots of its perfect subtrees.
///
/// Shape: [size, [hash, ...]]; one hash for each one bit of the size, largest subtree first.
/// Limit: 2^63 - 1 leaves, 63 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    nodes: Vec<Hash>,
}

impl Frontier {
    /// The frontier over the first `size` leaves, read from complete nodes; `None` when one is missing.
    pub fn of<N: Nodes + ?Sized>(nodes: &N, size: u64) -> Option<Self> {
        let mut frontier = Self { size, nodes: Vec::new() };
        let mut start = 0;
        while start < size {
            let level = (size - start).ilog2();
            frontier.nodes.push(nodes.node(u8::try_from(level).ok()?, start >> level)?);
            start += 1 << level;
        }
        Some(frontier)
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the perfect subtrees, largest first.
    pub fn nodes(&self) -> &[Hash] {
        &self.nodes
    }

    /// Appends a leaf hash and returns the nodes that are complete by it: the leaf, then upwards.
    pub fn push(&mut self, leaf: Hash) -> Vec<CompleteNode> {
        let mut complete = CompleteNode { level: 0, index: self.size, hash: leaf };
        let mut completed = vec![complete];
        while complete.index & 1 == 1 {
            let left = self.nodes.pop().expect("invariant: one subtree for each bit of the size");
            complete.hash = node_hash(&left, &complete.hash);
            complete.level += 1;
            complete.index >>= 1;
            completed.push(complete);
        }
        self.nodes.push(complete.hash);
        self.size += 1;
        completed
    }

    /// The tree's root.
    pub fn root(&self) -> Hash {
        fold_right(&self.nodes)
    }
}

impl Wire for Frontier {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(self.size);
        out.list(&self.nodes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let size = input.uint()?;
        let nodes: Vec<Hash> = input.list(MERKLE_PATH_MAX)?;
        // Below 2^63 a size can always grow by one and a level always fits a shift.
        if size > i64::MAX.unsigned_abs() {
            return Err(DecodeError::Value { field: "frontier size" });
        }
        if u32::try_from(nodes.len()) != Ok(size.count_ones()) {
            return Err(DecodeError::Value { field: "frontier nodes" });
        }
        Ok(Self { size, nodes })
    }
}

#[cfg(test)]
mod tests;
