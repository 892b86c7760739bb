//! The folder of an edge node (X.1409 I.1.2).
//!
//! ```text
//! <edge>/edge.toml        the edge's file
//!        genesis.cbor     the genesis document
//!        peers-ca.pem     the CAs of the nodes that it follows, where it follows some
//!        edge-key.pem     makes the certificates of its REST face; the ledger does not know it
//!        tls-ca.pem, client.toml    what its clients need
//!        inbox/           files of blocks; taken/ and refused/ in it
//!        data/
//! ```

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use tabellion_client::SigningKey;
use tabellion_consortium::Genesis;
use tabellion_ledger::Algorithm;
use tabellion_node::edge::EdgeSettings;
use tabellion_node::store::StoreConfig;
use tabellion_node::{Driver, NodeSettings, PoolLimits, now};
use tabellion_pki::Staleness;

use super::files::{
    CLIENT_FILE, ClientFile, DATA_FOLDER, GENESIS_FILE, PeersFile, PruneFile, RestFile, TLS_CA_FILE,
    key_or_new, read, read_toml, write_public, write_toml,
};
use super::network::SocketAddrHost;
use super::status_file::{STALE_AFTER_S, StatusFile, StatusKeys};
use super::tls::{Face, hosts_of, node_ca, pem_of};

/// Name of an edge's file in its folder.
pub const EDGE_FILE: &str = "edge.toml";
/// Name of its key.
const EDGE_KEY_FILE: &str = "edge-key.pem";
/// Name of its inbox.
const INBOX: &str = "inbox";

/// An edge's file. Paths are relative to the file's folder.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EdgeFile {
    /// The edge's name, for people.
    pub name: String,
    /// The genesis document.
    pub genesis: PathBuf,
    /// The Ed25519 key that makes the certificates of its REST face, PKCS#8 PEM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// Folder of its data.
    pub data: PathBuf,
    /// Folder in which files of `tabellion edge export` are laid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<PathBuf>,
    /// How old knowledge may be on which the edge says that a certificate may be relied on. Unit: s.
    #[serde(default = "stale_after_s")]
    pub stale_after_s: u64,
    /// Nodes that it follows, one at a time. Without them blocks come in files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peers: Option<PeersFile>,
    /// The REST face.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rest: Option<RestFile>,
    /// OCSP, CRLs and IKEv2 look-up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusFile>,
    /// Deletes bodies in which nothing is needed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prune: Option<PruneFile>,
}

fn stale_after_s() -> u64 {
    STALE_AFTER_S
}

/// All that an edge's file says.
pub struct EdgeSetup {
    /// What the node is told.
    pub settings: NodeSettings,
    /// The certificate of its REST face.
    pub face: Option<Face>,
    /// The keys of its status faces.
    pub status: Option<StatusKeys>,
}

/// What an edge's folder is made of, besides its genesis document.
pub struct NewEdge {
    /// Its name.
    pub name: String,
    /// Nodes that it follows.
    pub peers: Option<PeersFile>,
    /// Where it listens for REST, and its host as its certificate names it.
    pub rest: SocketAddr,
    /// Its host.
    pub host: String,
    /// Where it listens for OCSP, CRLs and IKEv2 look-up.
    pub status: Option<SocketAddr>,
    /// How old knowledge may be. Unit: s.
    pub stale_after_s: u64,
}

impl EdgeFile {
    /// Reads the file of a folder.
    pub fn read(folder: &Path) -> Result<Self> {
        read_toml(&folder.join(EDGE_FILE))
    }

    /// The genesis document.
    pub fn genesis(&self, folder: &Path) -> Result<Genesis> {
        let path = folder.join(&self.genesis);
        Genesis::from_bytes(&read(&path)?)
            .with_context(|| format!("{} is not a genesis document", path.display()))
    }

    /// The folder's inbox.
    pub fn inbox(&self, folder: &Path) -> Option<PathBuf> {
        self.inbox.as_ref().map(|inbox| folder.join(inbox))
    }
}

/// Reads an edge's folder and all that its file names.
pub fn setup_edge(folder: &Path) -> Result<EdgeSetup> {
    let file = EdgeFile::read(folder)?;
    let peers = file.peers.as_ref().map_or(Ok(Vec::new()), |peers| peers.clients(folder))?;
    let peers: Vec<_> = peers.into_iter().map(Arc::new).collect();
    let key = file.key.as_ref().map(|key| folder.join(key));
    let face = file.rest.as_ref().map(|rest| Face::open(rest, folder, key.as_deref(), now()));
    let face = face.transpose()?;
    let status = file.status.clone().map(|mut status| {
        // One rule for all faces, unless the file says otherwise.
        status.stale_after_s.get_or_insert(file.stale_after_s);
        StatusKeys::open(&status, folder)
    });
    let status = status.transpose()?;
    let driver = Driver::Edge(EdgeSettings {
        peers: peers.clone(),
        staleness: Staleness { limit_ms: file.stale_after_s.saturating_mul(1000) },
        inbox: file.inbox(folder),
    });
    let settings = NodeSettings {
        seeds: any_seed()?.into(),
        name: file.name.clone(),
        genesis: file.genesis(folder)?,
        data: folder.join(&file.data),
        driver,
        store: StoreConfig::default(),
        pool: PoolLimits::default(),
        index: true,
        bodies_from: peers,
        face: face.as_ref().zip(file.rest.as_ref()).map(|(face, rest)| face.settings(rest)).transpose()?,
        status: status.as_ref().map(StatusKeys::settings),
        prune: file
            .prune
            .as_ref()
            .filter(|prune| prune.on)
            .map(|prune| prune.settings(folder))
            .transpose()?,
        ct: None,
        gateway: None,
    };
    Ok(EdgeSetup { settings, face, status })
}

/// A key that nobody knows: an edge signs nothing for the ledger.
pub fn any_seed() -> Result<[u8; 32]> {
    SigningKey::generate(Algorithm::Ed25519)?.ed25519_seed().context("an Ed25519 key has a seed")
}

/// Writes an edge's folder beside its genesis document: a key for its REST face, what clients of it need, and
/// the edge's file (last: a folder with it is complete).
pub fn write_edge(folder: &Path, edge: &NewEdge) -> Result<()> {
    let NewEdge { name, peers, rest, host, status, stale_after_s } = edge;
    let ca = node_ca(&key_or_new(&folder.join(EDGE_KEY_FILE))?)?;
    write_public(&folder.join(TLS_CA_FILE), pem_of([ca.certificate()]).as_bytes())?;
    let client = ClientFile {
        nodes: vec![format!("https://{}", SocketAddrHost { host, port: rest.port() })],
        ca: TLS_CA_FILE.into(),
        genesis: GENESIS_FILE.into(),
        key: None,
    };
    write_toml(&folder.join(CLIENT_FILE), "What clients of this edge need.", &client)?;
    let file = EdgeFile {
        name: name.clone(),
        genesis: GENESIS_FILE.into(),
        key: Some(EDGE_KEY_FILE.into()),
        data: DATA_FOLDER.into(),
        inbox: Some(INBOX.into()),
        stale_after_s: *stale_after_s,
        peers: peers.clone(),
        rest: Some(RestFile {
            listen: *rest,
            hosts: hosts_of(host),
            certificate: None,
            key: None,
            rate_per_second: None,
        }),
        status: status.map(StatusFile::new),
        prune: None,
    };
    let title = "An edge of a ledger; run it with: tabellion edge run <this folder>";
    write_toml(&folder.join(EDGE_FILE), title, &file)
}
