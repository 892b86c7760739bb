//! `tabellion proxy list`, `tabellion proxy show`, and foreign statuses for `cert verify`.

use serde::Serialize;
use tabellion_client::{ProvedForeign, ProvedLink};
use tabellion_ledger::TimeMs;
use tabellion_machine::{ForeignLedgerAnswer, ResultAnswer};
use tabellion_pki::{Doubt, Standing};

use super::is_named;
use crate::cert::{Signed, by_text};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::{Output, moment};

fn answer(found: &ProvedLink) -> ForeignLedgerAnswer {
    let link = &found.link;
    let rules = tabellion_pki::Link {
        generation: link.generation,
        roster: link.roster.clone(),
        stale_after_ms: link.stale_after_ms,
    };
    let at = now().max(found.by.header.time);
    ForeignLedgerAnswer::new(link.ledger.to_string(), link.name.clone(), &rules, found.known.as_ref(), at)
}

fn state(answer: &ForeignLedgerAnswer) -> &'static str {
    match (answer.frozen_at, answer.stale) {
        (Some(_), _) => "frozen",
        (None, true) => "stale",
        (None, false) => "fresh",
    }
}

pub(super) async fn list(context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    let found = party.foreign_ledgers(now()).await?;
    context.remember(&party);
    if found.is_empty() {
        output
            .say("This ledger follows no other: its members decide it (`tabellion propose follow-ledger`).");
    }
    for found in &found {
        let told = answer(found);
        output.value(&told);
        let height = told.height.map_or("no header yet".to_owned(), |height| format!("header {height}"));
        let word = output.verdict(state(&told), state(&told) == "fresh");
        output.line(format!("{word} {}  {}  {height}, {} results", told.ledger, told.name, told.next));
    }
    Ok(())
}

pub(super) async fn show(text: &str, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    let all = party.foreign_ledgers(now()).await?;
    context.remember(&party);
    let found = all.iter().find(|found| is_named(text, &found.link.ledger, &found.link.name));
    let found = found.ok_or_else(|| {
        Failure::new(Code::Usage, format!("this ledger follows none that is named '{text}'"))
            .hint("`tabellion proxy list` shows them")
    })?;
    let told = answer(found);
    output.value(&told);
    let time = |at: Option<u64>| at.map_or("never".to_owned(), |at| moment(TimeMs(at)));
    output.line(format!("ledger        {}", told.ledger));
    output.line(format!("name          {}", told.name));
    output.line(format!("state         {}", state(&told)));
    output.line(format!("validators    roster {}", told.roster));
    output.line(format!(
        "newest header {}",
        told.height.map_or("none".to_owned(), |height| height.to_string())
    ));
    output.line(format!("results       {}", told.next));
    output.line(format!("complete      {}", time(told.complete_ms)));
    output.line(format!("stale after   {} s", told.stale_after_ms / 1000));
    output.line(format!("generation    {}", told.generation));
    if let Some(height) = told.frozen_at {
        output.line(format!(
            "FORK          two final headers at height {height}; `tabellion propose follow-anew`"
        ));
    }
    output.line(by_text(&found.by));
    Ok(())
}

/// A foreign verdict as JSON. Everything in it is computed from proofs.
#[derive(Serialize)]
struct Verdict<'a> {
    certificate: String,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    doubt: Option<&'static str>,
    ledger: String,
    name: &'a str,
    result: ResultAnswer,
    since_height: u64,
    proved_by: Signed,
}

/// Tells what is recorded here of a certificate on a foreign ledger; none where nothing is.
pub fn tell_foreign(subject: &str, found: &ProvedForeign, now: TimeMs, output: Output) -> Option<Done> {
    let record = found.record.as_ref()?;
    let judged = found.standing(Some(now));
    let (standing, doubt) = (judged.standing.word(), judged.doubt.map(Doubt::word));
    let name = found.link.as_ref().map_or("", |link| link.name.as_str());
    output.value(&Verdict {
        certificate: found.certificate.to_string(),
        standing,
        doubt,
        ledger: found.ledger.to_string(),
        name,
        result: ResultAnswer::new(record.number, &record.result),
        since_height: record.since_height.0,
        proved_by: Signed::from(&found.by),
    });
    let word = output.verdict(standing, judged.is_valid());
    let doubt = doubt.map(|doubt| format!(" ({doubt})")).unwrap_or_default();
    let since = moment(record.result.since_time);
    output.line(format!(
        "{word}{doubt} {subject}  on ledger {name} since its block {} ({since}), here in block {}  {}",
        record.result.since_height,
        record.since_height,
        by_text(&found.by)
    ));
    if judged.is_valid() {
        return Some(Ok(()));
    }
    let what = match (judged.standing, judged.doubt) {
        (Standing::Revoked, _) | (_, None) => standing.to_owned(),
        (_, Some(doubt)) => doubt.word().to_owned(),
    };
    let failure = Failure::new(Code::NotValid, format!("do not rely on {subject}: {what}"));
    Some(Err(Failure { kind: what, ..failure }))
}
