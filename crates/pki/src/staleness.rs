//! How old knowledge may be on which a node says that a certificate may be relied on.

use tabellion_ledger::TimeMs;
use thiserror::Error;

use crate::state::Status;

/// How old knowledge may be: the rule for every node that may have lost touch with the ledger, and for every
/// face of it.
///
/// Knowledge is as old as the newest block whose signatures the node holds. An idle ledger makes one with
/// each heartbeat, so the limit must lie well above that parameter.
///
/// Source: X.1409 C10, C17: only the latest status may be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staleness {
    /// Knowledge of this age still counts. Unit: ms.
    pub limit_ms: u64,
}

/// Knowledge that is too old.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("what is known here is {age_ms} ms old; {limit_ms} ms are allowed")]
pub struct Stale {
    /// Its age. Unit: ms.
    pub age_ms: u64,
    /// The limit. Unit: ms.
    pub limit_ms: u64,
}

impl Staleness {
    /// Whether knowledge of `known_at` may be told at `now`.
    ///
    /// A block may be a little ahead of a node's clock; such knowledge is new.
    pub fn check(&self, known_at: TimeMs, now: TimeMs) -> Result<(), Stale> {
        let (age_ms, limit_ms) = (now.0.saturating_sub(known_at.0), self.limit_ms);
        if age_ms <= limit_ms { Ok(()) } else { Err(Stale { age_ms, limit_ms }) }
    }

    /// The same for what is to be said of one certificate; `None`: that the ledger has no record of it.
    ///
    /// `revoked` may always be said, since nothing undoes it.
    pub fn permits(&self, status: Option<Status>, known_at: TimeMs, now: TimeMs) -> Result<(), Stale> {
        match status {
            Some(Status::Revoked) => Ok(()),
            _ => self.check(known_at, now),
        }
    }
}

#[cfg(test)]
mod tests;
