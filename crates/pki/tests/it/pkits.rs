//! NIST PKITS: the public key interoperability test suite, minus the cases that need revocation data.
//!
//! The data is that of the PyPI package `cryptography-vectors`; `xtask/scripts/pkits.sh` fetches it. RSA-2048
//! is the suite as NIST published it. The other editions are made from it: each certificate keeps all its
//! bytes but its key, the algorithm names and the signature, and is signed by the new key of whoever signed
//! the original, found by trying the signature; a signature that fits no key of the suite is again one that
//! fits none.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use der::{Decode, Encode};
use tabellion_corpus::{KeyKind, TestKey, pkits_certificates, reissue};
use tabellion_pki::{
    CertificateRefusal, Chain, ChainCache, PreparedParameters, Profile, Root, ValidationParameters,
    verify_chain,
};
use x509_cert::certificate::{CertificateInner, Raw};

use super::pkits_cases::{CASES, MORE_CASES};
use super::support::{NOW, parameters};

/// Policy inputs of a case; P1 to P6 are the suite's test policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    Any,
    Explicit,
    ExplicitP1,
    ExplicitP2,
    ExplicitP12,
    P1,
    P2,
    P3,
    P6,
    NoMapping,
    NoAny,
}

/// One row of the suite.
pub struct Case {
    pub id: &'static str,
    pub authorities: &'static [&'static str],
    pub certificate: &'static str,
    pub policy: Policy,
    pub refusal: Option<&'static str>,
}

/// Files of one edition by name, without their ending.
type Edition = BTreeMap<String, Vec<u8>>;

/// The suite as published.
fn published() -> &'static Edition {
    static EDITION: OnceLock<Edition> = OnceLock::new();
    EDITION.get_or_init(|| pkits_certificates().unwrap_or_else(|missing| panic!("{missing}")))
}

/// The suite with all keys of another kind.
fn reissued(kind: KeyKind) -> Edition {
    struct Original<'a> {
        name: &'a str,
        der: &'a [u8],
        decoded: CertificateInner<Raw>,
    }
    // The one certificate with a date before 1970 and the DSA ones do not take part.
    let is_rsa = |original: &Original<'_>| {
        original.decoded.tbs_certificate().subject_public_key_info().algorithm.oid.to_string()
            == "1.2.840.113549.1.1.1"
    };
    let decode = |(name, der): (&'static String, &'static Vec<u8>)| {
        let decoded = CertificateInner::<Raw>::from_der(der).ok()?;
        Some(Original { name, der, decoded })
    };
    let originals: Vec<_> = published().iter().filter_map(decode).filter(is_rsa).collect();
    let mut keys: BTreeMap<Vec<u8>, TestKey> = BTreeMap::new();
    for original in &originals {
        let key = original.decoded.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
        keys.entry(key.to_vec()).or_insert_with(|| TestKey::generate(kind));
    }
    let stranger = TestKey::generate(kind);
    let signer = |original: &Original<'_>| {
        let message = original.decoded.tbs_certificate().to_der().expect("decoded before");
        let signature = original.decoded.signature().raw_bytes();
        let signed = |key: &&Vec<u8>| {
            let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.as_slice());
            key.verify(&message, signature).is_ok()
        };
        keys.keys().find(signed).map_or(&stranger, |key| &keys[key])
    };
    let mut edition = Edition::new();
    for original in &originals {
        let key = original.decoded.tbs_certificate().subject_public_key_info().subject_public_key.raw_bytes();
        let certificate = reissue(original.der, &keys[key].spki(), signer(original));
        edition.insert(original.name.to_owned(), certificate);
    }
    edition
}

fn parameters_of(case: &Case, edition: &Edition, profile: Profile) -> ValidationParameters {
    const P1: &str = "2.16.840.1.101.3.2.1.48.1";
    const P2: &str = "2.16.840.1.101.3.2.1.48.2";
    const P3: &str = "2.16.840.1.101.3.2.1.48.3";
    const P6: &str = "2.16.840.1.101.3.2.1.48.6";
    let (policies, explicit): (&[&str], bool) = match case.policy {
        Policy::Any | Policy::NoMapping | Policy::NoAny => (&[], false),
        Policy::Explicit => (&[], true),
        Policy::ExplicitP1 => (&[P1], true),
        Policy::ExplicitP2 => (&[P2], true),
        Policy::ExplicitP12 => (&[P1, P2], true),
        Policy::P1 => (&[P1], false),
        Policy::P2 => (&[P2], false),
        Policy::P3 => (&[P3], false),
        Policy::P6 => (&[P6], false),
    };
    let mut parameters = parameters(&[&edition["TrustAnchorRootCertificate"]]);
    parameters.initial_policies = policies.iter().map(ToString::to_string).collect();
    parameters.explicit_policy = explicit;
    parameters.inhibit_mapping = case.policy == Policy::NoMapping;
    parameters.inhibit_any_policy = case.policy == Policy::NoAny;
    parameters.profile = profile;
    parameters
}

fn run(case: &Case, edition: &Edition, profile: Profile) -> Result<(), CertificateRefusal> {
    let prepared =
        PreparedParameters::new(&parameters_of(case, edition, profile)).expect("the anchor is usable");
    let chain = Chain {
        certificate: &edition[case.certificate],
        intermediates: case.authorities.iter().rev().map(|name| edition[*name].as_slice()).collect(),
        root: Root::Der(&edition["TrustAnchorRootCertificate"]),
    };
    verify_chain(&prepared, &chain, NOW, &ChainCache::new(0)).outcome.map(|_| ())
}

/// Rows whose verdict, or reason, is not the expected one.
fn differences(cases: &[Case], edition: &Edition, profile: Profile) -> Vec<String> {
    let mut rows = Vec::new();
    for case in cases {
        let outcome = run(case, edition, profile);
        let found = outcome.as_ref().err().map(CertificateRefusal::code);
        if found != case.refusal {
            rows.push(format!("{}: expected {:?}, found {outcome:?}", case.id, case.refusal));
        }
    }
    rows
}

/// X.1409 C3: basic checks, intermediate certificates and explicit policies as X.509 defines them; 173 of
/// 173.
#[test]
fn all_pkits_cases_without_revocation_are_right() {
    assert_eq!(CASES.len(), 173);
    assert_eq!(differences(CASES, published(), Profile::Path), Vec::<String>::new());
    assert_eq!(differences(MORE_CASES, published(), Profile::Path), Vec::<String>::new());
}

/// X.1409 C3, C11: the same verdicts whatever the algorithm of the keys.
#[test]
fn all_pkits_cases_are_right_in_every_key_algorithm() {
    for kind in KeyKind::ALL.into_iter().filter(|kind| *kind != KeyKind::Rsa2048) {
        let edition = reissued(kind);
        assert_eq!(differences(CASES, &edition, Profile::Path), Vec::<String>::new(), "{kind:?}");
        assert_eq!(differences(MORE_CASES, &edition, Profile::Path), Vec::<String>::new(), "{kind:?}");
    }
}

/// The strict profile accepts no invalid case, and refuses valid ones only for a missing critical flag.
#[test]
fn the_strict_profile_refuses_only_missing_critical_flags() {
    let mut refused = BTreeMap::new();
    for case in CASES.iter().chain(MORE_CASES) {
        let lenient = run(case, published(), Profile::Path);
        let strict = run(case, published(), Profile::Strict);
        match (lenient, strict) {
            (Ok(()), Err(refusal)) => *refused.entry(refusal.code()).or_insert(0) += 1,
            (lenient, strict) => assert_eq!(lenient.is_ok(), strict.is_ok(), "{}", case.id),
        }
    }
    let expected =
        BTreeMap::from([("basic-constraints-not-critical", 1), ("policy-constraints-not-critical", 27)]);
    assert_eq!(refused, expected);
}

/// Valid by the suite, refused here on purpose: DSA, and a start of validity before 1970, which no time of a
/// ledger can express and which the decoder does not read.
#[test]
fn dsa_and_dates_before_1970_are_refused() {
    const GOOD: &[&str] = &["GoodCACert"];
    const DSA: &[&str] = &["DSACACert"];
    const INHERITED: &[&str] = &["DSAParametersInheritedCACert", "DSACACert"];
    let rows = [
        ("4.1.4", DSA, "ValidDSASignaturesTest4EE", "key-not-accepted"),
        ("4.1.5", INHERITED, "ValidDSAParameterInheritanceTest5EE", "key-not-accepted"),
        ("4.1.6", DSA, "InvalidDSASignatureTest6EE", "key-not-accepted"),
        ("4.2.3", GOOD, "Validpre2000UTCnotBeforeDateTest3EE", "malformed"),
    ];
    for (id, authorities, certificate, code) in rows {
        let case = Case { id, authorities, certificate, policy: Policy::Any, refusal: Some(code) };
        assert_eq!(differences(&[case], published(), Profile::Path), Vec::<String>::new());
    }
}
