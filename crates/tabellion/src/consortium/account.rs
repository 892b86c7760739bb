//! `tabellion account`

use tabellion_consortium::{Action, NewAccount, Purpose};

use super::args::{AccountCommand, AccountKeyCommand};
use super::desk::{Desk, Me, words};
use super::member::{accounts, offer};
use crate::context::Context;
use crate::failure::{Code, Done, Failure};
use crate::output::Output;

/// Runs a command on accounts.
pub async fn run(command: AccountCommand, context: &Context, output: Output) -> Done {
    let mut desk = Desk::new(context, output)?;
    if let AccountCommand::List { member } = command {
        let member = desk.member_or_me(member).await?;
        for account in accounts(&mut desk, &member).await? {
            output.line(format!(
                "{:<16} {}: {}",
                account.name.as_str(),
                account.about,
                words(&account.roles)
            ));
            account.keys.iter().for_each(|key| output.line(format!("  key  {key}")));
            output.value(&account);
        }
        desk.close();
        return Ok(());
    }
    let me = desk.me().await?;
    let (action, what) = action(command, &me, context)?;
    desk.act(&action, &me.key, &what).await?;
    desk.close();
    Ok(())
}

fn action(command: AccountCommand, me: &Me, context: &Context) -> Result<(Action, String), Failure> {
    let member = &me.record.member;
    Ok(match command {
        AccountCommand::Open { name, about, keys, mut roles } => {
            roles.sort();
            roles.dedup();
            let key = |file| offer(context, &context.open_key(file)?, member, Purpose::Account(&name));
            let keys: Result<Vec<_>, Failure> = keys.iter().map(|file| key(file)).collect();
            let keys = keys?;
            let what = format!("account {name} of {member}");
            (Action::OpenAccount(NewAccount { name, about, keys, roles }), what)
        }
        AccountCommand::Describe { name, about } => {
            let what = format!("account {name}");
            (Action::DescribeAccount { name, about }, what)
        }
        AccountCommand::Close { name } => {
            let what = format!("account {name} is closed");
            (Action::CloseAccount { name }, what)
        }
        AccountCommand::Grant { name, role } => {
            let what = format!("account {name} is {role}");
            (Action::GrantAccountRole { name, role }, what)
        }
        AccountCommand::Revoke { name, role } => {
            let what = format!("account {name} is no {role} any more");
            (Action::RevokeAccountRole { name, role }, what)
        }
        AccountCommand::Key(AccountKeyCommand::Add { name, file }) => {
            let new = context.open_key(&file)?;
            let what = format!("key {} of account {name}", new.id());
            let key = offer(context, &new, member, Purpose::Account(&name))?;
            (Action::AddAccountKey { name, key }, what)
        }
        AccountCommand::Key(AccountKeyCommand::Retire { name, key }) => {
            let what = format!("key {key} of account {name} is retired");
            (Action::RetireAccountKey { name, key }, what)
        }
        AccountCommand::List { .. } => return Err(Failure::new(Code::Usage, "listing signs nothing")),
    })
}
