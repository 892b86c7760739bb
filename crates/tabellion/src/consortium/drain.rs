//! `tabellion node drain`: does the network go on without the node? Then it is asked to go.

use tabellion_client::Participation;

use super::args::DrainArgs;
use super::desk::Desk;
use super::status::{Local, seen};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::{Answer, Request, ask};
use crate::output::{Output, span};

/// Takes the node of a folder out of service.
pub async fn drain(args: DrainArgs, context: &Context, output: Output) -> Done {
    let DrainArgs { data, notice, wait, force } = args;
    let local = Local::open(&data)?;
    match (may_go(&local, context, output).await, force) {
        (Ok(()), _) => {}
        (Err(failure), true) => output.warn(format!("{failure} (--force)")),
        (Err(failure), false) => return Err(failure),
    }
    let request = Request::Drain { notice_ms: notice.ms(), wait_ms: wait.ms() };
    let (mut last, mut told) = (None, None);
    let asked = ask(&local.data, request, |answer| {
        let text = words(&answer);
        if told.as_ref() != Some(&text) {
            output.say(&text);
            told = Some(text);
        }
        last = Some(answer);
    });
    if asked.await?.is_none() {
        let message = format!("no node runs over {}", local.data.display());
        return Err(Failure::new(Code::Error, message).hint("nothing is to be done: it is out of service"));
    }
    match last {
        Some(answer @ Answer::Stopped { height }) => {
            output.value(&answer);
            output.line(format!("stopped   node {} after block {height}, its state on disk", local.name));
            output.say(format!("Start it again with: tabellion node --config {}", data.display()));
            Ok(())
        }
        Some(Answer::Failed { reason }) => {
            Err(Failure::new(Code::Error, format!("the node did not stop in order: {reason}"))
                .hint("nothing that was acknowledged is lost; start it again and look at its log"))
        }
        _ => Err(Failure::new(Code::Error, "the node broke off before it had stopped")
            .hint("look at its log; it may have been stopped by somebody else")),
    }
}

/// Says what each validator does, and whether the others make a quorum.
pub async fn may_go(local: &Local, context: &Context, output: Output) -> Done {
    let node = local.context(context, output)?;
    let unknown = |failure: Failure| Failure {
        message: format!("cannot tell whether the network goes on without it: {}", failure.message),
        hint: Some("--force drains it all the same".to_owned()),
        ..failure
    };
    let mut desk = Desk::new(&node, output).map_err(unknown)?;
    let found = desk.party.participation().await.map_err(|error| unknown(error.into()))?;
    let health = desk.party.nodes().health().await.map_err(|error| unknown(error.into()))?;
    let Some(_) = found.of(&local.key) else {
        output.say("The node has no vote: the network goes on without it.");
        return Ok(());
    };
    let Participation { from, newest, quorum, validators } = &found;
    output.say(format!("Validators at work in blocks {from} to {newest}:"));
    for validator in validators {
        let me = if validator.key == local.key { " (this one)" } else { "" };
        output.say(format!("  {:<16} {}{me}", validator.name, seen(validator.last)));
    }
    let others = found.others(&local.key);
    // Whoever left within those blocks is seen in them, but is no peer any more.
    match others >= *quorum && health.peers >= *quorum {
        true => {
            output.say(format!("{others} others are at work; {quorum} make a quorum: the network goes on."));
            Ok(())
        }
        false => {
            let message = format!(
                "{others} other validators are at work and {} peers are connected; a quorum needs {quorum}: \
                 the network would stop",
                health.peers
            );
            Err(Failure { kind: "no-quorum".to_owned(), ..Failure::new(Code::Refused, message) }
                .hint("bring the others back first, or stop the network on purpose with --force"))
        }
    }
}

fn words(answer: &Answer) -> String {
    match answer {
        Answer::Draining { own: 0, notice_left_ms, .. } if *notice_left_ms > 0 => {
            format!(
                "not ready, takes nothing new; goes on for {}",
                span(notice_left_ms.div_ceil(1000) * 1000)
            )
        }
        Answer::Draining { own, .. } => format!("{own} transactions of its clients wait for a block"),
        Answer::Stopping { left: 0 } => "stopping".to_owned(),
        Answer::Stopping { left } => {
            format!("stopping; {left} transactions of its clients are kept for its next start")
        }
        Answer::Stopped { height } => format!("stopped after block {}", height),
        Answer::Failed { reason } => reason.clone(),
        // Answers to another request.
        Answer::Plan(_) | Answer::Compacting(_) | Answer::Compacted(_) => String::new(),
    }
}
