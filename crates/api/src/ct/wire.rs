//! The octets of RFC 6962: leaves, chains, and what the log signs.
//!
//! The TLS presentation language (RFC 5246 section 4): numbers big-endian, a variable vector after its
//! length.

use tabellion_ledger::{Hash, TimeMs, merkle};

/// `v1` of `Version`.
const V1: u8 = 0;
/// `timestamped_entry` of `MerkleLeafType`.
const TIMESTAMPED_ENTRY: u8 = 0;
/// `certificate_timestamp` of `SignatureType`.
const CERTIFICATE_TIMESTAMP: u8 = 0;
/// `tree_hash` of `SignatureType`.
const TREE_HASH: u8 = 1;
/// `x509_entry` of `LogEntryType`.
const X509_ENTRY: [u8; 2] = [0, 0];
/// `CtExtensions` without any.
const NO_EXTENSIONS: [u8; 2] = [0, 0];
/// `sha256` and `ecdsa` of TLS 1.2's `SignatureAndHashAlgorithm`.
const SHA256_ECDSA: [u8; 2] = [4, 3];

/// The leaf of a certificate that was recorded at this time: `MerkleTreeLeaf`.
///
/// Source: RFC 6962 section 3.4. Limit: certificates below 16 MiB, the length's three octets.
pub fn ct_leaf(certificate: &[u8], time: TimeMs) -> Vec<u8> {
    let mut out = vec![V1, TIMESTAMPED_ENTRY];
    put_timestamped(&mut out, certificate, time);
    out
}

/// The hash of [`ct_leaf`], with which it stands in the tree.
///
/// Source: RFC 6962 section 2.1.
pub fn ct_leaf_hash(certificate: &[u8], time: TimeMs) -> Hash {
    merkle::leaf_hash(&ct_leaf(certificate, time))
}

/// `TimestampedEntry` of a certificate; with other octets before it both the leaf and what an SCT signs.
fn put_timestamped(out: &mut Vec<u8>, certificate: &[u8], time: TimeMs) {
    out.extend(time.0.to_be_bytes());
    out.extend(X509_ENTRY);
    put_24(out, certificate);
    out.extend(NO_EXTENSIONS);
}

/// The chain of a certificate, without itself: `extra_data` of an `x509_entry`.
///
/// Source: RFC 6962 section 4.6.
pub(super) fn chain(certificates: &[Vec<u8>]) -> Vec<u8> {
    let mut inner = Vec::new();
    for certificate in certificates {
        put_24(&mut inner, certificate);
    }
    let mut out = Vec::with_capacity(inner.len() + 3);
    put_24(&mut out, &inner);
    out
}

/// What the signature of an SCT covers.
///
/// Source: RFC 6962 section 3.2.
pub(super) fn timestamp_input(certificate: &[u8], time: TimeMs) -> Vec<u8> {
    let mut out = vec![V1, CERTIFICATE_TIMESTAMP];
    put_timestamped(&mut out, certificate, time);
    out
}

/// What the signature of a tree head covers.
///
/// Source: RFC 6962 section 3.5.
pub(super) fn head_input(size: u64, root: &Hash, time: TimeMs) -> Vec<u8> {
    let mut out = vec![V1, TREE_HASH];
    out.extend(time.0.to_be_bytes());
    out.extend(size.to_be_bytes());
    out.extend(root.0);
    out
}

/// An ECDSA signature (DER) as `DigitallySigned`.
///
/// Source: RFC 5246 section 4.7. Limit: signatures below 64 KiB; one on P-256 has 72 octets at most.
pub(super) fn digitally_signed(signature: &[u8]) -> Vec<u8> {
    let mut out = SHA256_ECDSA.to_vec();
    let length = u16::try_from(signature.len()).unwrap_or(u16::MAX);
    out.extend(length.to_be_bytes());
    out.extend(signature);
    out
}

/// A vector after a length of three octets. What a transaction can hold is far below the limit.
fn put_24(out: &mut Vec<u8>, bytes: &[u8]) {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend(&length.to_be_bytes()[1..]);
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by hand from the structures in RFC 6962 sections 3.2, 3.4, 3.5, 4.6 and RFC 5246 4.7.
    #[test]
    fn every_structure_has_the_octets_that_the_rfc_gives_it() {
        let (time, der) = (TimeMs(0x0102_0304_0506_0708), [0x30, 0x01, 0xff]);
        let table: [(&str, Vec<u8>, &str); 6] = [
            ("leaf", ct_leaf(&der, time), "00 00 0102030405060708 0000 000003 3001ff 0000"),
            ("timestamp", timestamp_input(&der, time), "00 00 0102030405060708 0000 000003 3001ff 0000"),
            ("chain", chain(&[vec![1, 2], vec![3]]), "000009 000002 0102 000001 03"),
            ("no chain", chain(&[]), "000000"),
            (
                "head",
                head_input(258, &Hash([0xab; 32]), time),
                &format!("00 01 0102030405060708 0000000000000102 {}", "ab".repeat(32)),
            ),
            ("signature", digitally_signed(&[9, 8]), "04 03 0002 0908"),
        ];
        for (name, bytes, expected) in table {
            assert_eq!(hex::encode(bytes), expected.replace(' ', ""), "{name}");
        }
    }

    #[test]
    fn a_length_of_three_octets_is_written_big_endian() {
        let leaf = ct_leaf(&[7; 0x0203], TimeMs(0));
        assert_eq!(leaf[12..15], [0x00, 0x02, 0x03]);
    }
}
