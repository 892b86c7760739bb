//! TLS connections whose ends know each other by the ledger.

use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConnection, ServerConnection};
use tabellion_corpus::{CrlDraft, KeyKind, TestKey, extensions::extended_key_usage};
use tabellion_ledger::{CertificateId, KeyId, TimeMs, cbor};
use tabellion_machine::{KeyAnswer, StatusAnswer};
use tabellion_pki::{EvidenceKind, Facts, Reason, Standing, Window, certificate, certificates_of_key_key};

use super::rest::{Server, client, not_found, ok, serve_by};
use super::world::{NOW, World};
use crate::peer::{
    Identity, Patience, Peer, PeerRefusal, PeerResolver, PeerVerifier, Question, Shown, connector, listener,
};
use crate::{Certificate, ChangeRequest, LightClient, Publication, RelyingParty, Signer};

const CLIENT_AUTH: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
/// The handshakes happen on the real clock; proofs of any age are accepted.
const AGE_MS_MAX: u64 = u64::MAX;
/// A start that lies ahead on that clock too.
const AHEAD: TimeMs = TimeMs(NOW.0 + 365 * 24 * 3_600_000);

type Shared = Arc<Mutex<World>>;

/// A certificate and its key.
struct Owner {
    key: TestKey,
    der: Vec<u8>,
}

impl Owner {
    fn new(world: &Shared, name: &str) -> Self {
        Self::with_key(world, name, TestKey::generate(KeyKind::P256), &[])
    }

    fn with_key(world: &Shared, name: &str, key: TestKey, usages: &[der::asn1::ObjectIdentifier]) -> Self {
        Self::within(world, name, key, usages, None)
    }

    /// The certificate is published for this validity.
    fn within(
        world: &Shared,
        name: &str,
        key: TestKey,
        usages: &[der::asn1::ObjectIdentifier],
        window: Option<Window>,
    ) -> Self {
        let mut world = world.lock().unwrap();
        let mut draft = world.ca.leaf_draft(name, &key.spki());
        if !usages.is_empty() {
            draft.set(extended_key_usage(usages));
        }
        let der = world.ca.sign(&draft);
        let found = Certificate::from_der(&der).unwrap();
        let publication = Publication::new(&world.pool().chain_of(&found, None).unwrap(), window, "");
        let transaction = world.transaction(&[publication]);
        world.record(vec![transaction]);
        Self { key, der }
    }

    fn id(&self) -> CertificateId {
        CertificateId::of(&self.der)
    }

    fn key_id(&self) -> KeyId {
        KeyId::of(&self.key.spki())
    }

    fn private(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.pkcs8().into())
    }

    fn raw(&self) -> Identity {
        Identity::raw_key(self.private()).unwrap()
    }

    /// Has its CA revoke or hold it.
    fn end(&self, world: &Shared, reason: u8) {
        self.said(world, Some(reason), (u64::from(reason) + 1, NOW));
    }

    /// Its CA says this with a CRL of that number and time.
    fn said(&self, world: &Shared, reason: Option<u8>, (number, at): (u64, TimeMs)) {
        let mut world = world.lock().unwrap();
        let issuer = Certificate::from_der(&world.ca.issuer().certificate).unwrap();
        let mut crl = CrlDraft::new(world.ca.issuer(), number, at);
        if reason.is_some() {
            crl.revoke(&Facts::of(&self.der).unwrap().serial, reason);
        }
        let crl = crl.sign(&world.ca.issuer().key);
        let (ledger, own) = (world.trust.ledger(), Certificate::from_der(&self.der).unwrap());
        let request = ChangeRequest::new((EvidenceKind::Crl, &crl), &own, &issuer, &ledger).unwrap();
        let transaction = Signer { key: &world.user, ledger }.change(&[request], NOW.plus(600_000)).unwrap();
        world.record(vec![transaction]);
    }
}

/// A node over a world, which gives certificates where `bodies`.
async fn node(world: &Shared, owners: &[&Owner], bodies: bool) -> Server {
    let world = world.clone();
    let known: Vec<_> = owners.iter().map(|owner| (owner.id(), owner.der.clone())).collect();
    serve_by(move |line| {
        let world = world.lock().unwrap();
        let path = line.split(' ').nth(1).unwrap_or_default();
        let mut parts = path.trim_start_matches("/v1/").split('/');
        let (kind, name, more) = (parts.next(), parts.next().unwrap_or_default(), parts.next());
        match (kind, more) {
            (Some("keys"), None) => ok(serde_json::to_vec(&key_answer(&world, name)).unwrap()),
            (Some("certificates"), None) => {
                let answer = status_answer(&world, &name.parse().unwrap());
                ok(serde_json::to_vec(&answer).unwrap())
            }
            (Some("certificates"), Some("der")) => {
                let found = known.iter().find(|(id, _)| bodies && id.to_string() == name);
                found.map_or_else(not_found, |(_, der)| ok(der.clone()))
            }
            _ => not_found(),
        }
    })
    .await
}

fn status_answer(world: &World, id: &CertificateId) -> StatusAnswer {
    let record = certificate(world.ledger.state(), id);
    let proof = STANDARD.encode(cbor::to_bytes(&world.status_proof(id)));
    StatusAnswer::new(id.to_string(), record.as_ref(), None, world.ledger.header(), proof)
}

fn key_answer(world: &World, key: &str) -> KeyAnswer {
    let id: KeyId = key.parse().unwrap();
    let proof = STANDARD.encode(cbor::to_bytes(&world.state_proof(certificates_of_key_key(&id))));
    KeyAnswer { key: key.to_owned(), valid: None, certificates: Vec::new(), proof }
}

fn resolver(world: &Shared, server: &Server, patience: Patience) -> PeerResolver {
    let light = LightClient::new(world.lock().unwrap().trust.clone());
    PeerResolver::start(RelyingParty::new(client(&[server]), light, AGE_MS_MAX), patience).unwrap()
}

/// The bytes of a handshake from each end, or how it ended.
type Handshake = Result<(usize, usize), rustls::Error>;

/// A handshake in memory, with a server of this name.
fn handshake(server: rustls::ServerConfig, client: rustls::ClientConfig, name: &'static str) -> Handshake {
    let mut server = ServerConnection::new(server.into()).unwrap();
    let mut client = ClientConnection::new(client.into(), ServerName::try_from(name).unwrap()).unwrap();
    let (mut from_client, mut from_server) = (0, 0);
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        from_client += client.write_tls(&mut wire).unwrap();
        server.read_tls(&mut wire.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut wire = Vec::new();
        from_server += server.write_tls(&mut wire).unwrap();
        client.read_tls(&mut wire.as_slice()).unwrap();
        client.process_new_packets()?;
    }
    Ok((from_client, from_server))
}

/// What refused a handshake.
fn refusal(handshake: Handshake) -> PeerRefusal {
    match handshake {
        Err(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other))) => {
            other.0.downcast_ref::<PeerRefusal>().unwrap().clone()
        }
        other => panic!("no refusal: {other:?}"),
    }
}

/// X.1409 C24: both ends show identifiers in place of chains and resolve them on the ledger.
#[tokio::test(flavor = "multi_thread")]
async fn both_ends_know_each_other_by_raw_keys() {
    let world = Arc::new(Mutex::new(World::new()));
    let (gateway, host) = (Owner::new(&world, "gateway.example"), Owner::new(&world, "host.example"));
    let server = node(&world, &[&gateway, &host], true).await;
    let resolver = resolver(&world, &server, Patience::default());
    let verifier = || PeerVerifier::new(resolver.clone(), Shown::RawKey);
    let server = listener(&gateway.raw(), Some(verifier())).unwrap();
    let client = connector(verifier(), Some(&host.raw())).unwrap();
    let done = tokio::task::spawn_blocking(move || handshake(server, client, "gateway.example"));
    assert!(done.await.unwrap().is_ok());
    let now = TimeMs(NOW.0 + 1_000);
    let peer = resolver.remembered(&Question::Key(host.key_id()), now).unwrap();
    assert_eq!((peer.certificate, peer.der.as_deref()), (host.id(), Some(host.der.as_slice())));
    assert_eq!(resolver.remembered(&Question::Key(KeyId([7; 32])), now), None);
}

/// X.1409 C12, C23: a security gateway that is shown certificates asks for their status; only `normal` comes
/// in, and that only within the validity.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_lets_in_certificates_that_are_normal_and_no_others() {
    let world = Arc::new(Mutex::new(World::new()));
    let (gateway, host) = (Owner::new(&world, "gateway.example"), Owner::new(&world, "host.example"));
    let (held, gone) = (Owner::new(&world, "held.example"), Owner::new(&world, "gone.example"));
    let stranger = {
        let key = TestKey::generate(KeyKind::P256);
        let mut world = world.lock().unwrap();
        let draft = world.ca.leaf_draft("stranger.example", &key.spki());
        Owner { der: world.ca.sign(&draft), key }
    };
    held.end(&world, 6);
    gone.end(&world, 1);
    // Two that have not started: one was held and resumed meanwhile, the other one taken back.
    let window = Window { from: AHEAD, until: AHEAD.plus(3_600_000) };
    let not_started = |name| Owner::within(&world, name, TestKey::generate(KeyKind::P256), &[], Some(window));
    let (resumed, back) = (not_started("resumed.example"), not_started("back.example"));
    resumed.end(&world, 6);
    resumed.said(&world, None, (20, NOW.plus(1_000)));
    back.end(&world, 4);
    let server = node(&world, &[&gateway, &host], true).await;
    let resolver = resolver(&world, &server, Patience::default());
    let connect = |owner: &Owner| {
        let verifier = || PeerVerifier::new(resolver.clone(), Shown::Certificate);
        let show = |owner: &Owner| Identity::certificate(vec![owner.der.clone().into()], owner.private());
        let server = listener(&show(&gateway).unwrap(), Some(verifier())).unwrap();
        let client = connector(verifier(), Some(&show(owner).unwrap())).unwrap();
        tokio::task::spawn_blocking(move || handshake(server, client, "gateway.example"))
    };
    assert!(connect(&host).await.unwrap().is_ok());
    let rows = [
        (&held, Standing::Suspended),
        (&gone, Standing::Revoked),
        (&stranger, Standing::Unknown),
        (&resumed, Standing::Unknown),
        (&back, Standing::Revoked),
    ];
    for (owner, standing) in rows {
        let expected = PeerRefusal::NotValid { certificate: owner.id(), standing };
        assert_eq!(refusal(connect(owner).await.unwrap()), expected);
    }
}

/// X.1409 C24: a key that nobody vouches for, for another name, for another use, or that is known to others,
/// is not let in; nor is one whose certificate nobody can show, unless the key itself was named.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_refused_for_each_reason_with_its_facts() {
    let world = Arc::new(Mutex::new(World::new()));
    let good = Owner::new(&world, "good.example");
    let seed = [5; 32];
    let first = Owner::with_key(&world, "twice.example", TestKey::from_seed(&seed), &[]);
    let second = Owner::with_key(&world, "twice.example", TestKey::from_seed(&seed), &[]);
    first.end(&world, 1);
    let renewed = Owner::with_key(&world, "renewed.example", TestKey::from_seed(&[6; 32]), &[]);
    let newer = Owner::with_key(&world, "renewed.example", TestKey::from_seed(&[6; 32]), &[]);
    renewed.end(&world, 4);
    let reader = Owner::with_key(&world, "reader.example", TestKey::generate(KeyKind::P256), &[CLIENT_AUTH]);
    let bodiless = Owner::new(&world, "bodiless.example");
    let stranger = Owner { key: TestKey::generate(KeyKind::P256), der: Vec::new() };
    let server = node(&world, &[&good, &first, &second, &renewed, &newer, &reader], true).await;
    let resolver = resolver(&world, &server, Patience::default());
    let connect = |owner: &Owner, name: &'static str, only: Option<KeyId>| {
        let verifier = PeerVerifier::new(resolver.clone(), Shown::RawKey);
        let verifier = only.into_iter().fold(verifier, PeerVerifier::only);
        let server = listener(&owner.raw(), None).unwrap();
        let client = connector(verifier, None).unwrap();
        tokio::task::spawn_blocking(move || handshake(server, client, name))
    };
    for (owner, name, only) in [
        (&good, "good.example", None),
        (&good, "other.example", Some(good.key_id())),
        (&newer, "renewed.example", None),
        (&bodiless, "bodiless.example", Some(bodiless.key_id())),
    ] {
        assert!(connect(owner, name, only).await.unwrap().is_ok(), "{name}");
    }
    let (other, key) = (KeyId([9; 32]), second.key_id());
    let name = |expected: &str| PeerRefusal::Name { certificate: good.id(), expected: expected.to_owned() };
    let rows = [
        (&stranger, "good.example", None, PeerRefusal::UnknownKey { key: stranger.key_id() }),
        (&good, "other.example", None, name("other.example")),
        (&good, "good.example", Some(other), name(&format!("key {other}"))),
        (
            &second,
            "twice.example",
            None,
            PeerRefusal::Compromised { key, certificate: first.id(), reason: Reason::KeyCompromise },
        ),
        (&reader, "reader.example", None, PeerRefusal::Usage { certificate: reader.id(), end: "server" }),
        (&bodiless, "bodiless.example", None, PeerRefusal::NoCertificate { certificate: bodiless.id() }),
    ];
    for (owner, name, only, expected) in rows {
        assert_eq!(refusal(connect(owner, name, only).await.unwrap()), expected);
    }
}

/// An answer is used again while it is fresh, believed for a while when nodes are silent, and `revoked` is
/// believed for good.
#[tokio::test(flavor = "multi_thread")]
async fn memory_serves_while_nodes_are_silent_and_not_for_ever() {
    let world = Arc::new(Mutex::new(World::new()));
    let (good, gone) = (Owner::new(&world, "good.example"), Owner::new(&world, "gone.example"));
    gone.end(&world, 4);
    let server = node(&world, &[&good, &gone], true).await;
    let patience = Patience { fresh_ms: 1_000, usable_ms: 60_000, wait_ms: 300 };
    let resolver = resolver(&world, &server, patience);
    let asked = server.asked.clone();
    let count = move || asked.lock().unwrap().len();
    let ask = {
        let resolver = resolver.clone();
        move |question: Question, later_ms: u64| -> Result<Peer, PeerRefusal> {
            let (resolver, now) = (resolver.clone(), TimeMs(NOW.0 + 5_000 + later_ms));
            std::thread::spawn(move || resolver.peer(question, now)).join().unwrap()
        }
    };
    let (good_key, gone_key) = (Question::Key(good.key_id()), Question::Key(gone.key_id()));
    let revoked = PeerRefusal::NotValid { certificate: gone.id(), standing: Standing::Revoked };
    assert_eq!(ask(good_key, 0).map(|peer| peer.certificate), Ok(good.id()));
    assert_eq!(ask(gone_key, 0), Err(revoked.clone()));
    let before = count();
    assert_eq!(ask(good_key, 900).map(|peer| peer.certificate), Ok(good.id()));
    assert_eq!(count(), before, "memory answers");
    assert_eq!(ask(good_key, 1_100).map(|peer| peer.certificate), Ok(good.id()));
    assert!(count() > before, "the node is asked again");

    server.silence();
    assert_eq!(ask(good_key, 30_000).map(|peer| peer.certificate), Ok(good.id()));
    match ask(good_key, 100_000) {
        Err(PeerRefusal::Unreachable { reason }) => assert!(reason.contains("s old"), "{reason}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(ask(gone_key, 100_000_000), Err(revoked));
    let stranger = Question::Certificate(CertificateId([1; 32]));
    assert!(matches!(ask(stranger, 30_000), Err(PeerRefusal::Unreachable { .. })));
}
