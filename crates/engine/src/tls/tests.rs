use std::sync::Arc;

use commonware_runtime::{Runner as _, Sink as _, Spawner as _, Supervisor as _, deterministic, mocks};
use commonware_stream::{Receiver as _, Sender as _, Upgrader as _};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, NamedGroup};
use tabellion_ledger::LedgerId;

use super::Credentials;
use super::frame::{FrameReceiver, FrameSender, TlsError};
use super::handshake::{Raw, Tls};
use crate::committee::NodeKey;
use crate::scheme::{node_key, public_key};
use crate::status::EngineStatus;

type Halves = (FrameSender<mocks::Sink>, FrameReceiver<mocks::Stream>);

const LEDGER: LedgerId = LedgerId([3; 32]);
const NAMESPACE: &[u8] = b"test";
const LIMIT: u32 = 4 * 1_024 * 1_024;
const DIALLER: [u8; 32] = [1; 32];
const LISTENER: [u8; 32] = [2; 32];

fn tls(seed: [u8; 32], ledger: LedgerId) -> Tls {
    Tls::new(Credentials::new(&seed, &ledger).unwrap(), EngineStatus::default())
}

/// One end of a connection as a test sees it.
struct End {
    tls: Tls,
    namespace: &'static [u8],
    limit: u32,
}

impl End {
    fn of(seed: [u8; 32]) -> Self {
        Self { tls: tls(seed, LEDGER), namespace: NAMESPACE, limit: LIMIT }
    }
}

/// Connects a dialler that expects `expected` with a listener that lets in `let_in`.
fn connect(
    dialler: End,
    listener: End,
    expected: NodeKey,
    let_in: bool,
) -> (Result<Halves, TlsError>, Result<Halves, TlsError>) {
    deterministic::Runner::default().start(|context| async move {
        let (to_listener, from_dialler) = mocks::Channel::init();
        let (to_dialler, from_listener) = mocks::Channel::init();
        let dial = context.child("dial").spawn(move |context| async move {
            let End { tls, namespace, limit } = dialler;
            let peer = public_key(&expected).unwrap();
            tls.dial(context, namespace, limit, peer, from_listener, to_listener).await
        });
        let listen = context.child("listen").spawn(move |context| async move {
            let End { tls, namespace, limit } = listener;
            let bouncer = move |_| async move { let_in };
            let connection = tls.listen(context, namespace, limit, bouncer, from_dialler, to_dialler).await;
            connection.map(|(peer, sender, receiver)| {
                assert_eq!(peer, public_key(&node_key(&DIALLER)).unwrap());
                (sender, receiver)
            })
        });
        (dial.await.unwrap(), listen.await.unwrap())
    })
}

fn connected() -> (Halves, Halves) {
    let (dialled, listened) = connect(End::of(DIALLER), End::of(LISTENER), node_key(&LISTENER), true);
    (dialled.unwrap(), listened.unwrap())
}

#[test]
fn messages_of_all_sizes_arrive_in_order_both_ways() {
    let ((mut send_a, mut recv_a), (mut send_b, mut recv_b)) = connected();
    deterministic::Runner::default().start(|_| async move {
        for size in [0, 1, 3, 16_384, 16_385, 70_000, 3_000_000] {
            let message = vec![u8::try_from(size % 251).unwrap(); size];
            // Reading goes on beside writing: no pipe holds the largest message.
            let (sent, there) =
                futures::join!(send_a.send_many([message.clone(), b"next".to_vec()]), recv_b.recv());
            sent.unwrap();
            assert_eq!(there.unwrap().coalesce().as_ref(), message.as_slice(), "{size} bytes there");
            assert_eq!(recv_b.recv().await.unwrap().coalesce().as_ref(), b"next");
            let (sent, back) = futures::join!(send_b.send(message.clone()), recv_a.recv());
            sent.unwrap();
            assert_eq!(back.unwrap().coalesce().as_ref(), message.as_slice(), "{size} bytes back");
        }
    });
}

#[test]
fn the_key_exchange_is_hybrid() {
    let ((sender, _), _) = connected();
    let connection = sender.connection.lock();
    let group = connection.negotiated_key_exchange_group().unwrap().name();
    assert_eq!(group, NamedGroup::X25519MLKEM768);
}

#[test]
fn a_listener_with_another_key_than_dialled_is_refused() {
    let (dialled, listened) = connect(End::of(DIALLER), End::of(LISTENER), node_key(&[9; 32]), true);
    assert!(matches!(dialled, Err(TlsError::Tls(_))), "{:?}", dialled.err());
    assert!(listened.is_err());
}

#[test]
fn a_peer_that_no_committee_names_is_refused() {
    let (dialled, listened) = connect(End::of(DIALLER), End::of(LISTENER), node_key(&LISTENER), false);
    assert!(matches!(listened, Err(TlsError::Refused)));
    assert!(matches!(dialled, Err(TlsError::NotAdmitted)), "{:?}", dialled.err());
}

#[test]
fn a_peer_of_another_ledger_is_refused() {
    let other = End { tls: tls(DIALLER, LedgerId([4; 32])), ..End::of(DIALLER) };
    let (dialled, listened) = connect(other, End::of(LISTENER), node_key(&LISTENER), true);
    assert!(dialled.is_err());
    assert!(matches!(listened, Err(TlsError::Tls(_))), "{:?}", listened.err());
}

#[test]
fn a_connection_for_another_purpose_is_refused() {
    let other = End { namespace: b"other", ..End::of(DIALLER) };
    let (dialled, _) = connect(other, End::of(LISTENER), node_key(&LISTENER), true);
    assert!(matches!(dialled, Err(TlsError::NotAdmitted)));
}

#[test]
fn a_message_above_the_limit_is_neither_sent_nor_read() {
    let short = End { limit: 1_000, ..End::of(LISTENER) };
    let (dialled, listened) = connect(End::of(DIALLER), short, node_key(&LISTENER), true);
    let ((mut send_a, _recv_a), (mut send_b, mut recv_b)) = (dialled.unwrap(), listened.unwrap());
    deterministic::Runner::default().start(|_| async move {
        let sent = send_b.send(vec![0; 1_001]).await;
        assert!(matches!(sent, Err(TlsError::TooLong { length: 1_001, limit: 1_000 })));
        send_a.send(vec![0; 1_001]).await.unwrap();
        let received = recv_b.recv().await;
        assert!(matches!(received, Err(TlsError::TooLong { length: 1_001, limit: 1_000 })));
    });
}

/// Lets a listener meet whatever `client` does.
fn meet<F>(client: impl FnOnce(mocks::Stream, mocks::Sink) -> F + Send + 'static) -> TlsError
where
    F: Future<Output = ()> + Send + 'static,
{
    deterministic::Runner::default().start(|context| async move {
        let (to_listener, from_client) = mocks::Channel::init();
        let (to_client, from_listener) = mocks::Channel::init();
        let work = client(from_listener, to_listener);
        context.child("client").spawn(move |_| work);
        let tls = tls(LISTENER, LEDGER);
        let bouncer = |_| async { true };
        let met = tls.listen(context, NAMESPACE, LIMIT, bouncer, from_client, to_client).await;
        met.err().expect("the client is refused")
    })
}

#[test]
fn plain_bytes_are_refused() {
    for bytes in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), &[0; 64], &[22, 3, 1, 0xff, 0xff, 1, 2, 3]] {
        let bytes = bytes.to_vec();
        let met = meet(move |_stream, mut sink| async move {
            sink.send(bytes).await.unwrap();
        });
        assert!(matches!(met, TlsError::Record), "{met:?}");
    }
}

#[test]
fn a_broken_record_is_refused() {
    let met = meet(|_stream, mut sink| async move {
        sink.send([&[22, 3, 1, 0, 40][..], &[0xaa; 40]].concat()).await.unwrap();
    });
    assert!(matches!(met, TlsError::Tls(_)), "{met:?}");
}

/// A client of the TLS library with settings of its own.
fn foreign_client(
    version: &'static rustls::SupportedProtocolVersion,
    protocol: Option<&str>,
    certificate: bool,
) -> ClientConnection {
    let credentials = Credentials::new(&DIALLER, &LEDGER).unwrap();
    let ours = credentials.client(node_key(&LISTENER)).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(super::credentials::ThisNode::new(node_key(&LISTENER))));
    let mut config = match certificate {
        true => builder.with_client_cert_resolver(ours.client_auth_cert_resolver.clone()),
        false => builder.with_no_client_auth(),
    };
    config.alpn_protocols = protocol.map(|protocol| protocol.as_bytes().to_vec()).into_iter().collect();
    ClientConnection::new(Arc::new(config), ServerName::try_from("node.tabellion.invalid").unwrap()).unwrap()
}

fn meet_client(client: ClientConnection) -> TlsError {
    meet(move |stream, sink| async move {
        let mut raw = Raw::new(client.into(), stream, sink);
        let _ = raw.handshake().await;
        // What the listener answers after the handshake is of no interest, but the connection must stay open.
        let _ = raw.read().await;
    })
}

#[test]
fn tls_1_2_is_refused() {
    let protocol = format!("tabellion-node/1/{LEDGER}");
    let met = meet_client(foreign_client(&TLS12, Some(&protocol), true));
    assert!(matches!(met, TlsError::Tls(rustls::Error::PeerIncompatible(_))), "{met:?}");
}

#[test]
fn a_client_without_a_certificate_is_refused() {
    let protocol = format!("tabellion-node/1/{LEDGER}");
    let met = meet_client(foreign_client(&TLS13, Some(&protocol), false));
    assert!(matches!(met, TlsError::Tls(rustls::Error::NoCertificatesPresented)), "{met:?}");
}

#[test]
fn a_client_that_names_no_protocol_is_refused() {
    let met = meet_client(foreign_client(&TLS13, None, true));
    assert!(matches!(met, TlsError::Protocol), "{met:?}");
}

#[test]
fn connections_are_counted_while_they_last() {
    let dialler = End::of(DIALLER);
    let status = dialler.tls.status.clone();
    let (dialled, listened) = connect(dialler, End::of(LISTENER), node_key(&LISTENER), true);
    let ((sender, receiver), _listened) = (dialled.unwrap(), listened.unwrap());
    assert_eq!(status.view().peers, 1);
    drop(sender);
    assert_eq!(status.view().peers, 1);
    drop(receiver);
    assert_eq!(status.view().peers, 0);
}
