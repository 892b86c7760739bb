//! What CRL and OCSP response have in common: SEQUENCE { signed part, AlgorithmIdentifier, BIT STRING, ... }.

use der::asn1::{AnyRef, BitString};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use spki::AlgorithmIdentifierOwned;

use super::{EvidenceRefusal, Party};
use crate::change::EvidenceKind;
use crate::verify::{AlgorithmSet, announced_length};

/// The parts of a signed structure; what was signed are always the original bytes.
pub(super) struct Signed<'a> {
    pub tbs: &'a [u8],
    pub algorithm: AlgorithmIdentifierOwned,
    pub signature: Vec<u8>,
    /// What follows the signature.
    pub rest: Option<&'a [u8]>,
}

impl<'a> Signed<'a> {
    pub fn of(bytes: &'a [u8], kind: EvidenceKind) -> Result<Self, EvidenceRefusal> {
        Self::walk(bytes).map_err(|error| malformed(kind, &error))
    }

    fn walk(bytes: &'a [u8]) -> der::Result<Self> {
        let outer = AnyRef::from_der(bytes)?;
        outer.tag().assert_eq(Tag::Sequence)?;
        let mut fields = SliceReader::new(outer.value())?;
        let tbs = fields.tlv_bytes()?;
        let algorithm = AlgorithmIdentifierOwned::decode(&mut fields)?;
        let signature = BitString::decode(&mut fields)?.as_bytes().unwrap_or_default().to_vec();
        let rest = if fields.is_finished() { None } else { Some(fields.tlv_bytes()?) };
        fields.finish()?;
        Ok(Self { tbs, algorithm, signature, rest })
    }

    /// Verifies the signature with the key of `signer`.
    pub fn verify(&self, signer: &Party, accepted: &AlgorithmSet) -> Result<(), EvidenceRefusal> {
        signer.verify(&self.algorithm, self.tbs, &self.signature, accepted)
    }
}

/// Size, cut off, trailing bytes: before anything is decoded.
pub(super) fn check_frame(bytes: &[u8], kind: EvidenceKind, bytes_max: usize) -> Result<(), EvidenceRefusal> {
    if bytes.len() > bytes_max {
        return Err(EvidenceRefusal::TooLarge { kind, bytes: bytes.len(), bytes_max });
    }
    let announced = announced_length(bytes).ok_or(EvidenceRefusal::Malformed { kind, position: None })?;
    match bytes.len().checked_sub(announced) {
        None => Err(EvidenceRefusal::Truncated { kind, expected: announced, found: bytes.len() }),
        Some(0) => Ok(()),
        Some(extra) => Err(EvidenceRefusal::TrailingBytes { kind, extra }),
    }
}

/// Decodes, and refuses another encoding than DER's only one: then no two readers see different things.
pub(super) fn canonical<'a, T: Decode<'a, Error = der::Error> + Encode>(
    bytes: &'a [u8],
    kind: EvidenceKind,
) -> Result<T, EvidenceRefusal> {
    let value = T::from_der(bytes).map_err(|error| malformed(kind, &error))?;
    match value.to_der() {
        Ok(again) if again == bytes => Ok(value),
        _ => Err(EvidenceRefusal::NotCanonical { kind }),
    }
}

pub(super) fn malformed(kind: EvidenceKind, error: &der::Error) -> EvidenceRefusal {
    EvidenceRefusal::Malformed { kind, position: error.position().map(u32::from) }
}

/// Octets of a number without leading zeros.
pub(super) fn without_zeros(octets: &[u8]) -> &[u8] {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    &octets[zeros..]
}
