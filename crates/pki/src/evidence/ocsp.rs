//! OCSP responses (RFC 6960), signed by the CA or by its delegate.

use certval::ocsp::{
    CertId, CertStatus, OcspGeneralizedTime, OcspResponse, OcspResponseStatus, ResponderId, ResponseData,
    SingleResponse,
};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{
    ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_BASIC_CONSTRAINTS, ID_CE_CERTIFICATE_POLICIES, ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE, ID_CE_SUBJECT_ALT_NAME, ID_KP_OCSP_SIGNING,
};
use const_oid::db::rfc6960::{ID_PKIX_OCSP_BASIC, ID_PKIX_OCSP_NOCHECK};
use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierOwned;
use tabellion_ledger::{CertificateId, Hash, TimeMs, sha256};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{CrlReason, ExtendedKeyUsage, KeyUsage};

use super::frame::{Signed, canonical, check_frame, malformed, without_zeros};
use super::party::{sha1, sha2};
use super::{EvidenceRefusal, Feedback, Party};
use crate::change::{Evidence, EvidenceKind, Number, Reason};
use crate::verify::{AlgorithmSet, DistinguishedName, Place};

/// Bytes of an OCSP response: three times one with an ML-DSA-87 delegate's certificate.
pub const OCSP_BYTES_MAX: usize = 32 * 1024;
/// Certificates in one response; a delegate needs one.
const CERTIFICATES_MAX: usize = 4;
/// Certificates that one response speaks of.
const RESPONSES_MAX: usize = 64;

const KIND: EvidenceKind = EvidenceKind::Ocsp;
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// What a delegate's certificate may hold as critical.
const PROCESSED: [ObjectIdentifier; 7] = [
    ID_CE_AUTHORITY_KEY_IDENTIFIER,
    ID_CE_BASIC_CONSTRAINTS,
    ID_CE_CERTIFICATE_POLICIES,
    ID_CE_EXT_KEY_USAGE,
    ID_CE_KEY_USAGE,
    ID_CE_SUBJECT_ALT_NAME,
    ID_PKIX_OCSP_NOCHECK,
];

/// A response whose signature holds.
#[derive(Clone)]
pub(super) struct Response {
    responses: Vec<SingleResponse>,
    hash: Hash,
    signer: CertificateId,
    /// The earliest end of the certificates of CA and signer.
    end: TimeMs,
}

impl Response {
    /// Reads a response and verifies that `issuer`, or a delegate of it, signed it.
    ///
    /// Source: RFC 6960 3.2, 4.2.2.2 (required).
    pub fn read(bytes: &[u8], issuer: &Party, accepted: &AlgorithmSet) -> Result<Self, EvidenceRefusal> {
        let basic = basic(bytes)?;
        let (signed, data) = decode(&basic)?;
        let delegate = match is_responder(&data.responder_id, issuer)? {
            true => None,
            false => Some(delegate(&signed, &data, issuer, accepted)?),
        };
        let signer = delegate.as_ref().unwrap_or(issuer);
        signed.verify(signer, accepted)?;
        Ok(Self {
            responses: data.responses,
            hash: Hash(sha256(bytes)),
            signer: signer.facts.certificate,
            end: issuer.end().min(signer.end()),
        })
    }

    /// What it says of a certificate.
    pub fn about(&self, certificate: &Party, issuer: &Party) -> Result<Feedback, EvidenceRefusal> {
        let asked = certificate.facts.certificate;
        let mut matching = Vec::new();
        let mut of_same_serial = false;
        for single in &self.responses {
            let is_serial =
                without_zeros(single.cert_id.serial_number.as_bytes()) == certificate.facts.serial;
            if is_serial && is_issuer(&single.cert_id, certificate, issuer)? {
                matching.push(single);
            }
            of_same_serial |= is_serial;
        }
        match matching.as_slice() {
            [single] => self.feedback(single),
            [] if of_same_serial => {
                Err(EvidenceRefusal::OtherIssuer { kind: KIND, issuer: issuer.facts.certificate })
            }
            [] => Err(EvidenceRefusal::OtherCertificate { kind: KIND, asked }),
            _ => Err(EvidenceRefusal::Ambiguous { kind: KIND }),
        }
    }

    fn feedback(&self, single: &SingleResponse) -> Result<Feedback, EvidenceRefusal> {
        check_extensions(single.single_extensions.as_deref())?;
        let reason = match single.cert_status {
            CertStatus::Good(_) => None,
            CertStatus::Revoked(info) => Some(reason(info.revocation_reason)?),
            CertStatus::Unknown(_) => return Err(EvidenceRefusal::StatusUnknown),
        };
        let next_update = single.next_update.as_ref().map_or(TimeMs::MAX, time_ms);
        let evidence = Evidence {
            kind: KIND,
            hash: self.hash,
            signer: self.signer,
            at: time_ms(&single.this_update),
            until: next_update.min(self.end),
            number: Number::default(),
        };
        Ok(Feedback { reason, evidence })
    }
}

/// Reads all of a response that can be read without certificates.
pub(super) fn precheck(bytes: &[u8]) -> Result<(), EvidenceRefusal> {
    let basic = basic(bytes)?;
    let (signed, _) = decode(&basic)?;
    certificates(&signed).map(|_| ())
}

/// The reason as CA and CRL give it; a CA that gives none has no particular one. Source: RFC 5280 5.3.1.
pub(super) fn reason(given: Option<CrlReason>) -> Result<Reason, EvidenceRefusal> {
    match given {
        None | Some(CrlReason::Unspecified) => Ok(Reason::Unspecified),
        Some(CrlReason::KeyCompromise) => Ok(Reason::KeyCompromise),
        Some(CrlReason::CaCompromise) => Ok(Reason::CaCompromise),
        Some(CrlReason::AffiliationChanged) => Ok(Reason::AffiliationChanged),
        Some(CrlReason::Superseded) => Ok(Reason::Superseded),
        Some(CrlReason::CessationOfOperation) => Ok(Reason::CessationOfOperation),
        Some(CrlReason::CertificateHold) => Ok(Reason::CertificateHold),
        Some(CrlReason::PrivilegeWithdrawn) => Ok(Reason::PrivilegeWithdrawn),
        Some(CrlReason::AaCompromise) => Ok(Reason::AaCompromise),
        Some(CrlReason::RemoveFromCRL) => Err(EvidenceRefusal::RemovedFromCrl),
    }
}

/// The BasicOCSPResponse inside.
fn basic(bytes: &[u8]) -> Result<Vec<u8>, EvidenceRefusal> {
    check_frame(bytes, KIND, OCSP_BYTES_MAX)?;
    let response: OcspResponse = canonical(bytes, KIND)?;
    if response.response_status != OcspResponseStatus::Successful {
        let status = response.response_status as u8;
        return Err(EvidenceRefusal::ResponseNotSuccessful { status });
    }
    match response.response_bytes {
        Some(inner) if inner.response_type == ID_PKIX_OCSP_BASIC => Ok(inner.response.as_bytes().to_vec()),
        Some(inner) => Err(EvidenceRefusal::ResponseType { response_type: inner.response_type.to_string() }),
        None => Err(EvidenceRefusal::Malformed { kind: KIND, position: None }),
    }
}

fn decode(basic: &[u8]) -> Result<(Signed<'_>, ResponseData), EvidenceRefusal> {
    let signed = Signed::of(basic, KIND)?;
    let data: ResponseData = canonical(signed.tbs, KIND)?;
    if data.responses.len() > RESPONSES_MAX {
        let (count, count_max) = (data.responses.len(), RESPONSES_MAX);
        return Err(EvidenceRefusal::TooManyParts { kind: KIND, count, count_max });
    }
    check_extensions(data.response_extensions.as_deref())?;
    Ok((signed, data))
}

/// Of the extensions that a response may have none need be understood, unless it is critical. Source: RFC
/// 6960 4.4.
fn check_extensions(extensions: Option<&[Extension]>) -> Result<(), EvidenceRefusal> {
    match extensions.unwrap_or_default().iter().find(|extension| extension.critical) {
        None => Ok(()),
        Some(found) => {
            Err(EvidenceRefusal::UnknownExtension { kind: KIND, extension: found.extn_id.to_string() })
        }
    }
}

fn is_responder(id: &ResponderId, party: &Party) -> Result<bool, EvidenceRefusal> {
    match id {
        ResponderId::ByName(name) => {
            let name = DistinguishedName::of(name).map_err(|error| malformed(KIND, &error))?;
            Ok(name.is_same(&party.facts.subject))
        }
        ResponderId::ByKey(key) => Ok(key.as_bytes() == party.key_sha1()),
    }
}

/// The delegate's certificate in a response, which the CA itself has issued for this purpose.
///
/// Source: RFC 6960 4.2.2.2 (required).
fn delegate(
    signed: &Signed<'_>,
    data: &ResponseData,
    issuer: &Party,
    accepted: &AlgorithmSet,
) -> Result<Party, EvidenceRefusal> {
    for der in certificates(signed)? {
        let delegate = Party::of(der, Place::Certificate)
            .map_err(|_| EvidenceRefusal::Malformed { kind: KIND, position: None })?;
        if is_responder(&data.responder_id, &delegate)? {
            check_delegate(&delegate, time_ms(&data.produced_at), issuer, accepted)?;
            return Ok(delegate);
        }
    }
    Err(EvidenceRefusal::ResponderUnknown { issuer: issuer.facts.certificate })
}

fn check_delegate(
    delegate: &Party,
    produced_at: TimeMs,
    issuer: &Party,
    accepted: &AlgorithmSet,
) -> Result<(), EvidenceRefusal> {
    let id = delegate.facts.certificate;
    let not_issued = || EvidenceRefusal::DelegateNotOfCa { delegate: id, issuer: issuer.facts.certificate };
    if !delegate.facts.issuer.is_same(&issuer.facts.subject) {
        return Err(not_issued());
    }
    let verified = issuer.verify(&delegate.signature_algorithm, &delegate.tbs, &delegate.signature, accepted);
    verified.map_err(|refusal| match refusal {
        EvidenceRefusal::SignatureWrong { .. } => not_issued(),
        other => other,
    })?;
    let unknown = |extension: &&Extension| extension.critical && !PROCESSED.contains(&extension.extn_id);
    if let Some(found) = delegate.extensions.iter().find(unknown) {
        let extension = found.extn_id.to_string();
        return Err(EvidenceRefusal::UnknownExtension { kind: KIND, extension });
    }
    let purposes = delegate.extension::<ExtendedKeyUsage>(ID_CE_EXT_KEY_USAGE);
    let may_answer = purposes.is_some_and(|purposes| purposes.0.contains(&ID_KP_OCSP_SIGNING));
    // Where there is a key usage, it must allow signatures.
    let has_usage = delegate.extensions.iter().any(|extension| extension.extn_id == ID_CE_KEY_USAGE);
    let usage = delegate.extension::<KeyUsage>(ID_CE_KEY_USAGE);
    let may_sign = !has_usage || usage.is_some_and(|usage| usage.digital_signature());
    if !(may_answer && may_sign) {
        return Err(EvidenceRefusal::DelegateUsage { delegate: id });
    }
    let (from, until) = (delegate.facts.not_before, delegate.end());
    if !(from <= produced_at && produced_at <= until) {
        return Err(EvidenceRefusal::DelegateNotValid { delegate: id, from, until, at: produced_at });
    }
    Ok(())
}

/// The certificates that come with a response, as they stand in it.
fn certificates<'a>(signed: &Signed<'a>) -> Result<Vec<&'a [u8]>, EvidenceRefusal> {
    let Some(rest) = signed.rest else { return Ok(Vec::new()) };
    let found = list(rest).map_err(|error| malformed(KIND, &error))?;
    match found.len() {
        count if count > CERTIFICATES_MAX => {
            let count_max = CERTIFICATES_MAX;
            Err(EvidenceRefusal::TooManyParts { kind: KIND, count, count_max })
        }
        _ => Ok(found),
    }
}

/// [0] { SEQUENCE OF ... }
fn list(rest: &[u8]) -> der::Result<Vec<&[u8]>> {
    let outer = AnyRef::from_der(rest)?;
    let expected = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    outer.tag().assert_eq(expected)?;
    let inner = AnyRef::from_der(outer.value())?;
    inner.tag().assert_eq(Tag::Sequence)?;
    let mut fields = SliceReader::new(inner.value())?;
    let mut found = Vec::new();
    while !fields.is_finished() {
        found.push(fields.tlv_bytes()?);
    }
    Ok(found)
}

/// Whether a CertID names the issuer of `certificate`, by SHA-1 or by SHA-256. Source: RFC 6960 4.1.1.
fn is_issuer(id: &CertId, certificate: &Party, issuer: &Party) -> Result<bool, EvidenceRefusal> {
    let hash = hash_of(&id.hash_algorithm)?;
    Ok(id.issuer_name_hash.as_bytes() == hash(&certificate.issuer_name)
        && id.issuer_key_hash.as_bytes() == hash(&issuer.key_bits))
}

type HashFunction = fn(&[u8]) -> Vec<u8>;

fn hash_of(algorithm: &AlgorithmIdentifierOwned) -> Result<HashFunction, EvidenceRefusal> {
    let parameters = algorithm.parameters.as_ref();
    let fits = parameters.is_none_or(|p| p.tag() == Tag::Null && p.value().is_empty());
    match algorithm.oid {
        SHA_1 if fits => Ok(sha1),
        SHA_256 if fits => Ok(sha2),
        other => Err(EvidenceRefusal::AlgorithmNotAccepted { algorithm: other.to_string() }),
    }
}

fn time_ms(time: &OcspGeneralizedTime) -> TimeMs {
    // Decoding admits the years 1970 to 9999 only, so the milliseconds fit.
    TimeMs(time.0.to_unix_duration().as_secs().saturating_mul(1000))
}
