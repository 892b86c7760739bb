//! `tabellion node invite | replace | invitations | cancel-invitation`

use std::path::{Path, PathBuf};

use serde::Serialize;
use tabellion_client::{NodeTrust, SigningKey, node_key_of};
use tabellion_consortium::{
    Action, Invitation, Invitations, Invite, Node, NodeKey, NodeRole, invitation_key, invitations_key,
};
use tabellion_ledger::{Algorithm, KeyId, MemberId};

use super::args::{InviteArgs, ReplaceArgs};
use super::desk::{Desk, Me, Sought};
use super::invitation::InvitationFile;
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::moment::{Span, now};
use crate::node_commands::{read_toml, write_secret};
use crate::output::{Output, moment};

/// Invites a node.
pub async fn invite(args: InviteArgs, context: &Context, output: Output) -> Done {
    let InviteArgs { name, role, expires, out } = args;
    let mut desk = Desk::new(context, output)?;
    let me = desk.me().await?;
    invite_node(name, role, expires, out, &me, &mut desk).await?;
    output.say("On the node's host: tabellion node join FILE --data DIR --listen ADDRESS");
    desk.close();
    Ok(())
}

/// Invites a successor for a node that is lost.
pub async fn replace(args: ReplaceArgs, context: &Context, output: Output) -> Done {
    let ReplaceArgs { old, expires, out } = args;
    let mut desk = Desk::new(context, output)?;
    let old = desk.find_node(&old, Sought::Validator).await?;
    let me = desk.me().await?;
    if me.record.member != old.member {
        let message = format!("node {} belongs to {}, the key to {}", old.name, old.member, me.record.member);
        return Err(Failure::new(Code::Refused, message).hint(
            "its member invites its successor; `propose replace-validator OLD --by NODE` gives its place to \
             a node of another",
        ));
    }
    // A validator's successor follows first, and gets the vote by the members' decision.
    let role = if old.is_validator() { NodeRole::Full } else { old.role };
    let Node { id, name, .. } = &old;
    invite_node(name.clone(), role, expires, out.clone(), &me, &mut desk).await?;
    let out = out.display();
    output.say(format!(
        "On the new host:\n  tabellion node join {out} --data {name} --listen ADDRESS\n  \
         tabellion node --config {name}\n  tabellion node status --data {name}    says \
         when the next step is due"
    ));
    match old.is_validator() {
        true => output.say(format!(
            "After its probation, any member:\n  tabellion propose replace-validator {name}\nThen, to take \
             the lost one off the ledger:\n  tabellion node remove {id}"
        )),
        false => output.say(format!("Then, to take the lost one off:\n  tabellion node remove {id}")),
    }
    desk.close();
    Ok(())
}

/// Writes the file of an invitation and has it recorded.
async fn invite_node(
    name: String,
    role: NodeRole,
    expires: Span,
    out: PathBuf,
    me: &Me,
    desk: &mut Desk<'_>,
) -> Done {
    let (context, output) = (desk.context, desk.output);
    if out.exists() {
        return Err(Failure::new(Code::Usage, format!("{} exists already", out.display())));
    }
    let Me { key, record } = me;
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
    if let Err(failure) = desk.act(&action, key, &what).await {
        let _ = std::fs::remove_file(&out);
        return Err(failure);
    }
    output.say(format!(
        "{} lets one node in until {}. Keep it as secret as a key.",
        out.display(),
        moment(expires)
    ));
    Ok(())
}

#[derive(Serialize)]
struct Shown {
    id: KeyId,
    #[serde(flatten)]
    invitation: Invitation,
}

/// Lists the invitations of a member that can still be used.
pub async fn list(member: Option<MemberId>, context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    let member = desk.member_or_me(member).await?;
    let open: Invitations = desk.read(invitations_key(&member)).await?.unwrap_or_default();
    for (id, expires) in open.0 {
        let Some(invitation) = desk.read::<Invitation>(invitation_key(&id)).await? else { continue };
        let Invitation { name, role, .. } = &invitation;
        let until = if expires < now() { "expired at" } else { "until" };
        output.line(format!("{id}  {role:<9} {name} of {member} {until} {}", moment(expires)));
        output.value(&Shown { id, invitation });
    }
    desk.close();
    Ok(())
}

/// Takes an invitation back.
pub async fn cancel(invitation: &str, context: &Context, output: Output) -> Done {
    let invitation = match invitation.to_lowercase().parse::<KeyId>() {
        Ok(id) => id,
        Err(_) => key_of(&read_toml(Path::new(invitation))?)?.id(),
    };
    let mut desk = Desk::new(context, output)?;
    let Me { key, .. } = desk.me().await?;
    let what = format!("invitation {invitation} is taken back");
    desk.act(&Action::CancelInvitation { invitation }, &key, &what).await?;
    desk.close();
    Ok(())
}

fn key_of(file: &InvitationFile) -> Result<SigningKey, Failure> {
    let block = pem::parse(&file.key).ok();
    let key = block.and_then(|block| SigningKey::from_pkcs8(block.contents()).ok());
    key.ok_or_else(|| Failure::new(Code::Error, "the invitation holds no key"))
}

pub fn generate() -> Result<SigningKey, Failure> {
    SigningKey::generate(Algorithm::Ed25519).map_err(|error| Failure::of(Code::Error, &error))
}

fn public_of(key: &SigningKey) -> Result<NodeKey, Failure> {
    node_key_of(key).ok_or_else(|| Failure::new(Code::Error, "a node's key is Ed25519; this is another one"))
}
