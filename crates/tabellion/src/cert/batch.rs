//! `tabellion cert publish-batch`: what can be recorded is; the rest is reported.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use futures::StreamExt;
use serde::Serialize;
use tabellion_client::{Publication, PublicationOutcome, Publisher};

use super::input;
use super::publish::{Given, Prepared, Refused, prepare, tell};
use crate::cli::PublishBatchArgs;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::output::Output;

/// Counts of what became of a batch.
#[derive(Debug, Default, Serialize)]
struct Summary {
    recorded: u64,
    already: u64,
    pending: u64,
    refused: u64,
    /// By code.
    refused_by_code: BTreeMap<String, u64>,
}

/// The file of refused certificates.
struct RefusedFile(Option<BufWriter<File>>);

impl RefusedFile {
    fn create(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(path) = path else { return Ok(Self(None)) };
        let fault = |error| Failure::new(Code::Error, format!("cannot write {}: {error}", path.display()));
        File::create(path).map(|file| Self(Some(BufWriter::new(file)))).map_err(fault)
    }

    fn push(&mut self, refused: &Refused) -> Done {
        let Some(file) = &mut self.0 else { return Ok(()) };
        let line = serde_json::to_string(refused).expect("invariant: our values have text keys");
        // Line by line, so that a break loses none.
        let written = writeln!(file, "{line}").and_then(|()| file.flush());
        written.map_err(|error| {
            Failure::new(Code::Error, format!("cannot write the refused certificates: {error}"))
        })
    }
}

/// Publishes what can be published.
pub async fn run(args: PublishBatchArgs, context: &Context, output: Output) -> Done {
    let files = input::files(&args.files)?;
    let given = Given::read(&files, &args.inputs, output)?;
    let (party, rules) = context.rules().await?;
    let Prepared { publications, refused } = prepare(given, &args.inputs, &rules)?;
    let mut summary = Summary::default();
    let mut file = RefusedFile::create(args.refused.as_deref())?;
    for (refused, _) in &refused {
        summary.refuse(&refused.code);
        output.value(refused);
        file.push(refused)?;
    }
    let key = context.key()?;
    let publisher = Publisher {
        nodes: party.nodes(),
        ledger: party.light().trust().ledger(),
        parameters: &rules.parameters,
        key: &key,
        wait: args.inputs.wait.0,
        all_or_none: false,
    };
    let total = u64::try_from(publications.len()).unwrap_or_default();
    output.say(format!("{total} certificates to publish, {} refused before sending", summary.refused));
    let bar = output.progress(total, "publishing");
    let mut batches =
        std::pin::pin!(publisher.publish_all(publications, args.per_transaction, args.in_flight, now));
    while let Some(batch) = batches.next().await {
        // A failure of one batch stops all: what was recorded stays, and a second run skips it.
        for (publication, outcome) in batch.map_err(again)? {
            summary.count(&publication, &outcome, &mut file)?;
            if output.is_json() {
                tell(&publication, &outcome, output);
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    summary.tell(output);
    summary.end(args.refused.as_deref())
}

fn again(error: tabellion_client::ClientError) -> Failure {
    let failure = Failure::from(error);
    let hint = "what was recorded stays; run the same command again to go on";
    Failure {
        hint: Some(failure.hint.map_or(hint.to_owned(), |first| format!("{first}; {hint}"))),
        ..failure
    }
}

impl Summary {
    fn refuse(&mut self, code: &str) {
        self.refused += 1;
        *self.refused_by_code.entry(code.to_owned()).or_default() += 1;
    }

    fn count(
        &mut self,
        publication: &Publication,
        outcome: &PublicationOutcome,
        file: &mut RefusedFile,
    ) -> Done {
        match outcome {
            PublicationOutcome::Recorded { .. } => self.recorded += 1,
            PublicationOutcome::Already { .. } => self.already += 1,
            PublicationOutcome::Pending { .. } => self.pending += 1,
            PublicationOutcome::Refused { code, message } => {
                self.refuse(code);
                file.push(&Refused {
                    certificate: publication.id(),
                    subject: publication.subject.clone(),
                    source: publication.source.clone(),
                    code: code.clone(),
                    message: message.clone(),
                })?;
            }
        }
        Ok(())
    }

    fn tell(&self, output: Output) {
        output.value(self);
        output.line(format!("recorded  {:>8}", self.recorded));
        output.line(format!("already   {:>8}", self.already));
        if self.pending > 0 {
            output.line(format!("pending   {:>8}", self.pending));
        }
        output.line(format!("refused   {:>8}", self.refused));
        for (code, count) in &self.refused_by_code {
            output.line(format!("  {code:<36} {count:>6}"));
        }
    }

    fn end(&self, file: Option<&Path>) -> Done {
        if self.refused > 0 {
            let failure = Failure::new(Code::Refused, format!("refused certificates: {}", self.refused));
            return Err(match file {
                Some(path) => failure.hint(format!("{} says which and why", path.display())),
                None => failure.hint("--refused FILE writes which and why"),
            });
        }
        match self.pending {
            0 => Ok(()),
            count => Err(Failure::new(Code::Error, format!("certificates not recorded yet: {count}"))
                .hint("run the same command again: what is recorded meanwhile is skipped")),
        }
    }
}
