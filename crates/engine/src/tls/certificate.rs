//! The node certificate: made from the node's key, read from a peer.

use rcgen::{CertificateParams, DistinguishedName, DnType, IsCa, KeyPair, PKCS_ED25519, date_time_ymd};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use x509_cert::der::Decode;
use x509_cert::der::oid::ObjectIdentifier;

use crate::committee::NodeKey;

/// Ed25519, RFC 8410 section 3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// PKCS #8 (RFC 5958) around an Ed25519 seed: version 0, algorithm 1.3.101.112, octet string in an octet
/// string.
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The seed as PKCS #8.
pub(super) fn pkcs8(seed: &[u8; 32]) -> PrivatePkcs8KeyDer<'static> {
    [PKCS8_HEAD.as_slice(), seed].concat().into()
}

/// A certificate for the node's key, signed with it, without an end.
pub(super) fn make(seed: &[u8; 32], key: &NodeKey) -> Result<CertificateDer<'static>, rcgen::Error> {
    let pair = KeyPair::from_pkcs8_der_and_sign_algo(&pkcs8(seed), &PKCS_ED25519)?;
    let mut params = CertificateParams::new(Vec::new())?;
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, format!("tabellion node {}", &key.to_string()[..16]));
    params.distinguished_name = name;
    params.is_ca = IsCa::ExplicitNoCa;
    // RFC 5280 section 4.1.2.5: 99991231235959Z stands for "no well-defined expiration date".
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31);
    Ok(params.self_signed(&pair)?.der().clone())
}

/// The Ed25519 key of a certificate. `None`: it does not parse, or holds another kind of key.
pub(super) fn key(certificate: &CertificateDer<'_>) -> Option<NodeKey> {
    let certificate = x509_cert::Certificate::from_der(certificate).ok()?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    if key.algorithm.oid != ED25519 || key.algorithm.parameters.is_some() {
        return None;
    }
    key.subject_public_key.as_bytes()?.try_into().ok().map(NodeKey)
}

#[cfg(test)]
mod tests {
    use super::{key, make};
    use crate::scheme::node_key;

    #[test]
    fn a_certificate_carries_the_nodes_key() {
        let seed = [9; 32];
        let made = make(&seed, &node_key(&seed)).unwrap();
        assert_eq!(key(&made), Some(node_key(&seed)));
    }

    #[test]
    fn a_certificate_with_another_kind_of_key_names_no_node() {
        let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        let made = rcgen::CertificateParams::new(Vec::new()).unwrap().self_signed(&pair).unwrap();
        assert_eq!(key(made.der()), None);
        assert_eq!(key(&b"no certificate".to_vec().into()), None);
    }
}
