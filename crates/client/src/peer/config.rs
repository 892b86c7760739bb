//! TLS 1.3 configurations for both ends.

use std::sync::Arc;

use rustls::client::AlwaysResolvesClientRawPublicKeys;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoClientAuth};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig};
use tabellion_ledger::KeyId;
use thiserror::Error;

use super::verifier::{PeerVerifier, Shown};

/// Why there can be no TLS under this identity.
#[derive(Debug, Error)]
pub enum IdentityError {
    /// The key is of a kind that TLS does not sign with.
    #[error("the key cannot be used for TLS")]
    Key(#[source] rustls::Error),
    /// The key's public half cannot be told.
    #[error("the key does not tell its public half")]
    NoPublicKey,
    /// The certificate is not of this key.
    #[error("the certificate is not of this key")]
    OtherKey,
    /// The library refuses the configuration.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

/// What this end shows of itself.
#[derive(Clone, Debug)]
pub struct Identity {
    shown: Shown,
    key: KeyId,
    credentials: Arc<CertifiedKey>,
}

impl Identity {
    /// The bare public key of a private key.
    pub fn raw_key(key: PrivateKeyDer<'static>) -> Result<Self, IdentityError> {
        let signer = provider().key_provider.load_private_key(key).map_err(IdentityError::Key)?;
        let public = signer.public_key().ok_or(IdentityError::NoPublicKey)?.to_vec();
        let key = KeyId::of(&public);
        let credentials = Arc::new(CertifiedKey::new(vec![public.into()], signer));
        Ok(Self { shown: Shown::RawKey, key, credentials })
    }

    /// A certificate; what else is in the chain is shown too, for peers that want it.
    pub fn certificate(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, IdentityError> {
        let credentials = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| match error {
            rustls::Error::InconsistentKeys(_) => IdentityError::OtherKey,
            error => IdentityError::Key(error),
        })?;
        let public = credentials.key.public_key().ok_or(IdentityError::NoPublicKey)?.to_vec();
        Ok(Self { shown: Shown::Certificate, key: KeyId::of(&public), credentials: Arc::new(credentials) })
    }

    /// SHA-256 of the SubjectPublicKeyInfo: the identifier by which peers find the certificate.
    pub fn key(&self) -> KeyId {
        self.key
    }
}

fn provider() -> CryptoProvider {
    aws_lc_rs::default_provider()
}

/// The settings of a client that verifies servers by the ledger, and shows itself where it is asked to.
pub fn connector(verifier: PeerVerifier, identity: Option<&Identity>) -> Result<ClientConfig, IdentityError> {
    let builder = ClientConfig::builder_with_provider(provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(IdentityError::Setup)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match identity {
        None => builder.with_no_client_auth(),
        Some(Identity { shown: Shown::RawKey, credentials, .. }) => builder
            .with_client_cert_resolver(Arc::new(AlwaysResolvesClientRawPublicKeys::new(credentials.clone()))),
        Some(Identity { shown: Shown::Certificate, credentials, .. }) => builder
            .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(credentials)))),
    };
    // A resumed session would carry yesterday's status on.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(config)
}

/// The settings of a server that shows itself, and verifies clients by the ledger where `clients` is given.
pub fn listener(identity: &Identity, clients: Option<PeerVerifier>) -> Result<ServerConfig, IdentityError> {
    let builder = ServerConfig::builder_with_provider(provider().into())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(IdentityError::Setup)?
        .with_client_cert_verifier(match clients {
            Some(verifier) => Arc::new(verifier),
            None => Arc::new(NoClientAuth),
        });
    let credentials = identity.credentials.clone();
    let mut config = match identity.shown {
        Shown::RawKey => {
            builder.with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(credentials)))
        }
        Shown::Certificate => {
            builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(CertifiedKey::clone(&credentials))))
        }
    };
    config.send_tls13_tickets = 0;
    Ok(config)
}
