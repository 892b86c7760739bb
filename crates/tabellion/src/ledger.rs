//! `tabellion ledger`

mod replay;

use std::path::Path;

use serde::Serialize;
use tabellion_client::{
    Certificate, ChainFault, ChainReport, ClientError, LightClient, LightError, RelyingParty, Trust,
    proof_file,
};
use tabellion_consortium::{Parameters, parameters_key};
use tabellion_ledger::{Height, TransactionId};
use tabellion_machine::{BlockAnswer, HeaderAnswer, LedgerAnswer, TransactionStanding};

use crate::cert::{Signed, by_text, tell_transaction};
use crate::cli::LedgerCommand;
use crate::context::{Context, write_file};
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::{Output, moment, span};

/// Runs a command on the ledger.
pub async fn run(command: LedgerCommand, context: &Context, output: Output) -> Done {
    match command {
        LedgerCommand::Status { follow } => status(follow, context, output).await,
        LedgerCommand::Block { height } => block(&height, context, output).await,
        LedgerCommand::Tx { id } => transaction(&id, context, output).await,
        LedgerCommand::Proof { id, out } => proof(&id, &out, context, output).await,
        LedgerCommand::VerifyChain { full } => verify_chain(full, context, output).await,
        LedgerCommand::Export { out } => export(&out, context, output).await,
        LedgerCommand::Replay { archive } => replay::replay(&archive, context, output),
        LedgerCommand::Genesis { out } => genesis(&out, context, output).await,
        LedgerCommand::Cas => cas(context, output).await,
    }
}

#[derive(Serialize)]
struct Status {
    #[serde(flatten)]
    ledger: LedgerAnswer,
    age_ms: u64,
    proved_by: Signed,
    #[serde(skip_serializing_if = "Option::is_none")]
    followed_height: Option<u64>,
}

async fn status(follow: bool, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    let mut ledger = party.nodes().ledger().await?;
    if follow {
        follow_headers(&mut party, ledger.height, output).await?;
    }
    let by = party.newest().await?;
    let parameters: Option<Parameters> = match party.founded(parameters_key(), now()).await {
        // What is too old is shown all the same, and said at the end.
        Err(ClientError::Light(LightError::Stale { .. })) => None,
        parameters => Some(parameters?),
    };
    context.remember(&party);
    let age_ms = now().0.saturating_sub(by.header.time.0);
    let followed = party.light().followed();
    // Only the count of transactions is the node's word.
    let genesis = party.light().trust().genesis();
    let roster = party.light().trust().roster();
    output.line(format!("ledger        {}", party.light().trust().ledger()));
    // The kind of a ledger is for good.
    output.line(format!("name          {} ({})", genesis.name, genesis.parameters.certificate.kind));
    output.line(format!(
        "height        {} at {} ({} ago)",
        by.header.height,
        moment(by.header.time),
        span(age_ms)
    ));
    output.line(format!("proof         {}", by_text(&by)));
    if let Some(height) = followed {
        output.line(format!("followed      headers 0 to {height}, link by link"));
    }
    output.line(format!("transactions  {} (says {})", ledger.transactions, party.nodes().node()));
    if let Some(parameters) = &parameters {
        ledger.trusted_cas = parameters.certificate.anchors.len();
        output.line(format!("trusted CAs   {}", ledger.trusted_cas));
    }
    output.line(format!("validators    {}, {} make a quorum", roster.validators().len(), roster.quorum()));
    for (index, validator) in roster.validators().iter().enumerate() {
        output.line(format!(
            "  {index:>3}  {} of {}  key {}",
            validator.name,
            validator.member,
            validator.key_id()
        ));
    }
    output.value(&Status {
        ledger,
        age_ms,
        proved_by: Signed::from(&by),
        followed_height: followed.map(|height| height.0),
    });
    LightClient::check_age(&by.header, now(), context.age_ms_max(party.light().trust()))?;
    Ok(())
}

async fn follow_headers(party: &mut RelyingParty, newest: u64, output: Output) -> Done {
    let bar = output.progress(newest, "headers");
    let followed = party.follow(|height| bar.set_position(height.0)).await;
    bar.finish_and_clear();
    followed?;
    Ok(())
}

#[derive(Serialize)]
struct ShownBlock {
    #[serde(flatten)]
    block: BlockAnswer,
    proved_by: Signed,
}

async fn block(height: &str, context: &Context, output: Output) -> Done {
    let height = match height {
        "latest" => None,
        text => {
            let wrong =
                |_| Failure::new(Code::Usage, format!("'{text}' is no height; give a number, or latest"));
            Some(Height(text.parse().map_err(wrong)?))
        }
    };
    let mut party = context.relying_party()?;
    let block = party.nodes().block_answer(height).await?;
    let by = party.header(Height(block.header.height)).await?;
    if HeaderAnswer::from(&by.header) != block.header {
        return Err(Failure::new(
            Code::Proof,
            format!("the node showed another block {} than is final", block.header.height),
        ));
    }
    context.remember(&party);
    let header = &block.header;
    output.line(format!("block         {} at {}", header.height, moment(by.header.time)));
    output.line(format!("hash          {}", header.hash));
    output.line(format!("previous      {}", header.previous));
    output.line(format!("state root    {}", header.state_root));
    output.line(format!("proposer      {}", header.proposer));
    output.line(format!("proof         final: {} of {} validators", by.signers, by.validators));
    for lane in &block.lanes {
        output.line(format!("lane          {} with {} transactions", lane.lane, lane.record_count));
        lane.transactions.iter().for_each(|id| output.line(format!("  {id}")));
    }
    output.value(&ShownBlock { block, proved_by: Signed::from(&by) });
    Ok(())
}

fn parse_id(text: &str) -> Result<TransactionId, Failure> {
    text.to_lowercase().parse().map_err(|error| Failure::of(Code::Usage, &error))
}

async fn transaction(id: &str, context: &Context, output: Output) -> Done {
    let id = parse_id(id)?;
    let mut party = context.relying_party()?;
    let answer = party.nodes().transaction(&id).await?;
    match (answer.standing, &answer.refusal) {
        (TransactionStanding::Recorded, _) => {
            let (proved, _) = party.transaction(&id).await?;
            context.remember(&party);
            tell_transaction(&proved, output);
            Ok(())
        }
        (TransactionStanding::Refused, Some(problem)) => {
            output.value(&answer);
            let message = format!("transaction {id} was refused ({}): {}", problem.code, problem.detail);
            Err(Failure { kind: problem.code.clone(), ..Failure::new(Code::Refused, message) })
        }
        (standing, _) => {
            output.value(&answer);
            let word = if standing == TransactionStanding::Pending { "pending" } else { "unknown" };
            output.line(format!("{} transaction {id}", output.verdict(word, false)));
            Err(Failure::new(Code::Error, format!("transaction {id} is not recorded ({word})")))
        }
    }
}

async fn proof(id: &str, out: &Path, context: &Context, output: Output) -> Done {
    let id = parse_id(id)?;
    let mut party = context.relying_party()?;
    let (proved, proof) = party.transaction(&id).await?;
    context.remember(&party);
    write_file(out, &proof_file(party.light().trust(), &proof))?;
    tell_transaction(&proved, output);
    output.say(format!(
        "The proof is in {}. Anybody checks it with: tabellion cert verify --offline {0} --genesis FILE",
        out.display()
    ));
    Ok(())
}

#[derive(Serialize)]
struct Report {
    blocks: u64,
    transactions: u64,
    without_body: u64,
    executed: bool,
    seconds: f64,
    proved_by: Signed,
}

async fn verify_chain(full: bool, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    let start = std::time::Instant::now();
    let bar = output.progress(0, if full { "executing" } else { "verifying" });
    let outcome = party.verify_chain(full, |height, last| {
        bar.set_length(last.0);
        bar.set_position(height.0);
    });
    let outcome = outcome.await;
    bar.finish_and_clear();
    let report = outcome.map_err(body_gone)?;
    context.remember(&party);
    tell_report(&report, start.elapsed().as_secs_f64(), output);
    Ok(())
}

/// A body that is gone breaks no proof.
fn body_gone(error: ClientError) -> Failure {
    match &error {
        ClientError::Chain(ChainFault::BodyGone { .. }) => {
            Failure { kind: "body-gone".to_owned(), ..Failure::of(Code::Error, &error) }
                .hint("name a node that keeps all bodies with --node, or restore them from an archive")
        }
        _ => Failure::from(error),
    }
}

async fn export(out: &Path, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    let start = std::time::Instant::now();
    // Aside, then renamed into its place: what is there is whole.
    let aside = out.with_extension(format!("{}.new", std::process::id()));
    let failed = |doing: &str, path: &Path, error: &std::io::Error| {
        Failure::new(Code::Error, format!("cannot {doing} {}: {error}", path.display()))
    };
    let file = std::fs::File::create(&aside).map_err(|error| failed("write", &aside, &error))?;
    let bar = output.progress(0, "exporting");
    let outcome = party.export(std::io::BufWriter::new(file), |height, last| {
        bar.set_length(last.0);
        bar.set_position(height.0);
    });
    let outcome = outcome.await;
    bar.finish_and_clear();
    let report = outcome.map_err(body_gone).inspect_err(|_| drop(std::fs::remove_file(&aside)))?;
    std::fs::rename(&aside, out).map_err(|error| failed("write", out, &error))?;
    context.remember(&party);
    tell_report(&report, start.elapsed().as_secs_f64(), output);
    output.say(format!(
        "The whole chain is in {0}. Anybody checks it with: tabellion ledger replay {0} --genesis FILE",
        out.display()
    ));
    Ok(())
}

fn tell_report(report: &ChainReport, seconds: f64, output: Output) {
    let what = match report.executed {
        true => "links, bodies, signatures; executed again with equal state roots",
        false => "links, bodies, signatures",
    };
    output.line(format!(
        "{} {} blocks, {} transactions in {seconds:.1} s ({what})  {}",
        output.verdict("verified", true),
        report.blocks,
        report.transactions,
        by_text(&report.by)
    ));
    if report.without_body > 0 {
        output.line(format!(
            "          {} of them by their headers: their bodies were deleted (X.1409 A.3)",
            report.without_body
        ));
    }
    output.value(&Report {
        blocks: report.blocks,
        transactions: report.transactions,
        without_body: report.without_body,
        executed: report.executed,
        seconds,
        proved_by: Signed::from(&report.by),
    });
}

#[derive(Serialize)]
struct Genesis {
    ledger: String,
    name: String,
    file: String,
}

async fn genesis(out: &Path, context: &Context, output: Output) -> Done {
    let nodes = context.nodes()?;
    let bytes = nodes.genesis().await?;
    let trust = Trust::from_bytes(&bytes)?;
    write_file(out, &bytes)?;
    let (ledger, name) = (trust.ledger().to_string(), trust.genesis().name.clone());
    output.line(format!("{ledger}  {name}"));
    output.say(format!(
        "This is what {} says. Compare the identifier with one that you got by another way \
         before you trust it.",
        nodes.node()
    ));
    output.value(&Genesis { ledger, name, file: out.display().to_string() });
    Ok(())
}

async fn cas(context: &Context, output: Output) -> Done {
    let (_, rules) = context.rules().await?;
    for der in &rules.anchors {
        match Certificate::from_der(der) {
            Ok(ca) => {
                output.value(&ca.facts);
                output.line(format!(
                    "{}  until {}  {}",
                    ca.id(),
                    moment(ca.facts.not_after),
                    ca.facts.subject
                ));
            }
            Err(refusal) => output.warn(format!("a trusted CA does not decode: {refusal}")),
        }
    }
    Ok(())
}
