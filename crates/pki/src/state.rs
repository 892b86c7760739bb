//! Records of the certificate lane in the state.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{CertificateId, Hash, Height, KeyId, TimeMs, sha256};

use crate::action::Window;
use crate::change::{Evidence, Reason};

/// Certificates of one key that the ledger names; renewals keep a key for years, not for hundreds of
/// certificates.
pub const CERTIFICATES_PER_KEY_MAX: usize = 64;
/// Publications that may start within one hour.
pub const SCHEDULED_PER_HOUR_MAX: usize = 4096;
/// Hours for which publications may wait: more than a year.
pub const SCHEDULED_HOURS_MAX: usize = 10_000;

/// The status of a certificate on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Valid within its validity.
    Normal,
    /// Invalid until it is resumed.
    Suspended,
    /// Invalid for good.
    Revoked,
}

impl Status {
    const ALL: [Self; 3] = [Self::Normal, Self::Suspended, Self::Revoked];

    fn number(self) -> u64 {
        match self {
            Self::Normal => 0,
            Self::Suspended => 1,
            Self::Revoked => 2,
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "normal",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
        })
    }
}

impl FromStr for Status {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let named = Self::ALL.into_iter().find(|status| status.to_string() == text);
        named.ok_or(DecodeError::Value { field: "status" })
    }
}

impl Wire for Status {
    fn encode(&self, out: &mut Writer) {
        out.uint(self.number());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = input.uint()?;
        Self::ALL
            .into_iter()
            .find(|status| status.number() == number)
            .ok_or(DecodeError::Value { field: "status" })
    }
}

/// The record of a certificate. Its history lies within: since when it holds, and the hash of the record
/// before.
///
/// Shape: [status, reason or null, sequence, since height, since time (ms), validity, key id, issuer id, root
/// id, published height, submitter's key id, evidence or null, hash of the record before or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// The latest status.
    pub status: Status,
    /// Why it is suspended or revoked; none where it is normal.
    pub reason: Option<Reason>,
    /// 0 for the first record, one more for each change.
    pub sequence: u64,
    /// The block since which this record holds.
    pub since_height: Height,
    /// Time of that block.
    pub since_time: TimeMs,
    /// When the certificate is valid, as published.
    pub validity: Window,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub key: KeyId,
    /// The certificate that issued it.
    pub issuer: CertificateId,
    /// The trusted CA at the end of its chain.
    pub root: CertificateId,
    /// The block whose body holds the publication.
    pub published_height: Height,
    /// The key on the ledger that signed the transaction which made this record.
    pub submitter: KeyId,
    /// What the status rests on; none for the first record.
    pub evidence: Option<Evidence>,
    /// SHA-256 of the record before.
    pub previous: Option<Hash>,
}

impl CertificateRecord {
    /// The record that a change leaves behind: what the publication said stays as it is.
    pub fn followed_by(
        &self,
        reason: Option<Reason>,
        evidence: Evidence,
        submitter: &KeyId,
        since_height: Height,
        since_time: TimeMs,
    ) -> Self {
        Self {
            status: Reason::status(reason),
            reason,
            sequence: self.sequence + 1,
            since_height,
            since_time,
            submitter: *submitter,
            evidence: Some(evidence),
            previous: Some(record_hash(self)),
            ..self.clone()
        }
    }
}

impl Wire for CertificateRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(13);
        self.status.encode(out);
        out.option(self.reason.as_ref());
        out.uint(self.sequence);
        self.since_height.encode(out);
        self.since_time.encode(out);
        self.validity.encode(out);
        self.key.encode(out);
        self.issuer.encode(out);
        self.root.encode(out);
        self.published_height.encode(out);
        self.submitter.encode(out);
        out.option(self.evidence.as_ref());
        out.option(self.previous.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(13)?;
        Ok(Self {
            status: Status::decode(input)?,
            reason: input.option()?,
            sequence: input.uint()?,
            since_height: Height::decode(input)?,
            since_time: TimeMs::decode(input)?,
            validity: Window::decode(input)?,
            key: KeyId::decode(input)?,
            issuer: CertificateId::decode(input)?,
            root: CertificateId::decode(input)?,
            published_height: Height::decode(input)?,
            submitter: KeyId::decode(input)?,
            evidence: input.option()?,
            previous: input.option()?,
        })
    }
}

/// The hash that the next record of a certificate carries.
pub fn record_hash(record: &CertificateRecord) -> Hash {
    Hash(sha256(&cbor::to_bytes(record)))
}

/// The certificates that carry one key, oldest first.
///
/// Shape: [certificate id, ...].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRecord(pub Vec<CertificateId>);

impl Wire for KeyRecord {
    fn encode(&self, out: &mut Writer) {
        out.list(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.list(CERTIFICATES_PER_KEY_MAX).map(Self)
    }
}

/// A publication that waits for the start of its validity.
///
/// Shape: [certificate id, validity, key id, issuer id, root id, published height,
/// submitter's key id].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduled {
    /// The certificate.
    pub certificate: CertificateId,
    /// When the publication is valid.
    pub validity: Window,
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub key: KeyId,
    /// The certificate that issued it.
    pub issuer: CertificateId,
    /// The trusted CA at the end of its chain.
    pub root: CertificateId,
    /// The block whose body holds the publication.
    pub published_height: Height,
    /// The key on the ledger that signed the publication.
    pub submitter: KeyId,
}

impl Scheduled {
    /// The first record of its certificate, where a block makes it (X.1409 C7).
    pub fn first_record(&self, since_height: Height, since_time: TimeMs) -> CertificateRecord {
        CertificateRecord {
            status: Status::Normal,
            reason: None,
            sequence: 0,
            since_height,
            since_time,
            validity: self.validity,
            key: self.key,
            issuer: self.issuer,
            root: self.root,
            published_height: self.published_height,
            submitter: self.submitter,
            evidence: None,
            previous: None,
        }
    }
}

impl Wire for Scheduled {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        self.certificate.encode(out);
        self.validity.encode(out);
        self.key.encode(out);
        self.issuer.encode(out);
        self.root.encode(out);
        self.published_height.encode(out);
        self.submitter.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        Ok(Self {
            certificate: CertificateId::decode(input)?,
            validity: Window::decode(input)?,
            key: KeyId::decode(input)?,
            issuer: CertificateId::decode(input)?,
            root: CertificateId::decode(input)?,
            published_height: Height::decode(input)?,
            submitter: KeyId::decode(input)?,
        })
    }
}

/// The publications that start within one hour: [start (ms), certificate id], in that order.
///
/// Shape: [[start, certificate id], ...].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleHour(pub Vec<(TimeMs, CertificateId)>);

impl Wire for ScheduleHour {
    fn encode(&self, out: &mut Writer) {
        out.array(self.0.len());
        for (start, certificate) in &self.0 {
            out.array(2);
            start.encode(out);
            certificate.encode(out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let count = input.array(SCHEDULED_PER_HOUR_MAX)?;
        let mut entries = Vec::new();
        for _ in 0..count {
            input.array_exact(2)?;
            entries.push((TimeMs::decode(input)?, CertificateId::decode(input)?));
        }
        Ok(Self(entries))
    }
}

/// The hours (since 1970) in which publications start, ascending, and the first start of all.
///
/// Shape: [first start (ms) or null, [hour, ...]].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScheduleIndex {
    /// The first start.
    pub next: Option<TimeMs>,
    /// Hours with a [`ScheduleHour`].
    pub hours: Vec<u64>,
}

impl Wire for ScheduleIndex {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.option(self.next.as_ref());
        out.array(self.hours.len());
        for hour in &self.hours {
            out.uint(*hour);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let next = input.option()?;
        let count = input.array(SCHEDULED_HOURS_MAX)?;
        let hours: Result<Vec<u64>, DecodeError> = (0..count).map(|_| input.uint()).collect();
        Ok(Self { next, hours: hours? })
    }
}
