//! Which tasks of a part still live: ending a part ends its tasks, but not at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use commonware_runtime::Error;

use crate::runtime::Runtime;
use crate::watched::Watch;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(2);
/// How long a write that a task had begun may take to reach the disk after the task is gone.
const SETTLE: Duration = Duration::from_millis(20);
/// Looks before it counts as stuck: ten seconds of them.
const LOOKS_MAX: usize = 5_000;

/// The tasks of a part: give it to [`Watched`](crate::watched::Watched) as its watch, and the part that
/// runtime.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tasks(Arc<AtomicUsize>);

/// A task that lives, until this is dropped.
#[derive(Debug)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Tasks {
    /// Waits until all tasks are gone, and with them all that they hold: receivers, journals. Says whether
    /// they are.
    pub(crate) async fn gone<E: Runtime>(&self, context: &E) -> bool {
        for _ in 0..LOOKS_MAX {
            if self.0.load(Ordering::Acquire) == 0 {
                context.sleep(SETTLE).await;
                return true;
            }
            context.sleep(LOOK).await;
        }
        false
    }
}

impl Watch for Tasks {
    fn takes(&self, _: &str, _: &str, _: &Error) -> bool {
        false
    }

    fn spawned(&self) -> Option<Alive> {
        self.0.fetch_add(1, Ordering::AcqRel);
        Some(Alive(self.0.clone()))
    }
}
