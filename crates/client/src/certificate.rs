//! Certificates as people hold them: PEM or DER, one or many in a file, with other things beside them.

use der::Decode;
use der::asn1::ObjectIdentifier;
use std::sync::Arc;
use tabellion_ledger::CertificateId;
use tabellion_pki::{CertificateRefusal, Facts};
use thiserror::Error;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// A certificate that decoded, with what chains are put together by.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Its bytes.
    pub der: Arc<[u8]>,
    /// What it says about itself. Nothing of it is verified.
    pub facts: Facts,
    subject_key: Option<Vec<u8>>,
    issuer_key: Option<Vec<u8>>,
}

impl Certificate {
    /// Decodes a certificate.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateRefusal> {
        let facts = Facts::of(der)?;
        let malformed =
            |_| CertificateRefusal::Malformed { place: tabellion_pki::Place::Certificate, position: None };
        let decoded = CertificateInner::<Raw>::from_der(der).map_err(malformed)?;
        let extensions = decoded.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
        let find = |id| extensions.iter().find(|e| e.extn_id == id).map(|e| e.extn_value.as_bytes());
        let subject_key = find(SUBJECT_KEY_IDENTIFIER)
            .and_then(|value| SubjectKeyIdentifier::from_der(value).ok())
            .map(|identifier| identifier.0.as_bytes().to_vec());
        let issuer_key = find(AUTHORITY_KEY_IDENTIFIER)
            .and_then(|value| AuthorityKeyIdentifier::from_der(value).ok())
            .and_then(|identifier| identifier.key_identifier.map(|key| key.as_bytes().to_vec()));
        Ok(Self { der: der.into(), facts, subject_key, issuer_key })
    }

    /// SHA-256 of its bytes.
    pub fn id(&self) -> CertificateId {
        self.facts.certificate
    }

    /// Whether issuer and subject are the same name, as in a root.
    pub fn is_self_issued(&self) -> bool {
        self.facts.issuer.is_same(&self.facts.subject)
    }

    /// Whether `issuer` may have issued this certificate: the names fit, and so do the key identifiers where
    /// both are there. Only the signature tells for sure.
    pub fn may_be_issued_by(&self, issuer: &Self) -> bool {
        let keys_fit = match (&self.issuer_key, &issuer.subject_key) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        };
        keys_fit && self.facts.issuer.is_same(&issuer.facts.subject)
    }
}

/// Why bytes hold no certificate.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InputError {
    /// No bytes.
    #[error("the input is empty")]
    Empty,
    /// Private keys and no certificate.
    #[error("the input is a private key, not a certificate")]
    PrivateKey,
    /// Something else that is known.
    #[error("the input is {found}, not a certificate")]
    OtherContent {
        /// What it is.
        found: String,
    },
    /// Neither PEM nor DER.
    #[error("the input is neither PEM nor DER")]
    Garbage,
    /// A PEM block that does not decode.
    #[error("the input has a broken PEM block: {reason}")]
    Pem {
        /// What is wrong with it.
        reason: String,
    },
    /// A certificate that does not decode.
    #[error("certificate {number} of the input does not decode: {refusal}")]
    Certificate {
        /// Its place, from 1.
        number: usize,
        /// Why.
        refusal: CertificateRefusal,
    },
}

/// What an input holds.
#[derive(Clone, Debug)]
pub struct CertificateInput {
    /// Its certificates, in order; at least one.
    pub certificates: Vec<Certificate>,
    /// Private keys that stood beside them. They were not looked at and go nowhere, but whoever reads the
    /// file has them: worth a warning.
    pub private_keys: usize,
}

/// Reads certificates from PEM (other text around and between is skipped) or DER.
pub fn read_certificates(bytes: &[u8]) -> Result<CertificateInput, InputError> {
    if bytes.trim_ascii().is_empty() {
        return Err(InputError::Empty);
    }
    let (ders, private_keys) = match bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        true => split_pem(bytes)?,
        false => (vec![check_der(bytes)?.to_vec()], 0),
    };
    let decode = |(number, der): (usize, &Vec<u8>)| {
        Certificate::from_der(der).map_err(|refusal| InputError::Certificate { number, refusal })
    };
    let certificates: Result<Vec<_>, _> = (1..).zip(&ders).map(decode).collect();
    Ok(CertificateInput { certificates: certificates?, private_keys })
}

fn split_pem(bytes: &[u8]) -> Result<(Vec<Vec<u8>>, usize), InputError> {
    let blocks = pem::parse_many(bytes).map_err(|error| InputError::Pem { reason: error.to_string() })?;
    let mut ders = Vec::new();
    let (mut private_keys, mut other) = (0, None);
    for block in blocks {
        match block.tag() {
            "CERTIFICATE" | "X509 CERTIFICATE" => ders.push(block.into_contents()),
            label if label.ends_with("PRIVATE KEY") => private_keys += 1,
            label => other = Some(label.to_owned()),
        }
    }
    match (ders.is_empty(), private_keys, other) {
        (false, ..) => Ok((ders, private_keys)),
        (true, 1.., _) => Err(InputError::PrivateKey),
        (true, 0, Some(label)) => Err(InputError::OtherContent { found: named(&label) }),
        (true, 0, None) => Err(InputError::Pem { reason: "it does not end".to_owned() }),
    }
}

fn named(label: &str) -> String {
    match label {
        "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => "a certificate request".to_owned(),
        "PUBLIC KEY" => "a public key".to_owned(),
        "PKCS7" | "CMS" => "a PKCS#7 bundle".to_owned(),
        "X509 CRL" => "a certificate revocation list".to_owned(),
        label => format!("a PEM block '{label}'"),
    }
}

/// Tells DER that is no certificate by the first element inside its outer SEQUENCE.
fn check_der(bytes: &[u8]) -> Result<&[u8], InputError> {
    let other = |found: &str| InputError::OtherContent { found: found.to_owned() };
    let inner = match bytes {
        [0x30, length, rest @ ..] if *length < 0x80 => rest,
        [0x30, length, rest @ ..] => rest.get(usize::from(length & 0x7f)..).unwrap_or_default(),
        _ => return Err(InputError::Garbage),
    };
    match inner {
        [0x02, 0x01, 0x03, ..] => Err(other("a PKCS#12 file, which may hold a private key")),
        [0x02, 0x01, 0x00 | 0x01, ..] => Err(InputError::PrivateKey),
        [0x06, ..] => Err(other("a PKCS#7 bundle")),
        _ => Ok(bytes),
    }
}
