//! `[status]` in a node's file: OCSP, CRLs and IKEv2 look-up.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde::{Deserialize, Serialize};
use tabellion_api::{
    AuthorityConfig, AuthorityFault, FaceConfig, ServerConfig, SignerConfig, StatusAuthorities, StatusConfig,
};
use tabellion_node::StatusSettings;
use tabellion_pki::Staleness;

use super::files::read;
use super::running::{FileStamp, stamp};

/// How long OCSP responses are valid unless the file says otherwise. Unit: s.
const OCSP_VALIDITY_S: u64 = 3600;
/// How long CRLs are. Unit: s.
const CRL_VALIDITY_S: u64 = 86_400;
/// How old knowledge may be that is told: five heartbeats of a ledger with the default ones. Unit: s.
pub const STALE_AFTER_S: u64 = 300;

/// OCSP, CRLs and IKEv2 look-up in a node's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusFile {
    /// Where clients connect to, over plain HTTP.
    pub listen: SocketAddr,
    /// From `thisUpdate` to `nextUpdate` of OCSP responses. Unit: s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp_validity_s: Option<u64>,
    /// The same of CRLs. Unit: s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl_validity_s: Option<u64>,
    /// How old knowledge may be that is told. Unit: s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale_after_s: Option<u64>,
    /// Requests per second that one client may send for long; 0 = no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
    /// Connections that one client may have at a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_per_client: Option<usize>,
    /// Threads that answer; half of the cores unless it is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<NonZeroUsize>,
    /// The CAs for which the node answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca: Vec<AuthorityFile>,
}

/// A CA in a node's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthorityFile {
    /// The CA's certificate, PEM.
    pub certificate: PathBuf,
    /// Signs OCSP responses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<SignerFile>,
    /// Signs CRLs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crl: Option<SignerFile>,
    /// Names of its CRL: `/crl/<name>.crl`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Further paths of its CRL, as they stand in certificates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub crl_paths: Vec<String>,
}

/// A certificate and its key in a node's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignerFile {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM, not encrypted.
    pub key: PathBuf,
}

/// The keys of a node's status faces and their files.
pub struct StatusKeys {
    file: StatusFile,
    folder: PathBuf,
    authorities: Arc<StatusAuthorities>,
    stamps: Vec<FileStamp>,
}

impl StatusKeys {
    /// Reads and checks all that `[status]` names. Paths are relative to `folder`.
    pub fn open(file: &StatusFile, folder: &Path) -> Result<Self> {
        if file.stale_after_ms() >= file.ocsp_validity_ms().min(file.crl_validity_ms()) {
            bail!(
                "[status] stale_after_s must be less than ocsp_validity_s and crl_validity_s: an answer \
                 would be over before it is given"
            );
        }
        let stamps = file.stamps(folder);
        let authorities = StatusAuthorities::new(file.authorities(folder)?, tabellion_node::now());
        let authorities = authorities.map_err(|(index, fault)| file.faulty(index, fault))?;
        Ok(Self { file: file.clone(), folder: folder.to_owned(), authorities, stamps })
    }

    /// Reads the files again where one of them was written since.
    pub fn renew(&mut self) -> Option<Result<()>> {
        let stamps = self.file.stamps(&self.folder);
        if stamps == self.stamps {
            return None;
        }
        self.stamps = stamps;
        let replace = |configs| {
            let replaced = self.authorities.replace(configs, tabellion_node::now());
            replaced.map_err(|(index, fault)| self.file.faulty(index, fault))
        };
        Some(self.file.authorities(&self.folder).and_then(replace))
    }

    /// What the node is told.
    pub fn settings(&self) -> StatusSettings {
        let (file, mut face, mut server) = (&self.file, FaceConfig::default(), ServerConfig::default());
        if let Some(rate) = file.rate_per_second {
            (face.rate_per_second, face.rate_burst) = (rate, rate.saturating_mul(2));
        }
        if let Some(connections) = file.connections_per_client {
            server.connections_per_client_max = connections;
        }
        StatusSettings {
            listen: file.listen,
            authorities: self.authorities.clone(),
            status: StatusConfig {
                staleness: Staleness { limit_ms: file.stale_after_ms() },
                ocsp_validity_ms: file.ocsp_validity_ms(),
                crl_validity_ms: file.crl_validity_ms(),
                clock: Arc::new(tabellion_node::now),
            },
            face,
            server,
            threads: file.threads.unwrap_or_else(half_of_the_cores),
        }
    }
}

/// The other half is for the ledger.
fn half_of_the_cores() -> NonZeroUsize {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    NonZeroUsize::new(cores / 2).unwrap_or(NonZeroUsize::MIN)
}

impl StatusFile {
    /// IKEv2 look-up alone, with the defaults.
    pub fn new(listen: SocketAddr) -> Self {
        Self {
            listen,
            ocsp_validity_s: None,
            crl_validity_s: None,
            stale_after_s: None,
            rate_per_second: None,
            connections_per_client: None,
            threads: None,
            ca: Vec::new(),
        }
    }

    fn ocsp_validity_ms(&self) -> u64 {
        self.ocsp_validity_s.unwrap_or(OCSP_VALIDITY_S).saturating_mul(1000)
    }

    fn crl_validity_ms(&self) -> u64 {
        self.crl_validity_s.unwrap_or(CRL_VALIDITY_S).saturating_mul(1000)
    }

    fn stale_after_ms(&self) -> u64 {
        self.stale_after_s.unwrap_or(STALE_AFTER_S).saturating_mul(1000)
    }

    fn authorities(&self, folder: &Path) -> Result<Vec<AuthorityConfig>> {
        self.ca.iter().map(|ca| ca.config(folder)).collect()
    }

    fn stamps(&self, folder: &Path) -> Vec<FileStamp> {
        let signers = self.ca.iter().flat_map(|ca| ca.ocsp.iter().chain(&ca.crl));
        let files = signers.flat_map(|signer| [&signer.certificate, &signer.key]);
        files.chain(self.ca.iter().map(|ca| &ca.certificate)).map(|path| stamp(&folder.join(path))).collect()
    }

    fn faulty(&self, index: usize, fault: AuthorityFault) -> anyhow::Error {
        let shown = self.ca.get(index).map(|ca| ca.certificate.display().to_string()).unwrap_or_default();
        anyhow::Error::from(fault).context(format!("[[status.ca]] with certificate {shown} cannot be used"))
    }
}

impl AuthorityFile {
    fn config(&self, folder: &Path) -> Result<AuthorityConfig> {
        let signer = |file: &Option<SignerFile>| file.as_ref().map(|file| file.config(folder)).transpose();
        Ok(AuthorityConfig {
            certificate: certificate(&folder.join(&self.certificate))?,
            ocsp: signer(&self.ocsp)?,
            crl: signer(&self.crl)?,
            names: self.names.clone(),
            crl_paths: self.crl_paths.clone(),
        })
    }
}

impl SignerFile {
    fn config(&self, folder: &Path) -> Result<SignerConfig> {
        let path = folder.join(&self.key);
        let key = PrivateKeyDer::from_pem_slice(&read(&path)?)
            .with_context(|| format!("{} holds no private key that is not encrypted", path.display()))?;
        Ok(SignerConfig { certificate: certificate(&folder.join(&self.certificate))?, key })
    }
}

/// The first certificate of a PEM file.
fn certificate(path: &Path) -> Result<Vec<u8>> {
    let certificate = CertificateDer::from_pem_slice(&read(path)?);
    Ok(certificate.with_context(|| format!("{} holds no certificate in PEM", path.display()))?.to_vec())
}
