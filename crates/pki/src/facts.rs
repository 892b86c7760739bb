//! What a certificate says about itself: enough for an index, a list or a page, without trusting it.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use certval::PDVExtension;
use const_oid::db::rfc5280::ID_CE_SUBJECT_ALT_NAME;
use serde::{Serialize, Serializer};
use tabellion_ledger::{CertificateId, KeyId, TimeMs};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::time::Time;

use crate::verify::{
    CertificateLimits, CertificateRefusal, DistinguishedName, Parts, Place, decode_certificate,
};

/// 9999-12-31T23:59:59Z: "no well-defined expiration". Source: RFC 5280 4.1.2.5.
pub const NO_EXPIRY: TimeMs = TimeMs(253_402_300_799_000);

/// Facts read from one certificate. Nothing here is verified; see `verify_chain` for that.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// SHA-256 of the certificate's DER.
    pub certificate: CertificateId,
    /// SHA-1 of the certificate's DER: the name under which IKEv2 "Hash and URL" asks for it. No security
    /// rests on it.
    #[serde(serialize_with = "as_hex")]
    pub sha1: [u8; 20],
    /// SHA-256 of the certificate's SubjectPublicKeyInfo.
    pub key: KeyId,
    /// Who issued it.
    pub issuer: DistinguishedName,
    /// Whose certificate it is.
    pub subject: DistinguishedName,
    /// The serial number as an unsigned number, most significant octet first, without leading zeros.
    #[serde(serialize_with = "as_hex")]
    pub serial: Vec<u8>,
    /// Start of the certificate's own validity.
    pub not_before: TimeMs,
    /// End of the certificate's own validity, to be read as a whole second that still belongs to it.
    pub not_after: TimeMs,
    /// DNS names among the alternative names, in their order.
    pub dns_names: Vec<String>,
}

impl Facts {
    /// Reads the facts of one DER certificate.
    ///
    /// Refuses: more bytes than the default limit, cut off, followed by other bytes, not a certificate,
    /// alternative names that do not decode.
    pub fn of(certificate: &[u8]) -> Result<Self, CertificateRefusal> {
        let place = Place::Certificate;
        let decoded =
            decode_certificate(certificate, place, CertificateLimits::default().certificate_bytes_max)?;
        let tbs = decoded.tbs_certificate();
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let names = extensions.iter().find(|extension| extension.extn_id == ID_CE_SUBJECT_ALT_NAME);
        let names =
            names.map(|extension| <SubjectAltName as der::Decode>::from_der(extension.extn_value.as_bytes()));
        let names = names.transpose().map_err(|_| CertificateRefusal::UndecodableExtension {
            place,
            extension: ID_CE_SUBJECT_ALT_NAME.to_string(),
        })?;
        let parts = Parts::of(certificate).map_err(|error| crate::verify::malformed(place, &error))?;
        Self::read(certificate, &parts, &decoded, names.as_ref(), place)
    }

    /// The facts of a certificate whose parts are known already.
    pub(crate) fn read(
        certificate: &[u8],
        parts: &Parts<'_>,
        decoded: &CertificateInner<Raw>,
        names: Option<&SubjectAltName>,
        place: Place,
    ) -> Result<Self, CertificateRefusal> {
        let tbs = decoded.tbs_certificate();
        let name =
            |name| DistinguishedName::of(name).map_err(|error| crate::verify::malformed(place, &error));
        let mut sha1 = [0; 20];
        sha1.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, certificate).as_ref());
        let leading_zeros = parts.serial.iter().take_while(|octet| **octet == 0).count();
        let dns_name = |name: &GeneralName| match name {
            GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
            _ => None,
        };
        Ok(Self {
            certificate: CertificateId::of(certificate),
            sha1,
            key: KeyId::of(parts.spki),
            issuer: name(tbs.issuer())?,
            subject: name(tbs.subject())?,
            serial: parts.serial[leading_zeros..].to_vec(),
            not_before: time_ms(tbs.validity().not_before),
            not_after: time_ms(tbs.validity().not_after),
            dns_names: names.map(|names| names.0.iter().filter_map(dns_name).collect()).unwrap_or_default(),
        })
    }

    /// Whether the certificate says that it does not end by itself; then the request's validity counts alone.
    ///
    /// Source: X.1409 8.2.2; RFC 5280 4.1.2.5.
    pub fn has_no_expiry(&self) -> bool {
        self.not_after == NO_EXPIRY
    }
}

/// The alternative names that the path library has decoded.
pub(crate) fn alternative_names(extension: Option<&PDVExtension>) -> Option<&SubjectAltName> {
    match extension {
        Some(PDVExtension::SubjectAltName(names)) => Some(names),
        _ => None,
    }
}

fn time_ms(time: Time) -> TimeMs {
    // Decoding admits the years 1970 to 9999 only, so the milliseconds fit.
    TimeMs(time.to_unix_duration().as_secs().saturating_mul(1000))
}

fn as_hex<S: Serializer>(bytes: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    let text: String = bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    serializer.serialize_str(&text)
}
