//! A CA as OCSP and CRLs know it: by its name and its key, whichever of its certificates is at hand.

use der::Decode;
use spki::SubjectPublicKeyInfoRef;
use tabellion_ledger::{Hash, sha256};

use crate::evidence::{EvidenceRefusal, Party};
use crate::verify::{AlgorithmSet, CertificateRefusal, Parts, Place, malformed};

/// Name and key of a CA, as they stand in its certificate. Certificates that others issued to the same CA
/// (cross-signed ones) give the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerName {
    /// The subject's name, DER.
    pub name: Vec<u8>,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
    /// The content of the BIT STRING of the key: what OCSP hashes.
    pub key: Vec<u8>,
}

impl IssuerName {
    /// Reads them from a CA's certificate.
    ///
    /// Refuses: bytes that are no certificate.
    pub fn of(certificate: &[u8]) -> Result<Self, CertificateRefusal> {
        let read = || -> der::Result<Self> {
            let parts = Parts::of(certificate)?;
            let key = SubjectPublicKeyInfoRef::from_der(parts.spki)?.subject_public_key;
            let key = key.as_bytes().unwrap_or_default().to_vec();
            Ok(Self { name: parts.subject.to_vec(), spki: parts.spki.to_vec(), key })
        };
        read().map_err(|error| malformed(Place::Intermediate(1), &error))
    }

    /// SHA-256 of the name and of the key: `issuerNameHash` and `issuerKeyHash` of RFC 6960.
    pub fn hashes(&self) -> [Hash; 2] {
        [Hash(sha256(&self.name)), Hash(sha256(&self.key))]
    }
}

/// Whether a certificate names `issuer` as its issuer and is signed with its key. Validity and usages are not
/// looked at.
///
/// Refuses: bytes that are no certificates.
pub fn is_issued_by(
    certificate: &[u8],
    issuer: &[u8],
    accepted: &AlgorithmSet,
) -> Result<Result<(), EvidenceRefusal>, CertificateRefusal> {
    let certificate = Party::of(certificate, Place::Certificate)?;
    let issuer = Party::of(issuer, Place::Intermediate(1))?;
    let (id, by) = (certificate.facts.certificate, issuer.facts.certificate);
    if !certificate.facts.issuer.is_same(&issuer.facts.subject) {
        return Ok(Err(EvidenceRefusal::DelegateNotOfCa { delegate: id, issuer: by }));
    }
    let (algorithm, tbs) = (&certificate.signature_algorithm, &certificate.tbs);
    Ok(issuer.verify(algorithm, tbs, &certificate.signature, accepted))
}
