//! What a node fetches that takes a state over: pieces of the state after block 3, outlines of block 1.

use std::collections::BTreeMap;

use serde_json::json;
use tabellion_ledger::trie::{MemoryPages, PageId, Pages, Piece, PieceRecord, Slot, update};
use tabellion_ledger::{Outline, StateRoot, sha256};

use super::chain::Chain;
use super::files::Vector;
use super::make::vector;

/// Pieces and outlines.
pub fn pieces(chain: &Chain) -> Vec<Vector> {
    let state: BTreeMap<[u8; 32], Vec<u8>> =
        chain.state.iter().map(|(key, record)| (key.path(), record.clone())).collect();
    let writes = state.iter().map(|(path, record)| (*path, Some(sha256(record)))).collect();
    let mut pages = MemoryPages::default();
    let update = update(&pages, &StateRoot::default(), &writes).unwrap();
    pages.apply(&update);
    let entry = |path: &[u8; 32]| PieceRecord { path: *path, record: state[path].clone() };

    let whole = Piece::Whole(state.keys().map(entry).collect());
    let page = pages.page(&PageId::ROOT).unwrap();
    let leaves = page.slots().into_iter().filter_map(|slot| match slot {
        Slot::Leaf(leaf) => Some(entry(&leaf.path)),
        _ => None,
    });
    let split = Piece::Split((*page).clone(), leaves.collect());
    let (number, slot) = (0..)
        .zip(page.slots())
        .find(|(_, slot)| matches!(slot, Slot::Node(_)))
        .expect("the state has two records that share four bits");
    let Slot::Node(hash) = slot else { unreachable!() };
    let id = PageId::ROOT.child(number);
    let below =
        Piece::Whole(state.range(*id.first_path()..=id.last_path()).map(|(path, _)| entry(path)).collect());
    let outline = Outline::of(&chain.blocks[1]);
    let facts = |id: &PageId, hash: [u8; 32]| {
        vec![("prefix", json!(id.to_string())), ("hash", json!(hex::encode(hash)))]
    };
    let (root, height) = (facts(&PageId::ROOT, update.root.0), vec![("height", json!(1))]);
    vec![
        vector("piece-whole", "Piece", "the whole state after block 3", &whole, root.clone()),
        vector("piece-split", "Piece", "its topmost page", &split, root),
        vector("piece-below", "Piece", "what lies below the page's first node", &below, facts(&id, hash)),
        vector("outline", "Outline", "block 1, with its record", &outline, height.clone()),
        vector("outline-bare", "Outline", "block 1, without records", &outline.without_records(), height),
    ]
}
