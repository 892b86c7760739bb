//! `tabellion member`

use std::path::Path;

use serde::Serialize;
use tabellion_client::{ProvedBy, SigningKey, offer_key};
use tabellion_consortium::{
    Account, Accounts, Action, KeyOffer, KeyRecord, Member, Members, NewMember, Nodes, Purpose, account_key,
    accounts_key, key_key, member_key, members_key, nodes_key,
};
use tabellion_ledger::MemberId;

use super::args::{MemberCommand, MemberKeyCommand};
use super::desk::{Desk, Me, words};
use crate::cert::{Signed, by_text};
use crate::context::{Context, write_file};
use crate::failure::{Code, Done, Failure};
use crate::output::{Output, moment};

/// Runs a command on members.
pub async fn run(command: MemberCommand, context: &Context, output: Output) -> Done {
    match command {
        MemberCommand::List => list(context, output).await,
        MemberCommand::Show { member } => show(member, context, output).await,
        MemberCommand::Describe { name, contact } => describe(name, contact, context, output).await,
        MemberCommand::Offer { id, name, contact, mut roles, out } => {
            roles.sort();
            roles.dedup();
            let keys = vec![offer(context, &context.key()?, &id, Purpose::Member)?];
            write_offer(&out, &NewMember { id, name, contact, keys, roles }, output)
        }
        MemberCommand::Key(command) => key(command, context, output).await,
    }
}

/// Shows that a key is held.
pub fn offer(
    context: &Context,
    key: &SigningKey,
    member: &MemberId,
    purpose: Purpose<'_>,
) -> Result<KeyOffer, Failure> {
    let ledger = context.trust()?.ledger();
    offer_key(key, &ledger, member, purpose).map_err(|error| Failure::of(Code::Error, &error))
}

fn write_offer(out: &Path, offer: &impl Serialize, output: Output) -> Done {
    let text = serde_json::to_vec_pretty(offer).map_err(|error| Failure::of(Code::Error, &error))?;
    write_file(out, &text)?;
    output.value(offer);
    output.line(format!("written   {}", out.display()));
    output.say("It holds no secret. A member proposes it to the others: tabellion propose --help");
    Ok(())
}

/// The record of a member, proved.
pub async fn find(desk: &mut Desk<'_>, id: &MemberId) -> Result<(Member, ProvedBy), Failure> {
    let (member, by) = desk.read_with_proof(member_key(id)).await?;
    let none = || {
        Failure::new(Code::Error, format!("{id} is no member of this ledger ({})", by_text(&by)))
            .hint("`tabellion member list` shows the members")
    };
    Ok((member.ok_or_else(none)?, by))
}

async fn list(context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    let members: Members = desk.founded(members_key()).await?;
    for (id, _) in members.0 {
        let (member, _) = find(&mut desk, &id).await?;
        let Member { name, status, roles, .. } = &member;
        output.line(format!("{:<16} {:<10} {name}: {}", id.as_str(), status.name(), words(roles)));
        output.value(&member);
    }
    desk.close();
    Ok(())
}

#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    member: Member,
    accounts: Vec<Account>,
    nodes: Vec<String>,
    proved_by: Signed,
}

async fn show(member: Option<MemberId>, context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    let id = desk.member_or_me(member).await?;
    let (member, by) = find(&mut desk, &id).await?;
    let nodes: Nodes = desk.read(nodes_key()).await?.unwrap_or_default();
    let nodes = nodes.0.into_iter().filter(|(_, owner)| *owner == id).map(|(node, _)| node.to_string());
    let nodes: Vec<String> = nodes.collect();
    output.line(format!("member        {id}"));
    output.line(format!("name          {}", member.name));
    output.line(format!("contact       {}", member.contact));
    let since = member.since;
    output.line(format!(
        "status        {} since block {} ({})",
        member.status,
        since.height,
        moment(since.time)
    ));
    output.line(format!("roles         {}", words(&member.roles)));
    output.line(format!("quota         {}", serde_json::to_string(&member.quota).unwrap_or_default()));
    for key in &member.keys {
        let record: Option<KeyRecord> = desk.read(key_key(key)).await?;
        let algorithm = record.map(|record| record.key.algorithm().to_string()).unwrap_or_default();
        output.line(format!("key           {key} {algorithm}"));
    }
    let accounts = accounts(&mut desk, &id).await?;
    for account in &accounts {
        output.line(format!("account       {}: {}", account.name, words(&account.roles)));
    }
    nodes.iter().for_each(|node| output.line(format!("node          {node}")));
    output.line(format!("proof         {}", by_text(&by)));
    output.value(&Shown { member, accounts, nodes, proved_by: Signed::from(&by) });
    desk.close();
    Ok(())
}

/// The open accounts of a member, proved.
pub async fn accounts(desk: &mut Desk<'_>, member: &MemberId) -> Result<Vec<Account>, Failure> {
    let names: Accounts = desk.read(accounts_key(member)).await?.unwrap_or_default();
    let mut accounts = Vec::new();
    for name in names.0 {
        accounts.extend(desk.read::<Account>(account_key(member, &name)).await?);
    }
    Ok(accounts)
}

async fn describe(name: Option<String>, contact: Option<String>, context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    let Me { key, record } = desk.me().await?;
    let (member, _) = find(&mut desk, &record.member).await?;
    let (name, contact) = (name.unwrap_or(member.name), contact.unwrap_or(member.contact));
    desk.act(&Action::Describe { name, contact }, &key, "name and contact").await?;
    desk.close();
    Ok(())
}

async fn key(command: MemberKeyCommand, context: &Context, output: Output) -> Done {
    if let MemberKeyCommand::Offer { member, out } = &command {
        return write_offer(out, &offer(context, &context.key()?, member, Purpose::Member)?, output);
    }
    let mut desk = Desk::new(context, output)?;
    let Me { key, record } = desk.me().await?;
    let (action, what) = match &command {
        MemberKeyCommand::Add { file } => {
            let new = context.open_key(file)?;
            let what = format!("key {} of {}", new.id(), record.member);
            (Action::AddKey(offer(context, &new, &record.member, Purpose::Member)?), what)
        }
        MemberKeyCommand::Retire { key } => {
            (Action::RetireKey { key: *key }, format!("key {key} is retired"))
        }
        MemberKeyCommand::Offer { .. } => return Ok(()),
    };
    desk.act(&action, &key, &what).await?;
    desk.close();
    Ok(())
}
