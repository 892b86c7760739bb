//! Changes of the links to foreign ledgers (X.1409 C16, A.1: composed systems).

use tabellion_ledger::{LedgerId, Roster};

use crate::change::Change;
use crate::draft::Draft;
use crate::event::Event;
use crate::key::{link_key, links_key, outbox_key};
use crate::limits::{LINKS_MAX, STALE_AFTER_MS_MAX, STALE_AFTER_MS_MIN};
use crate::link::{Link, Links, NewLink};
use crate::refusal::Refusal;
use crate::view;

/// Does what a change of links says.
pub(super) fn execute(change: &Change, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    match change {
        Change::FollowLedger(new) => follow(new, draft),
        Change::FollowAnew { ledger, roster } => follow_anew(ledger, roster, draft),
        Change::UnfollowLedger { ledger } => unfollow(ledger, draft),
        Change::Outbox { open } => set_outbox(*open, draft),
        _ => Ok(()),
    }
}

fn follow(new: &NewLink, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let NewLink { ledger, name, roster, stale_after_ms } = new.clone();
    if ledger == draft.ctx.ledger {
        return Err(Refusal::OwnLedger);
    }
    let before = view::link(draft.view(), &ledger);
    if let Some(Link { since, .. }) = before.as_ref().filter(|link| link.ended.is_none()) {
        return Err(Refusal::LinkedAlready { ledger, height: since.height });
    }
    if !(STALE_AFTER_MS_MIN..=STALE_AFTER_MS_MAX).contains(&stale_after_ms) {
        let (least, most) = (STALE_AFTER_MS_MIN, STALE_AFTER_MS_MAX);
        return Err(Refusal::StalenessOutOfBounds { stale_after_ms, least, most });
    }
    let Links(mut links) = view::links(draft.view());
    let (count, count_max) = (links.len(), LINKS_MAX);
    if count >= count_max {
        return Err(Refusal::TooManyLinks { count, count_max });
    }
    if let Err(place) = links.binary_search(&ledger) {
        links.insert(place, ledger);
    }
    draft.put(links_key(), &Links(links));
    let generation = before.map_or(0, |link| link.generation) + 1;
    let since = draft.now();
    put(Link { ledger, name, roster, stale_after_ms, generation, since, ended: None }, draft);
    Ok(())
}

/// Lets following begin anew: what the link froze over is decided, by naming the validators that count.
fn follow_anew(ledger: &LedgerId, roster: &Roster, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let link = linked(ledger, draft)?;
    let (roster, since, generation) = (roster.clone(), draft.now(), link.generation + 1);
    put(Link { roster, since, generation, ..link }, draft);
    Ok(())
}

fn unfollow(ledger: &LedgerId, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let link = linked(ledger, draft)?;
    let Links(mut links) = view::links(draft.view());
    links.retain(|other| other != ledger);
    draft.put(links_key(), &Links(links));
    // The record stays: the next generation is another one, and revocations are honoured for good.
    draft.put(link_key(ledger), &Link { ended: Some(draft.now()), ..link });
    draft.tell(Event::LedgerUnfollowed { ledger: *ledger });
    Ok(())
}

fn set_outbox(open: bool, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if view::outbox(draft.view()).is_some() == open {
        return Err(Refusal::NothingChanges);
    }
    match open {
        true => draft.put(outbox_key(), &draft.now()),
        false => draft.remove(outbox_key()),
    }
    draft.tell(Event::OutboxChanged { open });
    Ok(())
}

fn linked(ledger: &LedgerId, draft: &Draft<'_>) -> Result<Link, Refusal> {
    let link = view::link(draft.view(), ledger).filter(|link| link.ended.is_none());
    link.ok_or(Refusal::NotLinked { ledger: *ledger })
}

fn put(link: Link, draft: &mut Draft<'_>) {
    draft.put(link_key(&link.ledger), &link);
    draft.tell(Event::LedgerFollowed { ledger: link.ledger, generation: link.generation });
}
