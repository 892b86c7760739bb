//! The pre-check: one row per rule, each a certificate that breaks this rule alone and is signed as it should
//! be.

use const_oid::db::rfc5280 as oid;
use der::asn1::ObjectIdentifier;
use tabellion_corpus::{Draft, DraftExtension, KeyKind, TestCa, TestKey, extensions as ext, name};
use tabellion_ledger::TimeMs;
use tabellion_pki::{
    AlgorithmSet, CertificateLimits, CertificateRefusal, Chain, ChainCache, KeyAlgorithm, ParameterFault,
    Place, PreparedParameters, Profile, Root, SignatureAlgorithm, TrustAnchor, ValidationParameters,
    precheck_bytes, verify_chain,
};

use super::support::{NOW, parameters, verify, verify_with};

use CertificateRefusal as Refusal;

const LEAF: Place = Place::Certificate;
const FIRST: Place = Place::Intermediate(1);
const ROOT: Place = Place::Root;
const CRITICAL_UNKNOWN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.32473.1");

/// The refusal of a certificate whose draft was changed before signing.
fn leaf(change: impl FnOnce(&mut Draft)) -> Option<Refusal> {
    let mut ca = TestCa::new(KeyKind::P256);
    let mut draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::P256).spki());
    change(&mut draft);
    let certificate = ca.sign(&draft);
    verify(&ca, &certificate).err()
}

/// The refusal of a good certificate under an intermediate whose draft was changed before signing.
fn intermediate(change: impl FnOnce(&mut Draft)) -> Option<Refusal> {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 0);
    let key = TestKey::generate(KeyKind::P256);
    let mut draft = ca.intermediate_draft("CN=Changed,C=CH", &key);
    change(&mut draft);
    ca.add_intermediate(draft, key);
    let certificate = ca.issue("www.example.com");
    verify(&ca, &certificate).err()
}

/// Why a root whose draft was changed before signing cannot be a trusted CA.
fn root(change: impl FnOnce(&mut Draft)) -> Option<Refusal> {
    let ca = TestCa::with_intermediates(KeyKind::P256, 0);
    let mut draft = ca.issuer().draft.clone();
    change(&mut draft);
    let certificate = ca.sign(&draft);
    match PreparedParameters::new(&parameters(&[&certificate])) {
        Ok(_) => None,
        Err(ParameterFault::Anchor { index: 0, refusal }) => Some(refusal),
        Err(other) => panic!("{other}"),
    }
}

fn raw(identifier: ObjectIdentifier, critical: bool, value: &[u8]) -> DraftExtension {
    DraftExtension { identifier, critical, value: value.to_vec() }
}

/// X.1409 C3, C11: certificates that keep all rules pass, so each row below breaks one rule only.
#[test]
fn certificates_that_keep_the_rules_pass() {
    assert_eq!(leaf(|_| ()), None);
    assert_eq!(intermediate(|_| ()), None);
    assert_eq!(root(|_| ()), None);
    for names in [&["*.example.com"][..], &["a.b-c.d2"], &["EXAMPLE.com"]] {
        assert_eq!(leaf(|draft| draft.set(ext::dns_names(names))), None, "{names:?}");
    }
    let no_subject = |draft: &mut Draft| {
        draft.subject = name("");
        draft.set_critical(oid::ID_CE_SUBJECT_ALT_NAME, true);
    };
    assert_eq!(leaf(no_subject), None);
    assert_eq!(leaf(|draft| draft.serial = [&[0x7f], [0xff; 19].as_slice()].concat()), None);
    assert_eq!(leaf(|draft| draft.extensions.push(raw(CRITICAL_UNKNOWN, false, &[5, 0]))), None);
}

/// X.1409 C3: serial number, version, names, dates.
#[test]
fn a_certificate_with_a_wrong_body_is_refused() {
    let too_long = [&[1], [0; 20].as_slice()].concat();
    let rows: Vec<(Option<Refusal>, Refusal)> = vec![
        (leaf(|d| d.serial = vec![0]), Refusal::SerialNotPositive { place: LEAF }),
        (leaf(|d| d.serial = vec![0x80]), Refusal::SerialNotPositive { place: LEAF }),
        (leaf(|d| d.serial = too_long), Refusal::SerialTooLong { place: LEAF, octets: 21, octets_max: 20 }),
        (leaf(|d| d.version = 1), Refusal::VersionNotThree { place: LEAF, version: 1 }),
        (leaf(|d| d.version = 2), Refusal::VersionNotThree { place: LEAF, version: 2 }),
        (intermediate(|d| d.version = 1), Refusal::VersionNotThree { place: FIRST, version: 1 }),
        (leaf(|d| d.issuer = name("")), Refusal::EmptyIssuer { place: LEAF }),
        (
            leaf(|d| {
                d.subject = name("");
                d.set(ext::basic_constraints(true, None));
            }),
            Refusal::EmptySubject { place: LEAF },
        ),
        (root(|d| d.subject = name("")), Refusal::EmptySubject { place: ROOT }),
        (
            leaf(|d| {
                d.subject = name("");
                d.remove(oid::ID_CE_SUBJECT_ALT_NAME);
            }),
            Refusal::NoName { place: LEAF },
        ),
        (
            leaf(|d| d.not_after = TimeMs(d.not_before.0 - 1000)),
            Refusal::ValidityReversed {
                place: LEAF,
                not_before: TimeMs(1_767_225_600_000),
                not_after: TimeMs(1_767_225_599_000),
            },
        ),
    ];
    for (found, expected) in rows {
        assert_eq!(found, Some(expected));
    }
}

/// X.1409 C3: extensions that are doubled, undecodable, unknown and critical, or empty.
#[test]
fn a_certificate_with_wrong_extensions_is_refused() {
    let twice = |d: &mut Draft| d.extensions.push(ext::dns_names(&["other.example.com"]));
    let double = Refusal::DuplicateExtension { place: LEAF, extension: "2.5.29.17".to_owned() };
    assert_eq!(leaf(twice), Some(double));
    let unknown_twice = |d: &mut Draft| {
        d.extensions.push(raw(CRITICAL_UNKNOWN, false, &[5, 0]));
        d.extensions.push(raw(CRITICAL_UNKNOWN, false, &[5, 0]));
    };
    let double = Refusal::DuplicateExtension { place: LEAF, extension: CRITICAL_UNKNOWN.to_string() };
    assert_eq!(leaf(unknown_twice), Some(double));

    let unknown = Refusal::UnknownCriticalExtension { place: LEAF, extension: CRITICAL_UNKNOWN.to_string() };
    assert_eq!(leaf(|d| d.extensions.push(raw(CRITICAL_UNKNOWN, true, &[5, 0]))), Some(unknown));

    let known = [
        "2.5.29.9",
        "2.5.29.14",
        "2.5.29.15",
        "2.5.29.16",
        "2.5.29.17",
        "2.5.29.18",
        "2.5.29.19",
        "2.5.29.30",
        "2.5.29.31",
        "2.5.29.32",
        "2.5.29.33",
        "2.5.29.35",
        "2.5.29.36",
        "2.5.29.37",
        "2.5.29.46",
        "2.5.29.54",
        "1.3.6.1.5.5.7.1.1",
        "1.3.6.1.5.5.7.1.11",
    ];
    for text in known.iter().filter(|text| **text != "2.5.29.9") {
        let found = leaf(|d| d.set(raw(ObjectIdentifier::new_unwrap(text), false, &[0x30, 5, 1])));
        assert_eq!(found, Some(Refusal::UndecodableExtension { place: LEAF, extension: (*text).to_owned() }));
    }
    // subjectDirectoryAttributes is not processed and not looked into.
    assert_eq!(leaf(|d| d.set(raw(ObjectIdentifier::new_unwrap(known[0]), false, &[0x30, 5, 1]))), None);

    let empty_sequence: &[u8] = &[0x30, 0];
    let empty = [
        (oid::ID_CE_EXT_KEY_USAGE, empty_sequence),
        (oid::ID_CE_SUBJECT_ALT_NAME, empty_sequence),
        (oid::ID_CE_CERTIFICATE_POLICIES, empty_sequence),
        (oid::ID_CE_POLICY_MAPPINGS, empty_sequence),
        (oid::ID_CE_POLICY_CONSTRAINTS, empty_sequence),
        (oid::ID_CE_NAME_CONSTRAINTS, empty_sequence),
        (oid::ID_CE_CRL_DISTRIBUTION_POINTS, empty_sequence),
        (oid::ID_PE_AUTHORITY_INFO_ACCESS, empty_sequence),
        (oid::ID_CE_KEY_USAGE, &[3, 2, 7, 0]),
    ];
    for (identifier, value) in empty {
        let found = leaf(|d| d.set(raw(identifier, false, value)));
        assert_eq!(found, Some(Refusal::EmptyExtension { place: LEAF, extension: identifier.to_string() }));
    }
}

/// X.1409 C3: key identifiers, critical flags and what only a CA may carry.
#[test]
fn a_certificate_that_breaks_a_rule_of_clause_four_is_refused() {
    const AKI: ObjectIdentifier = oid::ID_CE_AUTHORITY_KEY_IDENTIFIER;
    const SKI: ObjectIdentifier = oid::ID_CE_SUBJECT_KEY_IDENTIFIER;
    const BASIC: ObjectIdentifier = oid::ID_CE_BASIC_CONSTRAINTS;
    let constrained = |critical| {
        move |d: &mut Draft| {
            d.set(ext::dns_constraints(&["example.com"], &[]));
            d.set_critical(oid::ID_CE_NAME_CONSTRAINTS, critical);
        }
    };
    let no_subject = |d: &mut Draft| d.subject = name("");
    let policy_constraints = |d: &mut Draft| {
        d.set(ext::policy_constraints(Some(8), None));
        d.set_critical(oid::ID_CE_POLICY_CONSTRAINTS, false);
    };
    let cert_sign = |d: &mut Draft| d.set(ext::key_usage(x509_cert::ext::pkix::KeyUsages::KeyCertSign));
    let rows: Vec<(Option<Refusal>, Refusal)> = vec![
        (leaf(|d| d.remove(AKI)), Refusal::AuthorityKeyIdMissing { place: LEAF }),
        (intermediate(|d| d.remove(AKI)), Refusal::AuthorityKeyIdMissing { place: FIRST }),
        (leaf(|d| d.set_critical(AKI, true)), Refusal::AuthorityKeyIdCritical { place: LEAF }),
        (intermediate(|d| d.remove(SKI)), Refusal::SubjectKeyIdMissing { place: FIRST }),
        (root(|d| d.remove(SKI)), Refusal::SubjectKeyIdMissing { place: ROOT }),
        (leaf(no_subject), Refusal::AlternativeNameNotCritical { place: LEAF }),
        (intermediate(|d| d.remove(BASIC)), Refusal::BasicConstraintsMissing { place: FIRST }),
        (root(|d| d.remove(BASIC)), Refusal::BasicConstraintsMissing { place: ROOT }),
        (intermediate(|d| d.set(ext::basic_constraints(false, None))), Refusal::NotCa { place: FIRST }),
        (
            intermediate(|d| d.set_critical(BASIC, false)),
            Refusal::BasicConstraintsNotCritical { place: FIRST },
        ),
        (root(|d| d.set_critical(BASIC, false)), Refusal::BasicConstraintsNotCritical { place: ROOT }),
        (leaf(cert_sign), Refusal::CertSignWithoutCa { place: LEAF }),
        (leaf(constrained(true)), Refusal::NameConstraintsOutsideCa { place: LEAF }),
        (intermediate(constrained(false)), Refusal::NameConstraintsNotCritical { place: FIRST }),
        (intermediate(policy_constraints), Refusal::PolicyConstraintsNotCritical { place: FIRST }),
    ];
    for (found, expected) in rows {
        assert_eq!(found, Some(expected));
    }
    assert_eq!(intermediate(constrained(true)), None);
    assert_eq!(root(|d| d.remove(AKI)), None);
}

/// The lenient profile leaves out the rules that bind only the CA, and none of those that guard a verdict.
#[test]
fn the_path_profile_leaves_out_what_binds_only_the_ca() {
    let under = |profile: Profile, change: fn(&mut Draft)| {
        let mut ca = TestCa::with_intermediates(KeyKind::P256, 0);
        let key = TestKey::generate(KeyKind::P256);
        let mut draft = ca.intermediate_draft("CN=Changed,C=CH", &key);
        change(&mut draft);
        ca.add_intermediate(draft, key);
        let certificate = ca.issue("www.example.com");
        verify_with(&ca, &certificate, |parameters| parameters.profile = profile).is_ok()
    };
    let lenient: [fn(&mut Draft); 4] = [
        |d| d.remove(oid::ID_CE_AUTHORITY_KEY_IDENTIFIER),
        |d| d.remove(oid::ID_CE_SUBJECT_KEY_IDENTIFIER),
        |d| d.set_critical(oid::ID_CE_BASIC_CONSTRAINTS, false),
        |d| {
            d.set(ext::dns_constraints(&["example.com"], &[]));
            d.set_critical(oid::ID_CE_NAME_CONSTRAINTS, false);
        },
    ];
    for change in lenient {
        assert!(under(Profile::Path, change));
        assert!(!under(Profile::Strict, change));
    }
    let always: [fn(&mut Draft); 4] = [
        |d| d.set_critical(oid::ID_CE_AUTHORITY_KEY_IDENTIFIER, true),
        |d| d.extensions.push(ext::basic_constraints(true, None)),
        |d| d.remove(oid::ID_CE_BASIC_CONSTRAINTS),
        |d| d.serial = vec![0], // zero is let pass for roots alone
    ];
    for change in always {
        assert!(!under(Profile::Path, change));
    }
}

/// X.1409 C3: DNS names are DNS names.
#[test]
fn an_alternative_name_that_is_no_dns_name_is_refused() {
    let long_label = format!("{}.example.com", "a".repeat(64));
    let long_name = ["abcdefg."; 32].concat() + "example.com";
    let bad = [
        ".example.com",
        "example.com.",
        "a..example.com",
        "under_score.example.com",
        "-a.example.com",
        "a-.example.com",
        "",
        "*",
        "*example.com",
        "a.*.example.com",
        "sp ace.example.com",
        "*.",
        &long_label,
        &long_name,
    ];
    for name in bad {
        let found = leaf(|d| d.set(ext::dns_names(&["good.example.com", name])));
        assert_eq!(found, Some(Refusal::DnsNameSyntax { place: LEAF, name: name.to_owned() }));
    }
    let mut ca = TestCa::new(KeyKind::P256);
    let mut draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::P256).spki());
    draft.set(ext::dns_names(&["_sip._tcp.example.com"]));
    let certificate = ca.sign(&draft);
    assert!(verify_with(&ca, &certificate, |parameters| parameters.underscore_in_dns_names = true).is_ok());
}

/// X.1409 C3: sizes and frames, before anything is decoded.
#[test]
fn too_large_cut_off_or_trailing_bytes_are_refused() {
    let mut ca = TestCa::new(KeyKind::P256);
    let good = ca.issue("www.example.com");
    let refusal = |bytes: &[u8]| verify(&ca, bytes).expect_err("it is broken");

    let large = [good.as_slice(), &vec![0; 16 * 1024 + 1 - good.len()]].concat();
    let (bytes, bytes_max) = (16 * 1024 + 1, 16 * 1024);
    assert_eq!(refusal(&large), Refusal::TooLarge { place: LEAF, bytes, bytes_max });
    for cut in 4..good.len() {
        let (expected, found) = (good.len(), cut);
        assert_eq!(refusal(&good[..cut]), Refusal::Truncated { place: LEAF, expected, found });
    }
    for cut in 0..4 {
        assert_eq!(refusal(&good[..cut]), Refusal::Malformed { place: LEAF, position: None });
    }
    let trailing = [good.as_slice(), b"x"].concat();
    assert_eq!(refusal(&trailing), Refusal::TrailingBytes { place: LEAF, extra: 1 });
    assert_eq!(precheck_bytes(&trailing), Err(Refusal::TrailingBytes { place: LEAF, extra: 1 }));
    assert_eq!(precheck_bytes(&good), Ok(()));
    assert!(matches!(refusal(&[0x30, 3, 1, 1, 0]), Refusal::Malformed { place: LEAF, .. }));

    let large_root = Chain { certificate: &good, intermediates: ca.intermediates(), root: Root::Der(&large) };
    let prepared = PreparedParameters::new(&parameters(&[ca.root()])).expect("usable");
    let found = verify_chain(&prepared, &large_root, NOW, &ChainCache::new(0)).outcome.err();
    assert_eq!(found, Some(Refusal::TooLarge { place: ROOT, bytes, bytes_max }));
}

/// X.1409 C3: more than 100 names, more than 6 intermediates.
#[test]
fn too_many_names_or_intermediates_are_refused() {
    let names: Vec<String> = (0..101).map(|number| format!("n{number}.example.com")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(leaf(|d| d.set(ext::dns_names(&names[..100]))), None);
    let too_many = Refusal::TooManyNames { place: LEAF, count: 101, count_max: 100 };
    assert_eq!(leaf(|d| d.set(ext::dns_names(&names))), Some(too_many));

    for count in [6, 7] {
        let mut ca = TestCa::with_intermediates(KeyKind::P256, count);
        let certificate = ca.issue("www.example.com");
        let expected = (count > 6).then_some(Refusal::TooManyIntermediates { count, count_max: 6 });
        assert_eq!(verify(&ca, &certificate).err(), expected);
    }
}

/// X.1409 C3: two different names of the signature algorithm.
#[test]
fn signature_algorithms_that_differ_are_refused() {
    let mut ca = TestCa::new(KeyKind::P256);
    let draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::P256).spki());
    let certificate = draft.sign_with_outer_algorithm(&ca.issuer().key, &KeyKind::P384.signature_algorithm());
    let expected = Refusal::SignatureAlgorithmsDiffer {
        place: LEAF,
        signed: "1.2.840.10045.4.3.2".to_owned(),
        outer: "1.2.840.10045.4.3.3".to_owned(),
    };
    assert_eq!(verify(&ca, &certificate), Err(expected));
}

/// A SubjectPublicKeyInfo from its parts.
fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    tabellion_corpus::spki(algorithm, key)
}

/// X.1409 C3, C11: keys outside the accepted kinds and sizes, in the certificate and above it.
#[test]
fn a_weak_or_unknown_key_is_refused() {
    let rsa_algorithm = [0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0];
    let rsa = |bits: usize, exponent: &[u8]| {
        spki(&rsa_algorithm, &tabellion_corpus::rsa_public_key(bits, exponent))
    };
    let f4: &[u8] = &[1, 0, 1];
    let size = |bits| Refusal::RsaKeySize { place: LEAF, bits, bits_min: 2048, bits_max: 4096 };
    let unknown = |key: &str| Refusal::KeyNotAccepted { place: LEAF, key: key.to_owned() };
    let malformed = |key: &str| Refusal::KeyMalformed { place: LEAF, key: key.to_owned() };
    let dsa = [0x30, 9, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1];
    let p192 =
        [0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 1];
    let p256 =
        [0x30, 19, 6, 7, 0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let ed25519 = [0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
    let rows: Vec<(Vec<u8>, Option<Refusal>)> = vec![
        (rsa(2048, f4), None),
        (rsa(4096, &[3]), None),
        (rsa(1024, f4), Some(size(1024))),
        (rsa(2047, f4), Some(size(2047))),
        (rsa(8192, f4), Some(size(8192))),
        (rsa(2048, &[1]), Some(malformed("RSA"))),
        (rsa(2048, &[2]), Some(malformed("RSA"))),
        (spki(&rsa_algorithm, &[5, 0]), Some(malformed("RSA"))),
        (spki(&dsa, &[2, 1, 5]), Some(unknown("1.2.840.10040.4.1"))),
        (spki(&p192, &[4; 49]), Some(unknown("elliptic curve 1.2.840.10045.3.1.1"))),
        (spki(&p256, &[2; 33]), Some(malformed("P-256"))),
        (spki(&p256, &[4; 64]), Some(malformed("P-256"))),
        (spki(&ed25519, &[4; 31]), Some(malformed("Ed25519"))),
    ];
    for (key, expected) in rows {
        assert_eq!(leaf(|draft| draft.spki = key), expected);
    }
}

/// X.1409 C3: the parameters of a signature algorithm are part of its name.
#[test]
fn a_signature_algorithm_with_wrong_parameters_is_refused() {
    let rsa_sha256 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 11];
    let ecdsa_sha256 = [6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    let pss = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 10];
    let sha1 = [6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 5, 5, 0];
    let rows: [(KeyKind, Vec<u8>, Option<&str>); 7] = [
        (KeyKind::Rsa2048, rsa_sha256.to_vec(), None),
        (KeyKind::Rsa2048, [rsa_sha256.as_slice(), &[5, 0]].concat(), None),
        (
            KeyKind::Rsa2048,
            [rsa_sha256.as_slice(), &[2, 1, 0]].concat(),
            Some("RSA with SHA-256 with wrong parameters"),
        ),
        (KeyKind::P256, ecdsa_sha256.to_vec(), None),
        (
            KeyKind::P256,
            [ecdsa_sha256.as_slice(), &[5, 0]].concat(),
            Some("ECDSA with SHA-256 with wrong parameters"),
        ),
        (KeyKind::Rsa2048, [pss.as_slice(), &[0x30, 0]].concat(), Some("RSA-PSS with other parameters")),
        (KeyKind::Rsa2048, sha1.to_vec(), Some("1.2.840.113549.1.1.5")),
    ];
    for (kind, content, expected) in rows {
        let mut ca = TestCa::with_intermediates(kind, 0);
        let draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::P256).spki());
        let length = u8::try_from(content.len()).expect("short");
        let certificate = draft.sign_as(&ca.issuer().key, &[&[0x30, length], content.as_slice()].concat());
        let refusal = |algorithm: &str| Refusal::SignatureAlgorithmNotAccepted {
            place: LEAF,
            algorithm: algorithm.to_owned(),
        };
        assert_eq!(verify(&ca, &certificate).err(), expected.map(refusal));
    }
}

/// X.1409 C4: the participants choose keys and signatures; each list is kept for itself.
#[test]
fn an_algorithm_outside_the_participants_lists_is_refused() {
    let mut ca = TestCa::new(KeyKind::P384);
    let draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::Ed25519).spki());
    let certificate = ca.sign(&draft);
    type Change = fn(&mut AlgorithmSet);
    let rows: Vec<(Change, Option<Refusal>)> = vec![
        (|_| (), None),
        (
            |set| set.certificate_keys = vec![KeyAlgorithm::P384],
            Some(Refusal::KeyNotAccepted { place: LEAF, key: "Ed25519".to_owned() }),
        ),
        (
            |set| set.signatures = vec![SignatureAlgorithm::EcdsaSha256],
            Some(Refusal::SignatureAlgorithmNotAccepted {
                place: LEAF,
                algorithm: "ECDSA with SHA-384".to_owned(),
            }),
        ),
    ];
    for (change, expected) in rows {
        let found = verify_with(&ca, &certificate, |parameters| change(&mut parameters.algorithms)).err();
        assert_eq!(found, expected);
    }
    let mut only_p256 = parameters(&[ca.root()]);
    only_p256.algorithms.ca_keys = vec![KeyAlgorithm::P256];
    let refusal = Refusal::KeyNotAccepted { place: ROOT, key: "P-384".to_owned() };
    let found = PreparedParameters::new(&only_p256).err();
    assert_eq!(found, Some(ParameterFault::Anchor { index: 0, refusal }));
}

/// X.1409 C4, C5: parameters that cannot work are found when they are set, not at the first request.
#[test]
fn parameters_that_cannot_work_are_faults() {
    let ca = TestCa::new(KeyKind::P256);
    let fault = |change: &dyn Fn(&mut ValidationParameters)| {
        let mut parameters = parameters(&[ca.root()]);
        change(&mut parameters);
        PreparedParameters::new(&parameters).err()
    };
    let anchor = TrustAnchor { certificate: ca.root().to_vec() };
    let id = anchor.id();
    assert_eq!(fault(&|p| p.anchors.push(anchor.clone())), Some(ParameterFault::AnchorTwice(id)));
    assert_eq!(
        fault(&|p| p.initial_policies = vec!["x".to_owned()]),
        Some(ParameterFault::Policy("x".to_owned()))
    );
    let rsa = ParameterFault::RsaBits { bits_min: 1024, bits_max: 4096 };
    assert_eq!(fault(&|p| p.algorithms.rsa_bits_min = 1024), Some(rsa));
    let limit = ParameterFault::Limit { name: "names_max", value: 0, value_max: 1000 };
    assert_eq!(fault(&|p| p.limits = CertificateLimits { names_max: 0, ..p.limits }), Some(limit));
    let no_sign = |draft: &mut Draft| draft.set(ext::key_usage(x509_cert::ext::pkix::KeyUsages::CRLSign));
    assert_eq!(root(no_sign), Some(Refusal::KeyUsage { place: ROOT }));
}

/// Each refusal says the same name to programs, in its serialized form and by its method.
#[test]
fn the_code_of_a_refusal_is_the_tag_of_its_serialized_form() {
    let refusals = [
        Refusal::TooLarge { place: LEAF, bytes: 2, bytes_max: 1 },
        Refusal::UnknownRoot { root: Default::default() },
        Refusal::CertSignWithoutCa { place: FIRST },
        Refusal::PolicyConstraintsNotCritical { place: ROOT },
        Refusal::NoValidPolicy { place: LEAF, accepted: vec!["2.5.29.32.0".to_owned()] },
        Refusal::NotYetValid { place: LEAF, not_before: NOW, at: NOW },
    ];
    for refusal in refusals {
        let json = serde_json::to_value(&refusal).expect("a refusal is plain data");
        assert_eq!(json["code"], refusal.code());
        assert!(!refusal.to_string().is_empty());
    }
}
