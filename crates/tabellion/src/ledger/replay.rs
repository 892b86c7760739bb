//! `tabellion ledger replay`: every decision from genesis on, found by executing the chain again.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

use tabellion_client::{ChainCheck, ClientError, replay_archive};
use tabellion_consortium::{Event, Members, members_key, proposal};
use tabellion_ledger::read;
use tabellion_machine::{Event as LaneEvent, Notice, ProposalAnswer};

use super::tell_report;
use crate::consortium::tell_proposal;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::output::Output;

/// Executes an archive again and shows how each proposal ended.
pub fn replay(archive: &Path, context: &Context, output: Output) -> Done {
    let trust = context.trust()?;
    let file = File::open(archive).map_err(|error| {
        Failure::new(Code::Usage, format!("cannot read {}: {error}", archive.display()))
            .hint("`tabellion ledger export --out FILE` writes an archive")
    })?;
    let start = Instant::now();
    let report = replay_archive(BufReader::new(file), trust, |check, notices| {
        notices.iter().for_each(|notice| tell(check, notice, output));
    });
    let report = report.map_err(ClientError::from)?;
    tell_report(&report, start.elapsed().as_secs_f64(), output);
    Ok(())
}

/// Shows a proposal that is decided.
fn tell(check: &ChainCheck, notice: &Notice, output: Output) {
    let (LaneEvent::Consortium(event), Some(state)) = (&notice.event, check.state()) else { return };
    let number = match event {
        Event::Rejected { proposal, .. }
        | Event::Expired { proposal, .. }
        | Event::Withdrawn { proposal }
        | Event::Cancelled { proposal, .. }
        | Event::Executed { proposal }
        | Event::Failed { proposal, .. } => *proposal,
        _ => return,
    };
    let Some(decided) = proposal(state, number) else { return };
    let members: Members = read(state, &members_key()).unwrap_or_default();
    let answer = ProposalAnswer::new(&decided, &members);
    output.line(format!("block         {}", notice.height));
    tell_proposal(&decided, &answer, output);
    output.line(String::new());
    output.value(&answer);
}
