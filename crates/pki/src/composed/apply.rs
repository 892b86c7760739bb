//! The half that needs the state: the light client's next step, and what it proves.

use tabellion_ledger::{Context, Effects, Height, KeyId, LedgerId, Roster, Staged, View, cbor, read};

use super::check::{CheckedRelay, Delivered};
use super::refusal::RelayRefusal;
use super::state::{Complete, FollowedLedger, ForeignHeader, ForeignRecord, Freeze, OutboxEntry};
use crate::event::Event;
use crate::key::{followed_ledger_key, foreign_record_key};
use crate::state::Status;

/// What the members decided about a foreign ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// How often following began.
    pub generation: u64,
    /// The validators with whom it begins.
    pub roster: Roster,
    /// How old what is known may be until it counts as stale. Unit: ms.
    pub stale_after_ms: u64,
}

/// What a relay's header is to the newest one known.
#[derive(PartialEq)]
enum Step {
    /// It follows upon it.
    Newer,
    /// It is that one.
    Same,
    /// It is older, by the same validators: what it proves holds, and it moves nothing on.
    Older,
    /// There are two headers at the height of the one that is known.
    Fork(ForeignHeader, ForeignHeader),
}

/// Records what a relay proves, in the order of the foreign ledger and without a gap; or that the foreign
/// validators contradict themselves (X.1409 C16, A.1).
///
/// Refuses: a ledger that is not followed or frozen, other validators than the known ones, a header that does
/// not lead back to the known one, a gap, and what brings nothing new.
pub(crate) fn apply(
    relay: &CheckedRelay,
    link: Option<&Link>,
    by: &KeyId,
    ctx: &Context,
    view: &dyn View,
) -> Result<Effects<Event>, RelayRefusal> {
    let ledger = relay.ledger;
    let link = link.ok_or(RelayRefusal::NotFollowed { ledger })?;
    let key = followed_ledger_key(&ledger);
    let known = read::<FollowedLedger>(view, &key).filter(|known| known.generation == link.generation);
    let before = known.unwrap_or_else(|| FollowedLedger::begin(link.generation, link.roster.clone()));
    if let Some(Freeze { height, since_height, .. }) = before.frozen {
        return Err(RelayRefusal::Frozen { ledger, height, since_height });
    }
    let (said, known) = (relay.before, (before.roster.number(), before.roster.hash()));
    if said != known {
        return Err(RelayRefusal::OtherRoster { known: known.0, said: said.0 });
    }
    let (mut state, mut after, mut events) = (Staged::over(view), before.clone(), Vec::new());
    match &relay.delivered {
        None => after.roster = relay.roster.clone(),
        Some(delivered) => match step(delivered, relay, &before)? {
            Step::Fork(known, found) => {
                let freeze = freeze(known, found, ctx);
                after.frozen = Some(freeze);
                events.push(Event::LinkFrozen { ledger, freeze });
            }
            step => {
                if step == Step::Newer {
                    (after.newest, after.roster) = (Some(delivered.header), relay.roster.clone());
                }
                events = record(delivered, (&ledger, &mut after), by, ctx, &mut state)?;
                complete(delivered, &mut after, ctx);
            }
        },
    }
    if after == before {
        let height = before.newest.map_or(Height(0), |newest| newest.height);
        return Err(RelayRefusal::NothingNew { height, next: before.next });
    }
    state.put(key, cbor::to_bytes(&after));
    Ok(Effects { writes: state.into_writes(), events })
}

fn step(delivered: &Delivered, relay: &CheckedRelay, before: &FollowedLedger) -> Result<Step, RelayRefusal> {
    let (header, Some(known)) = (delivered.header, before.newest) else { return Ok(Step::Newer) };
    let not_linked = RelayRefusal::NotLinked { known: known.height, found: header.height };
    if header.height < known.height {
        // After a hand-over the next validators finalise nothing below it.
        return if relay.roster == before.roster { Ok(Step::Older) } else { Err(not_linked) };
    }
    if header.height == known.height {
        return Ok(if header.hash == known.hash { Step::Same } else { Step::Fork(known, header) });
    }
    match delivered.older.filter(|older| older.height == known.height) {
        None => Err(not_linked),
        Some(older) if older.hash == known.hash => Ok(Step::Newer),
        Some(older) => Ok(Step::Fork(known, older)),
    }
}

fn freeze(known: ForeignHeader, found: ForeignHeader, ctx: &Context) -> Freeze {
    let (since_height, since_time) = (ctx.height, ctx.time);
    Freeze { since_height, since_time, height: known.height, known: known.hash, found: found.hash }
}

/// Notes that nothing is missing, where that is so.
fn complete(delivered: &Delivered, after: &mut FollowedLedger, ctx: &Context) {
    let height = delivered.header.height;
    if after.next == delivered.count && after.complete.is_none_or(|known| known.height < height) {
        // A clock that runs ahead abroad must not make anything look fresher than it is.
        after.complete = Some(Complete { height, time: delivered.header.time.min(ctx.time) });
    }
}

/// Records the results that are not recorded yet; those that are, are passed over.
fn record(
    delivered: &Delivered,
    (ledger, followed): (&LedgerId, &mut FollowedLedger),
    by: &KeyId,
    ctx: &Context,
    state: &mut Staged<'_>,
) -> Result<Vec<Event>, RelayRefusal> {
    let (next, first) = (followed.next, delivered.first);
    if first > next && !delivered.results.is_empty() {
        return Err(RelayRefusal::Gap { next, first });
    }
    let mut events = Vec::new();
    for (number, result) in (first..).zip(&delivered.results).filter(|(number, _)| *number >= next) {
        followed.next = number + 1;
        let record = ForeignRecord {
            generation: followed.generation,
            number,
            result: result.clone(),
            proved_height: delivered.header.height,
            since_height: ctx.height,
            since_time: ctx.time,
            submitter: *by,
        };
        let key = foreign_record_key(ledger, &result.certificate);
        let before = read::<ForeignRecord>(state, &key);
        if before.is_none_or(|before| may_follow(&before, &record.result, record.generation)) {
            state.put(key, cbor::to_bytes(&record));
            events.push(Event::Relayed { ledger: *ledger, record });
        }
    }
    Ok(events)
}

/// Revoked is for good: no ledger that keeps its own rules says otherwise later.
fn may_follow(before: &ForeignRecord, result: &OutboxEntry, generation: u64) -> bool {
    let is_revoked = before.result.status == Status::Revoked && before.generation == generation;
    !is_revoked || result.status == Status::Revoked
}
