use tabellion_consortium::{CertificateRules, LedgerKind, Parameters};
use tabellion_ledger::Height;

use crate::{ChainCheck, ChainFault, LightError};

use super::world::World;

fn world_of(kind: LedgerKind) -> World {
    let certificate = CertificateRules { kind, ..CertificateRules::default() };
    let mut world = World::with_parameters(Parameters { certificate, ..Parameters::default() });
    for number in 0..4 {
        world.publish(&format!("n{number}.example"));
    }
    world
}

/// X.1409 L1, L3, L6
#[test]
fn a_chain_holds_by_its_links_and_by_executing_it_again() {
    for kind in [LedgerKind::Full, LedgerKind::Identifiers] {
        let world = world_of(kind);
        for execute in [false, true] {
            let mut check = ChainCheck::new(world.trust.clone(), execute).unwrap();
            for block in &world.blocks {
                check.next(block).unwrap();
            }
            let report = check.finish(&world.finality()).unwrap();
            assert_eq!((report.blocks, report.transactions, report.executed), (4, 4, execute), "{kind}");
            assert_eq!(report.by.header, *world.ledger.header());
        }
    }
}

#[test]
fn an_altered_chain_is_refused_where_it_was_altered() {
    let world = world_of(LedgerKind::Full);
    let check = |altered: &[tabellion_ledger::Block], execute| {
        let mut check = ChainCheck::new(world.trust.clone(), execute).unwrap();
        altered.iter().try_for_each(|block| check.next(block).map(drop))
    };
    let mut missing = world.blocks.clone();
    missing.remove(1);
    let fault = check(&missing, false).unwrap_err();
    assert!(
        matches!(fault, ChainFault::Link(LightError::Link { height: Height(3), field: "height" })),
        "{fault:?}"
    );

    let mut body = world.blocks.clone();
    body[2].lanes[0].transactions = body[1].lanes[0].transactions.clone();
    assert!(matches!(check(&body, false).unwrap_err(), ChainFault::Body { height: Height(3), .. }));

    // The links of a last block with a wrong state root fit: only executing it tells.
    let mut state = world.blocks.clone();
    state[3].header.state_root.0[0] ^= 1;
    assert!(check(&state, false).is_ok());
    assert!(matches!(check(&state, true).unwrap_err(), ChainFault::Replay(_)));
}

#[test]
fn a_chain_ends_at_the_block_that_a_quorum_finalised() {
    let world = world_of(LedgerKind::Full);
    let mut check = ChainCheck::new(world.trust.clone(), false).unwrap();
    for block in &world.blocks[..3] {
        check.next(block).unwrap();
    }
    assert!(matches!(check.finish(&world.finality()).unwrap_err(), ChainFault::OtherEnd { .. }));
    let check = ChainCheck::new(world.trust.clone(), false).unwrap();
    let few = world.finality_of(world.ledger.header().clone(), &[0, 1]);
    assert!(matches!(check.finish(&few).unwrap_err(), ChainFault::Finality(_)));
}
