//! Slow disks: journals, store and machine answer late, in simulated time.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use commonware_runtime::Error;
use commonware_utils::sync::Mutex;

use crate::watched::Watch;

/// How long a node's disk lets it wait, asked each time that something is made durable or may block.
///
/// What a node gives to threads that may block (builds, checks, commits, syncs of the store) ends late; so do
/// syncs of its journals. A node that is killed meanwhile never learns that they ended.
#[derive(Clone, Default)]
pub struct Disk {
    lag: Option<Arc<dyn Fn() -> Duration + Send + Sync>>,
    /// The journals of all nodes of the world that were ever opened.
    pub(super) journals: Journals,
}

/// Names of journals.
pub(super) type Journals = Arc<Mutex<BTreeSet<String>>>;

impl Disk {
    /// A disk that takes as long as `lag` says. Its answers must follow from a seed.
    pub fn slow(lag: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { lag: Some(Arc::new(lag)), journals: Journals::default() }
    }
}

impl fmt::Debug for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.lag.is_some() { "Disk(slow)" } else { "Disk" })
    }
}

impl Watch for Disk {
    const LAGS: bool = true;

    fn lag(&self) -> Duration {
        self.lag.as_ref().map(|lag| lag()).unwrap_or_default()
    }

    fn opens(&self, partition: &str) {
        self.journals.lock().insert(partition.to_owned());
    }

    fn takes(&self, _: &str, _: &str, _: &Error) -> bool {
        false
    }
}
