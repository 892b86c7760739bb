//! What an edge node tells about itself.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tabellion_ledger::TimeMs;
use tabellion_machine::KnowledgeAnswer;
use tabellion_pki::{Stale, Staleness, Status};

use crate::core::Core;

/// Where an edge node's knowledge comes from, and how old it may be.
pub(crate) struct EdgeStatus {
    staleness: Staleness,
    view: Mutex<View>,
}

#[derive(Clone, Debug, Default)]
struct View {
    source: Option<String>,
    trouble: Option<String>,
    failures: u64,
    lies: u64,
    files_taken: u64,
    files_refused: u64,
}

impl EdgeStatus {
    pub(crate) fn new(staleness: Staleness) -> Self {
        Self { staleness, view: Mutex::default() }
    }

    fn view(&self) -> MutexGuard<'_, View> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node answered.
    pub(super) fn hears(&self, node: &str) {
        let mut view = self.view();
        if view.source.as_deref() != Some(node) {
            tracing::info!(node, "the ledger is followed by this node");
            view.source = Some(node.to_owned());
        }
    }

    /// The node that answered does not any more, or lied.
    pub(super) fn loses(&self, node: &str, reason: &str, lied: bool) {
        let mut view = self.view();
        if lied {
            view.lies += 1
        } else {
            view.failures += 1
        }
        view.source = None;
        view.trouble = Some(format!("{node}: {reason}"));
    }

    /// A file was taken, or why it was not.
    pub(super) fn file(&self, name: &str, refused: Option<&str>) {
        let mut view = self.view();
        match refused {
            None => view.files_taken += 1,
            Some(reason) => {
                view.files_refused += 1;
                view.trouble = Some(format!("{name}: {reason}"));
            }
        }
    }

    /// Whether a status may be told that is known by a block of this time.
    pub(crate) fn may_tell(
        &self,
        status: Option<Status>,
        known_at: TimeMs,
        now: TimeMs,
    ) -> Result<(), Stale> {
        self.staleness.permits(status, known_at, now)
    }

    /// Whether `normal` may be said.
    pub(crate) fn is_fresh(&self, core: &Core, now: TimeMs) -> bool {
        self.staleness.check(core.provable().finality.header.time, now).is_ok()
    }

    /// How old the knowledge is.
    pub(crate) fn knowledge(&self, core: &Core, now: TimeMs) -> KnowledgeAnswer {
        let header = core.provable().finality.header.clone();
        let View { source, trouble, .. } = self.view().clone();
        KnowledgeAnswer {
            height: header.height.0,
            time_ms: header.time.0,
            age_ms: now.0.saturating_sub(header.time.0),
            limit_ms: self.staleness.limit_ms,
            fresh: self.staleness.check(header.time, now).is_ok(),
            source,
            trouble,
        }
    }

    /// The same, and what came of the sources, as Prometheus text.
    pub(crate) fn metrics(&self, core: &Core, now: TimeMs) -> String {
        let (knowledge, view) = (self.knowledge(core, now), self.view().clone());
        let rows = [
            ("knowledge_age_ms", "gauge", "Age of the newest block with signatures.", knowledge.age_ms),
            (
                "knowledge_limit_ms",
                "gauge",
                "Age beyond which nothing but revoked is said.",
                knowledge.limit_ms,
            ),
            ("edge_connected", "gauge", "1 where a node gives blocks.", u64::from(view.source.is_some())),
            ("edge_failures_total", "counter", "Times that a node did not answer.", view.failures),
            ("edge_lies_total", "counter", "Times that a node was left since it lied.", view.lies),
            ("edge_files_taken_total", "counter", "Files that were taken.", view.files_taken),
            ("edge_files_refused_total", "counter", "Files that were refused.", view.files_refused),
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
}
