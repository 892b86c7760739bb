//! Extensions for [`crate::Draft`], with the critical flags that RFC 5280 asks for.

use const_oid::db::rfc5280 as oid;
use der::asn1::{Ia5String, ObjectIdentifier, OctetString};
use der::flagset::FlagSet;
use sha2::{Digest, Sha256};
use x509_cert::ext::pkix::certpolicy::{CertificatePolicies, PolicyInformation};
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::constraints::{BasicConstraints, NameConstraints, PolicyConstraints};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName, SubjectKeyIdentifier,
};

use crate::draft::{DraftExtension, encode};

fn extension(identifier: ObjectIdentifier, critical: bool, value: Vec<u8>) -> DraftExtension {
    DraftExtension { identifier, critical, value }
}

/// The first 20 octets of the SHA-256 of a SubjectPublicKeyInfo. Source: RFC 7093, in spirit.
fn key_identifier(spki: &[u8]) -> OctetString {
    OctetString::new(&Sha256::digest(spki)[..20]).expect("20 octets")
}

/// Names the issuer's key.
pub fn authority_key_id(issuer_spki: &[u8]) -> DraftExtension {
    let key_identifier = Some(key_identifier(issuer_spki));
    let value = AuthorityKeyIdentifier { key_identifier, ..AuthorityKeyIdentifier::default() };
    extension(oid::ID_CE_AUTHORITY_KEY_IDENTIFIER, false, encode(&value))
}

/// Names the certificate's own key.
pub fn subject_key_id(spki: &[u8]) -> DraftExtension {
    let value = SubjectKeyIdentifier(key_identifier(spki));
    extension(oid::ID_CE_SUBJECT_KEY_IDENTIFIER, false, encode(&value))
}

/// CA or not.
pub fn basic_constraints(ca: bool, path_len_constraint: Option<u8>) -> DraftExtension {
    let value = BasicConstraints { ca, path_len_constraint };
    extension(oid::ID_CE_BASIC_CONSTRAINTS, true, encode(&value))
}

/// What the key is for.
pub fn key_usage(usages: impl Into<FlagSet<KeyUsages>>) -> DraftExtension {
    extension(oid::ID_CE_KEY_USAGE, true, encode(&KeyUsage(usages.into())))
}

/// What the key is for, by purpose.
pub fn extended_key_usage(purposes: &[ObjectIdentifier]) -> DraftExtension {
    extension(oid::ID_CE_EXT_KEY_USAGE, false, encode(&ExtendedKeyUsage(purposes.to_vec())))
}

/// For an OCSP delegate.
pub fn ocsp_signing() -> DraftExtension {
    extended_key_usage(&[oid::ID_KP_OCSP_SIGNING])
}

fn dns(name: &str) -> GeneralName {
    GeneralName::DnsName(Ia5String::new(name).expect("ASCII"))
}

/// Alternative names of the kind dNSName.
pub fn dns_names(names: &[&str]) -> DraftExtension {
    let value = SubjectAltName(names.iter().map(|name| dns(name)).collect());
    extension(oid::ID_CE_SUBJECT_ALT_NAME, false, encode(&value))
}

/// Name constraints of the kind dNSName.
pub fn dns_constraints(permitted: &[&str], excluded: &[&str]) -> DraftExtension {
    let subtrees = |names: &[&str]| {
        let subtree = |name: &&str| GeneralSubtree { base: dns(name), minimum: 0, maximum: None };
        (!names.is_empty()).then(|| names.iter().map(subtree).collect())
    };
    let value =
        NameConstraints { permitted_subtrees: subtrees(permitted), excluded_subtrees: subtrees(excluded) };
    extension(oid::ID_CE_NAME_CONSTRAINTS, true, encode(&value))
}

/// Certificate policies, dotted.
pub fn policies(identifiers: &[&str]) -> DraftExtension {
    let policy = |text: &&str| PolicyInformation {
        policy_identifier: ObjectIdentifier::new_unwrap(text),
        policy_qualifiers: None,
    };
    let value = CertificatePolicies(identifiers.iter().map(policy).collect());
    extension(oid::ID_CE_CERTIFICATE_POLICIES, false, encode(&value))
}

/// Certificates to go until a policy is required, and until mappings are ignored.
pub fn policy_constraints(require_explicit: Option<u32>, inhibit_mapping: Option<u32>) -> DraftExtension {
    let value = PolicyConstraints {
        require_explicit_policy: require_explicit,
        inhibit_policy_mapping: inhibit_mapping,
    };
    extension(oid::ID_CE_POLICY_CONSTRAINTS, true, encode(&value))
}
