//! What others may ask the consortium.

use tabellion_ledger::{
    CertificateId, Height, KeyId, LedgerId, MemberId, PublicKey, Roster, TimeMs, View, read,
};

use crate::account::{Account, AccountName, Accounts};
use crate::committee::{Boundary, Committee, Pending};
use crate::key::{
    account_key, accounts_key, agenda_key, anchor_key, boundary_key, committee_key, equivocation_key,
    invitation_key, invitations_key, key_key, link_key, links_key, member_key, members_key, node_key,
    nodes_key, outbox_key, parameters_key, pending_key, proposal_key, roster_key, stop_key, usage_key,
};
use crate::link::{Link, Links};
use crate::member::{Member, Members, Moment, Role};
use crate::node::{Invitation, Invitations, Node, NodeId, NodeRole, Nodes};
use crate::parameters::{Parameters, TransactionRules};
use crate::permission::Permission;
use crate::proposal::{Agenda, Proposal, ProposalNumber};
use crate::quota::{MemberQuota, Usage};
use crate::refusal::Refusal;
use crate::signing::{KeyRecord, NodeKey, Owner};
use crate::state::{EquivocationRecord, Stop};

/// Whoever signs with a key, and what it may do now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitter {
    /// The member that answers for it.
    pub member: MemberId,
    /// The key.
    pub key: PublicKey,
    /// What of the member the key signs for.
    pub owner: Owner,
    /// The roles in force: the member's; an account's as far as its member has them; none for nodes and
    /// invitations.
    pub roles: Vec<Role>,
    /// What the node is for, where the key is a node's.
    pub node_role: Option<NodeRole>,
    /// The member's quota.
    pub quota: MemberQuota,
}

impl Submitter {
    /// Refuses where none of `needed` is in force.
    ///
    /// Source: X.1409 L9 (permission control).
    pub fn require_any(&self, needed: &[Role]) -> Result<(), Refusal> {
        match needed.iter().any(|role| self.roles.contains(role)) {
            true => Ok(()),
            false => Err(Refusal::MissingRole { member: self.member.clone(), needed: needed.to_vec() }),
        }
    }

    /// Refuses whoever does not have a permission: the wrong kind of key, or none of the roles.
    pub fn require(&self, permission: &Permission) -> Result<(), Refusal> {
        self.require_kind(permission)?;
        let purposes = permission.node_roles();
        if let Some(role) = self.node_role.filter(|role| !purposes.is_empty() && !purposes.contains(role)) {
            return Err(Refusal::WrongKindOfNode { key: self.key.id(), role, needed: purposes.to_vec() });
        }
        match permission.roles_of(&self.owner) {
            [] => Ok(()),
            needed => self.require_any(needed),
        }
    }

    /// Refuses a kind of key that never has a permission. It is for good: unlike roles, what a key signs for
    /// does not change.
    pub(crate) fn require_kind(&self, permission: &Permission) -> Result<(), Refusal> {
        match permission.suits(&self.owner) {
            true => Ok(()),
            false => Err(Refusal::WrongKindOfKey {
                key: self.key.id(),
                owner: self.owner.kind(),
                needed: permission.keys(),
            }),
        }
    }

    /// Refuses a signature algorithm that the ledger does not accept. Keys of nodes and invitations are
    /// Ed25519 by the format, whatever the members vote.
    pub fn require_algorithm(&self, rules: &TransactionRules) -> Result<(), Refusal> {
        let algorithm = self.key.algorithm();
        match self.owner {
            Owner::Node(_) | Owner::Invitation => Ok(()),
            _ if rules.algorithms.contains(&algorithm) => Ok(()),
            _ => Err(Refusal::AlgorithmNotAccepted { algorithm }),
        }
    }
}

/// Whoever signs with `key`, and what it may do.
///
/// Refuses, in this order: [`Refusal::UnknownSubmitter`], [`Refusal::KeyRetired`],
/// [`Refusal::MemberNotActive`], [`Refusal::AccountClosed`].
pub fn submitter(view: &dyn View, key: &KeyId) -> Result<Submitter, Refusal> {
    let unknown = || Refusal::UnknownSubmitter { key: *key };
    let record: KeyRecord = read(view, &key_key(key)).ok_or_else(unknown)?;
    let KeyRecord { member: id, owner, key: public, retired, .. } = record;
    if let Some(retired) = retired {
        return Err(Refusal::KeyRetired { key: *key, member: id, height: retired.height });
    }
    let member = member(view, &id).ok_or_else(unknown)?;
    if !member.is_active() {
        return Err(Refusal::MemberNotActive {
            member: id,
            status: member.status,
            height: member.since.height,
        });
    }
    let node_role = match &owner {
        Owner::Node(id) => node(view, id).map(|node| node.role),
        _ => None,
    };
    let roles = match &owner {
        Owner::Member => member.roles,
        Owner::Account(name) => {
            let account = account(view, &id, name).ok_or_else(unknown)?;
            if let Some(closed) = account.closed {
                let (account, height) = (name.clone(), closed.height);
                return Err(Refusal::AccountClosed { member: id, account, height });
            }
            account.roles.into_iter().filter(|role| member.roles.contains(role)).collect()
        }
        Owner::Invitation | Owner::Node(_) => Vec::new(),
    };
    Ok(Submitter { member: id, key: public, owner, roles, node_role, quota: member.quota })
}

/// The ledger's parameters.
pub fn parameters(view: &dyn View) -> Parameters {
    read(view, &parameters_key()).expect("invariant: genesis wrote the parameters")
}

/// The roster that finalises the next block.
pub fn roster(view: &dyn View) -> Roster {
    read(view, &roster_key()).expect("invariant: genesis wrote the roster")
}

/// The address book of the next block's epoch: the roster's validators and the nodes that follow.
pub fn committee(view: &dyn View) -> Committee {
    read(view, &committee_key()).expect("invariant: genesis wrote the committee")
}

/// What waits for the end of the epoch.
pub fn pending(view: &dyn View) -> Pending {
    read(view, &pending_key()).unwrap_or_default()
}

/// The last block of the epoch before; none in the first epoch.
pub fn boundary(view: &dyn View) -> Option<Boundary> {
    read(view, &boundary_key())
}

/// The certificate of a trusted CA.
pub fn anchor(view: &dyn View, id: &CertificateId) -> Option<Vec<u8>> {
    view.get(&anchor_key(id))
}

/// All members there ever were, with their status.
pub fn members(view: &dyn View) -> Members {
    read(view, &members_key()).expect("invariant: genesis wrote the members")
}

/// A member.
pub fn member(view: &dyn View, id: &MemberId) -> Option<Member> {
    read(view, &member_key(id))
}

/// A key, also a retired one.
pub fn key_record(view: &dyn View, id: &KeyId) -> Option<KeyRecord> {
    read(view, &key_key(id))
}

/// The open accounts of a member.
pub fn accounts(view: &dyn View, member: &MemberId) -> Vec<AccountName> {
    read::<Accounts>(view, &accounts_key(member)).unwrap_or_default().0
}

/// An account, also a closed one.
pub fn account(view: &dyn View, member: &MemberId, name: &AccountName) -> Option<Account> {
    read(view, &account_key(member, name))
}

/// All nodes that are not removed, with their members.
pub fn nodes(view: &dyn View) -> Nodes {
    read(view, &nodes_key()).unwrap_or_default()
}

/// A node, also a removed one.
pub fn node(view: &dyn View, id: &NodeId) -> Option<Node> {
    read(view, &node_key(id))
}

/// The node that has, had or will have a key.
pub fn node_of_key(view: &dyn View, key: &NodeKey) -> Option<Node> {
    match key_record(view, &key.id())?.owner {
        Owner::Node(id) => node(view, &id),
        _ => None,
    }
}

/// The open invitations of a member, with their ends; those that expired stand among them until the next is
/// made.
pub fn invitations(view: &dyn View, member: &MemberId) -> Vec<(KeyId, TimeMs)> {
    read::<Invitations>(view, &invitations_key(member)).unwrap_or_default().0
}

/// An invitation, also one that was used.
pub fn invitation(view: &dyn View, key: &KeyId) -> Option<Invitation> {
    read(view, &invitation_key(key))
}

/// Undecided proposals and accepted ones that wait for their height.
pub fn agenda(view: &dyn View) -> Agenda {
    read(view, &agenda_key()).unwrap_or_default()
}

/// A proposal, also a decided one.
pub fn proposal(view: &dyn View, number: ProposalNumber) -> Option<Proposal> {
    read(view, &proposal_key(number))
}

/// The members' stop, while it holds.
pub fn stop(view: &dyn View) -> Option<Stop> {
    read(view, &stop_key())
}

/// Refuses while the members have stopped the ledger; every lane but the consortium's asks.
///
/// Refuses: [`Refusal::Stopped`].
pub fn require_running(view: &dyn View) -> Result<(), Refusal> {
    match stop(view) {
        None => Ok(()),
        Some(stop) => Err(Refusal::Stopped { height: stop.since.height }),
    }
}

/// The link to a foreign ledger, also one that ended.
pub fn link(view: &dyn View, ledger: &LedgerId) -> Option<Link> {
    read(view, &link_key(ledger))
}

/// The foreign ledgers that are followed.
pub fn links(view: &dyn View) -> Links {
    read(view, &links_key()).unwrap_or_default()
}

/// Since when the ledger numbers its results for others; none where it does not.
pub fn outbox(view: &dyn View) -> Option<Moment> {
    read(view, &outbox_key())
}

/// What a member submitted in its latest window; none where it never had a quota.
pub fn usage(view: &dyn View, member: &MemberId) -> Option<Usage> {
    read(view, &usage_key(member))
}

/// The fact that a node voted two ways in a view.
pub fn equivocation(
    view: &dyn View,
    node: &NodeId,
    epoch: u64,
    view_number: u64,
) -> Option<EquivocationRecord> {
    read(view, &equivocation_key(node, epoch, view_number))
}

/// When the next block is due for the consortium's sake though no transaction waits: at once
/// ([`TimeMs::default`]) while a change waits for the end of the epoch, else when the first open proposal
/// expires.
pub fn next_due(view: &dyn View) -> Option<TimeMs> {
    if pending(view).hurry {
        return Some(TimeMs::default());
    }
    agenda(view).open.iter().map(|entry| entry.deadline.plus(1)).min()
}

/// The epoch of a block.
pub fn epoch_of(height: Height, epoch_blocks: u64) -> u64 {
    height.0 / epoch_blocks
}

/// Whether a block is the last of its epoch: the one after which the roster and the address book may change.
pub fn is_last_of_epoch(height: Height, epoch_blocks: u64) -> bool {
    (height.0 + 1).is_multiple_of(epoch_blocks)
}
