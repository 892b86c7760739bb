//! The state trie over a map of one million records whose pages are all in memory.
//!
//! `cargo bench -p tabellion-ledger --bench trie`; `TABELLION_BENCH_RECORDS` sets another number of records.
//! Unit: each update figure is per batch; criterion's throughput line divides by the keys.
use std::collections::BTreeMap;
use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use tabellion_ledger::trie::{MemoryPages, prove, update};
use tabellion_ledger::{StateRoot, sha256};

type Writes = BTreeMap<[u8; 32], Option<[u8; 32]>>;

fn path(number: u64) -> [u8; 32] {
    sha256(&number.to_be_bytes())
}

/// `count` numbers below `records`, spread by a fixed step.
fn numbers(batch: u64, count: u64, records: u64) -> impl Iterator<Item = u64> {
    (0..count).map(move |number| (batch * count + number).wrapping_mul(0x9e37_79b9_7f4a_7c15) % records)
}

fn loaded(records: u64) -> (MemoryPages, StateRoot) {
    let (mut pages, mut root) = (MemoryPages::default(), StateRoot::default());
    for start in (0..records).step_by(100_000) {
        let end = records.min(start + 100_000);
        let writes: Writes = (start..end).map(|number| (path(number), Some(path(number)))).collect();
        let step = update(&pages, &root, &writes).expect("pages are complete");
        pages.apply(&step);
        root = step.root;
    }
    (pages, root)
}

#[expect(clippy::disallowed_methods, reason = "a bench, not the crate, reads how large the trie is to be")]
fn bench(criterion: &mut Criterion) {
    let records =
        std::env::var("TABELLION_BENCH_RECORDS").map_or(1_000_000, |text| text.parse().expect("a number"));
    let (pages, root) = loaded(records);
    let bytes: usize = pages.0.values().map(|page| page.to_bytes().len()).sum();
    eprintln!("{records} records: {} pages, {bytes} bytes", pages.0.len());
    let mut group = criterion.benchmark_group("trie");
    group.sample_size(20);
    for (name, fresh) in [("update", false), ("insert", true)] {
        for count in [10_u64, 1_000, 20_000] {
            let mut batch = 0;
            group.throughput(Throughput::Elements(count));
            group.bench_function(format!("{name}/{count}"), |bencher| {
                let setup = || {
                    batch += 1;
                    let shift = if fresh { records } else { 0 };
                    numbers(batch, count, records)
                        .map(|number| (path(number + shift), Some([7; 32])))
                        .collect()
                };
                let run = |writes: Writes| update(&pages, &root, &writes).expect("pages are complete");
                bencher.iter_batched(setup, run, BatchSize::LargeInput);
            });
        }
    }
    group.throughput(Throughput::Elements(1));
    let mut number = 0;
    let mut next = |present: bool| {
        number += 1;
        path(if present { numbers(number, 1, records).sum() } else { number + records })
    };
    for (name, present) in [("prove present", true), ("prove absent", false)] {
        group.bench_function(name, |bencher| {
            bencher.iter_batched(|| next(present), |path| prove(&pages, &root, &path), BatchSize::SmallInput);
        });
    }
    let proof = prove(&pages, &root, &path(1)).expect("pages are complete");
    group.bench_function("verify", |bencher| {
        bencher.iter(|| black_box(&proof).verify(&root, &path(1), Some(&path(1))));
    });
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
