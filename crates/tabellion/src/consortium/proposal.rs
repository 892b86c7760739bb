//! `tabellion proposal` and `tabellion vote`

use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tabellion_client::ProvedBy;
use tabellion_consortium::{
    Action, Agenda, Ballot, Members, Proposal, ProposalNumber, ProposalStatus, agenda_key, members_key,
    proposal_key,
};
use tabellion_machine::ProposalAnswer;

use super::args::{ProposalCommand, VoteArgs};
use super::desk::{Desk, Me};
use crate::cert::{Signed, by_text};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::output::{Output, moment};

/// Pause between two looks at a proposal that is watched.
const LOOK: Duration = Duration::from_millis(500);

/// Runs a command on proposals.
pub async fn run(command: ProposalCommand, context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    match command {
        ProposalCommand::List { all } => list(all, &mut desk).await?,
        ProposalCommand::Show { proposal } => {
            let (proposal, _) = find(proposal, &mut desk).await?;
            show(&proposal, &mut desk).await?;
        }
        ProposalCommand::Watch { proposal } => watch(proposal, &mut desk).await?,
        ProposalCommand::Withdraw { proposal } => {
            let Me { key, .. } = desk.me().await?;
            let action = Action::Withdraw { proposal: ProposalNumber(proposal) };
            desk.act(&action, &key, &format!("proposal {proposal} is withdrawn")).await?;
        }
    }
    desk.close();
    Ok(())
}

/// Votes for or against what the proposal says now: the ballot commits to its hash.
pub async fn vote(args: VoteArgs, context: &Context, output: Output) -> Done {
    let VoteArgs { proposal: number, choice, reason, wait } = args;
    let mut desk = Desk::new(context, output)?;
    let (proposal, _) = find(number, &mut desk).await?;
    show(&proposal, &mut desk).await?;
    let Me { key, .. } = desk.me().await?;
    let ballot = Ballot { proposal: proposal.number, hash: proposal.hash(), choice, reason };
    let what = format!("vote {} proposal {number}", choice.name());
    desk.act(&Action::Vote(ballot), &key, &what).await?;
    let (proposal, _) = find(number, &mut desk).await?;
    let members: Members = desk.founded(members_key()).await?;
    let answer = ProposalAnswer::new(&proposal, &members);
    output.line(count(&answer));
    output.value(&answer);
    if wait {
        watch(number, &mut desk).await?;
    }
    desk.close();
    Ok(())
}

async fn find(number: u64, desk: &mut Desk<'_>) -> Result<(Proposal, ProvedBy), Failure> {
    let (proposal, by) = desk.read_with_proof(proposal_key(ProposalNumber(number))).await?;
    let none = || {
        Failure::new(Code::Error, format!("there is no proposal {number} ({})", by_text(&by)))
            .hint("`tabellion proposal list --all` shows them")
    };
    Ok((proposal.ok_or_else(none)?, by))
}

async fn list(all: bool, desk: &mut Desk<'_>) -> Done {
    let agenda: Agenda = desk.read(agenda_key()).await?.unwrap_or_default();
    let numbers: Vec<u64> = match all {
        true => (1..agenda.next.0).rev().collect(),
        false => {
            let accepted = agenda.accepted.iter().map(|entry| entry.number.0);
            agenda.open.iter().map(|entry| entry.number.0).chain(accepted).collect()
        }
    };
    let members: Members = desk.founded(members_key()).await?;
    for number in numbers {
        let (proposal, _) = find(number, desk).await?;
        let answer = ProposalAnswer::new(&proposal, &members);
        let kind = proposal.change.name();
        desk.output.line(format!("{number:>5}  {kind:<18} {}", count(&answer)));
        desk.output.value(&answer);
    }
    Ok(())
}

fn count(answer: &ProposalAnswer) -> String {
    let tally = answer.tally;
    let against = tally.against;
    format!(
        "{:<9} {} for, {against} against, of {} members; {} accept it",
        answer.status, tally.votes_for, tally.active, tally.threshold
    )
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    proposal: ProposalAnswer,
    proved_by: Signed,
}

/// Shows a proposal as it is proved.
pub async fn show(proposal: &Proposal, desk: &mut Desk<'_>) -> Done {
    let (members, by) = desk.read_with_proof::<Members>(members_key()).await?;
    let answer = ProposalAnswer::new(proposal, &members.unwrap_or_default());
    tell_proposal(proposal, &answer, desk.output);
    desk.output.line(format!("proof         {}", by_text(&by)));
    desk.output.value(&Shown { proposal: answer, proved_by: Signed::from(&by) });
    Ok(())
}

/// Shows a proposal in words.
pub fn tell_proposal(proposal: &Proposal, answer: &ProposalAnswer, output: Output) {
    output.line(format!("proposal      {} {}", proposal.number, proposal.change.name()));
    let proposer = answer.proposer.as_deref().unwrap_or("the ledger itself, upon evidence");
    output.line(format!(
        "proposer      {proposer}, in block {} ({})",
        answer.opened_height,
        moment(proposal.opened.time)
    ));
    if let Value::Object(fields) = &answer.change {
        for (name, value) in fields.iter().filter(|(name, _)| *name != "change") {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            output.line(format!("  {name}: {text}"));
        }
    }
    output.line(format!("reason        {}", proposal.reason));
    output.line(format!("deadline      {}", moment(proposal.deadline)));
    match answer.accepted_effect_height.unwrap_or(answer.effect_height) {
        0 => output.line("effect        as soon as it is accepted"),
        height => output.line(format!("effect        block {height}")),
    }
    for ballot in &answer.ballots {
        output.line(format!("  {:<8} {} {}", ballot.choice, ballot.member, ballot.reason));
    }
    output.line(format!("status        {}", count(answer)));
    if let Some(code) = &answer.failure {
        output.line(format!("failed        {code}"));
    }
    output.line(format!("hash          {}", answer.hash));
}

/// Tells what happens to a proposal until it is in force or closed.
pub async fn watch(number: u64, desk: &mut Desk<'_>) -> Done {
    let mut seen: Option<(ProposalStatus, usize)> = None;
    loop {
        let (proposal, by) = find(number, desk).await?;
        let members: Members = desk.founded(members_key()).await?;
        let stands = Some((proposal.status.clone(), proposal.ballots.len()));
        if stands != seen {
            let answer = ProposalAnswer::new(&proposal, &members);
            desk.output.line(format!("block {:<8} {}", by.header.height.0, count(&answer)));
            desk.output.value(&answer);
            seen = stands;
        }
        match &proposal.status {
            ProposalStatus::Open | ProposalStatus::Accepted | ProposalStatus::Pending => {}
            ProposalStatus::Executed => return Ok(()),
            status => {
                let message = format!("proposal {number} is {}", status.name());
                return Err(Failure::new(Code::Refused, message));
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}
