//! `tabellion node`: runs one node from its file until it is told to stop.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tabellion_api::{FaceConfig, Gateway, ServerConfig, tls_config};
use tabellion_consortium::Genesis;
use tabellion_engine::{NodeKey, Pace, Peer, PeerAddress};
use tabellion_node::store::StoreConfig;
use tabellion_node::{FaceSettings, Node, NodeSettings, PoolLimits};
use tokio::signal::unix::{SignalKind, signal};

use super::files::{NODE_FILE, NodeFile, node_seed, read, read_plain_key, read_toml};
use super::gateway::KeyGateway;
use crate::consortium::NodeCommand;

/// Runs one node of a network, or governs nodes.
#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub struct NodeArgs {
    /// Governs nodes of the ledger.
    #[command(subcommand)]
    pub command: Option<NodeCommand>,
    /// Runs one node.
    #[command(flatten)]
    pub run: RunArgs,
}

/// Runs one node of a network.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The node's file (node.toml), or the folder that holds it.
    #[arg(long, value_name = "FILE", default_value = NODE_FILE)]
    pub config: PathBuf,
    /// Delete the query index first; it is filled again from the blocks while the node runs
    #[arg(long)]
    pub rebuild_index: bool,
}

/// Runs a node until SIGINT or SIGTERM, or until it fails.
pub async fn node(args: &RunArgs) -> Result<()> {
    let file = if args.config.is_dir() { args.config.join(NODE_FILE) } else { args.config.clone() };
    let settings = settings(&file)?;
    let (name, ledger) = (settings.name.clone(), settings.genesis.ledger_id());
    let place = format!("node {name}, with its data in {}", settings.data.display());
    let index = settings.data.join(tabellion_node::INDEX_FOLDER);
    if args.rebuild_index && index.exists() {
        std::fs::remove_dir_all(&index).with_context(|| format!("cannot delete {}", index.display()))?;
    }
    let node = Node::start(settings).await.context(place.clone())?;
    eprintln!("node {name} of ledger {ledger}");
    match node.face_address() {
        Some(address) => eprintln!("REST on https://{address}"),
        None => eprintln!("no REST face"),
    }
    run_until_stopped(vec![node]).await.context(place)
}

/// Runs nodes until a signal comes or one of them fails; then stops all in order.
pub async fn run_until_stopped(nodes: Vec<Node>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let failed = futures::future::select_all(nodes.iter().map(|node| Box::pin(node.failed())));
    tokio::select! {
        _ = interrupt.recv() => eprintln!("stopping"),
        _ = terminate.recv() => eprintln!("stopping"),
        _ = failed => eprintln!("a part of the node failed; stopping"),
    }
    let mut outcome = Ok(());
    for node in nodes {
        outcome = outcome.and(node.stop().await);
    }
    Ok(outcome?)
}

/// Reads a node's file and all that it names.
pub fn settings(file: &Path) -> Result<NodeSettings> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let node: NodeFile = read_toml(file)?;
    let genesis_file = folder.join(&node.genesis);
    let genesis = Genesis::from_bytes(&read(&genesis_file)?)
        .with_context(|| format!("{} is not a genesis document", genesis_file.display()))?;
    let gateway = node.gateway_key.as_ref().map(|key| read_plain_key(&folder.join(key))).transpose()?;
    let ledger = genesis.ledger_id();
    let gateway = gateway.map(|key| KeyGateway::new(ledger, key) as std::sync::Arc<dyn Gateway>);
    let followers: Result<Vec<Peer>> =
        node.followers.iter().map(|follower| follower_peer(&follower.key)).collect();
    Ok(NodeSettings {
        seed: node_seed(&folder.join(&node.key))?,
        name: node.name.clone(),
        genesis,
        data: folder.join(&node.data),
        listen: node.listen,
        followers: followers?,
        pace: Pace::default(),
        store: StoreConfig::default(),
        pool: PoolLimits::default(),
        index: node.index,
        face: face(&node, folder)?,
        bodies_from: node.peers.as_ref().map_or(Ok(Vec::new()), |peers| peers.clients(folder))?,
        gateway,
    })
}

fn follower_peer(key: &str) -> Result<Peer> {
    let mut bytes = [0; 32];
    if hex::decode_to_slice(key, &mut bytes).is_err() {
        bail!("a follower's key is 64 hexadecimal digits; '{key}' is not");
    }
    Ok(Peer { key: NodeKey(bytes), address: PeerAddress::Unknown })
}

fn face(node: &NodeFile, folder: &Path) -> Result<Option<FaceSettings>> {
    let Some(rest) = &node.rest else { return Ok(None) };
    let (certificate_file, key_file) = (folder.join(&rest.certificate), folder.join(&rest.key));
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&read(&certificate_file)?).collect();
    let certificates = certificates.with_context(|| format!("{} is not PEM", certificate_file.display()))?;
    let key = PrivateKeyDer::from_pem_slice(&read(&key_file)?)
        .with_context(|| format!("{} holds no private key", key_file.display()))?;
    let tls = tls_config(certificates, key).context("the REST certificate and its key cannot be used")?;
    let mut face = FaceConfig::default();
    if let Some(rate) = rest.rate_per_second {
        (face.rate_per_second, face.rate_burst) = (rate, rate.saturating_mul(2));
    }
    Ok(Some(FaceSettings { listen: rest.listen, tls, face, server: ServerConfig::default() }))
}
