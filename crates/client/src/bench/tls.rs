//! TLS handshakes by raw public key against those by certificate chain: bytes and time, in memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::KeyPair;
use rustls::client::WebPkiServerVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection};
use serde::Serialize;

use super::BenchError;
use crate::peer::{Identity, PeerResolver, PeerVerifier, Shown, connector_by, listener_by};

/// One end of the handshakes: a certificate that is on the ledger, with what stands above it, and its key.
pub struct TlsEnd {
    /// The certificate and those between it and the root, DER.
    pub chain: Vec<Vec<u8>>,
    /// Its key.
    pub key: KeyPair,
}

/// What handshakes of one kind cost.
#[derive(Clone, Debug, Serialize)]
pub struct TlsCost {
    /// What both ends show.
    pub shown: &'static str,
    /// How the key is agreed.
    pub key_exchange: &'static str,
    /// Bytes from the client in one handshake.
    pub client_bytes: usize,
    /// Bytes from the server in one handshake.
    pub server_bytes: usize,
    /// Handshakes measured.
    pub handshakes: u64,
    /// Time of one handshake on one core, both ends together. Unit: us.
    pub handshake_us: f64,
}

impl TlsCost {
    /// Bytes of one handshake in both directions.
    pub fn bytes(&self) -> usize {
        self.client_bytes + self.server_bytes
    }
}

/// Configurations of both ends.
type Ends = (Arc<ServerConfig>, Arc<ClientConfig>);

/// Measures mutual handshakes without resumption, chain and raw key in turn, for `duration` each. The peers
/// are in the resolver's memory after the first one: what is measured is TLS, not the network.
///
/// Blocks; must not be called on a runtime's only thread.
pub fn bench_tls(
    resolver: &PeerResolver,
    server: &TlsEnd,
    client: &TlsEnd,
    root: &[u8],
    name: &ServerName<'static>,
    duration: Duration,
) -> Result<Vec<TlsCost>, BenchError> {
    let mut costs = Vec::new();
    for (key_exchange, provider) in [("X25519", x25519()), ("X25519MLKEM768", aws_lc_rs::default_provider())]
    {
        let ends = [
            ("certificate chain", by_chain(&provider, server, client, root)?),
            ("raw public key", by_key(&provider, resolver, server, client)?),
        ];
        for (shown, ends) in ends {
            costs.push(measure(shown, key_exchange, &ends, name, duration)?);
        }
    }
    Ok(costs)
}

fn x25519() -> CryptoProvider {
    CryptoProvider { kx_groups: vec![aws_lc_rs::kx_group::X25519], ..aws_lc_rs::default_provider() }
}

fn private(end: &TlsEnd) -> PrivateKeyDer<'static> {
    PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(end.key.serialize_der()))
}

fn by_key(
    provider: &CryptoProvider,
    resolver: &PeerResolver,
    server: &TlsEnd,
    client: &TlsEnd,
) -> Result<Ends, BenchError> {
    let verifier = || PeerVerifier::new(resolver.clone(), Shown::RawKey);
    let identity = |end| Identity::raw_key(private(end)).map_err(|_| BenchError::Nothing("no identity"));
    let refused = |_| BenchError::Nothing("TLS could not be set up");
    let server = listener_by(provider, &identity(server)?, Some(verifier())).map_err(refused)?;
    let client = connector_by(provider, verifier(), Some(&identity(client)?)).map_err(refused)?;
    Ok((server.into(), client.into()))
}

/// As TLS is used without a ledger: each end sends its chain and verifies the other's up to the root.
fn by_chain(
    provider: &CryptoProvider,
    server: &TlsEnd,
    client: &TlsEnd,
    root: &[u8],
) -> Result<Ends, BenchError> {
    let tls = |_| BenchError::Nothing("TLS could not be set up");
    let refused = |_| BenchError::Nothing("the root is not usable");
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(root.to_vec())).map_err(tls)?;
    let (roots, provider) = (Arc::new(roots), Arc::new(provider.clone()));
    let chain = |end: &TlsEnd| -> Vec<CertificateDer<'static>> {
        end.chain.iter().map(|der| CertificateDer::from(der.clone())).collect()
    };
    let servers = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone()).build();
    let clients = WebPkiClientVerifier::builder_with_provider(roots, provider.clone()).build();
    let mut server_config = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?
        .with_client_cert_verifier(clients.map_err(refused)?)
        .with_single_cert(chain(server), private(server))
        .map_err(tls)?;
    server_config.send_tls13_tickets = 0;
    let mut client_config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(tls)?
        .with_webpki_verifier(servers.map_err(refused)?)
        .with_client_auth_cert(chain(client), private(client))
        .map_err(tls)?;
    client_config.resumption = rustls::client::Resumption::disabled();
    Ok((server_config.into(), client_config.into()))
}

fn measure(
    shown: &'static str,
    key_exchange: &'static str,
    ends: &Ends,
    name: &ServerName<'static>,
    duration: Duration,
) -> Result<TlsCost, BenchError> {
    let (client_bytes, server_bytes) = handshake(ends, name)?;
    let (start, mut handshakes) = (Instant::now(), 0_u64);
    while start.elapsed() < duration {
        handshake(ends, name)?;
        handshakes += 1;
    }
    let handshake_us = start.elapsed().as_secs_f64() * 1e6 / handshakes.max(1) as f64;
    Ok(TlsCost { shown, key_exchange, client_bytes, server_bytes, handshakes, handshake_us })
}

/// One handshake in memory; the bytes from each end.
fn handshake((server, client): &Ends, name: &ServerName<'static>) -> Result<(usize, usize), BenchError> {
    let mut server = ServerConnection::new(server.clone()).map_err(BenchError::Tls)?;
    let mut client = ClientConnection::new(client.clone(), name.clone()).map_err(BenchError::Tls)?;
    let (mut from_client, mut from_server) = (0, 0);
    let pass = |wire: std::io::Result<usize>| wire.map_err(|_| BenchError::Nothing("memory refused bytes"));
    let mut wire = Vec::with_capacity(16 * 1024);
    while client.is_handshaking() || server.is_handshaking() {
        wire.clear();
        from_client += pass(client.write_tls(&mut wire))?;
        pass(server.read_tls(&mut wire.as_slice()))?;
        server.process_new_packets().map_err(BenchError::Tls)?;
        wire.clear();
        from_server += pass(server.write_tls(&mut wire))?;
        pass(client.read_tls(&mut wire.as_slice()))?;
        client.process_new_packets().map_err(BenchError::Tls)?;
    }
    Ok((from_client, from_server))
}
