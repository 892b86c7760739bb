use tabellion_ledger::{Algorithm, Content, Hash, Lane, LedgerId, TimeMs};
use tempfile::tempdir;

use crate::key_file::write_with_work;
use crate::{KeyError, KeyFileError, Protection, SigningKey, is_encrypted_key_file, read_key_file};

fn passphrase(text: &str) -> Protection {
    Protection::Passphrase(text.to_owned())
}

#[test]
fn every_algorithm_signs_what_the_ledger_verifies_and_survives_pkcs8() {
    for algorithm in Algorithm::ALL {
        let key = SigningKey::generate(algorithm).unwrap();
        let again = SigningKey::from_pkcs8(&key.to_pkcs8().unwrap()).unwrap();
        assert_eq!((again.algorithm(), again.id()), (algorithm, key.id()));
        let content = Content {
            ledger: LedgerId([1; 32]),
            lane: Lane::Certificate,
            valid_until: TimeMs(1),
            nonce: [2; 16],
            action: vec![3],
            attachments: Hash::default(),
        };
        let envelope = again.envelope(&content).unwrap();
        assert_eq!(envelope.verify(key.public()), Ok(()), "{algorithm}");
        let shown = format!("{again:?}");
        assert!(shown.contains("not shown") && shown.len() < 120, "{shown}");
    }
    assert_eq!(SigningKey::from_pkcs8(b"nothing").unwrap_err(), KeyError::NotPkcs8);
}

#[test]
fn a_key_file_opens_with_its_passphrase_only() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("user.pem");
    let key = SigningKey::generate(Algorithm::Ed25519).unwrap();
    write_with_work(&path, &key, &passphrase("correct horse"), Some(4)).unwrap();

    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("-----BEGIN AGE ENCRYPTED FILE-----"), "{text}");
    assert!(is_encrypted_key_file(&path).unwrap());
    assert_eq!(read_key_file(&path, || Some("correct horse".into())).unwrap().id(), key.id());
    let wrong = read_key_file(&path, || Some("wrong".into()));
    assert!(matches!(wrong, Err(KeyFileError::Decrypt { .. })), "{wrong:?}");
    assert!(matches!(read_key_file(&path, || None), Err(KeyFileError::PassphraseNeeded(_))));
    std::fs::write(&path, &text[..text.len() / 2]).unwrap();
    assert!(matches!(
        read_key_file(&path, || Some("correct horse".into())),
        Err(KeyFileError::Decrypt { .. })
    ));
}

#[test]
fn a_key_file_is_its_owners_and_is_never_overwritten() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("plain.pem");
    let key = SigningKey::generate(Algorithm::MlDsa65).unwrap();
    write_with_work(&path, &key, &Protection::PlainText, None).unwrap();
    assert!(!crate::is_readable_by_others(&path));
    assert_eq!(read_key_file(&path, || unreachable!("not encrypted")).unwrap().id(), key.id());

    let other = SigningKey::generate(Algorithm::Ed25519).unwrap();
    let again = write_with_work(&path, &other, &Protection::PlainText, None);
    assert!(matches!(again, Err(KeyFileError::Exists(_))), "{again:?}");
    assert_eq!(read_key_file(&path, || None).unwrap().id(), key.id());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside the file");
}

#[test]
fn files_that_hold_no_key_say_what_they_hold() {
    let folder = tempdir().unwrap();
    let rows = [
        (String::new(), "nothing"),
        ("hello".to_owned(), "no PEM block"),
        (pem::encode(&pem::Pem::new("CERTIFICATE", vec![1])), "a PEM block 'CERTIFICATE'"),
    ];
    for (number, (content, expected)) in rows.into_iter().enumerate() {
        let path = folder.path().join(number.to_string());
        std::fs::write(&path, content).unwrap();
        match read_key_file(&path, || None) {
            Err(KeyFileError::OtherContent { found, .. }) => assert_eq!(found, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let path = folder.path().join("broken");
    std::fs::write(&path, pem::encode(&pem::Pem::new("PRIVATE KEY", vec![0x30, 0]))).unwrap();
    assert!(matches!(read_key_file(&path, || None), Err(KeyFileError::Key { .. })));
    let missing = read_key_file(&folder.path().join("missing"), || None);
    assert!(matches!(missing, Err(KeyFileError::Io { doing: "read", .. })));
}
