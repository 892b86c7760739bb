//! Keys that sign answers, with their certificates, checked before they are used.

use std::fmt;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use const_oid::db::rfc5280::ID_KP_OCSP_SIGNING;
use rustls::SignatureScheme;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_pki::{AlgorithmSet, EvidenceRefusal, Facts, IssuerName, SignatureAlgorithm, is_issued_by};
use thiserror::Error;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage, SubjectKeyIdentifier};

/// A certificate and its key.
pub struct SignerConfig {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Its private key: PKCS#8, or SEC1 and PKCS#1 as OpenSSL writes them too.
    pub key: PrivateKeyDer<'static>,
}

impl fmt::Debug for SignerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerConfig").finish_non_exhaustive()
    }
}

/// Why a certificate or its key cannot sign for a CA.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AuthorityFault {
    /// Bytes that are no certificate.
    #[error("it is no certificate that can be read: {0}")]
    Certificate(tabellion_pki::CertificateRefusal),
    /// A key that cannot be used.
    #[error("the private key cannot be used: RSA, ECDSA on P-256 or P-384, Ed25519 and ML-DSA can")]
    Key,
    /// A key of another certificate.
    #[error("the private key does not belong to certificate {certificate}")]
    KeyDiffers {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A certificate of another CA.
    #[error("certificate {certificate} was not issued by the CA: {refusal}")]
    NotOfCa {
        /// The certificate.
        certificate: CertificateId,
        /// Why not.
        refusal: EvidenceRefusal,
    },
    /// A delegate without the purpose. Source: RFC 6960 4.2.2.2 (required).
    #[error(
        "certificate {certificate} may not sign OCSP responses: it lacks the extended key usage \
         OCSPSigning, or its key usage forbids signatures"
    )]
    OcspUsage {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A CRL issuer without the usage. Source: RFC 5280 6.3.3 (f) (required).
    #[error("certificate {certificate} may not sign CRLs: its key usage lacks cRLSign")]
    CrlUsage {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A CRL issuer of another name: that would be an indirect CRL.
    #[error("certificate {certificate} signs CRLs under another name than the CA's")]
    CrlName {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A certificate outside of its validity.
    #[error("certificate {certificate} is valid from {from} to {until} (ms since 1970); it is {now} now")]
    NotValid {
        /// The certificate.
        certificate: CertificateId,
        /// Its first moment.
        from: TimeMs,
        /// Its last moment.
        until: TimeMs,
        /// Now.
        now: TimeMs,
    },
    /// A CA that stands twice.
    #[error("the CA of certificate {certificate} stands twice")]
    Twice {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A name that cannot stand in a path, or stands twice.
    #[error("'{name}' is no name for a CRL, or another CA's: letters, digits, '.', '-' and '_' are taken")]
    Name {
        /// The name.
        name: String,
    },
}

impl From<tabellion_pki::CertificateRefusal> for AuthorityFault {
    fn from(refusal: tabellion_pki::CertificateRefusal) -> Self {
        Self::Certificate(refusal)
    }
}

/// What a signer signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Ocsp,
    Crl,
}

/// A key that signs for a CA.
#[derive(Debug)]
pub(super) struct Signer {
    signer: Box<dyn rustls::sign::Signer>,
    /// AlgorithmIdentifier, DER.
    pub algorithm: Vec<u8>,
    /// SHA-1 of the key's bits: how OCSP names the responder.
    pub key_sha1: Vec<u8>,
    /// The key identifier in its certificate.
    pub key_identifier: Vec<u8>,
    /// The certificate to send along; `None` where it is the CA's own.
    pub delegate: Option<Vec<u8>>,
    /// The last moment of its certificate.
    pub until: TimeMs,
    /// Whether a signature takes microseconds, so that it needs no thread of its own.
    pub is_quick: bool,
}

/// The schemes in the order in which they are chosen, with our names for them.
const SCHEMES: [(SignatureScheme, SignatureAlgorithm); 7] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, SignatureAlgorithm::EcdsaSha256),
    (SignatureScheme::ECDSA_NISTP384_SHA384, SignatureAlgorithm::EcdsaSha384),
    (SignatureScheme::ED25519, SignatureAlgorithm::Ed25519),
    (SignatureScheme::RSA_PKCS1_SHA256, SignatureAlgorithm::RsaSha256),
    (SignatureScheme::ML_DSA_44, SignatureAlgorithm::MlDsa44),
    (SignatureScheme::ML_DSA_65, SignatureAlgorithm::MlDsa65),
    (SignatureScheme::ML_DSA_87, SignatureAlgorithm::MlDsa87),
];

impl Signer {
    /// A signer for the CA of certificate `ca`.
    ///
    /// Refuses: a key of another certificate; a certificate that is not the CA's or its delegate's, lacks the
    /// usage, or is not valid now.
    pub fn new(
        config: &SignerConfig,
        ca: &[u8],
        purpose: Purpose,
        now: TimeMs,
    ) -> Result<Self, AuthorityFault> {
        let der = &config.certificate;
        let (facts, name, ca_name) = (Facts::of(der)?, IssuerName::of(der)?, IssuerName::of(ca)?);
        let certificate = facts.certificate;
        let (signer, algorithm, public) = usable(&config.key)?;
        if public != name.spki {
            return Err(AuthorityFault::KeyDiffers { certificate });
        }
        let (from, until) = (facts.not_before, facts.not_after.plus(999));
        if !(from <= now && now <= until) {
            return Err(AuthorityFault::NotValid { certificate, from, until, now });
        }
        let is_ca = name == ca_name;
        let usages = Usages::of(der);
        match purpose {
            Purpose::Ocsp if is_ca => {}
            Purpose::Ocsp => {
                check_issued(der, ca, certificate)?;
                if !usages.may_answer {
                    return Err(AuthorityFault::OcspUsage { certificate });
                }
            }
            Purpose::Crl => {
                check_crl_issuer(&facts, der, ca, is_ca)?;
                if !usages.may_sign_crls {
                    return Err(AuthorityFault::CrlUsage { certificate });
                }
            }
        }
        let key_sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, &name.key).as_ref().to_vec();
        Ok(Self {
            is_quick: matches!(algorithm, SignatureAlgorithm::EcdsaSha256 | SignatureAlgorithm::Ed25519),
            algorithm: algorithm.identifier(),
            signer,
            key_identifier: usages.key_identifier.unwrap_or_else(|| key_sha1.clone()),
            key_sha1,
            delegate: (!is_ca).then(|| der.clone()),
            until,
        })
    }

    /// A signature as it stands in certificates.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.signer.sign(message)
    }
}

/// A signer with its algorithm and its SubjectPublicKeyInfo.
type Usable = (Box<dyn rustls::sign::Signer>, SignatureAlgorithm, Vec<u8>);

fn usable(key: &PrivateKeyDer<'static>) -> Result<Usable, AuthorityFault> {
    let key = any_supported_type(key).map_err(|_| AuthorityFault::Key)?;
    let public = key.public_key().ok_or(AuthorityFault::Key)?.to_vec();
    let found =
        SCHEMES.iter().find_map(|(scheme, algorithm)| Some((key.choose_scheme(&[*scheme])?, *algorithm)));
    let (signer, algorithm) = found.ok_or(AuthorityFault::Key)?;
    Ok((signer, algorithm, public))
}

fn check_issued(der: &[u8], ca: &[u8], certificate: CertificateId) -> Result<(), AuthorityFault> {
    let issued = is_issued_by(der, ca, &AlgorithmSet::default())?;
    issued.map_err(|refusal| AuthorityFault::NotOfCa { certificate, refusal })
}

/// A CRL issuer has the CA's name, and its certificate is by the CA itself or by whoever certified the CA.
fn check_crl_issuer(facts: &Facts, der: &[u8], ca: &[u8], is_ca: bool) -> Result<(), AuthorityFault> {
    let (certificate, of_ca) = (facts.certificate, Facts::of(ca)?);
    if !facts.subject.is_same(&of_ca.subject) {
        return Err(AuthorityFault::CrlName { certificate });
    }
    match is_ca || (facts.issuer.is_same(&of_ca.issuer) && !of_ca.issuer.is_same(&of_ca.subject)) {
        true => Ok(()),
        false => check_issued(der, ca, certificate),
    }
}

/// What a certificate allows its key.
struct Usages {
    may_answer: bool,
    may_sign_crls: bool,
    key_identifier: Option<Vec<u8>>,
}

impl Usages {
    fn of(der: &[u8]) -> Self {
        let decoded = Certificate::from_der(der).ok();
        let tbs = decoded.as_ref().map(Certificate::tbs_certificate);
        let usage = tbs.and_then(|tbs| tbs.get_extension::<KeyUsage>().ok()?).map(|(_, usage)| usage);
        let purposes = tbs.and_then(|tbs| tbs.get_extension::<ExtendedKeyUsage>().ok()?);
        let is_ocsp = purposes.is_some_and(|(_, purposes)| purposes.0.contains(&ID_KP_OCSP_SIGNING));
        let key = tbs.and_then(|tbs| tbs.get_extension::<SubjectKeyIdentifier>().ok()?);
        Self {
            may_answer: is_ocsp && usage.is_none_or(|usage| usage.digital_signature()),
            may_sign_crls: usage.is_none_or(|usage| usage.crl_sign()),
            key_identifier: key.map(|(_, key)| key.0.into_bytes().into()),
        }
    }
}
