//! Fail-stop: what ends an engine, and how the end is told.

use std::sync::Arc;

use commonware_utils::channel::watch;
use commonware_utils::sync::Mutex;

use crate::store::StoreError;

/// Why an engine ended, or could not start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The configuration cannot work.
    #[error("configuration: {0}")]
    Config(String),
    /// The address cannot be listened on.
    #[error("listen on {address}")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// The node's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine's own journals failed.
    #[error("journal: {0}")]
    Journal(String),
    /// A part of the engine ended that should not have.
    #[error("the {0} ended unexpectedly")]
    Ended(&'static str),
    /// The engine met a state that it holds for impossible.
    #[error("broken invariant: {0}")]
    Panicked(String),
}

/// The first fault of an engine; raising it ends the engine.
#[derive(Clone)]
pub(crate) struct Fault {
    first: Arc<Mutex<Option<EngineError>>>,
    raised: Arc<watch::Sender<bool>>,
}

impl Default for Fault {
    fn default() -> Self {
        Self { first: Arc::default(), raised: Arc::new(watch::channel(false).0) }
    }
}

impl Fault {
    /// Records a fault; later ones are consequences and are dropped.
    pub(crate) fn raise(&self, error: EngineError) {
        tracing::error!(error = %chain(&error), "engine stops");
        self.first.lock().get_or_insert(error);
        self.raised.send_replace(true);
    }

    /// Resolves when a fault is raised.
    pub(crate) async fn raised(&self) {
        let mut raised = self.raised.subscribe();
        // The sender lives as long as this handle, so the wait cannot fail.
        let _ = raised.wait_for(|raised| *raised).await;
    }

    /// The fault, once.
    pub(crate) fn take(&self) -> Option<EngineError> {
        self.first.lock().take()
    }
}

/// An error with its sources on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
