//! Bodies of the blocks below the state that a store was begun with, fetched while the node runs.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tabellion_client::NodeClient;
use tabellion_ledger::{Block, Header, Height};
use tokio::sync::watch;

use super::peers::Peers;
use super::{SyncError, blocking};
use crate::store::Store;

/// Blocks fetched at a time.
const AHEAD: usize = 8;
/// Blocks written in one transaction, at most.
const BATCH: usize = 64;
/// Bytes written in one transaction, about.
const BATCH_BYTES: usize = 8 << 20;
/// Rest between two batches: the node has other work.
const REST: Duration = Duration::from_millis(20);
/// How long to wait when no node answers.
const PAUSE: Duration = Duration::from_secs(30);
/// Problem code of a node that deleted the body.
const NOT_HELD: &str = "body-not-held";

/// Fetches all bodies that the store still wants, lowest first, until all are here or `stop` is raised.
///
/// A body that no node holds any more is left out: what was in it was deleted by the ledger's own rule.
///
/// Errors: the store fails.
pub async fn fetch_bodies(
    store: Arc<Store>,
    nodes: Vec<Arc<NodeClient>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), SyncError> {
    let mut peers = Peers::new(nodes);
    while let Some(next) = store.next_body().map_err(SyncError::Store)? {
        let rest = match fetch_batch(&store, &mut peers, next).await {
            Ok(()) => REST,
            Err(SyncError::NoPeer { reason }) => {
                tracing::warn!(height = %next, reason, "no node gives the body of a block; trying later");
                peers.forgive();
                PAUSE
            }
            Err(error) => return Err(error),
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = tokio::time::sleep(rest) => {}
        }
    }
    tracing::info!("the bodies of all blocks are here");
    Ok(())
}

async fn fetch_batch(store: &Arc<Store>, peers: &mut Peers, from: Height) -> Result<(), SyncError> {
    let floor = store.floor().map_err(SyncError::Store)?.unwrap_or_default();
    let mut headers = Vec::new();
    for height in (from.0..floor.0).take(BATCH).map(Height) {
        let header = store.header(height).map_err(SyncError::Store)?;
        headers.push(header.ok_or(SyncError::NoHeader { height })?);
    }
    let (mut blocks, mut next, mut bytes) = (Vec::new(), from, 0);
    while let Some(header) = headers.get(usize::try_from(next.0 - from.0).unwrap_or(usize::MAX)) {
        let window = headers.iter().skip_while(|other| other.height < header.height).take(AHEAD);
        let fetched = fetch_window(peers, window).await?;
        for block in fetched {
            next = next.next();
            bytes += block.as_ref().map_or(0, size);
            blocks.extend(block);
        }
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    let store = store.clone();
    blocking(move || store.put_bodies(&blocks, next).map_err(SyncError::Store)).await
}

/// The bodies of some blocks; `None` for one that nobody holds.
async fn fetch_window<'a>(
    peers: &mut Peers,
    headers: impl Iterator<Item = &'a Header>,
) -> Result<Vec<Option<Block>>, SyncError> {
    let headers: Vec<Header> = headers.cloned().collect();
    let node = peers.any().ok_or_else(|| peers.nobody())?;
    let first: Vec<_> = futures::stream::iter(headers.iter().cloned())
        .map(|header| fetch(node.clone(), header))
        .buffered(AHEAD)
        .collect()
        .await;
    let mut bodies = Vec::new();
    for (header, fetched) in headers.into_iter().zip(first) {
        bodies.push(match fetched {
            Ok(Body::Here(block)) => Some(*block),
            // Others may have it still.
            Ok(Body::Gone) | Err(_) => match ask_all(peers, &header).await? {
                Body::Here(block) => Some(*block),
                Body::Gone => None,
            },
        });
    }
    Ok(bodies)
}

enum Body {
    Here(Box<Block>),
    Gone,
}

/// Asks every node for one body; [`Body::Gone`] where all that answer say so.
async fn ask_all(peers: &mut Peers, header: &Header) -> Result<Body, SyncError> {
    let answers = peers.ask_each(|node| fetch(node, header.clone())).await?;
    Ok(answers
        .into_iter()
        .map(|(_, body)| body)
        .find(|body| matches!(body, Body::Here(_)))
        .unwrap_or(Body::Gone))
}

async fn fetch(node: Arc<NodeClient>, header: Header) -> Result<Body, String> {
    match node.block(header.height).await {
        Ok(block) => {
            let fits = block.header == header && block.carried.is_empty() && block.check_body().is_ok();
            if fits {
                Ok(Body::Here(Box::new(block)))
            } else {
                Err(format!("another block {}", header.height))
            }
        }
        Err(error) if error.problem().is_some_and(|problem| problem.code == NOT_HELD) => Ok(Body::Gone),
        Err(error) => Err(error.to_string()),
    }
}

fn size(block: &Block) -> usize {
    block.transactions().map(|transaction| transaction.as_bytes().len()).sum()
}
