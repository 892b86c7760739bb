//! TLS settings of a node: what it shows, what it accepts.

use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group, sign::any_eddsa_type};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::NoServerSessionStorage;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{
    ClientConfig, DigitallySignedStruct, DistinguishedName, Error, PeerIncompatible, ServerConfig,
    SignatureScheme, version::TLS13,
};
use tabellion_ledger::LedgerId;

use super::certificate;
use crate::committee::NodeKey;
use crate::scheme::node_key;

/// The protocol's name in the handshake, before the ledger id.
const PROTOCOL: &str = "tabellion-node/1/";

/// A node's key could not be turned into credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The certificate could not be made.
    #[error("make the node certificate")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refused the key or the settings.
    #[error("set up TLS")]
    Tls(#[from] Error),
}

/// What a node shows to its peers, and how it checks them.
#[derive(Clone)]
pub struct Credentials {
    key: NodeKey,
    certificate: Arc<SingleCertAndKey>,
    provider: Arc<CryptoProvider>,
    protocol: Vec<u8>,
    server: Arc<ServerConfig>,
}

impl Credentials {
    /// Credentials of the node with this seed, for connections of this ledger only.
    pub fn new(seed: &[u8; 32], ledger: &LedgerId) -> Result<Self, CredentialError> {
        let key = node_key(seed);
        let made = certificate::make(seed, &key)?;
        let signer = any_eddsa_type(&certificate::pkcs8(seed))?;
        let protocol = format!("{PROTOCOL}{ledger}").into_bytes();
        let provider = Arc::new(provider());

        let verifier = Arc::new(AnyNode { algorithms: provider.signature_verification_algorithms });
        let private = PrivateKeyDer::from(certificate::pkcs8(seed));
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![made.clone()], private)?;
        server.alpn_protocols = vec![protocol.clone()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;

        let certificate = Arc::new(SingleCertAndKey::from(CertifiedKey::new(vec![made], signer)));
        Ok(Self { key, certificate, provider, protocol, server: Arc::new(server) })
    }

    /// The node's key.
    pub fn key(&self) -> NodeKey {
        self.key
    }

    /// The application protocol that both ends must name.
    pub(super) fn protocol(&self) -> &[u8] {
        &self.protocol
    }

    pub(super) fn server(&self) -> Arc<ServerConfig> {
        self.server.clone()
    }

    /// Settings to dial one peer.
    pub(super) fn client(&self, peer: NodeKey) -> Result<Arc<ClientConfig>, Error> {
        let mut client = ClientConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ThisNode::new(peer)))
            .with_client_cert_resolver(self.certificate.clone());
        client.alpn_protocols = vec![self.protocol.clone()];
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Arc::new(client))
    }
}

/// TLS 1.3 only, hybrid post-quantum key exchange first.
fn provider() -> CryptoProvider {
    CryptoProvider {
        cipher_suites: vec![
            cipher_suite::TLS13_AES_256_GCM_SHA384,
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![kx_group::X25519MLKEM768, kx_group::X25519],
        ..default_provider()
    }
}

fn refused() -> Error {
    Error::General("the certificate does not carry the pinned key".into())
}

/// TLS 1.2 is not offered; should the library ask all the same, nothing is valid.
fn never_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
}

/// Accepts the one node that was dialled.
#[derive(Debug)]
pub(super) struct ThisNode {
    peer: NodeKey,
    algorithms: WebPkiSupportedAlgorithms,
}

impl ThisNode {
    pub(super) fn new(peer: NodeKey) -> Self {
        Self { peer, algorithms: default_provider().signature_verification_algorithms }
    }
}

impl ServerCertVerifier for ThisNode {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match certificate::key(certificate) {
            Some(key) if key == self.peer => Ok(ServerCertVerified::assertion()),
            _ => Err(refused()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}

/// Accepts any node's key as proven; whether that node may come in is decided after.
#[derive(Debug)]
struct AnyNode {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ClientCertVerifier for AnyNode {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        match certificate::key(certificate) {
            Some(_) => Ok(ClientCertVerified::assertion()),
            None => Err(refused()),
        }
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        never_tls12()
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        vec![SignatureScheme::ED25519]
    }
}
