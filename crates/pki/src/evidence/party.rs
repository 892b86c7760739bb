//! A certificate that takes part in a status change: the certificate itself, its issuer, an OCSP delegate.
//!
//! Path validation has seen the first two when they were published. Here they are only read, under limits of
//! the format and not of the parameters: what was published can be revoked under tighter rules, too.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use der::Decode;
use spki::AlgorithmIdentifierOwned;
use tabellion_ledger::limits::ENVELOPE_BYTES_MAX;
use tabellion_ledger::{TimeMs, sha256};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::Extension;

use super::EvidenceRefusal;
use crate::facts::Facts;
use crate::verify::{
    AlgorithmSet, CertificateRefusal, KeyFault, Parts, Place, SignatureAlgorithm, SubjectKey,
    decode_certificate, malformed,
};

/// The parameters accept no larger certificate.
const CERTIFICATE_BYTES_HIGHEST: usize = ENVELOPE_BYTES_MAX / 2;

/// One certificate, read.
#[derive(Clone)]
pub(crate) struct Party {
    pub facts: Facts,
    /// The issuer's name as it stands in the certificate, DER.
    pub issuer_name: Vec<u8>,
    /// Content of the BIT STRING of the key.
    pub key_bits: Vec<u8>,
    pub extensions: Vec<Extension>,
    /// The signed part, its algorithm and signature.
    pub tbs: Vec<u8>,
    pub signature_algorithm: AlgorithmIdentifierOwned,
    pub signature: Vec<u8>,
    key: Result<SubjectKey, String>,
}

impl Party {
    pub fn of(der: &[u8], place: Place) -> Result<Self, CertificateRefusal> {
        let decoded: CertificateInner<Raw> = decode_certificate(der, place, CERTIFICATE_BYTES_HIGHEST)?;
        let parts = Parts::of(der).map_err(|error| malformed(place, &error))?;
        let tbs = decoded.tbs_certificate();
        let spki = tbs.subject_public_key_info();
        let key = SubjectKey::of(spki).map_err(|fault| match fault {
            KeyFault::Unknown(key) => key,
            KeyFault::Malformed(kind) => format!("malformed {}", kind.name()),
        });
        Ok(Self {
            facts: Facts::read(der, &parts, &decoded, None, place)?,
            issuer_name: parts.issuer.to_vec(),
            key_bits: spki.subject_public_key.as_bytes().unwrap_or_default().to_vec(),
            extensions: tbs.extensions().cloned().unwrap_or_default(),
            tbs: parts.tbs.to_vec(),
            signature_algorithm: decoded.signature_algorithm().clone(),
            signature: decoded.signature().as_bytes().unwrap_or_default().to_vec(),
            key,
        })
    }

    /// The last moment of its validity, all of the last second included.
    pub fn end(&self) -> TimeMs {
        self.facts.not_after.plus(999)
    }

    /// SHA-1 of the key's bits: how OCSP names keys. No security rests on it.
    pub fn key_sha1(&self) -> Vec<u8> {
        sha1(&self.key_bits)
    }

    /// Verifies a signature with this certificate's key.
    ///
    /// Refuses: an algorithm or a key that the participants do not accept, a signature that does not verify.
    pub fn verify(
        &self,
        algorithm: &AlgorithmIdentifierOwned,
        message: &[u8],
        signature: &[u8],
        accepted: &AlgorithmSet,
    ) -> Result<(), EvidenceRefusal> {
        let algorithm = SignatureAlgorithm::of(algorithm)
            .map_err(|algorithm| EvidenceRefusal::AlgorithmNotAccepted { algorithm })?;
        if !accepted.signatures.contains(&algorithm) {
            let algorithm = algorithm.name().to_owned();
            return Err(EvidenceRefusal::AlgorithmNotAccepted { algorithm });
        }
        let key_refused = |key: &str| EvidenceRefusal::KeyNotAccepted { key: key.to_owned() };
        let key = self.key.as_ref().map_err(|key| key_refused(key))?;
        let bits = key.rsa_bits;
        if bits != 0 && !(accepted.rsa_bits_min..=accepted.rsa_bits_max).contains(&bits) {
            return Err(EvidenceRefusal::KeyNotAccepted { key: format!("RSA of {bits} bits") });
        }
        if !accepted.ca_keys.contains(&key.algorithm) {
            return Err(key_refused(key.algorithm.name()));
        }
        match key.verifies(algorithm, message, signature) {
            Some(true) => Ok(()),
            Some(false) => Err(EvidenceRefusal::SignatureWrong { signer: self.facts.certificate }),
            None => Err(EvidenceRefusal::AlgorithmDoesNotFitKey {
                algorithm: algorithm.name().to_owned(),
                key: key.algorithm.name().to_owned(),
            }),
        }
    }

    /// An extension of this certificate, decoded; none where it is absent or cannot be decoded.
    pub fn extension<'a, T: Decode<'a>>(&'a self, identifier: const_oid::ObjectIdentifier) -> Option<T> {
        let found = self.extensions.iter().find(|extension| extension.extn_id == identifier)?;
        T::from_der(found.extn_value.as_bytes()).ok()
    }
}

pub(super) fn sha1(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()
}

pub(super) fn sha2(bytes: &[u8]) -> Vec<u8> {
    sha256(bytes).to_vec()
}
