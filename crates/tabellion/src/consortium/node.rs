//! `tabellion node list | remove | rotate-key`, and the way to the others

use std::path::Path;

use tabellion_client::{Protection, node_key_of, rotate, write_key_file};
use tabellion_consortium::{Action, Node, Owner, node_key};
use tabellion_machine::NodeAnswer;

use super::args::NodeCommand;
use super::cas::cas;
use super::desk::{Desk, Me, Sought};
use super::drain::drain;
use super::invite::{self, generate};
use super::join::join;
use super::prune::{prune, restore};
use super::status::status;
use super::sync::sync;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::node_commands::{NEXT_KEY_FILE, NODE_FILE, NodeFile, keep_ca_link, read_plain_key, read_toml};
use crate::output::Output;

/// Runs a command on nodes of the ledger.
pub async fn run(command: NodeCommand, context: &Context, output: Output) -> Done {
    match command {
        NodeCommand::Invite(args) => invite::invite(args, context, output).await,
        NodeCommand::Join(args) => join(args, output).await,
        NodeCommand::Sync { data } => sync(&data, output).await,
        NodeCommand::List => list(context, output).await,
        NodeCommand::Remove { node } => {
            let mut desk = Desk::new(context, output)?;
            let Node { id, name, .. } = desk.find_node(&node, Sought::WithoutVote).await?;
            let Me { key, .. } = desk.me().await?;
            desk.act(&Action::RemoveNode { node: id }, &key, &format!("node {name} ({id}) is removed"))
                .await?;
            desk.close();
            Ok(())
        }
        NodeCommand::Status(args) => status(args, context, output).await,
        NodeCommand::Drain(args) => drain(args, context, output).await,
        NodeCommand::Prune(args) => prune(args, context, output).await,
        NodeCommand::Restore(args) => restore(args, output).await,
        NodeCommand::Replace(args) => invite::replace(args, context, output).await,
        NodeCommand::Invitations { member } => invite::list(member, context, output).await,
        NodeCommand::CancelInvitation { invitation } => invite::cancel(&invitation, context, output).await,
        NodeCommand::Cas { out } => cas(out, context, output).await,
        NodeCommand::RotateKey { data } => rotate_key(&data, context, output).await,
    }
}

async fn list(context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    for node in desk.nodes().await? {
        let reports = match node.is_validator() {
            true => String::new(),
            false => format!("  {} healthy epochs", node.reports),
        };
        output.line(format!(
            "{}  {:<9} {} of {} at {}{reports}",
            node.id, node.role, node.name, node.member, node.address
        ));
        output.value(&NodeAnswer::from(&node));
    }
    desk.close();
    Ok(())
}

/// Registers a next key for the node in `folder`. The present key serves until the end of the epoch.
async fn rotate_key(folder: &Path, context: &Context, output: Output) -> Done {
    let node: NodeFile = read_toml(&folder.join(NODE_FILE))?;
    let present = read_plain_key(&folder.join(&node.key))?;
    let mut desk = Desk::new(context, output)?;
    let unknown = || Failure::new(Code::Error, "no node of the ledger has the key of this folder");
    let Some(owner) = desk.party.owner(&present.id(), now()).await? else { return Err(unknown()) };
    let Owner::Node(id) = owner.owner else { return Err(unknown()) };
    let record: Node = desk.read(node_key(&id)).await?.ok_or_else(unknown)?;
    let next_file = folder.join(NEXT_KEY_FILE);
    if !next_file.exists() {
        if record.next_key.is_some() {
            let message = format!(
                "node {}: a next key waits already, and {} is not there",
                record.name,
                next_file.display()
            );
            return Err(Failure::new(Code::Error, message).hint("bring its file back; it takes over soon"));
        }
        write_key_file(&next_file, &generate()?, &Protection::PlainText)?;
    }
    let next = read_plain_key(&next_file)?;
    // Both keys are at hand now, and never again: clients that know the node by the present one follow.
    keep_ca_link(folder, &present, &next)?;
    let next_key = node_key_of(&next);
    // Otherwise an earlier try came through; the key may even have taken over by now.
    if ![Some(record.key), record.next_key].contains(&next_key) {
        let rotation = rotate(&id, &present, &next, &desk.ledger(), &owner.member);
        let rotation = rotation.map_err(|error| Failure::of(Code::Error, &error))?;
        let rotation = rotation.ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519"))?;
        let Me { key, .. } = desk.me().await?;
        desk.act(&Action::RotateNode(rotation), &key, &format!("next key of node {}", record.name)).await?;
    }
    output.say(format!(
        "The node changes over by itself when the epoch ends, within seconds on an idle ledger; leave {} \
         where it is. `tabellion node status --data {}` shows it.",
        next_file.display(),
        folder.display()
    ));
    desk.close();
    Ok(())
}
