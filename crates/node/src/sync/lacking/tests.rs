//! What other nodes send, compared with what was signed.

use tabellion_ledger::{
    Algorithm, Content, Envelope, FORMAT_VERSION, Hash, HeaderHash, KeyId, Lane, LaneBody, LaneHeader,
    LaneHeaderHash, LedgerId, RosterHash, Signature, StateRoot, TimeMs, Transaction, cbor,
};

use super::*;

const LEDGER: LedgerId = LedgerId([7; 32]);

fn transaction(nonce: u8, attachments: &[Vec<u8>]) -> Transaction {
    let content = Content {
        ledger: LEDGER,
        lane: Lane::Certificate,
        valid_until: TimeMs(9),
        nonce: [nonce; 16],
        action: Vec::new(),
        attachments: attachments_root(attachments),
    };
    let envelope = Envelope {
        algorithm: Algorithm::Ed25519,
        key_id: KeyId::default(),
        payload: cbor::to_bytes(&content),
        signature: Signature(vec![0; 64]),
    };
    Transaction::new(envelope, Vec::new()).unwrap()
}

/// Three transactions, the last without attachments.
fn block() -> Block {
    let carried = vec![vec![b"one".to_vec(), b"issuer".to_vec()], vec![b"two".to_vec()], Vec::new()];
    let transactions: Vec<_> = (1..).zip(&carried).map(|(nonce, one)| transaction(nonce, one)).collect();
    let header = LaneHeader {
        ledger: LEDGER,
        lane: Lane::Certificate,
        height: Height(4),
        time: TimeMs(8),
        previous: LaneHeaderHash::default(),
        records_root: LaneBody::records_root(&transactions),
        record_count: 3,
        latest_expiry: TimeMs(9),
        history_root: Hash::default(),
    };
    let lanes = vec![LaneBody { header, transactions }];
    let header = Header {
        version: FORMAT_VERSION,
        ledger: LEDGER,
        height: Height(4),
        previous: HeaderHash::default(),
        time: TimeMs(8),
        proposer: 0,
        lanes_root: Block::lanes_root(&lanes),
        state_root: StateRoot::default(),
        roster: RosterHash::default(),
        next_roster: RosterHash::default(),
        history_root: Hash::default(),
    };
    Block { header, lanes, carried }
}

fn answer() -> Answer {
    Answer { height: Height(4), block: None, lies: Vec::new(), failures: Vec::new() }
}

/// X.1409 C18: nothing is kept that differs from what the signed contents commit to.
#[test]
fn what_a_node_sends_is_compared_with_what_was_signed() {
    type Row = (&'static str, fn(&mut Block), Option<&'static str>);
    let rows: [Row; 11] = [
        ("all of it", |_| (), None),
        ("nothing beside it", |block| block.carried.clear(), None),
        ("one of two", |block| block.carried[0].clear(), None),
        ("a bit turned", |block| block.carried[1][0][0] ^= 1, Some("not those of transaction")),
        ("an attachment left out", |block| drop(block.carried[0].pop()), Some("not those of transaction")),
        ("swapped within", |block| block.carried[0].swap(0, 1), Some("not those of transaction")),
        ("of another transaction", |block| block.carried.swap(0, 1), Some("not those of transaction")),
        ("one too many", |block| block.carried[2].push(vec![1]), Some("not those of transaction")),
        ("entries left out", |block| drop(block.carried.pop()), Some("attachments of 2 transactions")),
        ("another block", |block| block.header.time = TimeMs(7), Some("another block 4")),
        ("a record left out", |block| drop(block.lanes[0].transactions.pop()), Some("block 4: ")),
    ];
    let header = block().header;
    for (name, alter, expected) in rows {
        let mut sent = block();
        alter(&mut sent);
        let refused = compared(sent.clone(), &header);
        match expected {
            None => assert_eq!(refused, Ok(sent), "{name}"),
            Some(expected) => {
                assert!(refused.as_ref().unwrap_err().contains(expected), "{name}: {refused:?}")
            }
        }
    }
}

/// X.1409 C18: what several nodes hold in part is joined.
#[test]
fn what_several_nodes_hold_in_part_is_joined() {
    let (mut nothing, mut first, mut second) = (block(), block(), block());
    nothing.carried.clear();
    first.carried[1].clear();
    second.carried[0].clear();
    let mut joined = answer();
    assert!(!joined.is_whole());
    for (part, is_whole) in [(nothing, false), (first.clone(), false), (first, false), (second, true)] {
        joined.take(part);
        assert_eq!(joined.is_whole(), is_whole);
    }
    assert_eq!(joined.block, Some(block()));
}
