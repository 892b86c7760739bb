//! The state at one million records (or `TABELLION_BENCH_RECORDS`): load, updates with checkpoints, reads,
//! reopening.
//!
//! `cargo bench -p tabellion-node --bench state`; `TABELLION_BENCH_FOLDER` says where the files go (a
//! temporary folder otherwise). One run, figures on standard output; CPU time is the whole process's.
#![expect(clippy::unwrap_used, reason = "a bench that cannot go on should stop where it is")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tabellion_ledger::{
    Block, FORMAT_VERSION, Hash, Header, HeaderHash, Height, LedgerId, RosterHash, StateKey, TimeMs, sha256,
};
use tabellion_node::store::{Change, Store, StoreConfig};

const LEDGER: LedgerId = LedgerId([7; 32]);
/// As long as a certificate's record, and as incompressible as one.
const RECORD_BYTES: usize = 100;
/// CPU time in `/proc` is counted in this unit.
const TICK: Duration = Duration::from_millis(10);

fn key(number: u64) -> StateKey {
    StateKey::new(2, &number.to_be_bytes())
}

fn record(number: u64, version: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < RECORD_BYTES {
        bytes.extend(sha256(&[number, version, bytes.len() as u64].map(u64::to_be_bytes).concat()));
    }
    bytes.truncate(RECORD_BYTES);
    bytes
}

/// CPU time of this process.
fn cpu() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
    let ticks: u32 = fields[11].parse::<u32>().unwrap() + fields[12].parse::<u32>().unwrap();
    TICK * ticks
}

/// A line of `/proc/self/<file>`.
fn proc_number(file: &str, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/self/{file}")).unwrap();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

struct Run {
    store: Store,
    now: u64,
}

impl Run {
    /// One block with these writes, and a checkpoint when one is due. Returns how long the block took, up to
    /// its commit, and the checkpoint.
    fn block(&mut self, writes: BTreeMap<StateKey, Option<Vec<u8>>>) -> (Duration, Duration) {
        let start = Instant::now();
        let next = self.store.tip().extend(&Change { writes, ..Change::default() }).unwrap();
        let header = Header {
            version: FORMAT_VERSION,
            ledger: LEDGER,
            height: next.height().unwrap(),
            previous: HeaderHash::default(),
            time: TimeMs(self.now),
            proposer: 0,
            lanes_root: Hash::default(),
            state_root: next.root(),
            roster: RosterHash::default(),
            next_roster: RosterHash::default(),
            history_root: Hash::default(),
        };
        let block = Arc::new(Block { header, lanes: Vec::new(), carried: Vec::new() });
        self.store.put_block(block.digest(), &block);
        self.store.sync().unwrap();
        self.store.commit(&next).unwrap();
        let block_took = start.elapsed();
        self.now += 20;
        let now = TimeMs(self.now);
        if self.store.checkpoint_due(now) {
            self.store.checkpoint(now).unwrap();
        }
        (block_took, start.elapsed() - block_took)
    }

    /// Blocks of `count` writes each; prints what a write and a block cost.
    fn blocks(&mut self, what: &str, blocks: u64, count: u64, number: impl Fn(u64) -> u64, version: u64) {
        let (cpu_before, written_before, start) = (cpu(), proc_number("io", "write_bytes:"), Instant::now());
        let (mut took, mut checkpoints) = (Vec::new(), Vec::new());
        for block in 0..blocks {
            let numbers = (0..count).map(|place| number(block * count + place));
            let writes = numbers.map(|number| (key(number), Some(record(number, version + block)))).collect();
            let (block, checkpoint) = self.block(writes);
            took.push(block);
            checkpoints.push(checkpoint);
        }
        self.store.checkpoint(TimeMs(self.now)).unwrap();
        let keys = (blocks * count) as f64;
        took.sort();
        let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        println!(
            "{what:<28} {:>6.1} CPU-us/key {:>7.0} keys/s {:>6.2} KB written/key; \
             block p50 {:.1} ms, p99 {:.1} ms; longest checkpoint {:.0} ms",
            (cpu() - cpu_before).as_secs_f64() * 1e6 / keys,
            keys / start.elapsed().as_secs_f64(),
            (proc_number("io", "write_bytes:") - written_before) as f64 / 1e3 / keys,
            at(0.5),
            at(0.99),
            checkpoints.iter().max().unwrap().as_secs_f64() * 1e3,
        );
    }
}

fn timed<T>(what: &str, body: impl FnOnce() -> T) -> T {
    let (cpu_before, start) = (cpu(), Instant::now());
    let value = body();
    let took = start.elapsed().as_secs_f64() * 1e3;
    println!("{what:<28} {took:>7.1} ms wall {:>9.0} ms CPU", (cpu() - cpu_before).as_secs_f64() * 1e3);
    value
}

fn reads(store: &Store, records: u64) {
    const COUNT: u64 = 50_000;
    let tip = store.tip();
    let spread = |place: u64| place.wrapping_mul(0x9e37_79b9_7f4a_7c15) % records;
    let start = Instant::now();
    for place in 0..COUNT {
        assert!(tip.record(&key(spread(place))).unwrap().is_some());
    }
    let record_us = start.elapsed().as_secs_f64() * 1e6 / COUNT as f64;
    let start = Instant::now();
    let mut bytes = 0;
    for place in 0..COUNT {
        bytes += tabellion_ledger::cbor::to_bytes(&tip.prove(&key(spread(place))).unwrap()).len();
    }
    let prove_us = start.elapsed().as_secs_f64() * 1e6 / COUNT as f64;
    let mean = bytes as f64 / COUNT as f64;
    println!(
        "record {record_us:.1} us, proof {prove_us:.1} us and {mean:.0} bytes (wall, 50,000 spread keys)"
    );
}

fn open(folder: &Path) -> Store {
    Store::open(folder, LEDGER, StoreConfig::default()).unwrap()
}

/// What a crash at this moment leaves: the files as they are, under an open store.
fn crash_image(folder: &Path, image: &Path) {
    std::fs::create_dir_all(image).unwrap();
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), image.join(file.file_name())).unwrap();
        }
    }
}

fn main() {
    let records: u64 =
        std::env::var("TABELLION_BENCH_RECORDS").map_or(1_000_000, |text| text.parse().unwrap());
    let folder = std::env::var("TABELLION_BENCH_FOLDER").map_or_else(|_| std::env::temp_dir(), Into::into);
    let folder = folder.join(format!("tabellion-state-bench-{}", std::process::id()));
    let mut run = Run { store: open(&folder), now: 0 };
    println!("{records} records of {RECORD_BYTES} bytes in {}", folder.display());

    let load = 2_000;
    run.blocks("load, blocks of 2,000", records / load, load, |place| place, 0);
    let spread =
        move |seed: u64| move |place: u64| (place + seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) % records;
    run.blocks("update, blocks of 1,000", 256, 1_000, spread(0), 1);
    run.blocks("update, blocks of 100", 640, 100, spread(1 << 30), 1_000);
    run.blocks("update, blocks of 10", 640, 10, spread(1 << 40), 2_000);
    reads(&run.store, records);

    for number in 0..40 {
        let writes =
            (0..1_000).map(|place| (key((number * 1_000 + place) % records), Some(record(place, 9))));
        run.block(writes.collect());
    }
    let image = folder.join("crash");
    crash_image(&folder, &image);
    let crashed = timed("open after a crash", || open(&image));
    let above = crashed.blocks_above_checkpoint().count();
    println!(
        "{above} blocks to replay, from height {}",
        crashed.applied_height().map_or(0, |height| height.0 + 1)
    );
    drop(crashed);
    run.store.checkpoint(TimeMs(run.now)).unwrap();
    let Run { store, .. } = run;
    drop(store);
    let store = timed("open after a clean stop", || open(&folder));
    timed("first proof after opening", || store.tip().prove(&key(1)).unwrap());
    assert!(store.block(Height(0)).unwrap().is_some());
    drop(store);
    for name in ["chain.redb", "state.redb"] {
        let bytes = std::fs::metadata(folder.join(name)).unwrap().len();
        println!("{name}: {bytes} bytes, {:.0} per record", bytes as f64 / records as f64);
    }
    println!("resident memory at most: {} MB", proc_number("status", "VmHWM:") / 1_000);
    std::fs::remove_dir_all(&folder).unwrap();
}
