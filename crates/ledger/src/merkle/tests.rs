use std::cell::Cell;
use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::cbor::{from_bytes, to_bytes};

/// The eight inputs of the Certificate Transparency reference tests, and the roots of the trees over the
/// first 0..=8.
const CT_INPUTS: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
const CT_ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
/// (leaf, size, path) of the same reference tests.
const CT_INCLUSION: [(usize, usize, &[&str]); 4] = [
    (0, 1, &[]),
    (
        0,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        5,
        8,
        &[
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (2, 3, &["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
];
/// (old size, new size, path) of the same reference tests.
const CT_CONSISTENCY: [(usize, usize, &[&str]); 4] = [
    (1, 1, &[]),
    (
        1,
        8,
        &[
            "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
        ],
    ),
    (
        6,
        8,
        &[
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ],
    ),
    (
        2,
        5,
        &[
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        ],
    ),
];

fn ct_leaves() -> Vec<Hash> {
    CT_INPUTS.iter().map(|input| leaf_hash(&hex::decode(input).unwrap())).collect()
}

fn hashes(texts: &[&str]) -> Vec<Hash> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn leaves(count: u64) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

/// RFC 9162 section 2.1.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves.len() {
        0 => empty_root(),
        1 => leaves[0],
        count => {
            let (left, right) = leaves.split_at(naive_split(count));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_split(count: usize) -> usize {
    let mut split = 1;
    while split * 2 < count {
        split *= 2;
    }
    split
}

/// RFC 9162 section 2.1.3.1, word for word.
fn naive_path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let split = naive_split(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut path, sibling) = match index < split {
        true => (naive_path(left, index), naive_root(right)),
        false => (naive_path(right, index - split), naive_root(left)),
    };
    path.push(sibling);
    path
}

/// RFC 9162 section 2.1.4.1, word for word.
fn naive_subproof(leaves: &[Hash], old: usize, whole: bool) -> Vec<Hash> {
    if old == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let split = naive_split(leaves.len());
    let (left, right) = leaves.split_at(split);
    let (mut path, sibling) = match old <= split {
        true => (naive_subproof(left, old, whole), naive_root(right)),
        false => (naive_subproof(right, old - split, false), naive_root(left)),
    };
    path.push(sibling);
    path
}

#[test]
fn roots_and_paths_are_those_of_certificate_transparency() {
    let leaves = ct_leaves();
    for (size, expected) in CT_ROOTS.iter().enumerate() {
        assert_eq!(root(&leaves[..size]).to_string(), *expected, "size {size}");
    }
    for (index, size, expected) in CT_INCLUSION {
        assert_eq!(inclusion_path(&leaves[..size], index), hashes(expected), "leaf {index} of {size}");
    }
    for (old, new, expected) in CT_CONSISTENCY {
        assert_eq!(consistency_path(&leaves[..new], old), hashes(expected), "{old} to {new}");
    }
}

#[test]
fn every_path_of_every_small_tree_is_the_naive_one_and_verifies() {
    for count in 1..=40_u64 {
        let leaves = leaves(count);
        let root = root(&leaves);
        assert_eq!(root, naive_root(&leaves));
        for index in 0..count {
            let place = usize::try_from(index).unwrap();
            let path = inclusion_path(&leaves, place);
            assert_eq!(path, naive_path(&leaves, place));
            for claimed in 0..=count {
                let right = claimed == index;
                assert_eq!(verify_inclusion(&leaves[place], claimed, count, &path, &root), right);
            }
        }
        for old in 1..=count {
            let split = usize::try_from(old).unwrap();
            let path = consistency_path(&leaves, split);
            assert_eq!(path, naive_subproof(&leaves, split, true));
            let old_root = naive_root(&leaves[..split]);
            assert!(verify_consistency(old, count, &old_root, &root, &path));
            // Another old size may pass only where it names the same tree.
            for claimed in (0..=count).filter(|claimed| *claimed != old) {
                assert!(!verify_consistency(claimed, count, &old_root, &root, &path));
            }
        }
        assert!(verify_consistency(0, count, &empty_root(), &root, &[]));
    }
}

#[test]
fn what_lies_outside_of_a_tree_has_no_path() {
    let leaves = leaves(5);
    let root = root(&leaves);
    assert_eq!(inclusion_path(&leaves, 5), []);
    assert_eq!(inclusion_path(&[], 0), []);
    assert_eq!(consistency_path(&leaves, 6), []);
    assert!(!verify_inclusion(&leaves[0], 0, 0, &[], &root));
    assert!(!verify_consistency(6, 5, &root, &root, &[]));
    assert!(!verify_consistency(0, 5, &root, &root, &[]));
}

/// Counts reads, so that the promise of O(log n) is kept.
struct Counted {
    nodes: BTreeMap<(u8, u64), Hash>,
    reads: Cell<usize>,
}

impl Nodes for Counted {
    fn node(&self, level: u8, index: u64) -> Option<Hash> {
        self.reads.set(self.reads.get() + 1);
        self.nodes.get(&(level, index)).copied()
    }
}

#[test]
fn a_store_fed_by_the_frontier_proves_every_earlier_tree_with_few_reads() {
    let count = 5_000_u64;
    let leaves = leaves(count);
    let mut frontier = Frontier::default();
    let mut store = Counted { nodes: BTreeMap::new(), reads: Cell::new(0) };
    for leaf in &leaves {
        for node in frontier.push(*leaf) {
            assert_eq!(store.nodes.insert((node.level, node.index), node.hash), None);
        }
    }
    assert_eq!(frontier.root(), root(&leaves));
    for (index, size) in [(0, 1), (0, 5_000), (4_999, 5_000), (4_096, 4_097), (1_234, 4_095), (2_047, 3_333)]
    {
        let place = usize::try_from(index).unwrap();
        let slice = &leaves[..usize::try_from(size).unwrap()];
        store.reads.set(0);
        let path = stored_inclusion_path(&store, index, size).unwrap();
        assert!(store.reads.get() <= 26, "{} reads", store.reads.get());
        assert_eq!(path, naive_path(slice, place));
        assert!(verify_inclusion(&leaves[place], index, size, &path, &naive_root(slice)));
        assert_eq!(stored_root(&store, size), Some(naive_root(slice)));
        assert_eq!(Frontier::of(&store, size).unwrap().root(), naive_root(slice));
        let path = stored_consistency_path(&store, size, count).unwrap();
        assert!(verify_consistency(size, count, &naive_root(slice), &root(&leaves), &path));
    }
    assert_eq!(stored_inclusion_path(&store, 5, 5), None);
    assert_eq!(stored_inclusion_path(&store, 0, 6_000), None, "nodes that are not there");
    assert_eq!(stored_consistency_path(&store, 7, 6), None);
}

#[test]
fn a_frontier_of_another_shape_is_refused() {
    let mut frontier = Frontier::default();
    for leaf in leaves(11) {
        frontier.push(leaf);
    }
    let bytes = to_bytes(&frontier);
    assert_eq!(from_bytes::<Frontier>(&bytes, bytes.len()), Ok(frontier.clone()));
    let wrong_count = Frontier { size: 12, nodes: frontier.nodes.clone() };
    let too_large = Frontier { size: u64::MAX, nodes: vec![Hash::default(); 64] };
    let too_many = Frontier { size: 11, nodes: vec![Hash::default(); 65] };
    let table = [
        (wrong_count, DecodeError::Value { field: "frontier nodes" }),
        (too_large, DecodeError::Value { field: "frontier size" }),
        (too_many, DecodeError::TooLong { length: 65, limit: MERKLE_PATH_MAX }),
    ];
    for (frontier, expected) in table {
        assert_eq!(from_bytes::<Frontier>(&to_bytes(&frontier), 4096), Err(expected));
    }
}

proptest! {
    #[test]
    fn a_changed_path_never_verifies(
        count in 2..200_u64,
        pick in any::<u64>(),
        bit in any::<u8>(),
        spot in any::<usize>(),
    ) {
        let leaves = leaves(count);
        let root = root(&leaves);
        let index = pick % count;
        let place = usize::try_from(index).unwrap();
        let path = inclusion_path(&leaves, place);
        prop_assert!(verify_inclusion(&leaves[place], index, count, &path, &root));
        let mut changed = path.clone();
        let spot = spot % path.len();
        changed[spot].0[usize::from(bit) / 8] ^= 1 << (bit % 8);
        prop_assert!(!verify_inclusion(&leaves[place], index, count, &changed, &root));
        prop_assert!(!verify_inclusion(&leaves[place], index, count, &path[1..], &root));
        let longer = [path.as_slice(), &[Hash::default()]].concat();
        prop_assert!(!verify_inclusion(&leaves[place], index, count, &longer, &root));
    }

    #[test]
    fn the_frontier_is_the_tree(count in 0..600_u64) {
        let leaves = leaves(count);
        let mut frontier = Frontier::default();
        for leaf in &leaves {
            frontier.push(*leaf);
        }
        prop_assert_eq!(frontier.root(), naive_root(&leaves));
        prop_assert_eq!(Some(frontier), Frontier::of(leaves.as_slice(), count));
    }
}
