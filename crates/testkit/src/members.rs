//! The members of a plan: they change the validators by votes, and some vote as they like.

use tabellion_consortium::{
    Action, Ballot, Change, Choice, CommitteeNode, Proposed, agenda, committee, proposal,
};
use tabellion_ledger::{Height, MemberId};

use crate::chance::Chance;
use crate::world::Nodes;

/// How long a proposal is open. Unit: ms.
const VOTING_MS: u64 = 600_000;
/// Open proposals at most: members finish before they begin.
const OPEN_MAX: usize = 2;

/// A member proposes to take a seat, to give one, or to give one's seat to another. What the rules refuse,
/// too few validators or too many changes, is refused.
pub fn propose(nodes: &mut Nodes, chance: &mut Chance) {
    let Some(witness) = nodes.witness(chance) else { return };
    let view = nodes.core(witness).expect("a witness runs").store().tip();
    if agenda(&view).open.len() >= OPEN_MAX {
        return;
    }
    let book = committee(&view);
    let validators: Vec<&CommitteeNode> = book.validators().collect();
    let followers: Vec<&CommitteeNode> = book.followers().collect();
    let seated = validators[chance.place(validators.len())].id;
    let change = match (followers.is_empty(), chance.below(3)) {
        (true, _) | (_, 0) => Change::RemoveValidator { node: seated },
        (_, 1) => Change::AddValidator { node: followers[chance.place(followers.len())].id },
        _ => Change::ReplaceValidator { old: seated, new: followers[chance.place(followers.len())].id },
    };
    let deadline = nodes.world.now().plus(VOTING_MS);
    let proposed = Proposed { change, reason: "a plan".to_owned(), deadline, effect: Height(0) };
    nodes.act(witness, chance.place(nodes.count()), &Action::Propose(proposed));
}

/// Members vote on what is open. A third of them at most vote for and against as chance will have it, and
/// more than once; the others are for it.
pub fn vote(nodes: &mut Nodes, chance: &mut Chance) {
    let Some(witness) = nodes.witness(chance) else { return };
    let view = nodes.core(witness).expect("a witness runs").store().tip();
    let members = nodes.count();
    let contrary = (members - 1) / 3;
    for open in agenda(&view).open {
        let Some(proposal) = proposal(&view, open.number) else { continue };
        for member in 0..members {
            let id: MemberId = format!("member-{member}").parse().expect("a member id");
            let has_voted = proposal.ballots.iter().any(|ballot| ballot.member == id);
            let choice = match member < contrary {
                true if chance.once_in(3) => Choice::For,
                true => Choice::Against,
                false if has_voted => continue,
                false => Choice::For,
            };
            let hash = proposal.hash();
            let ballot = Ballot { proposal: open.number, hash, choice, reason: String::new() };
            nodes.act(witness, member, &Action::Vote(ballot));
        }
    }
}
