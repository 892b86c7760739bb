//! `tabellion cert publish`: all or none.

use serde::Serialize;
use tabellion_client::{
    Certificate, ChainPool, LedgerRules, Publication, PublicationOutcome, Publisher, Verifier, leaves,
};
use tabellion_ledger::{CertificateId, TimeMs, TransactionId};
use tabellion_machine::Ruleset;
use tabellion_pki::{ENTRIES_MAX, Window};

use super::input;
use crate::cli::{PublishArgs, PublishInputs};
use crate::context::Context;
use crate::failure::{Code, Done, Failure, of_chain};
use crate::moment::now;
use crate::output::Output;

/// Certificates ready to be published, and those for which there is no chain.
pub struct Prepared {
    /// Ready.
    pub publications: Vec<Publication>,
    /// Not ready: what was to be published, and why it cannot be.
    pub refused: Vec<(Refused, Failure)>,
}

/// One certificate that is not published.
#[derive(Clone, Debug, Serialize)]
pub struct Refused {
    /// SHA-256 of the certificate.
    pub certificate: CertificateId,
    /// Its subject.
    pub subject: String,
    /// Where it came from.
    pub source: String,
    /// Stable code.
    pub code: String,
    /// The reason.
    pub message: String,
}

/// What became of one certificate, as JSON.
#[derive(Serialize)]
struct Told<'a> {
    certificate: CertificateId,
    subject: &'a str,
    source: &'a str,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    transaction: Option<TransactionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

/// Certificates as they were given.
pub struct Given {
    /// To build chains from.
    intermediates: Vec<Certificate>,
    /// By file.
    files: Vec<(String, Vec<Certificate>)>,
}

impl Given {
    /// Reads all inputs, before anybody is asked anything.
    pub fn read(files: &[String], inputs: &PublishInputs, output: Output) -> Result<Self, Failure> {
        let mut intermediates = Vec::new();
        for path in &inputs.intermediates {
            intermediates.extend(input::read(&path.display().to_string(), output)?);
        }
        let read = |file: &String| Ok((file.clone(), input::read(file, output)?));
        let files: Result<Vec<_>, Failure> = files.iter().map(read).collect();
        Ok(Self { intermediates, files: files? })
    }
}

/// Finds a chain for each certificate that is to be published.
pub fn prepare(given: Given, inputs: &PublishInputs, rules: &LedgerRules) -> Result<Prepared, Failure> {
    // Without the check, a program that is older than the ledger's rules can still publish.
    let ruleset = (!inputs.no_check).then(|| prepared(rules)).transpose()?;
    let verifier = ruleset.as_ref().map(|rules| Verifier { rules, at: now() });
    let window = window(inputs)?;
    let mut pool = ChainPool::new(rules.anchors.iter().map(Vec::as_slice));
    given.intermediates.into_iter().for_each(|certificate| pool.add(certificate));
    let mut wanted: Vec<(String, Certificate)> = Vec::new();
    for (file, certificates) in given.files {
        let chosen = match inputs.each {
            true => certificates.iter().filter(|found| !pool.trusts(&found.id())).collect(),
            false => leaves(&certificates),
        };
        wanted.extend(chosen.into_iter().map(|found| (file.clone(), found.clone())));
        certificates.into_iter().for_each(|certificate| pool.add(certificate));
    }
    let mut prepared = Prepared { publications: Vec::new(), refused: Vec::new() };
    let mut seen = std::collections::BTreeSet::new();
    wanted.retain(|(_, certificate)| seen.insert(certificate.id()));
    for (file, certificate) in wanted {
        let refuse = |code: &str, message: String| Refused {
            certificate: certificate.id(),
            subject: input::name_of(&certificate),
            source: file.clone(),
            code: code.to_owned(),
            message,
        };
        match pool.chain_of(&certificate, verifier.as_ref()) {
            Err(error) => {
                prepared
                    .refused
                    .push((refuse("chain-incomplete", error.to_string()), of_chain(&file, &error)));
            }
            // A publication for later may be refused by today's time; the ledger's word counts.
            Ok(chain) => match chain.refusal.as_ref().filter(|_| window.is_none()) {
                None => prepared.publications.push(Publication::new(&chain, window, &file)),
                Some(refusal) => {
                    let message = format!("{file}: refused ({}): {refusal}", refusal.code());
                    let failure = Failure {
                        kind: refusal.code().to_owned(),
                        ..Failure::new(Code::Refused, message)
                    }
                    .hint("this check ran here, by the ledger's rules; --no-check leaves it to the ledger");
                    prepared.refused.push((refuse(refusal.code(), refusal.to_string()), failure));
                }
            },
        }
    }
    Ok(prepared)
}

fn prepared(rules: &LedgerRules) -> Result<Ruleset, Failure> {
    rules.ruleset().map_err(|error| {
        Failure::of(Code::Error, &error)
            .hint("the ledger may follow a newer version of this program; --no-check leaves it to the ledger")
    })
}

fn window(inputs: &PublishInputs) -> Result<Option<Window>, Failure> {
    let (from, until) = (inputs.from.map(|from| from.0), inputs.until.map(|until| until.0));
    if from.is_none() && until.is_none() {
        return Ok(None);
    }
    let window = Window { from: from.unwrap_or(TimeMs(0)), until: until.unwrap_or(TimeMs::MAX) };
    match window.from <= window.until {
        true => Ok(Some(window)),
        false => Err(Failure::new(Code::Usage, "--from lies after --until")),
    }
}

/// Tells what became of one certificate; `true` if it is on the ledger.
pub fn tell(publication: &Publication, outcome: &PublicationOutcome, output: Output) -> bool {
    let (word, good) = match outcome {
        PublicationOutcome::Recorded { .. } => ("recorded", true),
        PublicationOutcome::Already { .. } => ("already", true),
        PublicationOutcome::Refused { .. } => ("refused", false),
        PublicationOutcome::Pending { .. } => ("pending", false),
    };
    let subject = publication.subject.as_str();
    let mut told = Told {
        certificate: publication.id(),
        subject,
        source: &publication.source,
        outcome: word,
        height: None,
        transaction: None,
        code: None,
        message: None,
    };
    let rest = match outcome {
        PublicationOutcome::Recorded { transaction, height } => {
            (told.height, told.transaction) = (Some(*height), Some(*transaction));
            format!("block {height}, transaction {transaction}")
        }
        PublicationOutcome::Already { code, message } | PublicationOutcome::Refused { code, message } => {
            (told.code, told.message) = (Some(code.as_str()), Some(message.as_str()));
            format!("{code}: {message}")
        }
        PublicationOutcome::Pending { transaction } => {
            told.transaction = Some(*transaction);
            format!("not recorded yet; ask later: tabellion ledger tx {transaction}")
        }
    };
    output.value(&told);
    output.line(format!("{} {subject}  {rest}", output.verdict(word, good)));
    good
}

/// Publishes all of the named certificates, or none.
pub async fn run(args: PublishArgs, context: &Context, output: Output) -> Done {
    let files = input::files(&args.files)?;
    let given = Given::read(&files, &args.inputs, output)?;
    let (party, rules) = context.rules().await?;
    let Prepared { publications, refused } = prepare(given, &args.inputs, &rules)?;
    let others = refused.len().saturating_sub(1);
    if let Some((_, failure)) = refused.into_iter().next() {
        let more = if others == 0 { String::new() } else { format!(" (and {others} more)") };
        return Err(Failure { message: format!("{}{more}", failure.message), ..failure });
    }
    if publications.len() > ENTRIES_MAX {
        let message = format!("{} certificates; one transaction holds {ENTRIES_MAX}", publications.len());
        return Err(Failure::new(Code::Usage, message).hint("use cert publish-batch"));
    }
    let key = context.key()?;
    let publisher = Publisher {
        nodes: party.nodes(),
        ledger: party.light().trust().ledger(),
        parameters: &rules.parameters,
        key: &key,
        wait: args.inputs.wait.0,
        all_or_none: true,
    };
    let (mut refused, mut pending) = (None, false);
    for (publication, outcome) in publisher.publish_batch(publications, now).await? {
        tell(&publication, &outcome, output);
        pending |= matches!(outcome, PublicationOutcome::Pending { .. });
        if let PublicationOutcome::Refused { code, message } = outcome {
            refused.get_or_insert((code, message));
        }
    }
    match refused {
        Some((code, message)) => Err(Failure {
            kind: code,
            ..Failure::new(Code::Refused, format!("the ledger refused: {message}"))
        }),
        None if pending => Err(Failure::new(Code::Error, "not recorded within the time to wait")
            .hint("wait longer with --wait, or ask later: tabellion ledger tx <transaction>")),
        None => Ok(()),
    }
}
