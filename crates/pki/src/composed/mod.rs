//! Composed systems: several ledgers that follow each other (X.1409 C16, A.1).
//!
//! Trust rests on proofs and on no proxy. The host ledger numbers its results without gaps; the home ledger
//! holds a light client of the host and records what it proves. Whoever relays can be late, and nothing else.
//!
//! ```text
//! host ledger                                    home ledger
//!   status changes -> outbox 0, 1, 2, ... count     link (members) -> roster
//!        state root <- header <- quorum                |
//!              `- Delivery --proxy--> Relay --check--> quorum, history, trie proofs hold
//!                                           `-apply--> next number, newest header, statuses; or freeze
//! ```
mod apply;
mod check;
mod outbox;
mod refusal;
mod relay;
mod state;
mod view;

pub use apply::Link;
pub(crate) use apply::apply;
pub(crate) use check::check;
pub use check::{CheckedRelay, Delivered};
pub use outbox::number_results;
pub use refusal::RelayRefusal;
pub use relay::{Delivery, ProvedRecord, RELAY_HAND_OVERS_MAX, RELAY_RESULTS_MAX, Relay};
pub use state::{Complete, FollowedLedger, ForeignHeader, ForeignRecord, Freeze, Outbox, OutboxEntry};
pub use view::{
    Doubt, ForeignStanding, followed_ledger, foreign_record, foreign_standing, outbox, outbox_entry,
};
