//! `tabellion cert history`: every operation on a certificate, proved.

use serde::Serialize;
use tabellion_client::{CertificateHistory, HistoryRecord};
use tabellion_consortium::{KeyRecord, Owner};
use tabellion_ledger::{CertificateId, TransactionId};
use tabellion_machine::RecordAnswer;
use tabellion_pki::{Evidence, EvidenceKind};

use super::input::{self, Subject};
use super::verify::{Signed, by_text};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::{Output, moment};

/// How the records before the latest are proved.
const OTHERS: &str = "each other one by the hash in the next";

/// A history as JSON. All of it is proved but the identifiers of transactions.
#[derive(Serialize)]
struct Told<'a> {
    certificate: CertificateId,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    standing: &'static str,
    complete: bool,
    records: Vec<ToldRecord<'a>>,
    proved_by: Signed,
}

#[derive(Serialize)]
struct ToldRecord<'a> {
    #[serde(flatten)]
    record: RecordAnswer,
    #[serde(skip_serializing_if = "Option::is_none")]
    member: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<&'a str>,
    /// The node's word, not proved.
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<TransactionId>,
}

/// Shows the histories of certificates.
pub async fn run(argument: &str, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    let mut done = Ok(());
    for subject in input::subjects(argument, output)? {
        let history = party.history(&subject.id, now()).await?;
        output.value(&told(&subject, &history));
        show(&subject, &history, output);
        done = done.and(whole(&subject, &history));
    }
    context.remember(&party);
    done
}

fn told<'a>(subject: &Subject, history: &'a CertificateHistory) -> Told<'a> {
    let record = |HistoryRecord { record, transaction }: &HistoryRecord| {
        let key = history.submitters.get(&record.submitter);
        ToldRecord {
            record: RecordAnswer::from(record),
            member: key.map(|key| key.member.as_str()),
            account: key.and_then(account),
            transaction: *transaction,
        }
    };
    Told {
        certificate: subject.id,
        subject: subject.certificate.as_ref().map(input::name_of),
        standing: history.status.standing(Some(now())).word(),
        complete: history.is_complete(),
        records: history.records.iter().map(record).collect(),
        proved_by: Signed::from(&history.status.by),
    }
}

fn account(key: &KeyRecord) -> Option<&str> {
    match &key.owner {
        Owner::Account(name) => Some(name.as_str()),
        Owner::Member | Owner::Invitation | Owner::Node(_) => None,
    }
}

fn show(subject: &Subject, history: &CertificateHistory, output: Output) {
    if !history.records.is_empty() {
        let columns = ("when", "block", "status", "reason", "who");
        let (when, block, status, reason, who) = columns;
        output.line(format!(
            "{when:<20}  {block:>7}  {status:<9}  {reason:<22}  {who:<20}  evidence of the CA"
        ));
    }
    for HistoryRecord { record, .. } in &history.records {
        let reason = record.reason.map_or("-", |reason| reason.word());
        let who = history.submitters.get(&record.submitter).map_or_else(
            || record.submitter.to_string(),
            |key| match account(key) {
                Some(account) => format!("{}/{account}", key.member),
                None => key.member.to_string(),
            },
        );
        let (when, height) = (moment(record.since_time), record.since_height);
        let (status, evidence) = (record.status.to_string(), evidence(record.evidence.as_ref()));
        output.line(format!("{when:<20}  {height:>7}  {status:<9}  {reason:<22}  {who:<20}  {evidence}"));
    }
    let word = output.verdict("proved", true);
    let (name, by) = (subject.name(), by_text(&history.status.by));
    output.line(match (history.records.as_slice(), history.is_complete()) {
        ([], _) => format!("{word} {name} is not on the ledger  {by}"),
        ([_], true) => format!("{word} the one record of {name}  {by}"),
        (records, true) => {
            format!("{word} all {} records of {name}: the last {by}, {OTHERS}", records.len())
        }
        ([first, ..], false) => {
            let first = first.record.sequence;
            format!("{word} the records of {name} from number {first} on: the last {by}, {OTHERS}")
        }
    });
}

fn evidence(evidence: Option<&Evidence>) -> String {
    match evidence {
        None => "-".to_owned(),
        Some(Evidence { kind: EvidenceKind::Renewal, hash, .. }) => format!("renewal by certificate {hash}"),
        Some(Evidence { kind, hash, at, .. }) => format!("{kind} of {} sha256 {hash}", moment(*at)),
    }
}

/// A part of a history answers the question in part.
fn whole(subject: &Subject, history: &CertificateHistory) -> Done {
    if history.is_complete() {
        return Ok(());
    }
    let first = history.records.first().map_or(0, |first| first.record.sequence);
    let message = format!("the records of {} before number {first} are on no node at hand", subject.name());
    let failure = Failure::new(Code::Error, message)
        .hint("ask a node that keeps all bodies with --node: a backup node, or one without [prune]");
    Err(Failure { kind: "history-incomplete".to_owned(), ..failure })
}
