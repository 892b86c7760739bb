//! Keys of the consortium's records in the state.

use tabellion_ledger::{CertificateId, KeyId, LedgerId, MemberId, StateKey, map};

use crate::account::AccountName;
use crate::node::NodeId;
use crate::proposal::ProposalNumber;

fn key(name: &str, rest: &[u8]) -> StateKey {
    StateKey::new(map::CONSORTIUM, &[name.as_bytes(), rest].concat())
}

/// The record of a member.
pub fn member_key(id: &MemberId) -> StateKey {
    key("member/", id.as_str().as_bytes())
}

/// All members with their status.
pub fn members_key() -> StateKey {
    key("members", &[])
}

/// The record of a signing key.
pub fn key_key(id: &KeyId) -> StateKey {
    key("key/", id.as_bytes())
}

/// The record of an account. Neither part of its name holds a slash.
pub fn account_key(member: &MemberId, name: &AccountName) -> StateKey {
    key("account/", format!("{member}/{name}").as_bytes())
}

/// The open accounts of a member.
pub fn accounts_key(member: &MemberId) -> StateKey {
    key("accounts/", member.as_str().as_bytes())
}

/// The record of a node.
pub fn node_key(id: &NodeId) -> StateKey {
    key("node/", id.0.as_bytes())
}

/// All nodes that are not removed.
pub fn nodes_key() -> StateKey {
    key("nodes", &[])
}

/// The record of an invitation, by the identifier of its key.
pub fn invitation_key(id: &KeyId) -> StateKey {
    key("invitation/", id.as_bytes())
}

/// The open invitations of a member.
pub fn invitations_key(member: &MemberId) -> StateKey {
    key("invitations/", member.as_str().as_bytes())
}

/// A proposal.
pub fn proposal_key(number: ProposalNumber) -> StateKey {
    key("proposal/", &number.0.to_be_bytes())
}

/// Undecided and waiting proposals.
pub fn agenda_key() -> StateKey {
    key("agenda", &[])
}

/// The roster.
pub fn roster_key() -> StateKey {
    key("roster", &[])
}

/// What waits for the end of the epoch.
pub fn pending_key() -> StateKey {
    key("pending", &[])
}

/// The address book of the epoch.
pub fn committee_key() -> StateKey {
    key("committee", &[])
}

/// The last block of the epoch before.
pub fn boundary_key() -> StateKey {
    key("boundary", &[])
}

/// The parameters.
pub fn parameters_key() -> StateKey {
    key("parameters", &[])
}

/// The certificate of a trusted certification authority.
pub fn anchor_key(id: &CertificateId) -> StateKey {
    key("anchor/", id.as_bytes())
}

/// What a member submitted in its latest window.
pub fn usage_key(member: &MemberId) -> StateKey {
    key("usage/", member.as_str().as_bytes())
}

/// That the ledger is stopped.
pub fn stop_key() -> StateKey {
    key("stop", &[])
}

/// That a node voted two ways in a view.
pub fn equivocation_key(node: &NodeId, epoch: u64, view: u64) -> StateKey {
    key("equivocation/", &[node.0.as_bytes().as_slice(), &epoch.to_be_bytes(), &view.to_be_bytes()].concat())
}

/// The link to a foreign ledger.
pub fn link_key(id: &LedgerId) -> StateKey {
    key("link/", id.as_bytes())
}

/// The foreign ledgers that are followed.
pub fn links_key() -> StateKey {
    key("links", &[])
}

/// That the ledger numbers its results for others.
pub fn outbox_key() -> StateKey {
    key("outbox", &[])
}
