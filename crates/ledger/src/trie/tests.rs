use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use nomt_core::hasher::{NodeHasher, node_kind_by_msb};
use nomt_core::proof::{PathProof, PathProofTerminal};
use nomt_core::trie::{InternalData, LeafData, NodeKind};
use nomt_core::trie_pos::TriePosition;
use nomt_core::update::build_trie;
use proptest::prelude::*;

use super::*;
use crate::cbor::{DecodeError, Writer, from_bytes, to_bytes};
use crate::id::{StateRoot, sha256, sha256_parts};

type Map = BTreeMap<[u8; 32], [u8; 32]>;
type Writes = BTreeMap<[u8; 32], Option<[u8; 32]>>;

/// NOMT's rules in NOMT's own words, over this crate's SHA-256.
struct Nomt;

impl NodeHasher for Nomt {
    fn hash_leaf(leaf: &LeafData) -> [u8; 32] {
        let mut hash = sha256_parts(&[&leaf.key_path, &leaf.value_hash]);
        nomt_core::hasher::set_msb(&mut hash);
        hash
    }

    fn hash_internal(node: &InternalData) -> [u8; 32] {
        let mut hash = sha256_parts(&[&node.left, &node.right]);
        nomt_core::hasher::unset_msb(&mut hash);
        hash
    }

    fn node_kind(node: &[u8; 32]) -> NodeKind {
        node_kind_by_msb(node)
    }
}

fn nomt_root(map: &Map) -> StateRoot {
    StateRoot(build_trie::<Nomt>(0, map.iter().map(|(path, value)| (*path, *value)), |_| {}))
}

/// Whether NOMT's verifier accepts the proof as one of what `map` says about `path`.
fn nomt_accepts(proof: &TrieProof, root: &StateRoot, path: &[u8; 32], map: &Map) -> bool {
    let depth = u16::try_from(proof.siblings().len()).unwrap();
    let terminal = match proof.terminal() {
        Terminal::Empty if depth == 0 => PathProofTerminal::Terminator(TriePosition::new()),
        Terminal::Empty => PathProofTerminal::Terminator(TriePosition::from_path_and_depth(*path, depth)),
        Terminal::Leaf(leaf) => {
            PathProofTerminal::Leaf(LeafData { key_path: leaf.path, value_hash: leaf.value_hash })
        }
    };
    let theirs = PathProof { terminal, siblings: proof.siblings().to_vec() };
    let Ok(verified) = theirs.verify::<Nomt>(TriePosition::from_path_and_depth(*path, 256).path(), root.0)
    else {
        return false;
    };
    let answer = match map.get(path) {
        Some(value) => verified.confirm_value(&LeafData { key_path: *path, value_hash: *value }),
        None => verified.confirm_nonexistence(path),
    };
    answer.is_ok_and(|holds| holds)
}

/// The rules of the module's documentation, by recursion over the whole map.
fn naive_root(leaves: &[(&[u8; 32], &[u8; 32])], depth: usize) -> [u8; 32] {
    match leaves {
        [] => [0; 32],
        [(path, value)] => leaf_hash(path, value),
        _ => {
            let split = leaves.partition_point(|(path, _)| !bit(path, depth));
            node_hash(&naive_root(&leaves[..split], depth + 1), &naive_root(&leaves[split..], depth + 1))
        }
    }
}

/// The pages of a map, from nothing.
fn fresh(map: &Map) -> (MemoryPages, StateRoot) {
    let writes = map.iter().map(|(path, value)| (*path, Some(*value))).collect();
    let mut pages = MemoryPages::default();
    let update = update(&pages, &StateRoot::default(), &writes).unwrap();
    pages.apply(&update);
    (pages, update.root)
}

/// Numbers from a seed.
struct Seeded {
    seed: u64,
    drawn: u64,
}

impl Seeded {
    fn bytes(&mut self) -> [u8; 32] {
        self.drawn += 1;
        sha256_parts(&[&self.seed.to_be_bytes(), &self.drawn.to_be_bytes()])
    }

    fn below(&mut self, limit: usize) -> usize {
        let bytes = self.bytes();
        usize::from(u16::from_be_bytes([bytes[0], bytes[1]])) % limit
    }

    /// A path; now and then one that shares many bits with another.
    fn path(&mut self, map: &Map) -> [u8; 32] {
        let mut path = self.bytes();
        if let Some(other) = map.keys().nth(self.below(map.len().max(1)))
            && self.below(3) == 0
        {
            let shared = self.below(256);
            path = *other;
            path[shared / 8] ^= 0x80 >> (shared % 8);
            if self.below(2) == 0 {
                let tail = self.bytes();
                path[shared / 8 + 1..].copy_from_slice(&tail[shared / 8 + 1..]);
            }
        }
        path
    }
}

#[test]
fn the_root_is_that_of_the_content_after_random_rounds_of_writes_and_removals() {
    for seed in 0..12 {
        let mut chance = Seeded { seed, drawn: 0 };
        let (mut map, mut pages, mut root) = (Map::new(), MemoryPages::default(), StateRoot::default());
        for _ in 0..12 {
            let mut writes = Writes::new();
            for _ in 0..chance.below(120) {
                let path = chance.path(&map);
                writes.insert(path, Some(chance.bytes()));
            }
            let removed: Vec<_> = map.keys().filter(|_| chance.below(3) == 0).copied().collect();
            writes.extend(removed.into_iter().map(|path| (path, None)));
            writes.insert(chance.bytes(), None);
            for (path, value) in &writes {
                match value {
                    Some(value) => map.insert(*path, *value),
                    None => map.remove(path),
                };
            }
            let update = update(&pages, &root, &writes).unwrap();
            pages.apply(&update);
            root = update.root;
            assert_eq!(root.0, naive_root(&map.iter().collect::<Vec<_>>(), 0), "seed {seed}");
            assert_eq!(root, nomt_root(&map), "seed {seed}");
            assert_eq!(
                (pages.clone(), root),
                fresh(&map),
                "seed {seed}: no trace of earlier content in the pages"
            );
        }
        let everything = map.keys().map(|path| (*path, None)).collect();
        let update = update(&pages, &root, &everything).unwrap();
        pages.apply(&update);
        assert_eq!((pages, update.root), (MemoryPages::default(), StateRoot::default()), "seed {seed}");
    }
}

#[test]
fn proofs_of_presence_and_absence_hold_for_both_verifiers() {
    for seed in 100..104 {
        let mut chance = Seeded { seed, drawn: 0 };
        let mut map = Map::new();
        for _ in 0..300 {
            let path = chance.path(&map);
            map.insert(path, chance.bytes());
        }
        let (pages, root) = fresh(&map);
        let absent: BTreeSet<_> =
            (0..200).map(|_| chance.path(&map)).filter(|path| !map.contains_key(path)).collect();
        for path in map.keys().chain(&absent) {
            let proof = prove(&pages, &root, path).unwrap();
            assert_eq!(proof.verify(&root, path, map.get(path)), Ok(()));
            assert!(nomt_accepts(&proof, &root, path, &map));
            let bytes = to_bytes(&proof);
            assert_eq!(from_bytes::<TrieProof>(&bytes, bytes.len()), Ok(proof));
        }
    }
}

#[test]
fn a_proof_says_nothing_else_than_what_it_proves() {
    let map: Map = (0..100_u8).map(|number| (sha256(&[number]), [number; 32])).collect();
    let (pages, root) = fresh(&map);
    let (path, value) = (sha256(&[7]), [7; 32]);
    let proof = prove(&pages, &root, &path).unwrap();
    let absent = sha256(b"absent");
    let exclusion = prove(&pages, &root, &absent).unwrap();
    let other = StateRoot([9; 32]);
    let is_root_fault = |result| matches!(result, Err(TrieFault::Root { .. }));
    assert_eq!(proof.verify(&root, &path, None), Err(TrieFault::Present { value_hash: value }));
    assert_eq!(
        proof.verify(&root, &path, Some(&[8; 32])),
        Err(TrieFault::Value { found: value, expected: [8; 32] })
    );
    assert_eq!(exclusion.verify(&root, &absent, Some(&value)), Err(TrieFault::Absent));
    assert!(is_root_fault(proof.verify(&other, &path, Some(&value))));
    assert!(is_root_fault(exclusion.verify(&other, &absent, None)));
    assert_eq!(proof.verify(&root, &sha256(&[8]), None), Err(TrieFault::ForeignLeaf { path }));
}

#[test]
fn every_flipped_bit_in_a_proof_is_refused() {
    let map: Map = (0..2_000_u16).map(|number| (sha256(&number.to_be_bytes()), [5; 32])).collect();
    let (pages, root) = fresh(&map);
    let present = (0..6_u16).map(|number| sha256(&number.to_be_bytes()));
    let absent = (0..6_u16).map(|number| sha256(&[b"absent".as_slice(), &number.to_be_bytes()].concat()));
    for path in present.chain(absent) {
        let bytes = to_bytes(&prove(&pages, &root, &path).unwrap());
        for position in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[position / 8] ^= 1 << (position % 8);
            let accepted = from_bytes::<TrieProof>(&flipped, flipped.len())
                .is_ok_and(|proof| proof.verify(&root, &path, map.get(&path)).is_ok());
            assert!(!accepted, "bit {position}");
        }
    }
}

#[test]
fn paths_that_differ_in_the_last_bit_only_take_256_siblings() {
    let mut last = [0xaa; 32];
    last[31] ^= 1;
    let map = Map::from([([0xaa; 32], [1; 32]), (last, [2; 32])]);
    let (mut pages, root) = fresh(&map);
    assert_eq!(root, nomt_root(&map));
    assert_eq!(pages.0.len(), 64);
    let proof = prove(&pages, &root, &last).unwrap();
    assert_eq!(proof.siblings().len(), 256);
    assert_eq!(proof.verify(&root, &last, Some(&[2; 32])), Ok(()));
    let bytes = to_bytes(&proof);
    assert!(bytes.len() < 200, "255 siblings are empty and cost a bit each: {} bytes", bytes.len());
    assert_eq!(from_bytes::<TrieProof>(&bytes, bytes.len()), Ok(proof));
    // Removing one lets the other rise to the root, and 63 pages go.
    let update = update(&pages, &root, &Writes::from([(last, None)])).unwrap();
    pages.apply(&update);
    assert_eq!(pages.0.len(), 1);
    assert_eq!(update.root.0, leaf_hash(&[0xaa; 32], &[1; 32]));
}

#[test]
fn the_empty_map_proves_absence() {
    let (pages, root) = (MemoryPages::default(), StateRoot::default());
    let proof = prove(&pages, &root, &[3; 32]).unwrap();
    assert_eq!(proof.verify(&root, &[3; 32], None), Ok(()));
    assert_eq!(to_bytes(&proof).len(), 5);
    assert!(nomt_accepts(&proof, &root, &[3; 32], &Map::new()));
}

#[test]
fn a_write_that_changes_nothing_changes_no_page() {
    let map: Map = (0..500_u16).map(|number| (sha256(&number.to_be_bytes()), [5; 32])).collect();
    let (pages, root) = fresh(&map);
    let same = sha256(&3_u16.to_be_bytes());
    let writes = Writes::from([(same, Some([5; 32])), (sha256(b"absent"), None)]);
    let update = update(&pages, &root, &writes).unwrap();
    assert_eq!((update.root, update.pages.len()), (root, 0));
}

#[test]
fn a_chain_of_overlays_is_the_same_as_one_batch() {
    let mut chance = Seeded { seed: 4, drawn: 0 };
    let base: Map = (0..400).map(|_| (chance.bytes(), chance.bytes())).collect();
    let (pages, root) = fresh(&base);
    let first: Writes = (0..50).map(|_| (chance.bytes(), Some(chance.bytes()))).collect();
    let mut second: Writes = (0..50).map(|_| (chance.bytes(), Some(chance.bytes()))).collect();
    second.extend(first.keys().take(20).chain(base.keys().take(20)).map(|path| (*path, None)));
    let one = update(&pages, &root, &first).unwrap();
    let overlay = Overlay { parent: &pages, pages: &one.pages };
    let two = update(&overlay, &one.root, &second).unwrap();
    let top = Overlay { parent: &overlay, pages: &two.pages };
    let both = first.into_iter().chain(second.clone()).collect::<Writes>();
    let batch = update(&pages, &root, &both).unwrap();
    assert_eq!(two.root, batch.root);
    for path in both.keys() {
        let proof = prove(&top, &two.root, path).unwrap();
        assert_eq!(proof.verify(&batch.root, path, both[path].as_ref()), Ok(()));
    }
}

#[test]
fn a_missing_page_never_passes_for_an_empty_one() {
    let map: Map = (0..2_000_u16).map(|number| (sha256(&number.to_be_bytes()), [5; 32])).collect();
    let (pages, root) = fresh(&map);
    for id in pages.0.keys() {
        let mut torn = pages.clone();
        torn.0.remove(id);
        let inside = map.keys().find(|path| passes(path, id)).unwrap();
        assert_eq!(prove(&torn, &root, inside), Err(TrieFault::MissingPage { id: *id }));
        let writes = Writes::from([(*inside, None)]);
        assert_eq!(update(&torn, &root, &writes), Err(TrieFault::MissingPage { id: *id }));
    }
    let stale = StateRoot([1; 32]);
    let expected = TrieFault::Root { found: root, expected: stale };
    assert_eq!(update(&pages, &stale, &Writes::new()), Err(expected.clone()));
    assert_eq!(prove(&pages, &stale, &[0; 32]), Err(expected));
}

/// Whether `path` passes the page.
fn passes(path: &[u8; 32], id: &PageId) -> bool {
    let mut walked = PageId::ROOT;
    for _ in 0..id.depth() {
        walked = walked.child(walked.slot_of(path));
    }
    walked == *id
}

#[test]
fn page_keys_and_pages_survive_their_bytes_and_others_are_refused() {
    let mut last = [0x5a; 32];
    last[31] ^= 1;
    let mut map: Map = (0..3_000_u16).map(|number| (sha256(&number.to_be_bytes()), [5; 32])).collect();
    map.extend([([0x5a; 32], [1; 32]), (last, [2; 32])]);
    let (pages, _) = fresh(&map);
    for (id, page) in &pages.0 {
        assert_eq!(PageId::from_key(&id.to_key()), Some(*id));
        let bytes = page.to_bytes();
        assert!(bytes.len() <= 1_028);
        assert_eq!(Page::from_bytes(&bytes).as_ref(), Ok(&**page));
        assert_eq!(Page::from_bytes(&bytes[1..]), Err(PageFault { length: bytes.len() - 1 }));
        assert!(id.parent().is_none_or(|parent| pages.0.contains_key(&parent)));
    }
    for key in [&[][..], &[0, 0], &[1], &[0x0f, 1], &[1, 3], &[64; 33]] {
        assert_eq!(PageId::from_key(key), None, "{key:02x?}");
    }
    let leaf_in_an_unused_slot = [[0, 1, 0, 2].as_slice(), &[7; 32]].concat();
    assert_eq!(Page::from_bytes(&leaf_in_an_unused_slot), Err(PageFault { length: 36 }));
}

#[test]
fn a_proof_has_one_spelling() {
    let leaf = |out: &mut Writer| out.null();
    let spell = |depth: u64, bitmap: &[u8], hashes: &[u8]| {
        let mut out = Writer::default();
        out.array(4);
        out.uint(depth);
        out.bytes(bitmap);
        out.bytes(hashes);
        leaf(&mut out);
        from_bytes::<TrieProof>(&out.into_bytes(), 10_000).map(|proof| proof.siblings().len())
    };
    let refused = Err(DecodeError::Value { field: "siblings" });
    assert_eq!(spell(1, &[0x80], &[1; 32]), Ok(1));
    assert_eq!(spell(1, &[0x00], &[]), Ok(1));
    assert_eq!(spell(256, &[0xff; 32], &[1; 32 * 256]), Ok(256));
    assert_eq!(
        spell(257, &[0xff; 33], &[1; 32 * 257]),
        Err(DecodeError::TooLong { length: 257, limit: 256 })
    );
    let table: [(u64, &[u8], &[u8], &str); 7] = [
        (1, &[0x80], &[0; 32], "a hash of zeros"),
        (1, &[0xc0], &[1; 64], "a bit behind the last sibling"),
        (1, &[0x80, 0], &[1; 32], "a byte too many"),
        (9, &[0x80], &[1; 32], "a byte too few"),
        (1, &[0x80], &[1; 33], "half a hash"),
        (2, &[0x80], &[1; 64], "a hash too many"),
        (2, &[0xc0], &[1; 32], "a hash too few"),
    ];
    for (depth, bitmap, hashes, why) in table {
        assert_eq!(spell(depth, bitmap, hashes), refused, "{why}");
    }
}

proptest! {
    #[test]
    fn the_order_of_writes_does_not_show(
        paths in prop::collection::btree_set(prop::array::uniform32(0..3_u8), 1..60),
        cuts in prop::collection::vec(0..4_usize, 60),
    ) {
        let map: Map = paths.iter().map(|path| (*path, sha256(path))).collect();
        let (whole, root) = fresh(&map);
        let (mut pages, mut step) = (MemoryPages::default(), StateRoot::default());
        for batch in 0..4 {
            let chosen = map.iter().zip(&cuts).filter(|(_, cut)| **cut == batch);
            let writes: Writes = chosen.map(|((path, value), _)| (*path, Some(*value))).collect();
            let update = update(&pages, &step, &writes).unwrap();
            pages.apply(&update);
            step = update.root;
        }
        prop_assert_eq!((pages, step), (whole, root));
    }

    #[test]
    fn bytes_that_are_a_proof_or_a_page_encode_to_themselves(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        if let Ok(proof) = from_bytes::<TrieProof>(&bytes, bytes.len()) {
            prop_assert_eq!(to_bytes(&proof), bytes.clone());
        }
        if let Ok(page) = Page::from_bytes(&bytes) {
            prop_assert_eq!(page.to_bytes(), bytes);
        }
    }
}

#[test]
fn the_arc_of_an_unchanged_page_is_shared() {
    let map: Map = (0..500_u16).map(|number| (sha256(&number.to_be_bytes()), [5; 32])).collect();
    let (pages, root) = fresh(&map);
    let update = update(&pages, &root, &Writes::from([(sha256(b"one"), Some([1; 32]))])).unwrap();
    let mut after = pages.clone();
    after.apply(&update);
    let shared =
        pages.0.iter().filter(|(id, page)| after.0.get(id).is_some_and(|other| Arc::ptr_eq(page, other)));
    assert!(shared.count() >= pages.0.len() - 4);
}
