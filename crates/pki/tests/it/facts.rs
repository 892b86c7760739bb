//! Facts of single certificates, and names.

use certval::compare_names;
use tabellion_corpus::{KeyKind, TestCa, TestKey, name, pkits_certificates, real_chains, real_roots};
use tabellion_ledger::{CertificateId, KeyId};
use tabellion_pki::{CertificateRefusal, Facts, Place};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::der::Decode;

use super::support::NOW;

/// X.1409 C11, C12: what an index and a page show of a certificate.
#[test]
fn facts_are_read_from_any_certificate() {
    let mut ca = TestCa::new(KeyKind::P256);
    let key = TestKey::generate(KeyKind::Ed25519);
    let mut draft = ca.leaf_draft("www.example.com", &key.spki());
    draft.serial = vec![0, 0xfe, 1];
    draft.subject = name("CN=Ünïcode Ltd,C=CH");
    draft.not_after = tabellion_pki::NO_EXPIRY;
    let certificate = ca.sign(&draft);
    let facts = Facts::of(&certificate).expect("a certificate");
    assert_eq!(facts.certificate, CertificateId::of(&certificate));
    assert_eq!(facts.key, KeyId::of(&key.spki()));
    assert_eq!(facts.serial, [0xfe, 1]);
    assert_eq!(facts.subject.text(), "CN=Ünïcode Ltd,C=CH");
    assert!(facts.has_no_expiry());
    let json = serde_json::to_value(&facts).expect("plain data");
    assert_eq!(json["serial"], "fe01");
    assert_eq!(json["sha1"].as_str().map(str::len), Some(40));

    assert_eq!(
        Facts::of(&certificate[..99]),
        Err(CertificateRefusal::Truncated {
            place: Place::Certificate,
            expected: certificate.len(),
            found: 99
        })
    );
    assert!(matches!(Facts::of(b"0\x03\x01\x01\x00"), Err(CertificateRefusal::Malformed { .. })));
}

/// The text of a name is the library's, though made faster; and names that path validation takes for the same
/// fold to the same bytes, over all real and PKITS certificates.
#[test]
fn names_that_compare_equal_fold_equal() {
    let mut certificates: Vec<Vec<u8>> =
        real_chains(NOW).into_iter().map(|chain| chain.certificate).collect();
    certificates.extend(real_roots());
    certificates.extend(pkits_certificates().unwrap_or_else(|missing| panic!("{missing}")).into_values());
    let mut names = Vec::new();
    for der in &certificates {
        let (Ok(facts), Ok(decoded)) = (Facts::of(der), CertificateInner::<Raw>::from_der(der)) else {
            continue;
        };
        let tbs = decoded.tbs_certificate();
        assert_eq!(facts.subject.text(), tbs.subject().to_string());
        assert_eq!(facts.issuer.text(), tbs.issuer().to_string());
        names.push((facts.subject, tbs.subject().clone()));
        names.push((facts.issuer, tbs.issuer().clone()));
    }
    assert!(names.len() > 5000, "{}", names.len());
    names.sort_by(|a, b| a.0.folded().cmp(b.0.folded()));
    names.dedup_by(|a, b| a.1 == b.1);
    let mut spelled_otherwise = 0;
    for (at, (folded, name)) in names.iter().enumerate() {
        for (other_folded, other) in &names[at + 1..] {
            if compare_names(name, other) {
                assert!(folded.is_same(other_folded), "{folded} and {other_folded}");
                spelled_otherwise += 1;
            }
        }
    }
    assert!(spelled_otherwise > 5, "{spelled_otherwise}");
}
