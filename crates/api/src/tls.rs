//! TLS of a face: what it shows can be replaced while it runs.

mod node_ca;
mod own_certificate;
#[cfg(test)]
mod tests;

pub use node_ca::{CaLinks, MadeCertificate, NodeCa, NodeCaError};
pub use own_certificate::OwnCertificate;

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// A face's certificate and its key. New connections see the newest; open ones go on.
#[derive(Debug)]
pub struct FaceCertificate(RwLock<Arc<CertifiedKey>>);

impl FaceCertificate {
    /// A certificate with its chain, and its key.
    ///
    /// Errors: a key that does not belong to the certificate, or that cannot be used.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<Self>, rustls::Error> {
        Ok(Arc::new(Self(RwLock::new(certified(certificates, key)?))))
    }

    /// Shows another one from now on; where that cannot be used, the present one stays.
    ///
    /// Errors: those of [`FaceCertificate::new`].
    pub fn replace(
        &self,
        certificates: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), rustls::Error> {
        let next = certified(certificates, key)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }
}

fn certified(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<CertifiedKey>, rustls::Error> {
    CertifiedKey::from_der(certificates, key, &default_provider()).map(Arc::new)
}

impl ResolvesServerCert for FaceCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// TLS 1.3 and nothing older, hybrid post-quantum key exchange preferred, tickets for fast resumption,
/// HTTP/1.1.
///
/// Source: X.1409 L7.
///
/// Errors: a key that does not belong to the certificate, or that cannot be used.
pub fn tls_config(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
    tls_config_of(FaceCertificate::new(certificates, key)?)
}

/// [`tls_config`] with a certificate that can be replaced.
pub fn tls_config_of(certificate: Arc<FaceCertificate>) -> Result<Arc<rustls::ServerConfig>, rustls::Error> {
    let mut tls = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(certificate);
    tls.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new()?;
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(tls))
}
