//! Every error is a problem document; every code has a row.

use std::collections::BTreeSet;
use std::path::Path;

use tabellion_api::{PROBLEM_KINDS, problem_kind};

use crate::ask::{ask, face, get, post};
use crate::world::{Mode, World};

/// The codes that a file of refusals names: arms of the form `Self::... => "code",`.
fn codes_in(path: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let text = std::fs::read_to_string(&path).unwrap();
    let arm = |line: &str| {
        let (_, code) = line.trim().strip_prefix("Self::")?.split_once("=> \"")?;
        Some(code.strip_suffix("\",")?.to_owned())
    };
    text.lines().filter_map(arm).collect()
}

#[test]
fn every_refusal_has_a_row() {
    let files = [
        ("machine/src/refusal.rs", 7),
        ("consortium/src/refusal/code.rs", 70),
        ("pki/src/refusal.rs", 16),
        ("pki/src/composed/refusal.rs", 10),
        ("pki/src/verify/refusal.rs", 51),
        ("pki/src/refusal/change.rs", 21),
        ("pki/src/refusal/notice.rs", 4),
        ("pki/src/evidence/refusal.rs", 29),
    ];
    for (file, count_min) in files {
        let codes = codes_in(file);
        assert!(codes.len() >= count_min, "{file} names {} codes only: has its form changed?", codes.len());
        for code in codes {
            assert_eq!(
                problem_kind(&code).code,
                code,
                "{file}: no row for {code} in crates/api/src/status.rs"
            );
        }
    }
}

#[test]
fn every_row_stands_once() {
    let codes: BTreeSet<&str> = PROBLEM_KINDS.iter().map(|kind| kind.code).collect();
    assert_eq!(codes.len(), PROBLEM_KINDS.len());
    assert!(PROBLEM_KINDS.iter().all(|kind| kind.status.as_u16() >= 400));
    assert_eq!(problem_kind("no such code").code, "refused");
}

#[tokio::test]
async fn what_is_not_there_is_a_problem_too() {
    let world = World::new();
    let face = face(&world);
    let answer = get(&face, "/v1/nothing").await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (404, "no-such-path"));
    for (method, path, allow) in
        [("DELETE", "/v1/ledger", "GET,HEAD"), ("PUT", "/v1/certificates", "POST,GET,HEAD")]
    {
        let answer = ask(&face, method, path, &[], Vec::new()).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (405, "method-not-allowed"));
        let named = |header: &str| header.split(',').map(str::to_owned).collect::<BTreeSet<_>>();
        assert_eq!(named(answer.header("allow")), named(allow), "{path}");
    }
    let answer = get(&face, "/v1/transactions/00?wait=forever").await;
    assert_eq!(answer.problem().code, "malformed-identifier");
    let answer = get(&face, &format!("/v1/transactions/{}?wait=forever", "00".repeat(32))).await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (400, "malformed-query"));
}

#[tokio::test]
async fn a_fault_of_the_node_is_told_without_its_secrets() {
    let world = World::new();
    let face = face(&world);
    let (id, transaction) = world.publication("a.example", 1);
    world.set_mode(Mode::Broken);
    let answers = [
        get(&face, "/v1/blocks/0").await,
        get(&face, &format!("/v1/certificates/{id}/der")).await,
        get(&face, &format!("/v1/transactions/{}", transaction.id())).await,
        post(&face, "/v1/transactions", "application/cbor", transaction.to_bytes()).await,
    ];
    for answer in answers {
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (500, "internal"));
        assert!(!answer.text().contains("secret"), "{}", answer.text());
    }
}

#[tokio::test]
async fn a_node_that_is_full_drains_or_stops_says_so() {
    let world = World::new();
    let face = face(&world);
    let (_, transaction) = world.publication("a.example", 1);
    world.set_mode(Mode::Overloaded);
    let answer = post(&face, "/v1/transactions", "application/cbor", transaction.to_bytes()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "2"));
    assert_eq!(answer.problem().code, "overloaded");
    world.set_mode(Mode::Drain);
    let answer = post(&face, "/v1/transactions", "application/cbor", transaction.to_bytes()).await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "10"));
    assert_eq!(answer.problem().code, "draining");
    let answer = get(&face, "/v1/node/ready").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (503, "10"));
    assert_eq!(answer.problem().code, "draining");
    world.set_mode(Mode::Stopping);
    let answer = post(&face, "/v1/transactions", "application/cbor", transaction.to_bytes()).await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (503, "stopping"));
}
