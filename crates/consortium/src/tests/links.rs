use tabellion_ledger::LedgerId;

use super::world::*;
use crate::*;

const ABROAD: LedgerId = LedgerId([7; 32]);

/// X.1409 C16, L9: which foreign ledgers are followed is the members' decision.
#[test]
fn foreign_ledgers_are_followed_anew_and_no_longer_by_vote() {
    let mut world = World::new(4, 4);
    let new = world.new_link(ABROAD);
    assert_eq!(world.enact(Change::FollowLedger(new.clone())), ProposalStatus::Executed);
    let first = link(&world.state, &ABROAD).unwrap();
    assert_eq!((first.generation, first.ended, first.stale_after_ms), (1, None, 60_000));
    assert_eq!((first.roster, links(&world.state)), (new.roster.clone(), Links(vec![ABROAD])));
    let anew = Change::FollowAnew { ledger: ABROAD, roster: new.roster.clone() };
    assert_eq!(world.enact(anew.clone()), ProposalStatus::Executed);
    assert_eq!(link(&world.state, &ABROAD).unwrap().generation, 2);
    assert_eq!(world.enact(Change::UnfollowLedger { ledger: ABROAD }), ProposalStatus::Executed);
    let ended = link(&world.state, &ABROAD).unwrap();
    assert!(ended.ended.is_some() && links(&world.state) == Links::default());
    assert_eq!(world.propose(0, anew), Err(Refusal::NotLinked { ledger: ABROAD }));
    assert_eq!(world.enact(Change::FollowLedger(new)), ProposalStatus::Executed);
    assert_eq!(link(&world.state, &ABROAD).unwrap().generation, 3);
}

#[test]
fn links_that_make_no_sense_are_refused_with_the_facts() {
    let mut world = World::new(4, 4);
    let (own, new) = (world.ledger(), world.new_link(ABROAD));
    let stale = |stale_after_ms| Change::FollowLedger(NewLink { stale_after_ms, ..new.clone() });
    let (least, most) = (limits::STALE_AFTER_MS_MIN, limits::STALE_AFTER_MS_MAX);
    let rows = [
        (Change::FollowLedger(NewLink { ledger: own, ..new.clone() }), Refusal::OwnLedger),
        (stale(999), Refusal::StalenessOutOfBounds { stale_after_ms: 999, least, most }),
        (stale(most + 1), Refusal::StalenessOutOfBounds { stale_after_ms: most + 1, least, most }),
        (Change::UnfollowLedger { ledger: ABROAD }, Refusal::NotLinked { ledger: ABROAD }),
        (Change::Outbox { open: false }, Refusal::NothingChanges),
    ];
    for (change, refusal) in rows {
        assert_eq!(world.propose(0, change), Err(refusal));
    }
    assert_eq!(world.enact(Change::FollowLedger(new.clone())), ProposalStatus::Executed);
    let height = link(&world.state, &ABROAD).unwrap().since.height;
    assert_eq!(
        world.propose(0, Change::FollowLedger(new)),
        Err(Refusal::LinkedAlready { ledger: ABROAD, height })
    );
}

#[test]
fn the_outbox_opens_and_closes_by_vote() {
    let mut world = World::new(4, 4);
    assert_eq!(outbox(&world.state), None);
    assert_eq!(world.enact(Change::Outbox { open: true }), ProposalStatus::Executed);
    assert!(outbox(&world.state).is_some());
    assert_eq!(world.propose(0, Change::Outbox { open: true }), Err(Refusal::NothingChanges));
    assert_eq!(world.enact(Change::Outbox { open: false }), ProposalStatus::Executed);
    assert_eq!(outbox(&world.state), None);
}
