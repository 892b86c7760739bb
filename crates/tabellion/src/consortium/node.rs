//! `tabellion node invite | list | remove | rotate-key`

use std::path::Path;

use tabellion_client::{NodeTrust, Protection, SigningKey, node_key_of, rotate, write_key_file};
use tabellion_consortium::{Action, Invite, NodeKey, Owner};
use tabellion_ledger::Algorithm;
use tabellion_machine::NodeAnswer;

use super::args::{InviteArgs, NodeCommand};
use super::desk::{Desk, Me};
use super::invitation::InvitationFile;
use super::join::join;
use super::sync::sync;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::now;
use crate::node_commands::{NODE_FILE, NodeFile, read_plain_key, read_toml, write_secret};
use crate::output::{Output, moment};

/// Name of a node's next key in its folder.
const NEXT_KEY_FILE: &str = "node-key-next.pem";

/// Runs a command on nodes of the ledger.
pub async fn run(command: NodeCommand, context: &Context, output: Output) -> Done {
    match command {
        NodeCommand::Invite(args) => invite(args, context, output).await,
        NodeCommand::Join(args) => join(args, output).await,
        NodeCommand::Sync { data } => sync(&data, output).await,
        NodeCommand::List => list(context, output).await,
        NodeCommand::Remove { node } => {
            let mut desk = Desk::new(context, output)?;
            let id = desk.find_node(&node).await?;
            let Me { key, .. } = desk.me().await?;
            desk.act(&Action::RemoveNode { node: id }, &key, &format!("node {id} is removed")).await?;
            desk.close();
            Ok(())
        }
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

async fn invite(args: InviteArgs, context: &Context, output: Output) -> Done {
    let InviteArgs { name, role, expires, out } = args;
    if out.exists() {
        return Err(Failure::new(Code::Usage, format!("{} exists already", out.display())));
    }
    let mut desk = Desk::new(context, output)?;
    let Me { key, record } = desk.me().await?;
    let secret = generate()?;
    let public = public_of(&secret)?;
    let expires = now().plus(expires.ms());
    let (ca, pin) = match context.node_trust()? {
        NodeTrust::Authorities(pem) => (Some(String::from_utf8_lossy(&pem).into_owned()), None),
        NodeTrust::PinnedKey(pin) => (None, Some(pin)),
    };
    let pkcs8 = secret.to_pkcs8().map_err(|error| Failure::of(Code::Error, &error))?;
    let file = InvitationFile {
        ledger: desk.ledger(),
        member: record.member.clone(),
        name: name.clone(),
        role,
        expires_ms: expires,
        nodes: context.node_urls().to_vec(),
        ca,
        pin,
        key: pem::encode(&pem::Pem::new("PRIVATE KEY", pkcs8)),
    };
    let text = toml::to_string(&file).map_err(|error| Failure::of(Code::Error, &error))?;
    // Before it is recorded: a crash leaves a file that lets nobody in, not an invitation without its key.
    write_secret(&out, text.as_bytes())?;
    let action = Action::Invite(Invite { key: public, role, name: name.clone(), expires });
    let what = format!("invitation of {role} node {name} of {}", record.member);
    if let Err(failure) = desk.act(&action, &key, &what).await {
        let _ = std::fs::remove_file(&out);
        return Err(failure);
    }
    output.say(format!(
        "{} lets one node in until {}. Keep it as secret as a key.",
        out.display(),
        moment(expires)
    ));
    output.say("On the node's host: tabellion node join FILE --data DIR --listen ADDRESS");
    desk.close();
    Ok(())
}

fn generate() -> Result<SigningKey, Failure> {
    SigningKey::generate(Algorithm::Ed25519).map_err(|error| Failure::of(Code::Error, &error))
}

fn public_of(key: &SigningKey) -> Result<NodeKey, Failure> {
    node_key_of(key).ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519; this is another one"))
}

/// Registers a next key for the node in `folder`. The present key serves until the end of the epoch.
async fn rotate_key(folder: &Path, context: &Context, output: Output) -> Done {
    let node: NodeFile = read_toml(&folder.join(NODE_FILE))?;
    let present = read_plain_key(&folder.join(&node.key))?;
    let mut desk = Desk::new(context, output)?;
    let unknown = || Failure::new(Code::Error, "no node of the ledger has the key of this folder");
    let Some(owner) = desk.party.owner(&present.id(), now()).await? else { return Err(unknown()) };
    let Owner::Node(id) = owner.owner else { return Err(unknown()) };
    let next_file = folder.join(NEXT_KEY_FILE);
    if !next_file.exists() {
        write_key_file(&next_file, &generate()?, &Protection::PlainText)?;
    }
    let next = read_plain_key(&next_file)?;
    let rotation = rotate(&id, &present, &next, &desk.ledger(), &owner.member);
    let rotation = rotation.map_err(|error| Failure::of(Code::Error, &error))?;
    let rotation = rotation.ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519"))?;
    let Me { key, .. } = desk.me().await?;
    desk.act(&Action::RotateNode(rotation), &key, &format!("next key of node {id}")).await?;
    output.say(format!(
        "The node goes on with its present key until the end of the epoch (`tabellion node list --json` then \
         shows the next one as its key). Then stop it, and start it with the next key:\n  mv {} {}",
        next_file.display(),
        folder.join(&node.key).display()
    ));
    desk.close();
    Ok(())
}
