//! `tabellion network`: the files of a network for real hosts.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use tabellion_consortium::Genesis;
use tabellion_ledger::{TimeMs, cbor};

use super::files::{
    CLIENT_FILE, ClientFile, DATA_FOLDER, GENESIS_FILE, NODE_FILE, NodeFile, PeersFile, RestFile,
    TLS_CA_FILE, key_or_new, read_toml, write_public, write_toml,
};
use super::plan::{Plan, PlanValidator, genesis};
use super::tls::{hosts_of, node_ca_of, pem_of};

/// Name of a node's key in its folder.
pub const NODE_KEY_FILE: &str = "node-key.pem";

/// A plan to start from.
const SAMPLE: &str = include_str!("sample_plan.toml");

/// Makes the files of a network for real hosts.
#[derive(Subcommand, Debug)]
pub enum NetworkCommand {
    /// Print a plan to start from: members, validators, trusted CAs, parameters.
    Sample,
    /// Make genesis document, keys where the plan brings none, and a folder for each node.
    Init {
        /// The plan, a TOML file.
        plan: PathBuf,
        /// The folder to make; it must not hold a network already.
        #[arg(long, value_name = "FOLDER")]
        out: PathBuf,
    },
}

/// Runs a network command.
pub fn network(command: &NetworkCommand) -> Result<()> {
    match command {
        NetworkCommand::Sample => {
            print!("{SAMPLE}");
            Ok(())
        }
        NetworkCommand::Init { plan: file, out } => {
            let plan: Plan = read_toml(file)?;
            if out.join(GENESIS_FILE).exists() {
                bail!("{} holds a network already", out.display());
            }
            let base = file.parent().unwrap_or(Path::new("."));
            let made = write_network(&plan, base, out, tabellion_node::now())?;
            tell(&plan, &made, out);
            Ok(())
        }
    }
}

fn tell(plan: &Plan, made: &Genesis, out: &Path) {
    println!("{}", made.ledger_id());
    eprintln!("network {} in {}: {} trusted CAs", plan.name, out.display(), made.anchors.len());
    for PlanValidator { name, address, .. } in &plan.validators {
        eprintln!(
            "  copy {}/nodes/{name} to the host of {address}; there: tabellion node --config {name}",
            out.display()
        );
    }
    eprintln!(
        "\nhint: keys that this command made are under {}: hand them over, then delete them here",
        out.display()
    );
}

/// Writes all files of a network and returns its genesis document.
pub fn write_network(plan: &Plan, base: &Path, out: &Path, time: TimeMs) -> Result<Genesis> {
    let (made, left_out) = genesis(plan, base, time, |file| key_or_new(&out.join(file)))?;
    for anchor in left_out {
        eprintln!("trusted CA left out: {anchor}");
    }
    write_cas(plan, out)?;
    let document = cbor::to_bytes(&made);
    for validator in &plan.validators {
        write_node(validator, out)?;
        write_public(&out.join("nodes").join(&validator.name).join(GENESIS_FILE), &document)?;
    }
    let key = plan.members.iter().find(|member| member.keys.is_empty());
    let client = ClientFile {
        nodes: plan.validators.iter().map(|validator| format!("https://{}", validator.rest)).collect(),
        ca: TLS_CA_FILE.into(),
        genesis: GENESIS_FILE.into(),
        key: key.map(|member| format!("keys/{}.pem", member.id).into()),
    };
    write_toml(&out.join(CLIENT_FILE), "What clients of this network need.", &client)?;
    // Last: a folder with a genesis document is complete.
    write_public(&out.join(GENESIS_FILE), &document)?;
    Ok(made)
}

/// Writes what clients know the nodes by. A node whose key is elsewhere is added later: its operator hands
/// its CA over, or clients fetch it and check it against the ledger (`tabellion node cas`).
fn write_cas(plan: &Plan, out: &Path) -> Result<()> {
    let mut cas = String::new();
    for PlanValidator { name, key, .. } in &plan.validators {
        if key.is_some() {
            eprintln!(
                "node {name} brings its key: once it runs, `tabellion node cas` adds it to {TLS_CA_FILE}"
            );
            continue;
        }
        cas += &pem_of([node_ca_of(&out.join("nodes").join(name).join(NODE_KEY_FILE))?.certificate()]);
    }
    write_public(&out.join(TLS_CA_FILE), cas.as_bytes())
}

fn host_and_port(address: &str) -> Result<(&str, u16)> {
    let (host, port) = address.rsplit_once(':').with_context(|| format!("'{address}' is not host:port"))?;
    Ok((host.trim_matches(['[', ']']), port.parse().with_context(|| format!("'{port}' is no port"))?))
}

/// The address to listen on: the planned one where it is an address, every interface where it is a name.
fn listener(address: &str) -> Result<SocketAddr> {
    let (_, port) = host_and_port(address)?;
    Ok(address.parse().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], port))))
}

/// A node that joined a ledger.
pub struct JoinedNode {
    /// Its name.
    pub name: String,
    /// Where it listens for other nodes.
    pub listen: SocketAddr,
    /// Where it listens for clients.
    pub rest: SocketAddr,
    /// Its host, as its certificate for clients names it.
    pub host: String,
    /// Nodes that it fetches from.
    pub peers: PeersFile,
}

/// Writes the folder of a node that joined, beside its key and its genesis document: the node's file, and
/// what clients of this node need.
pub fn write_joined(folder: &Path, node: &JoinedNode) -> Result<()> {
    let JoinedNode { name, listen, rest, host, peers } = node;
    let ca = node_ca_of(&folder.join(NODE_KEY_FILE))?;
    write_public(&folder.join(TLS_CA_FILE), pem_of([ca.certificate()]).as_bytes())?;
    write_node_file(folder, name, *listen, *rest, host, Some(peers.clone()))?;
    let client = ClientFile {
        nodes: vec![format!("https://{}", SocketAddrHost { host, port: rest.port() })],
        ca: TLS_CA_FILE.into(),
        genesis: GENESIS_FILE.into(),
        key: None,
    };
    write_toml(&folder.join(CLIENT_FILE), "What clients of this node need.", &client)
}

/// `host:port`, with an IPv6 address in brackets.
pub struct SocketAddrHost<'a> {
    /// The host.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

impl std::fmt::Display for SocketAddrHost<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

fn write_node(validator: &PlanValidator, out: &Path) -> Result<()> {
    let PlanValidator { name, address, rest, .. } = validator;
    let folder = out.join("nodes").join(name);
    let (host, _) = host_and_port(rest)?;
    write_node_file(&folder, name, listener(address)?, listener(rest)?, host, None)
}

fn write_node_file(
    folder: &Path,
    name: &str,
    listen: SocketAddr,
    rest: SocketAddr,
    host: &str,
    peers: Option<PeersFile>,
) -> Result<()> {
    let file = NodeFile {
        name: name.to_owned(),
        genesis: GENESIS_FILE.into(),
        key: NODE_KEY_FILE.into(),
        data: DATA_FOLDER.into(),
        listen,
        index: true,
        rest: Some(RestFile {
            listen: rest,
            hosts: hosts_of(host),
            certificate: None,
            key: None,
            rate_per_second: None,
        }),
        ct: None,
        status: None,
        gateway_key: None,
        peers,
        prune: None,
        followers: Vec::new(),
    };
    write_toml(&folder.join(NODE_FILE), "One node; run it with: tabellion node --config <this file>", &file)
}
