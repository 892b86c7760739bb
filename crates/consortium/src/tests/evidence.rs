use tabellion_ledger::{BlockVote, Conflict, Equivocation, HeaderHash, Height, VotePair};

use super::world::*;
use crate::*;

/// Two finalise votes of one key in one view, for different blocks.
pub fn evidence(world: &World, key: &Key, view: u64) -> Equivocation {
    let vote = |byte: u8| BlockVote { parent_view: 1, header: HeaderHash([byte; 32]), signature: [0; 64] };
    let pair = |one: BlockVote, other: BlockVote| Conflict::Finalize(VotePair::new(one, other).unwrap());
    let (validator, epoch) = (key.node_key().0, 0);
    let unsigned = Equivocation { epoch, view, validator, conflict: pair(vote(1), vote(2)) };
    let [first, second] = unsigned.messages(&world.ledger()).map(|message| key.sign_raw(&message));
    let one = BlockVote { signature: first, ..vote(1) };
    let other = BlockVote { signature: second, ..vote(2) };
    Equivocation { conflict: pair(one, other), ..unsigned }
}

/// X.1409 L9: whoever votes two ways is on record, and the members decide on its organisation.
#[test]
fn evidence_is_recorded_once_and_asks_the_members_to_suspend() {
    let mut world = World::new(4, 4);
    let accused = node_key_of(3);
    let shown = evidence(&world, &accused, 7);
    let events = world.act(&node_key_of(1), &Action::Accuse(shown.clone())).unwrap();
    let (node, proposal) = (node_id_of(3), Some(ProposalNumber(1)));
    let told = Event::Equivocated { node, member: id("m3"), epoch: 0, view: 7, proposal };
    assert_eq!(events.last(), Some(&told));
    let record = equivocation(&world.state, &node, 0, 7).unwrap();
    assert_eq!((record.reporter, record.recorded.height, record.proposal), (id("m1"), Height(1), proposal));
    let opened = crate::proposal(&world.state, ProposalNumber(1)).unwrap();
    assert_eq!((opened.proposer, opened.ballots.len()), (None, 0), "nobody has voted yet");
    assert_eq!(opened.change, Change::SuspendMember { member: id("m3") });
    // The same view again, by whomever; another view asks the same question once.
    let known = Refusal::EvidenceKnown { node, epoch: 0, view: 7, height: Height(1) };
    assert_eq!(world.member_acts(2, &Action::Accuse(shown)), Err(known));
    let other = Action::Accuse(evidence(&world, &accused, 8));
    world.member_acts(2, &other).unwrap();
    assert_eq!(equivocation(&world.state, &node, 0, 8).unwrap().proposal, proposal);
    assert_eq!(agenda(&world.state).open.len(), 1);
    world.accept(ProposalNumber(1));
    world.end_block();
    assert_eq!(member(&world.state, &id("m3")).unwrap().status, MemberStatus::Suspended);
    // Upon a suspended member there is nothing to ask.
    let third = Action::Accuse(evidence(&world, &accused, 9));
    world.member_acts(2, &third).unwrap();
    assert_eq!(equivocation(&world.state, &node, 0, 9).unwrap().proposal, None);
}

#[test]
fn evidence_holds_against_a_key_that_was_rotated_away() {
    let mut world = World::new(4, 4);
    let (old, new) = (node_key_of(3), Key::new(1));
    world.member_acts(3, &world.rotation(3, &old, &new, &id("m3"))).unwrap();
    world.end_epoch();
    let shown = Action::Accuse(evidence(&world, &old, 2));
    world.member_acts(1, &shown).unwrap();
    assert_eq!(equivocation(&world.state, &node_id_of(3), 0, 2).unwrap().member, id("m3"));
}

#[test]
fn evidence_that_shows_nothing_is_refused() {
    let world = World::new(4, 4);
    let accused = node_key_of(3);
    let stranger = Key::new(1);
    let shown = evidence(&world, &accused, 7);
    let shifted = Equivocation { view: 8, ..shown };
    let rows: &[Row<'_>] = &[
        (
            "signed for another view",
            &|w| w.member_acts(1, &Action::Accuse(shifted.clone())),
            Refusal::EvidenceRefused { reason: "the signature of vote 0 does not verify".to_owned() },
        ),
        (
            "a stranger's votes",
            &|w| {
                let shown = evidence(w, &stranger, 7);
                w.member_acts(1, &Action::Accuse(shown))
            },
            Refusal::NotANodeKey { key: stranger.id() },
        ),
        (
            "a member's votes",
            &|w| {
                let shown = evidence(w, &member_key_of(2), 7);
                w.member_acts(1, &Action::Accuse(shown))
            },
            Refusal::NotANodeKey { key: member_key_of(2).id() },
        ),
    ];
    assert_refused(&world, rows);
}
