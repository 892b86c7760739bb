//! Rules of the certificate lane.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::CertificateId;
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};

use super::bounds::{ParameterFault, within};

/// Trusted certification authorities of one ledger: a few times what the largest public trust store holds.
pub const ANCHORS_MAX: usize = 1024;
/// Acceptable policies: a ledger has a few.
const POLICIES_MAX: usize = 64;
/// Names of the list of distinguished names.
const NAMES_MAX: usize = 1024;
const NAME_TEXT_BYTES_MAX: usize = 1024;
const OID_TEXT_MAX: usize = 128;
/// A CA, its client and the ledger need less; below it a busy ledger would refuse honest feedback.
const EVIDENCE_AGE_MS_MIN: u64 = 60_000;
/// A root that is kept offline gives a CRL once a year; older feedback says nothing of today.
const EVIDENCE_AGE_MS_MAX: u64 = 400 * 24 * 3_600_000;

/// What the certificate lane records.
///
/// Source: X.1409 C6, clause 8.2.1(4) (required): the certificate and its status, or its identifier and its
/// status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LedgerKind {
    /// Complete certificates.
    Full,
    /// Identifiers (SHA-256) only.
    Identifiers,
}

impl fmt::Display for LedgerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Identifiers => "identifiers",
        })
    }
}

impl FromStr for LedgerKind {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        match text {
            "full" => Ok(Self::Full),
            "identifiers" => Ok(Self::Identifiers),
            _ => Err(DecodeError::Value { field: "ledger kind" }),
        }
    }
}

impl Wire for LedgerKind {
    fn encode(&self, out: &mut Writer) {
        out.uint(match self {
            Self::Full => 0,
            Self::Identifiers => 1,
        });
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.uint()? {
            0 => Ok(Self::Full),
            1 => Ok(Self::Identifiers),
            _ => Err(DecodeError::Value { field: "ledger kind" }),
        }
    }
}

/// A key algorithm that certificates may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateAlgorithm {
    /// RSA; the bounds of the modulus are parameters of their own.
    Rsa,
    /// ECDSA over P-256.
    P256,
    /// ECDSA over P-384.
    P384,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44 (FIPS 204, RFC 9881).
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl CertificateAlgorithm {
    /// Every algorithm, in the order of its number on the wire.
    pub const ALL: [Self; 7] =
        [Self::Rsa, Self::P256, Self::P384, Self::Ed25519, Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];
}

impl Wire for CertificateAlgorithm {
    fn encode(&self, out: &mut Writer) {
        let place = Self::ALL.iter().position(|algorithm| algorithm == self);
        let place = place.expect("invariant: ALL holds every algorithm");
        out.uint(u64::try_from(place).expect("invariant: usize fits u64"));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let place = usize::from(input.u16("certificate algorithm")?);
        Self::ALL.get(place).copied().ok_or(DecodeError::Value { field: "certificate algorithm" })
    }
}

/// Rules of the certificate lane: the participants' list of trusted CAs, policies, names and algorithms.
///
/// Shape: [kind, [anchor id, ...], [policy OID, ...], explicit policy, inhibit mapping, inhibit any-policy,
/// [permitted name, ...] or null, [algorithm, ...], RSA bits least, RSA bits most, strict, underscores,
/// certificate bytes, intermediates, alternative names, schedule ahead (ms), age of evidence (ms), verifier
/// version].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CertificateRules {
    /// Complete certificates, or identifiers only.
    pub kind: LedgerKind,
    /// The trusted CAs, ascending by identifier (X.1409 C4, 8.2.1(3): required).
    pub anchors: Vec<CertificateId>,
    /// Acceptable certificate policies as dotted OIDs; empty = any policy.
    pub policies: Vec<String>,
    /// Whether every path must have a valid policy (X.509 initial-explicit-policy).
    pub explicit_policy: bool,
    /// X.509 initial-policy-mapping-inhibit.
    pub inhibit_policy_mapping: bool,
    /// X.509 initial-inhibit-any-policy.
    pub inhibit_any_policy: bool,
    /// Where set, only subjects that one of these names permits are recorded (X.1409 C5: optional).
    pub names: Option<Vec<PermittedName>>,
    /// Accepted key algorithms.
    pub algorithms: Vec<CertificateAlgorithm>,
    /// Least RSA modulus. Unit: bits.
    pub rsa_bits_min: u32,
    /// Largest RSA modulus. Unit: bits.
    pub rsa_bits_max: u32,
    /// Whether the rules of RFC 5280 clause 4 that bind the issuing CA are checked too.
    pub strict: bool,
    /// Whether DNS names may hold underscores.
    pub underscore_in_dns_names: bool,
    /// Bytes of one certificate.
    pub certificate_bytes_max: u32,
    /// Intermediate certificates of one chain.
    pub intermediates_max: u32,
    /// Alternative names of one certificate.
    pub names_max: u32,
    /// How far ahead a publication may be scheduled. Unit: ms.
    pub schedule_ahead_ms_max: u64,
    /// How old a CA's feedback may be when a status change rests on it. Unit: ms.
    pub evidence_age_ms_max: u64,
    /// Version of the path verifier.
    pub verifier_version: u64,
}

impl Default for CertificateRules {
    fn default() -> Self {
        Self {
            kind: LedgerKind::Full,
            anchors: Vec::new(),
            policies: Vec::new(),
            explicit_policy: false,
            inhibit_policy_mapping: false,
            inhibit_any_policy: false,
            names: None,
            algorithms: CertificateAlgorithm::ALL.to_vec(),
            rsa_bits_min: 2048,
            rsa_bits_max: 8192,
            strict: true,
            underscore_in_dns_names: false,
            certificate_bytes_max: 16 * 1024,
            intermediates_max: 6,
            names_max: 100,
            schedule_ahead_ms_max: 400 * 24 * 3_600_000,
            // What most CAs let a CRL or an OCSP response live for.
            evidence_age_ms_max: 7 * 24 * 3_600_000,
            verifier_version: 1,
        }
    }
}

impl CertificateRules {
    pub(crate) fn check(&self) -> Result<(), ParameterFault> {
        let (least, most) = (EVIDENCE_AGE_MS_MIN, EVIDENCE_AGE_MS_MAX);
        within("certificate.evidence_age_ms_max", self.evidence_age_ms_max, least, most)
    }
}

impl Wire for CertificateRules {
    fn encode(&self, out: &mut Writer) {
        out.array(18);
        self.kind.encode(out);
        out.list(&self.anchors);
        encode_policies(&self.policies, out);
        out.bool(self.explicit_policy);
        out.bool(self.inhibit_policy_mapping);
        out.bool(self.inhibit_any_policy);
        encode_names(self.names.as_deref(), out);
        out.list(&self.algorithms);
        out.uint(u64::from(self.rsa_bits_min));
        out.uint(u64::from(self.rsa_bits_max));
        out.bool(self.strict);
        out.bool(self.underscore_in_dns_names);
        out.uint(u64::from(self.certificate_bytes_max));
        out.uint(u64::from(self.intermediates_max));
        out.uint(u64::from(self.names_max));
        out.uint(self.schedule_ahead_ms_max);
        out.uint(self.evidence_age_ms_max);
        out.uint(self.verifier_version);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(18)?;
        Ok(Self {
            kind: LedgerKind::decode(input)?,
            anchors: decode_anchors(input)?,
            policies: decode_policies(input)?,
            explicit_policy: input.bool()?,
            inhibit_policy_mapping: input.bool()?,
            inhibit_any_policy: input.bool()?,
            names: decode_names(input)?,
            algorithms: input.list(CertificateAlgorithm::ALL.len())?,
            rsa_bits_min: input.u32("rsa_bits_min")?,
            rsa_bits_max: input.u32("rsa_bits_max")?,
            strict: input.bool()?,
            underscore_in_dns_names: input.bool()?,
            certificate_bytes_max: input.u32("certificate_bytes_max")?,
            intermediates_max: input.u32("intermediates_max")?,
            names_max: input.u32("names_max")?,
            schedule_ahead_ms_max: input.uint()?,
            evidence_age_ms_max: input.uint()?,
            verifier_version: input.uint()?,
        })
    }
}

fn decode_anchors(input: &mut Reader<'_>) -> Result<Vec<CertificateId>, DecodeError> {
    let anchors: Vec<CertificateId> = input.list(ANCHORS_MAX)?;
    match anchors.is_sorted_by(|before, after| before < after) {
        true => Ok(anchors),
        false => Err(DecodeError::Value { field: "anchors" }),
    }
}

pub(crate) fn encode_policies(policies: &[String], out: &mut Writer) {
    out.array(policies.len());
    for policy in policies {
        out.text(policy);
    }
}

pub(crate) fn decode_policies(input: &mut Reader<'_>) -> Result<Vec<String>, DecodeError> {
    let count = input.array(POLICIES_MAX)?;
    (0..count).map(|_| input.text(OID_TEXT_MAX).map(str::to_owned)).collect()
}

pub(crate) fn encode_names(names: Option<&[PermittedName]>, out: &mut Writer) {
    match names {
        None => out.null(),
        Some(names) => out.list(names),
    }
}

pub(crate) fn decode_names(input: &mut Reader<'_>) -> Result<Option<Vec<PermittedName>>, DecodeError> {
    if input.null()? { Ok(None) } else { input.list(NAMES_MAX).map(Some) }
}

/// A name in the list of distinguished names.
///
/// Shape: [name, whether names below it are permitted too].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermittedName {
    /// The name as RFC 4514 text, for example `O=Operator A,C=CH`.
    pub name: String,
    /// Whether all names below it are permitted too.
    pub subtree: bool,
}

impl Wire for PermittedName {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.text(&self.name);
        out.bool(self.subtree);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { name: input.text(NAME_TEXT_BYTES_MAX)?.to_owned(), subtree: input.bool()? })
    }
}
