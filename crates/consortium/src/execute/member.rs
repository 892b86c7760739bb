//! Changes of members.

use tabellion_ledger::{KeyId, MemberId};

use crate::change::NewMember;
use crate::draft::Draft;
use crate::event::Event;
use crate::limits::{MEMBERS_EVER_MAX, MEMBERS_MAX};
use crate::member::{Member, MemberStatus, Role};
use crate::quota::MemberQuota;
use crate::refusal::Refusal;
use crate::roster::{Seats, remove_node};
use crate::signing::{KeyOffer, Owner};
use crate::view;

pub(super) fn add(new: &NewMember, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    if let Some(found) = view::member(draft.view(), &new.id) {
        return Err(Refusal::MemberExists { member: found.id, height: found.since.height });
    }
    let members = view::members(draft.view());
    for (count, count_max) in [(members.present(), MEMBERS_MAX), (members.0.len(), MEMBERS_EVER_MAX)] {
        if count >= count_max {
            return Err(Refusal::TooManyMembers { count, count_max });
        }
    }
    let NewMember { id, name, contact, keys, roles } = new;
    let member = Member {
        id: id.clone(),
        name: name.clone(),
        contact: contact.clone(),
        status: MemberStatus::Active,
        since: draft.now(),
        keys: add_keys(keys, id, draft)?,
        roles: roles.clone(),
        quota: MemberQuota::Default,
    };
    draft.put_member(&member);
    draft.tell(Event::MemberAdded { member: member.id });
    Ok(())
}

/// Records keys that may sign; each must be of an accepted algorithm.
fn add_keys(keys: &[KeyOffer], member: &MemberId, draft: &mut Draft<'_>) -> Result<Vec<KeyId>, Refusal> {
    let accepted = view::parameters(draft.view()).transaction.algorithms;
    let add = |offer: &KeyOffer| {
        let algorithm = offer.key.algorithm();
        match accepted.contains(&algorithm) {
            true => draft.add_key(&offer.key, member, Owner::Member),
            false => Err(Refusal::AlgorithmNotAccepted { algorithm }),
        }
    };
    keys.iter().map(add).collect()
}

/// A member that is not removed.
fn present(id: &MemberId, draft: &Draft<'_>) -> Result<Member, Refusal> {
    let member = draft.member(id)?;
    match member.status {
        MemberStatus::Removed => Err(not_active(member)),
        _ => Ok(member),
    }
}

fn not_active(member: Member) -> Refusal {
    let Member { id, status, since, .. } = member;
    Refusal::MemberNotActive { member: id, status, height: since.height }
}

/// Refuses to leave nobody who votes.
fn require_others(member: &Member, draft: &Draft<'_>) -> Result<(), Refusal> {
    match member.is_active() && view::members(draft.view()).active() == 1 {
        true => Err(Refusal::LastMember { member: member.id.clone() }),
        false => Ok(()),
    }
}

fn set_status(member: Member, status: MemberStatus, draft: &mut Draft<'_>) {
    let changed = Member { status, since: draft.now(), ..member };
    draft.put_member(&changed);
    // Followers of members that are not active stand in no address book.
    if view::nodes(draft.view()).of(&changed.id) > 0 {
        draft.book_changes(true);
    }
    draft.tell(Event::MemberChanged { member: changed.id, status });
}

pub(super) fn suspend(id: &MemberId, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let member = draft.member(id)?;
    if !member.is_active() {
        return Err(not_active(member));
    }
    require_others(&member, draft)?;
    set_status(member, MemberStatus::Suspended, draft);
    Ok(())
}

pub(super) fn resume(id: &MemberId, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let member = draft.member(id)?;
    if member.status != MemberStatus::Suspended {
        return Err(Refusal::MemberNotSuspended { member: member.id, status: member.status });
    }
    set_status(member, MemberStatus::Active, draft);
    Ok(())
}

/// A member leaves for good, with its nodes. Its validators must have gone before, so that no removal shrinks
/// the roster by more than an epoch bears.
pub(super) fn remove(id: &MemberId, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let member = present(id, draft)?;
    require_others(&member, draft)?;
    let now = Seats::of_roster(draft.view()).of_member(id);
    let count = now.max(Seats::projected(draft.view()).of_member(id));
    if count > 0 {
        return Err(Refusal::MemberHasValidators { member: member.id, count });
    }
    let nodes = view::nodes(draft.view()).0.into_iter().filter(|(_, owner)| owner == id);
    for (node, _) in nodes.collect::<Vec<_>>() {
        remove_node(draft.node(&node)?, draft);
    }
    set_status(member, MemberStatus::Removed, draft);
    Ok(())
}

pub(super) fn replace_keys(id: &MemberId, keys: &[KeyOffer], draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut member = present(id, draft)?;
    let fresh = add_keys(keys, id, draft)?;
    for old in std::mem::replace(&mut member.keys, fresh) {
        draft.retire_key(&old);
    }
    draft.put_member(&member);
    Ok(())
}

pub(super) fn grant(id: &MemberId, role: Role, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut member = present(id, draft)?;
    match member.roles.binary_search(&role) {
        Ok(_) => return Err(Refusal::RoleHeld { owner: id.to_string(), role }),
        Err(place) => member.roles.insert(place, role),
    }
    draft.put_member(&member);
    draft.tell(Event::RoleGranted { member: member.id, role });
    Ok(())
}

pub(super) fn revoke(id: &MemberId, role: Role, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut member = present(id, draft)?;
    match member.roles.binary_search(&role) {
        Ok(place) => member.roles.remove(place),
        Err(_) => return Err(Refusal::RoleNotHeld { owner: id.to_string(), role }),
    };
    draft.put_member(&member);
    draft.tell(Event::RoleRevoked { member: member.id, role });
    Ok(())
}

pub(super) fn set_quota(id: &MemberId, quota: MemberQuota, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let member = present(id, draft)?;
    if member.quota == quota {
        return Err(Refusal::NothingChanges);
    }
    if let MemberQuota::Own(own) = quota {
        own.check()?;
    }
    draft.put_member(&Member { quota, ..member });
    draft.tell(Event::QuotaChanged { member: id.clone(), quota });
    Ok(())
}
