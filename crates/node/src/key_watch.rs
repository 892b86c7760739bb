//! Notices when the ledger names another key for this node than the one it runs under.

use tabellion_consortium::NodeKey;
use tabellion_engine::EngineStatus;
use tabellion_ledger::TimeMs;
use tokio::sync::watch;

use crate::core::Core;

/// How often the state is asked. Unit: ms.
const LOOK_MS: u64 = 200;
/// A node that no peer has let in for this long tries its next key, if one waits. Unit: ms.
const ALONE_MS: u64 = 30_000;

/// Looks after the node's key.
pub(crate) struct KeyWatch {
    status: EngineStatus,
    told: watch::Sender<NodeKey>,
    looked: TimeMs,
    alone_since: Option<TimeMs>,
}

impl KeyWatch {
    pub(crate) fn new(status: EngineStatus, own: NodeKey) -> (Self, watch::Receiver<NodeKey>) {
        let (told, wanted) = watch::channel(own);
        (Self { status, told, looked: TimeMs(0), alone_since: None }, wanted)
    }

    /// Tells the key that the node should run under, where that changed.
    pub(crate) fn look(&mut self, core: &Core, now: TimeMs) {
        if now.0.saturating_sub(self.looked.0) < LOOK_MS {
            return;
        }
        self.looked = now;
        if self.status.view().peers > 0 {
            self.alone_since = None;
        } else {
            self.alone_since.get_or_insert(now);
        }
        let alone = self.alone_since.is_some_and(|since| now.0.saturating_sub(since.0) >= ALONE_MS);
        let wanted = core.wanted_key(alone);
        self.told.send_if_modified(|told| std::mem::replace(told, wanted) != wanted);
    }
}
