//! The rules of the roster, and its change at the end of an epoch.

use tabellion_ledger::limits::VALIDATORS_MAX;
use tabellion_ledger::{MemberId, Roster, Validator, View};

use crate::apply::finish;
use crate::committee::{Committee, CommitteeNode, Pending, PendingSeat, SeatChange};
use crate::draft::Draft;
use crate::event::{Event, Reason};
use crate::key::{committee_key, roster_key};
use crate::limits::PENDING_MAX;
use crate::node::{Node, NodeId, NodeRole};
use crate::parameters::wide;
use crate::proposal::{ProposalNumber, ProposalStatus};
use crate::refusal::Refusal;
use crate::signing::NodeKey;
use crate::view;

/// No vote leaves fewer validators: four are the least that one fault cannot stop.
pub const VALIDATORS_MIN: usize = 4;

/// Changes of the roster at the end of one epoch: the faults that it tolerates, but at least one. So whatever
/// the old quorum held, the new one shares enough of it.
pub fn changes_per_epoch(validators: usize) -> usize {
    (validators.saturating_sub(1) / 3).max(1)
}

/// Whether one member's share of the validators is too large: with a third it could stop the ledger alone.
/// Below four validators every share is, and none is refused.
pub(crate) fn too_large(count: usize, validators: usize) -> bool {
    validators >= VALIDATORS_MIN && count * 3 >= validators
}

/// The validators' seats while changes are laid over them.
pub(crate) struct Seats(Vec<(NodeId, MemberId)>);

impl Seats {
    /// The seats of the roster.
    pub(crate) fn of_roster(view: &dyn View) -> Self {
        let seat = |validator: &Validator| {
            let node = view::node_of_key(view, &NodeKey(validator.key));
            let node = node.expect("invariant: each validator is a node of the ledger");
            (node.id, node.member)
        };
        Self(view::roster(view).validators().iter().map(seat).collect())
    }

    /// The seats once everything that waits has happened.
    pub(crate) fn projected(view: &dyn View) -> Self {
        let mut seats = Self::of_roster(view);
        for PendingSeat { change, .. } in view::pending(view).seats {
            // What has become impossible is dropped at the end of the epoch.
            let _ = seats.change(&change, view);
        }
        seats
    }

    pub(crate) fn has(&self, id: &NodeId) -> bool {
        self.0.iter().any(|(seat, _)| seat == id)
    }

    /// How many seats a member has.
    pub(crate) fn of_member(&self, member: &MemberId) -> usize {
        self.0.iter().filter(|(_, owner)| owner == member).count()
    }

    /// Changes a seat, or says why not and leaves all as it was.
    pub(crate) fn change(&mut self, change: &SeatChange, view: &dyn View) -> Result<(), Refusal> {
        let (leaves, comes) = match change {
            SeatChange::Add { node } => (None, Some(node)),
            SeatChange::Replace { old, new } => (Some(old), Some(new)),
            SeatChange::Remove { node } => (Some(node), None),
        };
        let mut seats = self.0.clone();
        if let Some(id) = leaves {
            let place = seats.iter().position(|(seat, _)| seat == id);
            seats.remove(place.ok_or(Refusal::NotAValidator { node: *id })?);
        }
        if let Some(id) = comes {
            if self.has(id) {
                return Err(Refusal::ValidatorAlready { node: *id });
            }
            seats.push((*id, candidate(id, view)?));
        }
        let after = Self(seats);
        after.check(self.0.len())?;
        *self = after;
        Ok(())
    }

    fn check(&self, before: usize) -> Result<(), Refusal> {
        let validators = self.0.len();
        if validators < before && validators < VALIDATORS_MIN {
            return Err(Refusal::TooFewValidators { left: validators, least: VALIDATORS_MIN });
        }
        if validators > VALIDATORS_MAX {
            return Err(Refusal::TooManyValidators { count: validators, count_max: VALIDATORS_MAX });
        }
        let share = self.0.iter().map(|(_, member)| (member, self.of_member(member)));
        match share.max_by_key(|(_, count)| *count).filter(|(_, count)| too_large(*count, validators)) {
            Some((member, count)) => {
                Err(Refusal::OrganisationThird { member: member.clone(), count, validators })
            }
            None => Ok(()),
        }
    }
}

/// Checks that a node may become a validator, and says whose it is.
fn candidate(id: &NodeId, view: &dyn View) -> Result<MemberId, Refusal> {
    let node = view::node(view, id).filter(|node| node.removed.is_none());
    let node = node.ok_or(Refusal::UnknownNode { node: *id })?;
    // A validator that is about to leave is a full node then.
    if !matches!(node.role, NodeRole::Full | NodeRole::Validator) {
        return Err(Refusal::NotAFullNode { node: *id, role: node.role });
    }
    if let Some(member) = view::member(view, &node.member).filter(|member| !member.is_active()) {
        let (status, height) = (member.status, member.since.height);
        return Err(Refusal::MemberNotActive { member: member.id, status, height });
    }
    let rules = view::parameters(view);
    let (reports, needed) =
        (healthy(&node, rules.block.epoch_blocks, view), rules.governance.probation_epochs);
    if reports < needed {
        return Err(Refusal::OnProbation { node: *id, reports, needed });
    }
    Ok(node.member)
}

/// Epochs in a row in which a node reported as healthy, up to the present epoch or the one before.
fn healthy(node: &Node, epoch_blocks: u64, view: &dyn View) -> u64 {
    match (view::boundary(view), node.reported) {
        (Some(boundary), Some(last)) if last.0 + epoch_blocks >= boundary.height.0 => node.reports,
        _ => 0,
    }
}

/// Lets a voted change of the roster wait for the end of the epoch, if it is possible after all those that
/// wait already.
pub(crate) fn admit(
    change: SeatChange,
    proposal: ProposalNumber,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    Seats::projected(draft.view()).change(&change, draft.view())?;
    let mut pending = view::pending(draft.view());
    let (count, count_max) = (pending.seats.len(), PENDING_MAX);
    if count >= count_max {
        return Err(Refusal::TooManyPending { count, count_max });
    }
    pending.seats.push(PendingSeat { proposal, change });
    (pending.book, pending.hurry) = (true, true);
    draft.put_pending(&pending);
    draft.tell(Event::SeatPending { proposal, change });
    Ok(())
}

/// Takes a node that is no validator off the ledger.
pub(crate) fn remove_node(node: Node, draft: &mut Draft<'_>) {
    let mut nodes = view::nodes(draft.view());
    nodes.remove(node.id);
    draft.put_nodes(&nodes);
    let mut pending = view::pending(draft.view());
    pending.rotations.retain(|waiting| *waiting != node.id);
    (pending.book, pending.hurry) = (true, true);
    draft.put_pending(&pending);
    for key in [Some(node.key), node.next_key].into_iter().flatten() {
        draft.retire_key(&key.id());
    }
    let removed = Node { next_key: None, removed: Some(draft.now()), ..node };
    draft.put_node(&removed);
    draft.tell(Event::NodeRemoved { node: removed.id, member: removed.member });
}

/// What becomes of everything that waits, at the end of an epoch.
struct Turn {
    seats: Seats,
    allowance: usize,
    waiting: Pending,
    rotated: Vec<NodeId>,
    done: Vec<ProposalNumber>,
    failed: Vec<(ProposalNumber, Refusal)>,
}

/// Ends an epoch: takes over as many changes of the roster as one epoch bears, in the order of their
/// decision, then next keys; writes the roster and the address book of the next block.
///
/// Each change is judged again: a member may have been suspended or a node removed since. What has become
/// impossible fails, and the rest goes on.
pub(crate) fn end_epoch(allowance: usize, draft: &mut Draft<'_>) {
    let pending = view::pending(draft.view());
    if pending == Pending::default() {
        return;
    }
    let before = view::roster(draft.view());
    let mut turn = Turn {
        seats: Seats::of_roster(draft.view()),
        allowance,
        waiting: Pending::default(),
        rotated: Vec::new(),
        done: Vec::new(),
        failed: Vec::new(),
    };
    turn.take_seats(pending.seats, draft);
    turn.take_rotations(pending.rotations, draft);
    let roster = turn.write_roster(&before, draft);
    write_committee(&roster, draft);
    turn.waiting.hurry = !turn.waiting.seats.is_empty() || !turn.waiting.rotations.is_empty();
    turn.waiting.book = turn.waiting.hurry;
    draft.put_pending(&turn.waiting);
    turn.tell_proposals(draft);
}

impl Turn {
    fn take_seats(&mut self, seats: Vec<PendingSeat>, draft: &mut Draft<'_>) {
        for seat in seats {
            if self.allowance == 0 {
                self.waiting.seats.push(seat);
                continue;
            }
            match self.seats.change(&seat.change, draft.view()) {
                Ok(()) => {
                    self.allowance -= 1;
                    self.done.push(seat.proposal);
                }
                Err(refusal) => self.failed.push((seat.proposal, refusal)),
            }
        }
    }

    /// Keys of followers are no change of the roster.
    fn take_rotations(&mut self, rotations: Vec<NodeId>, draft: &mut Draft<'_>) {
        for id in rotations {
            let is_seat = self.seats.has(&id);
            if is_seat && self.allowance == 0 {
                self.waiting.rotations.push(id);
                continue;
            }
            self.allowance -= usize::from(is_seat);
            if rotate(&id, draft) && is_seat {
                self.rotated.push(id);
            }
        }
    }

    fn write_roster(&mut self, before: &Roster, draft: &mut Draft<'_>) -> Roster {
        let old = Seats::of_roster(draft.view());
        let (mut joined, mut left) = (Vec::new(), Vec::new());
        for (id, _) in old.0.iter().filter(|(id, _)| !self.seats.has(id)) {
            set_role(id, NodeRole::Full, draft);
            left.push(*id);
        }
        for (id, _) in self.seats.0.iter().filter(|(id, _)| !old.has(id)) {
            set_role(id, NodeRole::Validator, draft);
            joined.push(*id);
        }
        let rotated: Vec<_> = self.rotated.iter().filter(|id| !joined.contains(id)).copied().collect();
        if joined.is_empty() && left.is_empty() && rotated.is_empty() {
            return before.clone();
        }
        let validator = |(id, _): &(NodeId, MemberId)| {
            let node = draft.node(id).expect("invariant: each validator is a node of the ledger");
            Validator { key: node.key.0, member: node.member, name: node.name }
        };
        let validators = self.seats.0.iter().map(validator).collect();
        let roster = Roster::new(before.number() + 1, validators)
            .expect("invariant: seats are within the limits, and no two nodes share a key");
        draft.put(roster_key(), &roster);
        let (number, hash) = (roster.number(), roster.hash());
        draft.tell(Event::RosterChanged { number, hash, joined, left, rotated });
        roster
    }

    fn tell_proposals(self, draft: &mut Draft<'_>) {
        for number in self.done {
            if let Ok(proposal) = draft.proposal(number) {
                draft.tell(Event::Executed { proposal: number });
                finish(proposal, ProposalStatus::Executed, draft);
            }
        }
        for (number, refusal) in self.failed {
            if let Ok(proposal) = draft.proposal(number) {
                draft.tell(Event::Failed { proposal: number, reason: Reason::from(&refusal) });
                finish(proposal, ProposalStatus::Failed { code: refusal.code().to_owned() }, draft);
            }
        }
    }
}

fn set_role(id: &NodeId, role: NodeRole, draft: &mut Draft<'_>) {
    if let Ok(node) = draft.node(id) {
        draft.put_node(&Node { role, ..node });
    }
}

/// A node goes on with its next key.
fn rotate(id: &NodeId, draft: &mut Draft<'_>) -> bool {
    let Some((node, key)) = draft.node(id).ok().and_then(|node| Some((node.clone(), node.next_key?))) else {
        return false;
    };
    draft.retire_key(&node.key.id());
    draft.put_node(&Node { key, next_key: None, ..node });
    draft.tell(Event::NodeRotated { node: *id, key });
    true
}

/// Writes the address book if it is another one: all validators, and the followers of active members.
fn write_committee(roster: &Roster, draft: &mut Draft<'_>) {
    let before = view::committee(draft.view());
    let nodes = committee_nodes(draft.view());
    if (before.roster, &before.nodes) == (roster.number(), &nodes) {
        return;
    }
    let committee = Committee { since: draft.ctx.height.next(), roster: roster.number(), nodes };
    draft.put(committee_key(), &committee);
    draft.tell(Event::CommitteeChanged { since: committee.since, nodes: wide(committee.nodes.len()) });
}

fn committee_nodes(view: &dyn View) -> Vec<CommitteeNode> {
    let members = view::members(view);
    let nodes = view::nodes(view).0.into_iter().filter_map(|(id, _)| view::node(view, &id));
    let takes_part = |node: &Node| node.is_validator() || members.is_active(&node.member);
    nodes.filter(takes_part).map(CommitteeNode::from).collect()
}

impl From<Node> for CommitteeNode {
    fn from(node: Node) -> Self {
        let Node { id, key, member, name, role, address, .. } = node;
        Self { id, key, member, name, role, address }
    }
}
