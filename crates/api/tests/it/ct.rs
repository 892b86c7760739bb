//! The certificate lane as a log of Certificate Transparency.

use std::sync::Arc;

use axum::Router;
use serde_json::{Value, json};
use tabellion_api::{
    Backend, CtKey, CtKeyFault, CtLog, FaceConfig, StatusAuthorities, StatusConfig, StatusFaces,
    router_with_status, status_router,
};
use tabellion_consortium::LedgerKind;
use tabellion_ledger::{Height, TimeMs};
use tabellion_pki::Staleness;

use crate::ask::{Answer, ask, get, post};
use crate::ct_client::{
    Digest, bytes, climb, consistency, hash, hashes, head_input, leaf, read_entry, root, verify,
};
use crate::world::{Mode, START, World};

struct Log {
    world: Arc<World>,
    log: Arc<CtLog>,
    router: Router,
}

impl Log {
    fn of(world: Arc<World>) -> Self {
        let key = CtKey::from_der(&CtKey::generate().unwrap()).unwrap();
        let log = CtLog::new(key, None);
        let router = router_with_status(world.clone(), FaceConfig::default(), None, Some(log.clone()));
        Self { world, log, router }
    }

    /// With this many certificates, each in a block of its own.
    async fn with(count: usize) -> (Self, Vec<Vec<u8>>) {
        let log = Self::of(World::new());
        let mut ders = Vec::new();
        for number in 0..count {
            ders.push(log.publish(&format!("host-{number}.example")).await);
        }
        (log, ders)
    }

    async fn publish(&self, name: &str) -> Vec<u8> {
        let (id, transaction) = self.world.publication(name, 1);
        self.world.submit(transaction).await.unwrap();
        self.world.certificate_der(&id).unwrap().unwrap().to_vec()
    }

    async fn get(&self, path: &str) -> Value {
        let answer = get(&self.router, &format!("/ct/v1/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "application/json"));
        answer.json()
    }

    async fn code(&self, path: &str) -> (u16, String) {
        code(&get(&self.router, &format!("/ct/v1/{path}")).await)
    }

    async fn entries(&self) -> Vec<Value> {
        let mut all = Vec::new();
        let size = self.get("get-sth").await["tree_size"].as_u64().unwrap();
        while (all.len() as u64) < size {
            let page = self.get(&format!("get-entries?start={}&end={}", all.len(), size + 5)).await;
            all.extend(page["entries"].as_array().unwrap().iter().cloned());
        }
        all
    }

    async fn leaves(&self) -> Vec<Digest> {
        self.entries().await.iter().map(|entry| leaf(&bytes(&entry["leaf_input"]))).collect()
    }

    async fn add(&self, body: Value) -> Answer {
        post(&self.router, "/ct/v1/add-chain", "application/json", body.to_string()).await
    }
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), answer.problem().code)
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn percent(hash: &Digest) -> String {
    base64(hash).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D")
}

/// X.1409 C25, A5: the entries are the recorded certificates in order, with their chains up to the trusted
/// CA and the times of their blocks, and the signed head is the head over exactly these.
#[tokio::test]
async fn a_monitor_reads_every_certificate_and_the_head_over_them() {
    let (log, ders) = Log::with(5).await;
    let head = log.get("get-sth").await;
    verify(log.log.key().spki(), &bytes(&head["tree_head_signature"]), &head_input(&head));
    let entries = log.entries().await;
    let anchor = &log.world.genesis().anchors[0];
    let roots = log.get("get-roots").await;
    assert_eq!(roots, json!({ "certificates": [base64(anchor)] }));
    assert_eq!(entries.len(), 5);
    for (place, entry) in entries.iter().enumerate() {
        let (time, der, chain) = read_entry(entry);
        assert_eq!(der, ders[place], "entry {place}");
        assert_eq!(chain.last(), Some(anchor));
        let height = Height(place as u64 + 1);
        assert_eq!(TimeMs(time), Backend::header(&*log.world, height).unwrap().unwrap().time);
    }
    assert_eq!(root(&log.leaves().await), hash(&head["sha256_root_hash"]));
    assert_eq!(head["timestamp"], START.0 + 5_000);
}

/// X.1409 C25, A5: every entry in every tree, and every tree in every later one.
#[tokio::test]
async fn an_auditor_verifies_every_inclusion_and_every_consistency() {
    let (log, _) = Log::with(7).await;
    let leaves = log.leaves().await;
    for size in 1..=7 {
        for place in 0..size {
            let path = format!("get-proof-by-hash?hash={}&tree_size={size}", percent(&leaves[place]));
            let proof = log.get(&path).await;
            assert_eq!(proof["leaf_index"], place);
            let climbed = climb(&leaves[place], place, size, &hashes(&proof["audit_path"]));
            assert_eq!(climbed, root(&leaves[..size]), "entry {place} of {size}");
            let path = format!("get-entry-and-proof?leaf_index={place}&tree_size={size}");
            let both = log.get(&path).await;
            assert_eq!(both["audit_path"], proof["audit_path"]);
            assert_eq!(leaf(&bytes(&both["leaf_input"])), leaves[place]);
        }
        for old in 1..=size {
            let proof = log.get(&format!("get-sth-consistency?first={old}&second={size}")).await;
            let expected = consistency(&leaves[..size], old, true);
            assert_eq!(hashes(&proof["consistency"]), expected, "{old} in {size}");
        }
    }
}

#[tokio::test]
async fn an_empty_log_has_the_head_of_the_empty_tree() {
    let (log, _) = Log::with(0).await;
    let head = log.get("get-sth").await;
    assert_eq!((head["tree_size"].as_u64(), hash(&head["sha256_root_hash"])), (Some(0), root(&[])));
    assert_eq!(log.code("get-entries?start=0&end=0").await, (400, "malformed-query".to_owned()));
}

#[tokio::test]
async fn what_is_not_in_the_log_is_refused() {
    let (log, _) = Log::with(2).await;
    let leaf = percent(&log.leaves().await[1]);
    let table = [
        ("get-entries?start=2&end=2".to_owned(), 400, "malformed-query"),
        ("get-entries?start=1&end=0".to_owned(), 400, "malformed-query"),
        ("get-entries?start=0".to_owned(), 400, "malformed-query"),
        ("get-entries?start=-1&end=0".to_owned(), 400, "malformed-query"),
        ("get-sth-consistency?first=1&second=3".to_owned(), 400, "malformed-query"),
        ("get-sth-consistency?first=2&second=1".to_owned(), 400, "malformed-query"),
        (format!("get-proof-by-hash?hash={leaf}&tree_size=3"), 400, "malformed-query"),
        (format!("get-proof-by-hash?hash={leaf}&tree_size=1"), 404, "no-such-leaf"),
        ("get-proof-by-hash?hash=AAAA&tree_size=1".to_owned(), 400, "malformed-query"),
        (format!("get-proof-by-hash?hash={}&tree_size=1", percent(&[7; 32])), 404, "no-such-leaf"),
        ("get-entry-and-proof?leaf_index=1&tree_size=1".to_owned(), 400, "malformed-query"),
        ("get-entry-and-proof?leaf_index=1&tree_size=9".to_owned(), 400, "malformed-query"),
        ("add-pre-chain".to_owned(), 404, "no-such-path"),
    ];
    for (path, status, expected) in table {
        assert_eq!(log.code(&path).await, (status, expected.to_owned()), "{path}");
    }
}

/// RFC 6962 section 3.5: each head's time is later than the one before; asking twice changes nothing.
#[tokio::test]
async fn a_head_is_signed_once() {
    let (log, _) = Log::with(1).await;
    let first = log.get("get-sth").await;
    assert_eq!(log.get("get-sth").await, first);
    log.publish("later.example").await;
    let later = log.get("get-sth").await;
    assert!(later["timestamp"].as_u64() > first["timestamp"].as_u64());
    assert_eq!(later["tree_size"], 2);
}

#[tokio::test]
async fn a_deleted_body_comes_from_another_node_or_not_at_all() {
    let (log, ders) = Log::with(4).await;
    let head = log.get("get-sth").await;
    log.world.prune_below(3);
    assert_eq!(log.code("get-entries?start=0&end=3").await, (404, "body-not-held".to_owned()));
    assert_eq!(log.get("get-sth").await, head, "the tree needs no bodies");
    let kept = log.get("get-entries?start=2&end=3").await;
    assert_eq!(kept["entries"].as_array().unwrap().len(), 2);
    log.world.elsewhere.hold_all();
    let all: Vec<_> = log.entries().await.iter().map(|entry| read_entry(entry).1).collect();
    assert_eq!(all, ders);
}

/// A tree that lacks an entry would be another log's: the node says what it cannot do.
#[tokio::test]
async fn a_node_that_has_not_seen_every_certificate_shows_no_tree() {
    let (log, _) = Log::with(2).await;
    log.world.elsewhere.set_gap(Height(1));
    for path in ["get-sth", "get-entries?start=0&end=1", "get-sth-consistency?first=1&second=2"] {
        assert_eq!(log.code(path).await, (503, "ct-incomplete".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_ledger_of_identifiers_is_no_log() {
    let log = Log::of(World::with(LedgerKind::Identifiers, true));
    for path in ["", "get-sth", "get-roots"] {
        assert_eq!(log.code(path).await, (404, "no-ct-log".to_owned()), "{path}");
    }
    let other = router_with_status(World::new(), FaceConfig::default(), None, None);
    assert_eq!(code(&get(&other, "/ct/v1/get-sth").await), (404, "no-such-path".to_owned()));
}

/// X.1409 C25: who submits gets a promise that holds already: the entry is in the tree.
#[tokio::test]
async fn a_chain_that_is_added_gets_the_timestamp_of_its_entry() {
    let (log, _) = Log::with(1).await;
    let (der, intermediates, _) = log.world.issue("added.example");
    let chain: Vec<String> = std::iter::once(&der).chain(&intermediates).map(|der| base64(der)).collect();
    let answer = log.add(json!({ "chain": chain })).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let sct: Value = answer.json();
    let (time, recorded, _) = read_entry(&log.entries().await[1]);
    assert_eq!((sct["timestamp"].as_u64(), &recorded), (Some(time), &der));
    assert_eq!((&sct["sct_version"], &sct["extensions"]), (&json!(0), &json!("")));
    assert_eq!(bytes(&sct["id"]), log.log.key().id());
    let entry = &log.entries().await[1];
    // Both begin with two octets of zero: v1, and certificate_timestamp or timestamped_entry.
    verify(log.log.key().spki(), &bytes(&sct["signature"]), &bytes(&entry["leaf_input"]));
    let again: Value = log.add(json!({ "chain": chain })).await.json();
    assert_eq!((&again["timestamp"], log.entries().await.len()), (&sct["timestamp"], 2), "recorded once");
}

#[tokio::test]
async fn a_chain_that_cannot_be_added_is_refused() {
    let (log, _) = Log::with(0).await;
    let (der, intermediates, _) = log.world.issue("added.example");
    let chain: Vec<String> = std::iter::once(&der).chain(&intermediates).map(|der| base64(der)).collect();
    let table = [
        (json!({ "chain": [] }), 400, "malformed-json"),
        (json!({}), 400, "malformed-json"),
        (json!({ "chain": ["%"] }), 400, "malformed-json"),
        (json!({ "chain": ["AAAA"] }), 400, "malformed-certificate"),
    ];
    for (body, status, expected) in table {
        assert_eq!(code(&log.add(body.clone()).await), (status, expected.to_owned()), "{body}");
    }
    log.world.set_mode(Mode::Drain);
    assert_eq!(code(&log.add(json!({ "chain": chain })).await).0, 503);
    let silent = Log::of(World::with(LedgerKind::Full, false));
    assert_eq!(code(&silent.add(json!({ "chain": chain })).await), (501, "no-gateway".to_owned()));
}

#[tokio::test]
async fn the_plain_listener_tells_and_takes_nothing() {
    let (log, _) = Log::with(1).await;
    let config = StatusConfig {
        staleness: Staleness { limit_ms: 60_000 },
        ocsp_validity_ms: 600_000,
        crl_validity_ms: 600_000,
        clock: Arc::new(|| START),
    };
    let authorities = StatusAuthorities::new(Vec::new(), START).unwrap();
    let faces = StatusFaces::new(log.world.clone(), authorities, config);
    let plain = status_router(log.world.clone(), FaceConfig::default(), faces, Some(log.log.clone()));
    let head: Value = get(&plain, "/ct/v1/get-sth").await.json();
    assert_eq!(head, log.get("get-sth").await);
    assert!(get(&plain, "/").await.text().contains("/ct/v1/"));
    let refused = post(&plain, "/ct/v1/add-chain", "application/json", "{\"chain\":[]}").await;
    assert_eq!(code(&refused), (403, "ct-read-only".to_owned()));
    let list: Value =
        ask(&plain, "GET", "/ct/v1/", &[("host", "node.example:8481")], Vec::new()).await.json();
    let log_answer = &list["operators"][0]["logs"][0];
    assert_eq!(log_answer["url"], "http://node.example:8481/");
    assert_eq!(bytes(&log_answer["key"]), log.log.key().spki());
    assert_eq!(bytes(&log_answer["log_id"]), log.log.key().id());
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let ed25519 = tabellion_corpus::TestKey::generate(tabellion_corpus::KeyKind::Ed25519).pkcs8();
    for bytes in [&ed25519[..], b"", b"0"] {
        assert_eq!(CtKey::from_der(bytes).map(|_| ()), Err(CtKeyFault::Key));
    }
}
