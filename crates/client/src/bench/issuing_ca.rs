//! A certification authority that issues certificates for load: its certificate and key come from files.

use std::num::NonZero;

use const_oid::db::rfc5280::{ID_AD_CA_ISSUERS, ID_AD_OCSP};
use der::asn1::{Any, Ia5String as Ia5StringOwned, Ia5StringRef, PrintableStringRef, Utf8StringRef};
use der::{Decode, Encode, Tag, Tagged};
use rcgen::string::{Ia5String, PrintableString};
use rcgen::{
    BasicConstraints, CertificateParams, CrlDistributionPoint, CustomExtension, DistinguishedName, DnType,
    DnValue, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
};
use tabellion_ledger::TimeMs;
use tabellion_machine::Ruleset;
use tabellion_pki::CertificateRefusal;
use thiserror::Error;
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::certpolicy::PolicyInformation;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, CertificatePolicies, SubjectKeyIdentifier,
};

use crate::certificate::{Certificate, InputError, read_certificates};
use crate::chain::{ChainError, ChainPool, Verifier};
use crate::error::ClientError;
use crate::publish::Publication;

const SUBJECT_KEY_IDENTIFIER: der::asn1::ObjectIdentifier =
    der::asn1::ObjectIdentifier::new_unwrap("2.5.29.14");
/// The policy of domain-validated certificates. Source: CA/Browser Forum.
const DOMAIN_VALIDATED: der::asn1::ObjectIdentifier =
    der::asn1::ObjectIdentifier::new_unwrap("2.23.140.1.2.1");
/// How long certificates for load are valid. Unit: ms.
const VALIDITY_MS: u64 = 90 * 24 * 3_600_000;
/// They start a day ago, so that clocks may differ. Unit: ms.
const HEAD_START_MS: u64 = 24 * 3_600_000;

/// A CA starts before what it issues. Unit: ms.
const CA_HEAD_START_MS: u64 = 2 * HEAD_START_MS;

/// Why a benchmark cannot run.
#[derive(Debug, Error)]
pub enum BenchError {
    /// The CA's certificate file.
    #[error("the issuing CA's certificate file is refused: {0}")]
    Input(#[from] InputError),
    /// The CA's name has a form that cannot be repeated in the certificates that it issues.
    #[error("the issuing CA's name has an attribute of an unusual type")]
    Name,
    /// The CA's key, or making a certificate.
    #[error("certificates for load cannot be made: {0}")]
    Rcgen(#[from] rcgen::Error),
    /// No chain to a trusted CA.
    #[error("the ledger would refuse what this CA issues: {0}")]
    Chain(#[from] ChainError),
    /// A chain that path validation refuses.
    #[error("the ledger would refuse what this CA issues: {0}")]
    Refused(CertificateRefusal),
    /// The ledger or the network.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A TLS handshake failed.
    #[error("a TLS handshake failed")]
    Tls(#[source] rustls::Error),
    /// Nothing to measure with.
    #[error("there is nothing to measure: {0}")]
    Nothing(&'static str),
    /// A worker ended early.
    #[error("a worker ended early")]
    Worker,
}

/// A certification authority with its key.
pub struct IssuingCa {
    issuer: Issuer<'static, KeyPair>,
    chain: Vec<Certificate>,
}

impl IssuingCa {
    /// Reads a CA: PEM with its certificate first, then those above it if the ledger does not hold them; and
    /// its PKCS#8 key in PEM, not encrypted.
    pub fn new(certificates: &[u8], key_pem: &str) -> Result<Self, BenchError> {
        let chain = read_certificates(certificates)?.certificates;
        let ca = CertificateInner::<Raw>::from_der(&chain[0].der).map_err(|_| BenchError::Name)?;
        let tbs = ca.tbs_certificate();
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = distinguished_name(tbs.subject()).ok_or(BenchError::Name)?;
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
        let identifier = extensions.iter().find(|extension| extension.extn_id == SUBJECT_KEY_IDENTIFIER);
        let identifier = identifier
            .and_then(|extension| SubjectKeyIdentifier::from_der(extension.extn_value.as_bytes()).ok());
        if let Some(identifier) = identifier {
            params.key_identifier_method = KeyIdMethod::PreSpecified(identifier.0.as_bytes().to_vec());
        }
        Ok(Self { issuer: Issuer::new(params, KeyPair::from_pem(key_pem)?), chain })
    }

    /// Issues a certificate for a server of this name, with a fresh P-256 key.
    pub fn issue(&self, name: &str, now: TimeMs) -> Result<Vec<u8>, BenchError> {
        self.issue_for(name, &KeyPair::generate()?, now)
    }

    /// The CA's own certificate, then those above it that it was read with.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// Issues a certificate for this name and this key, for either end of a TLS connection.
    pub fn issue_for(&self, name: &str, key: &KeyPair, now: TimeMs) -> Result<Vec<u8>, BenchError> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        add_what_is_usual(&mut params)?;
        let (year, month, day) = date(TimeMs(now.0.saturating_sub(HEAD_START_MS)));
        params.not_before = rcgen::date_time_ymd(year, month, day);
        let (year, month, day) = date(now.plus(VALIDITY_MS));
        params.not_after = rcgen::date_time_ymd(year, month, day);
        Ok(params.signed_by(key, &self.issuer)?.der().to_vec())
    }

    /// Issues `count` certificates on all cores and finds their chains, the first one checked as the ledger
    /// will.
    pub fn publications(
        &self,
        count: usize,
        rules: &Ruleset,
        anchors: &[Vec<u8>],
        now: TimeMs,
    ) -> Result<Vec<Publication>, BenchError> {
        let mut pool = ChainPool::new(anchors.iter().map(Vec::as_slice));
        self.chain.iter().cloned().for_each(|certificate| pool.add(certificate));
        let run = random_name();
        let first = self.certificate(&format!("first.{run}.bench.example"), now)?;
        if let Some(refusal) = pool.chain_of(&first, Some(&Verifier { rules, at: now }))?.refusal {
            return Err(BenchError::Refused(refusal));
        }
        let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
        let share = count.div_ceil(workers).max(1);
        std::thread::scope(|scope| {
            let issue = |start: usize| {
                let (pool, run) = (&pool, &run);
                let end = (start + share).min(count);
                let name = move |number: usize| format!("n{number}.{run}.bench.example");
                let one = move |number| {
                    let certificate = self.certificate(&name(number), now)?;
                    Ok(Publication::new(&pool.chain_of(&certificate, None)?, None, ""))
                };
                scope.spawn(move || (start..end).map(one).collect::<Result<Vec<_>, BenchError>>())
            };
            let workers: Vec<_> = (0..count).step_by(share).map(issue).collect();
            let mut all = Vec::with_capacity(count);
            for worker in workers {
                all.extend(worker.join().map_err(|_| BenchError::Worker)??);
            }
            Ok(all)
        })
    }

    fn certificate(&self, name: &str, now: TimeMs) -> Result<Certificate, BenchError> {
        Certificate::from_der(&self.issue(name, now)?).map_err(BenchError::Refused)
    }
}

/// A root and an issuing CA below it, for load on a network made for that: the root goes into its trusted
/// CAs.
#[derive(Clone, Debug)]
pub struct BenchCa {
    /// The root, PEM; its key is gone once it has signed.
    pub root_pem: String,
    /// The issuing CA, PEM.
    pub issuing_pem: String,
    /// Its key, PKCS#8 PEM.
    pub issuing_key_pem: String,
}

impl BenchCa {
    /// Makes fresh ones, valid for ten years.
    pub fn new(now: TimeMs) -> Result<Self, BenchError> {
        let (root_key, issuing_key) = (KeyPair::generate()?, KeyPair::generate()?);
        let root_params = ca_params("Bench Root", now)?;
        let root = root_params.self_signed(&root_key)?;
        let issuer = Issuer::from_params(&root_params, &root_key);
        let issuing = ca_params("Bench Issuing CA", now)?.signed_by(&issuing_key, &issuer)?;
        let (root_pem, issuing_pem) = (root.pem(), issuing.pem());
        Ok(Self { root_pem, issuing_pem, issuing_key_pem: issuing_key.serialize_pem() })
    }
}

fn ca_params(name: &str, now: TimeMs) -> Result<CertificateParams, BenchError> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, "Tabellion bench");
    params.distinguished_name.push(DnType::CommonName, format!("{name} {}", random_name()));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    add_what_is_usual(&mut params)?;
    let (year, month, day) = date(TimeMs(now.0.saturating_sub(CA_HEAD_START_MS)));
    params.not_before = rcgen::date_time_ymd(year, month, day);
    // The 29th of February has no tenth anniversary.
    params.not_after = rcgen::date_time_ymd(year + 10, month, day.min(28));
    Ok(params)
}

/// What CAs put into certificates besides names, keys and usages: where their CRL and their OCSP responder
/// are, where the issuer's certificate is, and a policy. Without it sizes would say too little.
///
/// Source: RFC 5280 4.2.1.4, 4.2.1.13, 4.2.2.1.
fn add_what_is_usual(params: &mut CertificateParams) -> Result<(), BenchError> {
    let crl = "http://crl.bench.example/issuing-ca.crl".to_owned();
    params.crl_distribution_points = vec![CrlDistributionPoint { uris: vec![crl] }];
    let access = |method, uri: &str| -> der::Result<AccessDescription> {
        let access_location = GeneralName::UniformResourceIdentifier(Ia5StringOwned::new(uri)?);
        Ok(AccessDescription { access_method: method, access_location })
    };
    let extensions = || -> der::Result<[CustomExtension; 2]> {
        let access = AuthorityInfoAccessSyntax(vec![
            access(ID_AD_OCSP, "http://ocsp.bench.example")?,
            access(ID_AD_CA_ISSUERS, "http://ca.bench.example/issuing-ca.cer")?,
        ]);
        let policy = PolicyInformation { policy_identifier: DOMAIN_VALIDATED, policy_qualifiers: None };
        Ok([
            CustomExtension::from_oid_content(&[1, 3, 6, 1, 5, 5, 7, 1, 1], access.to_der()?),
            CustomExtension::from_oid_content(&[2, 5, 29, 32], CertificatePolicies(vec![policy]).to_der()?),
        ])
    };
    params.custom_extensions.extend(extensions().map_err(|_| BenchError::Nothing("an extension"))?);
    Ok(())
}

/// Two runs never make the same names.
fn random_name() -> String {
    let mut bytes = [0; 4];
    // Without randomness the serial numbers and keys still differ.
    let _ = aws_lc_rs::rand::fill(&mut bytes);
    hex::encode(bytes)
}

fn date(at: TimeMs) -> (i32, u8, u8) {
    let date = der::DateTime::from_unix_duration(std::time::Duration::from_secs(at.seconds()));
    date.map_or((2026, 1, 1), |date| (i32::from(date.year()), date.month(), date.day()))
}

/// The same name, value types included: a chain is linked by its bytes.
fn distinguished_name(name: &x509_cert::name::Name) -> Option<DistinguishedName> {
    let mut copy = DistinguishedName::new();
    for rdn in name.iter_rdn() {
        let mut attributes = rdn.iter();
        let (attribute, None) = (attributes.next()?, attributes.next()) else { return None };
        let arcs = attribute.oid.arcs().map(u64::from).collect();
        copy.push(DnType::CustomDnType(arcs), value(&attribute.value)?);
    }
    Some(copy)
}

fn value(value: &Any) -> Option<DnValue> {
    match value.tag() {
        Tag::Utf8String => {
            Some(DnValue::Utf8String(value.decode_as::<Utf8StringRef<'_>>().ok()?.as_str().to_owned()))
        }
        Tag::PrintableString => {
            let text = value.decode_as::<PrintableStringRef<'_>>().ok()?;
            Some(DnValue::PrintableString(PrintableString::try_from(text.as_str()).ok()?))
        }
        Tag::Ia5String => {
            let text = value.decode_as::<Ia5StringRef<'_>>().ok()?;
            Some(DnValue::Ia5String(Ia5String::try_from(text.as_str()).ok()?))
        }
        _ => None,
    }
}
