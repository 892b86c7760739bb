//! Publishing many certificates: in batches, without those that the ledger refuses.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{Stream, StreamExt};
use tabellion_consortium::Parameters;
use tabellion_ledger::{LedgerId, TimeMs, TransactionId};
use tabellion_machine::{ProblemDetails, RefusedEntryAnswer};

use crate::error::ClientError;
use crate::key::SigningKey;
use crate::node::{NodeClient, Submitted};
use crate::publish::{Publication, Signer, batches};

/// Codes that say: it is on the ledger already. Not a failure of a batch that is run again.
const ALREADY: [&str; 2] = ["already-recorded", "already-scheduled"];
/// For those that share a request with a refused one.
const NOT_SENT: (&str, &str) = ("not-sent", "another certificate of the request is refused");
/// Times that a batch is made smaller and sent again. Each takes out at least one certificate; a ledger whose
/// state changes meanwhile can ask for several.
const ROUNDS_MAX: usize = 16;

/// What became of one publication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PublicationOutcome {
    /// Recorded in a finalised block.
    Recorded {
        /// The transaction.
        transaction: TransactionId,
        /// The block.
        height: u64,
    },
    /// On the ledger already.
    Already {
        /// `already-recorded` or `already-scheduled`.
        code: String,
        /// Since when.
        message: String,
    },
    /// Refused.
    Refused {
        /// Stable code.
        code: String,
        /// The reason in words.
        message: String,
    },
    /// Sent, and not recorded when the time to wait was over.
    Pending {
        /// The transaction.
        transaction: TransactionId,
    },
}

/// Signs and submits publications.
pub struct Publisher<'a> {
    /// The nodes.
    pub nodes: &'a NodeClient,
    /// The ledger.
    pub ledger: LedgerId,
    /// Its parameters, which bound a transaction's size and life.
    pub parameters: &'a Parameters,
    /// The submitter's key.
    pub key: &'a SigningKey,
    /// How long to wait for a transaction to be recorded.
    pub wait: Duration,
    /// Whether one refused certificate stops its whole batch; those on the ledger already do not.
    pub all_or_none: bool,
}

/// A batch that came to its end.
pub type BatchOutcome = Result<Vec<(Publication, PublicationOutcome)>, ClientError>;

impl Publisher<'_> {
    /// Until when a transaction made now may be recorded: half the longest time, so that clocks may differ by
    /// the other half.
    pub fn valid_until(&self, now: TimeMs) -> TimeMs {
        now.plus(self.parameters.transaction.lifetime_ms_max / 2)
    }

    /// Publishes all in batches of at most `entries_max`, `in_flight` of them at a time; yields batch by
    /// batch, in the order of their ends.
    pub fn publish_all<'a>(
        &'a self,
        publications: Vec<Publication>,
        entries_max: usize,
        in_flight: usize,
        now: impl Fn() -> TimeMs + Copy + 'a,
    ) -> impl Stream<Item = BatchOutcome> + 'a {
        let bytes_max = self.parameters.block.block_bytes_max;
        let batches = batches(publications, entries_max, bytes_max);
        futures::stream::iter(batches)
            .map(move |batch| self.publish_batch(batch, now))
            .buffer_unordered(in_flight.max(1))
    }

    /// Publishes one batch: a batch is recorded whole or not at all, so refused certificates are taken out
    /// and the others sent again.
    pub async fn publish_batch(&self, batch: Vec<Publication>, now: impl Fn() -> TimeMs) -> BatchOutcome {
        let mut rest = batch;
        let mut done = Vec::new();
        for _ in 0..ROUNDS_MAX {
            if rest.is_empty() {
                return Ok(done);
            }
            let signer = Signer { key: self.key, ledger: self.ledger };
            let transaction = signer.publish(&rest, self.valid_until(now()))?;
            let id = transaction.id();
            let outcome = match self.nodes.submit(id, transaction.to_bytes(), self.wait).await? {
                Submitted::Recorded(answer) => PublicationOutcome::Recorded {
                    transaction: id,
                    height: answer.height.unwrap_or_default(),
                },
                Submitted::Pending(transaction) => PublicationOutcome::Pending { transaction },
                Submitted::Refused(problem) if problem.entries.is_empty() => {
                    return Err(ClientError::Refused { problem });
                }
                Submitted::Refused(problem) => {
                    rest = take_out(rest, &problem, &mut done);
                    let is_refused =
                        |outcome: &PublicationOutcome| matches!(outcome, PublicationOutcome::Refused { .. });
                    if !self.all_or_none || !done.iter().any(|(_, outcome)| is_refused(outcome)) {
                        continue;
                    }
                    PublicationOutcome::Refused {
                        code: NOT_SENT.0.to_owned(),
                        message: NOT_SENT.1.to_owned(),
                    }
                }
            };
            done.extend(rest.into_iter().map(|publication| (publication, outcome.clone())));
            return Ok(done);
        }
        let message = format!("the ledger refused {ROUNDS_MAX} times, each time for other certificates");
        let outcome = PublicationOutcome::Refused { code: "unsettled".to_owned(), message };
        done.extend(rest.into_iter().map(|publication| (publication, outcome.clone())));
        Ok(done)
    }
}

/// Moves the refused ones to `done` and returns the others. Goes by certificate, so that an index that does
/// not fit takes out nothing.
fn take_out(
    batch: Vec<Publication>,
    problem: &ProblemDetails,
    done: &mut Vec<(Publication, PublicationOutcome)>,
) -> Vec<Publication> {
    let refused: BTreeMap<&str, &RefusedEntryAnswer> =
        problem.entries.iter().map(|entry| (entry.certificate.as_str(), entry)).collect();
    let mut rest = Vec::new();
    for publication in batch {
        match refused.get(publication.id().to_string().as_str()) {
            None => rest.push(publication),
            Some(RefusedEntryAnswer { code, message, .. }) => {
                let (code, message) = (code.clone(), message.clone());
                let outcome = match ALREADY.contains(&code.as_str()) {
                    true => PublicationOutcome::Already { code, message },
                    false => PublicationOutcome::Refused { code, message },
                };
                done.push((publication, outcome));
            }
        }
    }
    rest
}
