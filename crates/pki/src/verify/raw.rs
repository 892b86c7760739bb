//! The raw bytes of a certificate's parts. What is hashed and what is signed are always the original bytes:
//! a certificate that is decoded and encoded again is not always the same.

use der::asn1::AnyRef;
use der::{Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

/// Slices of one certificate.
pub(crate) struct Parts<'a> {
    /// The signed part, TBSCertificate, with its header.
    pub tbs: &'a [u8],
    /// Content octets of the serial number.
    pub serial: &'a [u8],
    /// The issuer's name with its header.
    pub issuer: &'a [u8],
    /// The subject's name with its header.
    pub subject: &'a [u8],
    /// SubjectPublicKeyInfo with its header.
    pub spki: &'a [u8],
}

impl<'a> Parts<'a> {
    /// Walks the outer structure; the parts themselves are not decoded.
    pub fn of(certificate: &'a [u8]) -> der::Result<Self> {
        let outer = AnyRef::from_der(certificate)?;
        let tbs = SliceReader::new(outer.value())?.tlv_bytes()?;
        let mut fields = SliceReader::new(AnyRef::from_der(tbs)?.value())?;
        let version = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
        let mut first = AnyRef::decode(&mut fields)?;
        if first.tag() == version {
            first = AnyRef::decode(&mut fields)?;
        }
        fields.tlv_bytes()?; // signature
        let issuer = fields.tlv_bytes()?;
        fields.tlv_bytes()?; // validity
        let subject = fields.tlv_bytes()?;
        Ok(Self { tbs, serial: first.value(), issuer, subject, spki: fields.tlv_bytes()? })
    }
}

/// How many bytes the DER header at the start of `bytes` announces, the header included.
///
/// `None`: this is no header of a SEQUENCE in DER.
pub(crate) fn announced_length(bytes: &[u8]) -> Option<usize> {
    let (tag, length) = (*bytes.first()?, *bytes.get(1)?);
    if tag != 0x30 {
        return None;
    }
    if length < 0x80 {
        return Some(2 + usize::from(length));
    }
    let octets = usize::from(length & 0x7f);
    if !(1..=4).contains(&octets) {
        return None;
    }
    let value = bytes.get(2..2 + octets)?.iter().fold(0_usize, |sum, octet| (sum << 8) | usize::from(*octet));
    value.checked_add(2 + octets)
}
