//! The end of a block: deadlines, decisions whose height has come, and the end of an epoch.

use tabellion_ledger::{Context, Effects, HeaderHash, Height, View};

use crate::apply::{finish, settle};
use crate::committee::Boundary;
use crate::draft::{Draft, Judge};
use crate::event::{Event, Reason};
use crate::execute::execute;
use crate::key::boundary_key;
use crate::member::Members;
use crate::proposal::{ProposalNumber, ProposalStatus, Tally};
use crate::roster::{changes_per_epoch, end_epoch};
use crate::view;

/// Closes a block for the consortium. `previous` is the hash of the header before it, `epoch_blocks` the
/// parameter of that name.
///
/// In this order: the first block of an epoch remembers the last of the one before; open proposals whose
/// deadline went by expire; accepted ones whose effect is the next block take effect; the last block of an
/// epoch hands over to the next roster and address book. So the block at the effect height is the first under
/// the new rules.
pub fn close(
    ctx: &Context,
    previous: &HeaderHash,
    epoch_blocks: u64,
    judge: &dyn Judge,
    view: &dyn View,
) -> Effects<Event> {
    let mut draft = Draft::new(ctx, judge, view);
    if ctx.height.0 > 0 && ctx.height.0.is_multiple_of(epoch_blocks) {
        let boundary = Boundary { height: Height(ctx.height.0 - 1), header: *previous };
        draft.put(boundary_key(), &boundary);
    }
    expire(&mut draft);
    while let Some(number) = next_turn(&draft) {
        take_turn(number, &mut draft);
    }
    if view::is_last_of_epoch(ctx.height, epoch_blocks) {
        let validators = view::roster(draft.view()).validators().len();
        end_epoch(changes_per_epoch(validators), &mut draft);
    }
    draft.into_effects()
}

fn expire(draft: &mut Draft<'_>) {
    for entry in view::agenda(draft.view()).open {
        if entry.deadline >= draft.ctx.time {
            continue;
        }
        if let Some(proposal) = view::proposal(draft.view(), entry.number) {
            let tally = Tally::of(&proposal.ballots, &view::members(draft.view()));
            draft.tell(Event::Expired { proposal: proposal.number, tally });
            finish(proposal, ProposalStatus::Expired, draft);
        }
    }
}

/// The first accepted proposal that takes effect with the next block.
fn next_turn(draft: &Draft<'_>) -> Option<ProposalNumber> {
    let agenda = view::agenda(draft.view());
    let first = agenda.accepted.first().filter(|entry| entry.effect <= draft.ctx.height.next())?;
    Some(first.number)
}

/// Does what an accepted proposal says, wholly or not at all. Members may have come or gone with it, so what
/// is still open is counted again.
fn take_turn(number: ProposalNumber, draft: &mut Draft<'_>) {
    let proposal =
        view::proposal(draft.view(), number).expect("invariant: the agenda names proposals that exist");
    let before = view::members(draft.view());
    match draft.attempt(|inner| execute(&proposal.change, number, inner)) {
        Ok(()) if proposal.change.seat().is_some() => finish(proposal, ProposalStatus::Pending, draft),
        Ok(()) => {
            draft.tell(Event::Executed { proposal: number });
            finish(proposal, ProposalStatus::Executed, draft);
        }
        Err(refusal) => {
            draft.tell(Event::Failed { proposal: number, reason: Reason::from(&refusal) });
            finish(proposal, ProposalStatus::Failed { code: refusal.code().to_owned() }, draft);
        }
    }
    count_again(&before, draft);
}

fn count_again(before: &Members, draft: &mut Draft<'_>) {
    if view::members(draft.view()) == *before {
        return;
    }
    for entry in view::agenda(draft.view()).open {
        if let Some(proposal) = view::proposal(draft.view(), entry.number) {
            settle(proposal, draft);
        }
    }
}
