//! A node takes a state over from nodes of which one lies, with real processes.

use std::fs;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use tabellion_api::{NodeCa, ServerConfig, serve, tls_config};
use tabellion_client::{NodeClient, NodeTrust};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::consortium::Consortium;
use crate::ledger::now;
use crate::run::tabellion;

/// A face that passes questions on to a node, and answers some of them otherwise.
pub struct Liar {
    pub address: SocketAddr,
    _runtime: Runtime,
}

/// The node behind, and the end of the paths that it lies about: a bit of each answer is turned.
type Behind = (Arc<NodeClient>, &'static str);
/// The node behind, and how many questions for a piece of a state it still says not to hold.
type Forgetful = (Arc<NodeClient>, Arc<AtomicUsize>);

impl Liar {
    pub fn before(consortium: &Consortium, lies: &'static str) -> Self {
        let behind = first_node(consortium);
        Self::serve(consortium, Router::new().fallback(pass_on).with_state((behind, lies)))
    }

    /// Before another node than the first.
    pub fn before_node(consortium: &Consortium, url: &str, trust: &NodeTrust, lies: &'static str) -> Self {
        let behind = Arc::new(NodeClient::new(&[url.to_owned()], trust).unwrap());
        Self::serve(consortium, Router::new().fallback(pass_on).with_state((behind, lies)))
    }

    /// Before the first node, whose states go again and again while they are asked for.
    fn forgetful(consortium: &Consortium, times: usize) -> Self {
        let state: Forgetful = (first_node(consortium), Arc::new(AtomicUsize::new(times)));
        Self::serve(consortium, Router::new().fallback(forget).with_state(state))
    }

    fn serve(consortium: &Consortium, router: Router) -> Self {
        let key = consortium.path().join("net/nodes/node-alpha/node-key.pem");
        let key = PrivatePkcs8KeyDer::from_pem_file(key).unwrap();
        let (certificate, key) = NodeCa::new(&key).unwrap().issue(&["127.0.0.1".to_owned()], now()).unwrap();
        let tls = tls_config(vec![certificate], key).unwrap();
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        runtime.spawn(serve(listener, tls, router, ServerConfig::default(), std::future::pending()));
        Self { address, _runtime: runtime }
    }
}

fn first_node(consortium: &Consortium) -> Arc<NodeClient> {
    let trust = NodeTrust::Authorities(fs::read(consortium.path().join("net/tls-ca.pem")).unwrap());
    let url = format!("https://127.0.0.1:{}", consortium.ports[5]);
    Arc::new(NodeClient::new(&[url], &trust).unwrap())
}

async fn forget(State((behind, times)): State<Forgetful>, uri: Uri) -> Response {
    let less = |left: usize| left.checked_sub(1);
    if uri.path().ends_with("/piece") && times.fetch_update(Relaxed, Relaxed, less).is_ok() {
        let problem = r#"{"type": "/problems/no-such-snapshot", "title": "No such state", "status": 404,
            "detail": "the state is not held", "code": "no-such-snapshot"}"#;
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        return (StatusCode::NOT_FOUND, kind, problem).into_response();
    }
    pass_on(State((behind, "/nothing")), uri).await
}

async fn pass_on(State((behind, lies)): State<Behind>, uri: Uri) -> Response {
    let pairs = uri.query().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    let query: Vec<(&str, String)> = pairs.map(|(name, value)| (name, value.to_owned())).collect();
    let Ok(mut bytes) = behind.bytes(uri.path(), &query).await else {
        return StatusCode::BAD_GATEWAY.into_response();
    };
    if uri.path().ends_with(lies)
        && let Some(last) = bytes.last_mut()
    {
        *last ^= 1;
    }
    ([(header::CONTENT_TYPE, "application/cbor")], bytes).into_response()
}

/// Invites a node and lets it join by these nodes alone.
fn join(consortium: &Consortium, name: &str, nodes: &str, more: &[&str]) -> crate::run::Ran {
    let invitation = format!("{name}.invitation");
    consortium.sign("alpha", &["node", "invite", name, "--out", &invitation]);
    let path = consortium.path().join(&invitation);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once("nodes = [").unwrap();
    let (_, after) = rest.split_once(']').unwrap();
    fs::write(&path, format!("{before}nodes = [{nodes}]{after}")).unwrap();
    let (listen, rest) =
        (format!("127.0.0.1:{}", consortium.ports[4]), format!("127.0.0.1:{}", consortium.ports[9]));
    let args = ["node", "join", &invitation, "--listen", &listen, "--rest", &rest, "--data", name, "--json"];
    tabellion(consortium.path(), &[&args[..], more].concat())
}

/// X.1409 L9: on a busy ledger states go while they are fetched. The node aims at the next one, however often
/// that happens within reason, and asks those again that no longer held the one before.
#[test]
fn a_joining_node_aims_anew_when_a_state_goes_while_it_is_fetched() {
    let mut consortium = Consortium::start();
    consortium.until("a state is held", |consortium| {
        consortium.publish();
        let ledger = consortium.run(&["ledger", "status", "--json"]).check(0, &[]).json();
        ledger[0]["height"].as_u64().unwrap() > 20
    });
    let node = format!("\"https://127.0.0.1:{}\"", consortium.ports[6]);
    join(&consortium, "node-one", &node, &["--no-sync"]).check(0, &[]);
    let file = consortium.path().join("node-one/node.toml");
    let text = fs::read_to_string(&file).unwrap();
    let sync = |times| {
        let forgetful = Liar::forgetful(&consortium, times);
        let url = format!("\"https://{}\"", forgetful.address);
        fs::write(&file, text.replace(&node, &url)).unwrap();
        tabellion(consortium.path(), &["node", "sync", "node-one", "--json"])
    };
    let why = "the nodes did not hold a state for long enough";
    sync(usize::MAX).check(1, &[why, "node sync node-one"]);
    let synced = sync(6).check(0, &[]).json();
    assert!(synced[0]["height"].as_u64().unwrap() >= 15, "{synced:?}");
}

/// X.1409 L9: a joining node believes nobody. It leaves who lies, takes the state from the others, says what
/// happened where nobody else is left, and goes on from there.
#[test]
fn a_joining_node_takes_the_state_from_whoever_does_not_lie() {
    let mut consortium = Consortium::start();
    let liar = Liar::before(&consortium, "/piece");
    let liar = format!("\"https://{}\"", liar.address);
    let honest = format!("\"https://127.0.0.1:{}\"", consortium.ports[6]);
    consortium.until("a state is held", |consortium| {
        consortium.publish();
        let ledger = consortium.run(&["ledger", "status", "--json"]).check(0, &[]).json();
        ledger[0]["height"].as_u64().unwrap() > 20
    });

    let synced = join(&consortium, "node-one", &format!("{liar}, {honest}"), &[]).check(0, &[]).json();
    let state = synced.iter().find(|line| line["records"].is_u64()).unwrap();
    assert!(state["height"].as_u64().unwrap() >= 15 && state["records"].as_u64().unwrap() > 10, "{state}");

    join(&consortium, "node-two", &honest, &["--no-sync"]).check(0, &[]);
    let sync = ["node", "sync", "node-two", "--json"];
    let file = consortium.path().join("node-two/node.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace(&honest, &liar)).unwrap();
    let alone = tabellion(consortium.path(), &sync);
    alone.check(1, &["no node is left to fetch from", "the piece at prefix ''", "node sync node-two"]);
    fs::write(&file, text).unwrap();
    let synced = tabellion(consortium.path(), &sync).check(0, &[]).json();
    assert!(synced[0]["height"].as_u64().unwrap() >= 15);
    tabellion(consortium.path(), &sync).check(2, &["is there already"]);

    // The one that runs follows, fetches the bodies that it lacks, and shows the whole chain.
    consortium.start_node("node-one");
    consortium.until("the node has caught up and has all bodies", |consortium| {
        consortium.publish();
        let full = ["ledger", "verify-chain", "--full", "--network", "node-one"];
        tabellion(consortium.path(), &full).code == 0
    });
}
