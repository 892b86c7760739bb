//! The OCSP responder (RFC 6960, RFC 5019, RFC 9654).
//!
//! ```text
//!  request bytes -> kept answer? (same record, not near its end) ------------------------> response bytes
//!       `-> Asked (limits) -> CA -> index: issuer, serial -> certificate -> state: record -> Said -> signed
//! ```
mod cache;
mod request;
mod response;

use std::sync::Arc;

use bytes::Bytes;
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{CertificateId, StateKey, TimeMs, cbor};
use tabellion_pki::{CertificateRecord, Reason, Stale, Status, certificate_key};

use self::cache::Kept;
pub(super) use self::cache::{AnswerCache, NameCache};
pub(super) use self::request::REQUEST_BYTES_MAX;
use self::request::{Asked, AskedCertificate};
pub use self::request::{OcspRefusal, precheck_ocsp_request};
pub(super) use self::response::Said;
use self::response::{Answer, ErrorStatus, response};
use super::StatusFaces;
use super::authority::Authority;
use super::counters::Count;
use super::der::whole_second;
use super::signer::Signer;
use crate::backend::{Fault, Snapshot};
use crate::lookup::Found;

/// A response and how long caches may keep it.
#[derive(Clone, Debug)]
pub(super) struct OcspAnswer {
    pub der: Bytes,
    /// `None`: nobody may keep it.
    pub keep: Option<Keep>,
}

/// How long a response may be kept. Source: RFC 5019 5, 6.2.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keep {
    pub this_update: TimeMs,
    pub next_update: TimeMs,
    /// From here on the node makes a new one.
    pub until: TimeMs,
}

impl From<ErrorStatus> for OcspAnswer {
    fn from(status: ErrorStatus) -> Self {
        Self { der: status.to_der().into(), keep: None }
    }
}

/// What is known of one certificate that was asked for.
struct Judged {
    said: Said,
    /// The record on which it rests, where it is the only one that can change what is said.
    record: Option<(StateKey, Vec<u8>)>,
    status: Option<Status>,
    /// When this was known, as far as the index goes; none where the state alone says it.
    indexed_at: Option<TimeMs>,
    /// The last moment at which this may be said.
    until: TimeMs,
}

impl StatusFaces {
    /// Answers an OCSP request.
    ///
    /// Source: X.1409 C10, C17 (A.2).
    pub(super) async fn ocsp(self: &Arc<Self>, request: Bytes) -> OcspAnswer {
        let (now, snapshot) = (self.now(), self.backend.snapshot());
        let known_at = snapshot.finality().header.time;
        if self.config.staleness.check(known_at, now).is_ok()
            && let Some(kept) = self.answers.get(&request, &*snapshot, &self.authorities(), now)
        {
            self.counters.add(Count::Kept);
            return kept;
        }
        match self.ocsp_anew(&request, &*snapshot, now).await {
            Ok(answer) => answer,
            Err(status) => {
                self.counters.add(match status {
                    ErrorStatus::MalformedRequest => Count::Malformed,
                    ErrorStatus::InternalError => Count::Internal,
                    ErrorStatus::TryLater => Count::TryLater,
                    ErrorStatus::Unauthorized => Count::Unauthorized,
                });
                status.into()
            }
        }
    }

    async fn ocsp_anew(
        self: &Arc<Self>,
        request: &Bytes,
        snapshot: &dyn Snapshot,
        now: TimeMs,
    ) -> Result<OcspAnswer, ErrorStatus> {
        let asked = Asked::of(request).map_err(|refusal| {
            tracing::debug!(%refusal, "an OCSP request is not answered");
            ErrorStatus::MalformedRequest
        })?;
        let authorities = self.authorities();
        let index = authority_of(&authorities, &asked.certificates).ok_or(ErrorStatus::Unauthorized)?;
        let signer = authorities[index].ocsp.as_ref().ok_or(ErrorStatus::Unauthorized)?;
        if signer.until < now {
            tracing::warn!(ca = %authorities[index].id, "the OCSP responder's certificate is over");
            return Err(ErrorStatus::InternalError);
        }
        let mut judged = Vec::with_capacity(asked.certificates.len());
        for one in &asked.certificates {
            let found = self.issued(&authorities[index], one, now).await.map_err(failed)?;
            judged.push(judge(&found, snapshot, now));
        }
        let times = self.times(&judged, snapshot, signer, now).map_err(|stale| {
            tracing::debug!(%stale, "what is known is too old for an OCSP answer");
            ErrorStatus::TryLater
        })?;
        let answer = Answer {
            said: asked
                .certificates
                .iter()
                .zip(&judged)
                .map(|(one, known)| (&one.cert_id[..], known.said))
                .collect(),
            produced_at: now,
            this_update: times.this_update,
            next_update: times.next_update,
            nonce: asked.nonce.as_deref(),
        };
        let der = Bytes::from(sign(&answer, &authorities, index).await?);
        judged.iter().for_each(|one| self.counters.add(Count::of(one.said)));
        self.counters.add(Count::Signed);
        let is_unknown = judged.iter().any(|one| one.said == Said::Unknown);
        let keep = (asked.nonce.is_none() && !is_unknown).then_some(times);
        let answer = OcspAnswer { der, keep };
        if let (true, Some(_), [Judged { record: Some(record), .. }]) = (asked.is_plain, keep, &judged[..]) {
            let root = snapshot.finality().header.state_root;
            let kept =
                Kept { answer: answer.clone(), record: record.clone(), root, signed_by: authorities.clone() };
            self.answers.put(request, kept);
        }
        Ok(answer)
    }

    /// The certificates that a CertID may mean.
    async fn issued(
        self: &Arc<Self>,
        authority: &Authority,
        asked: &AskedCertificate,
        now: TimeMs,
    ) -> Result<Found<CertificateId>, Fault> {
        let key = (authority.key, asked.serial.clone());
        if let Some(found) = self.names.get(&key, now) {
            return Ok(found);
        }
        let (issuer, serial) = key.clone();
        let found = self.read(move |lookup| lookup.issued(&issuer, &serial)).await??;
        if !found.rows.is_empty() {
            self.names.put(key, found.clone(), now);
        }
        Ok(found)
    }

    /// The times of a response.
    ///
    /// `thisUpdate` is the time of the newest block whose signatures the node holds: then everything in it
    /// was known to be so. An idle ledger makes such a block with each heartbeat. For a certificate that was
    /// not found it is the time up to which the index was filled. What is revoked stays so, and is known now.
    fn times(
        &self,
        judged: &[Judged],
        snapshot: &dyn Snapshot,
        signer: &Signer,
        now: TimeMs,
    ) -> Result<Keep, Stale> {
        let rule = self.config.staleness;
        let proved_at = snapshot.finality().header.time;
        let (mut this_update, mut until) = (now, signer.until);
        for one in judged {
            until = until.min(one.until);
            let known_at = one.indexed_at.map_or(proved_at, |at| at.min(proved_at));
            rule.permits(one.status, known_at, now)?;
            if rule.check(known_at, now).is_ok() {
                this_update = this_update.min(known_at);
            }
        }
        let (this_update, validity_ms) = (whole_second(this_update), self.config.ocsp_validity_ms);
        let next_update = whole_second(this_update.plus(validity_ms).min(until));
        Ok(Keep { this_update, next_update, until: this_update.plus(validity_ms / 2).min(next_update) })
    }
}

async fn sign(
    answer: &Answer<'_>,
    authorities: &Arc<Vec<Authority>>,
    index: usize,
) -> Result<Vec<u8>, ErrorStatus> {
    let signer = authorities[index].ocsp.as_ref().ok_or(ErrorStatus::Unauthorized)?;
    let signed_part = answer.signed_part(signer);
    if signer.is_quick {
        let signature = signer.sign(&signed_part).map_err(failed)?;
        return Ok(response(&signed_part, &signature, signer));
    }
    // RSA and ML-DSA take up to milliseconds: the other requests of this thread go on meanwhile.
    let authorities = authorities.clone();
    let work = move || {
        let signer = authorities[index].ocsp.as_ref().ok_or(ErrorStatus::Unauthorized)?;
        let signature = signer.sign(&signed_part).map_err(failed)?;
        Ok(response(&signed_part, &signature, signer))
    };
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ErrorStatus {
    let error = error.into();
    tracing::error!(error = &*error, "an OCSP request failed inside the node");
    ErrorStatus::InternalError
}

/// The one CA that all CertIDs name: one response has one signer.
fn authority_of(authorities: &[Authority], asked: &[AskedCertificate]) -> Option<usize> {
    let is_named = |authority: &Authority| {
        asked.iter().all(|one| one.is_known_hash && authority.is_named(&one.name_hash, &one.key_hash))
    };
    authorities.iter().position(is_named)
}

/// What is said of the certificates that a CertID may mean: the worst of what is recorded. They are several
/// only where a CA gave a serial number twice.
///
/// Source: X.1409 C10, C17: `good` is `normal` within the validity, `revoked` with the reason certificateHold
/// is `suspended`.
fn judge(found: &Found<CertificateId>, snapshot: &dyn Snapshot, now: TimeMs) -> Judged {
    let records = found.rows.iter().filter_map(|id| {
        let key = certificate_key(id);
        let bytes = snapshot.get(&key)?;
        let record: CertificateRecord = cbor::from_bytes(&bytes, RECORD_BYTES_MAX).ok()?;
        Some((key, bytes, record))
    });
    match records.max_by_key(|(.., record)| record.status) {
        None => Judged {
            said: Said::Unknown,
            record: None,
            status: None,
            indexed_at: found.rows.is_empty().then_some(found.known_at),
            until: TimeMs::MAX,
        },
        Some((key, bytes, record)) => {
            let (said, status) = (said(&record, now), Some(record.status));
            let until = if said == Said::Good { record.validity.until } else { TimeMs::MAX };
            let record = (found.rows.len() == 1).then_some((key, bytes));
            Judged { said, record, status, indexed_at: None, until }
        }
    }
}

fn said(record: &CertificateRecord, now: TimeMs) -> Said {
    let reason = record.reason.unwrap_or(Reason::Unspecified);
    match record.status {
        Status::Normal if record.validity.contains(now) => Said::Good,
        Status::Normal => Said::Unknown,
        Status::Suspended => Said::Revoked { at: record.since_time, reason: Reason::CertificateHold },
        Status::Revoked => Said::Revoked { at: record.since_time, reason },
    }
}
