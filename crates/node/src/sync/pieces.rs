//! The state itself, piece by piece, from several nodes at once.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tabellion_client::{NodeClient, NodeError};
use tabellion_ledger::Height;
use tabellion_ledger::trie::{OpenedPiece, PageId};

use super::{Progress, Sync, SyncError, blocking};
use crate::store::Target;

/// Pieces asked for at a time from one node.
const FETCHES_PER_NODE: usize = 4;
/// What a node says that does not hold a state any more.
const NOT_HELD: &str = "no-such-snapshot";
/// Bytes of records that are written in one transaction, about.
const BATCH_BYTES: usize = 16 << 20;

/// A prefix and the hash that its piece must come to.
type Wanted = (PageId, [u8; 32]);

/// What became of one question.
struct Answer {
    peer: usize,
    wanted: Wanted,
    piece: Result<OpenedPiece, Refused>,
}

enum Refused {
    /// The node does not hold the state any more.
    Gone,
    /// The node does not answer.
    Failed(String),
    /// The node sent something else.
    Lied(String),
}

/// Pieces that wait to be written, and how far the whole is.
#[derive(Default)]
struct Batch {
    pieces: Vec<(PageId, OpenedPiece)>,
    bytes: usize,
    records: u64,
}

impl Sync {
    /// Fetches all pieces of the state aimed at; `false` when its holders stop holding it.
    pub(super) async fn fetch_pieces(
        &mut self,
        target: &Target,
        mut holders: Vec<usize>,
        progress: &mut impl FnMut(Progress),
    ) -> Result<bool, SyncError> {
        let mut queue: VecDeque<Wanted> = self.intake.wanted().map_err(SyncError::Store)?.into();
        let mut asking = FuturesUnordered::new();
        let mut batch = Batch::default();
        // Shares of all paths that are asked for or still to be.
        let mut open: f64 = queue.iter().map(share).sum();
        loop {
            holders.retain(|peer| self.peers.is_asked(*peer));
            while asking.len() < FETCHES_PER_NODE * holders.len()
                && let Some(wanted) = queue.pop_front()
            {
                holders.rotate_left(1);
                asking.push(ask(holders[0], self.peers.node(holders[0]).clone(), target.height, wanted));
            }
            match asking.next().await {
                Some(Answer { wanted, piece: Ok(piece), .. }) => {
                    open -= share(&wanted);
                    batch.push(wanted.0, piece);
                }
                Some(Answer { peer, wanted, piece: Err(refused) }) => {
                    queue.push_front(wanted);
                    match refused {
                        // It may hold the state that is aimed at next.
                        Refused::Gone => holders.retain(|holder| *holder != peer),
                        Refused::Failed(reason) => self.peers.failed(peer, &reason),
                        Refused::Lied(reason) => self.peers.leave(peer, &reason),
                    }
                    continue;
                }
                None if queue.is_empty() && batch.pieces.is_empty() => return Ok(true),
                None if holders.is_empty() => {
                    self.write(&mut batch).await?;
                    return Ok(false);
                }
                None => {}
            }
            if batch.bytes >= BATCH_BYTES || queue.is_empty() {
                let more = self.write(&mut batch).await?;
                open += more.iter().map(share).sum::<f64>();
                queue.extend(more);
                progress(Progress::State { share: (1.0 - open).clamp(0.0, 1.0), records: batch.records });
            }
        }
    }

    async fn write(&self, batch: &mut Batch) -> Result<Vec<Wanted>, SyncError> {
        let pieces = std::mem::take(&mut batch.pieces);
        batch.bytes = 0;
        let intake = self.intake.clone();
        blocking(move || intake.put_pieces(&pieces).map_err(SyncError::Store)).await
    }
}

impl Batch {
    fn push(&mut self, id: PageId, piece: OpenedPiece) {
        self.bytes += piece.records.iter().map(|entry| entry.record.len()).sum::<usize>();
        self.records += u64::try_from(piece.records.len()).unwrap_or_default();
        self.pieces.push((id, piece));
    }
}

/// The share of all paths below a prefix.
fn share((id, _): &Wanted) -> f64 {
    16_f64.powi(-i32::try_from(id.depth()).unwrap_or(i32::MAX))
}

async fn ask(peer: usize, node: Arc<NodeClient>, height: Height, wanted: Wanted) -> Answer {
    let (id, hash) = wanted;
    let piece = match node.piece(height, &id).await {
        Err(NodeError::Refused(problem)) if problem.code == NOT_HELD => Err(Refused::Gone),
        Err(error) => Err(Refused::Failed(error.to_string())),
        Ok(piece) => {
            let opened = tokio::task::spawn_blocking(move || piece.open(&id, &hash)).await;
            match opened {
                Ok(Ok(piece)) => Ok(piece),
                Ok(Err(fault)) => Err(Refused::Lied(format!("the piece at prefix '{id}': {fault}"))),
                Err(_) => Err(Refused::Failed("interrupted".to_owned())),
            }
        }
    };
    Answer { peer, wanted, piece }
}
