//! What each kind of change does. The same function judges a proposal when it is made, shows what it would
//! change, and changes it.

mod link;
mod member;
mod rules;

use crate::apply::finish;
use crate::change::Change;
use crate::draft::Draft;
use crate::event::Event;
use crate::key::stop_key;
use crate::proposal::{ProposalNumber, ProposalStatus};
use crate::refusal::Refusal;
use crate::roster;
use crate::state::Stop;
use crate::view;

/// Does what a proposal says, or says why not. A change of the roster is made to wait for the end of the
/// epoch.
pub(crate) fn execute(change: &Change, number: ProposalNumber, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if let Some(seat) = change.seat() {
        return roster::admit(seat, number, draft);
    }
    match change {
        Change::AddMember(new) => member::add(new, draft),
        Change::SuspendMember { member } => member::suspend(member, draft),
        Change::ResumeMember { member } => member::resume(member, draft),
        Change::RemoveMember { member } => member::remove(member, draft),
        Change::ReplaceKeys { member, keys } => member::replace_keys(member, keys, draft),
        Change::GrantRole { member, role } => member::grant(member, *role, draft),
        Change::RevokeRole { member, role } => member::revoke(member, *role, draft),
        Change::MemberQuota { member, quota } => member::set_quota(member, *quota, draft),
        Change::TrustedCas { add, remove } => rules::trust(add, remove, draft),
        Change::FollowLedger(_)
        | Change::FollowAnew { .. }
        | Change::UnfollowLedger { .. }
        | Change::Outbox { .. } => link::execute(change, draft),
        Change::Stop => stop(number, draft),
        Change::Resume => resume(draft),
        Change::Cancel { proposal } => cancel(*proposal, number, draft),
        Change::Decision { text } => decide(text, number, draft),
        _ => rules::set(change, draft),
    }
}

fn stop(number: ProposalNumber, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if let Some(stop) = view::stop(draft.view()) {
        return Err(Refusal::StoppedAlready { height: stop.since.height });
    }
    let stop = Stop { since: draft.now(), proposal: number };
    draft.put(stop_key(), &stop);
    draft.tell(Event::Stopped);
    Ok(())
}

fn resume(draft: &mut Draft<'_>) -> Result<(), Refusal> {
    view::stop(draft.view()).ok_or(Refusal::NotStopped)?;
    draft.remove(stop_key());
    draft.tell(Event::Resumed);
    Ok(())
}

/// Undoes an accepted proposal before its turn.
fn cancel(target: ProposalNumber, by: ProposalNumber, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let proposal = draft.proposal(target)?;
    match &proposal.status {
        ProposalStatus::Accepted => {}
        ProposalStatus::Pending => {
            let mut pending = view::pending(draft.view());
            pending.seats.retain(|seat| seat.proposal != target);
            draft.put_pending(&pending);
        }
        status => return Err(Refusal::NotCancellable { proposal: target, status: status.name() }),
    }
    draft.tell(Event::Cancelled { proposal: target, by });
    finish(proposal, ProposalStatus::Cancelled { by }, draft);
    Ok(())
}

/// A decision in words stands in the proposal itself.
fn decide(text: &str, number: ProposalNumber, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(Refusal::NothingChanges);
    }
    draft.tell(Event::Decided { proposal: number });
    Ok(())
}
