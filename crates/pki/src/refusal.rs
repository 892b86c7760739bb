//! Why a request to the certificate lane is refused.

mod change;
mod notice;

use serde::Serialize;
use tabellion_ledger::{CertificateId, DecodeError, Height, KeyId, TimeMs};
use thiserror::Error;

use crate::composed::RelayRefusal;
use crate::state::Status;
use crate::verify::CertificateRefusal;

pub use change::ChangeRefusal;
pub use notice::NoticeRefusal;

/// A refusal of a whole transaction.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The action's bytes are not an action of this lane.
    #[error("the action is refused: {0}")]
    Action(DecodeError),
    /// No entries.
    #[error("the request names no certificate")]
    Empty,
    /// An attachment that no entry names.
    #[error("attachment {id} belongs to no entry")]
    UnusedAttachment {
        /// SHA-256 of the attachment.
        id: CertificateId,
    },
    /// The same attachment twice.
    #[error("attachment {id} is there twice")]
    AttachmentTwice {
        /// SHA-256 of the attachment.
        id: CertificateId,
    },
    /// Entries that are refused, each with its reason. The others are not recorded either.
    #[error("{}", describe(.0))]
    Entries(Vec<RefusedEntry>),
    /// An optimisation notice is refused.
    #[error(transparent)]
    Notice(#[from] NoticeRefusal),
    /// What a proxy brings from a foreign ledger is refused.
    #[error(transparent)]
    Relay(#[from] RelayRefusal),
}

fn describe(refused: &[RefusedEntry]) -> String {
    match refused {
        [] => "no entry is refused".to_owned(),
        [only] => only.refusal.to_string(),
        [first, rest @ ..] => {
            format!(
                "{} certificates are refused; the first, number {}: {}",
                rest.len() + 1,
                first.index,
                first.refusal
            )
        }
    }
}

impl Refusal {
    /// The refusal's stable code: of the first refused entry where entries are refused.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Action(_) => "malformed-action",
            Self::Empty => "empty-request",
            Self::UnusedAttachment { .. } => "unused-attachment",
            Self::AttachmentTwice { .. } => "attachment-twice",
            Self::Notice(refusal) => refusal.code(),
            Self::Relay(refusal) => refusal.code(),
            Self::Entries(refused) => refused.first().map_or("refused-entries", |entry| entry.refusal.code()),
        }
    }
}

/// A refused entry of a request to publish, a refused status change or renewal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusedEntry {
    /// Place in the request, from 0.
    pub index: usize,
    /// The certificate.
    pub certificate: CertificateId,
    /// Why.
    pub refusal: EntryRefusal,
}

/// Why one certificate is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, Error, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum EntryRefusal {
    /// A certificate that the entry names is not attached.
    #[error("certificate {id} is named but not attached")]
    NotAttached {
        /// The missing certificate.
        id: CertificateId,
    },
    /// The first status is not `normal` (X.1409 C7).
    #[error("the first status of a certificate is normal, not {status}")]
    StatusNotNormal {
        /// The status asked for.
        status: Status,
    },
    /// The entry names another key than the certificate's.
    #[error("the certificate has key {found}, the request says {said}")]
    KeyDiffers {
        /// The certificate's key.
        found: KeyId,
        /// The request's.
        said: KeyId,
    },
    /// The entry names another validity than the certificate's.
    #[error("the certificate is valid from {from} until {until} (ms), the request says otherwise")]
    ValidityDiffers {
        /// notBefore.
        from: TimeMs,
        /// notAfter.
        until: TimeMs,
    },
    /// The requested window and the certificate's validity have no moment in common.
    #[error("nothing is left of the validity: it would start at {from} and end at {until} (ms)")]
    NoValidity {
        /// The later of the starts.
        from: TimeMs,
        /// The earlier of the ends.
        until: TimeMs,
    },
    /// The validity is over at block time.
    #[error("the validity ended at {until}; it is {at} (ms)")]
    ValidityOver {
        /// End of the validity.
        until: TimeMs,
        /// Time of the block.
        at: TimeMs,
    },
    /// The start lies too far ahead.
    #[error("the validity starts at {from}; at {at} at most {ahead_ms_max} ms ahead are accepted")]
    TooFarAhead {
        /// Start of the validity.
        from: TimeMs,
        /// Time of the block.
        at: TimeMs,
        /// The limit.
        ahead_ms_max: u64,
    },
    /// The root is not one of the trusted CAs.
    #[error("the root certificate {root} is not in this ledger's list of trusted CAs")]
    UntrustedRoot {
        /// The root.
        root: CertificateId,
    },
    /// The certificate is recorded already.
    #[error("the certificate is recorded since block {since_height} with status {status}")]
    AlreadyRecorded {
        /// Since when.
        since_height: Height,
        /// Its status.
        status: Status,
    },
    /// The certificate's publication waits already.
    #[error("the certificate's publication is already scheduled for {from} (ms)")]
    AlreadyScheduled {
        /// When it starts.
        from: TimeMs,
    },
    /// The key has as many certificates as one key may have.
    #[error("key {key} has {count} certificates; at most {count_max} are kept for one key")]
    TooManyForKey {
        /// The key.
        key: KeyId,
        /// Certificates recorded.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// Too many publications start within the same hour.
    #[error("{count} publications start within the hour of {from}; at most {count_max} are accepted")]
    ScheduleFull {
        /// Start of the validity.
        from: TimeMs,
        /// Publications that wait.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// The certificate or its chain is refused.
    #[error(transparent)]
    #[serde(untagged)]
    Certificate(#[from] CertificateRefusal),
    /// The status change or renewal is refused.
    #[error(transparent)]
    #[serde(untagged)]
    Change(#[from] ChangeRefusal),
}

impl EntryRefusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAttached { .. } => "not-attached",
            Self::Certificate(refusal) => refusal.code(),
            Self::Change(refusal) => refusal.code(),
            Self::StatusNotNormal { .. } => "status-not-normal",
            Self::KeyDiffers { .. } => "key-differs",
            Self::ValidityDiffers { .. } => "validity-differs",
            Self::NoValidity { .. } => "no-validity",
            Self::ValidityOver { .. } => "validity-over",
            Self::TooFarAhead { .. } => "too-far-ahead",
            Self::UntrustedRoot { .. } => "untrusted-root",
            Self::AlreadyRecorded { .. } => "already-recorded",
            Self::AlreadyScheduled { .. } => "already-scheduled",
            Self::TooManyForKey { .. } => "too-many-for-key",
            Self::ScheduleFull { .. } => "schedule-full",
        }
    }
}
