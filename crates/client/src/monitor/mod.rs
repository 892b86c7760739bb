//! What a domain owner watches for on the ledger: certificates for its names, by whom, and what becomes of
//! them (X.1409 C25, V.2).
//!
//! Every block is fetched and compared with a header that validators signed, so a node can hide nothing
//! unnoticed: what stands in the ledger is seen, or it is told which block could not be looked at. Each alert
//! comes with the proof of its transaction, which shows it to others.
//!
//! ```text
//! header (proved) -> block (hash) -> certificate lane -> Watch -> Alert -> proof of the transaction
//! ```

mod follow;
mod watch;
mod webhook;

pub use self::follow::{Monitor, Seen};
pub use self::watch::{Alert, AlertKind, CaRegister, Watch, WatchedName, WatchedNameError};
pub use self::webhook::{Webhook, WebhookError};
