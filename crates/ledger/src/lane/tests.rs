use super::*;
use crate::testing::{lane_body, transaction};

#[test]
fn every_lane_has_one_number_and_one_name() {
    let rows = [
        (Lane::Consortium, 0, "consortium"),
        (Lane::Certificate, 1, "certificate"),
        (Lane::Perimeter, 2, "perimeter"),
        (Lane::Intel, 3, "intel"),
        (Lane::Audit(0), 256, "audit/0"),
        (Lane::Audit(RETENTION_CLASS_MAX), 271, "audit/15"),
    ];
    for (lane, number, name) in rows {
        assert_eq!((lane.number(), lane.to_string().as_str()), (number, name));
        assert_eq!((Lane::from_number(number), name.parse()), (Some(lane), Ok(lane)));
    }
    assert!(rows.is_sorted_by_key(|(lane, ..)| *lane), "lanes ascend by number");
    let known: Vec<u16> = (0..=u16::MAX).filter(|number| Lane::from_number(*number).is_some()).collect();
    assert_eq!(known, [0, 1, 2, 3].into_iter().chain(256..=271).collect::<Vec<_>>());
}

#[test]
fn texts_and_numbers_that_are_no_lane_are_refused() {
    for text in ["", "Certificate", "audit", "audit/", "audit/16", "audit/256", "audit/-1", "audit/x"] {
        assert_eq!(text.parse::<Lane>(), Err(DecodeError::Value { field: "lane" }), "{text}");
    }
    for number in [4, 255, 272, 65_535, 65_536, u64::MAX] {
        let mut out = Writer::default();
        out.uint(number);
        let refused = Err(DecodeError::Value { field: "lane" });
        assert_eq!(cbor::from_bytes::<Lane>(&out.into_bytes(), 16), refused, "{number}");
    }
}

/// X.1409 L3
#[test]
fn a_lane_header_reads_back_and_its_hash_covers_every_field() {
    let header = lane_body(Lane::Certificate, Height(1), vec![transaction(Lane::Certificate, 1)]).header;
    let bytes = cbor::to_bytes(&header);
    assert!(bytes.len() <= crate::limits::LANE_HEADER_BYTES_MAX);
    assert_eq!(cbor::from_bytes(&bytes, 512), Ok(header.clone()));
    for (place, turned) in crate::testing::with_one_bit_turned(&bytes) {
        if let Ok(other) = cbor::from_bytes::<LaneHeader>(&turned, 512) {
            assert_ne!(other.hash(), header.hash(), "byte {place}");
            assert_ne!(other.leaf(), header.leaf(), "byte {place}");
        }
    }
}

/// X.1409 C9: the order of the records is part of the root.
#[test]
fn records_in_another_order_have_another_root() {
    let records = [transaction(Lane::Intel, 1), transaction(Lane::Intel, 2)];
    let [first, second] = records.clone();
    assert_ne!(LaneBody::records_root(&records), LaneBody::records_root(&[second, first]));
}
