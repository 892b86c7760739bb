//! What happened in a block, for those who watch.

use serde::{Deserialize, Serialize};
use tabellion_ledger::{Height, TimeMs, TransactionId};

/// An event of one of the services.
#[expect(
    clippy::large_enum_variant,
    reason = "most events are the larger ones, and all are short-lived: a box each would cost more"
)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "lane", rename_all = "kebab-case")]
pub enum Event {
    /// Of the consortium lane.
    Consortium(tabellion_consortium::Event),
    /// Of the certificate lane.
    Certificate(tabellion_pki::Event),
}

/// An event with its place on the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The block.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
    /// The transaction that caused the event; none where the end of a block did.
    pub transaction: Option<TransactionId>,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}
