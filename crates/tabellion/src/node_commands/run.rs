//! `tabellion node`: runs one node from its file until it is told to stop.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use clap::Args;
use tabellion_api::Gateway;
use tabellion_consortium::{Genesis, NodeKey};
use tabellion_engine::{Pace, Peer, PeerAddress};
use tabellion_node::core::Seeds;
use tabellion_node::store::StoreConfig;
use tabellion_node::{Driver, EngineSettings, NodeSettings, PoolLimits, PruneSettings, now};
use tokio::signal::unix::{SignalKind, signal};

use super::files::{NEXT_KEY_FILE, NODE_FILE, NodeFile, node_seed, read, read_plain_key, read_toml};
use super::gateway::KeyGateway;
use super::running::{Running, key_file, run_all};
use super::status_file::StatusKeys;
use super::tls::Face;
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

/// Runs a node until SIGINT or SIGTERM, until it is taken out of service, or until it fails.
pub async fn node(args: &RunArgs) -> Result<()> {
    let file = if args.config.is_dir() { args.config.join(NODE_FILE) } else { args.config.clone() };
    let settings = setup(&file, None)?.settings;
    let (name, ledger) = (settings.name.clone(), settings.genesis.ledger_id());
    let place = format!("node {name}, with its data in {}", settings.data.display());
    let index = settings.data.join(tabellion_node::INDEX_FOLDER);
    if args.rebuild_index && index.exists() {
        std::fs::remove_dir_all(&index).with_context(|| format!("cannot delete {}", index.display()))?;
    }
    let running = Running::start(&file).await.context(place.clone())?;
    eprintln!("node {name} of ledger {ledger}");
    match running.node().face_address() {
        Some(address) => eprintln!("REST on https://{address}"),
        None => eprintln!("no REST face"),
    }
    if let Some(address) = running.node().status_address() {
        eprintln!("OCSP, CRLs and IKEv2 look-up on http://{address}");
    }
    if let Some(log) = running.node().ct() {
        eprintln!("Certificate Transparency at /ct/v1/, log {}", hex::encode(log.key().id()));
    }
    run_until_stopped(vec![running]).await.context(place)
}

/// Runs nodes until a signal comes, one of them fails or all were taken out of service; stops them in order.
pub async fn run_until_stopped(nodes: Vec<Running>) -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen to SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen to SIGTERM")?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    run_all(nodes, stopped).await
}

/// All that a node's file says.
pub struct Setup {
    /// What the node is told.
    pub settings: NodeSettings,
    /// The certificate of its REST face.
    pub face: Option<Face>,
    /// The keys of its status faces, and where they came from.
    pub status: Option<StatusKeys>,
    /// How bodies are deleted on request.
    pub prune: PruneSettings,
}

/// Reads a node's file and all that it names. `run` says which of its keys it runs under; otherwise the state
/// says so.
pub fn setup(file: &Path, run: Option<&NodeKey>) -> Result<Setup> {
    let folder = file.parent().unwrap_or(Path::new("."));
    let node: NodeFile = read_toml(file)?;
    let genesis_file = folder.join(&node.genesis);
    let genesis = Genesis::from_bytes(&read(&genesis_file)?)
        .with_context(|| format!("{} is not a genesis document", genesis_file.display()))?;
    let gateway = node.gateway_key.as_ref().map(|key| read_plain_key(&folder.join(key))).transpose()?;
    let ledger = genesis.ledger_id();
    let gateway = gateway.map(|key| KeyGateway::new(ledger, key) as Arc<dyn Gateway>);
    let followers: Result<Vec<Peer>> =
        node.followers.iter().map(|follower| follower_peer(&follower.key)).collect();
    let key = run.and_then(|key| key_file(file, key)).unwrap_or_else(|| folder.join(&node.key));
    let face = node.rest.as_ref().map(|rest| Face::open(rest, folder, Some(&key), now())).transpose()?;
    let status = node.status.as_ref().map(|status| StatusKeys::open(status, folder)).transpose()?;
    let others = node.peers.as_ref().map_or(Ok(Vec::new()), |peers| peers.clients(folder))?;
    let settings = NodeSettings {
        seeds: seeds(file, &node, run)?,
        name: node.name.clone(),
        genesis,
        data: folder.join(&node.data),
        driver: Driver::Engine(EngineSettings {
            listen: node.listen,
            followers: followers?,
            pace: Pace::default(),
        }),
        store: StoreConfig::default(),
        pool: PoolLimits::default(),
        index: node.index,
        bodies_from: others.into_iter().map(Arc::new).collect(),
        face: face.as_ref().zip(node.rest.as_ref()).map(|(face, rest)| face.settings(rest)).transpose()?,
        status: status.as_ref().map(StatusKeys::settings),
        ct: super::ct_file::open(&node, folder)?,
        prune: node
            .prune
            .as_ref()
            .filter(|prune| prune.on)
            .map(|prune| prune.settings(folder))
            .transpose()?,
        gateway,
    };
    let prune = node.prune.as_ref().map_or_else(|| Ok(Default::default()), |prune| prune.settings(folder))?;
    Ok(Setup { settings, face, status, prune })
}

fn seeds(file: &Path, node: &NodeFile, run: Option<&NodeKey>) -> Result<Seeds> {
    let folder = file.parent().unwrap_or(Path::new("."));
    if let Some(key) = run {
        let path = key_file(file, key).with_context(|| format!("no file of the node has key {key}"))?;
        return Ok(node_seed(&path)?.into());
    }
    let next = folder.join(NEXT_KEY_FILE);
    let next = next.exists().then(|| node_seed(&next)).transpose()?;
    Ok(Seeds { present: node_seed(&folder.join(&node.key))?, next })
}

fn follower_peer(key: &str) -> Result<Peer> {
    let mut bytes = [0; 32];
    if hex::decode_to_slice(key, &mut bytes).is_err() {
        bail!("a follower's key is 64 hexadecimal digits; '{key}' is not");
    }
    Ok(Peer { key: tabellion_engine::NodeKey(bytes), address: PeerAddress::Unknown })
}
