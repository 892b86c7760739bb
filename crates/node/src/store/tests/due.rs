//! When bodies are looked at, and what looks come to.

use redb::Builder;
use tabellion_ledger::TimeMs;

use super::super::rows::{DUE, INDEXED, META, write};
use super::super::{Due, Found};
use super::*;

const LANE: Lane = Lane::Certificate;

fn moment(height: u64) -> TimeMs {
    Ledger::latest_expiry(Height(height), LANE)
}

fn due(time: TimeMs, height: u64) -> Due {
    Due { time, height: Height(height), lane: LANE, mark: 0 }
}

/// Bodies whose moment is over at the end of the block `before`.
fn listed(store: &Store, before: TimeMs) -> Vec<(TimeMs, u64)> {
    let rows = store.due(before, None, 100).unwrap();
    rows.into_iter().map(|due| (due.time, due.height.0)).collect()
}

#[test]
fn a_body_is_looked_at_once_its_latest_expiry_is_over() {
    let folder = tempfile::tempdir().unwrap();
    let (store, ledger) = with_blocks(folder.path(), 9);
    assert_eq!(listed(&store, moment(0)), [], "not at its last moment");
    assert_eq!(listed(&store, moment(0).plus(1)), [(moment(0), 0)]);
    let first = store.due(moment(9), None, 4).unwrap();
    assert_eq!(first, [0, 1, 2, 3].map(|height| due(moment(height), height)));
    let rest = store.due(moment(9), first.last().copied(), 100).unwrap();
    assert_eq!(rest, [4, 5, 6, 7, 8].map(|height| due(moment(height), height)));
    assert_eq!(store.due_count().unwrap(), 10, "the other lane has no rule");

    let ended = [(due(moment(1), 1), Found::Ended)];
    let needed = store.settle(&ended);
    assert!(matches!(needed, Err(StoreError::BodyNeeded { height: Height(1) })), "a restart replays it");
    store.checkpoint(NOW).unwrap();
    let size = store.body_bytes(Height(1), LANE).unwrap();
    let deleted = store.settle(&ended).unwrap();
    let body = ledger.blocks[1].lanes.iter().find(|body| body.header.lane == LANE).unwrap();
    let bytes: usize = body.transactions.iter().map(|transaction| transaction.as_bytes().len()).sum();
    assert_eq!(
        (deleted.bodies, deleted.transactions, deleted.bytes),
        (1, body.transactions.len() as u64, bytes as u64)
    );
    assert_eq!(deleted, size);
    assert_eq!(store.settle(&ended).unwrap().bodies, 0, "once only");
    let later = moment(50);
    store
        .settle(&[(due(moment(2), 2), Found::NeededUntil(later)), (due(moment(3), 3), Found::Settled)])
        .unwrap();
    drop(store);
    let store = open(folder.path());
    assert_eq!(listed(&store, moment(5)), [(moment(0), 0), (moment(4), 4)]);
    assert_eq!(listed(&store, later.plus(1)).last(), Some(&(later, 2)));
    assert_eq!(store.lane_body(Height(1), LANE).unwrap(), None);
}

#[test]
fn a_mark_is_durable_before_the_state_that_it_follows_from() {
    let folder = tempfile::tempdir().unwrap();
    let (store, mut ledger) = with_blocks(folder.path(), 5);
    store.checkpoint(NOW).unwrap();
    store.look_again(Height(2), LANE);
    assert_eq!(listed(&store, TimeMs(0)), [], "not durable yet");
    let (block, next) = ledger.propose(&store.tip());
    ledger.finalise(&store, &block, &next);
    store.look_again(Height(3), LANE);
    store.checkpoint(NOW).unwrap();
    drop((next, store));
    let store = open(folder.path());
    assert_eq!(listed(&store, TimeMs(0)), [(TimeMs(0), 2), (TimeMs(0), 3)]);
}

#[test]
fn a_look_does_not_settle_a_mark_that_was_made_after_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with_blocks(folder.path(), 5);
    let mark = || {
        store.look_again(Height(2), LANE);
        store.sync().unwrap();
        store.due(TimeMs(0), None, 9).unwrap()
    };
    let first = mark();
    assert_eq!(first.len(), 1);
    let second = mark();
    store.settle(&[(first[0], Found::Settled)]).unwrap();
    assert_eq!(store.due(TimeMs(0), None, 9).unwrap(), second);
    store.settle(&[(second[0], Found::Settled)]).unwrap();
    assert_eq!(store.due(TimeMs(0), None, 9).unwrap(), []);
}

#[test]
fn a_store_from_before_gets_its_rows_in_small_steps() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _) = with_blocks(folder.path(), 9);
    assert!(store.index_due(3).unwrap(), "nothing to do for a new one");
    store.checkpoint(NOW).unwrap();
    store.settle(&[(due(moment(4), 4), Found::Ended)]).unwrap();
    drop(store);
    let database = Builder::new().create(folder.path().join(CHAIN_FILE)).unwrap();
    write(&database, |transaction| {
        transaction.delete_table(DUE)?;
        transaction.open_table(META)?.remove(INDEXED)?;
        Ok(())
    })
    .unwrap();
    drop(database);
    let mut steps = 0;
    let mut store = open(folder.path());
    while !store.index_due(3).unwrap() {
        steps += 1;
        drop(store);
        store = open(folder.path());
    }
    assert!((3..=7).contains(&steps), "{steps}");
    let all: Vec<_> = (0..10).filter(|height| *height != 4).map(|height| (TimeMs(0), height)).collect();
    // The other lane has bodies too; a look finds that they have no rule.
    let rows = store.due(TimeMs(0), None, 100).unwrap();
    let found: Vec<_> =
        rows.iter().filter(|row| row.lane == LANE).map(|due| (due.time, due.height.0)).collect();
    assert_eq!(found, all);
    assert_eq!(rows.len(), 19);
}
