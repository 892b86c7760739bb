//! A node's own CA: it makes the certificates of the node's face from the node's key.
//!
//! ```text
//!  node key (Ed25519) --signs--> CA certificate: what clients hold; the same bytes each time, no end
//!          |
//!          +--signs, for 7 days--> certificate of the face; its key lives in memory alone
//!          +--signs--> link: the CA certificate of the node's next key, for clients that hold this one
//!                      ("new with old", RFC 4210 section 4.4)
//! ```
//!
//! Between nodes no certificate decides: theirs is made by the engine's adapter and only carries the key.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tabellion_ledger::{KeyId, TimeMs};
use tabellion_pki::Facts;

/// CAs between a node's CA and the certificate of its face: one link. With more of them, or with the CA from
/// which a link comes, GnuTLS no longer takes the chain for who holds the node's present CA.
const PATH_LENGTH: u8 = 1;
/// How long the certificate of a face is valid. Unit: s.
const VALID_S: u64 = 7 * 86_400;
/// How far its validity begins before it was made, for clients whose clock is slow. Unit: s.
pub const BACKDATED_S: u64 = 3_600;
/// The last second that X.509 can write: the year 9999. Unit: s since 1970.
const LAST_S: u64 = 253_402_300_799;
/// 1 January 2020. Unit: s since 1970.
const FIRST_S: u64 = 1_577_836_800;

/// Why a node has no certificate for its face.
#[derive(Debug, thiserror::Error)]
pub enum NodeCaError {
    /// Another kind of key, or none.
    #[error("a node's key is Ed25519, as PKCS #8")]
    Key(#[source] rcgen::Error),
    /// A host that is neither a DNS name nor an address, or a key that does not sign.
    #[error("the certificate cannot be made")]
    Make(#[source] rcgen::Error),
    /// The TLS library refuses what was made.
    #[error("the certificate that was made cannot be shown")]
    Show(#[from] rustls::Error),
}

/// The CA that a node is for its own face.
pub struct NodeCa {
    key: KeyId,
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate and its private key.
pub type MadeCertificate = (CertificateDer<'static>, PrivateKeyDer<'static>);

impl NodeCa {
    /// The CA of a node's Ed25519 key.
    pub fn new(key: &PrivatePkcs8KeyDer<'_>) -> Result<Self, NodeCaError> {
        let pair = KeyPair::from_pkcs8_der_and_sign_algo(key, &PKCS_ED25519).map_err(NodeCaError::Key)?;
        let key = KeyId::of(&pair.subject_public_key_info());
        let params = ca_params(&key);
        let certificate = params.self_signed(&pair).map_err(NodeCaError::Make)?.into();
        Ok(Self { key, issuer: Issuer::new(params, pair), certificate })
    }

    /// The node's key as the ledger names it.
    pub fn key(&self) -> KeyId {
        self.key
    }

    /// What clients hold.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// A certificate for these host names and addresses, valid from an hour ago for a week, and its fresh
    /// P-256 key.
    pub fn issue(&self, hosts: &[String], now: TimeMs) -> Result<MadeCertificate, NodeCaError> {
        let key = KeyPair::generate().map_err(NodeCaError::Make)?;
        let mut params = CertificateParams::new(hosts).map_err(NodeCaError::Make)?;
        // Names stand in the extension alone; the subject says what this is.
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "face of a tabellion node");
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let now_s = now.0 / 1_000;
        let begin_s = now_s.saturating_sub(BACKDATED_S);
        set_validity(&mut params, begin_s, begin_s.saturating_add(VALID_S));
        let certificate = params.signed_by(&key, &self.issuer).map_err(NodeCaError::Make)?;
        Ok((certificate.into(), PrivatePkcs8KeyDer::from(key.serialize_der()).into()))
    }

    /// This CA's name and key in a certificate of the CA before it.
    ///
    /// Source: RFC 4210 section 4.4.1, "new with old".
    fn link(&self, before: &Self) -> Result<CertificateDer<'static>, NodeCaError> {
        let mut params = ca_params(&self.key);
        params.use_authority_key_identifier_extension = true;
        let made = params.signed_by(self.issuer.key(), &before.issuer).map_err(NodeCaError::Make)?;
        Ok(made.into())
    }
}

/// Fixed, so that the certificate is always the same: the serial number and the key identifier come from the
/// key, and Ed25519 has one signature for one message.
fn ca_params(key: &KeyId) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "tabellion node");
    // RFC 5280 appendix A.1 bounds a common name by 64 characters: just these.
    params.distinguished_name.push(DnType::CommonName, key.to_string());
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(PATH_LENGTH));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    // RFC 5280 section 4.1.2.5: 99991231235959Z stands for "no well-defined expiration date".
    set_validity(&mut params, FIRST_S, LAST_S);
    params
}

/// Both ends are seconds since 1970.
fn set_validity(params: &mut CertificateParams, begin_s: u64, end_s: u64) {
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + Duration::from_secs(begin_s.min(LAST_S));
    params.not_after = epoch + Duration::from_secs(end_s.min(LAST_S));
}

/// What leads clients that hold a node's CA of before to its present one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaLinks(Vec<CertificateDer<'static>>);

impl CaLinks {
    /// What was kept, in any order. What leads nowhere is left alone and never shown.
    pub fn new(certificates: Vec<CertificateDer<'static>>) -> Self {
        Self(certificates)
    }

    /// What is to be kept.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.0
    }

    /// With the link from a CA to the one that takes over. Until then the link to `before` is needed too.
    ///
    /// Limit: these two.
    pub fn with_next(&self, before: &NodeCa, next: &NodeCa) -> Result<Self, NodeCaError> {
        let link = next.link(before)?;
        Ok(Self(std::iter::once(link).chain(self.link_to(before).cloned()).collect()))
    }

    /// What is shown behind a certificate of this CA. The link comes first: some clients try certificates
    /// in the order in which they come, and a self-signed one that they do not trust is a dead end.
    pub fn chain_of(&self, ca: &NodeCa) -> Vec<CertificateDer<'static>> {
        self.link_to(ca).into_iter().chain([&ca.certificate]).cloned().collect()
    }

    fn link_to(&self, ca: &NodeCa) -> Option<&CertificateDer<'static>> {
        let leads_there = |link: &&CertificateDer<'_>| {
            Facts::of(link).is_ok_and(|link| link.key == ca.key && !link.issuer.is_same(&link.subject))
        };
        self.0.iter().find(leads_there)
    }
}
