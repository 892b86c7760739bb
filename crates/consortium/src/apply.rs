//! The half that needs the state: cheap, in order, all or nothing.

mod account;
mod evidence;
mod member;
mod node;
mod vote;

use tabellion_ledger::{Context, Effects, View};

use crate::action::Action;
use crate::check::Checked;
use crate::draft::{Draft, Judge};
use crate::event::Event;
use crate::refusal::Refusal;
use crate::view::Submitter;

pub(crate) use vote::{finish, settle};

/// Applies an action (X.1409 L9: account management, permission control, node management).
///
/// `by` is what [`crate::submitter`] says upon this very view. Lifetime and replay of the transaction are the
/// machine's; quotas are counted by [`crate::charge`].
pub fn apply(
    checked: &Checked,
    by: &Submitter,
    ctx: &Context,
    judge: &dyn Judge,
    view: &dyn View,
) -> Result<Effects<Event>, Refusal> {
    by.require(&checked.action().permission())?;
    let mut draft = Draft::new(ctx, judge, view);
    act(checked, by, &mut draft)?;
    Ok(draft.into_effects())
}

fn act(checked: &Checked, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    match checked.action() {
        Action::AddKey(offer) => member::add_key(offer, by, draft),
        Action::RetireKey { key } => member::retire_key(key, by, draft),
        Action::Describe { name, contact } => member::describe(name, contact, by, draft),
        Action::OpenAccount(new) => account::open(new, by, draft),
        Action::DescribeAccount { name, about } => account::describe(name, about, by, draft),
        Action::CloseAccount { name } => account::close(name, by, draft),
        Action::AddAccountKey { name, key } => account::add_key(name, key, by, draft),
        Action::RetireAccountKey { name, key } => account::retire_key(name, key, by, draft),
        Action::GrantAccountRole { name, role } => account::grant(name, *role, by, draft),
        Action::RevokeAccountRole { name, role } => account::revoke(name, *role, by, draft),
        Action::Propose(proposed) => vote::propose(proposed, by, draft),
        Action::Vote(ballot) => vote::vote(ballot, by, draft),
        Action::Withdraw { proposal } => vote::withdraw(*proposal, by, draft),
        Action::Invite(invite) => node::invite(invite, by, draft),
        Action::CancelInvitation { invitation } => node::cancel(invitation, by, draft),
        Action::Join(join) => node::join(join, by, draft),
        Action::RemoveNode { node } => node::remove(node, by, draft),
        Action::RotateNode(rotation) => node::rotate(rotation, by, draft),
        Action::SetAddress { address } => node::set_address(address, by, draft),
        Action::Report(boundary) => node::report(boundary, by, draft),
        Action::Accuse(evidence) => evidence::accuse(evidence, by, draft),
    }
}
