//! `tabellion dev`: four validators of four organisations in one process, to try everything out.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use tabellion_consortium::{LedgerKind, Parameters, Role};
use tabellion_node::Node;

use super::files::{CLIENT_FILE, GENESIS_FILE, NODE_FILE, NodeFile, read_toml, write_toml};
use super::network::write_network;
use super::plan::{Plan, PlanMember, PlanValidator};
use super::run::run_until_stopped;
use super::running::Running;
use super::status_file::StatusFile;

/// Where Debian keeps the certificates of public CAs.
const SYSTEM_ANCHORS: &str = "/etc/ssl/certs/ca-certificates.crt";
/// How far above the first port those for OCSP, CRLs and IKEv2 look-up begin.
const STATUS_PORTS: u16 = 40;
/// The organisations of a network on one machine.
const MEMBERS: [(&str, &str); 4] = [
    ("alpha", "Alpha Telecom"),
    ("bravo", "Bravo Mobile"),
    ("charlie", "Charlie Networks"),
    ("delta", "Delta Certificates"),
];

/// Runs a whole network on this machine: four validators, each with its own key, store and TLS.
///
/// The first start makes keys and genesis document in the data folder; later starts go on with them.
#[derive(Args, Debug)]
pub struct DevArgs {
    /// The network's folder.
    #[arg(long, value_name = "FOLDER", default_value = "tabellion-data")]
    pub data: PathBuf,
    /// Delete the folder's network first and begin anew.
    #[arg(long)]
    pub fresh: bool,
    /// PEM files, or folders, with the certificates of the trusted CAs [default: the system's].
    #[arg(long = "anchors", value_name = "FILE")]
    pub anchors: Vec<PathBuf>,
    /// What the certificate lane records: full (certificates) or identifiers (their hashes).
    #[arg(long, value_name = "KIND", default_value = "full")]
    pub kind: LedgerKind,
    /// First of the eight ports on 127.0.0.1: four for REST, then four between the nodes. Forty above it are
    /// four for OCSP, CRLs and IKEv2 look-up.
    #[arg(long, value_name = "PORT", default_value_t = 8441)]
    pub port: u16,
}

/// Runs the network until SIGINT or SIGTERM.
pub async fn dev(args: &DevArgs) -> Result<()> {
    if args.fresh {
        remove_network(&args.data)?;
    }
    if !args.data.join(GENESIS_FILE).exists() {
        let plan = plan(args)?;
        let here = std::env::current_dir().context("cannot tell the current folder")?;
        write_network(&plan, &here, &args.data, tabellion_node::now())?;
        give_faces(&args.data, args.port)?;
    }
    let mut nodes = Vec::new();
    for (id, _) in MEMBERS {
        let started = Running::start(&node_file(&args.data, id)).await;
        nodes.push(started.with_context(|| format!("node {id} does not start"))?);
    }
    tell(args, &nodes);
    run_until_stopped(nodes).await
}

fn node_file(data: &Path, id: &str) -> PathBuf {
    data.join("nodes").join(id).join(NODE_FILE)
}

/// Deletes what an earlier `dev` made; refuses a folder that holds something else.
fn remove_network(data: &Path) -> Result<()> {
    if !data.exists() {
        return Ok(());
    }
    if !data.join(GENESIS_FILE).exists() && std::fs::read_dir(data)?.next().is_some() {
        bail!("{} holds no network; --fresh deletes only what an earlier start made", data.display());
    }
    std::fs::remove_dir_all(data).with_context(|| format!("cannot delete {}", data.display()))
}

fn plan(args: &DevArgs) -> Result<Plan> {
    let anchors = match args.anchors.as_slice() {
        [] if Path::new(SYSTEM_ANCHORS).exists() => vec![PathBuf::from(SYSTEM_ANCHORS)],
        [] => bail!("{SYSTEM_ANCHORS} is not there; name the trusted CAs with --anchors FILE"),
        given => given.to_vec(),
    };
    let roles = vec![Role::CertificationAuthority, Role::CertificateUser, Role::Auditor, Role::Operator];
    let member = |(id, name): &(&str, &str)| -> Result<PlanMember> {
        Ok(PlanMember { id: id.parse()?, name: (*name).to_owned(), roles: roles.clone(), keys: Vec::new() })
    };
    let mut validators = Vec::new();
    for (place, (id, _)) in MEMBERS.iter().enumerate() {
        let offset = u16::try_from(place)?;
        let port = |first: u16| first.checked_add(offset).context("the ports end at 65535");
        let between = args.port.checked_add(4).context("the ports end at 65535")?;
        validators.push(PlanValidator {
            name: (*id).to_owned(),
            member: id.parse()?,
            address: format!("127.0.0.1:{}", port(between)?),
            rest: format!("127.0.0.1:{}", port(args.port)?),
            key: None,
        });
    }
    let mut parameters = Parameters::default();
    parameters.certificate.kind = args.kind;
    let members: Result<Vec<_>> = MEMBERS.iter().map(member).collect();
    Ok(Plan { name: "dev".to_owned(), anchors, members: members?, validators, parameters })
}

/// Each node signs for its organisation's clients that cannot, and looks certificates up for IKEv2; OCSP and
/// CRLs begin once its file names CAs.
fn give_faces(data: &Path, port: u16) -> Result<()> {
    for (place, (id, _)) in MEMBERS.iter().enumerate() {
        let file = node_file(data, id);
        let mut node: NodeFile = read_toml(&file)?;
        let port =
            u16::try_from(place)?.checked_add(STATUS_PORTS).and_then(|offset| port.checked_add(offset));
        let port = port.context("the ports end at 65535")?;
        node.status = Some(StatusFile::new(([127, 0, 0, 1], port).into()));
        node.gateway_key = Some(format!("../../keys/{id}.pem").into());
        write_toml(&file, "One node; run it with: tabellion node --config <this file>", &node)?;
    }
    Ok(())
}

fn tell(args: &DevArgs, nodes: &[Running]) {
    let nodes: Vec<&Node> = nodes.iter().map(Running::node).collect();
    let ledger = nodes.first().map(|node| node.core().ledger().to_string()).unwrap_or_default();
    eprintln!("ledger {ledger}");
    for (node, (_, name)) in nodes.iter().zip(MEMBERS) {
        if let Some(address) = node.face_address() {
            eprintln!("  {name:<20} https://{address}");
        }
        if let Some(address) = node.status_address() {
            eprintln!("  {:<20} http://{address} (OCSP, CRLs, IKEv2)", "");
        }
    }
    let data = args.data.display();
    eprintln!(
        "\nFour validators are running; data and keys are in {data}. Stop with Ctrl-C. In another terminal:"
    );
    eprintln!("  tabellion ledger status --network {data}");
    eprintln!("  tabellion cert publish chain.pem --network {data}");
    eprintln!("  tabellion cert verify certificate.pem --network {data}");
    if let Some(address) = nodes.first().and_then(|node| node.face_address()) {
        eprintln!("  curl --cacert {data}/tls-ca.pem https://{address}/v1/ledger");
    }
    eprintln!("Clients find all they need in {data}/{CLIENT_FILE}.");
}
