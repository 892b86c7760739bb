//! Complete CRLs (RFC 5280 5), signed by the CA itself.

use std::collections::{BTreeMap, BTreeSet};

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_CERTIFICATE_ISSUER, ID_CE_CRL_NUMBER, ID_CE_CRL_REASONS, ID_CE_DELTA_CRL_INDICATOR,
    ID_CE_ISSUING_DISTRIBUTION_POINT, ID_CE_KEY_USAGE,
};
use der::Decode;
use tabellion_ledger::{CertificateId, Hash, TimeMs, sha256};
use x509_cert::certificate::Raw;
use x509_cert::crl::{RevokedCert, TbsCertList};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::crl::dp::IssuingDistributionPoint;
use x509_cert::ext::pkix::{CrlNumber, CrlReason, KeyUsage};
use x509_cert::time::Time;

use super::frame::{Signed, canonical, check_frame, malformed, without_zeros};
use super::ocsp::reason;
use super::{EvidenceRefusal, Feedback, Party};
use crate::change::{Evidence, EvidenceKind, Number, Reason};
use crate::verify::{AlgorithmSet, DistinguishedName};

/// Bytes of a CRL: about 7,000 entries. What a CA with more entries gives is an OCSP response or a statement.
pub const CRL_BYTES_MAX: usize = 256 * 1024;

const KIND: EvidenceKind = EvidenceKind::Crl;

/// A CRL whose signature holds.
#[derive(Clone)]
pub(super) struct Crl {
    hash: Hash,
    signer: CertificateId,
    number: Number,
    at: TimeMs,
    until: TimeMs,
    entries: BTreeMap<Vec<u8>, Reason>,
}

impl Crl {
    /// Reads a complete CRL and verifies that `issuer` signed it.
    ///
    /// Refuses: delta and indirect CRLs and such as cover a part of the CA's certificates or reasons; they
    /// need more than one piece of evidence to be understood.
    pub fn read(bytes: &[u8], issuer: &Party, accepted: &AlgorithmSet) -> Result<Self, EvidenceRefusal> {
        let (signed, list) = decode(bytes)?;
        let number = check_list(&signed, &list)?;
        let found = DistinguishedName::of(&list.issuer).map_err(|error| malformed(KIND, &error))?;
        let signer = issuer.facts.certificate;
        if !found.is_same(&issuer.facts.subject) {
            return Err(EvidenceRefusal::OtherIssuer { kind: KIND, issuer: signer });
        }
        check_usage(issuer)?;
        signed.verify(issuer, accepted)?;
        let next_update = list.next_update.as_ref().map_or(TimeMs::MAX, time_ms);
        Ok(Self {
            hash: Hash(sha256(bytes)),
            signer,
            number,
            at: time_ms(&list.this_update),
            until: next_update.min(issuer.end()),
            entries: entries(list.revoked_certificates.unwrap_or_default())?,
        })
    }

    /// What it says of a certificate: one that does not stand in it is in good standing.
    pub fn about(&self, certificate: &Party, issuer: &Party) -> Result<Feedback, EvidenceRefusal> {
        if !certificate.facts.issuer.is_same(&issuer.facts.subject) {
            return Err(EvidenceRefusal::OtherIssuer { kind: KIND, issuer: self.signer });
        }
        let reason = self.entries.get(&certificate.facts.serial).copied();
        let Self { hash, signer, number, at, until, .. } = *self;
        Ok(Feedback { reason, evidence: Evidence { kind: KIND, hash, signer, at, until, number } })
    }
}

/// Reads all of a CRL that can be read without certificates.
pub(super) fn precheck(bytes: &[u8]) -> Result<(), EvidenceRefusal> {
    let (signed, list) = decode(bytes)?;
    check_list(&signed, &list)?;
    entries(list.revoked_certificates.unwrap_or_default()).map(|_| ())
}

fn decode(bytes: &[u8]) -> Result<(Signed<'_>, TbsCertList<Raw>), EvidenceRefusal> {
    check_frame(bytes, KIND, CRL_BYTES_MAX)?;
    let signed = Signed::of(bytes, KIND)?;
    let list = canonical(signed.tbs, KIND)?;
    match signed.rest {
        None => Ok((signed, list)),
        Some(_) => Err(EvidenceRefusal::Malformed { kind: KIND, position: None }),
    }
}

/// Whether it is a complete CRL that is understood; its number.
fn check_list(signed: &Signed<'_>, list: &TbsCertList<Raw>) -> Result<Number, EvidenceRefusal> {
    if list.signature != signed.algorithm {
        return Err(EvidenceRefusal::AlgorithmsDiffer {
            signed: list.signature.oid.to_string(),
            outer: signed.algorithm.oid.to_string(),
        });
    }
    let extensions = list.crl_extensions.as_deref().unwrap_or_default();
    let find = |identifier| find(extensions, identifier);
    if find(ID_CE_DELTA_CRL_INDICATOR).is_some() {
        return Err(EvidenceRefusal::DeltaCrl);
    }
    if let Some(found) = find(ID_CE_ISSUING_DISTRIBUTION_POINT) {
        let point = IssuingDistributionPoint::from_der(found.extn_value.as_bytes())
            .map_err(|error| malformed(KIND, &error))?;
        return match point.indirect_crl {
            true => Err(EvidenceRefusal::IndirectCrl),
            false => Err(EvidenceRefusal::PartialCrl),
        };
    }
    check_extensions(extensions, &[])?;
    // Without a number nobody can tell an older CRL from a newer one. Source: RFC 5280 5.2.3 (required).
    let number = find(ID_CE_CRL_NUMBER).ok_or(EvidenceRefusal::CrlNumber)?;
    let number = CrlNumber::from_der(number.extn_value.as_bytes()).map_err(|_| EvidenceRefusal::CrlNumber)?;
    Number::of_octets(number.0.as_bytes()).ok_or(EvidenceRefusal::CrlNumber)
}

fn entries(revoked: Vec<RevokedCert<Raw>>) -> Result<BTreeMap<Vec<u8>, Reason>, EvidenceRefusal> {
    let mut entries = BTreeMap::new();
    for entry in revoked {
        let extensions = entry.crl_entry_extensions.as_deref().unwrap_or_default();
        if find(extensions, ID_CE_CERTIFICATE_ISSUER).is_some() {
            return Err(EvidenceRefusal::IndirectCrl);
        }
        check_extensions(extensions, &[ID_CE_CRL_REASONS])?;
        let given = find(extensions, ID_CE_CRL_REASONS)
            .map(|extension| CrlReason::from_der(extension.extn_value.as_bytes()))
            .transpose()
            .map_err(|error| malformed(KIND, &error))?;
        let serial = without_zeros(entry.serial_number.as_bytes()).to_vec();
        if entries.insert(serial, reason(given)?).is_some() {
            return Err(EvidenceRefusal::Ambiguous { kind: KIND });
        }
    }
    Ok(entries)
}

/// No extension twice, and no critical one but those that are read.
fn check_extensions(extensions: &[Extension], read: &[ObjectIdentifier]) -> Result<(), EvidenceRefusal> {
    let mut seen = BTreeSet::new();
    for extension in extensions {
        let identifier = extension.extn_id;
        if !seen.insert(identifier) {
            return Err(EvidenceRefusal::Ambiguous { kind: KIND });
        }
        if extension.critical && !read.contains(&identifier) {
            return Err(EvidenceRefusal::UnknownExtension { kind: KIND, extension: identifier.to_string() });
        }
    }
    Ok(())
}

fn find(extensions: &[Extension], identifier: ObjectIdentifier) -> Option<&Extension> {
    extensions.iter().find(|extension| extension.extn_id == identifier)
}

/// Where a CA's certificate has a key usage, it must be one for CRLs. Source: RFC 5280 6.3.3 (f) (required).
fn check_usage(issuer: &Party) -> Result<(), EvidenceRefusal> {
    let has_usage = find(&issuer.extensions, ID_CE_KEY_USAGE).is_some();
    let usage = issuer.extension::<KeyUsage>(ID_CE_KEY_USAGE);
    match !has_usage || usage.is_some_and(|usage| usage.crl_sign()) {
        true => Ok(()),
        false => Err(EvidenceRefusal::CrlUsage { issuer: issuer.facts.certificate }),
    }
}

fn time_ms(time: &Time) -> TimeMs {
    // Decoding admits the years 1970 to 9999 only, so the milliseconds fit.
    TimeMs(time.to_unix_duration().as_secs().saturating_mul(1000))
}
