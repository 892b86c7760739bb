//! The half that needs the state: cheap, in order, all or nothing.

mod change;

use tabellion_ledger::{CertificateId, Context, Effects, KeyId, Staged, StateKey, TimeMs, View, cbor, read};

use crate::action::Entry;
use crate::check::{Checked, CheckedEntry};
use crate::composed::{self, Link};
use crate::event::Event;
use crate::key::{
    certificate_key, certificates_of_key_key, schedule_hour_key, schedule_index_key, scheduled_key,
};
use crate::notice::apply_notice;
use crate::refusal::{EntryRefusal, Refusal, RefusedEntry};
use crate::state::{
    CERTIFICATES_PER_KEY_MAX, CertificateRecord, KeyRecord, SCHEDULED_HOURS_MAX, SCHEDULED_PER_HOUR_MAX,
    ScheduleHour, ScheduleIndex, Scheduled, Status,
};

const HOUR_MS: u64 = 3_600_000;

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
                work.take(change.certificate, outcome.map(|event| [event]));
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
    fn take<const N: usize>(
        &mut self,
        certificate: CertificateId,
        outcome: Result<[Event; N], EntryRefusal>,
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
    if start > ctx.time { schedule(publication, state) } else { record(publication, ctx, state) }
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
    let KeyRecord(certificates) = of_key(entry, state).1;
    let (count, count_max) = (certificates.len(), CERTIFICATES_PER_KEY_MAX);
    if count >= count_max {
        return Err(EntryRefusal::TooManyForKey { key: entry.key, count, count_max });
    }
    Ok(())
}

fn of_key(entry: &Entry, state: &Staged<'_>) -> (StateKey, KeyRecord) {
    let key = certificates_of_key_key(&entry.key);
    let record = read(state, &key).unwrap_or_default();
    (key, record)
}

/// Writes the first record of a certificate.
///
/// Source: X.1409 C7, 8.2.1(4): "The public-key certificate's status is recommended to be 'normal'".
fn record(publication: Scheduled, ctx: &Context, state: &mut Staged<'_>) -> Result<Event, EntryRefusal> {
    let Scheduled { certificate, validity, key, issuer, root, published_height, submitter } = publication;
    let record = CertificateRecord {
        status: Status::Normal,
        reason: None,
        sequence: 0,
        since_height: ctx.height,
        since_time: ctx.time,
        validity,
        key,
        issuer,
        root,
        published_height,
        submitter,
        evidence: None,
        previous: None,
    };
    state.put(certificate_key(&certificate), cbor::to_bytes(&record));
    let of_key = certificates_of_key_key(&key);
    let KeyRecord(mut certificates) = read(state, &of_key).unwrap_or_default();
    certificates.push(certificate);
    state.put(of_key, cbor::to_bytes(&KeyRecord(certificates)));
    Ok(Event::Published { certificate, record })
}

fn schedule(publication: Scheduled, state: &mut Staged<'_>) -> Result<Event, EntryRefusal> {
    let (certificate, from) = (publication.certificate, publication.validity.from);
    let hour = from.0 / HOUR_MS;
    let mut index: ScheduleIndex = read(state, &schedule_index_key()).unwrap_or_default();
    let ScheduleHour(mut starts) = read(state, &schedule_hour_key(hour)).unwrap_or_default();
    let full = |count, count_max| EntryRefusal::ScheduleFull { from, count, count_max };
    if starts.len() >= SCHEDULED_PER_HOUR_MAX {
        return Err(full(starts.len(), SCHEDULED_PER_HOUR_MAX));
    }
    if let Err(place) = index.hours.binary_search(&hour) {
        if index.hours.len() >= SCHEDULED_HOURS_MAX {
            return Err(full(index.hours.len(), SCHEDULED_HOURS_MAX));
        }
        index.hours.insert(place, hour);
    }
    let place = starts.partition_point(|other| *other <= (from, certificate));
    starts.insert(place, (from, certificate));
    index.next = Some(index.next.map_or(from, |next| next.min(from)));
    state.put(scheduled_key(&certificate), cbor::to_bytes(&publication));
    state.put(schedule_hour_key(hour), cbor::to_bytes(&ScheduleHour(starts)));
    state.put(schedule_index_key(), cbor::to_bytes(&index));
    Ok(Event::Scheduled { certificate, from })
}

/// Records, at the end of a block, the publications whose validity has started (X.1409 C12, 8.2.2: optional).
pub fn close(ctx: &Context, rules: &Rules<'_>, view: &dyn View) -> Effects<Event> {
    let mut state = Staged::over(view);
    let mut events = Vec::new();
    let mut index: ScheduleIndex = read(view, &schedule_index_key()).unwrap_or_default();
    if index.next.is_none_or(|next| next > ctx.time) {
        return Effects { writes: state.into_writes(), events };
    }
    let due_hours = index.hours.partition_point(|hour| *hour <= ctx.time.0 / HOUR_MS);
    let mut waiting_hours = Vec::new();
    for hour in index.hours.drain(..due_hours) {
        let ScheduleHour(mut starts) = read(&state, &schedule_hour_key(hour)).unwrap_or_default();
        let due = starts.partition_point(|(start, _)| *start <= ctx.time);
        for (_, certificate) in starts.drain(..due) {
            events.extend(start(&certificate, ctx, rules, &mut state));
        }
        match starts.is_empty() {
            true => state.remove(schedule_hour_key(hour)),
            false => {
                waiting_hours.push(hour);
                state.put(schedule_hour_key(hour), cbor::to_bytes(&ScheduleHour(starts)));
            }
        }
    }
    waiting_hours.append(&mut index.hours);
    let first = waiting_hours.first().map(|hour| schedule_hour_key(*hour));
    let next =
        first.and_then(|key| read::<ScheduleHour>(&state, &key)).and_then(|hour| hour.0.first().map(|s| s.0));
    state.put(schedule_index_key(), cbor::to_bytes(&ScheduleIndex { next, hours: waiting_hours }));
    Effects { writes: state.into_writes(), events }
}

fn start(
    certificate: &CertificateId,
    ctx: &Context,
    rules: &Rules<'_>,
    state: &mut Staged<'_>,
) -> Option<Event> {
    let key = scheduled_key(certificate);
    let publication: Scheduled = read(state, &key)?;
    state.remove(key);
    let KeyRecord(others) = read(state, &certificates_of_key_key(&publication.key)).unwrap_or_default();
    if !rules.trusts(&publication.root) || others.len() >= CERTIFICATES_PER_KEY_MAX {
        return Some(Event::Dropped { certificate: *certificate, root: publication.root });
    }
    record(publication, ctx, state).ok()
}

/// When the next scheduled publication starts; a block is due then.
pub fn next_start(view: &dyn View) -> Option<TimeMs> {
    read::<ScheduleIndex>(view, &schedule_index_key())?.next
}
