//! A domain owner watches its names.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tempfile::tempdir;

use crate::ledger::write_pem;
use crate::node::Node;
use crate::run::{Ran, tabellion};

const TABELLION: &str = env!("CARGO_BIN_EXE_tabellion");

/// X.1409 C25, V.2: a new certificate under a watched name reaches the owner with a proof that holds offline;
/// one of a CA that is not the owner's is told as unexpected.
#[test]
fn a_domain_owner_hears_of_each_certificate_under_its_names_with_its_proof() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("tabellion-data"));
    let run = |args: &[&str]| -> Ran { tabellion(path, args) };
    node.ledger.lock().unwrap().publish("www.example.com");
    node.ledger.lock().unwrap().publish("www.other.org");
    let issuer = node.ledger.lock().unwrap().ca.issuer().certificate.clone();
    write_pem(path, "issuer.pem", &[&issuer]);
    let watch = |text: &str| std::fs::write(path.join("watch.toml"), text).unwrap();
    let monitor =
        |more: &[&str]| run(&[&["--json", "cert", "monitor", "watch.toml", "--once"], more].concat());

    watch("names = [\".example.com\"]\nissuers = [\"issuer.pem\"]\n");
    let all = ["--from-block", "1", "--state", "state.json"];
    let told = monitor(&all).check(0, &["watching from block 1"]).json();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(
        (&told[0]["alert"], &told[0]["dns_names"][0]),
        (&"new-certificate".into(), &"www.example.com".into())
    );
    let proof = STANDARD.decode(told[0]["proof"].as_str().unwrap()).unwrap();
    std::fs::write(path.join("alert.proof"), proof).unwrap();
    let offline = ["cert", "verify", "--offline", "alert.proof", "--genesis", "tabellion-data/genesis.cbor"];
    assert!(run(&offline).check(0, &[]).out.contains(told[0]["transaction"].as_str().unwrap()));
    assert_eq!(monitor(&all[2..]).check(0, &[]).out, "", "it goes on where it was");

    let other = "ab".repeat(32);
    watch(&format!("names = [\".example.com\"]\nissuers = [\"{other}\"]\n"));
    node.ledger.lock().unwrap().publish("shop.example.com");
    let told = monitor(&all[2..]).check(0, &[]).json();
    assert_eq!(told[0]["alert"], "unexpected-issuer");

    let id = tabellion_ledger::CertificateId::of(&issuer);
    watch(&format!("names = []\n[[ca]]\ncertificate = \"{id}\"\nnames = [\".example.com\"]\n"));
    let told = run(&["cert", "monitor", "watch.toml", "--once", "--from-block", "2"]).check(0, &[]).out;
    assert!(told.contains("ROGUE CA for www.other.org") && !told.contains("shop.example.com"), "{told}");

    watch("names = [\"*\"]\n");
    monitor(&[]).check(2, &["'*' is no name to watch", "names = ["]);
    watch("names = [\"a.example\"]\nwebhook = \"http://192.0.2.1/x\"\n");
    monitor(&[]).check(2, &["is no URL of a webhook"]);
}

/// The webhook gets what was told, again where it did not take it.
#[test]
fn a_webhook_is_called_until_it_takes_the_alert() {
    let folder = tempdir().unwrap();
    let path = folder.path();
    let node = Node::start(&path.join("tabellion-data"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    std::fs::write(path.join("watch.toml"), format!("names = [\".example.com\"]\nwebhook = \"{url}\"\n"))
        .unwrap();
    node.ledger.lock().unwrap().publish("www.example.com");
    let (send, bodies) = channel();
    std::thread::spawn(move || {
        for status in ["503 Later", "200 OK"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut bytes = Vec::new();
            let body = loop {
                let mut chunk = [0; 4096];
                let count = stream.read(&mut chunk).unwrap();
                bytes.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() == length.unwrap().parse::<usize>().unwrap() {
                    break body.to_owned();
                }
            };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
            send.send(body).unwrap();
        }
    });
    let mut child = Command::new(TABELLION)
        .args(["cert", "monitor", "watch.toml", "--from-block", "1", "--once"])
        .current_dir(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..2 {
        let body: Value =
            serde_json::from_str(&bodies.recv_timeout(Duration::from_secs(20)).unwrap()).unwrap();
        assert_eq!(body["alert"], "new-certificate");
    }
    assert!(child.wait().unwrap().success());
}
