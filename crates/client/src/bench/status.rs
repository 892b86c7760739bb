//! Asking for statuses under load.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde::Serialize;
use tabellion_ledger::{CertificateId, cbor};

use super::{BenchError, Latency, Percentiles};
use crate::error::ClientError;
use crate::node::NodeClient;
use crate::offline::state_proof_from_base64;
use crate::trust::Trust;

/// How load is offered.
#[derive(Clone, Copy, Debug)]
pub struct StatusLoad {
    /// Questions on their way at one time; each keeps its connection.
    pub in_flight: usize,
    /// How long.
    pub duration: Duration,
    /// Every how manieth proof is verified; 0 = none.
    pub verify_every: usize,
}

/// What asking reached.
#[derive(Clone, Debug, Serialize)]
pub struct StatusReport {
    /// Answers.
    pub answers: usize,
    /// Failures.
    pub failed: usize,
    /// The first failure, if there was one.
    pub first_failure: Option<String>,
    /// Unit: s.
    pub seconds: f64,
    /// Answers per second.
    pub answers_per_second: f64,
    /// From question to answer.
    pub latency: Percentiles,
    /// Proofs verified, all of which held.
    pub verified: usize,
    /// Verifying one proof.
    pub verification: Percentiles,
    /// The largest proof. Unit: bytes.
    pub proof_bytes_max: usize,
}

#[derive(Default)]
struct Counters {
    latency: Latency,
    verification: Latency,
    failed: usize,
    first_failure: Option<String>,
    proof_bytes_max: usize,
}

/// Asks for these certificates, round and round.
pub async fn bench_status(
    nodes: &NodeClient,
    trust: &Trust,
    certificates: &[CertificateId],
    load: StatusLoad,
) -> Result<StatusReport, BenchError> {
    if certificates.is_empty() {
        return Err(BenchError::Nothing("no certificates"));
    }
    let start = Instant::now();
    let end = start + load.duration;
    let worker = |number: usize| async move {
        let mut counters = Counters::default();
        let mut asked = number;
        while Instant::now() < end {
            let id = &certificates[asked % certificates.len()];
            asked += load.in_flight;
            let verify = load.verify_every > 0 && counters.latency.count() % load.verify_every == 0;
            if let Err(error) = ask(nodes, trust, id, verify, &mut counters).await {
                counters.failed += 1;
                counters.first_failure.get_or_insert(error.to_string());
            }
        }
        counters
    };
    let in_flight = load.in_flight.max(1);
    let mut workers = futures::stream::iter(0..in_flight).map(worker).buffer_unordered(in_flight);
    let mut all = Counters::default();
    while let Some(counters) = workers.next().await {
        all.latency.merge(counters.latency);
        all.verification.merge(counters.verification);
        all.failed += counters.failed;
        all.first_failure = all.first_failure.or(counters.first_failure);
        all.proof_bytes_max = all.proof_bytes_max.max(counters.proof_bytes_max);
    }
    let seconds = start.elapsed().as_secs_f64();
    Ok(StatusReport {
        answers: all.latency.count(),
        failed: all.failed,
        first_failure: all.first_failure,
        seconds,
        answers_per_second: all.latency.count() as f64 / seconds,
        latency: all.latency.percentiles(),
        verified: all.verification.count(),
        verification: all.verification.percentiles(),
        proof_bytes_max: all.proof_bytes_max,
    })
}

async fn ask(
    nodes: &NodeClient,
    trust: &Trust,
    id: &CertificateId,
    verify: bool,
    counters: &mut Counters,
) -> Result<(), ClientError> {
    let start = Instant::now();
    let answer = nodes.certificate(id).await?;
    counters.latency.push(start.elapsed());
    if verify {
        let proof = state_proof_from_base64(&answer.proof)?;
        counters.proof_bytes_max = counters.proof_bytes_max.max(cbor::to_bytes(&proof).len());
        let start = Instant::now();
        trust.status(&proof, id)?;
        counters.verification.push(start.elapsed());
    }
    Ok(())
}
