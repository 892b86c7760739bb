//! The half that needs the state: cheap, in order, all or nothing.

mod change;
mod schedule;

use tabellion_ledger::{CertificateId, Context, Effects, KeyId, Staged, TimeMs, View, cbor, read};

use crate::action::Entry;
use crate::check::{Checked, CheckedEntry};
use crate::composed::{self, Link};
use crate::event::Event;
use crate::key::{certificate_key, certificates_of_key_key, scheduled_key};
use crate::notice::apply_notice;
use crate::refusal::{EntryRefusal, Refusal, RefusedEntry};
use crate::state::{CERTIFICATES_PER_KEY_MAX, CertificateRecord, KeyRecord, Scheduled};

pub use schedule::{close, next_start};

/// What the participants agreed on, as far as applying depends on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules<'a> {
    /// The trusted CAs, ascending.
    pub anchors: &'a [CertificateId],
    /// How far ahead a publication may be scheduled. Unit: ms.
    pub schedule_ahead_ms_max: u64,
    /// How old a CA's feedback may be when it is used. Unit: ms.
    pub evidence_age_ms_max: u64,
    /// Whether the ledger records complete certificates; then its nodes optimise their storage by themselves.
    pub records_certificates: bool,
    /// The link to the foreign ledger of a relay; none for other requests, and where it is not followed.
    pub link: Option<Link>,
}

impl Rules<'_> {
    fn trusts(&self, root: &CertificateId) -> bool {
        self.anchors.binary_search(root).is_ok()
    }
}

/// Does all that a request of the key `by` asks for, or nothing (X.1409 C6, C7, C8, C9, C12, C14).
pub fn apply(
    checked: &Checked,
    by: &KeyId,
    ctx: &Context,
    rules: &Rules<'_>,
    view: &dyn View,
) -> Result<Effects<Event>, Refusal> {
    let mut work = Work { state: Staged::over(view), index: 0, events: Vec::new(), refused: Vec::new() };
    match checked {
        Checked::Publish(publish) => {
            for entry in &publish.entries {
                let outcome = apply_entry(entry, by, ctx, rules, &mut work.state).map(|event| [event]);
                work.take(entry.entry.certificate, outcome);
            }
        }
        Checked::Change(changes) => {
            for change in changes {
                let outcome = change::apply_change(change, by, ctx, rules, &mut work.state);
                work.take(change.certificate, outcome);
            }
        }
        Checked::Renew(renewal, entry) => {
            let outcome = change::apply_renewal(renewal, entry, by, ctx, rules, &mut work.state);
            work.take(renewal.old, outcome);
        }
        Checked::Notice(notice) => {
            work.events.push(apply_notice(notice, by, ctx, rules, &mut work.state)?);
        }
        Checked::Relay(relay) => return Ok(composed::apply(relay, rules.link.as_ref(), by, ctx, view)?),
    }
    work.finish()
}

/// What one request has done so far.
struct Work<'a> {
    state: Staged<'a>,
    index: usize,
    events: Vec<Event>,
    refused: Vec<RefusedEntry>,
}

impl Work<'_> {
    fn take(
        &mut self,
        certificate: CertificateId,
        outcome: Result<impl IntoIterator<Item = Event>, EntryRefusal>,
    ) {
        match outcome {
            Ok(events) => self.events.extend(events),
            Err(refusal) => {
                self.refused.push(RefusedEntry { index: self.index, certificate, refusal });
            }
        }
        self.index += 1;
    }

    fn finish(self) -> Result<Effects<Event>, Refusal> {
        match self.refused.is_empty() {
            true => Ok(Effects { writes: self.state.into_writes(), events: self.events }),
            false => Err(Refusal::Entries(self.refused)),
        }
    }
}

fn apply_entry(
    checked: &CheckedEntry,
    by: &KeyId,
    ctx: &Context,
    rules: &Rules<'_>,
    state: &mut Staged<'_>,
) -> Result<Event, EntryRefusal> {
    let entry = &checked.entry;
    let start = check_validity(checked, ctx, rules)?;
    if !rules.trusts(&entry.root) {
        return Err(EntryRefusal::UntrustedRoot { root: entry.root });
    }
    check_new(entry, state)?;
    let publication = Scheduled {
        certificate: entry.certificate,
        validity: entry.effective(),
        key: entry.key,
        issuer: entry.issuer(),
        root: entry.root,
        published_height: ctx.height,
        submitter: *by,
    };
    // "After the start time of the validity period ... the verified public-key certificate can be recorded"
    // (8.2.2).
    match start > ctx.time {
        true => schedule::put(publication, state),
        false => Ok(record(&publication, ctx, state)),
    }
}

/// The moment at which the publication takes effect: its start, or now. The whole chain must be valid then.
fn check_validity(checked: &CheckedEntry, ctx: &Context, rules: &Rules<'_>) -> Result<TimeMs, EntryRefusal> {
    let validity = checked.entry.effective();
    if validity.from > validity.until {
        return Err(EntryRefusal::NoValidity { from: validity.from, until: validity.until });
    }
    let start = validity.from.max(ctx.time);
    if let Some((_, interval)) = &checked.chain {
        interval.check(start)?;
    }
    if validity.until < ctx.time {
        return Err(EntryRefusal::ValidityOver { until: validity.until, at: ctx.time });
    }
    let ahead_ms_max = rules.schedule_ahead_ms_max;
    if start > ctx.time.plus(ahead_ms_max) {
        return Err(EntryRefusal::TooFarAhead { from: start, at: ctx.time, ahead_ms_max });
    }
    Ok(start)
}

fn check_new(entry: &Entry, state: &Staged<'_>) -> Result<(), EntryRefusal> {
    if let Some(found) = read::<CertificateRecord>(state, &certificate_key(&entry.certificate)) {
        return Err(EntryRefusal::AlreadyRecorded { since_height: found.since_height, status: found.status });
    }
    if let Some(found) = read::<Scheduled>(state, &scheduled_key(&entry.certificate)) {
        return Err(EntryRefusal::AlreadyScheduled { from: found.validity.from });
    }
    check_key(&entry.key, state)
}

/// Whether the key may have one more certificate.
fn check_key(key: &KeyId, state: &Staged<'_>) -> Result<(), EntryRefusal> {
    let KeyRecord(certificates) = read(state, &certificates_of_key_key(key)).unwrap_or_default();
    let (key, count, count_max) = (*key, certificates.len(), CERTIFICATES_PER_KEY_MAX);
    if count < count_max { Ok(()) } else { Err(EntryRefusal::TooManyForKey { key, count, count_max }) }
}

/// Writes the first record of a certificate.
///
/// Source: X.1409 C7, 8.2.1(4): "The public-key certificate's status is recommended to be 'normal'".
fn record(publication: &Scheduled, ctx: &Context, state: &mut Staged<'_>) -> Event {
    let (certificate, record) = (publication.certificate, publication.first_record(ctx.height, ctx.time));
    state.put(certificate_key(&certificate), cbor::to_bytes(&record));
    let of_key = certificates_of_key_key(&publication.key);
    let KeyRecord(mut certificates) = read(state, &of_key).unwrap_or_default();
    certificates.push(certificate);
    state.put(of_key, cbor::to_bytes(&KeyRecord(certificates)));
    Event::Published { certificate, record }
}

#[cfg(test)]
mod tests;
