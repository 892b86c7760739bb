//! Deleting bodies that nobody needs any more (X.1409 A.3).
//!
//! ```text
//!   block rows --latest expiry--> [store: due] <--marks-- events that end a certificate early
//!                                     |  moment over
//!                                     v
//!   body + state -- machine's rule --> ended: archived, deleted   |   needed until T: looked at again then
//! ```
//!
//! The store only says when to look; what is deleted is decided by the body itself and the newest state, so
//! that a row too many costs a look and nothing else. Headers, lane headers and places of transactions stay:
//! the chain verifies, and every status is proved as before.
//!
//! Never deleted: the bodies of this epoch and the one before, from which nodes that start or join go on, and
//! whatever a restart would replay.

mod archive;
mod bucket;
mod report;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tabellion_consortium::{LedgerKind, epoch_of, parameters};
use tabellion_ledger::{Header, Height, Lane, LaneBody, TimeMs, Transaction};
use tabellion_machine::{Retention, retention};
use tabellion_pki::{Action, NOTICE_BLOCKS_MAX, notice};
use thiserror::Error;

use crate::clock::now;
use crate::core::Core;
use crate::error::{NodeError, chain};
use crate::store::{Deleted, Due, Found, Snapshot, Store, StoreError};

pub use self::archive::{ArchiveError, ArchivedBody, BodyArchive};
pub use self::bucket::{BucketFault, BucketSettings};
pub use self::report::{PruneReport, Pruned};

/// Bodies of one transaction of the store, at most: other writes wait meanwhile.
const BATCH: usize = 16;
/// Bytes of the bodies of one transaction, about.
const BATCH_BYTES: u64 = 4 << 20;
/// Lane headers of an older store for which rows are made in one transaction.
const INDEX_BATCH: usize = 4096;
/// How long the thread sleeps between two looks at the clock.
const PAUSE: Duration = Duration::from_millis(100);
/// Rest between two steps of a pass: the node has other work.
const REST: Duration = Duration::from_millis(20);
/// How long after a node's start the first pass begins, at most.
const FIRST_PASS: Duration = Duration::from_secs(10);
/// How long bodies are kept after the last thing in them has ended, unless the operator says otherwise: a
/// node that was away for a few days finds at others what it missed. Unit: ms.
pub const KEEP_MS: u64 = 7 * 86_400_000;

/// What an operator wants to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PruneSettings {
    /// How long bodies are kept after the last thing in them has ended. Unit: ms.
    pub keep_ms: u64,
    /// How often the node looks.
    pub every: Duration,
    /// Where bodies are kept before they are deleted.
    pub archive: Option<BodyArchive>,
}

/// Why nothing is deleted.
#[derive(Debug, Error)]
pub enum PruneError {
    /// The store failed.
    #[error("the node's store failed")]
    Store(#[from] StoreError),
    /// A body could not be kept first. It stays.
    #[error("a body could not be archived, and is not deleted")]
    Archive(#[from] ArchiveError),
}

impl Default for PruneSettings {
    fn default() -> Self {
        Self { keep_ms: KEEP_MS, every: Duration::from_secs(600), archive: None }
    }
}

/// One pass over the bodies whose moment has come.
pub struct Pruner {
    store: Arc<Store>,
    keep_ms: u64,
    archive: Option<BodyArchive>,
    /// The row that the pass has reached.
    after: Option<Due>,
    /// Notices found to be untrue: too early, or forged by whoever has a backup node's key.
    untrue: u64,
}

/// What was found of one body.
struct Look {
    due: Due,
    found: Found,
    size: Deleted,
    certificates: u64,
    noticed: Noticed,
}

/// What notices say of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Noticed {
    /// The body needs none, or a true one is there.
    Fine,
    /// The body has ended, and no true notice is there.
    Awaited,
    /// A notice said that the body had ended when it had not.
    Untrue,
}

/// What one step of a pass came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There may be more.
    Did(Deleted),
    /// The pass is over.
    Done,
}

impl Pruner {
    /// Begins a pass that keeps bodies for `keep_ms` beyond their end.
    pub fn new(store: Arc<Store>, keep_ms: u64) -> Self {
        Self { store, keep_ms, archive: None, after: None, untrue: 0 }
    }

    /// Keeps bodies in an archive before it deletes them.
    pub fn archive(self, archive: Option<BodyArchive>) -> Self {
        Self { archive, ..self }
    }

    /// Looks at the next bodies and deletes those that have ended, durably.
    ///
    /// Blocks for as long as a small write takes. What is to be archived is durable there before it is
    /// deleted here; a crash between the two archives it again.
    pub fn step(&mut self) -> Result<Step, PruneError> {
        if !self.store.index_due(INDEX_BATCH)? {
            return Ok(Step::Did(Deleted::default()));
        }
        let Some(looks) = self.looks()? else { return Ok(Step::Done) };
        if let Some(archive) = &self.archive {
            let state = self.store.tip();
            for Look { due, .. } in looks.iter().filter(|look| look.found == Found::Ended) {
                if let Some(body) = ArchivedBody::of(&self.store, &state, due.height, due.lane)? {
                    archive.keep(&body?)?;
                }
            }
        }
        let settled: Vec<_> = looks.iter().map(|look| (look.due, look.found)).collect();
        Ok(Step::Did(self.store.settle(&settled)?))
    }

    /// Blocks whose bodies of certificates have ended, where no notice has said so truly yet: what a backup
    /// node of a ledger of identifiers gives notice of (X.1409 C21). Deletes nothing.
    ///
    /// A block of which this node lacks certificates is left out, and looked at again: as long as others hold
    /// them it may still get them, and nobody should be told that it keeps what it has not.
    ///
    /// Limit: [`NOTICE_BLOCKS_MAX`].
    pub fn to_notice(mut self) -> Result<Vec<Height>, StoreError> {
        while !self.store.index_due(INDEX_BATCH)? {}
        while !self.store.look_for_lacking(INDEX_BATCH)? {}
        let mut heights = BTreeSet::new();
        while let Some(looks) = self.looks()? {
            let mut settled = Vec::new();
            for Look { due, found, noticed, .. } in looks {
                match (found, noticed) {
                    (Found::Ended, _) => settled.push((due, Found::Settled)),
                    (Found::Settled, Noticed::Awaited) => {
                        if self.store.is_whole(due.height)? {
                            heights.insert(due.height);
                        }
                    }
                    (found, _) => settled.push((due, found)),
                }
            }
            self.store.settle(&settled)?;
            if heights.len() >= NOTICE_BLOCKS_MAX {
                break;
            }
        }
        Ok(heights.into_iter().take(NOTICE_BLOCKS_MAX).collect())
    }

    /// What a pass would delete now, without deleting it.
    pub fn dry_run(mut self) -> Result<PruneReport, StoreError> {
        let mut report = PruneReport::default();
        while !self.store.index_due(INDEX_BATCH)? {}
        // A body may stand in the table more than once.
        let mut counted = BTreeSet::new();
        while let Some(looks) = self.looks()? {
            for Look { due, found, size, certificates, .. } in looks {
                if found == Found::Ended && counted.insert((due.height, due.lane)) {
                    report.add(due, size, certificates);
                }
            }
        }
        Ok(report)
    }

    /// The next bodies of the pass, each with what is to become of it; `None` at its end.
    fn looks(&mut self) -> Result<Option<Vec<Look>>, StoreError> {
        // The rows first, the state second: what the state does not show yet is marked again later.
        let Some(newest) = newest(&self.store)? else { return Ok(None) };
        let before = TimeMs(newest.time.0.saturating_sub(self.keep_ms));
        let rows = self.store.due(before, self.after, BATCH)?;
        let Some(last) = rows.last() else { return Ok(None) };
        let state = self.store.tip();
        let kind = parameters(&state).certificate.kind;
        let judge = Judge { state, kind, now: newest.time, keep_ms: self.keep_ms };
        let needed = first_needed(&self.store, &judge.state, &newest);
        let (mut looks, mut bytes) = (Vec::new(), 0);
        let mut reached = *last;
        for due in rows {
            if due.height < needed {
                let look = judge.look(&self.store, due)?;
                bytes += look.size.bytes;
                if look.noticed == Noticed::Untrue {
                    tracing::warn!(block = %due.height, "a notice was not true; nothing is deleted by it");
                    self.untrue += 1;
                }
                looks.push(look);
            }
            if bytes >= BATCH_BYTES {
                reached = due;
                break;
            }
        }
        self.after = Some(reached);
        Ok(Some(looks))
    }
}

/// The thread that deletes: a pass every so often, in small steps with rests between. A backup node deletes
/// nothing; it gives notice instead. Without settings other nodes keep everything.
pub(crate) fn run(
    core: Arc<Core>,
    settings: Option<PruneSettings>,
) -> impl FnOnce(&AtomicBool) -> Result<(), NodeError> + Send + 'static {
    move |stop| {
        let deletes = settings.is_some();
        let settings = settings.unwrap_or_default();
        let mut next = Instant::now() + settings.every.min(FIRST_PASS);
        while !stop.load(Ordering::Relaxed) {
            if Instant::now() < next {
                std::thread::sleep(PAUSE);
                continue;
            }
            next = Instant::now() + settings.every;
            if core.is_backup() {
                let pruner = Pruner::new(core.store().clone(), settings.keep_ms);
                core.give_notice(pruner.to_notice().map_err(NodeError::Store)?, now());
                continue;
            }
            if !deletes {
                continue;
            }
            let outcome = pass(&core, &settings, || {
                std::thread::sleep(REST);
                stop.load(Ordering::Relaxed)
            });
            match outcome {
                Ok(Pruned { bodies: 0, .. }) => {}
                Ok(Pruned { bodies, bytes, .. }) => {
                    tracing::info!(bodies, bytes, "bodies were deleted in which nothing is needed any more");
                }
                Err(PruneError::Store(error)) => return Err(NodeError::Store(error)),
                // The node goes on without: an operator makes room, or mends the archive.
                Err(PruneError::Archive(error)) => {
                    tracing::error!(error = %chain(&error), "no body is deleted: none can be archived");
                }
            }
        }
        Ok(())
    }
}

/// One whole pass over a node's store, unless `rest`, called between its steps, says to stop.
pub(crate) fn pass(
    core: &Core,
    settings: &PruneSettings,
    mut rest: impl FnMut() -> bool,
) -> Result<Pruned, PruneError> {
    let mut pruner = Pruner::new(core.store().clone(), settings.keep_ms).archive(settings.archive.clone());
    let mut sum = Pruned::default();
    // It keeps everything, whatever its operator asks for.
    if core.is_backup() {
        return Ok(sum);
    }
    while let Step::Did(deleted) = pruner.step()? {
        sum.add(deleted);
        core.counters().pruned_bodies.fetch_add(deleted.bodies, Ordering::Relaxed);
        core.counters().pruned_bytes.fetch_add(deleted.bytes, Ordering::Relaxed);
        core.counters().untrue_notices.fetch_add(std::mem::take(&mut pruner.untrue), Ordering::Relaxed);
        if rest() {
            break;
        }
    }
    Ok(sum)
}

/// The header of the newest committed state.
fn newest(store: &Store) -> Result<Option<Header>, StoreError> {
    store.applied_height().map_or(Ok(None), |height| store.header(height))
}

/// The first block whose body is not deleted yet, whatever is in it: the last one before the epoch before
/// this, upon which that epoch builds, or the first above the checkpoint.
fn first_needed(store: &Store, state: &Snapshot, newest: &Header) -> Height {
    let epoch_blocks = parameters(state).block.epoch_blocks;
    let epoch = epoch_of(newest.height, epoch_blocks).saturating_sub(1);
    let first = epoch.saturating_mul(epoch_blocks).saturating_sub(1);
    let replayed = store.checkpoint_height().map_or(Height(0), Height::next);
    Height(first).min(replayed)
}

/// Certificates that a body publishes.
fn published(lane: Lane, transactions: &[Transaction]) -> u64 {
    let count = |transaction: &Transaction| match lane {
        Lane::Certificate => Action::from_bytes(&transaction.content().action)
            .map_or(0, |action| u64::try_from(action.published().len()).unwrap_or_default()),
        _ => 0,
    };
    transactions.iter().map(count).sum()
}

/// Judges bodies by one state.
struct Judge {
    state: Snapshot,
    kind: LedgerKind,
    now: TimeMs,
    keep_ms: u64,
}

impl Judge {
    fn look(&self, store: &Store, due: Due) -> Result<Look, StoreError> {
        let Some(LaneBody { header, transactions }) = store.lane_body(due.height, due.lane)? else {
            let (found, size) = (Found::Settled, Deleted::default());
            return Ok(Look { due, found, size, certificates: 0, noticed: Noticed::Fine });
        };
        let (found, noticed) = match retention(due.lane, due.height, &transactions, &self.state) {
            Retention::ForGood => (Found::Settled, Noticed::Fine),
            // Nothing ends before it is recorded: joining nodes want what the last hour recorded.
            Retention::Until(end) => self.judge(due, end.max(header.time)),
        };
        let size = match found {
            Found::Ended => store.body_bytes(due.height, due.lane)?,
            Found::NeededUntil(_) | Found::Settled => Deleted::default(),
        };
        Ok(Look { due, found, size, certificates: published(due.lane, &transactions), noticed })
    }

    fn judge(&self, due: Due, end: TimeMs) -> (Found, Noticed) {
        let by_notice = due.lane == Lane::Certificate && self.kind == LedgerKind::Identifiers;
        let given = by_notice.then(|| notice(&self.state, due.height).map(|notice| notice.time));
        let is_over = end.plus(self.keep_ms) < self.now;
        // A mark is made when a notice is recorded, so that each is judged once.
        verdict(is_over, end, given, due.mark > 0)
    }
}

/// What becomes of a body that was needed until `end`.
///
/// `given` is the time of the latest notice, none where none was given; it is `None` itself where bodies go
/// without one. On a ledger of identifiers a body of certificates goes by a notice only, and only if that was
/// true when it was given (C21): what came too early never counts.
fn verdict(is_over: bool, end: TimeMs, given: Option<Option<TimeMs>>, is_marked: bool) -> (Found, Noticed) {
    let is_true = |time: TimeMs| end < time;
    let (may_go, noticed) = match given {
        None => (true, Noticed::Fine),
        Some(Some(time)) if is_true(time) => (true, Noticed::Fine),
        Some(Some(_)) if is_marked => (false, Noticed::Untrue),
        Some(_) if is_over => (false, Noticed::Awaited),
        Some(_) => (false, Noticed::Fine),
    };
    let found = match (is_over, may_go) {
        (true, true) => Found::Ended,
        (true, false) => Found::Settled,
        (false, _) => Found::NeededUntil(end),
    };
    (found, noticed)
}

#[cfg(test)]
mod tests;
