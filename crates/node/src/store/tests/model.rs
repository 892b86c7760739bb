//! The store against a model, under random steps.

use proptest::prelude::*;

use super::fixture::{LEDGER, Ledger, NOW, quick};
use super::*;

#[derive(Clone, Debug)]
enum Step {
    Advance,
    Checkpoint,
    Reopen,
    /// A proposal that never becomes final.
    Abandon(u8),
    /// A block again.
    PutAgain(usize),
    Delete(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::Advance),
        2 => Just(Step::Checkpoint),
        1 => Just(Step::Reopen),
        1 => any::<u8>().prop_map(Step::Abandon),
        1 => any::<usize>().prop_map(Step::PutAgain),
        1 => (0..20_u64).prop_map(Step::Delete),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_store_holds_what_it_was_given(
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let mut store = open(folder.path());
        let mut ledger = Ledger::new(seed);
        let mut deleted = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Advance => ledger.advance(&store),
                Step::Checkpoint => store.checkpoint(NOW).unwrap(),
                Step::Reopen => {
                    drop(store);
                    store = Store::open(folder.path(), LEDGER, quick()).unwrap();
                    ledger.replay(&store);
                }
                Step::Abandon(mark) => drop(ledger.fork(&store.tip(), mark)),
                Step::PutAgain(number) => {
                    if let Some(block) = ledger.blocks.get(number % ledger.blocks.len().max(1)) {
                        store.put_block(block.digest(), block);
                    }
                }
                Step::Delete(height) => {
                    let allowed = store.checkpoint_height().is_some_and(|checkpoint| height <= checkpoint.0);
                    prop_assert_eq!(store.delete_lane_body(Height(height), Lane::Perimeter).is_ok(), allowed);
                    if allowed {
                        deleted.insert(height);
                    }
                }
            }
            let applied = store.applied_height().map_or(0, |height| height.0 + 1);
            prop_assert_eq!(applied, ledger.blocks.len() as u64);
        }
        ledger.check(&store.tip());
        for block in &ledger.blocks {
            let height = block.header.height;
            let expected = (!deleted.contains(&height.0)).then_some(block);
            prop_assert_eq!(store.block(height).unwrap(), expected.cloned());
            prop_assert_eq!(store.header(height).unwrap(), Some(block.header.clone()));
        }
        for (id, height) in &ledger.transactions {
            prop_assert_eq!(store.tip().transaction_block(id).unwrap(), Some(*height));
        }
    }
}
