use std::time::UNIX_EPOCH;

use super::*;

fn at(ms: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(ms)
}

const PACE: Pace = Pace { leader_ms: 1_000, view_ms: 4_000, retry_ms: 500, skip_ms: 6_000, fetch_ms: 1_000 };

/// A guard that has heard two validators since time 0, the newest certificate in view 10.
fn heard(guard: Guard) -> Guard {
    assert_eq!(guard.look(at(0), &PACE, 2, 2), Verdict::Wait);
    guard.hear_from(NodeKey([1; 32]));
    guard.hear_from(NodeKey([2; 32]));
    see(&guard, 10, at(100));
    assert_eq!(guard.look(at(100), &PACE, 2, 2), Verdict::Wait);
    guard
}

fn see(guard: &Guard, view: u64, now: SystemTime) {
    let mut state = guard.0.lock();
    (state.seen, state.moved) = (round(1, view), Some(now));
}

#[test]
fn a_network_that_moves_on_is_followed_to_two_views_above_what_a_quorum_knew() {
    for guard in [Guard::listening(Round::zero(), false), Guard::doubting(Round::zero())] {
        let guard = heard(guard);
        see(&guard, 11, at(650));
        assert_eq!(guard.look(at(650), &PACE, 2, 2), Verdict::Wait, "a quorum has told by now");
        see(&guard, 12, at(700));
        assert_eq!(guard.look(at(700), &PACE, 2, 2), Verdict::Wait);
        see(&guard, 13, at(750));
        assert_eq!(guard.look(at(750), &PACE, 2, 2), Verdict::Vote(round(1, 13)));
        guard.release(round(1, 13));
        assert!(!guard.permits(round(1, 13)));
        assert!(guard.permits(round(1, 14)) && guard.permits(round(2, 1)));
    }
}

#[test]
fn a_network_that_stands_still_is_helped_by_a_node_that_does_not_doubt() {
    let guard = heard(Guard::listening(round(1, 3), false));
    assert_eq!(guard.look(at(1_300), &PACE, 2, 2), Verdict::Wait);
    assert_eq!(guard.look(at(1_350), &PACE, 2, 2), Verdict::Vote(round(1, 3)));
    let guard = heard(Guard::doubting(round(1, 3)));
    assert_eq!(guard.look(at(600_000), &PACE, 2, 2), Verdict::Wait);
}

#[test]
fn without_a_connected_quorum_nothing_is_signed() {
    let guard = heard(Guard::listening(Round::zero(), false));
    for ms in [1_000, 10_000, 100_000] {
        assert_eq!(guard.look(at(ms), &PACE, 2, 1), Verdict::Wait);
        assert!(!guard.permits(round(9, 9)));
    }
    assert_eq!(guard.look(at(100_050), &PACE, 2, 2), Verdict::Wait, "from the start again");
}

#[test]
fn a_vote_that_the_journal_does_not_have_is_a_doubt_and_an_old_one_is_none() {
    // (newest in the journal, barrier, newest with the others, whether that is a doubt)
    for (signed, barrier, own, doubt) in [(7, 0, 7, false), (7, 0, 8, true), (7, 8, 8, false)] {
        let guard = Guard::listening(round(1, barrier), false);
        {
            let mut state = guard.0.lock();
            (state.signed, state.own) = (round(1, signed), round(1, own));
        }
        let expected = match doubt {
            true => Verdict::Doubt(Doubt::Forgotten { epoch: 1, view: own }),
            false => Verdict::Wait,
        };
        assert_eq!(guard.look(at(0), &PACE, 2, 2), expected, "{signed} {barrier} {own}");
    }
}

/// Votes of a later epoch may be one liar's words.
#[test]
fn what_seems_to_be_a_later_epoch_silences_nobody_who_votes() {
    let guard = Guard::open(Round::zero());
    guard.listen();
    assert!(guard.holds(), "nothing was signed yet");
    let guard = Guard::open(Round::zero());
    assert!(guard.permits(round(0, 1)));
    guard.listen();
    assert!(!guard.holds() && guard.permits(round(0, 2)));
}
