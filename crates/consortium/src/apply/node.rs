//! Invitations, and what nodes and their members do with nodes.

use tabellion_ledger::KeyId;

use crate::action::{Invite, Join, Rotation};
use crate::committee::Boundary;
use crate::draft::Draft;
use crate::event::Event;
use crate::key::{invitation_key, invitations_key};
use crate::limits::{INVITATIONS_PER_MEMBER_MAX, NODES_MAX, NODES_PER_MEMBER_MAX};
use crate::node::{Invitation, InvitationStatus, Invitations, Node, NodeId, NodeRole};
use crate::refusal::Refusal;
use crate::roster;
use crate::signing::Owner;
use crate::view::{self, Submitter};

pub(super) fn invite(invite: &Invite, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let Invite { key, role, name, expires } = invite;
    if *role == NodeRole::Validator {
        return Err(Refusal::ValidatorByVote);
    }
    let now = draft.now();
    let latest = now.time.plus(view::parameters(draft.view()).governance.invitation_ms_max);
    let earliest = now.time.plus(1);
    if !(earliest..=latest).contains(expires) {
        return Err(Refusal::InvitationOutOfBounds { expires: *expires, earliest, latest });
    }
    let mut open = view::invitations(draft.view(), &by.member);
    open.retain(|(_, expires)| *expires >= now.time);
    let (count, count_max) = (open.len(), INVITATIONS_PER_MEMBER_MAX);
    if count >= count_max {
        return Err(Refusal::TooManyInvitations { member: by.member.clone(), count, count_max });
    }
    let id = draft.add_key(&key.public(), &by.member, Owner::Invitation)?;
    open.push((id, *expires));
    draft.put(invitations_key(&by.member), &Invitations(open));
    let invitation = Invitation {
        member: by.member.clone(),
        role: *role,
        name: name.clone(),
        invited: now,
        expires: *expires,
        status: InvitationStatus::Open,
    };
    draft.put(invitation_key(&id), &invitation);
    let Invitation { member, role, expires, .. } = invitation;
    draft.tell(Event::NodeInvited { invitation: id, member, role, expires });
    Ok(())
}

/// An invitation that can still be used, or why not.
fn usable(id: &KeyId, by: &Submitter, draft: &Draft<'_>) -> Result<Invitation, Refusal> {
    let (id, at) = (*id, draft.ctx.time);
    let found = view::invitation(draft.view(), &id).filter(|found| found.member == by.member);
    let found =
        found.ok_or_else(|| Refusal::UnknownInvitation { invitation: id, member: by.member.clone() })?;
    match found.status {
        InvitationStatus::Used(node) => Err(Refusal::InvitationUsed { invitation: id, node }),
        InvitationStatus::Cancelled => Err(Refusal::InvitationCancelled { invitation: id }),
        InvitationStatus::Open if found.expires < at => {
            Err(Refusal::InvitationExpired { invitation: id, expires: found.expires, at })
        }
        InvitationStatus::Open => Ok(found),
    }
}

fn ended(id: &KeyId, invitation: Invitation, status: InvitationStatus, draft: &mut Draft<'_>) {
    let mut open = view::invitations(draft.view(), &invitation.member);
    open.retain(|(other, _)| other != id);
    draft.put(invitations_key(&invitation.member), &Invitations(open));
    draft.put(invitation_key(id), &Invitation { status, ..invitation });
}

pub(super) fn cancel(id: &KeyId, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let invitation = usable(id, by, draft)?;
    ended(id, invitation, InvitationStatus::Cancelled, draft);
    draft.tell(Event::InvitationCancelled { invitation: *id, member: by.member.clone() });
    Ok(())
}

/// A node joins and follows: the key that it brings is on the ledger from now on, its peers know it from the
/// next epoch on.
pub(super) fn join(join: &Join, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let invited = by.key.id();
    let invitation = usable(&invited, by, draft)?;
    let mut nodes = view::nodes(draft.view());
    for (count, count_max) in [(nodes.of(&by.member), NODES_PER_MEMBER_MAX), (nodes.0.len(), NODES_MAX)] {
        if count >= count_max {
            return Err(Refusal::TooManyNodes { count, count_max });
        }
    }
    let id = NodeId(join.key.id());
    draft.add_key(&join.key.public(), &by.member, Owner::Node(id))?;
    let (member, role, name) = (by.member.clone(), invitation.role, invitation.name.clone());
    ended(&invited, invitation, InvitationStatus::Used(id), draft);
    nodes.insert(id, member.clone());
    draft.put_nodes(&nodes);
    draft.put_node(&Node {
        id,
        member: member.clone(),
        name,
        role,
        key: join.key,
        next_key: None,
        address: join.address.clone(),
        joined: draft.now(),
        reports: 0,
        reported: None,
        removed: None,
    });
    draft.book_changes(true);
    draft.tell(Event::NodeJoined { node: id, member, role });
    Ok(())
}

/// A node of the submitter's member.
fn own(id: &NodeId, by: &Submitter, draft: &Draft<'_>) -> Result<Node, Refusal> {
    let node = draft.node(id)?;
    match node.member == by.member {
        true => Ok(node),
        false => Err(Refusal::NotYourNode { node: *id, member: node.member }),
    }
}

pub(super) fn remove(id: &NodeId, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let node = own(id, by, draft)?;
    if node.is_validator() {
        return Err(Refusal::NodeIsValidator { node: *id });
    }
    roster::remove_node(node, draft);
    Ok(())
}

/// A node gets its next key. The seat of a validator stays with its organisation, so nobody votes on it.
pub(super) fn rotate(rotation: &Rotation, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut node = own(&rotation.node, by, draft)?;
    if node.key != rotation.present {
        return Err(Refusal::NotAKey { key: rotation.present.id(), owner: node.id.to_string() });
    }
    if node.next_key.is_some() {
        return Err(Refusal::RotationWaits { node: node.id });
    }
    draft.add_key(&rotation.key.public(), &by.member, Owner::Node(node.id))?;
    node.next_key = Some(rotation.key);
    draft.put_node(&node);
    let mut pending = view::pending(draft.view());
    pending.rotations.push(node.id);
    pending.book = true;
    pending.hurry = true;
    draft.put_pending(&pending);
    draft.tell(Event::RotationPending { node: node.id, key: rotation.key });
    Ok(())
}

/// The node that signs.
fn signer(by: &Submitter, draft: &Draft<'_>) -> Result<Node, Refusal> {
    match &by.owner {
        Owner::Node(id) => draft.node(id),
        owner => Err(Refusal::WrongKindOfKey { key: by.key.id(), owner: owner.kind(), needed: "node" }),
    }
}

pub(super) fn set_address(address: &str, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let node = signer(by, draft)?;
    if node.address == address {
        return Err(Refusal::NothingChanges);
    }
    let node = Node { address: address.to_owned(), ..node };
    draft.put_node(&node);
    // The node dials out from its new place at once: no reason for empty blocks.
    draft.book_changes(false);
    draft.tell(Event::AddressChanged { node: node.id, address: node.address });
    Ok(())
}

/// Counts the epochs in a row in which a node named the boundary before.
pub(super) fn report(said: &Boundary, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut node = signer(by, draft)?;
    let boundary = view::boundary(draft.view()).ok_or(Refusal::NoBoundary)?;
    if *said != boundary {
        let Boundary { height, header } = boundary;
        return Err(Refusal::BoundaryDiffers { height, header });
    }
    if node.reported == Some(said.height) {
        return Err(Refusal::ReportedAlready { node: node.id, height: said.height });
    }
    let epoch_blocks = view::parameters(draft.view()).block.epoch_blocks;
    let in_a_row = node.reported.is_some_and(|before| before.0 + epoch_blocks == said.height.0);
    node.reports = if in_a_row { node.reports + 1 } else { 1 };
    node.reported = Some(said.height);
    draft.put_node(&node);
    draft.tell(Event::NodeReported { node: node.id, height: said.height, reports: node.reports });
    Ok(())
}
