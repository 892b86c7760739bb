//! What a reader is told of the consortium. Documents of the consortium's own (a change, the parameters)
//! stand as their JSON, which is also what a plan or a proposal is written in.

use serde::{Deserialize, Serialize};
use tabellion_consortium::{
    CastBallot, Difference, Member, Node, Permission, PermissionRow, Proposal, ProposalStatus, Role, Tally,
    accounts, members, nodes,
};
use tabellion_ledger::View;
use utoipa::ToSchema;

use super::HeaderAnswer;

/// A member of the consortium.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MemberAnswer {
    /// Its name for good.
    pub id: String,
    /// The organisation's name, for people.
    pub name: String,
    /// How to reach it, for people.
    pub contact: String,
    /// `active`, `suspended` or `removed`.
    pub status: String,
    /// The block since which it has this status.
    pub since_height: u64,
    /// Time of that block. Unit: ms since 1970.
    pub since_ms: u64,
    /// Key identifiers of its valid keys, oldest first.
    pub keys: Vec<String>,
    /// What it may do.
    pub roles: Vec<String>,
    /// Names of its open accounts.
    pub accounts: Vec<String>,
    /// Its nodes that are not removed.
    pub nodes: Vec<String>,
    /// Its quota: `default`, `unlimited`, or `own` with its numbers.
    #[schema(value_type = Object)]
    pub quota: serde_json::Value,
}

impl MemberAnswer {
    /// A member, with what the state says of its accounts and nodes.
    pub fn new(member: &Member, view: &dyn View) -> Self {
        let nodes = nodes(view).0.into_iter().filter(|(_, owner)| *owner == member.id);
        Self {
            id: member.id.to_string(),
            name: member.name.clone(),
            contact: member.contact.clone(),
            status: member.status.to_string(),
            since_height: member.since.height.0,
            since_ms: member.since.time.0,
            keys: texts(&member.keys),
            roles: texts(&member.roles),
            accounts: texts(&accounts(view, &member.id)),
            nodes: nodes.map(|(id, _)| id.to_string()).collect(),
            quota: json(&member.quota),
        }
    }
}

/// All members there ever were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MembersAnswer {
    /// The members, ascending by name.
    pub members: Vec<MemberAnswer>,
    /// The finalised header under which this holds.
    pub header: HeaderAnswer,
}

impl MembersAnswer {
    /// The members of a state.
    pub fn new(header: HeaderAnswer, view: &dyn View) -> Self {
        let ids = members(view).0;
        let member = |(id, _): &(_, _)| tabellion_consortium::member(view, id);
        let members = ids.iter().filter_map(member).map(|member| MemberAnswer::new(&member, view));
        Self { members: members.collect(), header }
    }
}

/// A node of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodeAnswer {
    /// Its name for good: the identifier of the key with which it joined.
    pub id: String,
    /// The member that runs it.
    pub member: String,
    /// Its name, for people.
    pub name: String,
    /// `validator`, `full`, `backup`, `proxy` or `edge`.
    pub role: String,
    /// Its Ed25519 key, 64 hexadecimal digits.
    pub key: String,
    /// The key that it signs with from the next epoch on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_key: Option<String>,
    /// `host:port` of its node-to-node listener.
    pub address: String,
    /// The block in which it joined.
    pub joined_height: u64,
    /// Epochs in a row in which it reported as healthy.
    pub reports: u64,
    /// The block in which it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub removed_height: Option<u64>,
}

impl From<&Node> for NodeAnswer {
    fn from(node: &Node) -> Self {
        Self {
            id: node.id.to_string(),
            member: node.member.to_string(),
            name: node.name.clone(),
            role: node.role.to_string(),
            key: node.key.to_string(),
            next_key: node.next_key.map(|key| key.to_string()),
            address: node.address.clone(),
            joined_height: node.joined.height.0,
            reports: node.reports,
            removed_height: node.removed.map(|removed| removed.height.0),
        }
    }
}

/// All nodes that are not removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NodesAnswer {
    /// The nodes.
    pub nodes: Vec<NodeAnswer>,
    /// The finalised header under which this holds.
    pub header: HeaderAnswer,
}

impl NodesAnswer {
    /// The nodes of a state.
    pub fn new(header: HeaderAnswer, view: &dyn View) -> Self {
        let ids = nodes(view).0;
        let found = ids.iter().filter_map(|(id, _)| tabellion_consortium::node(view, id));
        Self { nodes: found.map(|node| NodeAnswer::from(&node)).collect(), header }
    }
}

/// A ballot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BallotAnswer {
    /// Who voted.
    pub member: String,
    /// `for` or `against`.
    pub choice: String,
    /// Why, for people.
    pub reason: String,
    /// Identifier of the key that signed it.
    pub key: String,
    /// The block that holds it.
    pub height: u64,
    /// Time of that block. Unit: ms since 1970.
    pub time_ms: u64,
}

impl From<&CastBallot> for BallotAnswer {
    fn from(ballot: &CastBallot) -> Self {
        Self {
            member: ballot.member.to_string(),
            choice: ballot.choice.name().to_owned(),
            reason: ballot.reason.clone(),
            key: ballot.key.to_string(),
            height: ballot.cast.height.0,
            time_ms: ballot.cast.time.0,
        }
    }
}

/// A count of ballots: of members that are active now while the proposal is open, else as it was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TallyAnswer {
    /// Members that voted for.
    #[serde(rename = "for")]
    pub votes_for: u64,
    /// Members that voted against.
    pub against: u64,
    /// Members that may vote.
    pub active: u64,
    /// Votes for it that accept it.
    pub threshold: u64,
}

impl From<Tally> for TallyAnswer {
    fn from(tally: Tally) -> Self {
        let (votes_for, against, active) = (tally.votes_for, tally.votes_against, tally.active);
        Self { votes_for, against, active, threshold: tally.threshold() }
    }
}

/// A proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalAnswer {
    /// Its number.
    pub number: u64,
    /// What a ballot commits to.
    pub hash: String,
    /// The member that made it; none: the ledger itself, upon evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposer: Option<String>,
    /// What it would change.
    #[schema(value_type = Object)]
    pub change: serde_json::Value,
    /// Why, for people.
    pub reason: String,
    /// The last moment at which ballots count. Unit: ms since 1970.
    pub deadline_ms: u64,
    /// The first block that shall run under the new rules; 0 = as soon as it is accepted.
    pub effect_height: u64,
    /// The block that opened it.
    pub opened_height: u64,
    /// Time of that block. Unit: ms since 1970.
    pub opened_ms: u64,
    /// The ballots, in the order in which they came.
    pub ballots: Vec<BallotAnswer>,
    /// The count.
    pub tally: TallyAnswer,
    /// `open`, `accepted`, `pending`, `executed`, `failed`, `rejected`, `expired`, `withdrawn` or
    /// `cancelled`.
    pub status: String,
    /// Where it failed: the refusal's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// Where it was accepted: the first block under the new rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted_effect_height: Option<u64>,
}

impl ProposalAnswer {
    /// A proposal, counted by the members that are active now, or as it was accepted.
    pub fn new(proposal: &Proposal, members: &tabellion_consortium::Members) -> Self {
        let tally = match &proposal.acceptance {
            Some(acceptance) => acceptance.tally,
            None => Tally::of(&proposal.ballots, members),
        };
        let failure = match &proposal.status {
            ProposalStatus::Failed { code } => Some(code.clone()),
            _ => None,
        };
        Self {
            number: proposal.number.0,
            hash: proposal.hash().to_string(),
            proposer: proposal.proposer.as_ref().map(ToString::to_string),
            change: json(&proposal.change),
            reason: proposal.reason.clone(),
            deadline_ms: proposal.deadline.0,
            effect_height: proposal.effect.0,
            opened_height: proposal.opened.height.0,
            opened_ms: proposal.opened.time.0,
            ballots: proposal.ballots.iter().map(BallotAnswer::from).collect(),
            tally: tally.into(),
            status: proposal.status.name().to_owned(),
            failure,
            accepted_effect_height: proposal.acceptance.map(|acceptance| acceptance.effect.0),
        }
    }
}

/// Proposals, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProposalsAnswer {
    /// The proposals.
    pub proposals: Vec<ProposalAnswer>,
    /// Ask with `before` = this for the next page; none on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The finalised header under which this holds.
    pub header: HeaderAnswer,
}

/// The ledger's parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParametersAnswer {
    /// The parameters, as in a plan.
    #[schema(value_type = Object)]
    pub parameters: serde_json::Value,
    /// The finalised header under which this holds.
    pub header: HeaderAnswer,
}

/// An action and who may do it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionAnswer {
    /// The action's lane and name.
    pub action: String,
    /// Which keys may do it, in words.
    pub keys: String,
    /// Roles of which one is needed; empty where none is.
    pub roles: Vec<String>,
}

impl From<&PermissionRow> for PermissionAnswer {
    fn from(row: &PermissionRow) -> Self {
        let PermissionRow { action, permission } = row;
        let roles = permission.roles().iter().map(Role::to_string).collect();
        Self { action: action.clone(), keys: Permission::keys(permission).to_owned(), roles }
    }
}

/// Every action and who may do it; what is not here nobody may.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PermissionsAnswer {
    /// The actions.
    pub permissions: Vec<PermissionAnswer>,
}

impl Default for PermissionsAnswer {
    fn default() -> Self {
        let rows = crate::permissions();
        Self { permissions: rows.iter().map(PermissionAnswer::from).collect() }
    }
}

/// What a change would change if it took effect with the next block.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceAnswer {
    /// The values that it sets, adds or takes away.
    pub lines: Vec<DifferenceLine>,
    /// The finalised header upon which this holds.
    pub header: HeaderAnswer,
}

/// One value that a change sets, adds or takes away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceLine {
    /// The record, for example `member/alpha` or `parameters`.
    pub record: String,
    /// The field within it.
    pub field: String,
    /// The value before; none where there was none.
    #[schema(value_type = Object)]
    pub before: Option<serde_json::Value>,
    /// The value after; none where there is none.
    #[schema(value_type = Object)]
    pub after: Option<serde_json::Value>,
}

impl DifferenceAnswer {
    /// A difference upon the state of a header.
    pub fn new(difference: Difference, header: HeaderAnswer) -> Self {
        let line = |line: tabellion_consortium::Line| DifferenceLine {
            record: line.record,
            field: line.field,
            before: line.before,
            after: line.after,
        };
        Self { lines: difference.lines.into_iter().map(line).collect(), header }
    }
}

/// A record of the state with its proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StateAnswer {
    /// The finalised header under which this holds.
    pub header: HeaderAnswer,
    /// The record's CBOR, base64; none where it is proved that there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// The proof: base64 of a StateProof.
    pub proof: String,
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn json(value: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}
