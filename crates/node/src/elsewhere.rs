//! Asking other nodes for what is gone here, or was never here (X.1409 C18, A.2; Appendix II.2).
//!
//! What they send is compared with what the ledger committed to, so any nodes will do. They are asked for
//! what they hold themselves: no question goes round.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tabellion_client::NodeClient;
use tabellion_ledger::{Block, CertificateId, Header};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Questions under way at one time; beyond it the answer is that nothing is held.
const ASKED_MAX: usize = 16;
/// How long one node may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Other nodes.
pub struct Elsewhere {
    nodes: Vec<Arc<NodeClient>>,
    room: Semaphore,
}

impl Elsewhere {
    /// Nodes, asked in this order.
    pub fn new(nodes: Vec<Arc<NodeClient>>) -> Self {
        Self { nodes, room: Semaphore::new(ASKED_MAX) }
    }

    /// A certificate by its identifier.
    pub async fn certificate(&self, id: CertificateId) -> Option<Bytes> {
        self.ask(|node| async move {
            let der = node.certificate_der_here(&id).await.map_err(|error| error.to_string())?;
            match CertificateId::of(&der) == id {
                true => Ok(Bytes::from(der)),
                false => Err("another certificate".to_owned()),
            }
        })
        .await
    }

    /// The block of a header, with all its bodies.
    pub async fn block(&self, header: Header) -> Option<Block> {
        let header = Arc::new(header);
        self.ask(|node| {
            let header = header.clone();
            async move {
                let block = node.block_here(header.height).await.map_err(|error| error.to_string())?;
                match block.header == *header && block.carried.is_empty() && block.check_body().is_ok() {
                    true => Ok(block),
                    false => Err("another block".to_owned()),
                }
            }
        })
        .await
    }

    /// Asks one node after the other until one gives what holds.
    async fn ask<T, F>(&self, question: impl Fn(Arc<NodeClient>) -> F) -> Option<T>
    where
        F: Future<Output = Result<T, String>>,
    {
        let _room = self.room.try_acquire().ok()?;
        for node in &self.nodes {
            match timeout(PATIENCE, question(node.clone())).await {
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(reason)) => tracing::debug!(node = node.node(), reason, "a node did not help out"),
                Err(_) => tracing::debug!(node = node.node(), "a node took too long"),
            }
        }
        None
    }
}
