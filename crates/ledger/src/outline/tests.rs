use super::*;
use crate::cbor::{from_bytes, to_bytes};
use crate::id::Height;
use crate::lane::Lane;
use crate::testing::{Committee, lane_body, transaction};

fn block() -> Block {
    let height = Height(0);
    let lanes = vec![
        lane_body(Lane::Certificate, height, (1..4).map(|n| transaction(Lane::Certificate, n)).collect()),
        lane_body(Lane::Intel, height, vec![transaction(Lane::Intel, 9)]),
    ];
    Committee::new(0, 4).block(&[], lanes)
}

#[test]
fn an_outline_reads_back_and_is_its_headers() {
    let block = block();
    for outline in [Outline::of(&block), Outline::of(&block).without_records()] {
        let bytes = to_bytes(&outline);
        assert_eq!(from_bytes(&bytes, bytes.len()), Ok(outline.clone()));
        assert_eq!(outline.check(&block.header), Ok(()));
    }
    let empty = Committee::new(0, 4).block(&[], Vec::new());
    assert_eq!(Outline::of(&empty).check(&empty.header), Ok(()));
}

#[test]
fn a_spoiled_outline_is_refused_with_what_is_wrong() {
    let block = block();
    let spoiled = |spoil: fn(&mut Outline)| {
        let mut outline = Outline::of(&block);
        spoil(&mut outline);
        outline.check(&block.header)
    };
    fn records(outline: &mut Outline) -> &mut Vec<OutlineRecord> {
        outline.lanes[0].records.as_mut().unwrap()
    }
    let lane = Lane::Certificate;
    let root = Err(BlockFault::RecordsRoot { lane });
    assert_eq!(spoiled(|outline| records(outline).swap(0, 1)), root);
    assert_eq!(spoiled(|outline| records(outline)[2].id.0[0] ^= 1), root);
    assert_eq!(spoiled(|outline| records(outline)[2].bytes_hash.0[0] ^= 1), root);
    let count = Err(BlockFault::RecordCount { lane, found: 2, said: 3 });
    assert_eq!(spoiled(|outline| records(outline).truncate(2)), count);
    assert_eq!(spoiled(|outline| drop(outline.lanes.pop())), Err(BlockFault::LanesRoot));
    assert_eq!(spoiled(|outline| outline.lanes.swap(0, 1)), Err(BlockFault::LanesRoot));
}
