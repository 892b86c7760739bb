//! OCSP requests (RFC 6960 4.1), read under limits.

use certval::ocsp::{CertId, OcspRequest};
use const_oid::ObjectIdentifier;
use const_oid::db::rfc6960::ID_PKIX_OCSP_NONCE;
use der::asn1::OctetStringRef;
use der::{Decode, Encode, Tag, Tagged};
use thiserror::Error;
use x509_cert::ext::Extension;

use super::super::der::{SEQUENCE, tlv};

/// Bytes of a request: 32 CertIDs and a nonce are under 4 kB; a signature with its certificates, which are
/// not looked at, has room too.
pub(in crate::status_faces) const REQUEST_BYTES_MAX: usize = 16 * 1024;
/// Certificates that one request may ask for: each may cost a look-up.
pub(in crate::status_faces) const CERTIFICATES_MAX: usize = 32;
/// Octets of a nonce. Source: RFC 9654 2.1 (required): 1 to 128 are accepted.
const NONCE_OCTETS_MAX: usize = 128;

const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OcspRefusal {
    /// More bytes than are read.
    #[error("the request has {bytes} bytes; {bytes_max} are read")]
    TooLarge {
        /// Its bytes.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Not a request.
    #[error("the bytes are no OCSP request")]
    Malformed,
    /// No certificate, or more than are answered for.
    #[error("the request asks for {count} certificates; 1 to {count_max} are answered for")]
    Count {
        /// Their number.
        count: usize,
        /// The limit.
        count_max: usize,
    },
    /// A nonce of a length that is not accepted.
    #[error("the nonce is none, or has no octets, or more than 128")]
    Nonce,
    /// A critical extension that is not known.
    #[error("a critical extension is not known")]
    Critical,
}

/// A request that can be answered.
#[derive(Debug)]
pub(in crate::status_faces) struct Asked {
    /// The certificates, in their order.
    pub certificates: Vec<AskedCertificate>,
    /// The nonce's extension as it came, DER.
    pub nonce: Option<Vec<u8>>,
    /// Whether the request holds one certificate and nothing else, in the one encoding of that: then its
    /// bytes are the name under which the answer may be kept.
    pub is_plain: bool,
}

/// One certificate of a request.
#[derive(Debug)]
pub(in crate::status_faces) struct AskedCertificate {
    /// The CertID, DER, for the response.
    pub cert_id: Vec<u8>,
    pub name_hash: Vec<u8>,
    pub key_hash: Vec<u8>,
    /// The serial number without leading zeros.
    pub serial: Vec<u8>,
    /// Whether the hashes are SHA-1 or SHA-256, by name and by length.
    pub is_known_hash: bool,
}

impl Asked {
    /// Reads a request. Its signature, where it has one, is not looked at: everybody may ask.
    pub fn of(bytes: &[u8]) -> Result<Self, OcspRefusal> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Err(OcspRefusal::TooLarge { bytes: bytes.len(), bytes_max: REQUEST_BYTES_MAX });
        }
        let request: OcspRequest = OcspRequest::from_der(bytes).map_err(|_| OcspRefusal::Malformed)?;
        let tbs = request.tbs_request;
        let (count, count_max) = (tbs.request_list.len(), CERTIFICATES_MAX);
        if !(1..=count_max).contains(&count) {
            return Err(OcspRefusal::Count { count, count_max });
        }
        let extensions = tbs.request_extensions.unwrap_or_default();
        let nonce = nonce(&extensions)?;
        let mut certificates = Vec::with_capacity(count);
        for one in &tbs.request_list {
            check_critical(one.single_request_extensions.as_deref().unwrap_or_default())?;
            certificates.push(asked(&one.req_cert)?);
        }
        let is_plain = match certificates.as_slice() {
            [one] => plain(&one.cert_id) == bytes,
            _ => false,
        };
        Ok(Self { certificates, nonce, is_plain })
    }
}

/// The request for one certificate and nothing else.
fn plain(cert_id: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&tlv(SEQUENCE, &[&tlv(SEQUENCE, &[cert_id])])])])
}

fn asked(id: &CertId) -> Result<AskedCertificate, OcspRefusal> {
    let parameters = id.hash_algorithm.parameters.as_ref();
    let fits = parameters.is_none_or(|p| p.tag() == Tag::Null && p.value().is_empty());
    let octets = match id.hash_algorithm.oid {
        SHA_1 if fits => 20,
        SHA_256 if fits => 32,
        _ => 0,
    };
    let (name_hash, key_hash) = (id.issuer_name_hash.as_bytes(), id.issuer_key_hash.as_bytes());
    let serial = id.serial_number.as_bytes();
    let zeros = serial.iter().take_while(|octet| **octet == 0).count();
    Ok(AskedCertificate {
        cert_id: id.to_der().map_err(|_| OcspRefusal::Malformed)?,
        is_known_hash: (name_hash.len(), key_hash.len()) == (octets, octets),
        name_hash: name_hash.to_vec(),
        key_hash: key_hash.to_vec(),
        serial: serial[zeros..].to_vec(),
    })
}

fn nonce(extensions: &[Extension]) -> Result<Option<Vec<u8>>, OcspRefusal> {
    let mut found = extensions.iter().filter(|extension| extension.extn_id == ID_PKIX_OCSP_NONCE);
    let (first, second) = (found.next(), found.next());
    check_critical(extensions)?;
    let Some(extension) = first else { return Ok(None) };
    let value =
        <&OctetStringRef>::from_der(extension.extn_value.as_bytes()).map_err(|_| OcspRefusal::Nonce)?;
    match second.is_none() && (1..=NONCE_OCTETS_MAX).contains(&value.as_bytes().len()) {
        true => extension.to_der().map(Some).map_err(|_| OcspRefusal::Malformed),
        false => Err(OcspRefusal::Nonce),
    }
}

/// A critical extension must be understood. Source: RFC 6960 4.1.2.
fn check_critical(extensions: &[Extension]) -> Result<(), OcspRefusal> {
    let is_unknown = |extension: &Extension| extension.critical && extension.extn_id != ID_PKIX_OCSP_NONCE;
    if extensions.iter().any(is_unknown) { Err(OcspRefusal::Critical) } else { Ok(()) }
}

/// Reads any bytes as an OCSP request: the entry for fuzzing. It never panics; the number is that of the
/// certificates asked for.
pub fn precheck_ocsp_request(bytes: &[u8]) -> Result<usize, OcspRefusal> {
    Asked::of(bytes).map(|asked| asked.certificates.len())
}
