//! TLS 1.3 towards a node: by a CA file, or by the pinned key of the node's certificate.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tabellion_ledger::KeyId;
use tabellion_pki::Facts;
use thiserror::Error;

use crate::certificate::{InputError, read_certificates};

/// Whom a client takes for its node. What a node answers is checked by proofs all the same; TLS keeps the
/// questions private and the events honest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeTrust {
    /// PEM or DER of the CAs that issue node certificates (`tls-ca.pem` of a network).
    Authorities(Vec<u8>),
    /// SHA-256 of the SubjectPublicKeyInfo of the node's certificate.
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
    let provider = Arc::new(aws_lc_rs::default_provider());
    let setup = |error: rustls::Error| TlsError::Setup(error.to_string());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(setup)?;
    let config = match trust {
        NodeTrust::Authorities(bytes) => {
            let mut roots = RootCertStore::empty();
            for certificate in read_certificates(bytes)?.certificates {
                let der = CertificateDer::from(certificate.der.to_vec());
                roots.add(der).map_err(|error| TlsError::Authority(error.to_string()))?;
            }
            builder.with_root_certificates(roots)
        }
        NodeTrust::PinnedKey(key) => {
            let verifier = PinnedKeyVerifier { key: *key, provider };
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    Ok(config.with_no_client_auth())
}

/// Accepts exactly one key, whatever else the certificate says: the pin is stronger than name and validity.
#[derive(Debug)]
struct PinnedKeyVerifier {
    key: KeyId,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for PinnedKeyVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let facts = Facts::of(end_entity).map_err(|_| CertificateError::BadEncoding)?;
        match facts.key == self.key {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
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
