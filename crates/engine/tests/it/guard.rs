//! Validators whose disk was restored from an old copy: they never vote two ways.

use tabellion_engine::Voting;

use crate::world::{Plan, World, simulate};

const ALL: [usize; 4] = [0, 1, 2, 3];
const OTHERS: [usize; 3] = [0, 1, 2];
/// Whose disk is restored.
const STALE: usize = 3;

fn plan(epoch_blocks: u64) -> Plan {
    Plan { heartbeat_ms: 5_000, epoch_blocks, ..Plan::new(4) }
}

/// How a disk is restored.
#[derive(Clone, Copy)]
struct Restore {
    /// By copying files, not below the file system.
    files: bool,
    vouched: bool,
    /// Jobs between the copy and the end of the node's first life.
    forgotten: u64,
    /// How long the network goes on without the node. Unit: ms.
    away_ms: u64,
}

/// Works, copies the disk, works on, dies and comes back with the copy.
async fn restore(world: &mut World, how: Restore) -> u64 {
    world.start_all().await;
    let mut job = 0;
    let mut work = async |world: &World, count: u64| {
        for _ in 0..count {
            job += 1;
            world.node(job as usize % 3).machine.submit(job);
            world.done(&OTHERS, job, 20_000).await;
        }
        job
    };
    work(world, 5).await;
    world.crash(STALE).await;
    // Until its files are closed.
    world.sleep(100).await;
    let mut copy = world.copy_disk(STALE).await;
    world.start(STALE).await;
    world.done(&ALL, 5, 20_000).await;
    world.sleep(6_000).await;
    assert_eq!(world.node(STALE).status().view().voting, Voting::Votes);
    let last = work(world, how.forgotten).await;
    world.crash(STALE).await;
    world.sleep(how.away_ms).await;
    if how.files {
        copy.identity = vec![1];
    }
    copy.vouched = how.vouched;
    world.restore_disk(STALE, copy);
    world.start(STALE).await;
    last
}

#[test]
fn a_node_restored_from_an_old_copy_of_its_disk_never_signs_twice_and_votes_again() {
    for seed in 90..102 {
        let how = Restore {
            files: seed % 2 == 0,
            vouched: false,
            forgotten: [1, 3, 30][seed as usize % 3],
            away_ms: [0, 300, 5_000][seed as usize / 3 % 3],
        };
        let epoch_blocks = if seed % 4 < 2 { 1 << 62 } else { 8 };
        simulate(seed, plan(epoch_blocks), |mut world| async move {
            let watcher = world.watch(STALE);
            let mut job = restore(&mut world, how).await;
            let before = watcher.newest();
            for _ in 0..10 {
                job += 1;
                world.node(0).machine.submit(job);
                world.done(&ALL, job, 30_000).await;
            }
            world.sleep(10_000).await;
            assert_eq!(world.node(STALE).status().view().voting, Voting::Votes, "seed {seed}");
            // Without node 0 there is no quorum but with the restored node.
            world.crash(0).await;
            for _ in 0..5 {
                job += 1;
                world.node(1).machine.submit(job);
                world.done(&[1, 2, STALE], job, 30_000).await;
            }
            assert!(watcher.newest() > before, "seed {seed}");
            // A second restart finds everything in order.
            world.crash(STALE).await;
            world.start(STALE).await;
            job += 1;
            world.node(1).machine.submit(job);
            world.done(&[1, 2, STALE], job, 30_000).await;
            assert_eq!(watcher.conflicts(), [], "seed {seed}");
            world.agree();
        });
    }
}

/// A node dies in a view that cannot end without it, and comes back with an old disk; the conflicts in its
/// votes.
fn conflicts_in_a_view_that_waits(vouched: bool) -> usize {
    let run = |seed| {
        simulate(seed, plan(1 << 62), |mut world| async move {
            let watcher = world.watch(STALE);
            world.start_all().await;
            world.node(0).machine.submit(1);
            world.done(&ALL, 1, 5_000).await;
            world.crash(STALE).await;
            world.sleep(100).await;
            let mut copy = world.copy_disk(STALE).await;
            (copy.identity, copy.vouched) = (vec![1], vouched);
            world.start(STALE).await;
            // In some runs the node is the leader when it dies.
            world.sleep(8_000).await;
            world.node(0).machine.submit(2);
            world.done(&ALL, 2, 5_000).await;
            world.sleep(333 * (seed - 130)).await;
            world.crash(0).await;
            world.cut(&OTHERS, &[STALE]).await;
            world.node(STALE).machine.submit(3);
            world.sleep(500).await;
            world.crash(STALE).await;
            world.restore_disk(STALE, copy);
            world.link(&ALL).await;
            world.start(STALE).await;
            world.node(STALE).machine.submit(4);
            world.sleep(20_000).await;
            watcher.conflicts().len()
        })
    };
    (130..150).map(run).sum()
}

/// Shows that the watcher sees, and what the guard is for.
#[test]
fn an_old_disk_signs_twice_only_where_the_operator_vouches_for_it() {
    assert!(conflicts_in_a_view_that_waits(true) > 0);
    assert_eq!(conflicts_in_a_view_that_waits(false), 0);
}

#[test]
fn a_node_in_doubt_does_not_vote_while_the_network_waits_for_it() {
    simulate(121, plan(1 << 62), |mut world| async move {
        let watcher = world.watch(STALE);
        let how = Restore { files: true, vouched: false, forgotten: 10, away_ms: 1_000 };
        let mut job = restore(&mut world, how).await;
        // At once, before it could have seen that the others go on without it.
        world.crash(0).await;
        let (height, before) = (world.node(1).machine.height(), watcher.newest());
        world.sleep(60_000).await;
        assert!(world.node(1).machine.height() <= height + 1);
        assert_eq!(watcher.newest(), before);
        assert_eq!(world.node(STALE).status().view().voting, Voting::Doubts);
        world.start(0).await;
        job += 1;
        world.node(1).machine.submit(job);
        world.done(&ALL, job, 20_000).await;
        world.sleep(10_000).await;
        assert_eq!(world.node(STALE).status().view().voting, Voting::Votes);
        assert_eq!(watcher.conflicts(), []);
    });
}

#[test]
fn a_restarted_validator_votes_again_soon() {
    simulate(122, plan(1 << 62), |mut world| async move {
        world.start_all().await;
        for job in 1..=10 {
            world.node(0).machine.submit(job);
            world.done(&ALL, job, 5_000).await;
        }
        world.crash(STALE).await;
        world.start(STALE).await;
        assert_eq!(world.node(STALE).status().view().voting, Voting::Follows);
        world.sleep(6_000).await;
        assert_eq!(world.node(STALE).status().view().voting, Voting::Votes);
        // Where its vote is needed, it does not take five seconds.
        world.crash(0).await;
        world.sleep(2_000).await;
        world.crash(STALE).await;
        world.node(1).machine.submit(20);
        world.sleep(10_000).await;
        world.start(STALE).await;
        let took = world.done(&[1, 2, STALE], 20, 5_000).await;
        assert!(took < 5_000, "{took} ms");
    });
}

#[test]
fn a_network_that_restarts_at_once_goes_on_within_five_seconds() {
    simulate(123, plan(1 << 62), |mut world| async move {
        world.start_all().await;
        world.node(0).machine.submit(1);
        world.done(&ALL, 1, 5_000).await;
        world.sleep(7_000).await;
        for index in ALL {
            world.crash(index).await;
        }
        for index in ALL {
            world.start(index).await;
        }
        world.node(0).machine.submit(2);
        let took = world.done(&ALL, 2, 5_000).await;
        assert!(took < 5_000, "{took} ms");
    });
}
