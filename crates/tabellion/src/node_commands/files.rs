//! The files of a network's folder and of a node's folder.
//!
//! ```text
//! <network>/genesis.cbor        the genesis document
//!           tls-ca.pem          what clients know the nodes by: each node's own CA
//!           client.toml         what clients need: nodes, ca, genesis, key
//!           keys/<member>.pem   members' signing keys
//!           nodes/<name>/node.toml, node-key.pem, node-key-next.pem, node-key-chain.pem, data/
//! ```

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use tabellion_client::{NodeClient, NodeTrust, Protection, SigningKey, read_key_file, write_key_file};
use tabellion_ledger::{Algorithm, KeyId};
use tabellion_node::PruneSettings;

use crate::moment::Span;

use super::body_archive::body_archive;
use super::ct_file::CtFile;
use super::status_file::StatusFile;

/// Name of the genesis document in a network's folder.
pub const GENESIS_FILE: &str = "genesis.cbor";
/// Name of the clients' file in a network's folder.
pub const CLIENT_FILE: &str = "client.toml";
/// Name of the file with the nodes' CAs in a network's folder.
pub const TLS_CA_FILE: &str = "tls-ca.pem";
/// Name of a node's file in its folder.
pub const NODE_FILE: &str = "node.toml";
/// Name of the folder of a node's data in its folder.
pub const DATA_FOLDER: &str = "data";
/// Name of the file with other nodes' CAs in a node's folder.
pub const PEERS_CA_FILE: &str = "peers-ca.pem";

/// Name of a node's next key in its folder, until that takes over.
pub const NEXT_KEY_FILE: &str = "node-key-next.pem";

/// A node's file. Paths are relative to the file's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeFile {
    /// The node's name, for people.
    pub name: String,
    /// The genesis document.
    pub genesis: PathBuf,
    /// The node's Ed25519 key, PKCS#8 PEM.
    pub key: PathBuf,
    /// Folder of the node's data.
    pub data: PathBuf,
    /// Where other nodes connect to.
    pub listen: SocketAddr,
    /// Whether the node keeps the query index.
    #[serde(default = "yes")]
    pub index: bool,
    /// The REST face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestFile>,
    /// OCSP, CRLs and IKEv2 look-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusFile>,
    /// Certificate Transparency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ct: Option<CtFile>,
    /// A member's key with which the node signs for clients that cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_key: Option<PathBuf>,
    /// Other nodes, from which this one fetches a state before its first start, and old bodies after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<PeersFile>,
    /// Deletes bodies in which nothing is needed any more. Without it the node keeps everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<PruneFile>,
    /// Nodes that follow without a vote; the same on every node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followers: Vec<FollowerFile>,
}

/// Other nodes' REST faces in a node's file. What they send is checked: any nodes will do.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PeersFile {
    /// Their URLs.
    pub nodes: Vec<String>,
    /// The CAs of their certificates, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Or the SHA-256 of their public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pin: Option<KeyId>,
}

impl PeersFile {
    /// A client for each node. Paths are relative to `folder`.
    pub fn clients(&self, folder: &Path) -> Result<Vec<NodeClient>> {
        let trust = match (&self.ca, self.pin) {
            (Some(ca), _) => NodeTrust::Authorities(read(&folder.join(ca))?),
            (None, Some(pin)) => NodeTrust::PinnedKey(pin),
            (None, None) => bail!("[peers] names no CA and no pin of the nodes' certificates"),
        };
        let client = |url: &String| Ok(NodeClient::new(std::slice::from_ref(url), &trust)?);
        self.nodes.iter().map(client).collect()
    }
}

/// What a node deletes by itself (X.1409 A.3), in its file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PruneFile {
    /// Whether it does.
    #[serde(default = "yes")]
    pub on: bool,
    /// How long bodies are kept after the last thing in them has ended; 7 days unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Span>,
    /// How often the node looks; every 10 minutes unless said otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<Span>,
    /// Folder, or `s3://bucket/prefix`, in which bodies are kept before they are deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
}

impl PruneFile {
    /// How bodies are deleted, whether by the node itself or on request. Paths are relative to `folder`.
    pub fn settings(&self, folder: &Path) -> Result<PruneSettings> {
        let usual = PruneSettings::default();
        Ok(PruneSettings {
            keep_ms: self.keep.map_or(usual.keep_ms, Span::ms),
            every: self.every.map_or(usual.every, |every| every.0),
            archive: self.archive.as_ref().map(|archive| body_archive(archive, folder)).transpose()?,
        })
    }
}

fn yes() -> bool {
    true
}

/// The REST face in a node's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RestFile {
    /// Where clients connect to.
    pub listen: SocketAddr,
    /// Host names and addresses by which clients reach it, for the certificate that the node makes itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
    /// Another certificate in place of the node's own, with its chain, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Requests per second that one client may send for long; 0 = no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_per_second: Option<u32>,
}

/// A following node in a node's file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowerFile {
    /// Its raw Ed25519 key, 64 hexadecimal digits.
    pub key: String,
}

/// The clients' file of a network. Paths are relative to the file's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ClientFile {
    /// URLs of the nodes.
    pub nodes: Vec<String>,
    /// The CAs of the nodes' certificates.
    pub ca: PathBuf,
    /// The genesis document.
    pub genesis: PathBuf,
    /// The signing key, where this folder has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
}

/// Writes a file whole or not at all, readable by all.
pub fn write_public(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o644)
}

/// Writes a file whole or not at all, readable by its owner only.
pub fn write_secret(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, 0o600)
}

/// The bytes go to a file beside and are renamed: a crash leaves the old file, or none.
fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).with_context(|| format!("cannot make folder {}", folder.display()))?;
    let beside = path.with_extension("new");
    let write = || {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Puts a file into another one's place: a crash leaves both, or the one in its new place.
pub fn replace_file(from: &Path, to: &Path) -> Result<()> {
    let replace = || {
        fs::rename(from, to)?;
        let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    replace().with_context(|| format!("cannot put {} into the place of {}", from.display(), to.display()))
}

/// Writes a value as TOML under a first line that says what it is.
pub fn write_toml<T: Serialize>(path: &Path, title: &str, value: &T) -> Result<()> {
    let body = toml::to_string_pretty(value).context("cannot make TOML")?;
    write_public(path, format!("# {title}\n{body}").as_bytes())
}

/// Reads a TOML file.
pub fn read_toml<T: for<'de> Deserialize<'de>>(path: &Path) -> Result<T> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("{} is not what it should be", path.display()))
}

/// Reads a file.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The key in a file; a fresh Ed25519 key is written there where no file is.
pub fn key_or_new(path: &Path) -> Result<SigningKey> {
    if !path.exists() {
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).with_context(|| format!("cannot make folder {}", folder.display()))?;
        write_key_file(path, &SigningKey::generate(Algorithm::Ed25519)?, &Protection::PlainText)?;
    }
    read_plain_key(path)
}

/// The key in a file that is not encrypted: a node starts without a person beside it.
pub fn read_plain_key(path: &Path) -> Result<SigningKey> {
    Ok(read_key_file(path, || None)?)
}

/// The seed of a node's key.
pub fn node_seed(path: &Path) -> Result<[u8; 32]> {
    match read_plain_key(path)?.ed25519_seed() {
        Some(seed) => Ok(seed),
        None => bail!("{}: a node's key is Ed25519; this is another one", path.display()),
    }
}
