//! OCSP requests in the making: also such as no client should send.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tabellion_ledger::sha256;
use tabellion_pki::IssuerName;

const SHA_1: [u8; 7] = [6, 5, 0x2b, 14, 3, 2, 26];
const SHA_256: [u8; 11] = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA_512: [u8; 11] = [6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
const NONCE: [u8; 11] = [6, 9, 0x2b, 6, 1, 5, 5, 7, 0x30, 1, 2];
/// An extension that nobody knows.
const OTHER: [u8; 5] = [6, 3, 0x2a, 3, 4];

/// Tag, length, parts.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = u16::try_from(content.len()).unwrap();
    let [high, low] = length.to_be_bytes();
    let head = match length {
        0..=0x7f => vec![tag, low],
        0x80..=0xff => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    [head, content].concat()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    Sha1,
    Sha256,
    Sha512,
}

#[derive(Clone, Debug)]
pub struct CertIdDraft {
    pub by: By,
    pub issuer: Vec<u8>,
    pub serial: Vec<u8>,
}

impl CertIdDraft {
    pub fn of(issuer: &[u8], serial: &[u8]) -> Self {
        Self { by: By::Sha1, issuer: issuer.to_vec(), serial: serial.to_vec() }
    }

    pub fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    pub fn to_der(&self) -> Vec<u8> {
        let name = IssuerName::of(&self.issuer).unwrap();
        let hash = |bytes: &[u8]| match self.by {
            By::Sha1 => digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec(),
            By::Sha256 => sha256(bytes).to_vec(),
            By::Sha512 => digest(&aws_lc_rs::digest::SHA512, bytes).as_ref().to_vec(),
        };
        let oid: &[u8] = match self.by {
            By::Sha1 => &SHA_1,
            By::Sha256 => &SHA_256,
            By::Sha512 => &SHA_512,
        };
        let algorithm = tlv(0x30, &[oid, &[5, 0]]);
        let hashes = [hash(&name.name), hash(&name.key)].map(|hash| tlv(4, &[&hash]));
        let lead: &[u8] = if self.serial.first().is_some_and(|octet| *octet >= 0x80) { &[0] } else { &[] };
        tlv(0x30, &[&algorithm, &hashes[0], &hashes[1], &tlv(2, &[lead, &self.serial])])
    }
}

/// A request with these extensions of its own.
pub fn request(ids: &[CertIdDraft], extensions: &[Vec<u8>]) -> Vec<u8> {
    let list: Vec<u8> = ids.iter().flat_map(|id| tlv(0x30, &[&id.to_der()])).collect();
    let extensions = match extensions {
        [] => Vec::new(),
        some => tlv(0xa2, &[&tlv(0x30, &[&some.concat()])]),
    };
    tlv(0x30, &[&tlv(0x30, &[&tlv(0x30, &[&list]), &extensions])])
}

pub fn plain(ids: &[CertIdDraft]) -> Vec<u8> {
    request(ids, &[])
}

/// A nonce of some length.
pub fn nonce(octets: usize) -> Vec<u8> {
    tlv(0x30, &[&NONCE, &tlv(4, &[&tlv(4, &[&vec![7; octets]])])])
}

/// A nonce without the inner OCTET STRING, as old clients sent it.
pub fn bare_nonce() -> Vec<u8> {
    tlv(0x30, &[&NONCE, &tlv(4, &[&[9; 16]])])
}

pub fn unknown_extension(is_critical: bool) -> Vec<u8> {
    let critical: &[u8] = if is_critical { &[1, 1, 0xff] } else { &[] };
    tlv(0x30, &[&OTHER, critical, &tlv(4, &[&[5, 0]])])
}
