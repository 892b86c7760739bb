//! What a member does with its accounts.

use tabellion_ledger::KeyId;

use super::member::{require_accepted, require_room};
use crate::account::{Account, AccountName, Accounts};
use crate::action::NewAccount;
use crate::draft::Draft;
use crate::event::Event;
use crate::key::accounts_key;
use crate::limits::ACCOUNTS_PER_MEMBER_MAX;
use crate::member::Role;
use crate::refusal::Refusal;
use crate::signing::{KeyOffer, Owner};
use crate::view::{self, Submitter};

pub(super) fn open(new: &NewAccount, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let (member, name) = (by.member.clone(), new.name.clone());
    if let Some(found) = view::account(draft.view(), &member, &name) {
        return Err(Refusal::AccountExists { member, account: name, height: found.since.height });
    }
    let mut names = view::accounts(draft.view(), &member);
    let (count, count_max) = (names.len(), ACCOUNTS_PER_MEMBER_MAX);
    if count >= count_max {
        return Err(Refusal::TooManyAccounts { member, count, count_max });
    }
    new.roles.iter().try_for_each(|role| require_held(*role, by))?;
    let mut keys = Vec::new();
    for offer in &new.keys {
        require_accepted(offer, draft)?;
        keys.push(draft.add_key(&offer.key, &member, Owner::Account(name.clone()))?);
    }
    let place = names.partition_point(|other| *other < name);
    names.insert(place, name.clone());
    draft.put(accounts_key(&member), &Accounts(names));
    let (about, roles, since) = (new.about.clone(), new.roles.clone(), draft.now());
    draft.put_account(&Account {
        member: member.clone(),
        name: name.clone(),
        about,
        keys,
        roles,
        since,
        closed: None,
    });
    draft.tell(Event::AccountOpened { member, account: name });
    Ok(())
}

/// A member hands on only what it has.
fn require_held(role: Role, by: &Submitter) -> Result<(), Refusal> {
    match by.roles.contains(&role) {
        true => Ok(()),
        false => Err(Refusal::RoleNotHeld { owner: by.member.to_string(), role }),
    }
}

pub(super) fn describe(
    name: &AccountName,
    about: &str,
    by: &Submitter,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let account = draft.account(&by.member, name)?;
    if account.about == about {
        return Err(Refusal::NothingChanges);
    }
    changed(Account { about: about.to_owned(), ..account }, draft);
    Ok(())
}

fn changed(account: Account, draft: &mut Draft<'_>) {
    draft.put_account(&account);
    draft.tell(Event::AccountChanged { member: account.member, account: account.name });
}

pub(super) fn close(name: &AccountName, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut account = draft.account(&by.member, name)?;
    for key in std::mem::take(&mut account.keys) {
        draft.retire_key(&key);
    }
    account.closed = Some(draft.now());
    draft.put_account(&account);
    let mut names = view::accounts(draft.view(), &by.member);
    names.retain(|other| other != name);
    draft.put(accounts_key(&by.member), &Accounts(names));
    draft.tell(Event::AccountClosed { member: account.member, account: account.name });
    Ok(())
}

pub(super) fn add_key(
    name: &AccountName,
    offer: &KeyOffer,
    by: &Submitter,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let mut account = draft.account(&by.member, name)?;
    require_accepted(offer, draft)?;
    require_room(&account.keys)?;
    account.keys.push(draft.add_key(&offer.key, &by.member, Owner::Account(name.clone()))?);
    draft.put_account(&account);
    Ok(())
}

/// Retires an account's key, also its last: a key that leaked must go at once, and the member can add
/// another.
pub(super) fn retire_key(
    name: &AccountName,
    key: &KeyId,
    by: &Submitter,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let mut account = draft.account(&by.member, name)?;
    if !account.keys.contains(key) {
        return Err(Refusal::NotAKey { key: *key, owner: owner(&account) });
    }
    account.keys.retain(|other| other != key);
    draft.retire_key(key);
    draft.put_account(&account);
    Ok(())
}

fn owner(account: &Account) -> String {
    format!("{}/{}", account.member, account.name)
}

pub(super) fn grant(
    name: &AccountName,
    role: Role,
    by: &Submitter,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let mut account = draft.account(&by.member, name)?;
    require_held(role, by)?;
    match account.roles.binary_search(&role) {
        Ok(_) => return Err(Refusal::RoleHeld { owner: owner(&account), role }),
        Err(place) => account.roles.insert(place, role),
    }
    changed(account, draft);
    Ok(())
}

pub(super) fn revoke(
    name: &AccountName,
    role: Role,
    by: &Submitter,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let mut account = draft.account(&by.member, name)?;
    match account.roles.binary_search(&role) {
        Ok(place) => account.roles.remove(place),
        Err(_) => return Err(Refusal::RoleNotHeld { owner: owner(&account), role }),
    };
    changed(account, draft);
    Ok(())
}
