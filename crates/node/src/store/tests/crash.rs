//! Power cuts and full disks at seeded moments.

use redb::Builder;

use tabellion_ledger::TimeMs;

use super::super::{Found, Store, StoreError};
use super::disk::Disk;
use super::fixture::{LEDGER, Ledger, NOW, quick};
use super::*;

/// The two files of a store.
#[derive(Default)]
struct Disks {
    chain: Disk,
    state: Disk,
}

impl Disks {
    fn open(&self) -> Result<Store, StoreError> {
        let open = |disk: &Disk| {
            let opened = Builder::new().set_cache_size(1 << 20).create_with_backend(disk.clone());
            opened.map_err(|source| StoreError::Open { path: "disk".into(), source })
        };
        Store::over(open(&self.chain)?, open(&self.state)?, LEDGER, quick())
    }

    fn after_power_cut(&self, seed: u64) -> Self {
        Self { chain: self.chain.after_power_cut(seed), state: self.state.after_power_cut(seed ^ 0x5555) }
    }

    fn after_restart(&self) -> Self {
        Self { chain: self.chain.after_restart(), state: self.state.after_restart() }
    }
}

/// Runs a node until something fails or `blocks` are done; returns the last acknowledged height and the
/// failure.
fn run(store: &Store, ledger: &mut Ledger, blocks: u64) -> (Option<Height>, Option<StoreError>) {
    let mut acknowledged = store.applied_height();
    for _ in 0..blocks {
        let step = (|| {
            let tip = store.tip();
            let (block, next) = ledger.propose(&tip);
            store.put_block(block.digest(), &block);
            store.put_votes(block.header.height, block.digest(), b"votes");
            store.sync()?;
            acknowledged = Some(block.header.height);
            ledger.finalised(&block);
            store.commit(&next)?;
            if block.header.height.0 % 5 == 4 {
                store.checkpoint(NOW)?;
            }
            Ok(())
        })();
        if let Err(error) = step {
            return (acknowledged, Some(error));
        }
    }
    (acknowledged, None)
}

/// Opens what a crash left and checks that everything acknowledged is there; the ledger goes on from there.
fn recover(disks: &Disks, seed: u64, acknowledged: Option<Height>, expected: &Ledger) -> (Store, Ledger) {
    let store = disks.open().unwrap_or_else(|error| panic!("seed {seed}: {error:?}"));
    assert!(store.last_height() >= acknowledged, "seed {seed}: an acknowledged block is lost");
    for height in 0..acknowledged.map_or(0, |height| height.0 + 1) {
        let held = store.block(Height(height)).unwrap();
        assert_eq!(held.as_ref(), expected.blocks.get(usize::try_from(height).unwrap()), "seed {seed}");
        assert!(store.votes(Height(height)).unwrap().is_some(), "seed {seed}");
    }
    let mut ledger = Ledger::new(expected.seed());
    if let Some(checkpoint) = store.checkpoint_height() {
        for height in 0..=checkpoint.0 {
            ledger.finalised(&store.block(Height(height)).unwrap().unwrap());
        }
    }
    ledger.replay(&store);
    ledger.check(&store.tip());
    (store, ledger)
}

#[test]
fn a_power_cut_at_any_moment_loses_nothing_acknowledged() {
    let mut cuts = 0;
    for seed in 0..150_u64 {
        let mut disks = Disks::default();
        let mut ledger = Ledger::new(seed);
        // Three lives in a row, each ended by a cut of one of the two files at another moment.
        for life in 0..3 {
            let (store, mut now) = recover(&disks, seed, None, &ledger);
            let cut = if (seed + life) % 3 == 0 { &disks.state } else { &disks.chain };
            cut.cut_power_after(1 + (seed * 37 + life * 101) % 400);
            let (acknowledged, failed) = run(&store, &mut now, 20);
            cuts += u32::from(failed.is_some());
            drop(store);
            disks = disks.after_power_cut(seed * 3 + life);
            ledger = recover(&disks, seed, acknowledged, &now).1;
            disks = disks.after_restart();
        }
    }
    assert!(cuts >= 200, "the power went {cuts} times only while the node worked");
}

/// Looks at every body of certificates whose moment lies before that of block `before`, and deletes it.
fn prune(store: &Store, before: u64) -> Result<(), StoreError> {
    let moment = Ledger::latest_expiry(Height(before), Lane::Certificate);
    let needed = store.checkpoint_height().map_or(Height(0), Height::next);
    let due = store.due(moment, None, usize::MAX)?.into_iter().filter(|due| due.height < needed);
    for looks in due.map(|due| (due, Found::Ended)).collect::<Vec<_>>().chunks(3) {
        store.settle(looks)?;
    }
    Ok(())
}

/// X.1409 C20, A.3: what must stay is there whenever the power goes, and a deletion that was cut off is made
/// again.
#[test]
fn a_power_cut_while_bodies_are_deleted_loses_nothing_that_must_stay() {
    let (mut cuts, lane) = (0, Lane::Certificate);
    for seed in 0..120_u64 {
        let disks = Disks::default();
        let mut ledger = Ledger::new(seed);
        let store = disks.open().unwrap();
        run(&store, &mut ledger, 20);
        disks.chain.cut_power_after(1 + (seed * 37) % 90);
        cuts += u32::from(prune(&store, 12).is_err());
        drop(store);
        let store = disks.after_power_cut(seed).open().unwrap();
        for _ in 0..2 {
            for (height, block) in ledger.blocks.iter().enumerate() {
                let height = Height(height as u64);
                assert_eq!(store.header(height).unwrap().as_ref(), Some(&block.header), "seed {seed}");
                for body in &block.lanes {
                    let held = store.lane_body(height, body.header.lane).unwrap();
                    let may_go = body.header.lane == lane && height < Height(12);
                    assert!(held.as_ref() == Some(body) || may_go && held.is_none(), "seed {seed}");
                    for transaction in &body.transactions {
                        let found = store.transaction(&transaction.id()).unwrap().unwrap();
                        assert_eq!(found.bytes.is_some(), held.is_some(), "all of a body or nothing");
                    }
                }
                let lanes = store.lane_headers(height).unwrap();
                assert!(
                    lanes
                        .into_iter()
                        .map(|(header, _)| header)
                        .eq(block.lanes.iter().map(|b| b.header.clone()))
                );
            }
            prune(&store, 12).unwrap();
            assert!((0..12).all(|height| store.lane_body(Height(height), lane).unwrap().is_none()));
        }
        assert!(store.due(TimeMs::MAX, None, 100).unwrap().iter().all(|due| due.height >= Height(12)));
    }
    assert!(cuts >= 60, "the power went {cuts} times only while bodies were deleted");
}

#[test]
fn a_full_disk_is_an_error_that_loses_nothing_and_room_recovers_it() {
    let mut full = 0;
    for seed in 0..40_u64 {
        let disks = Disks::default();
        let store = disks.open().unwrap();
        let mut ledger = Ledger::new(seed);
        run(&store, &mut ledger, 3);
        let filled = if seed % 2 == 0 { &disks.chain } else { &disks.state };
        filled.leave_room(usize::try_from(seed * 5_000).unwrap());
        let (acknowledged, error) = run(&store, &mut ledger, 60);
        if let Some(error) = error {
            assert!(error.is_disk_full(), "seed {seed}: {error:?}");
            full += 1;
        }
        drop(store);
        let disks = disks.after_restart();
        let (store, mut ledger) = recover(&disks, seed, acknowledged, &ledger);
        let (went_on, error) = run(&store, &mut ledger, 5);
        assert!(error.is_none() && went_on > acknowledged, "seed {seed}: {error:?}");
    }
    assert!(full >= 35, "the disk was full {full} times only");
}

#[test]
fn a_drop_at_each_step_leaves_what_the_module_promises() {
    let disks = Disks::default();
    let mut ledger = Ledger::new(4);
    let store = disks.open().unwrap();
    run(&store, &mut ledger, 6);
    // Step 1, staged only: gone, and nobody was told.
    let (block, next) = ledger.propose(&store.tip());
    store.put_block(block.digest(), &block);
    assert!(store.block(Height(6)).unwrap().is_some(), "seen at once");
    let staged = recover(&disks.after_power_cut(1), 1, Some(Height(5)), &ledger).0;
    assert_eq!(staged.last_height(), Some(Height(5)));
    drop((staged, store));
    // Step 2, synced, not committed: there, and replayed.
    let disks = disks.after_restart();
    let (store, _) = recover(&disks, 2, Some(Height(5)), &ledger);
    store.put_block(block.digest(), &block);
    store.put_votes(Height(6), block.digest(), b"votes");
    store.sync().unwrap();
    drop((store, next));
    ledger.finalised(&block);
    let disks = disks.after_power_cut(2);
    let (store, _) = recover(&disks, 3, Some(Height(6)), &ledger);
    assert_eq!((store.applied_height(), store.checkpoint_height()), (Some(Height(6)), Some(Height(4))));
    // Step 4, checkpointed: nothing to replay.
    store.checkpoint(NOW).unwrap();
    drop(store);
    let store = disks.after_power_cut(3).open().unwrap();
    assert_eq!((store.checkpoint_height(), store.blocks_above_checkpoint().count()), (Some(Height(6)), 0));
    ledger.check(&store.tip());
}

/// X.1409 C18: a power cut leaves the mark, or all that was lacking; never neither.
#[test]
fn a_power_cut_leaves_the_mark_or_what_was_lacking() {
    let blocks = super::lacking::blocks();
    let (mut marks, mut whole) = (0, 0);
    for seed in 0..60 {
        let disks = Disks::default();
        let store = disks.open().unwrap();
        super::lacking::put(&store, &blocks);
        assert!(store.look_for_lacking(100).unwrap());
        disks.chain.cut_power_after(1 + seed);
        let put = store.put_beside(&blocks[3]);
        drop(store);
        let store = disks.after_power_cut(seed).open().unwrap();
        assert!(store.look_for_lacking(100).unwrap());
        let is_here = store.carried_beside(&blocks[3]).unwrap() == blocks[3].carried;
        assert_eq!(store.is_whole(Height(3)).unwrap(), is_here, "seed {seed}");
        assert!(is_here || put.is_err(), "seed {seed}: what was said to be here is gone");
        (marks, whole) = (marks + u32::from(!is_here), whole + u32::from(is_here));
    }
    assert!(marks > 0 && whole > 0, "both happen: {marks}, {whole}");
}
