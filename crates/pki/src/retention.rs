//! How long the bodies of the certificate lane are needed.
//!
//! Source: X.1409 A.3 (recommended): "When all the public-key certificates in a block are invalid, the body
//! of the block can be deleted. The header of the block remains." The rule is a function of the body and of
//! the records in the state, so that every node comes to the same moment.

use tabellion_ledger::{CertificateId, Height, TimeMs, Transaction, View};

use crate::action::Action;
use crate::change::StatusChange;
use crate::event::Event;
use crate::state::Status;
use crate::view::{certificate, scheduled};

/// The last moment at which something in a body of the certificate lane is needed (X.1409 C20): the body may
/// be deleted once it is over. `None` where a transaction cannot be read, which is kept for good.
///
/// - A published certificate is needed until the end of its validity; a revoked one until it was revoked. A
///   suspended one may be resumed, and a publication that waits will be recorded: both count like a normal
///   one.
/// - A publication that was dropped before its start, or whose certificate was recorded by another block, is
///   needed no more.
/// - A change of status is needed until the certificate that it concerns would have expired by itself, also
///   where that is revoked. Its body holds what the CA said, and as long as the certificate looks valid to
///   those who do not know the ledger, anybody can see for himself why it is not (A5). The hash of it stays
///   in the record for good.
/// - What a proxy brought is needed, as the proof of a foreign status, until the end of that certificate's
///   validity.
/// - An optimisation notice is not needed for anything: what came of it stands in the state.
pub fn retained_until(transactions: &[Transaction], height: Height, view: &dyn View) -> Option<TimeMs> {
    let mut last = TimeMs::default();
    for transaction in transactions {
        let action = Action::from_bytes(&transaction.content().action).ok()?;
        let published = action.published().iter().map(|entry| end(&entry.certificate, height, view));
        let (changed, renewed): (&[StatusChange], _) = match &action {
            Action::Change(changes) => (changes, None),
            Action::Renew(renewal) => (&[], Some(renewal.old_not_after)),
            Action::Publish(_) | Action::Notice(_) | Action::Relay(_) => (&[], None),
        };
        if let Action::Relay(relay) = &action {
            last = relay.ends().fold(last, TimeMs::max);
        }
        let changed = changed.iter().map(|change| change.not_after);
        // The whole last second belongs to a validity.
        let concerned = changed.chain(renewed).map(|not_after| not_after.plus(999));
        last = published.chain(concerned).fold(last, TimeMs::max);
    }
    Some(last)
}

/// Until when a publication of the block at `height` is needed.
fn end(id: &CertificateId, height: Height, view: &dyn View) -> TimeMs {
    if let Some(record) = certificate(view, id).filter(|record| record.published_height == height) {
        let until = record.validity.until;
        return match record.status {
            Status::Revoked => until.min(record.since_time),
            Status::Normal | Status::Suspended => until,
        };
    }
    let waits = scheduled(view, id).filter(|publication| publication.published_height == height);
    waits.map(|publication| publication.validity.until).unwrap_or_default()
}

/// The blocks whose bodies may go earlier after an event; `before` is the state before the event's block.
pub fn shortened(event: &Event, before: &dyn View) -> Vec<Height> {
    match event {
        Event::Revoked { record, .. } | Event::Renewed { record, .. } => vec![record.published_height],
        Event::Dropped { certificate, .. } => scheduled(before, certificate)
            .map(|publication| publication.published_height)
            .into_iter()
            .collect(),
        Event::Noticed { heights, .. } => heights.clone(),
        Event::Published { .. }
        | Event::Scheduled { .. }
        | Event::Suspended { .. }
        | Event::Resumed { .. }
        | Event::Relayed { .. }
        | Event::LinkFrozen { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
