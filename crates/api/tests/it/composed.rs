//! Results for other ledgers, and what is known of theirs: two ledgers, each behind its face.

use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_api::Backend;
use tabellion_consortium::{Action, Ballot, Change, Choice, NewLink, ProposalNumber, Proposed, link_key};
use tabellion_ledger::{Height, StateProof, cbor};
use tabellion_machine::{
    ForeignLedgersAnswer, ForeignStatusAnswer, OutboxAnswer, ProposalAnswer, TransactionAnswer,
    TransactionStanding,
};
use tabellion_pki::{Delivery, Relay};

use crate::ask::{face, get, get_json, post};
use crate::world::{START, World};

async fn record(face: &Router, transaction: Vec<u8>) -> TransactionAnswer {
    let answer = post(face, "/v1/transactions?wait=recorded", "application/cbor", transaction).await;
    let answer: TransactionAnswer = answer.json();
    assert_eq!(answer.standing, TransactionStanding::Recorded);
    answer
}

async fn decide(world: &World, face: &Router, change: Change) {
    let deadline = START.plus(3_600_000);
    let proposed = Proposed { change, reason: String::new(), deadline, effect: Height(0) };
    record(face, world.govern(&Action::Propose(proposed), 1).to_bytes()).await;
    let open: ProposalAnswer = get(face, "/v1/proposals/1").await.json();
    for seed in [2, 3] {
        let (proposal, hash) = (ProposalNumber(1), open.hash.parse().unwrap());
        let ballot = Ballot { proposal, hash, choice: Choice::For, reason: String::new() };
        record(face, world.govern(&Action::Vote(ballot), seed).to_bytes()).await;
    }
}

/// X.1409 C16: a node gives its results out, and what is recorded of another ledger's, each with its proof.
#[tokio::test]
async fn results_go_out_and_foreign_statuses_are_told_with_their_proofs() {
    let (host, home) = (World::new(), World::new());
    let (host_face, home_face) = (face(&host), face(&home));
    decide(&host, &host_face, Change::Outbox { open: true }).await;
    let (ledger, roster) = (host.ledger(), host.genesis().roster());
    let (name, stale_after_ms) = ("abroad".to_owned(), 60_000);
    let link = NewLink { ledger, name, roster: roster.clone(), stale_after_ms };
    decide(&home, &home_face, Change::FollowLedger(link)).await;
    let id = host.publish("a.example");

    let told: OutboxAnswer = get_json(&host_face, "/v1/outbox").await.json();
    assert_eq!((told.count, told.results.len(), told.header.height), (1, 1, 4));
    assert_eq!((told.results[0].certificate.clone(), told.results[0].number), (id.to_string(), 0));
    let bytes = get(&host_face, "/v1/outbox?first=0&limit=9&known=2").await.body;
    let delivery: Delivery = cbor::from_bytes(&bytes, 1 << 20).unwrap();
    assert_eq!(delivery.header.older.as_ref().unwrap().0.height, Height(2));
    assert_eq!(get(&host_face, "/v1/outbox?known=99").await.problem().code, "no-such-block");
    assert_eq!(get(&host_face, "/v1/outbox?limit=65").await.problem().code, "malformed-query");

    let path = format!("/v1/foreign/{ledger}/certificates/{id}");
    let before: ForeignStatusAnswer = get(&home_face, &path).await.json();
    assert_eq!((before.standing.as_str(), before.doubt.as_deref()), ("unknown", Some("stale")));
    let relay = Relay { ledger, roster, hand_overs: Vec::new(), delivery: Some(delivery) };
    let action = tabellion_pki::Action::Relay(Box::new(relay));
    record(&home_face, home.sign(&action, Vec::new(), 4).to_bytes()).await;
    let after: ForeignStatusAnswer = get(&home_face, &path).await.json();
    assert_eq!((after.standing.as_str(), after.doubt), ("valid", None));
    assert_eq!((after.proved_height, after.result.unwrap().number), (Some(4), 0));
    assert_eq!(after.proofs.len(), 3);
    let proof: StateProof = cbor::from_bytes(&STANDARD.decode(&after.proofs[0]).unwrap(), 1 << 20).unwrap();
    assert!(proof.verify(&home.ledger(), &home.genesis().roster(), &link_key(&ledger)).is_ok());

    let ledgers: ForeignLedgersAnswer = get(&home_face, "/v1/foreign").await.json();
    let known = &ledgers.ledgers[0];
    assert_eq!((known.name.as_str(), known.height, known.next, known.stale), ("abroad", Some(4), 1, false));
    let again = home.sign(&action, Vec::new(), 4).to_bytes();
    let refused = post(&home_face, "/v1/transactions?wait=recorded", "application/cbor", again).await;
    assert_eq!((refused.status.as_u16(), refused.problem().code.as_str()), (409, "nothing-new"));
    for path in ["/v1/foreign/xyz/certificates/00", "/v1/foreign/%ff/certificates/00"] {
        assert_eq!(get(&home_face, path).await.problem().code, "malformed-identifier");
    }
}
