use tempfile::tempdir;

use crate::run::tabellion;

#[test]
fn a_key_is_made_once_and_shown_without_its_private_half() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    for algorithm in ["ed25519", "es256", "ml-dsa65"] {
        let file = format!("{algorithm}.pem");
        let made = tabellion(path, &["--json", "key", "new", &file, "--plain", "--algorithm", algorithm]);
        let made = made.check(0, &["not encrypted"]);
        let shown = tabellion(path, &["--json", "key", "show", &file]).check(0, &[]);
        assert_eq!(made.json(), shown.json());
        assert!(shown.out.contains("BEGIN PUBLIC KEY") && !shown.out.contains("PRIVATE"), "{shown:?}");
        tabellion(path, &["key", "new", &file, "--plain"]).check(1, &["exists already", "\n\nhint: "]);
    }
}

#[test]
fn an_encrypted_key_wants_its_passphrase_and_never_an_empty_one() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    tabellion(path, &["key", "new", "a.pem"]).check(2, &["no terminal to ask on", "--passphrase-file"]);
    std::fs::write(path.join("short"), "abc\n").unwrap();
    tabellion(path, &["key", "new", "a.pem", "--passphrase-file", "short"]).check(1, &["fewer than 8"]);
    std::fs::write(path.join("empty"), "\n").unwrap();
    tabellion(path, &["key", "new", "a.pem", "--passphrase-file", "empty"]).check(1, &["is empty"]);
    assert!(!path.join("a.pem").exists());

    std::fs::write(path.join("good"), "correct horse battery\n").unwrap();
    tabellion(path, &["key", "new", "a.pem", "--passphrase-file", "good"]).check(0, &[]);
    assert!(std::fs::read_to_string(path.join("a.pem")).unwrap().contains("AGE ENCRYPTED FILE"));
    tabellion(path, &["key", "show", "a.pem"]).check(1, &["a passphrase is needed", "--passphrase-file"]);
    std::fs::write(path.join("wrong"), "another horse battery\n").unwrap();
    tabellion(path, &["key", "show", "a.pem", "--passphrase-file", "wrong"])
        .check(1, &["passphrase is wrong"]);
    tabellion(path, &["key", "show", "a.pem", "--passphrase-file", "good"]).check(0, &[]);
}
