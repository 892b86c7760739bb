//! How long the bodies of each lane are needed.
//!
//! A lane's bodies go under that lane's own rule (X.1409 A.3, 11.2.2), while headers, lane headers and the
//! places of transactions stay. When a node deletes what may go is its operator's choice.

use std::collections::BTreeSet;

use tabellion_ledger::{Height, Lane, TimeMs, Transaction, View};

use crate::event::{Event, Notice};

/// How long a lane's body is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retention {
    /// It is kept for good: what the members decided, and whatever no rule speaks of.
    ForGood,
    /// It may be deleted once this moment is over. Later blocks bring the moment nearer, never further away.
    Until(TimeMs),
}

/// How long the body of `lane` in the block at `height` is needed, by the state of now.
pub fn retention(lane: Lane, height: Height, transactions: &[Transaction], view: &dyn View) -> Retention {
    match lane {
        Lane::Certificate => {
            let until = tabellion_pki::retained_until(transactions, height, view);
            until.map_or(Retention::ForGood, Retention::Until)
        }
        Lane::Consortium | Lane::Perimeter | Lane::Intel | Lane::Audit(_) => Retention::ForGood,
    }
}

/// The bodies that may be needed for a shorter time after a block than their lane headers say; `before` is
/// the state before it.
pub fn shortened(notices: &[Notice], before: &dyn View) -> BTreeSet<(Height, Lane)> {
    let heights = |notice: &Notice| match &notice.event {
        Event::Certificate(event) => tabellion_pki::shortened(event, before),
        Event::Consortium(_) => Vec::new(),
    };
    notices.iter().flat_map(heights).map(|height| (height, Lane::Certificate)).collect()
}
