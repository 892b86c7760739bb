//! What the machine could do at most: the work that nobody can take from a validator, and nothing else.

use std::num::NonZero;
use std::time::{Duration, Instant};

use serde::Serialize;
use tabellion_ledger::{Algorithm, PublicKey, Signature, TimeMs};
use tabellion_machine::Ruleset;
use tabellion_pki::{Chain, ChainCache, Root, verify_chain};

use super::BenchError;
use crate::key::SigningKey;
use crate::publish::Publication;

/// Raw rates of this machine, all cores together, and what follows for publishing.
#[derive(Clone, Debug, Serialize)]
pub struct PhysicalLimit {
    /// Cores.
    pub cores: usize,
    /// Validators that share them; each verifies everything.
    pub validators_sharing: usize,
    /// Path validations per second, intermediates known, on all cores.
    pub validations_per_second: f64,
    /// Ed25519 signature checks per second on all cores.
    pub signature_checks_per_second: f64,
    /// Certificates in one transaction, under one signature.
    pub certificates_per_transaction: usize,
    /// Certificates per second at most: one validation each and its share of a signature check, on every
    /// validator.
    pub certificates_per_second: f64,
}

/// Measures for `seconds` each: path validations with warm caches, and signature checks.
pub fn physical_limit(
    publications: &[Publication],
    rules: &Ruleset,
    now: TimeMs,
    certificates_per_transaction: usize,
    validators_sharing: usize,
    duration: Duration,
) -> Result<PhysicalLimit, BenchError> {
    if publications.is_empty() {
        return Err(BenchError::Nothing("no certificates"));
    }
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let validations_per_second = on_all_cores(cores, duration, || {
        let mut cache = ChainCache::new(ChainCache::CAPACITY_DEFAULT);
        let mut next = publications.iter().cycle();
        move || {
            let Some(publication) = next.next() else { return };
            let mut certificates = publication.certificates();
            let Some(certificate) = certificates.next() else { return };
            let root = Root::Id(publication.entry.root);
            let chain = Chain { certificate, intermediates: certificates.collect(), root };
            let verdict = verify_chain(rules.prepared(), &chain, now, &cache);
            if !verdict.learned.is_only_use() {
                cache.absorb(verdict.learned);
            }
        }
    });
    let (key, message, signature) = signed_message()?;
    let signature_checks_per_second = on_all_cores(cores, duration, || {
        let (key, message, signature) = (&key, &message, &signature);
        move || {
            let _ = std::hint::black_box(key.verify(message, signature));
        }
    });
    let share = 1.0 / certificates_per_transaction.max(1) as f64;
    let seconds_each = 1.0 / validations_per_second + share / signature_checks_per_second;
    Ok(PhysicalLimit {
        cores,
        validators_sharing,
        validations_per_second,
        signature_checks_per_second,
        certificates_per_transaction,
        certificates_per_second: 1.0 / (seconds_each * validators_sharing.max(1) as f64),
    })
}

/// A signature over as many bytes as a small transaction's.
fn signed_message() -> Result<(PublicKey, Vec<u8>, Signature), BenchError> {
    let failed = |_| BenchError::Nothing("no key for signatures");
    let key = SigningKey::generate(Algorithm::Ed25519).map_err(failed)?;
    let message = vec![7; 512];
    let signature = key.sign(&message).map_err(failed)?;
    Ok((key.public().clone(), message, signature))
}

/// Times per second that `work` runs on all cores at once, each with its own state.
fn on_all_cores<W: FnMut()>(cores: usize, duration: Duration, make: impl Fn() -> W + Sync) -> f64 {
    std::thread::scope(|scope| {
        let run = || {
            let mut work = make();
            // What is slow only once does not count.
            (0..64).for_each(|_| work());
            let (start, mut count) = (Instant::now(), 0_u64);
            while start.elapsed() < duration {
                (0..16).for_each(|_| work());
                count += 16;
            }
            count as f64 / start.elapsed().as_secs_f64()
        };
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(run)).collect();
        workers.into_iter().filter_map(|worker| worker.join().ok()).sum::<f64>()
    })
}
