//! From bytes to a certificate whose form has been checked.

use certval::{ExtensionProcessing, PDVCertificate};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280::{ID_CE_BASIC_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME};
use der::Decode;
use tabellion_ledger::{CertificateId, KeyId};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::Extension;

use super::algorithm::{KeyFault, SignatureAlgorithm, SubjectKey};
use super::policy::{CertificateLimits, Profile, ValidationParameters};
use super::raw::{Parts, announced_length};
use super::{AlgorithmSet, CertificateRefusal, Place, precheck};
use crate::facts::{Facts, alternative_names};

/// The part of the parameters on which the pre-check of one certificate depends; caches keep it in their
/// keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FormRules {
    pub profile: Profile,
    pub limits: CertificateLimits,
    pub underscore_in_dns_names: bool,
}

impl FormRules {
    pub fn of(parameters: &ValidationParameters) -> Self {
        Self {
            profile: parameters.profile,
            limits: parameters.limits,
            underscore_in_dns_names: parameters.underscore_in_dns_names,
        }
    }
}

/// One certificate that has passed the pre-check.
pub(crate) struct ParsedCertificate {
    pub facts: Facts,
    pub library: PDVCertificate,
    tbs_start: usize,
    tbs_end: usize,
    key: Result<SubjectKey, KeyFault>,
    signature: Result<SignatureAlgorithm, String>,
}

impl ParsedCertificate {
    /// Decodes `der` and runs the pre-check.
    pub fn check(der: &[u8], place: Place, rules: &FormRules) -> Result<Self, CertificateRefusal> {
        check_frame(der, place, rules.limits.certificate_bytes_max)?;
        let malformed_at = |error: &der::Error| malformed(place, error);
        let library = PDVCertificate::try_from(der).map_err(|error| malformed_at(&error))?;
        let parts = Parts::of(der).map_err(|error| malformed_at(&error))?;
        precheck::check(&library, parts.serial, place, rules)?;

        let names = alternative_names(extension(&library, &ID_CE_SUBJECT_ALT_NAME));
        let facts = Facts::read(der, &parts, library.decoded(), names, place)?;
        if facts.not_before > facts.not_after {
            let (not_before, not_after) = (facts.not_before, facts.not_after);
            return Err(CertificateRefusal::ValidityReversed { place, not_before, not_after });
        }
        let tbs = library.decoded().tbs_certificate();
        let key = SubjectKey::of(tbs.subject_public_key_info());
        let signature = SignatureAlgorithm::of(tbs.signature());
        let tbs_start = parts.tbs.as_ptr().addr() - der.as_ptr().addr();
        Ok(Self { facts, tbs_start, tbs_end: tbs_start + parts.tbs.len(), key, signature, library })
    }

    pub fn id(&self) -> CertificateId {
        self.facts.certificate
    }

    pub fn key_id(&self) -> KeyId {
        self.facts.key
    }

    /// The signed bytes, as they came.
    pub fn signed_bytes(&self) -> &[u8] {
        &self.library.as_bytes()[self.tbs_start..self.tbs_end]
    }

    /// The content of the signature; empty (which never verifies) if it does not end with a whole octet.
    pub fn signature_bytes(&self) -> &[u8] {
        self.library.decoded().signature().as_bytes().unwrap_or_default()
    }

    pub fn signature_algorithm(&self, place: Place) -> Result<SignatureAlgorithm, CertificateRefusal> {
        let refused = |algorithm: &String| CertificateRefusal::SignatureAlgorithmNotAccepted {
            place,
            algorithm: algorithm.clone(),
        };
        self.signature.as_ref().copied().map_err(refused)
    }

    pub fn subject_key(&self, place: Place) -> Result<&SubjectKey, CertificateRefusal> {
        self.key.as_ref().map_err(|fault| match fault {
            KeyFault::Unknown(key) => CertificateRefusal::KeyNotAccepted { place, key: key.clone() },
            KeyFault::Malformed(kind) => {
                CertificateRefusal::KeyMalformed { place, key: kind.name().to_owned() }
            }
        })
    }

    /// Whether key and signature are of accepted kinds. The root's own signature is not looked at.
    pub fn check_algorithms(&self, place: Place, accepted: &AlgorithmSet) -> Result<(), CertificateRefusal> {
        let key = self.subject_key(place)?;
        let keys = if place == Place::Certificate { &accepted.certificate_keys } else { &accepted.ca_keys };
        if !keys.contains(&key.algorithm) {
            return Err(CertificateRefusal::KeyNotAccepted { place, key: key.algorithm.name().to_owned() });
        }
        let (bits, bits_min, bits_max) = (key.rsa_bits, accepted.rsa_bits_min, accepted.rsa_bits_max);
        if bits != 0 && !(bits_min..=bits_max).contains(&bits) {
            return Err(CertificateRefusal::RsaKeySize { place, bits, bits_min, bits_max });
        }
        if place == Place::Root {
            return Ok(());
        }
        let algorithm = self.signature_algorithm(place)?;
        if !accepted.signatures.contains(&algorithm) {
            let algorithm = algorithm.name().to_owned();
            return Err(CertificateRefusal::SignatureAlgorithmNotAccepted { place, algorithm });
        }
        Ok(())
    }
}

/// The extension with this identifier, decoded; `None` if it is absent.
pub(crate) fn extension<'a>(
    certificate: &'a PDVCertificate,
    identifier: &ObjectIdentifier,
) -> Option<&'a certval::PDVExtension> {
    certificate.get_extension(identifier).ok().flatten()
}

/// The extensions as they stand in the certificate.
pub(crate) fn raw_extensions(certificate: &PDVCertificate) -> &[Extension] {
    certificate.decoded().tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default()
}

/// Whether the basic constraints say that this is a CA certificate.
pub(crate) fn is_ca(certificate: &PDVCertificate) -> bool {
    matches!(
        extension(certificate, &ID_CE_BASIC_CONSTRAINTS),
        Some(certval::PDVExtension::BasicConstraints(constraints)) if constraints.ca
    )
}

/// Decodes one certificate after looking at its size and its frame.
pub(crate) fn decode_certificate(
    der: &[u8],
    place: Place,
    bytes_max: usize,
) -> Result<CertificateInner<Raw>, CertificateRefusal> {
    check_frame(der, place, bytes_max)?;
    CertificateInner::from_der(der).map_err(|error| malformed(place, &error))
}

/// Size, cut off, trailing bytes: in this order, before anything is decoded.
pub(crate) fn check_frame(der: &[u8], place: Place, bytes_max: usize) -> Result<(), CertificateRefusal> {
    if der.len() > bytes_max {
        return Err(CertificateRefusal::TooLarge { place, bytes: der.len(), bytes_max });
    }
    let Some(announced) = announced_length(der) else {
        return Err(CertificateRefusal::Malformed { place, position: None });
    };
    match der.len().checked_sub(announced) {
        None => Err(CertificateRefusal::Truncated { place, expected: announced, found: der.len() }),
        Some(0) => Ok(()),
        Some(extra) => Err(CertificateRefusal::TrailingBytes { place, extra }),
    }
}

pub(crate) fn malformed(place: Place, error: &der::Error) -> CertificateRefusal {
    CertificateRefusal::Malformed { place, position: error.position().map(u32::from) }
}
