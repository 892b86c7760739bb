//! The face over real sockets and TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, NamedGroup, ProtocolVersion, RootCertStore};
use tabellion_api::{ServerConfig, serve, tls_config};
use tabellion_machine::StatusAnswer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;

use crate::ask::{face, verified};
use crate::world::World;

struct Served {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn served(world: &Arc<World>, config: ServerConfig) -> Served {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let tls = tls_config(vec![cert.der().clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let shutdown = async {
        let _ = stopped.await;
    };
    let task = tokio::spawn(serve(listener, tls, face(world), config, shutdown));
    Served { address, certificate: cert.der().clone(), stop, task }
}

fn client_config(served: &Served) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(served.certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    config.with_root_certificates(roots).with_no_client_auth()
}

async fn connect(served: &Served) -> tokio_rustls::client::TlsStream<TcpStream> {
    let stream = TcpStream::connect(served.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(client_config(served))).connect(name, stream).await.unwrap()
}

fn http(served: &Served) -> reqwest::Client {
    reqwest::Client::builder()
        .tls_backend_preconfigured(client_config(served))
        .resolve("localhost", served.address)
        .build()
        .unwrap()
}

/// X.1409 L7, C19: TLS 1.3 with hybrid key exchange, and nothing older.
#[tokio::test]
async fn a_relying_party_asks_over_tls_1_3() {
    let world = World::new();
    let id = world.publish("a.example");
    let served = served(&world, ServerConfig::default()).await;
    let client = http(&served);
    let url = format!("https://localhost:{}/v1/certificates/{id}", served.address.port());
    for _ in 0..3 {
        let response = client.get(&url).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200);
        let answer: StatusAnswer = response.json().await.unwrap();
        assert_eq!(answer.standing, "valid");
        verified(&world, &answer);
    }
    let stream = connect(&served).await;
    let (_, tls) = stream.get_ref();
    assert_eq!(tls.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    let group = tls.negotiated_key_exchange_group().map(|group| group.name());
    assert_eq!(group, Some(NamedGroup::X25519MLKEM768));
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let world = World::new();
    let served = served(&world, ServerConfig::default()).await;
    let mut stream = connect(&served).await;
    for _ in 0..3 {
        stream.write_all(b"HEAD /v1/ledger HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(stream.read_u8().await.unwrap());
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }
}

#[tokio::test]
async fn a_head_that_never_ends_closes_the_connection() {
    let world = World::new();
    let config = ServerConfig { header_timeout: Duration::from_millis(50), ..ServerConfig::default() };
    let served = served(&world, config).await;
    let mut stream = connect(&served).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: loc").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn a_client_has_a_limited_number_of_connections() {
    let world = World::new();
    let config = ServerConfig { connections_per_client_max: 1, ..ServerConfig::default() };
    let served = served(&world, config).await;
    let first = connect(&served).await;
    let mut second = TcpStream::connect(served.address).await.unwrap();
    assert_eq!(second.read(&mut [0; 16]).await.unwrap_or(0), 0, "the second connection is closed");
    drop(first);
}

#[tokio::test]
async fn a_stop_lets_open_requests_finish() {
    let world = World::new();
    world.set_mode(crate::world::Mode::Hold);
    let served = served(&world, ServerConfig::default()).await;
    let (_, transaction) = world.publication("a.example", 1);
    let client = http(&served);
    let url = format!("https://localhost:{}/v1/transactions?wait=recorded", served.address.port());
    let request = client.post(url).header("content-type", "application/cbor").body(transaction.to_bytes());
    let request = tokio::spawn(request.send());
    world.until_waiting().await;
    served.stop.send(()).unwrap();
    world.release();
    assert_eq!(request.await.unwrap().unwrap().status().as_u16(), 200);
    served.task.await.unwrap();
    assert!(TcpStream::connect(served.address).await.is_err());
}
