//! The verifiers that rustls asks during a handshake.

use std::fmt;
use std::sync::Arc;

use der::Decode;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::crypto::{
    WebPkiSupportedAlgorithms, aws_lc_rs, verify_tls13_signature, verify_tls13_signature_with_raw_key,
};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, PeerIncompatible,
    SignatureScheme,
};
use tabellion_ledger::{CertificateId, KeyId, TimeMs};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::{ExtendedKeyUsage, KeyUsage};

use super::refusal::PeerRefusal;
use super::resolver::{Peer, PeerResolver, Question};

const KEY_USAGE: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.29.15");
const EXTENDED_KEY_USAGE: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.29.37");
const SERVER_AUTH: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const ANY_USAGE: der::asn1::ObjectIdentifier = der::asn1::ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// What a peer shows of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Its bare public key (RFC 7250). Source: X.1409 C24, II.2.
    RawKey,
    /// Its certificate; certificates beside it are not looked at. Source: X.1409 C23, II.1.
    Certificate,
}

/// Verifies peers by the ledger: for either end of a TLS 1.3 connection.
#[derive(Clone)]
pub struct PeerVerifier {
    resolver: PeerResolver,
    shown: Shown,
    /// The one key that the peer must have, whatever name its certificate has.
    only: Option<KeyId>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl PeerVerifier {
    /// Accepts peers that show what is said here; servers must have the name that was asked for.
    pub fn new(resolver: PeerResolver, shown: Shown) -> Self {
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        Self { resolver, shown, only: None, algorithms }
    }

    /// Accepts this key alone, for whatever name: it was given by a way of trust. Its certificate must be
    /// valid all the same.
    pub fn only(mut self, key: KeyId) -> Self {
        self.only = Some(key);
        self
    }

    /// The question that what a peer has shown puts to the ledger.
    pub fn question(&self, shown: &CertificateDer<'_>) -> Question {
        match self.shown {
            Shown::RawKey => Question::Key(KeyId::of(shown)),
            Shown::Certificate => Question::Certificate(CertificateId::of(shown)),
        }
    }

    fn verify(
        &self,
        shown: &CertificateDer<'_>,
        server: Option<&ServerName<'_>>,
        now: UnixTime,
    ) -> Result<Peer, PeerRefusal> {
        let now = TimeMs(now.as_secs().saturating_mul(1000));
        let mut peer = self.resolver.peer(self.question(shown), now)?;
        if self.shown == Shown::Certificate {
            peer.der = Some(shown.as_ref().into());
        }
        let certificate = peer.certificate;
        let key = peer.status.record.as_ref().map(|record| record.key);
        let is_only = self.only.is_some_and(|only| key == Some(only));
        if let Some(only) = self.only
            && !is_only
        {
            return Err(PeerRefusal::Name { certificate, expected: format!("key {only}") });
        }
        let Some(der) = &peer.der else {
            // Whom to let in by key was said; whom a name belongs to only the certificate says.
            return if is_only { Ok(peer) } else { Err(PeerRefusal::NoCertificate { certificate }) };
        };
        let der = CertificateDer::from(der.as_ref());
        if let Some(name) = server.filter(|_| !is_only) {
            let parsed =
                ParsedCertificate::try_from(&der).map_err(|_| PeerRefusal::NoCertificate { certificate })?;
            let expected = || name.to_str().into_owned();
            verify_server_name(&parsed, name)
                .map_err(|_| PeerRefusal::Name { certificate, expected: expected() })?;
        }
        match may_be_used(&der, server.is_some()) {
            true => Ok(peer),
            false => {
                let end = if server.is_some() { "server" } else { "client" };
                Err(PeerRefusal::Usage { certificate, end })
            }
        }
    }

    fn check_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match self.shown {
            Shown::RawKey => {
                let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
                verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms)
            }
            Shown::Certificate => verify_tls13_signature(message, shown, signature, &self.algorithms),
        }
    }
}

impl fmt::Debug for PeerVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerVerifier").field("shown", &self.shown).field("only", &self.only).finish()
    }
}

/// Whether key usage and extended key usage admit this end of a TLS connection; what is absent admits all.
fn may_be_used(der: &CertificateDer<'_>, server: bool) -> bool {
    let Ok(certificate) = CertificateInner::<Raw>::from_der(der) else { return false };
    let extensions = certificate.tbs_certificate().extensions().map(Vec::as_slice).unwrap_or_default();
    let value = |id| extensions.iter().find(|extension| extension.extn_id == id);
    let signs = value(KEY_USAGE).is_none_or(|extension| {
        KeyUsage::from_der(extension.extn_value.as_bytes()).is_ok_and(|usage| usage.digital_signature())
    });
    let purpose = if server { SERVER_AUTH } else { CLIENT_AUTH };
    let serves = value(EXTENDED_KEY_USAGE).is_none_or(|extension| {
        ExtendedKeyUsage::from_der(extension.extn_value.as_bytes())
            .is_ok_and(|usage| usage.0.iter().any(|named| *named == purpose || *named == ANY_USAGE))
    });
    signs && serves
}

fn refused(refusal: PeerRefusal) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(refusal))))
}

/// TLS 1.2 is not offered; should the library ask all the same, nothing is valid.
fn never_tls12() -> Result<HandshakeSignatureValid, Error> {
    Err(PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig.into())
}

impl ServerCertVerifier for PeerVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, Some(server_name), now).map_err(refused)?;
        Ok(ServerCertVerified::assertion())
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
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.shown == Shown::RawKey
    }
}

impl ClientCertVerifier for PeerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, None, now).map_err(refused)?;
        Ok(ClientCertVerified::assertion())
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
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.check_signature(message, shown, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.shown == Shown::RawKey
    }
}
