//! What a backup node lacks, fetched while it runs: certificates that travelled beside blocks while it was
//! away or before it joined, and bodies that nobody gave so far (X.1409 C18; Appendix II.2, case II).
//!
//! The store knows which blocks lack something. Each is asked for at the nodes named, one after the other, as
//! they hold it themselves; what they send is compared with the header and with the roots in the signed
//! contents, so any nodes will do. A block that all of them lack is asked for again seldom; one for which a
//! node did not answer, sooner.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::StreamExt;
use tabellion_client::NodeClient;
use tabellion_ledger::{Block, Header, Height, attachments_root};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};

use super::peers::Peers;
use super::{SyncError, blocking};
use crate::core::Core;
use crate::store::{Asked, Store};

/// Blocks asked for at a time.
const AHEAD: usize = 8;
/// Blocks looked at in one step.
const LOOK_BATCH: usize = 1024;
/// How often new blocks are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Rest between two batches: the node has other work.
const REST: Duration = Duration::from_millis(20);
/// How long one node may take for one block.
const PATIENCE: Duration = Duration::from_secs(20);
/// First and longest wait after nodes did not answer.
const UNANSWERED: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(240));
/// First and longest wait until all are asked again for what all of them lack: they may be filling up too.
const IN_VAIN: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// Looks at blocks, and fetches what they lack, for as long as the node is a backup node and until `stop` is
/// raised.
///
/// Errors: the store fails.
pub(crate) async fn fetch_lacking(
    core: Arc<Core>,
    nodes: Vec<Arc<NodeClient>>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), SyncError> {
    let fetching = async {
        let mut rounds = [Round::new(Asked::Open, UNANSWERED), Round::new(Asked::InVain, IN_VAIN)];
        let mut peers = Peers::new(nodes);
        loop {
            let mut rest = LOOK;
            if core.is_backup() {
                rest = if look(core.store()).await? { LOOK } else { REST };
                for round in &mut rounds {
                    if peers.count() > 0 && round.step(&core, &mut peers).await? {
                        rest = REST;
                    }
                }
            }
            tokio::time::sleep(rest).await;
        }
    };
    // What is being written is written to its end, on a thread of its own.
    tokio::select! {
        _ = stop.wait_for(|stop| *stop) => Ok(()),
        outcome = fetching => outcome,
    }
}

/// Looks at the next blocks; says whether all were looked at.
async fn look(store: &Arc<Store>) -> Result<bool, SyncError> {
    let store = store.clone();
    blocking(move || store.look_for_lacking(LOOK_BATCH).map_err(SyncError::Store)).await
}

/// Goes over the marked blocks again and again, with a wait after each time.
struct Round {
    asked: Asked,
    waits: (Duration, Duration),
    /// The wait after the present time over.
    wait: Duration,
    /// Where the present time over goes on.
    next: Height,
    /// When it may go on.
    at: Instant,
    /// Whether something was to be left for later.
    left: bool,
}

impl Round {
    fn new(asked: Asked, waits: (Duration, Duration)) -> Self {
        // What was asked for in vain before a restart is asked for once soon.
        Self { asked, waits, wait: waits.0, next: Height(0), at: Instant::now(), left: false }
    }

    /// Asks for the next blocks; says whether there may be more at once.
    async fn step(&mut self, core: &Arc<Core>, peers: &mut Peers) -> Result<bool, SyncError> {
        if Instant::now() < self.at {
            return Ok(false);
        }
        let heights = self.heights(core.store())?;
        let Some(last) = heights.last() else {
            self.end(peers);
            return Ok(false);
        };
        self.next = last.next();
        let store = core.store();
        let mut asking = Vec::new();
        for height in heights {
            let header = store.header(height).map_err(SyncError::Store)?;
            asking.push(ask(peers.asked(), header.ok_or(SyncError::NoHeader { height })?));
        }
        let answers: Vec<_> = futures::stream::iter(asking).buffered(AHEAD).collect().await;
        let mut in_vain = Vec::new();
        for answer in answers {
            let untrue = u64::try_from(answer.lies.len()).unwrap_or(u64::MAX);
            core.counters().untrue_attachments.fetch_add(untrue, Ordering::Relaxed);
            // Not asked counts as not answered: it may hold it.
            let all_answered = answer.failures.is_empty() && peers.asked().len() == peers.count();
            answer.lies.iter().for_each(|(number, reason)| peers.leave(*number, reason));
            answer.failures.iter().for_each(|(number, reason)| peers.failed(*number, reason));
            let is_whole = match answer.block {
                Some(block) => self.keep(store, block).await?,
                None => false,
            };
            match (is_whole, all_answered) {
                (true, _) => {}
                (false, true) => in_vain.push(answer.height),
                (false, false) => self.left = true,
            }
        }
        if self.asked == Asked::Open {
            store.asked_in_vain(&in_vain).map_err(SyncError::Store)?;
        }
        Ok(true)
    }

    /// The next marked blocks. Those whose bodies are being fetched anyway wait for that.
    fn heights(&self, store: &Store) -> Result<Vec<Height>, SyncError> {
        let lacking = |from| store.lacking(from, self.asked, AHEAD).map_err(SyncError::Store);
        let mut heights = lacking(self.next)?;
        let first = store.next_body().map_err(SyncError::Store)?;
        let Some((first, floor)) = first.zip(store.floor().map_err(SyncError::Store)?) else {
            return Ok(heights);
        };
        let is_awaited = |height: &Height| (first..floor).contains(height);
        if heights.iter().any(is_awaited) {
            heights.retain(|height| *height < first);
            if heights.is_empty() {
                heights = lacking(floor)?;
            }
        }
        Ok(heights)
    }

    async fn keep(&mut self, store: &Arc<Store>, block: Block) -> Result<bool, SyncError> {
        let store = store.clone();
        let is_whole = blocking(move || store.put_beside(&block).map_err(SyncError::Store)).await?;
        if is_whole {
            self.wait = self.waits.0;
        }
        Ok(is_whole)
    }

    /// Ends one time over. Where nothing was left for later the next comes at once, as new blocks may lack
    /// something.
    fn end(&mut self, peers: &mut Peers) {
        let was_empty = self.next == Height(0);
        self.next = Height(0);
        if was_empty {
            self.wait = self.waits.0;
            return;
        }
        peers.forgive();
        if std::mem::take(&mut self.left) || self.asked == Asked::InVain {
            self.at = Instant::now() + self.wait;
            self.wait = (self.wait * 2).min(self.waits.1);
        }
    }
}

/// What came of asking for one block.
struct Answer {
    height: Height,
    block: Option<Block>,
    /// Nodes that sent something else.
    lies: Vec<(usize, String)>,
    /// Nodes that did not answer.
    failures: Vec<(usize, String)>,
}

/// Asks one node after the other, until nothing is missing.
async fn ask(nodes: Vec<(usize, Arc<NodeClient>)>, header: Header) -> Answer {
    let height = header.height;
    let mut answer = Answer { height, block: None, lies: Vec::new(), failures: Vec::new() };
    for (number, node) in nodes {
        let sent = match timeout(PATIENCE, node.block_with_attachments_here(height)).await {
            Ok(Ok(block)) => block,
            Ok(Err(error)) if error.is_body_gone() => continue,
            Ok(Err(error)) => {
                answer.failures.push((number, error.to_string()));
                continue;
            }
            Err(_) => {
                answer.failures.push((number, "it took too long".to_owned()));
                continue;
            }
        };
        match compared(sent, &header) {
            Ok(block) => answer.take(block),
            Err(reason) => answer.lies.push((number, reason)),
        }
        if answer.is_whole() {
            break;
        }
    }
    answer
}

impl Answer {
    /// Joins what nodes hold of the block.
    fn take(&mut self, block: Block) {
        let Some(known) = &mut self.block else {
            self.block = Some(block);
            return;
        };
        if known.carried.is_empty() {
            known.carried = block.carried;
            return;
        }
        for (known, more) in known.carried.iter_mut().zip(block.carried) {
            if known.is_empty() {
                *known = more;
            }
        }
    }

    fn is_whole(&self) -> bool {
        self.block.as_ref().is_some_and(|block| {
            let mut places = (0..).zip(block.transactions());
            places.all(|(place, transaction)| {
                let is_here = block.carried.get::<usize>(place).is_some_and(|one| !one.is_empty());
                is_here || transaction.is_complete()
            })
        })
    }
}

/// Compares a block with its header, and what a node keeps beside it with what the signed contents commit to.
/// An entry may be empty: the node lacks it too.
///
/// Refuses: anything that differs; says what.
fn compared(mut block: Block, header: &Header) -> Result<Block, String> {
    let height = header.height;
    let carried = std::mem::take(&mut block.carried);
    if block.header != *header {
        return Err(format!("another block {height}"));
    }
    block.check_body().map_err(|fault| format!("block {height}: {fault}"))?;
    if !carried.is_empty() && carried.len() != block.transaction_count() {
        return Err(format!("attachments of {} transactions beside block {height}", carried.len()));
    }
    for (transaction, attachments) in block.transactions().zip(&carried) {
        let fits = attachments.is_empty()
            || transaction.attachments().is_empty()
                && attachments_root(attachments) == transaction.content().attachments;
        if !fits {
            return Err(format!("attachments that are not those of transaction {}", transaction.id()));
        }
    }
    block.carried = carried;
    Ok(block)
}

#[cfg(test)]
mod tests;
