//! Waking a leader that waits for work.

use std::sync::Arc;

use commonware_utils::channel::watch;

/// Tells the engine that there may be work: a transaction has come, something is due. Cheap; call it from any
/// thread.
#[derive(Clone, Debug)]
pub struct Waker(Arc<watch::Sender<()>>);

impl Default for Waker {
    fn default() -> Self {
        Self(Arc::new(watch::channel(()).0))
    }
}

impl Waker {
    /// Has a waiting leader ask [`Application::work`](crate::Application::work) again.
    pub fn wake(&self) {
        self.0.send_replace(());
    }

    pub(crate) fn listen(&self) -> Listener {
        Listener(self.0.subscribe())
    }
}

/// A leader's ear for wake-ups.
pub(crate) struct Listener(watch::Receiver<()>);

impl Listener {
    /// Counts all wake-ups so far as heard.
    pub(crate) fn mark(&mut self) {
        self.0.mark_unchanged();
    }

    /// Resolves at the next wake-up after the mark.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            futures::future::pending::<()>().await;
        }
    }
}
