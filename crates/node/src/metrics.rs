//! The node's own metrics, in the Prometheus text format.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use tabellion_engine::{StatusView, Voting};

use crate::core::{Core, Counters};

/// The metrics of a node's core, as Prometheus text.
pub fn text(core: &Core, status: &StatusView) -> String {
    let counters = core.counters();
    let Counters { submitted, refused, received, inbox_dropped, committed, .. } = counters;
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    let newest = core.newest();
    let rows = [
        ("height", "gauge", "Height of the newest committed block.", newest.height.0),
        ("block_time_ms", "gauge", "Time of the newest committed block, ms since 1970.", newest.time.0),
        (
            "proved_height",
            "gauge",
            "Height of the newest block with signatures.",
            core.provable().finality.header.height.0,
        ),
        ("finalised_height", "gauge", "Height of the newest block known to be final.", status.finalised.0),
        ("view", "gauge", "The engine's current view.", status.view),
        (
            "validator",
            "gauge",
            "1 where this node has a seat among the validators.",
            u64::from(status.validator),
        ),
        (
            "voting",
            "gauge",
            "0: follows, 1: listens after a restart, 2: doubts its disk and does not vote, 3: votes.",
            voting(status.voting),
        ),
        ("peers", "gauge", "Peers connected.", u64::try_from(status.peers).unwrap_or(u64::MAX)),
        (
            "pool_transactions",
            "gauge",
            "Transactions in the pool.",
            u64::try_from(core.pool_len()).unwrap_or(u64::MAX),
        ),
        ("voted_down_total", "counter", "Proposals voted down.", status.voted_down),
        ("submitted_total", "counter", "Transactions taken from clients.", count(submitted)),
        ("refused_total", "counter", "Transactions refused at submission.", count(refused)),
        ("received_total", "counter", "Transactions taken from other nodes.", count(received)),
        ("inbox_dropped_total", "counter", "Messages of other nodes dropped.", count(inbox_dropped)),
        ("committed_total", "counter", "Transactions committed.", count(committed)),
        ("pruned_bodies_total", "counter", "Bodies deleted by A.3.", count(&counters.pruned_bodies)),
        ("pruned_bytes_total", "counter", "Bytes of those.", count(&counters.pruned_bytes)),
        (
            "untrue_notices_total",
            "counter",
            "Blocks in optimisation notices that were not true; nothing is deleted by them.",
            count(&counters.untrue_notices),
        ),
        (
            "lacking_blocks",
            "gauge",
            "Blocks of which this backup node lacks certificates or the body.",
            core.store().lacking_count().unwrap_or_default(),
        ),
        (
            "untrue_attachments_total",
            "counter",
            "Answers of other nodes to what this backup node lacks that were something else.",
            count(&counters.untrue_attachments),
        ),
    ];
    let mut text = String::new();
    for (name, kind, help, value) in rows {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP tabellion_{name} {help}\n# TYPE tabellion_{name} {kind}\ntabellion_{name} {value}"
        );
    }
    text
}

fn voting(voting: Voting) -> u64 {
    match voting {
        Voting::Follows => 0,
        Voting::Listens => 1,
        Voting::Doubts => 2,
        Voting::Votes => 3,
    }
}
