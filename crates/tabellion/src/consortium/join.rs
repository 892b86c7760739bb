//! `tabellion node join`: from an invitation to a node's folder.
//!
//! ```text
//! invitation -> genesis document (its hash is the ledger's name) -> trust -> invitation on record, open?
//!   `-> node key (kept, so that a second try is the same node) -> Join, recorded -> node.toml, client.toml
//!         `-> state sync
//! ```

use std::net::SocketAddr;
use std::path::Path;

use tabellion_client::{
    LightClient, NodeClient, NodeTrust, RelyingParty, SigningKey, Trust, join as join_action, node_key_of,
};
use tabellion_consortium::{
    Action, Invitation, InvitationStatus, NodeId, boundary_key, epoch_of, invitation_key, parameters_key,
};
use tabellion_consortium::{Boundary, Parameters};
use tabellion_ledger::LedgerId;
use tabellion_node::sync::STORE_FOLDER;

use super::args::JoinArgs;
use super::invitation::InvitationFile;
use super::sync::sync;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::node_commands::{
    DATA_FOLDER, GENESIS_FILE, JoinedNode, NODE_KEY_FILE, PEERS_CA_FILE, PeersFile, TLS_CA_FILE, key_or_new,
    read_toml, write_joined, write_public,
};
use crate::output::Output;

/// How long to wait for the record.
const WAIT: std::time::Duration = std::time::Duration::from_secs(60);

/// Joins a ledger by an invitation.
pub async fn join(args: JoinArgs, output: Output) -> Done {
    let invitation: InvitationFile = read_toml(&args.invitation)?;
    let secret = secret_of(&invitation)?;
    let mut party = party(&invitation, &args.data).await?;
    let key = key_or_new(&args.data.join(NODE_KEY_FILE))?;
    let node = node_key_of(&key);
    let id = NodeId(node.ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519"))?.id());
    let address = args.address.clone().unwrap_or_else(|| args.listen.to_string());
    let host = args.host.clone().unwrap_or_else(|| host_of(&address).to_owned());
    check_reachable(&address)?;
    if must_join(&mut party, &secret, id).await? {
        let ledger = invitation.ledger;
        let action = join_action(&key, &secret.id(), &ledger, &invitation.member, &address);
        let action = action.map_err(|error| Failure::of(Code::Error, &error))?;
        let action = action.ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519"))?;
        let joined = party.govern(&Action::Join(action), &secret, now(), WAIT).await?;
        let Some(height) = joined.recorded.and_then(|answer| answer.height) else {
            return Err(Failure::new(Code::Error, format!("{} is not recorded yet", joined.transaction))
                .hint("run the same command again: the node's key is kept"));
        };
        output.line(format!("recorded  node {} of {} in block {height}", invitation.name, invitation.member));
    }
    let JoinArgs { data, listen, rest, .. } = &args;
    let (name, peers) = (invitation.name.clone(), peers(&invitation, data)?);
    write_joined(data, &JoinedNode { name, listen: *listen, rest: *rest, host, peers })?;
    if !args.no_sync && !data.join(DATA_FOLDER).join(STORE_FOLDER).exists() {
        sync(data, output).await?;
    }
    tell(&invitation, id, data, &mut party, output).await
}

/// The nodes that the invitation names, as the node's own file will.
fn peers(invitation: &InvitationFile, data: &Path) -> Result<PeersFile, Failure> {
    let mut peers = PeersFile { nodes: invitation.nodes.clone(), ca: None, pin: invitation.pin };
    if let Some(ca) = &invitation.ca {
        write_public(&data.join(PEERS_CA_FILE), ca.as_bytes())?;
        peers.ca = Some(PEERS_CA_FILE.into());
    }
    Ok(peers)
}

async fn tell(
    invitation: &InvitationFile,
    id: NodeId,
    data: &Path,
    party: &mut RelyingParty,
    output: Output,
) -> Done {
    let parameters: Parameters = party.founded(parameters_key(), now()).await?;
    let boundary: Option<Boundary> = party.consortium(boundary_key(), now()).await?;
    let epoch_blocks = parameters.block.epoch_blocks;
    let epoch =
        epoch_of(boundary.map_or_else(Default::default, |boundary| boundary.height.next()), epoch_blocks);
    output.line(format!("node      {id}"));
    output.line(format!("folder    {}", data.display()));
    output.value(&serde_json::json!({
        "node": id.to_string(), "member": invitation.member, "name": invitation.name, "folder": data,
    }));
    output.say(format!(
        "The other nodes know it from block {} on, when the epoch ends. Start it with:\n  \
         tabellion node --config {}\n\
         Clients know it by {}; from the ledger they get the same with `tabellion node cas --node URL`.",
        (epoch + 1).saturating_mul(epoch_blocks),
        data.display(),
        data.join(TLS_CA_FILE).display()
    ));
    Ok(())
}

fn secret_of(invitation: &InvitationFile) -> Result<SigningKey, Failure> {
    let wrong = || {
        Failure::new(Code::Error, "the invitation holds no key").hint("expected is a file of `node invite`")
    };
    let block = pem::parse(&invitation.key).map_err(|_| wrong())?;
    SigningKey::from_pkcs8(block.contents()).map_err(|_| wrong())
}

/// Trust from the genesis document: its hash stands in the invitation, so it may come from anybody.
async fn party(invitation: &InvitationFile, data: &Path) -> Result<RelyingParty, Failure> {
    let trust = match (&invitation.ca, invitation.pin) {
        (Some(ca), _) => NodeTrust::Authorities(ca.clone().into_bytes()),
        (None, Some(pin)) => NodeTrust::PinnedKey(pin),
        (None, None) => return Err(Failure::new(Code::Error, "the invitation names no CA of the nodes")),
    };
    let nodes = NodeClient::new(&invitation.nodes, &trust)?;
    let document = nodes.genesis().await?;
    let (found, expected) = (LedgerId::of(&document), invitation.ledger);
    if found != expected {
        let message = format!("{} serves ledger {found}, the invitation is for {expected}", nodes.node());
        return Err(Failure::new(Code::Proof, message).hint("ask the member that invited the node"));
    }
    let trust = Trust::from_bytes(&document)?;
    write_public(&data.join(GENESIS_FILE), &document)?;
    Ok(RelyingParty::new(nodes, LightClient::new(trust), u64::MAX))
}

/// Whether the node has still to join; false where an earlier try came through.
async fn must_join(party: &mut RelyingParty, secret: &SigningKey, id: NodeId) -> Result<bool, Failure> {
    let found: Option<Invitation> = party.consortium(invitation_key(&secret.id()), now()).await?;
    let refused = |message: String| {
        Err(Failure::new(Code::Refused, message)
            .hint("ask the member for a new invitation: tabellion node invite"))
    };
    match found {
        None => refused("this invitation is not on the ledger".to_owned()),
        Some(Invitation { status: InvitationStatus::Used(node), .. }) if node == id => Ok(false),
        Some(Invitation { status: InvitationStatus::Used(node), .. }) => {
            refused(format!("this invitation was used by node {node}"))
        }
        Some(Invitation { status: InvitationStatus::Cancelled, .. }) => {
            refused("this invitation was taken back".to_owned())
        }
        Some(Invitation { expires, .. }) if expires < now() => {
            refused(format!("this invitation expired at {}", crate::output::moment(expires)))
        }
        Some(_) => Ok(true),
    }
}

fn host_of(address: &str) -> &str {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    host.trim_matches(['[', ']'])
}

/// An address that says "every interface" is none that others can reach.
fn check_reachable(address: &str) -> Done {
    match address.parse::<SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() => {
            Err(Failure::new(Code::Usage, format!("{address} is no address that other nodes reach"))
                .hint("name one with --address HOST:PORT"))
        }
        _ => Ok(()),
    }
}
