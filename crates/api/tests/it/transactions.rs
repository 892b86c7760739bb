//! Submitting, waiting, proofs.

use tabellion_api::Backend;
use tabellion_ledger::{RecordProof, Transaction, cbor};
use tabellion_machine::{ProofAnswer, TransactionAnswer, TransactionStanding};

use crate::ask::{ask, face, get, get_json, post};
use crate::world::{Mode, World};

const CBOR: &str = "application/cbor";

/// X.1409 L5, L8: a client that holds no ledger submits to one node.
#[tokio::test]
async fn a_transaction_is_submitted_recorded_and_proved() {
    let world = World::new();
    let face = face(&world);
    let (_, transaction) = world.publication("a.example", 1);
    let id = transaction.id();
    let answer = post(&face, "/v1/transactions?wait=recorded", CBOR, transaction.to_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("location"), format!("/v1/transactions/{id}"));
    let recorded: TransactionAnswer = answer.json();
    assert_eq!((recorded.standing, recorded.height), (TransactionStanding::Recorded, Some(1)));
    assert_eq!((recorded.lane.as_deref(), recorded.index), (Some("certificate"), Some(0)));
    assert_eq!(get(&face, &format!("/v1/transactions/{id}")).await.json::<TransactionAnswer>(), recorded);

    let bytes = get(&face, &format!("/v1/transactions/{id}/bytes")).await;
    assert_eq!(bytes.header("content-type"), CBOR);
    assert_eq!(Transaction::from_bytes(&bytes.body).unwrap(), transaction);

    world.publish("b.example");
    let proof = get(&face, &format!("/v1/transactions/{id}/proof")).await;
    let proof: RecordProof = cbor::from_bytes(&proof.body, 1 << 20).unwrap();
    let (header, proved) = proof.verify(&world.ledger(), &world.genesis().roster(), &id).unwrap();
    assert_eq!((header.height.0, &proved), (1, &transaction));
    let told: ProofAnswer = get_json(&face, &format!("/v1/transactions/{id}/proof")).await.json();
    assert_eq!(told.header.height, 2);
}

#[tokio::test]
async fn without_a_wait_the_answer_is_pending() {
    let world = World::new();
    let face = face(&world);
    world.set_mode(Mode::Hold);
    let (_, transaction) = world.publication("a.example", 1);
    let path = format!("/v1/transactions/{}", transaction.id());
    let answer = post(&face, "/v1/transactions", CBOR, transaction.to_bytes()).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json::<TransactionAnswer>().standing, TransactionStanding::Pending);
    assert_eq!(get(&face, &path).await.json::<TransactionAnswer>().standing, TransactionStanding::Pending);
    let missing = get(&face, &format!("{path}/proof")).await;
    assert_eq!((missing.status.as_u16(), missing.problem().code.as_str()), (404, "no-such-transaction"));
    let short = get(&face, &format!("{path}?wait=recorded&timeout_ms=1")).await;
    assert_eq!(short.json::<TransactionAnswer>().standing, TransactionStanding::Pending);
    let waited_path = format!("{path}?wait=recorded");
    let (waited, ()) = tokio::join!(get(&face, &waited_path), async { world.release() });
    assert_eq!(waited.json::<TransactionAnswer>().standing, TransactionStanding::Recorded);
}

#[tokio::test]
async fn an_unknown_transaction_is_unknown() {
    let world = World::new();
    let path = format!("/v1/transactions/{}", "0A".repeat(32));
    let answer = get(&face(&world), &path).await;
    assert_eq!(answer.json::<TransactionAnswer>().standing, TransactionStanding::Unknown);
}

#[tokio::test]
async fn a_refusal_on_the_way_is_told_to_who_waits() {
    let world = World::new();
    let face = face(&world);
    let (_, transaction) = world.publication("a.example", 1);
    world.set_mode(Mode::Hold);
    let twin = {
        let content = transaction.content();
        let action = tabellion_pki::Action::from_bytes(&content.action).unwrap();
        world.sign(&action, transaction.attachments().to_vec(), 3)
    };
    assert_eq!(post(&face, "/v1/transactions", CBOR, transaction.to_bytes()).await.status, 202);
    let wait = post(&face, "/v1/transactions?wait=recorded", CBOR, twin.to_bytes());
    let (answer, ()) = tokio::join!(wait, async { world.release() });
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (409, "already-recorded"));
    let answer: TransactionAnswer = get(&face, &format!("/v1/transactions/{}", twin.id())).await.json();
    assert_eq!(answer.standing, TransactionStanding::Refused);
    assert_eq!(answer.refusal.unwrap().code, "already-recorded");
}

/// X.1409 L6: each refusal has its status, its code and its facts.
#[tokio::test]
async fn refusals_are_problems() {
    let world = World::new();
    let other = World::new();
    let face = face(&world);
    let (_, recorded) = world.publication("a.example", 1);
    assert_eq!(post(&face, "/v1/transactions", CBOR, recorded.to_bytes()).await.status, 202);
    let (_, foreign) = other.publication("a.example", 1);
    let (_, auditor) = world.publication("b.example", 2);
    let (_, nobody) = world.publication("c.example", 99);
    let empty = world.sign(&tabellion_pki::Action::Publish(Vec::new()), Vec::new(), 1);
    let mut cut = recorded.to_bytes();
    cut.pop();
    let cases = [
        (cut, 400, "malformed-transaction"),
        (foreign.to_bytes(), 422, "foreign-ledger"),
        (auditor.to_bytes(), 403, "missing-role"),
        (nobody.to_bytes(), 403, "unknown-submitter"),
        (empty.to_bytes(), 422, "empty-request"),
        (recorded.to_bytes(), 409, "replayed"),
    ];
    for (body, status, code) in cases {
        let answer = post(&face, "/v1/transactions", CBOR, body).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (status, code));
    }
}

#[tokio::test]
async fn a_body_that_is_gone_is_told_from_one_that_never_was() {
    let world = World::new();
    let face = face(&world);
    let (_, transaction) = world.publication("a.example", 1);
    post(&face, "/v1/transactions", CBOR, transaction.to_bytes()).await;
    world.prune_below(5);
    for what in ["bytes", "proof"] {
        let answer = get(&face, &format!("/v1/transactions/{}/{what}", transaction.id())).await;
        assert_eq!(answer.problem().code, "body-not-held");
        let answer = get(&face, &format!("/v1/transactions/{}/{what}", "00".repeat(32))).await;
        assert_eq!(answer.problem().code, "no-such-transaction");
    }
}

#[tokio::test]
async fn curl_may_send_a_transaction_without_naming_its_type() {
    let world = World::new();
    let (_, transaction) = world.publication("a.example", 1);
    let media_type = "application/x-www-form-urlencoded";
    let headers = [("content-type", media_type), ("user-agent", "curl/8.5.0"), ("accept", "*/*")];
    let answer = ask(&face(&world), "POST", "/v1/transactions", &headers, transaction.to_bytes()).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    assert!(answer.text().starts_with("{\n") && answer.text().ends_with("}\n"), "{}", answer.text());
}
