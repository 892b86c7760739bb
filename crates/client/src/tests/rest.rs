//! The REST client against a server that speaks TLS and answers from a script.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_ledger::{CertificateId, KeyId, cbor};
use tabellion_machine::StatusAnswer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    ClientError, LightClient, LightError, NodeClient, NodeError, NodeTrust, PublicationOutcome, Publisher,
    RelyingParty, Submitted, shown_certificates,
};

use super::world::{NOW, World};

/// One scripted answer: status line, further header lines, body.
pub struct Answer(&'static str, &'static str, Vec<u8>);

/// What a server answers to a request line.
type Answering = Arc<dyn Fn(&str) -> Answer + Send + Sync>;

pub fn ok(body: impl Into<Vec<u8>>) -> Answer {
    Answer("200 OK", "", body.into())
}

pub fn not_found() -> Answer {
    Answer("404 Not Found", "content-type: application/problem+json\r\n", NOT_FOUND.into())
}

const NOT_FOUND: &str =
    r#"{"type":"about:blank","title":"not found","status":404,"detail":"not here","code":"not-found"}"#;

pub struct Server {
    silent: Arc<AtomicBool>,
    address: String,
    ca: Vec<u8>,
    key: KeyId,
    pub asked: Arc<Mutex<Vec<String>>>,
}

/// A server that gives these answers, one after the other; the last one again and again.
async fn serve(answers: Vec<Answer>) -> Server {
    let answers = Mutex::new(VecDeque::from(answers));
    serve_by(move |_| {
        let mut answers = answers.lock().unwrap();
        match answers.len() {
            1 => {
                let Answer(status, headers, body) = answers.front().unwrap();
                Answer(status, headers, body.clone())
            }
            _ => answers.pop_front().unwrap(),
        }
    })
    .await
}

/// A server that answers what it is asked.
pub async fn serve_by(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Server {
    let answer: Answering = Arc::new(answer);
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let certificate = params.self_signed(&key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let silent = Arc::new(AtomicBool::new(false));
    let server = Server {
        silent: silent.clone(),
        address,
        ca: certificate.pem().into_bytes(),
        key: KeyId::of(&rcgen::PublicKeyData::subject_public_key_info(&key)),
        asked: asked.clone(),
    };
    let acceptor = TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, answer, asked) = (acceptor.clone(), answer.clone(), asked.clone());
            let silent = silent.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                answer_all(stream, &answer, &asked, &silent).await;
            });
        }
    });
    server
}

async fn answer_all(
    mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin,
    answer: &Answering,
    asked: &Mutex<Vec<String>>,
    silent: &AtomicBool,
) {
    let mut bytes = Vec::new();
    loop {
        let Some(head) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
            let mut chunk = [0; 4096];
            match stream.read(&mut chunk).await {
                Ok(count @ 1..) => bytes.extend_from_slice(&chunk[..count]),
                _ => return,
            }
            continue;
        };
        let text = String::from_utf8_lossy(&bytes[..head]).to_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let end = head + 4 + length.unwrap_or(0_usize);
        while bytes.len() < end {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap();
            bytes.extend_from_slice(&chunk[..count]);
        }
        bytes.drain(..end);
        let line = text.lines().next().unwrap_or_default().to_owned();
        if silent.load(Ordering::Relaxed) {
            return;
        }
        let Answer(status, headers, body) = answer(&line);
        asked.lock().unwrap().push(line);
        let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
        let response = [head.as_bytes(), &body].concat();
        stream.write_all(&response).await.unwrap();
    }
}

impl Server {
    /// Answers nothing from now on.
    pub fn silence(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

pub fn client(servers: &[&Server]) -> NodeClient {
    let nodes: Vec<_> = servers.iter().map(|server| server.address.clone()).collect();
    let ca = servers.iter().flat_map(|server| server.ca.clone()).collect();
    NodeClient::new(&nodes, &NodeTrust::Authorities(ca)).unwrap()
}

fn problem(status: &'static str, code: &str, entries: &[(usize, CertificateId, &str)]) -> Answer {
    let entries: Vec<_> = entries
        .iter()
        .map(|(index, id, code)| {
            serde_json::json!({"index": index, "certificate": id, "code": code, "message": "m"})
        })
        .collect();
    let number: u16 = status[..3].parse().unwrap();
    let body = serde_json::json!({
        "type": format!("/problems/{code}"), "title": "t", "status": number, "detail": "d", "code": code,
        "entries": entries,
    });
    Answer(status, "content-type: application/problem+json\r\n", body.to_string().into_bytes())
}

fn transaction(standing: &str, height: Option<u64>) -> Answer {
    ok(serde_json::json!({"id": "00", "standing": standing, "height": height}).to_string())
}

fn status(world: &World, id: &CertificateId) -> Answer {
    let proof = world.status_proof(id);
    let answer = StatusAnswer {
        standing: "valid, says the node".to_owned(),
        ..StatusAnswer::new(
            id.to_string(),
            None,
            None,
            &proof.finality.header,
            STANDARD.encode(cbor::to_bytes(&proof)),
        )
    };
    ok(serde_json::to_vec(&answer).unwrap())
}

#[tokio::test]
async fn a_node_is_known_by_its_ca_or_by_its_pinned_key_and_by_nothing_else() {
    let server = serve(vec![ok("hello")]).await;
    let other = serve(vec![ok("hello")]).await;
    let nodes = [server.address.clone()];
    let rows = [
        (NodeTrust::Authorities(server.ca.clone()), true),
        (NodeTrust::PinnedKey(server.key), true),
        (NodeTrust::Authorities(other.ca.clone()), false),
        (NodeTrust::PinnedKey(other.key), false),
    ];
    for (trust, expected) in rows {
        let answer = NodeClient::new(&nodes, &trust).unwrap().bytes("/", &[]).await;
        assert_eq!(answer.is_ok(), expected, "{answer:?}");
    }
    let asked = server.asked.lock().unwrap().len();
    let shown = shown_certificates(&server.address).await.unwrap();
    assert_eq!(pem::parse(&server.ca).unwrap().contents(), shown.concat(), "what it shows to anybody");
    assert_eq!(server.asked.lock().unwrap().len(), asked, "it was asked nothing");
    let plain = NodeClient::new(&["http://127.0.0.1:1".to_owned()], &NodeTrust::PinnedKey(server.key));
    assert!(matches!(plain, Err(NodeError::Address { .. })));
}

#[tokio::test]
async fn a_node_that_says_later_is_asked_again_and_one_that_fails_is_left() {
    let busy = serve(vec![Answer("429 Too Many Requests", "retry-after: 0\r\n", Vec::new()), ok("a")]).await;
    assert_eq!(client(&[&busy]).bytes("/", &[]).await.unwrap(), b"a");
    assert_eq!(busy.asked.lock().unwrap().len(), 2);

    let broken = serve(vec![Answer("500 Internal Server Error", "", Vec::new())]).await;
    let good = serve(vec![ok("b")]).await;
    let nodes = client(&[&broken, &good]);
    assert_eq!(nodes.bytes("/", &[]).await.unwrap(), b"b");
    assert_eq!(nodes.node(), good.address);
    let mut alone = client(&[&good]);
    alone = NodeClient::new(
        &["https://127.0.0.1:9".to_owned(), alone.node()],
        &NodeTrust::Authorities(good.ca.clone()),
    )
    .unwrap();
    assert_eq!(alone.bytes("/", &[]).await.unwrap(), b"b");
}

#[tokio::test]
async fn a_refusal_is_told_with_its_code_and_asked_once() {
    let server = serve(vec![problem("404 Not Found", "no-such-block", &[])]).await;
    match client(&[&server]).bytes("/v1/blocks/9", &[]).await {
        Err(NodeError::Refused(problem)) => assert_eq!(problem.code, "no-such-block"),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_submission_waits_until_it_is_recorded_and_survives_a_lost_answer() {
    let mut world = World::new();
    let publication = world.publication("a.example");
    let tx = world.transaction(&[publication]);
    let server = serve(vec![
        problem("409 Conflict", "replayed", &[]),
        transaction("pending", None),
        transaction("recorded", Some(7)),
    ])
    .await;
    let submitted = client(&[&server]).submit(tx.id(), tx.to_bytes(), Duration::from_secs(60)).await.unwrap();
    assert!(matches!(submitted, Submitted::Recorded(answer) if answer.height == Some(7)));
    let asked = server.asked.lock().unwrap().clone();
    assert!(asked[0].starts_with("post /v1/transactions?wait=recorded&timeout_ms=10000 "), "{asked:?}");
    assert!(
        asked[2].starts_with(&format!("get /v1/transactions/{}?wait=recorded&timeout_ms=", tx.id())),
        "{asked:?}"
    );
}

#[tokio::test]
async fn a_batch_goes_on_without_the_refused_ones_and_skips_the_recorded_ones() {
    let mut world = World::new();
    let batch: Vec<_> = (0..3).map(|n| world.publication(&format!("n{n}.example"))).collect();
    let (bad, old, good) = (batch[0].id(), batch[1].id(), batch[2].id());
    let server = serve(vec![
        problem("422 Unprocessable Entity", "expired", &[(0, bad, "expired"), (1, old, "already-recorded")]),
        transaction("recorded", Some(3)),
    ])
    .await;
    let nodes = client(&[&server]);
    let publisher = Publisher {
        nodes: &nodes,
        ledger: world.trust.ledger(),
        parameters: &world.trust.genesis().parameters,
        key: &world.user,
        wait: Duration::from_secs(5),
        all_or_none: false,
    };
    let done = publisher.publish_batch(batch, || NOW).await.unwrap();
    let outcome = |id| &done.iter().find(|(publication, _)| publication.id() == id).unwrap().1;
    assert!(matches!(outcome(bad), PublicationOutcome::Refused { code, .. } if code == "expired"));
    assert!(matches!(outcome(old), PublicationOutcome::Already { .. }));
    assert!(matches!(outcome(good), PublicationOutcome::Recorded { height: 3, .. }));
}

/// X.1409 C10, C17
#[tokio::test]
async fn a_relying_party_believes_the_proof_and_not_the_words_around_it() {
    let mut world = World::new();
    let (id, _) = world.publish("a.example");
    let unknown = CertificateId([5; 32]);
    let server = serve(vec![status(&world, &id), status(&world, &unknown), status(&world, &id)]).await;
    let mut party = RelyingParty::new(client(&[&server]), LightClient::new(world.trust.clone()), 60_000);
    assert_eq!(party.status(&id, NOW).await.unwrap().status.standing(Some(NOW)).word(), "valid");
    assert_eq!(party.status(&unknown, NOW).await.unwrap().status.standing(Some(NOW)).word(), "unknown");
    // The proof of another certificate.
    let wrong = party.status(&unknown, NOW).await.unwrap_err();
    assert!(wrong.is_broken_proof(), "{wrong:?}");
}

#[tokio::test]
async fn a_stale_node_is_left_for_one_that_is_not() {
    let mut world = World::new();
    let (id, _) = world.publish("a.example");
    let stale = serve(vec![status(&world, &id)]).await;
    for number in 0..100 {
        world.publish(&format!("n{number}.example"));
    }
    let fresh = serve(vec![status(&world, &id)]).await;
    let now = NOW.plus(100_000);
    let party = |servers: &[&Server]| {
        RelyingParty::new(client(servers), LightClient::new(world.trust.clone()), 10_000)
    };
    let alone = party(&[&stale]).status(&id, now).await;
    assert!(matches!(alone, Err(ClientError::Light(LightError::Stale { .. }))), "{alone:?}");
    assert_eq!(party(&[&stale, &fresh]).status(&id, now).await.unwrap().status.by.header.height.0, 101);
}

#[tokio::test]
async fn a_request_of_all_or_none_stops_at_a_refused_one() {
    let mut world = World::new();
    let batch: Vec<_> = (0..2).map(|n| world.publication(&format!("n{n}.example"))).collect();
    let (bad, good) = (batch[0].id(), batch[1].id());
    let server = serve(vec![problem("422 Unprocessable Entity", "expired", &[(0, bad, "expired")])]).await;
    let nodes = client(&[&server]);
    let publisher = Publisher {
        nodes: &nodes,
        ledger: world.trust.ledger(),
        parameters: &world.trust.genesis().parameters,
        key: &world.user,
        wait: Duration::from_secs(5),
        all_or_none: true,
    };
    let done = publisher.publish_batch(batch, || NOW).await.unwrap();
    let code = |id| match &done.iter().find(|(publication, _)| publication.id() == id).unwrap().1 {
        PublicationOutcome::Refused { code, .. } => code.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((code(bad), code(good)), ("expired".to_owned(), "not-sent".to_owned()));
    assert_eq!(server.asked.lock().unwrap().len(), 1);
}
