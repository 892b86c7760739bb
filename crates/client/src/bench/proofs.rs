//! Making and verifying status proofs in memory, on one core: what a face could serve at most.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use tabellion_ledger::trie::{MemoryPages, prove, update};
use tabellion_ledger::{
    Algorithm, CertificateId, FORMAT_VERSION, FinalityProof, FinalitySignature, Hash, Header, HeaderHash,
    Height, KeyId, LedgerId, Roster, StateProof, StateRoot, TimeMs, Validator, cbor, sha256,
};
use tabellion_machine::StatusAnswer;
use tabellion_pki::{CertificateRecord, Status, Window, certificate_key};

use super::BenchError;
use crate::key::SigningKey;

/// What one core does.
#[derive(Clone, Debug, Serialize)]
pub struct ProofReport {
    /// Records in the state.
    pub records: u32,
    /// Validators that signed the header.
    pub validators: usize,
    /// Proofs per second: trie path, record, finality proof, encoded.
    pub proofs_per_second: f64,
    /// Whole JSON answers per second, the proof in base64.
    pub answers_per_second: f64,
    /// Verifications per second, without trust kept between them.
    pub verifications_per_second: f64,
    /// The largest proof seen. Unit: bytes.
    pub proof_bytes_max: usize,
}

struct State {
    records: BTreeMap<CertificateId, Vec<u8>>,
    ids: Vec<CertificateId>,
    pages: MemoryPages,
    finality: FinalityProof,
    ledger: LedgerId,
    roster: Roster,
}

/// Measures on a state of `records` certificates under a header of `validators` validators, for `duration`
/// each.
pub fn bench_proofs(records: u32, validators: usize, duration: Duration) -> Result<ProofReport, BenchError> {
    let state = State::new(records.max(1), validators.max(1))?;
    let mut proof_bytes_max = 0;
    let proofs_per_second = per_second(duration, &state.ids, |id| {
        proof_bytes_max = proof_bytes_max.max(cbor::to_bytes(&state.proof(id)?).len());
        Some(())
    })?;
    let answers_per_second = per_second(duration, &state.ids, |id| {
        let proof = state.proof(id)?;
        let record = cbor::from_bytes::<CertificateRecord>(proof.record.as_ref()?, 4096).ok()?;
        let text = STANDARD.encode(cbor::to_bytes(&proof));
        let answer = StatusAnswer::new(id.to_string(), Some(&record), None, &proof.finality.header, text);
        serde_json::to_vec(&answer).ok().map(|bytes| drop(std::hint::black_box(bytes)))
    })?;
    let some: Vec<_> = state.ids.iter().take(1000).copied().collect();
    let encoded: BTreeMap<_, _> =
        some.iter().filter_map(|id| Some((*id, cbor::to_bytes(&state.proof(id)?)))).collect();
    let verifications_per_second = per_second(duration, &some, |id| {
        let proof: StateProof = cbor::from_bytes(encoded.get(id)?, 64 * 1024).ok()?;
        proof.verify(&state.ledger, &state.roster, &certificate_key(id)).ok().map(|_| ())
    })?;
    Ok(ProofReport {
        records,
        validators,
        proofs_per_second,
        answers_per_second,
        verifications_per_second,
        proof_bytes_max,
    })
}

fn per_second(
    duration: Duration,
    ids: &[CertificateId],
    mut work: impl FnMut(&CertificateId) -> Option<()>,
) -> Result<f64, BenchError> {
    let (start, mut count) = (Instant::now(), 0_u64);
    for id in ids.iter().cycle() {
        work(id).ok_or(BenchError::Nothing("a proof failed"))?;
        count += 1;
        if count % 16 == 0 && start.elapsed() >= duration {
            break;
        }
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

impl State {
    fn new(count: u32, validators: usize) -> Result<Self, BenchError> {
        let ids: Vec<_> = (0..count).map(|number| CertificateId::of(&number.to_be_bytes())).collect();
        let records: BTreeMap<_, _> = ids.iter().map(|id| (*id, cbor::to_bytes(&record(id)))).collect();
        let writes =
            records.iter().map(|(id, record)| (certificate_key(id).path(), Some(sha256(record)))).collect();
        let mut pages = MemoryPages::default();
        let update = update(&pages, &StateRoot::default(), &writes)
            .map_err(|_| BenchError::Nothing("the state could not be made"))?;
        pages.apply(&update);
        let ledger = LedgerId::of(b"bench");
        let (roster, finality) = finalise(ledger, update.root, validators)?;
        Ok(Self { records, ids, pages, finality, ledger, roster })
    }

    fn proof(&self, id: &CertificateId) -> Option<StateProof> {
        let key = certificate_key(id);
        let trie = prove(&self.pages, &self.finality.header.state_root, &key.path()).ok()?;
        Some(StateProof { record: self.records.get(id).cloned(), trie, finality: self.finality.clone(), key })
    }
}

fn record(id: &CertificateId) -> CertificateRecord {
    CertificateRecord {
        status: Status::Normal,
        reason: None,
        sequence: 0,
        since_height: Height(1000),
        since_time: TimeMs(1_795_219_200_000),
        validity: Window { from: TimeMs(1_795_219_200_000), until: TimeMs(1_802_995_200_999) },
        key: KeyId(id.0),
        issuer: CertificateId([2; 32]),
        root: CertificateId([3; 32]),
        published_height: Height(1000),
        submitter: KeyId(id.0),
        evidence: None,
        previous: None,
    }
}

fn finalise(ledger: LedgerId, root: StateRoot, count: usize) -> Result<(Roster, FinalityProof), BenchError> {
    let failed = |_| BenchError::Nothing("no key for signatures");
    let mut keys = Vec::new();
    for _ in 0..count {
        keys.push(SigningKey::generate(Algorithm::Ed25519).map_err(failed)?);
    }
    keys.sort_by(|a, b| a.public().as_bytes().cmp(b.public().as_bytes()));
    let validator = |key: &SigningKey| {
        let raw = key.public().as_bytes().try_into().ok()?;
        Some(Validator { key: raw, member: "bench".parse().ok()?, name: "bench".to_owned() })
    };
    let validators = keys.iter().filter_map(validator).collect();
    let roster = Roster::new(0, validators).map_err(|_| BenchError::Nothing("too many validators"))?;
    let header = Header {
        version: FORMAT_VERSION,
        ledger,
        height: Height(1_000_000),
        previous: HeaderHash([1; 32]),
        time: TimeMs(1_795_219_200_000),
        proposer: 0,
        lanes_root: Hash([2; 32]),
        state_root: root,
        roster: roster.hash(),
        next_roster: roster.hash(),
        history_root: Hash([3; 32]),
    };
    let (view, parent_view) = (1_000_001, 1_000_000);
    let mut proof = FinalityProof { header, epoch: 0, view, parent_view, signatures: Vec::new() };
    let message = proof.message(&ledger);
    for (validator, key) in (0..).zip(&keys).take(roster.quorum()) {
        let signature = key.sign(&message).map_err(failed)?.0.try_into();
        let signature = signature.map_err(|_| BenchError::Nothing("a signature of another length"))?;
        proof.signatures.push(FinalitySignature { validator, signature });
    }
    Ok((roster, proof))
}
