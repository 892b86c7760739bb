//! The certificate of a REST face: made by the node from its key, or named by the operator.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tabellion_api::{
    CaLinks, FaceCertificate, FaceConfig, NodeCa, OwnCertificate, ServerConfig, tls_config_of,
};
use tabellion_client::SigningKey;
use tabellion_ledger::TimeMs;
use tabellion_node::FaceSettings;

use super::files::{RestFile, read, read_plain_key, write_public};
use super::running::{FileStamp, stamp};

/// Name of the file with the link from a node's CA of before, beside its key.
const CA_LINKS_FILE: &str = "node-key-chain.pem";

const UNUSABLE: &str = "the REST certificate and its key cannot be used";

/// The certificate of a REST face, which is renewed while the face runs.
pub enum Face {
    /// The node makes it.
    Own(Box<OwnCertificate>),
    /// The operator renews it on disk.
    Named(NamedCertificate),
}

/// A certificate from files.
pub struct NamedCertificate {
    shown: Arc<FaceCertificate>,
    /// The chain, and its key; PEM.
    files: [PathBuf; 2],
    /// As they were when they were read.
    stamps: [FileStamp; 2],
}

impl Face {
    /// What a node's file says; `key` is the file of the node's key. Paths are relative to `folder`.
    pub fn open(rest: &RestFile, folder: &Path, key: Option<&Path>, now: TimeMs) -> Result<Self> {
        match (&rest.certificate, &rest.key) {
            (Some(certificate), Some(key)) => {
                let files = [folder.join(certificate), folder.join(key)];
                let stamps = stamps(&files);
                let (certificates, key) = read_certificate(&files)?;
                let shown = FaceCertificate::new(certificates, key).context(UNUSABLE)?;
                Ok(Self::Named(NamedCertificate { shown, files, stamps }))
            }
            (None, None) if rest.hosts.is_empty() => bail!(
                "[rest] names neither hosts, by which clients reach the node, nor a certificate and its key"
            ),
            (None, None) => {
                let key = key.context("[rest] names no certificate, and there is no key to make one with")?;
                let (ca, hosts) = (node_ca_of(key)?, rest.hosts.clone());
                let own = OwnCertificate::new(ca, read_ca_links(folder)?, hosts, now);
                Ok(Self::Own(Box::new(own.context("[rest] hosts")?)))
            }
            _ => bail!("[rest] names a certificate without its key, or a key without its certificate"),
        }
    }

    /// What the node is told.
    pub fn settings(&self, rest: &RestFile) -> Result<FaceSettings> {
        let shown = match self {
            Self::Own(own) => own.shown(),
            Self::Named(named) => &named.shown,
        };
        let tls = tls_config_of(shown.clone()).context(UNUSABLE)?;
        let mut face = FaceConfig::default();
        if let Some(rate) = rest.rate_per_second {
            (face.rate_per_second, face.rate_burst) = (rate, rate.saturating_mul(2));
        }
        Ok(FaceSettings { listen: rest.listen, tls, face, server: ServerConfig::default() })
    }

    /// Shows a new certificate if one is due or was laid into the files, and says whether it was. One that
    /// cannot be used is left alone.
    pub fn renew(&mut self, now: TimeMs) -> Result<bool> {
        match self {
            Self::Own(own) => Ok(own.renew(now)?),
            Self::Named(named) => named.renew(),
        }
    }

    /// The node runs under the key of this file: its own certificates come from that one.
    pub fn run_under(&mut self, key: &Path, now: TimeMs) -> Result<()> {
        match self {
            Self::Own(own) => Ok(own.change_ca(node_ca_of(key)?, now)?),
            Self::Named(_) => Ok(()),
        }
    }
}

impl NamedCertificate {
    fn renew(&mut self) -> Result<bool> {
        let stamps = stamps(&self.files);
        if self.stamps == stamps {
            return Ok(false);
        }
        self.stamps = stamps;
        let (certificates, key) = read_certificate(&self.files)?;
        self.shown.replace(certificates, key).context(UNUSABLE)?;
        Ok(true)
    }
}

fn stamps(files: &[PathBuf; 2]) -> [FileStamp; 2] {
    files.each_ref().map(|path| stamp(path))
}

/// A certificate with its chain, and its key.
type Certificate = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_certificate([certificate_file, key_file]: &[PathBuf; 2]) -> Result<Certificate> {
    let key = PrivateKeyDer::from_pem_slice(&read(key_file)?)
        .with_context(|| format!("{} holds no private key", key_file.display()))?;
    Ok((read_chain(certificate_file)?, key))
}

fn read_chain(file: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(file)?).collect();
    certificates.with_context(|| format!("{} is not PEM", file.display()))
}

/// The CA that a node is by its key.
pub fn node_ca(key: &SigningKey) -> Result<NodeCa> {
    Ok(NodeCa::new(&PrivatePkcs8KeyDer::from(key.to_pkcs8()?))?)
}

/// The same of the key in a file.
pub fn node_ca_of(key_file: &Path) -> Result<NodeCa> {
    node_ca(&read_plain_key(key_file)?).with_context(|| format!("{}", key_file.display()))
}

/// CA certificates as a file.
pub fn pem_of<'a>(certificates: impl IntoIterator<Item = &'a CertificateDer<'static>>) -> String {
    let blocks = certificates.into_iter().map(|der| pem::Pem::new("CERTIFICATE", der.as_ref()));
    blocks.map(|block| pem::encode(&block)).collect()
}

/// Host names and addresses of a face: a node on this machine is `localhost` too.
pub fn hosts_of(host: &str) -> Vec<String> {
    let mut hosts = vec![host.to_owned()];
    if host.starts_with("127.") {
        hosts.push("localhost".to_owned());
    }
    hosts
}

fn read_ca_links(folder: &Path) -> Result<CaLinks> {
    let file = folder.join(CA_LINKS_FILE);
    if !file.exists() {
        return Ok(CaLinks::default());
    }
    Ok(CaLinks::new(read_chain(&file)?))
}

/// Keeps, beside a node's key, what leads clients that know it by its present key to the next one.
pub fn keep_ca_link(folder: &Path, present: &SigningKey, next: &SigningKey) -> Result<()> {
    let links = read_ca_links(folder)?.with_next(&node_ca(present)?, &node_ca(next)?)?;
    write_public(&folder.join(CA_LINKS_FILE), pem_of(links.certificates()).as_bytes())
}
