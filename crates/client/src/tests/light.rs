use tabellion_ledger::{Height, StateRoot};
use tabellion_machine::ChainHeader;
use tempfile::tempdir;

use crate::{LightClient, LightError, Observation};

use super::world::{NOW, World};

fn world_of(blocks: usize) -> World {
    let mut world = World::new();
    for number in 0..blocks {
        world.publish(&format!("n{number}.example"));
    }
    world
}

/// Links up to the newest block, which is final.
fn headers(world: &World) -> Vec<ChainHeader> {
    let (_, below) = world.blocks.split_last().unwrap();
    let links = below.iter().map(|block| ChainHeader::Linked(block.header.clone()));
    links.chain([ChainHeader::Final(world.finality())]).collect()
}

/// X.1409 L1
#[test]
fn headers_are_followed_from_genesis_and_remembered() {
    let mut world = world_of(3);
    let folder = tempdir().unwrap();
    let path = folder.path().join("headers");
    let mut light = LightClient::open(world.trust.clone(), &path).unwrap();
    assert_eq!(light.next_height(), Height(1));
    let by = light.follow(&headers(&world)).unwrap().unwrap();
    assert_eq!((by.header.height, by.signers, by.validators), (Height(3), 3, 4));
    light.save().unwrap();

    world.publish("later.example");
    let mut again = LightClient::open(world.trust.clone(), &path).unwrap();
    assert_eq!((again.followed(), again.newest().unwrap().height), (Some(Height(3)), Height(3)));
    assert_eq!(again.follow(&headers(&world)[3..]).unwrap().unwrap().header.height, Height(4));

    std::fs::write(&path, b"damaged").unwrap();
    let damaged = LightClient::open(world.trust.clone(), &path);
    assert!(matches!(damaged, Err(LightError::Memory { .. })));
    light.save().unwrap();
    let foreign = LightClient::open(World::new().trust, &path);
    assert!(matches!(foreign, Err(LightError::Memory { .. })));
}

#[test]
fn links_without_signatures_are_not_believed() {
    let world = world_of(2);
    let mut light = LightClient::new(world.trust.clone());
    let links: Vec<_> = world.blocks.iter().map(|block| ChainHeader::Linked(block.header.clone())).collect();
    assert_eq!(light.follow(&links).unwrap(), None);
    assert_eq!((light.followed(), light.next_height()), (None, Height(1)));
}

#[test]
fn a_header_that_does_not_follow_is_refused() {
    let world = world_of(3);
    let good = headers(&world);
    let alter = |change: &dyn Fn(&mut tabellion_ledger::Header)| {
        let mut header = good[1].header().clone();
        change(&mut header);
        vec![good[0].clone(), ChainHeader::Linked(header), good[2].clone()]
    };
    let rows: Vec<(&str, u64, Vec<ChainHeader>)> = vec![
        ("height", 3, vec![good[0].clone(), good[2].clone()]),
        ("ledger", 2, alter(&|header| header.ledger.0[0] ^= 1)),
        ("time", 2, alter(&|header| header.time.0 = 1)),
        ("roster", 2, alter(&|header| header.roster.0[0] ^= 1)),
        ("history root", 2, alter(&|header| header.history_root.0[0] ^= 1)),
        ("previous hash", 3, alter(&|header| header.state_root = StateRoot([1; 32]))),
    ];
    for (expected, at, headers) in rows {
        match LightClient::new(world.trust.clone()).follow(&headers) {
            Err(LightError::Link { height, field }) => assert_eq!((field, height), (expected, Height(at))),
            other => panic!("{expected}: {other:?}"),
        }
    }
}

#[test]
fn a_fork_is_found_by_observing_and_by_following() {
    let world = world_of(2);
    let mut other = world.ledger.header().clone();
    other.state_root = StateRoot([1; 32]);
    let forged = world.finality_of(other, &[0, 1, 2]);

    let mut light = LightClient::new(world.trust.clone());
    assert_eq!(light.observe(&world.finality()).unwrap(), Observation::Newer);
    assert_eq!(light.observe(&world.finality()).unwrap(), Observation::Same);
    assert!(matches!(light.observe(&forged), Err(LightError::Fork { height: Height(2), .. })));

    let mut light = LightClient::new(world.trust.clone());
    light.observe(&forged).unwrap();
    assert!(matches!(light.follow(&headers(&world)), Err(LightError::Fork { height: Height(2), .. })));
}

#[test]
fn an_old_state_is_seen_by_its_height_and_by_its_age() {
    let mut world = world_of(1);
    let old = world.finality();
    world.publish("later.example");
    let mut light = LightClient::new(world.trust.clone());
    light.observe(&world.finality()).unwrap();
    assert_eq!(light.observe(&old).unwrap(), Observation::Older { seen: Height(2) });
    assert_eq!(light.newest().unwrap().height, Height(2));

    assert!(LightClient::check_age(&old.header, NOW.plus(5_000), 5_000).is_ok());
    let stale = LightClient::check_age(&old.header, NOW.plus(5_001), 5_000);
    assert!(matches!(stale, Err(LightError::Stale { age_ms: 5_001, age_ms_max: 5_000 })));
    // A clock that is behind the ledger's makes nothing stale.
    assert!(LightClient::check_age(&old.header, tabellion_ledger::TimeMs(0), 0).is_ok());
}
