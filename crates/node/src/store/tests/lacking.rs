//! What a backup node lacks: marks, and what takes them away.

use tabellion_ledger::{
    Algorithm, Block, Content, Envelope, Hash, Header, KeyId, LaneBody, LaneHeader, LaneHeaderHash,
    RosterHash, Signature, Transaction, attachments_root, cbor,
};

use super::super::Asked;
use super::*;

/// What travels beside each of a block's transactions.
type Beside = Vec<Vec<Vec<u8>>>;

/// A transaction that commits to attachments, as a ledger of identifiers records it.
fn transaction(height: u64, index: usize, attachments: &[Vec<u8>]) -> Transaction {
    let mut nonce = [0; 16];
    nonce[..8].copy_from_slice(&height.to_be_bytes());
    nonce[8..].copy_from_slice(&index.to_be_bytes());
    let content = Content {
        ledger: LEDGER,
        lane: Lane::Certificate,
        valid_until: NOW,
        nonce,
        action: vec![1],
        attachments: attachments_root(attachments),
    };
    let envelope = Envelope {
        algorithm: Algorithm::Ed25519,
        key_id: KeyId([3; 32]),
        payload: cbor::to_bytes(&content),
        signature: Signature(vec![0; 64]),
    };
    Transaction::new(envelope, Vec::new()).unwrap()
}

/// A block with these attachments beside its transactions; without any it has no lane.
pub(super) fn block(height: u64, beside: &[&[&[u8]]]) -> Block {
    let carried: Beside = beside.iter().map(|one| one.iter().map(|bytes| bytes.to_vec()).collect()).collect();
    let transactions: Vec<_> =
        carried.iter().enumerate().map(|(index, one)| transaction(height, index, one)).collect();
    let header = LaneHeader {
        ledger: LEDGER,
        lane: Lane::Certificate,
        height: Height(height),
        time: NOW,
        previous: LaneHeaderHash::default(),
        records_root: LaneBody::records_root(&transactions),
        record_count: u32::try_from(transactions.len()).unwrap(),
        latest_expiry: NOW,
        history_root: Hash::default(),
    };
    let lanes = if carried.is_empty() { Vec::new() } else { vec![LaneBody { header, transactions }] };
    let header = Header {
        version: tabellion_ledger::FORMAT_VERSION,
        ledger: LEDGER,
        height: Height(height),
        previous: HeaderHash::default(),
        time: NOW,
        proposer: 0,
        lanes_root: Block::lanes_root(&lanes),
        state_root: StateRoot::default(),
        roster: RosterHash::default(),
        next_roster: RosterHash::default(),
        history_root: Hash::default(),
    };
    let block = Block { header, lanes, carried };
    block.check_body().unwrap();
    block
}

/// Blocks of which the second and the last have something beside them.
pub(super) fn blocks() -> Vec<Block> {
    vec![
        block(0, &[]),
        block(1, &[&[b"one", b"issuer"]]),
        block(2, &[&[]]),
        block(3, &[&[b"two"], &[b"three"]]),
    ]
}

pub(super) fn put(store: &Store, blocks: &[Block]) {
    for block in blocks {
        store.put_block(block.digest(), &Arc::new(block.clone()));
    }
    store.sync().unwrap();
}

fn marked(store: &Store, asked: Asked) -> Vec<u64> {
    store.lacking(Height(0), asked, 100).unwrap().into_iter().map(|height| height.0).collect()
}

/// X.1409 C18: what a node missed is known over restarts, until all of it has come.
#[test]
fn what_a_node_missed_is_marked_until_all_of_it_has_come() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let blocks = blocks();
    put(&store, &blocks);
    assert!(!store.is_whole(Height(2)).unwrap(), "not looked at");
    assert!(store.look_for_lacking(100).unwrap());
    assert_eq!((marked(&store, Asked::Open), store.lacking_count().unwrap()), (vec![1, 3], 2));
    let whole: Vec<bool> = (0..5).map(|height| store.is_whole(Height(height)).unwrap()).collect();
    assert_eq!(whole, [true, false, true, false, false], "the last one is not there");

    let mut part = blocks[3].clone();
    part.carried[1].clear();
    assert!(!store.put_beside(&part).unwrap());
    store.asked_in_vain(&[Height(1), Height(2)]).unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!((marked(&store, Asked::Open), marked(&store, Asked::InVain)), (vec![3], vec![1]));
    assert_eq!(store.carried_beside(&part).unwrap(), part.carried);
    let mut rest = blocks[3].clone();
    rest.carried[0].clear();
    assert!(store.put_beside(&rest).unwrap());
    assert!(store.put_beside(&blocks[1]).unwrap());
    drop(store);
    let store = open(folder.path());
    assert!(store.look_for_lacking(100).unwrap());
    assert_eq!(store.lacking_count().unwrap(), 0);
    for block in &blocks {
        let beside = store.carried_beside(block).unwrap();
        assert_eq!(beside.concat(), block.carried.concat(), "block {}", block.header.height);
        assert!(store.is_whole(block.header.height).unwrap());
    }
}

/// X.1409 C18: a node that keeps what travels lacks nothing; one that begins to do so lacks what came before.
#[test]
fn only_what_was_not_kept_is_lacking() {
    let folder = tempfile::tempdir().unwrap();
    let (store, blocks) = (open(folder.path()), blocks());
    put(&store, &blocks[..3]);
    store.keep_carried();
    put(&store, &blocks[3..]);
    let mut steps = 1;
    while !store.look_for_lacking(1).unwrap() {
        steps += 1;
    }
    assert_eq!((steps, marked(&store, Asked::Open)), (5, vec![1]));
    put(&store, &[block(5, &[&[b"five"]])]);
    assert!(store.look_for_lacking(100).unwrap());
    assert!(!store.is_whole(Height(5)).unwrap(), "behind a gap nothing is known");
    put(&store, &[block(4, &[])]);
    assert!(store.look_for_lacking(100).unwrap());
    assert!(store.is_whole(Height(5)).unwrap());
}

/// X.1409 C18: a body that is gone is lacking, and comes with what travelled beside it.
#[test]
fn a_body_that_is_gone_is_lacking() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 3);
    store.checkpoint(NOW).unwrap();
    store.delete_lane_body(Height(2), Lane::Certificate).unwrap();
    store.delete_lane_body(Height(3), Lane::Perimeter).unwrap();
    assert!(store.look_for_lacking(100).unwrap());
    assert_eq!(marked(&store, Asked::Open), [2], "the other lane has no certificates");
    assert_eq!(store.block(Height(2)).unwrap(), None);
    assert!(store.put_beside(&ledger.blocks[2]).unwrap());
    assert_eq!(store.block(Height(2)).unwrap().as_ref(), Some(&ledger.blocks[2]));
    assert_eq!(store.lacking_count().unwrap(), 0);
}
