//! Limits on size, rate, number and time.

use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use futures::StreamExt;
use std::net::SocketAddr;
use tabellion_api::{FaceConfig, router};
use tabellion_ledger::limits::TRANSACTION_BYTES_MAX;
use tower::ServiceExt;

use crate::ask::{face, get, post};
use crate::world::World;

#[tokio::test]
async fn a_body_over_the_limit_is_refused_however_it_comes() {
    let world = World::new();
    let face = face(&world);
    let large = vec![0; TRANSACTION_BYTES_MAX + 1];
    let answer = post(&face, "/v1/transactions", "application/cbor", large.clone()).await;
    assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (413, "body-too-large"));
    let chunks = large.chunks(4096).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let body = Body::from_stream(futures::stream::iter(chunks));
    let request =
        Request::post("/v1/transactions").header("content-type", "application/cbor").body(body).unwrap();
    assert_eq!(face.clone().oneshot(request).await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_body_that_never_ends_is_given_up() {
    let config = FaceConfig { body_timeout: Duration::from_millis(20), ..FaceConfig::default() };
    let face = router(World::new(), config);
    let slow = futures::stream::iter([Ok::<_, std::io::Error>(vec![0])]).chain(futures::stream::pending());
    let request = Request::post("/v1/transactions").body(Body::from_stream(slow)).unwrap();
    assert_eq!(face.oneshot(request).await.unwrap().status(), 408);
}

#[tokio::test]
async fn one_client_is_slowed_down_and_the_others_are_not() {
    let config = FaceConfig { rate_per_second: 1, rate_burst: 3, ..FaceConfig::default() };
    let face = router(World::new(), config);
    let from = |client: &str| {
        let mut request = Request::get("/v1/node/health").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(client.parse::<SocketAddr>().unwrap()));
        face.clone().oneshot(request)
    };
    for _ in 0..3 {
        assert_eq!(from("192.0.2.1:1000").await.unwrap().status(), 200);
    }
    let turned_away = from("192.0.2.1:2000").await.unwrap();
    assert_eq!(turned_away.status(), 429);
    assert_eq!(turned_away.headers()["retry-after"], "1");
    assert_eq!(from("192.0.2.2:1000").await.unwrap().status(), 200);
}

#[tokio::test]
async fn a_node_with_too_much_to_do_says_so_at_once() {
    let none = FaceConfig { requests_max: 0, ..FaceConfig::default() };
    let answer = get(&router(World::new(), none), "/v1/ledger").await;
    assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, "1"));
    assert_eq!(answer.problem().code, "overloaded");
    let no_uploads = FaceConfig { uploads_max: 0, ..FaceConfig::default() };
    let answer = post(&router(World::new(), no_uploads), "/v1/transactions", "application/cbor", "x").await;
    assert_eq!(answer.problem().code, "overloaded");
}

/// Who waits does not hold up who asks: without room to wait the answer is `pending` at once.
#[tokio::test]
async fn a_wait_has_a_limit_of_its_own() {
    let world = World::new();
    world.set_mode(crate::world::Mode::Hold);
    let (_, transaction) = world.publication("a.example", 1);
    let no_waits = FaceConfig { waits_max: 0, ..FaceConfig::default() };
    let path = "/v1/transactions?wait=recorded&timeout_ms=3600000";
    let answer =
        post(&router(world.clone(), no_waits), path, "application/cbor", transaction.to_bytes()).await;
    assert_eq!(answer.status, 202);
    let short = FaceConfig { wait_max: Duration::from_millis(1), ..FaceConfig::default() };
    let answer = post(&router(world, short), path, "application/cbor", transaction.to_bytes()).await;
    assert_eq!(answer.status, 202);
}
