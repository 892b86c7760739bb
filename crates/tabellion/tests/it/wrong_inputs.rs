use tempfile::tempdir;

use crate::ledger::Ledger;
use crate::run::{tabellion, tabellion_with_input};

#[test]
fn wrong_inputs_are_named_for_what_they_are() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    Ledger::new().write_files(path);
    let files: [(&str, &str); 4] = [
        ("empty.pem", ""),
        ("garbage.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("text.pem", "hello"),
        ("request.pem", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"),
    ];
    for (name, text) in files {
        std::fs::write(path.join(name), text).unwrap();
    }
    let rows = [
        ("missing.pem", "cannot read certificate missing.pem", "a certificate's SHA-256"),
        ("empty.pem", "is empty", "expected is a certificate"),
        ("garbage.pem", "certificate 1 of the input does not decode", "expected is a certificate"),
        ("text.pem", "neither PEM nor DER", "expected is a certificate"),
        ("request.pem", "a certificate request, not a certificate", "certification authority"),
        ("user.pem", "a private key, not a certificate", "keep the private key to yourself"),
    ];
    for (file, error, hint) in rows {
        for command in ["verify", "show"] {
            let args = [
                "cert",
                command,
                file,
                "--genesis",
                "genesis.cbor",
                "--node",
                "https://127.0.0.1:9",
                "--ca",
                "ca.pem",
            ];
            let ran = tabellion(path, &args).check(1, &[error, "\n\nhint: ", hint]);
            assert_eq!(ran.out, "", "{command} {file}");
        }
        let json = tabellion(path, &["--json", "cert", "publish", file, "--genesis", "genesis.cbor"]);
        let told: serde_json::Value = serde_json::from_str(json.err.trim()).unwrap();
        assert!(
            json.code == 1 && (file == "missing.pem" || told["hint"].as_str().unwrap().contains(hint)),
            "{told}"
        );
    }
    let stdin = tabellion_with_input(path, &["cert", "publish", "-", "--genesis", "genesis.cbor"], b"\n");
    stdin.check(1, &["stdin: the input is empty"]);
}

#[test]
fn what_is_missing_is_said_with_the_option_that_names_it() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let ledger = Ledger::new();
    ledger.write_files(path);
    std::fs::create_dir(path.join("net")).unwrap();
    let id = "00".repeat(32);
    let genesis = ["--genesis", "genesis.cbor"];
    let node = ["--node", "https://127.0.0.1:9"];
    let verify = ["cert", "verify", &id];
    let rows: Vec<(Vec<&str>, i32, &str)> = vec![
        (verify.to_vec(), 2, "--genesis FILE"),
        ([&verify[..], &genesis].concat(), 2, "--node URL"),
        ([&verify[..], &genesis, &node].concat(), 2, "--ca FILE"),
        (
            [&verify[..], &genesis, &["--node", "http://a", "--ca", "ca.pem"]].concat(),
            2,
            "no address of a node",
        ),
        ([&verify[..], &genesis, &node, &["--pin", "zz"]].concat(), 2, "--pin"),
        ([&verify[..], &genesis, &node, &["--ca", "user.pem"]].concat(), 1, "CA file"),
        ([&verify[..], &genesis, &node, &["--ca", "ca.pem"]].concat(), 6, "no node answers"),
        ([&verify[..], &["--network", "net"]].concat(), 1, "client.toml"),
        (vec!["cert", "publish"], 2, "<FILES>"),
        (vec!["cert", "verify"], 2, "CERTIFICATE"),
        (vec!["ledger", "tx", "xyz", "--genesis", "genesis.cbor"], 2, "64 hexadecimal digits"),
        (vec!["cert", "publish", "ca.pem", "--from", "tomorrow"], 2, "2027-01-31"),
        (vec!["cert", "publish-batch", "no*such", "--genesis", "genesis.cbor"], 1, "there is no file"),
        (vec!["nonsense"], 2, "nonsense"),
    ];
    for (args, code, text) in rows {
        tabellion(path, &args).check(code, &[text]);
    }
    std::fs::write(path.join("net/client.toml"), "nodes = [\"https://127.0.0.1:9\"]\nsurprise = 1\n")
        .unwrap();
    tabellion(path, &["cert", "verify", &id, "--network", "net"]).check(1, &["surprise"]);
}

#[test]
fn help_teaches_the_first_steps_and_completions_are_made() {
    let folder = tempdir().unwrap();
    let help = tabellion(folder.path(), &["--help"]).check(0, &[]).out;
    for text in ["tabellion ledger status", "tabellion cert publish", "tabellion cert verify", "Exit codes"] {
        assert!(help.contains(text), "{help}");
    }
    for command in
        [&["cert", "verify"][..], &["cert", "publish-batch"], &["ledger", "proof"], &["bench", "publish"]]
    {
        let help = tabellion(folder.path(), &[command, &["--help"]].concat()).check(0, &[]).out;
        assert!(help.contains("Usage: tabellion"), "{help}");
    }
    for shell in ["bash", "zsh", "fish"] {
        let script = tabellion(folder.path(), &["completions", shell]).check(0, &[]).out;
        assert!(script.contains("publish-batch"), "{shell}");
    }
}
