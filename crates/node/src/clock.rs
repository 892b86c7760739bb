//! The node's clock: the one place that reads it for the core.

use std::time::{SystemTime, UNIX_EPOCH};

use tabellion_ledger::TimeMs;

/// Now. Unit: ms since 1970.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
