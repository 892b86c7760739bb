//! Archives: the whole chain in one file.

use super::world::World;
use crate::{ArchiveError, ArchiveWriter, replay_archive};

fn archive(world: &World) -> Vec<u8> {
    let genesis = tabellion_ledger::cbor::to_bytes(world.trust.genesis());
    let mut writer = ArchiveWriter::new(Vec::new(), &genesis).unwrap();
    world.blocks.iter().for_each(|block| writer.block(block).unwrap());
    writer.finish(&world.trust, &world.finality()).unwrap()
}

fn world() -> World {
    let mut world = World::new();
    for name in ["a.example", "b.example", "c.example"] {
        world.publish(name);
    }
    world
}

/// X.1409 L1, L6: whoever has the genesis document and an archive finds the same states, offline.
#[test]
fn an_archive_is_executed_again_with_the_genesis_document_alone() {
    let world = world();
    let mut heights = Vec::new();
    let report = replay_archive(archive(&world).as_slice(), world.trust.clone(), |check, notices| {
        heights.push(check.next_height().0 - 1);
        assert!(notices.iter().all(|notice| notice.height.0 + 1 == check.next_height().0));
    });
    let report = report.unwrap();
    assert!(report.executed);
    assert_eq!(heights, (1..=report.blocks).collect::<Vec<_>>());
    assert_eq!(report.by.header, *world.ledger.header());
}

#[test]
fn an_archive_that_is_spoiled_or_of_another_ledger_shows_nothing() {
    let world = world();
    let whole = archive(&world);
    let replay = |bytes: &[u8]| replay_archive(bytes, world.trust.clone(), |_, _| ());
    assert!(matches!(replay(b"nothing"), Err(ArchiveError::Io { .. })));
    assert!(matches!(replay(b"something else"), Err(ArchiveError::NoArchive)));
    assert!(matches!(replay(&whole[..whole.len() - 1]), Err(ArchiveError::Io { .. })));
    let mut foreign = whole.clone();
    foreign[20] ^= 1;
    let expected = world.trust.ledger();
    let refused = replay(&foreign).unwrap_err();
    assert!(matches!(refused, ArchiveError::OtherLedger { expected: named, .. } if named == expected));
    // A bit within the blocks or within the signatures at the end.
    for place in (whole.len() / 2..whole.len()).step_by(211) {
        let mut spoiled = whole.clone();
        spoiled[place] ^= 1;
        assert!(replay(&spoiled).is_err(), "byte {place}");
    }
}
