use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::Algorithm;

use crate::{
    Certificate, ChainError, ChainPool, InputError, SigningKey, Verifier, leaves, read_certificates,
};

use super::world::{NOW, World};

fn pem(label: &str, der: &[u8]) -> String {
    pem::encode(&pem::Pem::new(label, der.to_vec()))
}

#[test]
fn inputs_that_are_no_certificate_say_what_they_are() {
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap().to_pkcs8().unwrap();
    let other = |found: &str| InputError::OtherContent { found: found.to_owned() };
    let rows: Vec<(&str, Vec<u8>, InputError)> = vec![
        ("empty", Vec::new(), InputError::Empty),
        ("white space", b" \n".to_vec(), InputError::Empty),
        ("text", b"hello".to_vec(), InputError::Garbage),
        ("key, PEM", pem("PRIVATE KEY", &key).into_bytes(), InputError::PrivateKey),
        ("RSA key, PEM", pem("RSA PRIVATE KEY", &key).into_bytes(), InputError::PrivateKey),
        ("key, DER", key, InputError::PrivateKey),
        ("request", pem("CERTIFICATE REQUEST", &[0x30, 0]).into_bytes(), other("a certificate request")),
        (
            "PKCS#12",
            vec![0x30, 0x82, 1, 1, 2, 1, 3, 0],
            other("a PKCS#12 file, which may hold a private key"),
        ),
    ];
    for (name, bytes, expected) in rows {
        assert_eq!(read_certificates(&bytes).unwrap_err(), expected, "{name}");
    }
    let cut = read_certificates(b"-----BEGIN CERTIFICATE-----\nMIIB").unwrap_err();
    assert!(matches!(cut, InputError::Pem { .. }), "{cut:?}");
    let garbage = read_certificates(pem("CERTIFICATE", b"garbage").as_bytes()).unwrap_err();
    assert!(matches!(garbage, InputError::Certificate { number: 1, .. }), "{garbage:?}");
}

#[test]
fn certificates_are_read_from_der_and_from_pem_with_other_things_beside_them() {
    let mut ca = TestCa::new(KeyKind::P256);
    let leaf = ca.issue("a.example");
    assert_eq!(read_certificates(&leaf).unwrap().certificates[0].der.as_ref(), leaf);
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap().to_pkcs8().unwrap();
    let text = ["subject: a\n", &pem("CERTIFICATE", &leaf), &pem("PRIVATE KEY", &key), "end"].concat();
    let input = read_certificates(text.as_bytes()).unwrap();
    assert_eq!((input.certificates.len(), input.private_keys), (1, 1));
}

#[test]
fn a_chain_is_found_whatever_the_order_of_its_bundle() {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 3);
    let leaf = Certificate::from_der(&ca.issue("a.example")).unwrap();
    let mut bundle: Vec<Certificate> =
        ca.intermediates().into_iter().map(|der| Certificate::from_der(der).unwrap()).collect();
    let expected: Vec<_> = bundle.iter().map(Certificate::id).collect();
    bundle.push(leaf.clone());
    for _ in 0..bundle.len() {
        bundle.rotate_left(1);
        bundle.swap(0, 2);
        let found = leaves(&bundle);
        assert_eq!(found.iter().map(|found| found.id()).collect::<Vec<_>>(), [leaf.id()]);
        let mut pool = ChainPool::new([ca.root()]);
        bundle.iter().cloned().for_each(|certificate| pool.add(certificate));
        let chain = pool.chain_of(found[0], None).unwrap();
        let ids: Vec<_> = chain.intermediates.iter().map(Certificate::id).collect();
        assert_eq!((ids, chain.root), (expected.clone(), Certificate::from_der(ca.root()).unwrap().id()));
    }
}

#[test]
fn a_missing_issuer_and_an_untrusted_root_are_named() {
    let mut ca = TestCa::new(KeyKind::P256);
    let leaf = Certificate::from_der(&ca.issue("a.example")).unwrap();
    let intermediate = Certificate::from_der(ca.intermediates()[0]).unwrap();
    let root = Certificate::from_der(ca.root()).unwrap();

    let pool = ChainPool::new([ca.root()]);
    let missing = pool.chain_of(&leaf, None).unwrap_err();
    let (subject, issuer) = (leaf.facts.subject.text().to_owned(), leaf.facts.issuer.text().to_owned());
    assert_eq!(missing, ChainError::NoIssuer { subject, issuer });
    let trusted = pool.chain_of(&root, None).unwrap_err();
    assert_eq!(trusted, ChainError::IsTrusted { subject: root.facts.subject.text().to_owned() });

    let mut pool = ChainPool::default();
    for certificate in [&intermediate, &root] {
        pool.add(certificate.clone());
    }
    let untrusted = pool.chain_of(&leaf, None).unwrap_err();
    let subject = root.facts.subject.text().to_owned();
    assert_eq!(untrusted, ChainError::UntrustedRoot { subject, root: root.id() });
}

#[test]
fn among_two_issuers_of_one_name_and_key_the_one_that_validates_is_taken() {
    let mut world = World::new();
    let leaf = Certificate::from_der(&world.ca.issue("a.example")).unwrap();
    // The same intermediate, expired: same name, same key, so only path validation tells them apart.
    let mut expired = world.ca.issuer().draft.clone();
    expired.not_after = tabellion_ledger::TimeMs(expired.not_before.0 + 1000);
    let expired = expired.sign(&world.ca.authorities[0].key);
    let good = world.pool().chain_of(&leaf, None).unwrap().intermediates[0].id();

    let mut pool = ChainPool::new([world.ca.root()]);
    pool.add(Certificate::from_der(&expired).unwrap());
    let verifier = Verifier { rules: world.ledger.rules(), at: NOW };
    assert!(pool.chain_of(&leaf, Some(&verifier)).unwrap().refusal.is_some(), "the only chain has expired");
    pool.add(Certificate::from_der(world.ca.intermediates()[0]).unwrap());
    let found = pool.chain_of(&leaf, Some(&verifier)).unwrap();
    assert_eq!((found.refusal, found.intermediates[0].id()), (None, good));
}
