//! What the engine asks of the runtime it runs in.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use commonware_runtime::{Clock, Metrics, Spawner, Storage};
use rand_core::CryptoRng;
use tabellion_ledger::TimeMs;

/// A runtime: tasks, clock, chance, metrics and journals. Tokio in production, the deterministic one in
/// simulation.
pub trait Runtime: Spawner + Clock + Storage + Metrics + CryptoRng {}

impl<E: Spawner + Clock + Storage + Metrics + CryptoRng> Runtime for E {}

/// The runtime's time.
pub(crate) fn now<E: Clock>(context: &E) -> TimeMs {
    let since = context.current().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// The runtime's clock at a moment.
pub(crate) fn moment(time: TimeMs) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_millis(time.0))
        .unwrap_or_else(|| UNIX_EPOCH + Duration::from_secs(1 << 40))
}

/// Runs a synchronous call where blocking is allowed. `None`: the runtime is stopping.
pub(crate) async fn blocking<E: Runtime, T: Send + 'static>(
    context: &E,
    call: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    context.child("blocking").shared(true).spawn(move |_| async move { call() }).await.ok()
}
