//! Changes of a certificate's status: what a request says of the CA's feedback, and what records keep of it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{CertificateId, Hash, TimeMs};

use crate::action::Entry;
use crate::state::Status;

/// Octets of a CRL number that must be understood. Source: RFC 5280 5.2.3 (required).
const NUMBER_OCTETS_MAX: usize = 20;
/// Bytes of an AlgorithmIdentifier: RSA-PSS, the longest accepted one, has 67.
const ALGORITHM_BYTES_MAX: usize = 128;
/// Bytes of a signature: ML-DSA-87, the longest accepted one, has 4,627.
const SIGNATURE_BYTES_MAX: usize = 5 * 1024;

/// Why a certificate is revoked or suspended.
///
/// Source: RFC 5280 5.3.1; `removeFromCRL` is missing, as it stands in delta CRLs only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// No reason is given; also where a CA leaves it out.
    Unspecified,
    /// The certificate's private key is known to others, or feared to be.
    KeyCompromise,
    /// The same of the CA's key.
    CaCompromise,
    /// The subject's name or other words about it have changed.
    AffiliationChanged,
    /// Another certificate took its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// It is on hold: the reason of every suspension, and of nothing else.
    CertificateHold,
    /// A privilege that it spoke of was withdrawn.
    PrivilegeWithdrawn,
    /// The attribute authority's key is known to others, or feared to be.
    AaCompromise,
}

impl Reason {
    /// All reasons with their numbers in RFC 5280.
    pub const ALL: [(Self, u8); 9] = [
        (Self::Unspecified, 0),
        (Self::KeyCompromise, 1),
        (Self::CaCompromise, 2),
        (Self::AffiliationChanged, 3),
        (Self::Superseded, 4),
        (Self::CessationOfOperation, 5),
        (Self::CertificateHold, 6),
        (Self::PrivilegeWithdrawn, 9),
        (Self::AaCompromise, 10),
    ];

    /// The reason with this number; none for a number that is no reason of a complete CRL.
    pub fn of_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, other)| *other == number).map(|(reason, _)| reason)
    }

    /// The number in RFC 5280.
    pub fn number(self) -> u8 {
        let row = Self::ALL.into_iter().find(|(reason, _)| *reason == self);
        row.map(|(_, number)| number).expect("invariant: ALL holds every reason")
    }

    /// The word in answers and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "key-compromise",
            Self::CaCompromise => "ca-compromise",
            Self::AffiliationChanged => "affiliation-changed",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::CertificateHold => "certificate-hold",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
            Self::AaCompromise => "aa-compromise",
        }
    }

    /// The status that a certificate with this reason has; none stands for a certificate in good standing.
    pub fn status(reason: Option<Self>) -> Status {
        match reason {
            None => Status::Normal,
            Some(Self::CertificateHold) => Status::Suspended,
            Some(_) => Status::Revoked,
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Reason {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let named = Self::ALL.into_iter().find(|(reason, _)| reason.word() == text);
        named.map(|(reason, _)| reason).ok_or(DecodeError::Value { field: "reason" })
    }
}

impl Wire for Reason {
    fn encode(&self, out: &mut Writer) {
        out.uint(u64::from(self.number()));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = u8::try_from(input.uint()?).ok();
        number.and_then(Self::of_number).ok_or(DecodeError::Value { field: "reason" })
    }
}

/// What a status change rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceKind {
    /// A statement for this ledger, signed with the CA's key.
    Statement,
    /// An OCSP response. Source: RFC 6960.
    Ocsp,
    /// A complete CRL. Source: RFC 5280 5.
    Crl,
    /// The certificate that took the place of this one, asked for with this one's key.
    Renewal,
}

impl EvidenceKind {
    const ALL: [Self; 4] = [Self::Statement, Self::Ocsp, Self::Crl, Self::Renewal];

    /// The word in answers and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Statement => "statement",
            Self::Ocsp => "ocsp",
            Self::Crl => "crl",
            Self::Renewal => "renewal",
        }
    }

    fn number(self) -> u64 {
        match self {
            Self::Statement => 0,
            Self::Ocsp => 1,
            Self::Crl => 2,
            Self::Renewal => 3,
        }
    }
}

impl fmt::Display for EvidenceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Wire for EvidenceKind {
    fn encode(&self, out: &mut Writer) {
        out.uint(self.number());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let number = input.uint()?;
        let found = Self::ALL.into_iter().find(|kind| kind.number() == number);
        found.ok_or(DecodeError::Value { field: "kind of evidence" })
    }
}

/// A number that a CA counts with: of a CRL, or of a statement.
///
/// Shape: byte string, most significant octet first, no leading zero, at most 20 octets.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Number([u8; NUMBER_OCTETS_MAX]);

impl Number {
    /// The number with these octets, most significant first; none for more than 20 of them.
    pub fn of_octets(octets: &[u8]) -> Option<Self> {
        let zeros = octets.iter().take_while(|octet| **octet == 0).count();
        let octets = &octets[zeros..];
        let start = NUMBER_OCTETS_MAX.checked_sub(octets.len())?;
        let mut number = [0; NUMBER_OCTETS_MAX];
        number[start..].copy_from_slice(octets);
        Some(Self(number))
    }

    fn octets(&self) -> &[u8] {
        let zeros = self.0.iter().take_while(|octet| **octet == 0).count();
        &self.0[zeros..]
    }
}

impl From<u64> for Number {
    fn from(number: u64) -> Self {
        let mut octets = [0; NUMBER_OCTETS_MAX];
        octets[NUMBER_OCTETS_MAX - 8..].copy_from_slice(&number.to_be_bytes());
        Self(octets)
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.octets() {
            [] => f.write_str("0"),
            octets => octets.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Number({self})")
    }
}

impl FromStr for Number {
    type Err = DecodeError;

    /// Reads hexadecimal digits, as `openssl crl -crlnumber` writes them.
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let wrong = || DecodeError::Value { field: "number" };
        let digits = text.trim_start_matches('0');
        if text.is_empty() || !digits.is_ascii() || digits.len() > 2 * NUMBER_OCTETS_MAX {
            return Err(wrong());
        }
        let padded = format!("{digits:0>width$}", width = 2 * NUMBER_OCTETS_MAX);
        let mut octets = [0; NUMBER_OCTETS_MAX];
        for (octet, pair) in octets.iter_mut().zip(padded.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| wrong())?;
            if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                return Err(wrong());
            }
            *octet = u8::from_str_radix(pair, 16).map_err(|_| wrong())?;
        }
        Ok(Self(octets))
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Wire for Number {
    fn encode(&self, out: &mut Writer) {
        out.bytes(self.octets());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let octets = input.bytes(NUMBER_OCTETS_MAX)?;
        match octets.first() {
            Some(0) => Err(DecodeError::Value { field: "number" }),
            _ => Self::of_octets(octets).ok_or(DecodeError::Value { field: "number" }),
        }
    }
}

/// What a status rests on: enough to order evidence, to find it and to compare it, without the evidence.
///
/// Shape: [kind, SHA-256, signer's certificate id, issued at (ms), usable until (ms), number].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Its kind.
    pub kind: EvidenceKind,
    /// SHA-256 of the evidence; of a renewal, the certificate id of the new certificate.
    pub hash: Hash,
    /// Whose key signed it: the CA's certificate, its OCSP delegate's, or the renewed certificate.
    pub signer: CertificateId,
    /// The moment of which it speaks: `thisUpdate`, the time of a statement, the block of a renewal.
    pub at: TimeMs,
    /// The last moment at which it may be used: `nextUpdate`, or the end of its signer's certificate.
    pub until: TimeMs,
    /// The number of a CRL; the sequence that a statement is for; 0 for others.
    pub number: Number,
}

impl Evidence {
    /// What the revocation of a renewed certificate rests on: the certificate in its place, in the block of
    /// that time.
    pub fn of_renewal(old: &CertificateId, new: &CertificateId, at: TimeMs) -> Self {
        Self {
            kind: EvidenceKind::Renewal,
            hash: Hash(*new.as_bytes()),
            signer: *old,
            at,
            until: at,
            number: Number::default(),
        }
    }
}

impl Wire for Evidence {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        self.kind.encode(out);
        self.hash.encode(out);
        self.signer.encode(out);
        self.at.encode(out);
        self.until.encode(out);
        self.number.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        Ok(Self {
            kind: EvidenceKind::decode(input)?,
            hash: Hash::decode(input)?,
            signer: CertificateId::decode(input)?,
            at: TimeMs::decode(input)?,
            until: TimeMs::decode(input)?,
            number: Number::decode(input)?,
        })
    }
}

/// A request to revoke, suspend or resume one certificate, with the CA's feedback (X.1409 C13, A.1(1):
/// required).
///
/// The certificate, its issuer's certificate (a root too) and the evidence are attachments, named here by
/// SHA-256. What the evidence says stands here as well and is compared with it: a ledger of identifiers keeps
/// only this.
///
/// Shape: [certificate id, issuer's certificate id, notAfter (ms), reason or null, evidence].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusChange {
    /// The certificate.
    pub certificate: CertificateId,
    /// The certificate that issued it.
    pub issuer: CertificateId,
    /// notAfter of the certificate; checked against it.
    pub not_after: TimeMs,
    /// The reason, which gives the new status: none for normal, hold for suspended, any other for revoked.
    pub reason: Option<Reason>,
    /// What the CA's feedback says.
    pub evidence: Evidence,
}

impl StatusChange {
    /// The status asked for.
    pub fn status(&self) -> Status {
        Reason::status(self.reason)
    }
}

impl Wire for StatusChange {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.certificate.encode(out);
        self.issuer.encode(out);
        self.not_after.encode(out);
        out.option(self.reason.as_ref());
        self.evidence.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        let change = Self {
            certificate: CertificateId::decode(input)?,
            issuer: CertificateId::decode(input)?,
            not_after: TimeMs::decode(input)?,
            reason: input.option()?,
            evidence: Evidence::decode(input)?,
        };
        match change.evidence.kind {
            // A renewal is an action of its own.
            EvidenceKind::Renewal => Err(DecodeError::Value { field: "kind of evidence" }),
            _ => Ok(change),
        }
    }
}

/// A signature as it stands in certificates: made by any tool that signs with a certificate's key.
///
/// Shape: [AlgorithmIdentifier (DER), signature].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeySignature {
    /// The AlgorithmIdentifier, DER.
    pub algorithm: Vec<u8>,
    /// The content of the BIT STRING that a certificate would hold.
    pub signature: Vec<u8>,
}

impl Wire for KeySignature {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.bytes(&self.algorithm);
        out.bytes(&self.signature);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self {
            algorithm: input.bytes(ALGORITHM_BYTES_MAX)?.to_vec(),
            signature: input.bytes(SIGNATURE_BYTES_MAX)?.to_vec(),
        })
    }
}

/// A request to publish a certificate in the place of another one, which is revoked (X.1409 C15, A.1).
///
/// Both certificates are attachments, as are the intermediates of the new one.
///
/// Shape: [entry of the new certificate, old certificate id, notAfter of the old one (ms), signature].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// The new certificate.
    pub entry: Entry,
    /// The old one.
    pub old: CertificateId,
    /// notAfter of the old one; checked against it.
    pub old_not_after: TimeMs,
    /// By the old certificate's key, over `renewal_message`.
    pub signature: KeySignature,
}

impl Wire for Renewal {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.entry.encode(out);
        self.old.encode(out);
        self.old_not_after.encode(out);
        self.signature.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            entry: Entry::decode(input)?,
            old: CertificateId::decode(input)?,
            old_not_after: TimeMs::decode(input)?,
            signature: KeySignature::decode(input)?,
        })
    }
}
