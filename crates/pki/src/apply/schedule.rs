//! Publications that wait for the start of their validity.

use tabellion_ledger::{CertificateId, Context, Effects, Staged, TimeMs, View, cbor, read};

use super::{Rules, check_key, record};
use crate::event::Event;
use crate::key::{schedule_hour_key, schedule_index_key, scheduled_key};
use crate::refusal::EntryRefusal;
use crate::state::{SCHEDULED_HOURS_MAX, SCHEDULED_PER_HOUR_MAX, ScheduleHour, ScheduleIndex, Scheduled};

const HOUR_MS: u64 = 3_600_000;

/// Lets a publication wait for its start.
pub(super) fn put(publication: Scheduled, state: &mut Staged<'_>) -> Result<Event, EntryRefusal> {
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
    put_index(waiting_hours, &mut state);
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
    if !rules.trusts(&publication.root) || check_key(&publication.key, state).is_err() {
        return Some(Event::Dropped { certificate: *certificate, root: publication.root });
    }
    Some(record(&publication, ctx, state))
}

/// Takes a publication out of the schedule before its start.
pub(super) fn remove(publication: &Scheduled, state: &mut Staged<'_>) {
    let (certificate, from) = (publication.certificate, publication.validity.from);
    let hour = from.0 / HOUR_MS;
    let ScheduleHour(mut starts) = read(state, &schedule_hour_key(hour)).unwrap_or_default();
    let ScheduleIndex { mut hours, .. } = read(state, &schedule_index_key()).unwrap_or_default();
    starts.retain(|other| *other != (from, certificate));
    state.remove(scheduled_key(&certificate));
    match starts.is_empty() {
        true => {
            state.remove(schedule_hour_key(hour));
            hours.retain(|other| *other != hour);
        }
        false => state.put(schedule_hour_key(hour), cbor::to_bytes(&ScheduleHour(starts))),
    }
    put_index(hours, state);
}

/// Writes the hours that have starts, with the first start of all.
fn put_index(hours: Vec<u64>, state: &mut Staged<'_>) {
    let first = hours.first().map(|hour| schedule_hour_key(*hour));
    let first = first.and_then(|key| read::<ScheduleHour>(state, &key));
    let next = first.and_then(|ScheduleHour(starts)| starts.first().map(|(start, _)| *start));
    state.put(schedule_index_key(), cbor::to_bytes(&ScheduleIndex { next, hours }));
}

/// When the next scheduled publication starts; a block is due then.
pub fn next_start(view: &dyn View) -> Option<TimeMs> {
    read::<ScheduleIndex>(view, &schedule_index_key())?.next
}
