//! `tabellion member | account | role | propose | vote | proposal | node ...`: the consortium governs itself.
//!
//! ```text
//! arguments -> action -> signed by the member's key -> recorded?      what is told: proved records
//! ```
mod account;
mod args;
mod cas;
mod change;
mod desk;
mod drain;
mod invitation;
mod invite;
mod join;
mod member;
mod node;
mod proposal;
mod propose;
mod prune;
mod role;
mod status;
mod sync;

pub use args::{
    AccountCommand, MemberCommand, NodeCommand, ProposalCommand, ProposeArgs, RoleCommand, VoteArgs,
};
pub use proposal::tell_proposal;
pub use sync::take_state_into;

use crate::context::Context;
use crate::failure::Done;
use crate::output::Output;

/// Runs a command on members.
pub async fn run_member(command: MemberCommand, context: &Context, output: Output) -> Done {
    member::run(command, context, output).await
}

/// Runs a command on the member's accounts.
pub async fn run_account(command: AccountCommand, context: &Context, output: Output) -> Done {
    account::run(command, context, output).await
}

/// Says what each role may do.
pub fn run_role(output: Output) {
    role::list(output);
}

/// Proposes a change.
pub async fn run_propose(args: ProposeArgs, context: &Context, output: Output) -> Done {
    propose::run(args, context, output).await
}

/// Votes on a proposal.
pub async fn run_vote(args: VoteArgs, context: &Context, output: Output) -> Done {
    proposal::vote(args, context, output).await
}

/// Runs a command on proposals.
pub async fn run_proposal(command: ProposalCommand, context: &Context, output: Output) -> Done {
    proposal::run(command, context, output).await
}

/// Runs a command on nodes of the ledger.
pub async fn run_node(command: NodeCommand, context: &Context, output: Output) -> Done {
    node::run(command, context, output).await
}
