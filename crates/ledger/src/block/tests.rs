use super::*;
use crate::id::LaneHeaderHash;
use crate::testing::{Committee, LEDGER, START, lane_body, transaction};

/// A block with two records in one lane and one in another.
fn two_lanes() -> Block {
    let committee = Committee::new(0, 4);
    let height = Height(0);
    let certificates = vec![transaction(Lane::Certificate, 1), transaction(Lane::Certificate, 2)];
    let lanes = vec![
        lane_body(Lane::Certificate, height, certificates),
        lane_body(Lane::Intel, height, vec![transaction(Lane::Intel, 3)]),
    ];
    committee.block(&[], lanes)
}

/// Makes the lanes root fit again, so that a fault deeper down shows.
fn seal(block: &mut Block) {
    block.header.lanes_root = Block::lanes_root(&block.lanes);
}

#[test]
fn a_block_reads_back_and_its_body_is_its_headers() {
    let block = two_lanes();
    let bytes = cbor::to_bytes(&block);
    assert_eq!(cbor::from_bytes(&bytes, bytes.len()), Ok(block.clone()));
    assert_eq!(block.check_body(), Ok(()));
    assert_eq!(block.transaction_count(), 3);
}

/// X.1409 C6, 8.2.1(4): on a ledger of identifiers certificates travel beside the block, and whoever passes
/// it on cannot alter them.
#[test]
fn what_a_block_carries_is_what_its_records_commit_to() {
    let committee = Committee::new(0, 4);
    let full = [transaction(Lane::Certificate, 1), transaction(Lane::Certificate, 2)];
    let bare = full.iter().map(Transaction::without_attachments).collect();
    let mut block = committee.block(&[], vec![lane_body(Lane::Certificate, Height(0), bare)]);
    assert_eq!(block.check_body(), Ok(()));
    block.carried = full.iter().map(|one| one.attachments().to_vec()).collect();
    assert_eq!(block.check_body(), Ok(()));
    let bytes = cbor::to_bytes(&block);
    assert_eq!(cbor::from_bytes(&bytes, bytes.len()), Ok(block.clone()));
    assert_eq!(block.digest(), block.clone().recorded().digest());
    assert!(block.clone().recorded().carried.is_empty());
    type Spoil = fn(&mut Block);
    let rows: [(&str, Spoil); 6] = [
        ("a bit turned", |block| block.carried[0][1][0] ^= 1),
        ("swapped between records", |block| block.carried.swap(0, 1)),
        ("swapped within a record", |block| block.carried[1].swap(0, 1)),
        ("one record's left out", |block| drop(block.carried.pop())),
        ("one left out", |block| drop(block.carried[1].pop())),
        ("one too many", |block| block.carried[1].push(vec![1])),
    ];
    for (what, spoil) in rows {
        let mut spoiled = block.clone();
        spoil(&mut spoiled);
        assert_eq!(spoiled.check_body(), Err(BlockFault::Carried), "{what}");
    }
    let mut twice = two_lanes();
    twice.carried = twice.transactions().map(|one| one.attachments().to_vec()).collect();
    assert_eq!(twice.check_body(), Err(BlockFault::Carried), "recorded and carried");
}

/// X.1409 L3
#[test]
fn a_body_that_is_not_its_headers_is_refused() {
    use BlockFault::{
        ForeignLane, LaneContext, LaneOrder, LanesRoot, RecordCount, RecordsRoot, Transactions,
    };
    type Spoil = fn(&mut Block);
    let lane = Lane::Certificate;
    let rows: [(&str, Spoil, BlockFault); 14] = [
        ("a lane gone", |block| drop(block.lanes.pop()), LanesRoot),
        ("all lanes gone", |block| block.lanes.clear(), LanesRoot),
        ("a lane header altered", |block| block.lanes[0].header.latest_expiry.0 += 1, LanesRoot),
        ("another previous lane header", |block| block.lanes[1].header.previous = LaneHeaderHash([1; 32]), {
            LanesRoot
        }),
        ("lanes descending", |block| block.lanes.reverse(), LaneOrder { lane }),
        ("a lane twice", |block| block.lanes.insert(0, block.lanes[0].clone()), LaneOrder { lane }),
        ("a record gone", |block| drop(block.lanes[0].transactions.pop()), {
            RecordCount { lane, found: 1, said: 2 }
        }),
        (
            "an empty lane",
            |block| (block.lanes[0].transactions, block.lanes[0].header.record_count) = (vec![], 0),
            { RecordCount { lane, found: 0, said: 0 } },
        ),
        ("records swapped", |block| block.lanes[0].transactions.reverse(), RecordsRoot { lane }),
        ("a record altered", |block| block.lanes[0].transactions[1] = transaction(Lane::Certificate, 9), {
            RecordsRoot { lane }
        }),
        (
            "attachments left out",
            |block| {
                let record = &mut block.lanes[0].transactions[1];
                *record = record.without_attachments();
            },
            RecordsRoot { lane },
        ),
        ("a record of another lane", |block| block.lanes[0].transactions[1] = transaction(Lane::Intel, 2), {
            ForeignLane { lane, signed: Lane::Intel }
        }),
        (
            "too many records",
            |block| block.lanes[0].transactions = vec![transaction(Lane::Certificate, 1); 4096],
            { Transactions { found: 4097, limit: 4096 } },
        ),
        ("a lane of another height", |block| block.lanes[0].header.height.0 += 1, LaneContext { lane }),
    ];
    for (what, spoil, expected) in rows {
        let mut block = two_lanes();
        spoil(&mut block);
        assert_eq!(block.check_body(), Err(expected), "{what}");
    }
    type Alter = fn(&mut Block);
    let contexts: [(&str, Alter); 3] = [
        ("height", |block| block.lanes[0].header.height.0 += 1),
        ("time", |block| block.lanes[0].header.time.0 += 1),
        ("ledger", |block| block.lanes[0].header.ledger.0[0] ^= 1),
    ];
    for (what, alter) in contexts {
        let mut block = two_lanes();
        alter(&mut block);
        seal(&mut block);
        assert_eq!(block.check_body(), Err(LaneContext { lane }), "{what}");
    }
}

/// A chain of five blocks; each holds a record.
fn chain() -> Vec<Block> {
    let committee = Committee::new(0, 4);
    let mut headers = vec![committee.block(&[], Vec::new()).header];
    let mut blocks = vec![committee.block(&[], Vec::new())];
    for number in 1..5 {
        let height = Height(u64::from(number));
        let lanes = vec![lane_body(Lane::Certificate, height, vec![transaction(Lane::Certificate, number)])];
        let block = committee.block(&headers, lanes);
        headers.push(block.header.clone());
        blocks.push(block);
    }
    blocks
}

/// Whether these headers are one chain from a genesis block on.
fn is_chain(headers: &[Header]) -> bool {
    let linked = headers.windows(2).all(|pair| pair[1].previous == pair[0].hash());
    let leaves: Vec<Hash> = headers.iter().map(Header::leaf).collect();
    let rooted =
        (0..headers.len()).all(|count| headers[count].history_root == merkle::root(&leaves[..count]));
    linked && rooted && headers[0].height == Height(0) && headers[0].previous == HeaderHash::default()
}

/// X.1409 L1
#[test]
fn each_block_is_linked_to_the_one_before_from_genesis_on() {
    let headers: Vec<Header> = chain().into_iter().map(|block| block.header).collect();
    assert!(is_chain(&headers));
    for spoiled in 0..headers.len() - 1 {
        let mut other = headers.clone();
        other[spoiled].time.0 += 1;
        assert!(!is_chain(&other), "header {spoiled}");
    }
    let mut other = headers.clone();
    other.swap(2, 3);
    assert!(!is_chain(&other));
    other = headers.clone();
    other.remove(2);
    assert!(!is_chain(&other));
}

/// X.1409 L3: headers alone are the chain; a body that comes back later is known by its header.
#[test]
fn the_chain_verifies_without_bodies() {
    let blocks = chain();
    let kept: Vec<Header> = blocks.iter().map(|block| block.header.clone()).collect();
    assert!(is_chain(&kept));
    for (header, block) in kept.iter().zip(&blocks) {
        let returned = Block { header: header.clone(), ..block.clone() };
        assert_eq!(returned.check_body(), Ok(()));
    }
    let foreign = Block { header: kept[1].clone(), ..blocks[2].clone() };
    assert!(foreign.check_body().is_err());
}

/// X.1409 L1, L3
#[test]
fn the_digest_covers_every_field_of_the_header() {
    let header = two_lanes().header;
    let bytes = cbor::to_bytes(&header);
    assert!(bytes.len() <= crate::limits::HEADER_BYTES_MAX);
    for (place, turned) in crate::testing::with_one_bit_turned(&bytes) {
        if let Ok(other) = cbor::from_bytes::<Header>(&turned, 512) {
            assert_ne!(other.hash(), header.hash(), "byte {place}");
        }
    }
}

#[test]
fn a_header_of_another_version_is_no_header() {
    let mut header = two_lanes().header;
    header.version = 2;
    let refused = Err(DecodeError::Value { field: "version" });
    assert_eq!(cbor::from_bytes::<Header>(&cbor::to_bytes(&header), 512), refused);
    assert_eq!((header.ledger, header.time), (LEDGER, START));
}
