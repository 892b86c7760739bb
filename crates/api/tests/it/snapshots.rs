//! What a node fetches that takes a state over.

use tabellion_api::Backend;
use tabellion_ledger::cbor::{self, Reader};
use tabellion_ledger::trie::{PageId, Piece};
use tabellion_ledger::{FinalityProof, Outline};
use tabellion_machine::SnapshotsAnswer;

use crate::ask::{face, get, get_json};
use crate::world::World;

fn list<T: cbor::Wire>(bytes: &[u8]) -> Vec<T> {
    let mut input = Reader::new(bytes);
    let list = input.list(1000).unwrap();
    input.finish().unwrap();
    list
}

/// X.1409 L9: whoever joins fetches a state from anybody and believes its pieces for the header's root.
#[tokio::test]
async fn a_state_is_served_in_pieces_that_its_header_proves() {
    let world = World::new();
    let face = face(&world);
    world.publish("a.example");
    world.publish("b.example");
    let held: Vec<FinalityProof> = list(&get(&face, "/v1/snapshots").await.body);
    let told: SnapshotsAnswer = get_json(&face, "/v1/snapshots").await.json();
    let header = &held[0].header;
    held[0].verify(&world.ledger(), &world.genesis().roster()).unwrap();
    assert_eq!((held.len(), told.snapshots[0].header.height), (1, header.height.0));
    for height in [header.height.to_string(), "latest".to_owned()] {
        let answer = get(&face, &format!("/v1/snapshots/{height}/piece")).await;
        let piece: Piece = cbor::from_bytes(&answer.body, answer.body.len()).unwrap();
        assert!(!piece.open(&PageId::ROOT, &header.state_root.0).unwrap().records.is_empty());
    }
    let below = get(&face, &format!("/v1/snapshots/{}/piece?prefix=f", header.height)).await;
    assert!(matches!(cbor::from_bytes(&below.body, below.body.len()).unwrap(), Piece::Whole(_)));
    let gone = get(&face, "/v1/snapshots/1/piece").await.problem();
    assert_eq!((gone.code.as_str(), gone.detail.contains("held: 2")), ("no-such-snapshot", true));
    assert_eq!(get(&face, "/v1/snapshots/2/piece?prefix=0x").await.problem().code, "malformed-query");
}

#[tokio::test]
async fn outlines_come_in_ranges_with_records_on_request() {
    let world = World::new();
    let face = face(&world);
    world.publish("a.example");
    world.publish("b.example");
    for (records, path) in
        [(false, "/v1/outlines?from=1"), (true, "/v1/outlines?from=1&limit=9&records=true")]
    {
        let outlines: Vec<Outline> = list(&get(&face, path).await.body);
        assert_eq!(outlines.len(), 2);
        for (height, outline) in (1..).zip(&outlines) {
            let header = world.header(tabellion_ledger::Height(height)).unwrap().unwrap();
            assert_eq!(outline.check(&header), Ok(()));
            assert_eq!(outline.lanes.iter().all(|lane| lane.records.is_some()), records);
        }
    }
    assert!(list::<Outline>(&get(&face, "/v1/outlines?from=9").await.body).is_empty());
    assert_eq!(get(&face, "/v1/outlines?limit=1001").await.problem().code, "malformed-query");
}
