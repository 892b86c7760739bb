//! The certificates of REST faces: a CA for the network, a certificate for each node.

use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

use super::files::{TLS_CA_FILE, TLS_CA_KEY_FILE, read, write_public, write_secret};

/// The network's CA for REST certificates.
pub struct TlsCa {
    issuer: Issuer<'static, KeyPair>,
}

fn named(name: &str) -> DistinguishedName {
    let mut names = DistinguishedName::new();
    names.push(DnType::CommonName, name);
    names
}

fn ca_params(network: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("{network} REST CA"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1));
    params
}

impl TlsCa {
    /// The CA of a network's folder; made where there is none.
    pub fn open(folder: &Path, network: &str) -> Result<Self> {
        let (file, key_file) = (folder.join(TLS_CA_FILE), folder.join(TLS_CA_KEY_FILE));
        let params = ca_params(network);
        if !key_file.exists() {
            let key = KeyPair::generate().context("cannot make a key")?;
            let certificate = params.self_signed(&key).context("cannot make the CA certificate")?;
            write_public(&file, certificate.pem().as_bytes())?;
            write_secret(&key_file, key.serialize_pem().as_bytes())?;
        }
        let key = String::from_utf8(read(&key_file)?).context("the CA's key is not PEM")?;
        let key = KeyPair::from_pem(&key).with_context(|| format!("{} is not a key", key_file.display()))?;
        Ok(Self { issuer: Issuer::new(params, key) })
    }

    /// Writes a certificate for these host names and addresses, and its key.
    pub fn issue(&self, hosts: &[String], certificate_file: &Path, key_file: &Path) -> Result<()> {
        let key = KeyPair::generate().context("cannot make a key")?;
        let mut params = CertificateParams::new(hosts.to_vec()).context("a host name is not usable")?;
        params.distinguished_name = named(hosts.first().map_or("node", String::as_str));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2100, 1, 1));
        let certificate = params.signed_by(&key, &self.issuer).context("cannot make the certificate")?;
        write_public(certificate_file, certificate.pem().as_bytes())?;
        write_secret(key_file, key.serialize_pem().as_bytes())
    }
}
