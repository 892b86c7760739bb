//! Publishing under load.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde::Serialize;
use tabellion_ledger::{TimeMs, Transaction};

use super::{BenchError, Latency, Percentiles, PhysicalLimit};
use crate::error::ClientError;
use crate::node::Submitted;
use crate::publish::{Publication, Signer, batches};
use crate::publisher::Publisher;

/// How load is offered.
#[derive(Clone, Copy, Debug)]
pub struct PublishLoad {
    /// Certificates in one transaction.
    pub per_transaction: usize,
    /// Transactions on their way at one time.
    pub in_flight: usize,
    /// Certificates per second; none = as fast as they are taken. With a rate, a latency counts from the
    /// moment at which its transaction was due, so that a slow ledger cannot hide behind a waiting client.
    pub rate: Option<f64>,
}

/// What publishing reached.
#[derive(Clone, Debug, Serialize)]
pub struct PublishReport {
    /// Certificates recorded.
    pub certificates: usize,
    /// Transactions recorded.
    pub transactions: usize,
    /// Transactions that were refused or not recorded in time.
    pub failed: usize,
    /// The first failure, if there was one.
    pub first_failure: Option<String>,
    /// From the first submission to the last answer. Unit: s.
    pub seconds: f64,
    /// Certificates recorded per second.
    pub certificates_per_second: f64,
    /// The rate that was asked for.
    pub offered_per_second: Option<f64>,
    /// From submission to "recorded in a finalised block, durable on the answering node".
    pub finality: Percentiles,
    /// Bytes of all transactions.
    pub bytes: usize,
    /// What the machine could do at most.
    pub limit: PhysicalLimit,
    /// Certificates per second divided by that limit.
    pub ratio: f64,
}

/// Publishes all and measures. Transactions are signed before the clock starts.
pub async fn bench_publish(
    publisher: &Publisher<'_>,
    publications: Vec<Publication>,
    load: PublishLoad,
    now: TimeMs,
    limit: PhysicalLimit,
    progress: impl Fn(usize),
) -> Result<PublishReport, BenchError> {
    let signed = sign(publisher, publications, load.per_transaction, now)?;
    let bytes = signed.iter().map(|(_, _, bytes)| bytes.len()).sum();
    let interval =
        load.rate.map(|rate| Duration::from_secs_f64(load.per_transaction as f64 / rate.max(0.001)));
    let start = Instant::now();
    let one = |(number, (count, id, bytes)): (u32, (usize, _, Vec<u8>))| async move {
        let due = match interval {
            None => Instant::now(),
            Some(interval) => start + interval * number,
        };
        tokio::time::sleep_until(due.into()).await;
        let outcome = publisher.nodes.submit(id, bytes, publisher.wait).await;
        (count, due.elapsed(), outcome)
    };
    let mut outcomes =
        futures::stream::iter((0..).zip(signed)).map(one).buffer_unordered(load.in_flight.max(1));
    let (mut latency, mut certificates, mut failed, mut first_failure) = (Latency::default(), 0, 0, None);
    while let Some((count, took, outcome)) = outcomes.next().await {
        let failure = match outcome {
            Ok(Submitted::Recorded(_)) => {
                latency.push(took);
                certificates += count;
                progress(certificates);
                continue;
            }
            Ok(Submitted::Refused(problem)) => format!("refused ({}): {}", problem.code, problem.detail),
            Ok(Submitted::Pending(id)) => {
                format!("transaction {id} was not recorded within {:?}", publisher.wait)
            }
            Err(error) => error.to_string(),
        };
        failed += 1;
        first_failure.get_or_insert(failure);
    }
    drop(outcomes);
    let seconds = start.elapsed().as_secs_f64();
    let certificates_per_second = certificates as f64 / seconds;
    Ok(PublishReport {
        certificates,
        transactions: latency.count(),
        failed,
        first_failure,
        seconds,
        certificates_per_second,
        offered_per_second: load.rate,
        finality: latency.percentiles(),
        bytes,
        ratio: certificates_per_second / limit.certificates_per_second,
        limit,
    })
}

type Signed = (usize, tabellion_ledger::TransactionId, Vec<u8>);

fn sign(
    publisher: &Publisher<'_>,
    publications: Vec<Publication>,
    per_transaction: usize,
    now: TimeMs,
) -> Result<Vec<Signed>, BenchError> {
    let signer = Signer { key: publisher.key, ledger: publisher.ledger };
    let bytes_max = publisher.parameters.block.block_bytes_max;
    let batches = batches(publications, per_transaction, bytes_max);
    let sign = |batch: Vec<Publication>| {
        let transaction: Transaction =
            signer.publish(&batch, publisher.valid_until(now)).map_err(ClientError::from)?;
        Ok((batch.len(), transaction.id(), transaction.to_bytes()))
    };
    batches.into_iter().map(sign).collect()
}
