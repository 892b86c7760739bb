use tabellion_ledger::{Hash, Height, TimeMs};

use super::world::*;
use crate::Choice::{Against, For};
use crate::*;

fn decision(text: &str) -> Change {
    Change::Decision { text: text.to_owned() }
}

/// X.1409 L9, clause 7: floor(2n/3) + 1 of n members, as the quorum of n validators.
#[test]
fn a_proposal_passes_with_more_than_two_thirds_of_the_members_and_falls_when_it_cannot() {
    // (members, votes that accept, votes against that reject)
    let rows = [
        (1, 1, 1),
        (2, 2, 1),
        (3, 3, 1),
        (4, 3, 2),
        (5, 4, 2),
        (6, 5, 2),
        (7, 5, 3),
        (8, 6, 3),
        (9, 7, 3),
        (10, 7, 4),
        (11, 8, 4),
        (12, 9, 4),
        (13, 9, 5),
        (14, 10, 5),
        (15, 11, 5),
        (16, 11, 6),
    ];
    for (count, needed, blocking) in rows {
        let tally = Tally { votes_for: 0, votes_against: 0, active: count };
        assert_eq!(tally.threshold(), needed, "{count} members");
        for votes_for in 0..=count {
            for votes_against in 0..=count - votes_for {
                let verdict = Tally { votes_for, votes_against, active: count }.verdict();
                let expected = match (votes_for >= needed, votes_against >= blocking) {
                    (true, _) => Verdict::Accepted,
                    (_, true) => Verdict::Rejected,
                    _ => Verdict::Undecided,
                };
                assert_eq!(verdict, expected, "{votes_for} for, {votes_against} against, of {count}");
            }
        }
        let count = usize::try_from(count).unwrap();
        let mut world = World::new(count, 1);
        let number = world.propose(0, decision("yes")).unwrap();
        for voter in 1..usize::try_from(needed).unwrap() {
            assert_eq!(world.status(number), ProposalStatus::Open, "{count} members, {voter} votes");
            world.vote(voter, number, For).unwrap();
        }
        assert_eq!(world.status(number), ProposalStatus::Accepted, "{count} members");
    }
}

#[test]
fn a_rejected_proposal_falls_at_once_and_leaves_nothing_behind() {
    let mut world = World::new(4, 4);
    let number = world.propose(0, decision("no")).unwrap();
    world.vote(1, number, Against).unwrap();
    let events = {
        let ballot = world.ballot(number, Against);
        world.member_acts(2, &ballot).unwrap()
    };
    let tally = Tally { votes_for: 1, votes_against: 2, active: 4 };
    assert!(events.contains(&Event::Rejected { proposal: number, tally }), "{events:?}");
    assert_eq!(world.status(number), ProposalStatus::Rejected);
    assert_eq!(agenda(&world.state), Agenda { next: ProposalNumber(2), ..Agenda::default() });
}

/// X.1409 L9: a decision stands on the ledger with who said what and why.
#[test]
fn a_decision_runs_from_the_proposal_to_its_effect_height() {
    let mut world = World::new(4, 4);
    let proposed = Proposed { effect: Height(4), ..world.proposed(Change::Stop) };
    let events = world.member_acts(0, &Action::Propose(proposed)).unwrap();
    let number = ProposalNumber(1);
    let record = proposal(&world.state, number).unwrap();
    let (hash, deadline) = (record.hash(), record.deadline);
    let proposer = Some(id("m0"));
    let one = Tally { votes_for: 1, votes_against: 0, active: 4 };
    let expected = [
        Event::Proposed { proposal: number, proposer, change: "stop".to_owned(), hash, deadline },
        Event::Voted { proposal: number, member: id("m0"), choice: For, tally: one },
    ];
    assert_eq!(events, expected);
    world.end_block();
    let reason = "an attack goes on".to_owned();
    let ballot = Action::Vote(Ballot { proposal: number, hash, choice: For, reason: reason.clone() });
    world.member_acts(1, &ballot).unwrap();
    world.vote(2, number, For).unwrap();
    let accepted = proposal(&world.state, number).unwrap();
    let tally = Tally { votes_for: 3, votes_against: 0, active: 4 };
    let moment = Moment { height: Height(2), time: world.ctx().time };
    let acceptance = Acceptance { accepted: moment, effect: Height(4), tally };
    assert_eq!((accepted.acceptance, &accepted.status), (Some(acceptance), &ProposalStatus::Accepted));
    assert_eq!((accepted.ballots[1].reason.as_str(), accepted.ballots[1].cast), (reason.as_str(), moment));
    assert_eq!(accepted.hash(), hash, "ballots do not change what is voted on");
    assert_eq!(world.end_block(), []);
    assert_eq!(require_running(&world.state), Ok(()), "block 3 still runs under the old rules");
    let events = world.end_block();
    assert_eq!(events, [Event::Stopped, Event::Executed { proposal: number }]);
    assert_eq!(require_running(&world.state), Err(Refusal::Stopped { height: Height(3) }));
    assert_eq!(world.status(number), ProposalStatus::Executed);
}

#[test]
fn an_effect_that_is_past_takes_place_with_the_next_block() {
    let mut world = World::new(4, 4);
    world.end_epoch();
    let proposed = Proposed { effect: Height(2), ..world.proposed(Change::Stop) };
    world.member_acts(0, &Action::Propose(proposed)).unwrap();
    world.accept(ProposalNumber(1));
    let acceptance = proposal(&world.state, ProposalNumber(1)).unwrap().acceptance.unwrap();
    assert_eq!(acceptance.effect, Height(5));
    world.end_block();
    assert_eq!(stop(&world.state).unwrap().since.height, Height(4));
}

#[test]
fn votes_and_proposals_are_refused_with_the_facts() {
    let mut world = World::new(7, 4);
    let open = world.propose(0, decision("open")).unwrap();
    let late = ProposalNumber(2);
    let short = Proposed { deadline: world.ctx().time, ..world.proposed(decision("short")) };
    assert!(matches!(
        world.member_acts(0, &Action::Propose(short)),
        Err(Refusal::DeadlineOutOfBounds { .. })
    ));
    let short = Proposed { deadline: world.ctx().time.plus(1), ..world.proposed(decision("short")) };
    world.member_acts(0, &Action::Propose(short)).unwrap();
    let deadline = world.ctx().time.plus(1);
    let withdrawn = world.propose(1, decision("withdrawn")).unwrap();
    world.member_acts(1, &Action::Withdraw { proposal: withdrawn }).unwrap();
    // m6 is suspended; m5 has a retired key.
    world.enact(Change::SuspendMember { member: id("m6") });
    let (old, new) = (member_key_of(5), Key::new(1));
    let offer = world.offer(&new, &id("m5"), Purpose::Member);
    world.act(&old, &Action::AddKey(offer)).unwrap();
    world.act(&new, &Action::RetireKey { key: old.id() }).unwrap();
    let at = world.ctx().time;
    assert!(at > deadline);
    let node = node_key_of(0);
    let hash = proposal(&world.state, open).unwrap().hash();
    let other = Hash([9; 32]);
    let unknown = ProposalNumber(99);
    let vote =
        |number| Action::Vote(Ballot { proposal: number, hash: other, choice: For, reason: String::new() });
    let ahead = world.document.parameters.governance.voting_ms_max;
    let bounds =
        |deadline| Refusal::DeadlineOutOfBounds { deadline, earliest: at.plus(1), latest: at.plus(ahead) };
    let too_long = at.plus(ahead + 1);
    let stranger = Key::new(9);
    let rows: &[Row<'_>] = &[
        ("a non-member", &|w| w.act(&stranger, &w.ballot(open, For)), {
            Refusal::UnknownSubmitter { key: stranger.id() }
        }),
        ("a suspended member", &|w| w.member_acts(6, &w.ballot(open, For)), {
            Refusal::MemberNotActive { member: id("m6"), status: MemberStatus::Suspended, height: Height(1) }
        }),
        ("a retired key", &|w| w.act(&old, &w.ballot(open, For)), {
            Refusal::KeyRetired { key: old.id(), member: id("m5"), height: Height(2) }
        }),
        ("a node", &|w| w.act(&node, &w.ballot(open, For)), {
            Refusal::WrongKindOfKey { key: node.id(), owner: "node", needed: "member" }
        }),
        ("twice", &|w| w.member_acts(0, &w.ballot(open, Against)), {
            Refusal::VotedAlready { proposal: open, member: id("m0"), height: Height(1) }
        }),
        ("late", &|w| w.member_acts(1, &w.ballot(late, For)), {
            Refusal::VotingOver { proposal: late, deadline, at }
        }),
        ("on what was taken back", &|w| w.member_acts(1, &w.ballot(withdrawn, For)), {
            Refusal::ProposalClosed { proposal: withdrawn, status: "withdrawn" }
        }),
        ("on nothing", &|w| w.member_acts(1, &vote(unknown)), {
            Refusal::UnknownProposal { proposal: unknown }
        }),
        ("on something else", &|w| w.member_acts(1, &vote(open)), {
            Refusal::ProposalDiffers { proposal: open, found: hash, said: other }
        }),
        ("to take back another's", &|w| w.member_acts(1, &Action::Withdraw { proposal: open }), {
            Refusal::NotProposer { proposal: open, member: id("m1") }
        }),
        ("to take back twice", &|w| w.member_acts(1, &Action::Withdraw { proposal: withdrawn }), {
            Refusal::ProposalClosed { proposal: withdrawn, status: "withdrawn" }
        }),
        (
            "a deadline that is past",
            &|w| {
                let proposed = Proposed { deadline: TimeMs(5), ..w.proposed(decision("late")) };
                w.member_acts(1, &Action::Propose(proposed))
            },
            bounds(TimeMs(5)),
        ),
        (
            "a deadline too far ahead",
            &|w| {
                let proposed = Proposed { deadline: too_long, ..w.proposed(decision("long")) };
                w.member_acts(1, &Action::Propose(proposed))
            },
            bounds(too_long),
        ),
        (
            "an effect too far ahead",
            &|w| {
                let proposed = Proposed { effect: Height(10_000_003), ..w.proposed(decision("far")) };
                w.member_acts(1, &Action::Propose(proposed))
            },
            Refusal::EffectTooFar { effect: Height(10_000_003), latest: Height(10_000_002) },
        ),
        ("nothing to decide", &|w| w.propose(1, decision("")).map(|_| Vec::new()), Refusal::NothingChanges),
    ];
    assert_refused(&world, rows);
    // Late in the very block whose end will notice it.
    world.wait(HOUR);
    let (deadline, at) = (proposal(&world.state, open).unwrap().deadline, world.ctx().time);
    let refused = Refusal::VotingOver { proposal: open, deadline, at };
    assert_eq!(world.vote(1, open, For), Err(refused));
}

#[test]
fn the_number_of_undecided_proposals_is_limited() {
    let mut world = World::new(16, 1);
    for number in 0..limits::PROPOSALS_PER_MEMBER_MAX {
        world.propose(0, decision(&number.to_string())).unwrap();
    }
    let own = Refusal::TooManyProposals { count: 8, count_max: 8 };
    assert_eq!(world.propose(0, decision("one more")), Err(own));
    for number in limits::PROPOSALS_PER_MEMBER_MAX..limits::PROPOSALS_MAX {
        world.propose(number / limits::PROPOSALS_PER_MEMBER_MAX, decision(&number.to_string())).unwrap();
    }
    let all = Refusal::TooManyProposals { count: 64, count_max: 64 };
    assert_eq!(world.propose(15, decision("one more")), Err(all));
    // Decided ones make room.
    world.member_acts(0, &Action::Withdraw { proposal: ProposalNumber(1) }).unwrap();
    world.propose(15, decision("one more")).unwrap();
}

#[test]
fn an_open_proposal_expires_at_its_deadline_and_not_before() {
    let mut world = World::new(4, 4);
    let number = world.propose(0, decision("slow")).unwrap();
    let deadline = proposal(&world.state, number).unwrap().deadline;
    assert_eq!(next_due(&world.state), Some(deadline.plus(1)));
    world.time = TimeMs(deadline.0 - BLOCK_MS);
    world.vote(1, number, For).unwrap();
    assert_eq!(world.end_block(), [], "its last moment counts");
    let events = world.end_block();
    let tally = Tally { votes_for: 2, votes_against: 0, active: 4 };
    assert_eq!(events, [Event::Expired { proposal: number, tally }]);
    assert_eq!((world.status(number), next_due(&world.state)), (ProposalStatus::Expired, None));
}

#[test]
fn members_that_come_and_go_are_counted_as_they_stand() {
    // Seven members: five votes are needed. With three for it, two more do; then one leaves.
    let mut world = World::new(7, 4);
    let number = world.propose(0, decision("six of us")).unwrap();
    for voter in [1, 2, 3] {
        world.vote(voter, number, For).unwrap();
    }
    let against = world.propose(6, decision("of m6")).unwrap();
    for voter in [0, 1] {
        world.vote(voter, against, Against).unwrap();
    }
    // m6 and m5 are suspended: of five, four are for it; m6's own ballot no longer counts.
    world.enact(Change::SuspendMember { member: id("m6") });
    assert_eq!(world.status(number), ProposalStatus::Open, "four of six are not enough");
    assert_eq!(world.status(against), ProposalStatus::Rejected, "two of six block");
    world.enact(Change::SuspendMember { member: id("m5") });
    assert_eq!(world.status(number), ProposalStatus::Executed, "four of five are");
    let record = proposal(&world.state, number).unwrap();
    let tally = Tally { votes_for: 4, votes_against: 0, active: 5 };
    assert_eq!(record.acceptance.unwrap().tally, tally);
}

#[test]
fn a_ballot_of_a_member_that_was_suspended_does_not_count() {
    let mut world = World::new(5, 4);
    let number = world.propose(4, decision("of m4")).unwrap();
    world.vote(0, number, For).unwrap();
    world.enact(Change::SuspendMember { member: id("m4") });
    world.vote(1, number, For).unwrap();
    assert_eq!(world.status(number), ProposalStatus::Open, "two of four active members");
    world.vote(2, number, For).unwrap();
    assert_eq!(world.status(number), ProposalStatus::Accepted, "three of four");
}

#[test]
fn what_was_accepted_can_be_cancelled_before_its_turn() {
    let mut world = World::new(4, 4);
    let proposed = Proposed { effect: Height(50), ..world.proposed(Change::Stop) };
    world.member_acts(0, &Action::Propose(proposed)).unwrap();
    let target = ProposalNumber(1);
    let early = world.propose(1, Change::Cancel { proposal: target });
    assert_eq!(early, Err(Refusal::NotCancellable { proposal: target, status: "open" }));
    world.accept(target);
    let by = world.decide(Change::Cancel { proposal: target });
    let events = world.end_block();
    assert_eq!(events, [Event::Cancelled { proposal: target, by }, Event::Executed { proposal: by },]);
    assert_eq!(world.status(target), ProposalStatus::Cancelled { by });
    let again = world.propose(1, Change::Cancel { proposal: target });
    assert_eq!(again, Err(Refusal::NotCancellable { proposal: target, status: "cancelled" }));
    let nothing = world.propose(1, Change::Cancel { proposal: ProposalNumber(77) });
    assert_eq!(nothing, Err(Refusal::UnknownProposal { proposal: ProposalNumber(77) }));
}

#[test]
fn an_accepted_change_that_has_become_impossible_fails_and_changes_nothing() {
    let mut world = World::new(4, 4);
    let role = Role::Auditor;
    let grant = || Change::GrantRole { member: id("m1"), role };
    let (first, second) = (world.propose(0, grant()).unwrap(), world.propose(1, grant()).unwrap());
    world.accept(first);
    world.accept(second);
    let before = World { events: Vec::new(), ..world.clone() };
    let events = world.end_block();
    assert_eq!(world.status(first), ProposalStatus::Executed);
    let refusal = Refusal::RoleHeld { owner: "m1".to_owned(), role };
    assert_eq!(world.status(second), ProposalStatus::Failed { code: refusal.code().to_owned() });
    let failed = Event::Failed { proposal: second, reason: Reason::from(&refusal) };
    assert_eq!(events.last(), Some(&failed));
    assert_eq!(member(&before.state, &id("m1")).unwrap().roles.len() + 1, {
        member(&world.state, &id("m1")).unwrap().roles.len()
    });
}
