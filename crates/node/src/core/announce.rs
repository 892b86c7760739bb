//! Tells those who watch about new blocks, and remembers the last ones for those who come back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tabellion_ledger::{Header, Height};
use tabellion_machine::Notice;
use tokio::sync::broadcast;

/// Blocks that a slow reader may be behind.
const BUFFER: usize = 1024;
/// Blocks whose notices are remembered.
const REMEMBERED: usize = 4096;

/// A committed block and what happened in it.
#[derive(Clone, Debug)]
pub struct Block {
    /// Its header.
    pub header: Arc<Header>,
    /// Its transactions.
    pub transactions: u64,
    /// What happened.
    pub notices: Arc<[Notice]>,
}

/// Announces committed blocks in order.
pub struct Announcer {
    /// None once the node stops.
    sender: Mutex<Option<broadcast::Sender<Block>>>,
    recent: Mutex<VecDeque<Block>>,
}

impl Default for Announcer {
    fn default() -> Self {
        Self { sender: Mutex::new(Some(broadcast::channel(BUFFER).0)), recent: Mutex::new(VecDeque::new()) }
    }
}

impl Announcer {
    fn sender(&self) -> MutexGuard<'_, Option<broadcast::Sender<Block>>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends all streams.
    pub(super) fn close(&self) {
        self.sender().take();
    }

    pub(super) fn announce(&self, header: Arc<Header>, transactions: u64, notices: Vec<Notice>) {
        let block = Block { header, transactions, notices: notices.into() };
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if recent.len() == REMEMBERED {
            recent.pop_front();
        }
        recent.push_back(block.clone());
        // Nobody may listen. Sent under the lock, so that a new listener misses none and gets none twice.
        if let Some(sender) = &*self.sender() {
            let _ = sender.send(block);
        }
    }

    /// Blocks from `from` on that are remembered, and all later ones. `Err`: the oldest block that is
    /// remembered.
    pub fn listen(&self, from: Option<Height>) -> Result<(Vec<Block>, broadcast::Receiver<Block>), Height> {
        let recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // After the end a listener hears that it is over.
        let over = || broadcast::channel(1).1;
        let listener = self.sender().as_ref().map_or_else(over, broadcast::Sender::subscribe);
        let Some(from) = from else { return Ok((Vec::new(), listener)) };
        match recent.front() {
            Some(oldest) if oldest.header.height > from => Err(oldest.header.height),
            _ => Ok((recent.iter().filter(|block| block.header.height >= from).cloned().collect(), listener)),
        }
    }
}
