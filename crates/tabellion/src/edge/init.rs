//! `tabellion edge init`: the folder of an edge, and a state to begin with.

use tabellion_client::NodeTrust;
use tabellion_ledger::cbor;
use tabellion_node::store::StoreConfig;
use tabellion_node::sync::SyncSettings;

use super::InitArgs;
use crate::consortium::take_state_into;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::node_commands::{
    DATA_FOLDER, EDGE_FILE, GENESIS_FILE, NewEdge, PEERS_CA_FILE, PeersFile, write_edge, write_public,
};
use crate::output::Output;

/// Makes an edge's folder.
pub async fn init(args: InitArgs, context: &Context, output: Output) -> Done {
    let folder = &args.folder;
    if folder.join(EDGE_FILE).exists() {
        let message = format!("{} is there already", folder.join(EDGE_FILE).display());
        return Err(Failure::new(Code::Usage, message).hint("edit it, or choose another folder"));
    }
    let trust = context.trust()?;
    write_public(&folder.join(GENESIS_FILE), &cbor::to_bytes(trust.genesis()))?;
    let peers = if args.offline { None } else { Some(peers(&args, context)?) };
    if let Some(peers) = peers.as_ref().filter(|_| !args.from_genesis) {
        let settings = SyncSettings {
            genesis: trust.genesis().clone(),
            data: folder.join(DATA_FOLDER),
            peers: peers.clients(folder)?,
            store: StoreConfig::default(),
        };
        let again = format!(
            "what came in is kept; go on with the same command, or begin at the first block \
             with --from-genesis: tabellion edge init {}",
            folder.display()
        );
        take_state_into(settings, &again, output).await?;
    }
    let host = args.host.clone().unwrap_or_else(|| args.rest.ip().to_string());
    let edge = NewEdge {
        name: folder.file_name().map_or("edge".to_owned(), |name| name.to_string_lossy().into_owned()),
        peers,
        rest: args.rest,
        host,
        status: args.status,
        stale_after_s: args.stale_after.ms().div_ceil(1000),
    };
    write_edge(folder, &edge)?;
    output.line(format!("folder    {}", folder.display()));
    output.line(format!("ledger    {}", trust.ledger()));
    output.value(&serde_json::json!({ "folder": folder, "ledger": trust.ledger().to_string() }));
    output.say(format!(
        "For OCSP and CRLs name CAs in {}. Start it with:\n  tabellion edge run {}",
        folder.join(EDGE_FILE).display(),
        folder.display()
    ));
    Ok(())
}

/// The nodes of the command's network, as the edge's own file names them.
fn peers(args: &InitArgs, context: &Context) -> Result<PeersFile, Failure> {
    let mut peers = PeersFile { nodes: context.node_urls().to_vec(), ca: None, pin: None };
    if peers.nodes.is_empty() {
        return Err(Failure::new(Code::Usage, "no node is named that the edge is to follow").hint(
            "name a network with --network DIR or nodes with --node URL; with --offline blocks come in \
             files only",
        ));
    }
    match context.node_trust()? {
        NodeTrust::Authorities(pem) => {
            write_public(&args.folder.join(PEERS_CA_FILE), &pem)?;
            peers.ca = Some(PEERS_CA_FILE.into());
        }
        NodeTrust::PinnedKey(pin) => peers.pin = Some(pin),
    }
    Ok(peers)
}
