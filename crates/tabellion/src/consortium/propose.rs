//! `tabellion propose`

use serde_json::Value;
use tabellion_consortium::{
    Action, Agenda, Change, Difference, Line, Proposal, ProposalNumber, Proposed, agenda_key, proposal_key,
};
use tabellion_ledger::Height;

use super::args::ProposeArgs;
use super::change::change;
use super::desk::{Desk, Me};
use super::proposal::{show, watch};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::Output;

/// Proposes a change, or shows what it would change.
pub async fn run(args: ProposeArgs, context: &Context, output: Output) -> Done {
    let ProposeArgs { change: arguments, reason, deadline, effect, dry_run, wait } = args;
    let mut desk = Desk::new(context, output)?;
    let change = change(arguments, &mut desk).await?;
    if dry_run {
        try_change(&change, &mut desk).await?;
        desk.close();
        return Ok(());
    }
    let Me { key, record } = desk.me().await?;
    let proposed = Proposed {
        change: change.clone(),
        reason,
        deadline: now().plus(deadline.ms()),
        effect: Height(effect.unwrap_or_default()),
    };
    let height = desk.act(&Action::Propose(proposed), &key, "proposal").await?;
    let mut number = desk.read::<Agenda>(agenda_key()).await?.unwrap_or_default().next.0;
    while number > 1 {
        number -= 1;
        let Some(proposal) = desk.read::<Proposal>(proposal_key(ProposalNumber(number))).await? else {
            break;
        };
        let is_it = proposal.proposer.as_ref() == Some(&record.member) && proposal.change == change;
        if is_it && proposal.opened.height.0 == height {
            show(&proposal, &mut desk).await?;
            output.say(format!("Members vote with: tabellion vote {number} for"));
            if wait {
                watch(number, &mut desk).await?;
            }
            desk.close();
            return Ok(());
        }
        if proposal.opened.height.0 < height {
            break;
        }
    }
    Err(Failure::new(Code::Error, "the proposal is recorded, but the node does not show it")
        .hint("`tabellion proposal list` at another --node"))
}

async fn try_change(change: &Change, desk: &mut Desk<'_>) -> Done {
    let outcome = desk.party.dry_run(change, now()).await?;
    let Difference { lines } = outcome.map_err(|refusal| Failure {
        kind: refusal.code().to_owned(),
        ..Failure::new(Code::Refused, format!("would be refused ({}): {refusal}", refusal.code()))
    })?;
    let output = desk.output;
    let mut record = String::new();
    for line in &lines {
        if line.record != record {
            record.clone_from(&line.record);
            output.line(&record);
        }
        let Line { field, before, after, .. } = line;
        match (before, after) {
            (Some(before), Some(after)) => {
                output.line(format!("  {field}: {} -> {}", plain(before), plain(after)));
            }
            (None, Some(after)) => output.line(format!("  {field}: + {}", plain(after))),
            (Some(before), None) => output.line(format!("  {field}: - {}", plain(before))),
            (None, None) => {}
        }
        output.value(line);
    }
    output.say("Nothing was signed or sent. Computed here from proved records, as if it took effect now.");
    Ok(())
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
