//! Fail-stop: what ends an engine, and how the end is told.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use commonware_runtime::Error as RuntimeError;
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
        source: io::Error,
    },
    /// The node's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A journal of the engine failed.
    #[error("journal: {operation}")]
    Journal {
        /// What was being done, and to which file in the engine's folder.
        operation: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A part of the engine ended that should not have.
    #[error("the {0} ended unexpectedly")]
    Ended(&'static str),
    /// The engine met a state that it holds for impossible.
    #[error("broken invariant: {0}")]
    Panicked(String),
}

impl EngineError {
    /// A failed operation on a journal's file.
    pub(crate) fn journal(operation: impl Into<String>, error: &RuntimeError) -> Self {
        let source = match error {
            RuntimeError::Io(source)
            | RuntimeError::BlobOpenFailed(_, _, source)
            | RuntimeError::BlobResizeFailed(_, _, source)
            | RuntimeError::BlobSyncFailed(_, _, source) => io::Error::new(source.kind(), source.clone()),
            other => io::Error::other(other.to_string()),
        };
        Self::Journal { operation: operation.into(), source }
    }

    /// The error with its cause, where the engine does not know it: asked from the disk again, by a write
    /// into the engine's folder. A new file's first bytes fail without a cause.
    pub(crate) fn with_cause(self, folder: &Path) -> Self {
        match self {
            Self::Journal { operation, source } if source.kind() == io::ErrorKind::Other => {
                let source = probe(folder).err().unwrap_or(source);
                Self::Journal { operation, source }
            }
            other => other,
        }
    }
}

/// Whether a file of a journal's usual size can be written.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join("probe");
    let written = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&[0; 64 * 1024])?;
        file.sync_all()
    });
    // Where it cannot be removed, it could not be made.
    let _ = fs::remove_file(&path);
    written
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

#[cfg(test)]
mod tests;
