//! `tabellion cert show`: what a certificate says, and what the ledger says about it.

use serde::Serialize;
use tabellion_client::Certificate;
use tabellion_machine::RecordAnswer;
use tabellion_pki::Facts;

use super::input::{self, Subject};
use super::verify::{Signed, by_text};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::{Output, moment};

#[derive(Serialize)]
struct Shown<'a> {
    /// Read from the certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a Facts>,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordAnswer>,
    proved_by: Signed,
}

/// Shows certificates.
pub async fn run(argument: &str, pem: bool, context: &Context, output: Output) -> Done {
    let mut party = context.relying_party()?;
    for subject in input::subjects(argument, output)? {
        let held = match &subject.certificate {
            Some(certificate) => Some(certificate.clone()),
            None => held(party.nodes(), &subject).await?,
        };
        if pem {
            let missing = || {
                Failure::new(Code::Error, format!("no node at hand holds certificate {}", subject.id))
                    .hint("a ledger of identifiers holds no certificates; ask its owner")
            };
            let certificate = held.as_ref().ok_or_else(missing)?;
            output.line(pem::encode(&pem::Pem::new("CERTIFICATE", certificate.der.to_vec())).trim_end());
            continue;
        }
        let found = party.status(&subject.id, now()).await?;
        let standing = found.status.standing(Some(now()));
        output.value(&Shown {
            facts: held.as_ref().map(|certificate| &certificate.facts),
            standing: standing.word(),
            record: found.status.record.as_ref().map(RecordAnswer::from),
            proved_by: Signed::from(&found.status.by),
        });
        if let Some(certificate) = &held {
            show_facts(&certificate.facts, output);
        } else {
            output.line(format!("certificate   {}", subject.id));
        }
        output.line(format!(
            "standing      {}",
            output.verdict(standing.word(), standing.word() == "valid").trim_end()
        ));
        if let Some(record) = &found.status.record {
            let since = moment(record.since_time);
            output.line(format!(
                "status        {} since block {} ({since})",
                record.status, record.since_height
            ));
            if let (Some(reason), Some(evidence)) = (record.reason, &record.evidence) {
                output.line(format!("reason        {reason}, by {} {}", evidence.kind, evidence.hash));
            }
            let validity = &record.validity;
            output.line(format!("recorded for  {} to {}", moment(validity.from), moment(validity.until)));
            output.line(format!("issuer's id   {}", record.issuer));
            output.line(format!("root's id     {}", record.root));
        }
        output.line(format!("proof         {}", by_text(&found.status.by)));
    }
    context.remember(&party);
    Ok(())
}

/// The certificate as the ledger holds it, if its bytes are those of the identifier.
async fn held(
    nodes: &tabellion_client::NodeClient,
    subject: &Subject,
) -> Result<Option<Certificate>, Failure> {
    let der = match nodes.certificate_der(&subject.id).await {
        Ok(der) => der,
        Err(error) if error.problem().is_some() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let certificate = Certificate::from_der(&der).ok().filter(|found| found.id() == subject.id);
    let wrong =
        || Failure::new(Code::Proof, format!("the node sent another certificate than {}", subject.id));
    certificate.map(Some).ok_or_else(wrong)
}

fn show_facts(facts: &Facts, output: Output) {
    let serial: String = facts.serial.iter().map(|byte| format!("{byte:02x}")).collect();
    output.line(format!("subject       {}", facts.subject));
    if !facts.dns_names.is_empty() {
        output.line(format!("names         {}", facts.dns_names.join(", ")));
    }
    output.line(format!("issuer        {}", facts.issuer));
    output.line(format!("serial        {serial}"));
    output.line(format!("not before    {}", moment(facts.not_before)));
    output.line(format!("not after     {}", moment(facts.not_after)));
    output.line(format!("certificate   {}", facts.certificate));
    output.line(format!("key           {}", facts.key));
}
