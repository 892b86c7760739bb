//! What a submitter can ask of the certificate lane.

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::ENVELOPE_BYTES_MAX;
use tabellion_ledger::{CertificateId, KeyId, TimeMs};

use crate::change::{Renewal, StatusChange};
use crate::composed::Relay;
use crate::notice::OptimisationNotice;
use crate::state::Status;

/// Certificates in one transaction: a CA's upload, or what one CRL says of them. Bounded so that one
/// transaction stays within a quarter of a block.
pub const ENTRIES_MAX: usize = 256;
/// Intermediate certificates that an entry may name; the ledger's parameters may say less.
pub const INTERMEDIATES_MAX: usize = 8;

const PUBLISH: u64 = 0;
const CHANGE: u64 = 1;
const RENEW: u64 = 2;
const NOTICE: u64 = 3;
const RELAY: u64 = 4;

/// A span of time, both ends included.
///
/// Shape: [from (ms), until (ms)].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First moment.
    pub from: TimeMs,
    /// Last moment.
    pub until: TimeMs,
}

impl Window {
    /// Whether `at` lies within.
    pub fn contains(&self, at: TimeMs) -> bool {
        self.from <= at && at <= self.until
    }
}

impl Wire for Window {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.from.encode(out);
        self.until.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { from: TimeMs::decode(input)?, until: TimeMs::decode(input)? })
    }
}

/// One certificate to be published, with its status, intermediate certificates and root (X.1409 C2, 8.2.1(2):
/// required).
///
/// The certificates themselves are attachments of the transaction, named here by SHA-256; the root is one of
/// the ledger's trusted CAs, whose certificate every validator node holds.
///
/// Shape: [certificate id, key id, status, certificate's own validity, requested window or null,
/// [intermediate id, ...], root id].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// SHA-256 of the certificate.
    pub certificate: CertificateId,
    /// SHA-256 of its SubjectPublicKeyInfo; checked against the certificate.
    pub key: KeyId,
    /// Its first status (X.1409 C7: `normal`).
    pub status: Status,
    /// notBefore and notAfter of the certificate; checked against it.
    pub validity: Window,
    /// The validity that the request asks for, within the certificate's own (X.1409 C12, 8.2.2: optional).
    pub window: Option<Window>,
    /// The intermediate certificates, the certificate's issuer first.
    pub intermediates: Vec<CertificateId>,
    /// The root certificate.
    pub root: CertificateId,
}

impl Entry {
    /// The certificate that issued this one.
    pub fn issuer(&self) -> CertificateId {
        self.intermediates.first().copied().unwrap_or(self.root)
    }

    /// When the publication is valid: the certificate's own validity, narrowed by the request.
    ///
    /// X.509 counts in seconds, and the whole last second belongs to a validity.
    pub fn effective(&self) -> Window {
        let (from, until) = (self.validity.from, self.validity.until.plus(999));
        match self.window {
            None => Window { from, until },
            Some(asked) => Window { from: from.max(asked.from), until: until.min(asked.until) },
        }
    }
}

impl Wire for Entry {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        self.certificate.encode(out);
        self.key.encode(out);
        self.status.encode(out);
        self.validity.encode(out);
        out.option(self.window.as_ref());
        out.list(&self.intermediates);
        self.root.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        Ok(Self {
            certificate: CertificateId::decode(input)?,
            key: KeyId::decode(input)?,
            status: Status::decode(input)?,
            validity: Window::decode(input)?,
            window: input.option()?,
            intermediates: input.list(INTERMEDIATES_MAX)?,
            root: CertificateId::decode(input)?,
        })
    }
}

/// An action of the certificate lane.
///
/// Shape: [number, arguments]; 0 publish: [entry, ...]; 1 change: [status change, ...]; 2 renew: renewal; 3
/// notice: [height, ...]; 4 relay: relay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Publish certificates: all of them or none.
    Publish(Vec<Entry>),
    /// Revoke, suspend or resume certificates: all of them or none (X.1409 C8, C13).
    Change(Vec<StatusChange>),
    /// Publish a certificate and revoke the one that it replaces (X.1409 C15).
    Renew(Box<Renewal>),
    /// Say that nothing in some blocks is needed any more (X.1409 C21).
    Notice(OptimisationNotice),
    /// Record what a foreign ledger proves (X.1409 C16).
    Relay(Box<Relay>),
}

impl Action {
    /// Parses an action.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        cbor::from_bytes(bytes, ENVELOPE_BYTES_MAX)
    }

    /// What it publishes.
    pub fn published(&self) -> &[Entry] {
        match self {
            Self::Publish(entries) => entries,
            Self::Change(_) | Self::Notice(_) | Self::Relay(_) => &[],
            Self::Renew(renewal) => std::slice::from_ref(&renewal.entry),
        }
    }
}

impl Wire for Action {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        match self {
            Self::Publish(entries) => {
                out.uint(PUBLISH);
                out.list(entries);
            }
            Self::Change(changes) => {
                out.uint(CHANGE);
                out.list(changes);
            }
            Self::Renew(renewal) => {
                out.uint(RENEW);
                renewal.encode(out);
            }
            Self::Notice(notice) => {
                out.uint(NOTICE);
                notice.encode(out);
            }
            Self::Relay(relay) => {
                out.uint(RELAY);
                relay.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        match input.uint()? {
            PUBLISH => Ok(Self::Publish(input.list(ENTRIES_MAX)?)),
            CHANGE => Ok(Self::Change(input.list(ENTRIES_MAX)?)),
            RENEW => Ok(Self::Renew(Box::new(Renewal::decode(input)?))),
            NOTICE => Ok(Self::Notice(OptimisationNotice::decode(input)?)),
            RELAY => Ok(Self::Relay(Box::new(Relay::decode(input)?))),
            _ => Err(DecodeError::Value { field: "action of the certificate lane" }),
        }
    }
}
