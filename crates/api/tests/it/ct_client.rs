//! A client of a CT log, which shares nothing with the code under test: the octets are read, the hashes and
//! the walks up the tree are made here, from RFC 6962 and RFC 9162.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

pub type Digest = [u8; 32];

fn sha256(bytes: &[u8]) -> Digest {
    digest(&SHA256, bytes).as_ref().try_into().unwrap()
}

pub fn leaf(bytes: &[u8]) -> Digest {
    sha256(&[&[0], bytes].concat())
}

fn node(left: &Digest, right: &Digest) -> Digest {
    sha256(&[&[1], &left[..], &right[..]].concat())
}

/// The tree's root by its definition: RFC 6962 section 2.1.
pub fn root(leaves: &[Digest]) -> Digest {
    match leaves.len() {
        0 => sha256(&[]),
        1 => leaves[0],
        count => {
            let left = count.next_power_of_two() / 2;
            node(&root(&leaves[..left]), &root(&leaves[left..]))
        }
    }
}

/// The root to which a path leads, by the definition of paths: RFC 6962 section 2.1.1.
pub fn climb(leaf: &Digest, place: usize, size: usize, path: &[Digest]) -> Digest {
    if size == 1 {
        assert!(path.is_empty());
        return *leaf;
    }
    let left = size.next_power_of_two() / 2;
    let (last, rest) = path.split_last().unwrap();
    match place < left {
        true => node(&climb(leaf, place, left, rest), last),
        false => node(last, &climb(leaf, place - left, size - left, rest)),
    }
}

/// The path by its definition: RFC 6962 section 2.1.2.
pub fn consistency(leaves: &[Digest], old: usize, is_whole: bool) -> Vec<Digest> {
    if old == leaves.len() {
        return if is_whole { Vec::new() } else { vec![root(leaves)] };
    }
    let left = leaves.len().next_power_of_two() / 2;
    let (mut path, sibling) = match old <= left {
        true => (consistency(&leaves[..left], old, is_whole), root(&leaves[left..])),
        false => (consistency(&leaves[left..], old - left, false), root(&leaves[..left])),
    };
    path.push(sibling);
    path
}

pub fn bytes(value: &Value) -> Vec<u8> {
    STANDARD.decode(value.as_str().unwrap()).unwrap()
}

pub fn hash(value: &Value) -> Digest {
    bytes(value).try_into().unwrap()
}

pub fn hashes(value: &Value) -> Vec<Digest> {
    value.as_array().unwrap().iter().map(hash).collect()
}

/// Checks a `DigitallySigned` under a key (SPKI of P-256).
pub fn verify(spki: &[u8], signed: &[u8], input: &[u8]) {
    assert_eq!(signed[..2], [4, 3], "SHA-256, ECDSA");
    assert_eq!(usize::from(u16::from_be_bytes([signed[2], signed[3]])), signed.len() - 4);
    let point = &spki[spki.len() - 65..];
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point).verify(input, &signed[4..]).unwrap();
}

/// What a tree head's signature covers.
pub fn head_input(head: &Value) -> Vec<u8> {
    let number = |name: &str| head[name].as_u64().unwrap().to_be_bytes();
    [&[0, 1][..], &number("timestamp"), &number("tree_size"), &hash(&head["sha256_root_hash"])].concat()
}

/// An entry, read octet by octet: its time, the certificate, the chain.
pub fn read_entry(entry: &Value) -> (u64, Vec<u8>, Vec<Vec<u8>>) {
    let (leaf, extra) = (bytes(&entry["leaf_input"]), bytes(&entry["extra_data"]));
    assert_eq!((&leaf[..2], &leaf[10..12]), (&[0, 0][..], &[0, 0][..]), "v1, timestamped, x509");
    let time = u64::from_be_bytes(leaf[2..10].try_into().unwrap());
    let (certificate, rest) = vector(&leaf[12..]);
    assert_eq!(rest, [0, 0], "no extensions");
    let (mut inner, rest) = vector(&extra);
    assert!(rest.is_empty());
    let mut chain = Vec::new();
    while !inner.is_empty() {
        let (one, more) = vector(inner);
        chain.push(one.to_vec());
        inner = more;
    }
    (time, certificate.to_vec(), chain)
}

fn vector(input: &[u8]) -> (&[u8], &[u8]) {
    let length = input[..3].iter().fold(0, |length, octet| length * 256 + usize::from(*octet));
    input[3..].split_at(length)
}
