//! `tabellion cert watch`: what happens to certificates, as it happens.

use std::collections::BTreeSet;
use std::time::Duration;

use tabellion_client::{ClientError, NodeError, ServerEvent};
use tabellion_ledger::{CertificateId, Height};
use tabellion_machine::{Event, Notice};

use super::input;
use crate::context::Context;
use crate::failure::{Done, Failure};
use crate::output::{Output, moment};

/// Pause before a broken stream is opened again.
const PAUSE: Duration = Duration::from_secs(1);
/// Attempts in a row that may fail.
const ATTEMPTS_MAX: u32 = 30;

/// Watches until it is interrupted.
pub async fn run(
    certificates: &[String],
    from_block: Option<u64>,
    context: &Context,
    output: Output,
) -> Done {
    let mut wanted = BTreeSet::new();
    for argument in certificates {
        wanted.extend(input::subjects(argument, output)?.into_iter().map(|subject| subject.id));
    }
    let nodes = context.nodes()?;
    let mut from = from_block.map(Height);
    let mut attempts = 0;
    loop {
        let end = match nodes.events(from).await {
            Ok(mut stream) => {
                output.say(format!(
                    "Listening to {}. What matters is proved by: tabellion cert verify <SHA-256>",
                    nodes.node()
                ));
                attempts = 0;
                loop {
                    match stream.next().await {
                        Ok(Some(event)) => from = tell(&event, &wanted, output).or(from),
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                }
            }
            Err(error @ NodeError::Unreachable { .. }) => Some(error),
            Err(error) => return Err(Failure::from(ClientError::from(error))),
        };
        attempts += 1;
        if let Some(error) = end.filter(|_| attempts > ATTEMPTS_MAX) {
            return Err(Failure::from(ClientError::from(error)));
        }
        output.say(format!("{} ended the stream; asking again", nodes.node()));
        nodes.next_node();
        tokio::time::sleep(PAUSE).await;
    }
}

/// Tells an event; returns where to go on after a break: at the next block once one has ended.
fn tell(event: &ServerEvent, wanted: &BTreeSet<CertificateId>, output: Output) -> Option<Height> {
    if event.kind == "block" {
        let height = event.id.split(':').next()?.parse().ok()?;
        return Some(Height(height).next());
    }
    let notice: Notice = match serde_json::from_str(&event.data) {
        Ok(notice) => notice,
        Err(_) => {
            output.say(format!("an event of a kind that this version does not know: {}", event.kind));
            return None;
        }
    };
    let Event::Certificate(certificate_event) = &notice.event else { return None };
    let (id, text) = match certificate_event {
        tabellion_pki::Event::Published { certificate, record } => {
            (certificate, format!("{:<9} until {}", record.status.to_string(), moment(record.validity.until)))
        }
        tabellion_pki::Event::Scheduled { certificate, from } => {
            (certificate, format!("scheduled from {}", moment(*from)))
        }
        tabellion_pki::Event::Dropped { certificate, root } => {
            (certificate, format!("dropped   its root {root} is trusted no more"))
        }
        tabellion_pki::Event::Revoked { certificate, record }
        | tabellion_pki::Event::Suspended { certificate, record } => {
            let reason = record.reason.map(|reason| reason.word()).unwrap_or_default();
            (certificate, format!("{:<9} {reason}", record.status.to_string()))
        }
        tabellion_pki::Event::Resumed { certificate, record } => {
            (certificate, format!("{:<9} resumed", record.status.to_string()))
        }
        // It is about blocks, and no certificate changes by it.
        tabellion_pki::Event::Noticed { .. } => return None,
        tabellion_pki::Event::Renewed { certificate, record, by } => {
            (certificate, format!("{:<9} renewed by {by}", record.status.to_string()))
        }
        tabellion_pki::Event::Relayed { ledger, record } => (
            &record.result.certificate,
            format!("{:<9} on ledger {ledger}", record.result.status.to_string()),
        ),
        tabellion_pki::Event::LinkFrozen { ledger, freeze } => {
            let height = freeze.height;
            output.value(&notice);
            output
                .line(format!("FORK: ledger {ledger} has two final headers at height {height}; link frozen"));
            return None;
        }
    };
    if wanted.is_empty() || wanted.contains(id) {
        output.value(&notice);
        output.line(format!("{}  block {:<8} {id}  {text}", moment(notice.time), notice.height.0));
    }
    None
}
