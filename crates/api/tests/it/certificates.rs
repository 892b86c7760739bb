//! Publishing through the gateway, status with proof, verification, lists.

use serde_json::json;
use tabellion_api::Backend;
use tabellion_consortium::LedgerKind;
use tabellion_ledger::{CertificateId, StateProof, cbor};
use tabellion_machine::{CertificateList, KeyAnswer, PublishAnswer, StatusAnswer, TransactionStanding};
use tabellion_pki::{Facts, certificate_key};

use crate::ask::{ask, face, get, get_json, pem_of, post, verified};
use crate::world::{START, World};

fn bundle(ders: &[&[u8]]) -> String {
    ders.iter().map(|der| pem_of(der)).collect()
}

/// X.1409 C2, C11: the certificate, its intermediates and its root, as a PEM file from any web server.
#[tokio::test]
async fn a_pem_file_is_published_as_curl_sends_it() {
    let world = World::new();
    let face = face(&world);
    let (der, intermediates, root) = world.issue("a.example");
    let (other, ..) = world.issue("not-part-of-it.example");
    // The order behind the certificate does not matter, nor what does not belong to the chain.
    let body = bundle(&[&der, &other, &root, &intermediates[0]]);
    let path = "/v1/certificates?wait=recorded";
    let answer = post(&face, path, "application/x-www-form-urlencoded", body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let published: PublishAnswer = answer.json();
    assert_eq!(published.certificate, CertificateId::of(&der).to_string());
    assert_eq!(published.transaction.standing, TransactionStanding::Recorded);

    let status: StatusAnswer =
        get(&face, &format!("/v1/certificates/{}", published.certificate)).await.json();
    assert_eq!(status.standing, "valid");
    verified(&world, &status);
}

/// X.1409 C2, C12
#[tokio::test]
async fn a_json_request_may_ask_for_a_later_start() {
    let world = World::new();
    let face = face(&world);
    let (der, intermediates, root) = world.issue("a.example");
    let (from_ms, until_ms) = (START.0 + 60_000, START.0 + 120_000);
    let request = json!({
        "certificate": pem_of(&der), "chain": pem_of(&intermediates[0]), "status": "normal",
        "root": CertificateId::of(&root).to_string(), "window": { "from_ms": from_ms, "until_ms": until_ms },
    });
    let answer = post(&face, "/v1/certificates?wait=recorded", "application/json", request.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let id = CertificateId::of(&der);
    let status: StatusAnswer = get(&face, &format!("/v1/certificates/{id}")).await.json();
    assert_eq!((status.standing.as_str(), status.scheduled_ms), ("unknown", Some(from_ms)));
}

#[tokio::test]
async fn publish_requests_that_cannot_be_used_are_problems() {
    let world = World::new();
    let face = face(&world);
    let (der, intermediates, root) = world.issue("a.example");
    let (pem, chain) = (pem_of(&der), pem_of(&intermediates[0]));
    let (_, strange_intermediates, strange_root) = World::new().issue("b.example");
    let mut broken = der.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let many = pem_of(&intermediates[0]).repeat(33);
    let suspended = json!({ "certificate": pem, "chain": chain, "status": "suspended" }).to_string();
    let odd_root = json!({ "certificate": pem, "chain": chain, "root": "00".repeat(32) }).to_string();
    let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let json = "application/json";
    let any = "text/plain";
    let cases = [
        (any, String::new(), 400, "malformed-pem"),
        (any, pem.replace("BEGIN", "BEGAN"), 400, "malformed-pem"),
        (any, format!("{key}{pem}"), 400, "malformed-pem"),
        (any, pem_of(b"\x30\x03abc"), 400, "malformed-certificate"),
        (any, many, 422, "too-many-certificates"),
        (any, pem.clone(), 422, "chain-incomplete"),
        // As `curl -d @file` sends it: read all the same.
        (any, pem.replace('\n', ""), 422, "chain-incomplete"),
        (any, bundle(&[&strange_intermediates[0], &strange_root]), 422, "unknown-root"),
        (any, bundle(&[&broken, &intermediates[0]]), 422, "signature-wrong"),
        (json, "{\"certificate\": 1}".to_owned(), 400, "malformed-json"),
        (json, "{\"certificates\": \"\"}".to_owned(), 400, "malformed-json"),
        (json, json!({ "certificate": pem, "status": "fine" }).to_string(), 400, "malformed-json"),
        (json, json!({ "certificate": pem, "root": "ab" }).to_string(), 400, "malformed-identifier"),
        (json, suspended, 422, "status-not-normal"),
        (json, odd_root, 422, "unknown-root"),
        ("image/png", pem.clone(), 415, "unsupported-media-type"),
    ];
    for (media_type, body, status, code) in cases {
        let shown: String = body.chars().take(60).collect();
        let answer = post(&face, "/v1/certificates", media_type, body).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (status, code), "{shown}");
    }
    let entries =
        post(&face, "/v1/certificates", any, bundle(&[&broken, &intermediates[0], &root])).await.problem();
    assert_eq!((entries.entries.len(), entries.entries[0].code.as_str()), (1, "signature-wrong"));
    assert_eq!(entries.entries[0].certificate, CertificateId::of(&broken).to_string());

    let mute = crate::ask::face(&World::with(LedgerKind::Full, false));
    let answer = post(&mute, "/v1/certificates", any, pem).await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (501, "no-gateway"));
}

/// X.1409 C10, C17, C19: the answer for an unknown certificate is proved as well.
#[tokio::test]
async fn a_status_is_proved_also_for_the_unknown() {
    let world = World::new();
    let face = face(&world);
    let id = world.publish("a.example");
    let unknown = CertificateId::of(b"nothing");
    for (id, standing) in [(id, "valid"), (unknown, "unknown")] {
        let path = format!("/v1/certificates/{id}");
        let answer: StatusAnswer = get(&face, &path).await.json();
        assert_eq!(
            (answer.certificate.as_str(), answer.standing.as_str()),
            (id.to_string().as_str(), standing)
        );
        let proof = verified(&world, &answer);
        assert_eq!(proof.record.is_some(), standing == "valid");
        assert_eq!(answer.record.is_some(), standing == "valid");
        let bytes = cbor::to_bytes(&proof);
        assert!(bytes.len() <= 2048, "a status proof has {} bytes", bytes.len());
        assert_eq!(get(&face, &format!("{path}/proof")).await.body, bytes);
        let asked = ask(&face, "GET", &path, &[("accept", "application/cbor")], Vec::new()).await;
        assert_eq!((asked.header("content-type"), &asked.body), ("application/cbor", &bytes));
    }
}

#[tokio::test]
async fn an_identifier_may_look_as_openssl_prints_it() {
    let world = World::new();
    let face = face(&world);
    let id = world.publish("a.example").to_string();
    let upper = id.to_uppercase();
    let pairs: Vec<&str> = (0..32).map(|place| &upper[2 * place..2 * place + 2]).collect();
    for text in [upper.clone(), pairs.join(":"), format!("sha256%20Fingerprint={}", pairs.join(":"))] {
        let answer: StatusAnswer = get(&face, &format!("/v1/certificates/{text}")).await.json();
        assert_eq!(answer.certificate, id, "{text}");
    }
    for text in ["ab", &format!("{id}00"), "zz"] {
        let answer = get(&face, &format!("/v1/certificates/{text}")).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (400, "malformed-identifier"));
    }
}

/// X.1409 C10, C17: by certificate, by identifier, by key.
#[tokio::test]
async fn a_certificate_is_verified_in_each_form() {
    let world = World::new();
    let face = face(&world);
    let (der, intermediates, _) = world.issue("a.example");
    let chain = bundle(&[&der, &intermediates[0]]);
    post(&face, "/v1/certificates?wait=recorded", "application/pem-certificate-chain", chain.clone()).await;
    let facts = Facts::of(&der).unwrap();
    let (id, key) = (facts.certificate.to_string(), facts.key.to_string());
    let json = "application/json";
    let cases: [(&str, Vec<u8>); 5] = [
        ("application/x-pem-file", chain.into_bytes()),
        ("application/pkix-cert", der.clone()),
        ("", der.clone()),
        (json, json!({ "certificate": pem_of(&der) }).to_string().into_bytes()),
        (json, json!({ "id": id }).to_string().into_bytes()),
    ];
    for (media_type, body) in cases {
        let answer: StatusAnswer = post(&face, "/v1/certificates/verify", media_type, body).await.json();
        assert_eq!((answer.certificate.as_str(), answer.standing.as_str()), (id.as_str(), "valid"));
        verified(&world, &answer);
    }
    let by_key = json!({ "key": key }).to_string();
    let by_key: KeyAnswer = post(&face, "/v1/certificates/verify", json, by_key).await.json();
    assert_eq!(by_key.valid.as_ref(), Some(&id));
    assert_eq!(get(&face, &format!("/v1/keys/{key}")).await.json::<KeyAnswer>(), by_key);
    verified(&world, &by_key.certificates[0]);
    let unknown: KeyAnswer = get(&face, &format!("/v1/keys/{}", "00".repeat(32))).await.json();
    assert_eq!((unknown.valid, unknown.certificates.len()), (None, 0));
    for body in ["{}", &json!({ "id": id, "key": key }).to_string()] {
        let answer = post(&face, "/v1/certificates/verify", json, body).await;
        assert_eq!(answer.problem().code, "malformed-json");
    }
}

#[tokio::test]
async fn a_certificate_is_handed_out_where_it_is_held() {
    let world = World::new();
    let face = face(&world);
    let id = world.publish("a.example");
    let path = format!("/v1/certificates/{id}");
    let der = get(&face, &format!("{path}/der")).await;
    assert_eq!((CertificateId::of(&der.body), der.header("content-type")), (id, "application/pkix-cert"));
    let pem = get(&face, &format!("{path}/pem")).await;
    assert_eq!(pem::parse(&pem.body).unwrap().contents(), der.body);
    let status: StatusAnswer = get(&face, &format!("{path}?certificate=true")).await.json();
    assert_eq!(status.pem.as_deref(), Some(pem.text()));
    let missing = get(&face, &format!("/v1/certificates/{}/pem", "00".repeat(32))).await;
    assert_eq!((missing.status.as_u16(), missing.problem().code.as_str()), (404, "certificate-not-held"));
}

/// X.1409 C6: a ledger of identifiers keeps the status, and no certificate.
#[tokio::test]
async fn a_ledger_of_identifiers_proves_what_it_does_not_hold() {
    let world = World::with(LedgerKind::Identifiers, true);
    let face = face(&world);
    let id = world.publish("a.example");
    let status: StatusAnswer = get(&face, &format!("/v1/certificates/{id}?certificate=true")).await.json();
    assert_eq!((status.standing.as_str(), &status.pem), ("valid", &None));
    verified(&world, &status);
    assert_eq!(
        get(&face, &format!("/v1/certificates/{id}/der")).await.problem().code,
        "certificate-not-held"
    );
}

#[tokio::test]
async fn lists_are_filtered_and_paged() {
    let world = World::new();
    let face = face(&world);
    for name in ["a.example", "b.example", "c.example"] {
        world.publish(name);
    }
    let all: CertificateList = get(&face, "/v1/certificates").await.json();
    assert_eq!((all.certificates.len(), all.next, all.indexed_height), (3, None, 3));
    let first: CertificateList = get(&face, "/v1/certificates?limit=2").await.json();
    let rest = format!("/v1/certificates?limit=2&cursor={}", first.next.unwrap());
    let rest: CertificateList = get(&face, &rest).await.json();
    assert_eq!((rest.certificates.as_slice(), rest.next), (&all.certificates[2..], None));
    let one: CertificateList = get(&face, "/v1/certificates?subject=CN%3Db.example").await.json();
    assert_eq!(one.certificates, all.certificates[1..2]);
    let none: CertificateList = get(&face, "/v1/certificates?expires_until_ms=1").await.json();
    assert_eq!(none.certificates, []);
    for query in ["limit=0", "limit=1001", "limit=x", "cursor=x", "expires_from_ms=-1"] {
        let answer = get(&face, &format!("/v1/certificates?{query}")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.problem().code.as_str()),
            (400, "malformed-query"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_proof_comes_as_json_where_that_is_asked_for() {
    let world = World::new();
    let face = face(&world);
    let id = world.publish("a.example");
    let answer = get_json(&face, &format!("/v1/certificates/{id}/proof")).await;
    let told: tabellion_machine::ProofAnswer = answer.json();
    let status: StatusAnswer = get(&face, &format!("/v1/certificates/{id}")).await.json();
    assert_eq!((told.proof, told.header), (status.proof.clone(), status.header.clone()));
    let proof: StateProof = verified(&world, &status);
    assert_eq!(proof.key, certificate_key(&id));
    assert_eq!(world.snapshot().prove(&proof.key).unwrap(), proof);
}
