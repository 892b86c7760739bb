//! Proposals and ballots.

use tabellion_ledger::{Height, MemberId, TimeMs};

use crate::action::{Ballot, Proposed};
use crate::change::Change;
use crate::draft::Draft;
use crate::event::Event;
use crate::execute::execute;
use crate::limits::{EFFECT_AHEAD_MAX, PROPOSALS_MAX, PROPOSALS_PER_MEMBER_MAX};
use crate::proposal::{
    Acceptance, CastBallot, Choice, OpenProposal, Proposal, ProposalNumber, ProposalStatus, Tally, Verdict,
};
use crate::refusal::Refusal;
use crate::view::{self, Submitter};

/// A member proposes a change that is possible as things stand; its own vote is for it.
pub(super) fn propose(proposed: &Proposed, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let Proposed { change, reason, deadline, effect } = proposed;
    check_bounds(*deadline, *effect, draft)?;
    check_room(&by.member, draft)?;
    let number = view::agenda(draft.view()).next;
    draft.try_out(|inner| execute(change, number, inner))?;
    let ballot = CastBallot {
        member: by.member.clone(),
        choice: Choice::For,
        reason: String::new(),
        key: by.key.id(),
        cast: draft.now(),
    };
    let (change, reason) = (change.clone(), reason.clone());
    let (deadline, effect) = (*deadline, *effect);
    open(Opening { proposer: Some(by.member.clone()), change, reason, deadline, effect }, draft);
    cast(number, ballot, draft)
}

fn check_bounds(deadline: TimeMs, effect: Height, draft: &Draft<'_>) -> Result<(), Refusal> {
    let now = draft.now();
    let latest = now.time.plus(view::parameters(draft.view()).governance.voting_ms_max);
    let earliest = now.time.plus(1);
    if !(earliest..=latest).contains(&deadline) {
        return Err(Refusal::DeadlineOutOfBounds { deadline, earliest, latest });
    }
    let latest = Height(now.height.0 + EFFECT_AHEAD_MAX);
    if effect > latest { Err(Refusal::EffectTooFar { effect, latest }) } else { Ok(()) }
}

fn check_room(member: &MemberId, draft: &Draft<'_>) -> Result<(), Refusal> {
    let agenda = view::agenda(draft.view());
    let own = agenda.proposers().filter(|proposer| *proposer == member).count();
    let limits = [(own, PROPOSALS_PER_MEMBER_MAX), (agenda.proposers().count(), PROPOSALS_MAX)];
    match limits.into_iter().find(|(count, count_max)| count >= count_max) {
        Some((count, count_max)) => Err(Refusal::TooManyProposals { count, count_max }),
        None => Ok(()),
    }
}

/// What a proposal begins with.
pub(crate) struct Opening {
    pub(crate) proposer: Option<MemberId>,
    pub(crate) change: Change,
    pub(crate) reason: String,
    pub(crate) deadline: TimeMs,
    pub(crate) effect: Height,
}

/// Records a proposal without ballots.
pub(crate) fn open(opening: Opening, draft: &mut Draft<'_>) -> ProposalNumber {
    let mut agenda = view::agenda(draft.view());
    let number = agenda.next;
    let Opening { proposer, change, reason, deadline, effect } = opening;
    agenda.next = ProposalNumber(number.0 + 1);
    agenda.open.push(OpenProposal { number, proposer: proposer.clone(), deadline });
    draft.put_agenda(&agenda);
    let proposal = Proposal {
        number,
        proposer,
        change,
        reason,
        deadline,
        effect,
        opened: draft.now(),
        ballots: Vec::new(),
        acceptance: None,
        status: ProposalStatus::Open,
    };
    draft.put_proposal(&proposal);
    let (change, hash) = (proposal.change.name().to_owned(), proposal.hash());
    let Proposal { proposer, deadline, .. } = proposal;
    draft.tell(Event::Proposed { proposal: number, proposer, change, hash, deadline });
    number
}

pub(super) fn vote(ballot: &Ballot, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let proposal = draft.proposal(ballot.proposal)?;
    check_open(&proposal, draft)?;
    if let Some(before) = proposal.ballots.iter().find(|before| before.member == by.member) {
        let (member, height) = (by.member.clone(), before.cast.height);
        return Err(Refusal::VotedAlready { proposal: proposal.number, member, height });
    }
    let found = proposal.hash();
    if ballot.hash != found {
        return Err(Refusal::ProposalDiffers { proposal: proposal.number, found, said: ballot.hash });
    }
    let ballot = CastBallot {
        member: by.member.clone(),
        choice: ballot.choice,
        reason: ballot.reason.clone(),
        key: by.key.id(),
        cast: draft.now(),
    };
    cast(proposal.number, ballot, draft)
}

/// Refuses what is no longer open; a late ballot hears of the deadline, whether the end of a block has
/// noticed or not.
fn check_open(proposal: &Proposal, draft: &Draft<'_>) -> Result<(), Refusal> {
    let (number, deadline, at) = (proposal.number, proposal.deadline, draft.ctx.time);
    let late = || Refusal::VotingOver { proposal: number, deadline, at };
    match &proposal.status {
        ProposalStatus::Open if deadline < at => Err(late()),
        ProposalStatus::Open => Ok(()),
        ProposalStatus::Expired => Err(late()),
        status => Err(Refusal::ProposalClosed { proposal: number, status: status.name() }),
    }
}

fn cast(number: ProposalNumber, ballot: CastBallot, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut proposal = draft.proposal(number)?;
    let (member, choice) = (ballot.member.clone(), ballot.choice);
    proposal.ballots.push(ballot);
    draft.put_proposal(&proposal);
    let tally = Tally::of(&proposal.ballots, &view::members(draft.view()));
    draft.tell(Event::Voted { proposal: number, member, choice, tally });
    settle(proposal, draft);
    Ok(())
}

/// Counts the ballots of an open proposal and says what follows: as soon as enough members are for it, or so
/// many against it that it cannot pass.
pub(crate) fn settle(mut proposal: Proposal, draft: &mut Draft<'_>) {
    let tally = Tally::of(&proposal.ballots, &view::members(draft.view()));
    match tally.verdict() {
        Verdict::Undecided => {}
        Verdict::Rejected => {
            draft.tell(Event::Rejected { proposal: proposal.number, tally });
            finish(proposal, ProposalStatus::Rejected, draft);
        }
        Verdict::Accepted => {
            let effect = proposal.effect.max(draft.ctx.height.next());
            proposal.acceptance = Some(Acceptance { accepted: draft.now(), effect, tally });
            proposal.status = ProposalStatus::Accepted;
            let mut agenda = view::agenda(draft.view());
            agenda.accept(&proposal, effect);
            draft.put_agenda(&agenda);
            draft.put_proposal(&proposal);
            draft.tell(Event::Accepted { proposal: proposal.number, tally, effect });
        }
    }
}

/// Takes a proposal off the agenda.
pub(crate) fn finish(mut proposal: Proposal, status: ProposalStatus, draft: &mut Draft<'_>) {
    let mut agenda = view::agenda(draft.view());
    agenda.remove(proposal.number);
    draft.put_agenda(&agenda);
    proposal.status = status;
    draft.put_proposal(&proposal);
}

pub(super) fn withdraw(number: ProposalNumber, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let proposal = draft.proposal(number)?;
    if proposal.proposer.as_ref() != Some(&by.member) {
        return Err(Refusal::NotProposer { proposal: number, member: by.member.clone() });
    }
    check_open(&proposal, draft)?;
    draft.tell(Event::Withdrawn { proposal: number });
    finish(proposal, ProposalStatus::Withdrawn, draft);
    Ok(())
}
