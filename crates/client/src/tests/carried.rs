//! Carried chains: a stretch of the chain in one file.

use tabellion_ledger::{Block, Height};

use super::world::World;
use crate::{CarriedChain, CarriedError, CarriedHead, CarriedWriter, Trust, verify_carried};

fn world() -> World {
    let mut world = World::new();
    for name in ["a.example", "b.example", "c.example", "d.example"] {
        world.publish(name);
    }
    world
}

fn file(world: &World, head: CarriedHead, blocks: &[Block]) -> Vec<u8> {
    let mut writer = CarriedWriter::new(Vec::new(), &head).unwrap();
    blocks.iter().for_each(|block| writer.block(block).unwrap());
    writer.finish(&world.trust, &world.finality()).unwrap()
}

/// The file of the blocks from a height on.
fn carried(world: &World, from: u64) -> Vec<u8> {
    let head = CarriedHead { ledger: world.trust.ledger(), first: Height(from), last: Height(4) };
    file(world, head, &world.blocks[usize::try_from(from - 1).unwrap()..])
}

fn verify(bytes: &[u8], trust: &Trust) -> Result<CarriedChain, CarriedError> {
    verify_carried(bytes, trust.clone())
}

/// X.1409 C22: a stretch of the chain is verified with the genesis document alone.
#[test]
fn a_stretch_of_the_chain_is_verified_without_a_network() {
    let world = world();
    for from in 1..=4 {
        let chain = verify(&carried(&world, from), &world.trust).unwrap();
        assert_eq!((chain.head.first, chain.head.last), (Height(from), Height(4)));
        let hashes: Vec<_> =
            world.blocks[usize::try_from(from - 1).unwrap()..].iter().map(Block::digest).collect();
        assert_eq!((chain.hashes, chain.proof), (hashes, world.finality()));
        assert_eq!(chain.before, world.blocks[usize::try_from(from - 1).unwrap()].header.previous);
    }
}

/// X.1409 C22: no file with a flaw counts, wherever the flaw is.
#[test]
fn a_file_that_is_spoiled_cut_off_or_made_up_is_refused() {
    let world = world();
    let whole = carried(&world, 1);
    for place in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let mut spoiled = whole.clone();
        spoiled[place] ^= 1;
        assert!(verify(&spoiled, &world.trust).is_err(), "byte {place}");
    }
    for length in (8..whole.len()).step_by(131).chain([whole.len() - 1]) {
        let refused = verify(&whole[..length], &world.trust).unwrap_err();
        assert!(matches!(refused, CarriedError::Truncated { .. }), "{length}: {refused}");
    }
    let longer = [whole.as_slice(), &[0]].concat();
    assert!(matches!(verify(&longer, &world.trust), Err(CarriedError::Trailing)));
    assert!(matches!(verify(b"tab", &world.trust), Err(CarriedError::NoCarriedFile)));
    let other = World::new();
    let refused = verify(&whole, &other.trust).unwrap_err();
    assert!(matches!(refused, CarriedError::OtherLedger { .. }), "{refused}");
}

#[test]
fn blocks_that_are_missing_or_stand_wrong_are_refused() {
    let world = world();
    let head = CarriedHead { ledger: world.trust.ledger(), first: Height(1), last: Height(4) };
    let blocks = &world.blocks;
    let of =
        |head: CarriedHead, blocks: &[Block]| verify(&file(&world, head, blocks), &world.trust).unwrap_err();
    let swapped = [blocks[0].clone(), blocks[2].clone(), blocks[1].clone(), blocks[3].clone()];
    let order = of(head, &swapped);
    assert!(matches!(order, CarriedError::Order { expected: Height(2), found: Height(3) }), "{order}");
    assert!(matches!(of(head, &blocks[..3]), CarriedError::Truncated { .. }));
    // The signatures are under the last block, and not under the one before.
    let shorter = CarriedHead { last: Height(3), ..head };
    assert!(matches!(of(shorter, &blocks[..3]), CarriedError::OtherEnd { .. }));
    let mut altered = blocks.clone();
    altered[1].header.state_root = blocks[0].header.state_root;
    assert!(matches!(of(head, &altered), CarriedError::Link { height: Height(3) }));
    let mut without = blocks.clone();
    without[1].lanes[0].transactions.clear();
    assert!(matches!(of(head, &without), CarriedError::Body { height: Height(2), .. }));
}
