//! Members, nodes, proposals, parameters, permissions, and the proof of every record.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_api::Backend;
use tabellion_consortium::{Action, Ballot, Change, Choice, Member, ProposalNumber, Proposed, member_key};
use tabellion_ledger::cbor;
use tabellion_ledger::{Height, StateKey, StateProof, map};
use tabellion_machine::{
    DifferenceAnswer, MemberAnswer, MembersAnswer, NodeAnswer, NodesAnswer, ParametersAnswer,
    PermissionsAnswer, ProposalAnswer, ProposalsAnswer, StateAnswer, TransactionAnswer,
};

use crate::ask::{face, get, get_json, post};
use crate::world::{START, World};

fn proved(world: &World, bytes: &[u8], key: &StateKey) -> StateProof {
    let proof: StateProof = cbor::from_bytes(bytes, 1 << 20).unwrap();
    proof.verify(&world.ledger(), &world.genesis().roster(), key).unwrap();
    proof
}

fn decision(text: &str) -> Action {
    Action::Propose(Proposed {
        change: Change::Decision { text: text.to_owned() },
        reason: "a test".to_owned(),
        deadline: START.plus(3_600_000),
        effect: Height(0),
    })
}

/// X.1409 L9
#[tokio::test]
async fn every_record_of_the_state_is_proved_and_so_is_its_absence() {
    let world = World::new();
    let face = face(&world);
    let key = member_key(&"publisher".parse().unwrap());
    let path = format!("/v1/state/{}/{}", map::CONSORTIUM, hex::encode(&key.key));
    let answer = get(&face, &path).await;
    assert_eq!(answer.header("content-type"), "application/cbor");
    let proof = proved(&world, &answer.body, &key);
    let member: Member = cbor::from_bytes(&proof.record.unwrap(), 1 << 16).unwrap();
    assert_eq!(member.id.as_str(), "publisher");
    let json: StateAnswer = get_json(&face, &path).await.json();
    let same = proved(&world, &STANDARD.decode(&json.proof).unwrap(), &key);
    assert_eq!(json.record.map(|record| STANDARD.decode(record).unwrap()), same.record);

    let nobody = member_key(&"nobody".parse().unwrap());
    let path = format!("/v1/state/{}/{}", map::CONSORTIUM, hex::encode(&nobody.key));
    assert_eq!(proved(&world, &get(&face, &path).await.body, &nobody).record, None);
    for path in ["/v1/state/1/xyz", "/v1/state/256/00", &format!("/v1/state/1/{}", "00".repeat(257))] {
        assert_eq!(get(&face, path).await.problem().code, "malformed-request", "{path}");
    }
}

/// X.1409 L9, IV.1
#[tokio::test]
async fn members_nodes_parameters_and_permissions_are_shown() {
    let world = World::new();
    let face = face(&world);
    let members: MembersAnswer = get(&face, "/v1/members").await.json();
    let ids: Vec<&str> = members.members.iter().map(|member| member.id.as_str()).collect();
    assert_eq!(ids, ["auditor", "gateway", "operator", "publisher"]);
    let member: MemberAnswer = get(&face, "/v1/members/publisher").await.json();
    assert_eq!((member.status.as_str(), member.roles.len(), member.keys.len()), ("active", 1, 1));
    let nodes: NodesAnswer = get(&face, "/v1/nodes").await.json();
    assert!(nodes.nodes.len() == 4 && nodes.nodes.iter().all(|node| node.role == "validator"));
    let node: NodeAnswer = get(&face, &format!("/v1/nodes/{}", member.nodes[0])).await.json();
    assert_eq!(node.member, "publisher");
    let parameters: ParametersAnswer = get(&face, "/v1/parameters").await.json();
    let expected = serde_json::to_value(&world.genesis().parameters).unwrap();
    assert_eq!(parameters.parameters["block"], expected["block"]);
    let permissions: PermissionsAnswer = get(&face, "/v1/permissions").await.json();
    let publish = permissions.permissions.iter().find(|row| row.action == "certificate publish").unwrap();
    assert_eq!(publish.roles, ["certification-authority", "certificate-user"]);
    for (path, code) in [
        ("/v1/members/nobody", "unknown-member"),
        ("/v1/members/NO", "unknown-member"),
        ("/v1/nodes/00", "unknown-node"),
        ("/v1/proposals/1", "unknown-proposal"),
        ("/v1/proposals/x", "unknown-proposal"),
        ("/v1/proposals?limit=0", "malformed-query"),
    ] {
        assert_eq!(get(&face, path).await.problem().code, code, "{path}");
    }
}

/// X.1409 L9, V.1
#[tokio::test]
async fn a_proposal_is_tried_made_voted_on_and_shown() {
    let world = World::new();
    let face = face(&world);
    let json = "application/json";
    let tried = post(&face, "/v1/proposals/dry-run", json, r#"{"change":"stop"}"#).await;
    let difference: DifferenceAnswer = tried.json();
    assert!(difference.lines.iter().all(|line| line.record == "stop" && line.before.is_none()));
    let refused = post(&face, "/v1/proposals/dry-run", json, r#"{"change":"resume"}"#).await;
    assert_eq!(refused.status.as_u16(), 422, "{}", refused.text());
    let malformed = post(&face, "/v1/proposals/dry-run", json, r#"{"change":"no-such"}"#).await;
    assert_eq!(malformed.problem().code, "malformed-json");

    for text in ["one", "two"] {
        let transaction = world.govern(&decision(text), 1).to_bytes();
        let submitted = post(&face, "/v1/transactions?wait=recorded", "application/cbor", transaction).await;
        assert_eq!(submitted.json::<TransactionAnswer>().lane.as_deref(), Some("consortium"));
    }
    let open: ProposalAnswer = get(&face, "/v1/proposals/1").await.json();
    assert_eq!((open.status.as_str(), open.tally.votes_for, open.tally.threshold), ("open", 1, 3));
    assert_eq!(open.change["text"], "one");
    for seed in [2, 3] {
        let (proposal, hash) = (ProposalNumber(1), open.hash.parse().unwrap());
        let ballot = Ballot { proposal, hash, choice: Choice::For, reason: String::new() };
        let transaction = world.govern(&Action::Vote(ballot), seed).to_bytes();
        post(&face, "/v1/transactions?wait=recorded", "application/cbor", transaction).await;
    }
    let done: ProposalAnswer = get(&face, "/v1/proposals/1").await.json();
    assert_eq!((done.tally.votes_for, done.ballots.len()), (3, 3), "{done:?}");
    assert!(["accepted", "executed"].contains(&done.status.as_str()), "{done:?}");
    let numbers = |answer: ProposalsAnswer| -> Vec<u64> {
        answer.proposals.iter().map(|proposal| proposal.number).collect()
    };
    for (query, expected) in [
        ("", &[2, 1][..]),
        ("?open=true", &[2]),
        ("?open=false", &[1]),
        ("?before=2", &[1]),
        ("?limit=1", &[2]),
    ] {
        let answer = get(&face, &format!("/v1/proposals{query}")).await;
        assert_eq!(numbers(answer.json()), expected, "{query}");
    }
    let page: ProposalsAnswer = get(&face, "/v1/proposals?limit=1").await.json();
    assert_eq!(page.next, Some(2));
}
