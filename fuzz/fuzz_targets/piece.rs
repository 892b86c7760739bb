//! Pieces of a state and outlines of blocks: what anybody may send to a node that takes a state over.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{outlined, same_bytes_again, whole_state};
use tabellion_ledger::trie::{PageId, Piece};
use tabellion_ledger::{Outline, cbor};

fuzz_target!(|bytes: &[u8]| {
    if let Some(piece) = same_bytes_again::<Piece>(bytes) {
        let (root, whole) = whole_state();
        let whole: Piece = cbor::from_bytes(&whole, whole.len()).expect("the vector is a piece");
        let all = whole.open(&PageId::ROOT, &root).expect("the vector is the whole state");
        if let Ok(opened) = piece.open(&PageId::ROOT, &root) {
            assert!(opened.records.iter().all(|entry| all.records.contains(entry)), "a forged record");
            assert!(opened.pages.iter().all(|(id, page)| all.pages.get(id) == Some(page)), "a forged page");
            let hash = |id: &PageId| all.pages.get(id).map(|page| page.hash());
            assert!(opened.below.iter().all(|(id, below)| hash(id) == Some(*below)), "a forged hash");
        }
    }
    if let Some(outline) = same_bytes_again::<Outline>(bytes) {
        let header = outlined();
        if outline.check(&header).is_ok() {
            assert!(outline.lanes.iter().all(|lane| lane.header.height == header.height), "a foreign lane");
        }
    }
});
