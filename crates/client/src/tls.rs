//! TLS 1.3 towards a node: by a CA file, or by the pinned key of the node or of its certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme,
    WantsVerifier,
};
use tabellion_ledger::KeyId;
use tabellion_pki::Facts;
use thiserror::Error;

use crate::certificate::{InputError, read_certificates};

/// Whom a client takes for its node. What a node answers is checked by proofs all the same; TLS keeps the
/// questions private and the events honest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeTrust {
    /// PEM or DER of the CAs that issue node certificates: those of the nodes themselves (`tls-ca.pem` of a
    /// network), or others.
    Authorities(Vec<u8>),
    /// SHA-256 of the SubjectPublicKeyInfo of the node's key, which signs its certificates, or of the key of
    /// the certificate itself.
    PinnedKey(KeyId),
}

/// Why there can be no TLS.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TlsError {
    /// The CA file.
    #[error("the CA file for connections to nodes is refused: {0}")]
    Authorities(#[from] InputError),
    /// A CA that rustls does not take.
    #[error("the CA file for connections to nodes is refused: {0}")]
    Authority(String),
    /// The configuration itself.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// A TLS 1.3 configuration that trusts nodes in this way.
pub fn tls_config(trust: &NodeTrust) -> Result<ClientConfig, TlsError> {
    let verifier = match trust {
        NodeTrust::Authorities(bytes) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(bytes)?.certificates {
                let der = CertificateDer::from(certificate.der.to_vec());
                roots.add(der).map_err(|error| TlsError::Authority(error.to_string()))?;
            }
            return Ok(builder()?.with_root_certificates(roots).with_no_client_auth());
        }
        NodeTrust::PinnedKey(key) => ByKey { expected: Some(*key), provider: provider() },
    };
    by_key(verifier)
}

/// A TLS 1.3 configuration that takes whoever answers, to look at what it shows. Nothing that matters may
/// be sent over such a connection, and nothing believed that comes.
pub(crate) fn tls_config_of_anybody() -> Result<ClientConfig, TlsError> {
    by_key(ByKey { expected: None, provider: provider() })
}

fn by_key(verifier: ByKey) -> Result<ClientConfig, TlsError> {
    let builder = builder()?.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
    Ok(builder.with_no_client_auth())
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn builder() -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, TlsError> {
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| TlsError::Setup(error.to_string()))
}

/// Accepts one key, or any. The one expected is that of the certificate itself, whatever else that says, or
/// that of a CA in the chain under which the certificate is valid now. A pin is stronger than a name.
#[derive(Debug)]
struct ByKey {
    expected: Option<KeyId>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(expected) = self.expected else { return Ok(ServerCertVerified::assertion()) };
        let facts = Facts::of(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        if facts.key == expected {
            return Ok(ServerCertVerified::assertion());
        }
        let is_pinned = |der: &&CertificateDer<'_>| Facts::of(der).is_ok_and(|facts| facts.key == expected);
        let pinned = intermediates.iter().find(is_pinned);
        let pinned = pinned.ok_or(CertificateError::ApplicationVerificationFailure)?;
        let mut roots = RootCertStore::empty();
        roots.add(pinned.clone().into_owned())?;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            &roots,
            intermediates,
            now,
            self.provider.signature_verification_algorithms.all,
        )?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
