//! `[ct]` in a node's file: Certificate Transparency.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use tabellion_api::{CtKey, CtLog};

use super::files::{NodeFile, read, write_secret};

/// Name of the log's key in a node's data, unless the file names another one.
const CT_KEY_FILE: &str = "ct-log-key.pem";

/// Certificate Transparency in a node's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CtFile {
    /// Whether the node is a log.
    #[serde(default = "yes")]
    pub on: bool,
    /// Its key: ECDSA on P-256, PEM. Without one the node makes one in its data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// What clients know it by: the URL up to `ct/v1/`. Without one the log list names the host that it was
    /// asked at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

fn yes() -> bool {
    true
}

/// The log of a node's file, where it is one; its key is made where it is not there yet. Paths are relative
/// to `folder`.
pub fn open(node: &NodeFile, folder: &Path) -> Result<Option<Arc<CtLog>>> {
    let Some(file) = node.ct.as_ref().filter(|file| file.on) else { return Ok(None) };
    if node.rest.is_none() && node.status.is_none() {
        bail!("[ct] needs [status] or [rest] beside it: a listener to answer on");
    }
    let path = match &file.key {
        Some(key) => folder.join(key),
        None => own_key(&folder.join(&node.data))?,
    };
    let key = PrivateKeyDer::from_pem_slice(&read(&path)?)
        .with_context(|| format!("{} holds no private key that is not encrypted", path.display()))?;
    let key = CtKey::from_der(key.secret_der()).with_context(|| path.display().to_string())?;
    let url = file.url.as_ref().map(|url| format!("{}/", url.trim_end_matches('/')));
    Ok(Some(CtLog::new(key, url)))
}

/// The key that the node keeps itself. It stays for good: under another one it would be another log.
fn own_key(data: &Path) -> Result<PathBuf> {
    let path = data.join(CT_KEY_FILE);
    if !path.exists() {
        let key = CtKey::generate().context("cannot make the log's key")?;
        write_secret(&path, pem::encode(&pem::Pem::new("PRIVATE KEY", key)).as_bytes())?;
    }
    Ok(path)
}
