//! Ledger, genesis, blocks, headers, the node's own pages.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_api::{Backend, openapi_json};
use tabellion_consortium::Genesis;
use tabellion_ledger::cbor::{self, Reader};
use tabellion_ledger::{Block, FinalityProof, LedgerId};
use tabellion_machine::{
    BlockAnswer, CHAIN_HEADERS_MAX, ChainHeader, HeadersAnswer, HealthAnswer, LedgerAnswer, ProofAnswer,
};

use crate::ask::{ask, face, get, get_json};
use crate::world::{Mode, World};

/// X.1409 L8
#[tokio::test]
async fn the_ledger_is_shown_at_a_glance() {
    let world = World::new();
    let face = face(&world);
    world.publish("a.example");
    let ledger: LedgerAnswer = get(&face, "/v1/ledger").await.json();
    assert_eq!(
        (ledger.ledger.as_str(), ledger.name.as_str()),
        (world.ledger().to_string().as_str(), "faces")
    );
    assert_eq!((ledger.kind.as_str(), ledger.height, ledger.transactions), ("full", 1, 1));
    assert_eq!((ledger.validators.len(), ledger.quorum, ledger.trusted_cas), (4, 3, 1));
    let genesis = get(&face, "/v1/genesis").await;
    assert_eq!(LedgerId::of(&genesis.body), world.ledger());
    assert_eq!(&Genesis::from_bytes(&genesis.body).unwrap(), world.genesis());
}

#[tokio::test]
async fn blocks_are_read_by_height() {
    let world = World::new();
    let face = face(&world);
    world.publish("a.example");
    world.publish("b.example");
    let latest: BlockAnswer = get(&face, "/v1/blocks/latest").await.json();
    assert_eq!(get(&face, "/v1/blocks/2").await.json::<BlockAnswer>(), latest);
    assert_eq!((latest.header.height, latest.lanes[0].transactions.len(), latest.complete), (2, 1, true));
    let bytes = get(&face, "/v1/blocks/1/bytes").await;
    let block: Block = cbor::from_bytes(&bytes.body, 1 << 21).unwrap();
    assert_eq!(block.header.hash().to_string(), latest.header.previous);
    block.check_body().unwrap();
    for (path, status, code) in [
        ("/v1/blocks/3", 404, "no-such-block"),
        ("/v1/blocks/3/bytes", 404, "no-such-block"),
        ("/v1/blocks/3/finality", 404, "no-such-block"),
        ("/v1/blocks/-1", 400, "malformed-request"),
        ("/v1/blocks/newest", 400, "malformed-request"),
    ] {
        let answer = get(&face, path).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (status, code), "{path}");
    }
    assert!(block.carried.is_empty());
    let beside = get(&face, "/v1/blocks/1/bytes?attachments=true").await;
    let beside: Block = cbor::from_bytes(&beside.body, 1 << 21).unwrap();
    let attachments: Vec<_> = block.transactions().map(|one| one.attachments().to_vec()).collect();
    assert_eq!((beside.carried.clone(), beside.recorded()), (attachments, block));
    let unclear = get(&face, "/v1/blocks/1/bytes?attachments=perhaps").await;
    assert_eq!(unclear.problem().code, "malformed-query");
    world.prune_below(2);
    let pruned: BlockAnswer = get(&face, "/v1/blocks/1").await.json();
    assert_eq!(
        (pruned.complete, pruned.lanes[0].record_count, pruned.lanes[0].transactions.len()),
        (false, 1, 0)
    );
    assert_eq!(get(&face, "/v1/blocks/1/bytes").await.problem().code, "body-not-held");
}

#[tokio::test]
async fn finality_is_checked_with_the_genesis_document_alone() {
    let world = World::new();
    let face = face(&world);
    for name in ["a.example", "b.example"] {
        world.publish(name);
    }
    for height in ["2", "latest", "0"] {
        let answer = get(&face, &format!("/v1/blocks/{height}/finality")).await;
        let proof: FinalityProof = cbor::from_bytes(&answer.body, 1 << 16).unwrap();
        proof.verify(&world.ledger(), &world.genesis().roster()).unwrap();
        let told: ProofAnswer = get_json(&face, &format!("/v1/blocks/{height}/finality")).await.json();
        assert_eq!(STANDARD.decode(told.proof).unwrap(), answer.body);
    }
    assert_eq!(get(&face, "/v1/blocks/1/finality").await.problem().code, "no-finality");
}

#[tokio::test]
async fn a_light_client_reads_headers_in_ranges() {
    let world = World::new();
    let face = face(&world);
    for name in ["a.example", "b.example", "c.example"] {
        world.publish(name);
    }
    let answer = get(&face, "/v1/headers?from=1&limit=2").await;
    let mut input = Reader::new(&answer.body);
    let headers: Vec<ChainHeader> = input.list(CHAIN_HEADERS_MAX).unwrap();
    input.finish().unwrap();
    let heights: Vec<u64> = headers.iter().map(|header| header.header().height.0).collect();
    assert_eq!(heights, [1, 2]);
    assert!(matches!(headers[0], ChainHeader::Linked(_)) && matches!(headers[1], ChainHeader::Final(_)));
    assert_eq!(headers[1].header().previous, headers[0].header().hash());
    let told: HeadersAnswer = get_json(&face, "/v1/headers?from=1&limit=2").await.json();
    assert_eq!((told.headers.len(), told.next), (2, Some(3)));
    assert!(told.headers[0].finality.is_none() && told.headers[1].finality.is_some());
    let last: HeadersAnswer = get_json(&face, "/v1/headers?from=3").await.json();
    assert_eq!((last.headers.len(), last.next), (1, None));
    let none: HeadersAnswer = get_json(&face, "/v1/headers?from=9").await.json();
    assert_eq!((none.headers.len(), none.next), (0, None));
    assert_eq!(get(&face, "/v1/headers?limit=1001").await.problem().code, "malformed-query");
}

#[tokio::test]
async fn the_node_tells_how_it_is() {
    let world = World::new();
    let face = face(&world);
    assert_eq!(get(&face, "/v1/node/health").await.json::<HealthAnswer>().status, "ok");
    assert_eq!(get(&face, "/v1/node/ready").await.status, 200);
    let metrics = get(&face, "/metrics").await;
    assert!(metrics.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in ["tabellion_height 0\n", "tabellion_http_answers_total{class=\"2xx\"} 2\n"] {
        assert!(metrics.text().contains(line), "{}", metrics.text());
    }
    world.set_mode(Mode::Broken);
    let sick = get(&face, "/v1/node/health").await;
    assert_eq!(
        (sick.status.as_u16(), sick.json::<HealthAnswer>().status.as_str()),
        (503, "the store is broken")
    );
    assert_eq!(get(&face, "/v1/node/ready").await.problem().code, "not-ready");
}

#[tokio::test]
async fn the_first_page_says_what_to_try() {
    let world = World::new();
    let face = face(&world);
    let page = ask(&face, "GET", "/", &[("host", "127.0.0.1:8441")], Vec::new()).await;
    assert_eq!(page.header("content-type"), "text/plain; charset=utf-8");
    for part in
        [world.ledger().to_string().as_str(), "https://127.0.0.1:8441/v1/ledger", "POST /v1/certificates"]
    {
        assert!(page.text().contains(part), "{}", page.text());
    }
    let json: serde_json::Value = get_json(&face, "/").await.json();
    assert_eq!(json["name"], "faces");
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let world = World::new();
    let face = face(&world);
    for path in ["/", "/v1/ledger", "/v1/blocks/latest"] {
        let (with, without) = (get(&face, path).await, ask(&face, "HEAD", path, &[], Vec::new()).await);
        assert_eq!((without.status, without.body.len()), (with.status, 0));
        assert_eq!(without.header("content-type"), with.header("content-type"));
    }
}

#[tokio::test]
async fn the_openapi_document_is_the_committed_one() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let made = openapi_json();
    if std::env::var_os("TABELLION_WRITE").is_some() {
        std::fs::write(path, &made).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == made,
        "crates/api/openapi.json is not the one of this code; write it anew with\n  \
         TABELLION_WRITE=1 cargo nextest run -p tabellion-api the_openapi_document_is_the_committed_one"
    );
    let world = World::new();
    let served = get(&face(&world), "/openapi.json").await;
    assert_eq!((served.header("content-type"), served.text()), ("application/json", made.as_str()));
}
