//! A store that is filled from the state of another one.

use std::collections::BTreeMap;
use std::path::Path;

use redb::{Builder, ReadableDatabase, ReadableTable};
use tabellion_ledger::trie::PageId;
use tabellion_ledger::{Block, Outline};

use super::super::rows::STATE;
use super::*;

/// Pieces so small that the state takes many.
const PIECE_BYTES: usize = 500;

fn target_of(block: &Block) -> Target {
    let header = &block.header;
    Target { height: header.height, digest: header.hash(), root: header.state_root }
}

fn open_intake(folder: &Path) -> Intake {
    Intake::open(folder, LEDGER, &quick()).unwrap()
}

/// Takes in headers and outlines up to a block.
fn take_chain(intake: &Intake, blocks: &[Arc<Block>]) {
    let mut end = match intake.chain_end().unwrap() {
        Some(end) => end,
        None => intake.begin_chain(&blocks[0]).unwrap(),
    };
    let next = usize::try_from(end.header().height.0).unwrap() + 1;
    for page in blocks[next..].chunks(7) {
        let entries: Vec<_> = page.iter().map(|block| (block.header.clone(), Outline::of(block))).collect();
        intake.put_chain(&mut end, &entries, &[]).unwrap();
    }
    assert_eq!(end.header(), &blocks[blocks.len() - 1].header);
}

/// Takes in pieces until `count_max` are here or none is wanted; opens the intake anew for each. Returns how
/// many were taken.
fn take_pieces(folder: &Path, held: &HeldState, count_max: usize) -> usize {
    for count in 0..count_max {
        let intake = open_intake(folder);
        let Some((id, hash)) = intake.wanted().unwrap().pop() else { return count };
        let piece = held.piece_within(&id, PIECE_BYTES).unwrap().open(&id, &hash).unwrap();
        intake.put_pieces(&[(id, piece)]).unwrap();
    }
    count_max
}

fn finish(folder: &Path, block: &Block) -> Result<Target, StoreError> {
    let votes = [(block.header.height, block.digest(), sha256_of(b"votes"))];
    open_intake(folder).finish(&Finish {
        blocks: std::slice::from_ref(block),
        votes: &votes,
        hand_overs: &[],
    })
}

fn sha256_of(bytes: &[u8]) -> Vec<u8> {
    tabellion_ledger::sha256(bytes).to_vec()
}

/// All rows of a state: pages and records.
fn rows(folder: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let database = Builder::new().create(folder.join(STATE_FILE)).unwrap();
    let table = database.begin_read().unwrap().open_table(STATE).unwrap();
    let rows = table.iter().unwrap().map(|row| row.unwrap());
    rows.map(|(key, value)| (key.value().to_vec(), value.value().to_vec())).collect()
}

/// X.1409 L9: a node takes a state over piece by piece, over crashes, while the others go on, and is then a
/// node like any other.
#[test]
fn a_store_filled_with_pieces_is_the_store_they_came_from() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (source, mut ledger) = with_blocks(from.path(), 30);
    source.checkpoint(NOW).unwrap();
    (0..10).for_each(|_| ledger.advance(&source));
    // Blocks above the checkpoint change what it holds.
    let (held, block) = (HeldState::new(source.tip()), ledger.blocks[40].clone());
    (0..20).for_each(|_| ledger.advance(&source));
    source.checkpoint(NOW).unwrap();

    take_chain(&open_intake(to.path()), &ledger.blocks[..=40]);
    open_intake(to.path()).aim(target_of(&block)).unwrap();
    assert!(matches!(finish(to.path(), &block), Err(StoreError::Unconfirmed { .. })), "nothing is here yet");
    let count = take_pieces(to.path(), &held, usize::MAX);
    assert!(count > 20, "{count} pieces");
    assert_eq!(finish(to.path(), &block).unwrap(), target_of(&block));

    let taken = open(to.path());
    assert_eq!((taken.applied_height(), taken.floor().unwrap()), (Some(Height(40)), Some(Height(40))));
    let (_folder, expected) = {
        let folder = tempfile::tempdir().unwrap();
        let (_, ledger) = with_blocks(folder.path(), 40);
        (folder, ledger)
    };
    expected.check(&taken.tip());
    assert_eq!(taken.block_ranges(), [(Height(0), Height(40))]);
    assert_eq!(taken.votes_ranges(), [(Height(40), Height(40))]);
    let path = |store: &Store| store.tip().history(Tree::Headers).inclusion_path(17, 40).unwrap();
    assert_eq!(path(&taken), path(&source));
    for (id, height) in &expected.transactions {
        assert_eq!(taken.tip().transaction_block(id).unwrap(), Some(*height));
    }
    assert!(taken.block(Height(40)).unwrap().is_some() && taken.block(Height(7)).unwrap().is_none());

    // It goes on like the source, and its bodies come later.
    let mut goes_on = expected;
    (41..=60).for_each(|_| goes_on.advance(&taken));
    assert_eq!(taken.tip().root(), source.tip().root());
    assert_eq!(taken.next_body().unwrap(), Some(Height(1)));
    let bodies: Vec<Block> = ledger.blocks[1..40].iter().map(|block| (**block).clone()).collect();
    taken.put_bodies(&bodies[..20], Height(21)).unwrap();
    assert!(taken.awaits_body(Height(21)).unwrap() && !taken.awaits_body(Height(20)).unwrap());
    taken.put_bodies(&bodies[20..], Height(40)).unwrap();
    assert_eq!((taken.next_body().unwrap(), taken.awaits_body(Height(39)).unwrap()), (None, false));
    for block in &ledger.blocks {
        assert_eq!(taken.block(block.header.height).unwrap().as_ref(), Some(block));
    }
}

#[test]
fn an_intake_that_aims_anew_keeps_what_both_states_have() {
    let (from, to, fresh) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (source, mut ledger) = with_blocks(from.path(), 60);
    let old = HeldState::new(source.tip());
    (0..2).for_each(|_| ledger.advance(&source));
    let (new, first, second) =
        (HeldState::new(source.tip()), ledger.blocks[60].clone(), ledger.blocks[62].clone());
    source.checkpoint(NOW).unwrap();
    drop(source);

    take_chain(&open_intake(fresh.path()), &ledger.blocks);
    open_intake(fresh.path()).aim(target_of(&second)).unwrap();
    let whole = take_pieces(fresh.path(), &new, usize::MAX);

    for taken_before in [1, 9, 30, usize::MAX] {
        let to = to.path().join(taken_before.to_string());
        take_chain(&open_intake(&to), &ledger.blocks[..=60]);
        open_intake(&to).aim(target_of(&first)).unwrap();
        let before = take_pieces(&to, &old, taken_before);
        take_chain(&open_intake(&to), &ledger.blocks);
        open_intake(&to).aim(target_of(&second)).unwrap();
        let after = take_pieces(&to, &new, usize::MAX);
        assert!(
            after <= whole && (before < 30 || after < whole),
            "{before} before, {after} of {whole} after"
        );
        finish(&to, &second).unwrap();
        drop(open(&to));
        assert_eq!(rows(&to), rows(from.path()), "{before} pieces before");
    }
}

#[test]
fn a_chain_with_a_gap_is_not_taken_in() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (_source, ledger) = with_blocks(from.path(), 5);
    let intake = open_intake(to.path());
    let mut end = intake.begin_chain(&ledger.blocks[0]).unwrap();
    let entry = |height: usize| (ledger.blocks[height].header.clone(), Outline::of(&ledger.blocks[height]));
    let put = intake.put_chain(&mut end, &[entry(1), entry(3)], &[]);
    assert!(matches!(put, Err(StoreError::OutOfOrder { found: Height(3) })));
    assert_eq!(intake.chain_end().unwrap().as_ref(), Some(&end));
    assert_eq!(end.header().height, Height(0));
    intake.put_chain(&mut end, &[entry(1), entry(2)], &[]).unwrap();
    assert_eq!(intake.header(Height(2)).unwrap().as_ref(), Some(&ledger.blocks[2].header));
    assert_eq!(intake.wanted().unwrap(), Vec::<(PageId, [u8; 32])>::new());
}
