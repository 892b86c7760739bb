//! Taking a node out of service in order: no new transactions, those it took are passed on until a block
//! holds them, then it can be stopped without anybody noticing.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::node::Node;

/// Pause between two looks at the pool.
const LOOK: Duration = Duration::from_millis(100);

/// How to take a node out of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long it says that it is not ready before it stops, so that load balancers leave it.
    pub notice: Duration,
    /// How long it may take after that until the transactions of its clients are decided. They are kept in
    /// its journal beyond it, and passed on after the next start.
    pub wait: Duration,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DrainProgress {
    /// Transactions of its clients that wait for a block.
    pub own: usize,
    /// All transactions in its pool; those of other nodes' clients wait there too.
    pub pool: usize,
    /// How long it goes on at least.
    pub notice_left: Duration,
}

impl Node {
    /// Takes the node out of service; returns how many transactions of its clients were not decided. The
    /// caller then stops it.
    pub async fn drain(&self, drain: Drain, mut tell: impl FnMut(DrainProgress)) -> usize {
        let core = self.core();
        core.drain();
        let begin = Instant::now();
        loop {
            let (own, pool) = (core.pool_own(), core.pool_len());
            let notice_left = drain.notice.saturating_sub(begin.elapsed());
            tell(DrainProgress { own, pool, notice_left });
            let is_over = own == 0 || begin.elapsed() >= drain.notice + drain.wait;
            if notice_left.is_zero() && is_over {
                return own;
            }
            sleep(LOOK).await;
        }
    }
}
