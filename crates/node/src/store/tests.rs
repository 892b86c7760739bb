//! Properties of the store, and what crashes leave.

mod crash;
mod disk;
mod due;
mod fixture;
mod intake;
mod lacking;
mod model;
mod year;

use std::sync::Arc;

use tabellion_engine::{BlockKey, BlockStore, FinalityVotes};
use tabellion_ledger::{
    FinalitySignature, HeaderHash, Height, Lane, LedgerId, StateKey, StateRoot, TransactionId, View, merkle,
};

use self::fixture::{LEDGER, Ledger, NOW, quick};
use super::*;

fn open(folder: &Path) -> Store {
    Store::open(folder, LEDGER, quick()).unwrap()
}

/// A store with blocks 0 to `last`, all applied.
fn with_blocks(folder: &Path, last: u64) -> (Store, Ledger) {
    let store = open(folder);
    let mut ledger = Ledger::new(1);
    for _ in 0..=last {
        ledger.advance(&store);
    }
    (store, ledger)
}

#[test]
fn an_acknowledged_block_is_read_back_after_a_restart_and_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 5);
    drop(store);
    let store = open(folder.path());
    assert_eq!((store.last_height(), store.applied_height()), (Some(Height(5)), None));
    let replayed: Vec<_> = store.blocks_above_checkpoint().map(Result::unwrap).collect();
    assert_eq!(replayed, ledger.blocks);
    let mut again = Ledger::new(1);
    again.replay(&store);
    assert_eq!(store.tip().root(), ledger.blocks[5].header.state_root);
    assert_eq!(store.applied_height(), Some(Height(5)));
    assert_eq!(store.blocks_above_checkpoint().count(), 0);
}

#[test]
fn a_restart_replays_only_what_is_above_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 9);
    store.checkpoint(NOW).unwrap();
    ledger.advance(&store);
    ledger.advance(&store);
    drop(store);
    let store = open(folder.path());
    assert_eq!((store.checkpoint_height(), store.applied_height()), (Some(Height(9)), Some(Height(9))));
    assert_eq!(store.tip().root(), ledger.blocks[9].header.state_root);
    let heights: Vec<_> =
        store.blocks_above_checkpoint().map(|block| block.unwrap().header.height.0).collect();
    assert_eq!(heights, [10, 11]);
}

#[test]
fn a_checkpoint_is_due_after_enough_blocks_or_time() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 0);
    assert!(!store.checkpoint_due(NOW));
    assert!(!store.checkpoint_due(NOW.plus(4_999)));
    assert!(store.checkpoint_due(NOW.plus(5_000)));
    store.checkpoint(NOW.plus(5_000)).unwrap();
    assert!(!store.checkpoint_due(NOW.plus(60_000)), "nothing changed");
    for _ in 0..63 {
        ledger.advance(&store);
    }
    assert!(!store.checkpoint_due(NOW.plus(60_001)));
    ledger.advance(&store);
    assert!(store.checkpoint_due(NOW.plus(60_001)));
}

#[test]
fn a_snapshot_stays_what_it_was_while_blocks_and_checkpoints_pass() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 20);
    store.checkpoint(NOW).unwrap();
    let mut held = Vec::new();
    for round in 0..40 {
        held.push((store.tip(), ledger.records.clone(), ledger.known()));
        ledger.advance(&store);
        if round % 7 == 3 {
            store.checkpoint(NOW).unwrap();
        }
    }
    for (snapshot, records, known) in held {
        let height = snapshot.height().unwrap();
        for (key, record) in &records {
            assert_eq!(snapshot.record(key).unwrap().as_ref(), Some(record), "height {height}");
            let hash = tabellion_ledger::sha256(record);
            let proof = snapshot.prove(key).unwrap();
            assert_eq!(proof.verify(&snapshot.root(), &key.path(), Some(&hash)), Ok(()));
        }
        let absent = StateKey::new(9, b"absent");
        assert_eq!(snapshot.get(&absent), None);
        assert_eq!(snapshot.prove(&absent).unwrap().verify(&snapshot.root(), &absent.path(), None), Ok(()));
        for (id, at) in &ledger.transactions {
            let expected = known.contains(id).then_some(*at);
            assert_eq!(snapshot.transaction_height(id), expected, "height {height}");
        }
    }
}

#[test]
fn proposals_upon_one_parent_do_not_see_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 3);
    let parent = store.tip();
    let (left, right) = (ledger.fork(&parent, 1), ledger.fork(&parent, 2));
    assert_ne!(left.root(), right.root());
    let grandchild = ledger.fork(&left, 3);
    assert_eq!(grandchild.height(), Some(Height(5)));
    assert_eq!(store.tip().root(), parent.root(), "the store knows nothing of proposals");
    let refused = store.commit(&grandchild);
    assert!(matches!(refused, Err(StoreError::OutOfOrder { found: Height(5) })));
    store.commit(&left).unwrap();
    assert!(matches!(store.commit(&right), Err(StoreError::OutOfOrder { .. })));
    assert!(matches!(store.commit(&left), Err(StoreError::OutOfOrder { .. })), "twice");
    store.commit(&grandchild).unwrap();
    assert_eq!(store.tip().root(), grandchild.root());
    // No block confirms these roots, so they never become a checkpoint.
    assert!(matches!(store.checkpoint(NOW), Err(StoreError::Unconfirmed { height: Height(5), .. })));
    ledger.blocks.clear();
}

#[test]
fn a_proposal_made_before_a_checkpoint_is_committed_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 3);
    let (block, next) = ledger.propose(&store.tip());
    store.checkpoint(NOW).unwrap();
    ledger.finalise(&store, &block, &next);
    store.checkpoint(NOW).unwrap();
    drop((next, store));
    let store = open(folder.path());
    assert_eq!((store.checkpoint_height(), store.tip().root()), (Some(Height(4)), block.header.state_root));
    ledger.check(&store.tip());
}

#[test]
fn blocks_come_in_any_order_and_gaps_are_known() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 9);
    drop(store);
    let other = tempfile::tempdir().unwrap();
    let store = open(other.path());
    for height in [7, 2, 3, 9, 0] {
        let block = &ledger.blocks[height];
        store.put_block(block.digest(), block);
    }
    let check = |store: &Store| {
        let heights = |list: &[u64]| list.iter().copied().map(Height).collect::<Vec<_>>();
        assert_eq!(store.missing(Height(0), 100), heights(&[1, 4, 5, 6, 8]));
        assert_eq!(store.missing(Height(4), 2), heights(&[4, 5]));
        assert_eq!(store.next_gap(Height(2)), (Some(Height(3)), Some(Height(7))));
        assert_eq!(store.next_gap(Height(4)), (None, Some(Height(7))));
        assert_eq!(store.last_height(), Some(Height(9)));
        assert!(store.has_block(Height(7)) && !store.has_block(Height(8)));
        assert_eq!(store.block_ranges().len(), 4);
        assert_eq!(store.blocks_above_checkpoint().count(), 1);
        assert_eq!(store.block(Height(3)).unwrap().as_ref(), Some(&ledger.blocks[3]));
        assert_eq!(store.height_of(&ledger.blocks[9].digest()).unwrap(), Some(Height(9)));
        // A transaction of a block above the state is not one of the state's past.
        let later = ledger.blocks[9].transactions().next().unwrap().id();
        assert_eq!(store.tip().transaction_height(&later), None);
        assert!(store.transaction(&later).unwrap().is_some());
    };
    check(&store);
    store.sync().unwrap();
    check(&store);
    drop(store);
    check(&open(other.path()));
}

#[test]
fn votes_may_come_before_their_block() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 3);
    drop(store);
    let other = tempfile::tempdir().unwrap();
    let store = open(other.path());
    let block = &ledger.blocks[2];
    store.put_votes(Height(2), block.digest(), b"votes");
    store.put_votes(Height(2), block.digest(), b"others");
    for _ in 0..2 {
        assert_eq!(store.votes(Height(2)).unwrap(), Some((block.digest(), b"votes".to_vec())));
        assert_eq!((store.block(Height(2)).unwrap(), store.has_block(Height(2))), (None, false));
        assert_eq!(store.votes_ranges(), [(Height(2), Height(2))]);
        store.sync().unwrap();
    }
}

#[test]
fn the_engine_finds_blocks_and_votes_by_height_and_by_hash() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 3);
    drop(store);
    let other = tempfile::tempdir().unwrap();
    let store = open(other.path());
    let shelf: &dyn BlockStore = &store;
    let (block, later) = (&ledger.blocks[1], &ledger.blocks[2]);
    let signatures = vec![FinalitySignature { validator: 2, signature: [5; 64] }];
    let votes = FinalityVotes { epoch: 1, view: 9, parent_view: 8, signatures };
    shelf.put_votes(Height(1), block.digest(), &votes).unwrap();
    assert_eq!(shelf.block(BlockKey::Hash(block.digest())).unwrap(), None, "votes alone are no block");
    assert_eq!(store.finality_proof(Height(1)).unwrap(), None);
    shelf.put_block(block.digest(), block).unwrap();
    shelf.put_block(later.digest(), later).unwrap();
    for _ in 0..2 {
        for key in [BlockKey::Height(Height(1)), BlockKey::Hash(block.digest())] {
            assert_eq!(shelf.block(key).unwrap().as_ref(), Some(block));
            assert_eq!(shelf.votes(key).unwrap(), Some((block.digest(), votes.clone())));
        }
        assert_eq!(shelf.votes(BlockKey::Hash(later.digest())).unwrap(), None);
        assert_eq!(shelf.block(BlockKey::Hash(HeaderHash([9; 32]))).unwrap(), None);
        assert_eq!(shelf.block_ranges().unwrap(), [(Height(1), Height(2))]);
        assert_eq!(shelf.votes_ranges().unwrap(), [(Height(1), Height(1))]);
        let proof = store.finality_proof(Height(1)).unwrap().unwrap();
        assert_eq!(
            (&proof.header, proof.view, proof.signatures),
            (&block.header, 9, votes.signatures.clone())
        );
        assert_eq!(store.finality_proof(Height(2)).unwrap(), None, "finalised by a later block");
        shelf.sync().unwrap();
    }
}

#[test]
fn a_transaction_is_found_by_its_identifier() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 4);
    let staged = ledger.unwritten(&store);
    store.put_block(staged.digest(), &staged);
    for block in ledger.blocks.iter().chain([&staged]) {
        for body in &block.lanes {
            for (index, transaction) in (0..).zip(&body.transactions) {
                let place = Place { height: block.header.height, lane: body.header.lane, index };
                let found = StoredTransaction { place, bytes: Some(transaction.to_bytes()) };
                assert_eq!(store.transaction(&transaction.id()).unwrap(), Some(found));
            }
            let lane = body.header.lane;
            assert_eq!(store.lane_body(block.header.height, lane).unwrap().as_ref(), Some(body));
        }
        let lanes: Vec<_> = block.lanes.iter().map(|body| (body.header.clone(), true)).collect();
        assert_eq!(store.lane_headers(block.header.height).unwrap(), lanes);
    }
    assert_eq!(store.transaction(&TransactionId([1; 32])).unwrap(), None);
}

#[test]
fn a_deleted_body_leaves_headers_and_the_other_lanes() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 6);
    let lane = Lane::Certificate;
    let needed = store.delete_lane_body(Height(3), lane);
    assert!(matches!(needed, Err(StoreError::BodyNeeded { height: Height(3) })));
    store.checkpoint(NOW).unwrap();
    let block = &ledger.blocks[3];
    let body = block.lanes.iter().find(|body| body.header.lane == lane).unwrap();
    let bytes: usize = body.transactions.iter().map(|transaction| transaction.to_bytes().len()).sum();
    assert_eq!(store.delete_lane_body(Height(3), lane).unwrap(), bytes as u64);
    assert_eq!(store.delete_lane_body(Height(3), lane).unwrap(), 0);
    drop(store);
    let store = open(folder.path());
    assert_eq!(store.block(Height(3)).unwrap(), None);
    assert_eq!(store.lane_body(Height(3), lane).unwrap(), None);
    assert_eq!(store.header(Height(3)).unwrap().as_ref(), Some(&block.header));
    let held: Vec<_> = store.lane_headers(Height(3)).unwrap().into_iter().map(|(_, held)| held).collect();
    assert_eq!(held, block.lanes.iter().map(|body| body.header.lane != lane).collect::<Vec<_>>());
    let kept = block.lanes.iter().find(|body| body.header.lane != lane).unwrap();
    assert_eq!(store.lane_body(Height(3), kept.header.lane).unwrap().as_ref(), Some(kept));
    let gone = store.transaction(&body.transactions[0].id()).unwrap().unwrap();
    assert_eq!((gone.place.height, gone.bytes), (Height(3), None));
    assert!(store.has_block(Height(3)), "so that nobody fetches it again");
}

#[test]
fn compaction_shrinks_the_files_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 60);
    let open_still = Store::compact(folder.path(), LEDGER, quick());
    assert!(matches!(open_still, Err(StoreError::Open { .. })));
    store.checkpoint(NOW).unwrap();
    drop(store);
    let compacted = Store::compact(folder.path(), LEDGER, quick()).unwrap();
    assert!(compacted.after < compacted.before, "{compacted:?}");
    let store = open(folder.path());
    ledger.check(&store.tip());
    assert_eq!(store.block(Height(7)).unwrap().as_ref(), ledger.blocks.get(7));
}

#[test]
fn the_pools_journal_survives() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let id = |number| TransactionId([number; 32]);
    store.pool_keep(id(1), b"one");
    store.pool_keep(id(2), b"two");
    store.sync().unwrap();
    store.pool_keep(id(3), b"three");
    store.pool_forget(id(1));
    let rows = vec![(id(2), b"two".to_vec()), (id(3), b"three".to_vec())];
    assert_eq!(store.pool_rows().unwrap(), rows);
    store.sync().unwrap();
    drop(store);
    assert_eq!(open(folder.path()).pool_rows().unwrap(), rows);
}

#[test]
fn history_paths_lead_to_the_root_of_every_earlier_tree() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 40);
    store.checkpoint(NOW).unwrap();
    let tip = store.tip();
    let leaves: Vec<_> = ledger.blocks.iter().map(|block| block.header.leaf()).collect();
    // The tree in the state of block 40 holds the headers before it.
    for (index, size) in [(0_u64, 40_u64), (39, 40), (17, 33), (32, 33)] {
        let path = tip.history(Tree::Headers).inclusion_path(index, size).unwrap().unwrap();
        let root = merkle::root(&leaves[..usize::try_from(size).unwrap()]);
        let leaf = &leaves[usize::try_from(index).unwrap()];
        assert!(merkle::verify_inclusion(leaf, index, size, &path, &root));
    }
    assert_eq!(tip.history(Tree::Headers).inclusion_path(0, 60).unwrap(), None);
    assert_eq!(tip.history(Tree::Lane(Lane::Intel)).inclusion_path(0, 2).unwrap(), None);
}

#[test]
fn a_folder_of_another_ledger_or_with_a_foreign_state_is_refused() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, _) = with_blocks(one.path(), 3);
    store.checkpoint(NOW).unwrap();
    drop(store);
    let other = LedgerId([8; 32]);
    let refused = Store::open(one.path(), other, quick());
    assert!(matches!(refused, Err(StoreError::OtherLedger { found: LEDGER, expected }) if expected == other));
    drop(open(two.path()));
    std::fs::copy(one.path().join(STATE_FILE), two.path().join(STATE_FILE)).unwrap();
    let refused = Store::open(two.path(), LEDGER, quick());
    assert!(matches!(refused, Err(StoreError::ForeignState { height: Height(3) })));
    let held = open(one.path());
    assert!(matches!(Store::open(one.path(), LEDGER, quick()), Err(StoreError::Open { .. })), "in use");
    drop(held);
}

#[test]
fn readers_and_a_writer_share_the_store() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 10);
    let store = Arc::new(store);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    let tip = store.tip();
                    let height = tip.height().unwrap();
                    let header = store.header(height).unwrap().unwrap();
                    assert_eq!(tip.root(), header.state_root);
                    let key = Ledger::counter();
                    let record = tip.record(&key).unwrap();
                    assert_eq!(record, Some(height.0.to_be_bytes().to_vec()));
                    let hash = record.as_deref().map(tabellion_ledger::sha256);
                    let proof = tip.prove(&key).unwrap();
                    assert_eq!(proof.verify(&header.state_root, &key.path(), hash.as_ref()), Ok(()));
                }
            });
        }
        for round in 0..60 {
            ledger.advance(&store);
            if round % 10 == 5 {
                store.checkpoint(NOW).unwrap();
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
    assert_ne!(store.tip().root(), StateRoot::default());
    assert_eq!(store.checkpoint_height(), Some(Height(66)));
}
