//! `tabellion cert verify`: may I rely on it?

use std::path::Path;

use serde::Serialize;
use tabellion_client::{
    Proved, ProvedBy, ProvedForeign, ProvedStatus, ProvedTransaction, RelyingParty, proof_file,
    verify_offline,
};
use tabellion_ledger::{CertificateId, Header, TimeMs};
use tabellion_machine::{HeaderAnswer, RecordAnswer};
use tabellion_pki::Standing;

use super::input::{self, Subject};
use crate::cli::VerifyArgs;
use crate::context::{Context, read_file, write_file};
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::{Output, moment};
use crate::proxy::tell_foreign;

/// A verdict as JSON. Everything in it is computed from the proof.
#[derive(Serialize)]
struct Verdict {
    certificate: CertificateId,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordAnswer>,
    /// The node's word, not proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    scheduled_ms: Option<u64>,
    proved_by: Signed,
}

/// A header with those who stand for it.
#[derive(Serialize)]
pub struct Signed {
    header: HeaderAnswer,
    signers: usize,
    validators: usize,
}

impl From<&ProvedBy> for Signed {
    fn from(by: &ProvedBy) -> Self {
        Self { header: HeaderAnswer::from(&by.header), signers: by.signers, validators: by.validators }
    }
}

/// `proved by header 40 (3 of 4 validators)`
pub fn by_text(by: &ProvedBy) -> String {
    if by.header.height.0 == 0 {
        return "proved by the genesis document".to_owned();
    }
    format!("proved by header {} ({} of {} validators)", by.header.height, by.signers, by.validators)
}

/// Verifies certificates, or a proof.
pub async fn run(args: VerifyArgs, context: &Context, output: Output) -> Done {
    if let Some(proof) = &args.offline {
        return offline(proof, args.certificate.as_deref(), context, output);
    }
    let argument = args.certificate.unwrap_or_default();
    if args.by_key {
        return by_key(&argument, context, output).await;
    }
    let subjects = input::subjects(&argument, output)?;
    if args.proof_out.is_some() && subjects.len() > 1 {
        let message = format!("{argument} holds {} certificates; --proof-out wants one", subjects.len());
        return Err(Failure::new(Code::Usage, message).hint("name one by its SHA-256"));
    }
    let mut party = context.relying_party()?;
    let mut worst = Ok(());
    for subject in &subjects {
        let found = party.status(&subject.id, now()).await?;
        if let Some(path) = &args.proof_out {
            write_file(path, &proof_file(party.light().trust(), &found.proof))?;
        }
        let foreign = match (&found.status.record, found.scheduled_ms) {
            (None, None) => foreign(&mut party, subject, output).await?,
            _ => None,
        };
        let own = || tell(&found.status, subject, found.scheduled_ms, Some(now()), output);
        worst = worst.and(foreign.unwrap_or_else(own));
    }
    context.remember(&party);
    worst
}

/// What is recorded here of a certificate on a foreign ledger (X.1409 C16); none where nothing is.
///
/// Where several ledgers have it, one that says `revoked` decides; else the first that may be relied upon.
async fn foreign(
    party: &mut RelyingParty,
    subject: &Subject,
    output: Output,
) -> Result<Option<Done>, Failure> {
    let mut found = Vec::new();
    for link in party.foreign_ledgers(now()).await? {
        found.push(party.foreign_status(&link.link.ledger, &subject.id, now()).await?);
    }
    let order = |one: &ProvedForeign| match one.standing(Some(now())) {
        judged if judged.standing == Standing::Revoked => 0,
        judged if judged.is_valid() => 1,
        _ => 2,
    };
    found.sort_by_key(order);
    Ok(found.iter().find_map(|one| tell_foreign(&subject.name(), one, now(), output)))
}

fn tell(
    status: &ProvedStatus,
    subject: &Subject,
    scheduled_ms: Option<u64>,
    now: Option<TimeMs>,
    output: Output,
) -> Done {
    let standing = status.standing(now);
    output.value(&Verdict {
        certificate: status.certificate,
        subject: subject.certificate.as_ref().map(input::name_of),
        standing: standing.word(),
        record: status.record.as_ref().map(RecordAnswer::from),
        scheduled_ms,
        proved_by: Signed::from(&status.by),
    });
    let facts = match (&status.record, scheduled_ms) {
        (Some(record), _) => {
            let since = format!("since block {} ({})", record.since_height, moment(record.since_time));
            match standing {
                Standing::Expired => format!("at {}  recorded {since}", moment(record.validity.until)),
                Standing::Unknown => format!("until {}  recorded {since}", moment(record.validity.from)),
                _ => since,
            }
        }
        (None, Some(at)) => format!("scheduled for {}", moment(TimeMs(at))),
        (None, None) => "not on the ledger".to_owned(),
    };
    let good = standing == Standing::Valid;
    let word = output.verdict(standing.word(), good);
    output.line(format!("{word} {}  {facts}  {}", subject.name(), by_text(&status.by)));
    if good {
        return Ok(());
    }
    let failure =
        Failure::new(Code::NotValid, format!("do not rely on {}: {}", subject.name(), standing.word()));
    Err(Failure { kind: standing.word().to_owned(), ..failure })
}

async fn by_key(argument: &str, context: &Context, output: Output) -> Done {
    let key = input::key(argument, output)?;
    let mut party = context.relying_party()?;
    let (proved, statuses) = party.key(&key, now()).await?;
    context.remember(&party);
    if statuses.is_empty() {
        output.line(format!(
            "{} key {key}  no certificate on the ledger  {}",
            output.verdict("unknown", false),
            by_text(&proved.by)
        ));
    }
    let mut verdict = Err(Failure::new(Code::NotValid, format!("no certificate of key {key} is valid")));
    for found in &statuses {
        let subject = Subject { id: found.status.certificate, certificate: None };
        let told = tell(&found.status, &subject, found.scheduled_ms, Some(now()), output);
        verdict = verdict.or(told);
    }
    verdict.map_err(|failure| Failure { kind: "no-valid-certificate".to_owned(), ..failure })
}

fn offline(proof: &Path, certificate: Option<&str>, context: &Context, output: Output) -> Done {
    let trust = context.trust()?;
    let subject = match certificate {
        None => None,
        Some(argument) => input::subjects(argument, output)?.into_iter().next(),
    };
    let bytes = read_file(proof, "proof file")?;
    match verify_offline(&bytes, &trust, subject.as_ref().map(|subject| &subject.id))? {
        Proved::Status(status) => {
            let subject = subject.unwrap_or(Subject { id: status.certificate, certificate: None });
            output.say(format!(
                "As of {}, the time of the proof; ask a node for what happened since.",
                moment(status.by.header.time)
            ));
            // The proof's moment, not today's: an old proof says what held then.
            tell(&status, &subject, None, None, output)
        }
        Proved::Transaction(proved) => {
            tell_transaction(&proved, output);
            Ok(())
        }
    }
}

/// A proved transaction, as JSON.
#[derive(Serialize)]
struct TransactionVerdict {
    transaction: String,
    submitter: String,
    lane: String,
    block: HeaderAnswer,
    proved_by: Signed,
}

/// Tells where a proved transaction stands.
pub fn tell_transaction(proved: &ProvedTransaction, output: Output) {
    let (transaction, header): (_, &Header) = (&proved.transaction, &proved.header);
    output.value(&TransactionVerdict {
        transaction: transaction.id().to_string(),
        submitter: transaction.submitter().to_string(),
        lane: transaction.content().lane.to_string(),
        block: HeaderAnswer::from(header),
        proved_by: Signed::from(&proved.by),
    });
    let (word, id) = (output.verdict("recorded", true), transaction.id());
    let at = format!("in block {} ({})", header.height, moment(header.time));
    output.line(format!("{word} transaction {id}  {at}  {}", by_text(&proved.by)));
}
