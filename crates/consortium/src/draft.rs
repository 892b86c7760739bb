//! The state while an action or the end of a block is at work: records as types, all or nothing.

use tabellion_ledger::cbor::{self, Wire};
use tabellion_ledger::{Context, Effects, KeyId, MemberId, PublicKey, Staged, StateKey, View};

use crate::account::{Account, AccountName};
use crate::committee::Pending;
use crate::event::Event;
use crate::key::{
    account_key, agenda_key, key_key, member_key, members_key, node_key, nodes_key, parameters_key,
    pending_key, proposal_key,
};
use crate::member::{Member, Moment};
use crate::node::{Node, NodeId, Nodes};
use crate::parameters::Parameters;
use crate::proposal::{Agenda, Proposal, ProposalNumber};
use crate::refusal::Refusal;
use crate::signing::{KeyRecord, Owner};
use crate::view;

/// Whether path validation can follow parameters: what this crate cannot know.
///
/// The verdict is part of the ledger's rules. It depends on the parameters and on the certificates of the
/// trusted CAs alone, never on which versions the program at hand supports: a program that cannot follow a
/// version that the members voted for stops at its height, it does not vote otherwise.
pub trait Judge {
    /// Judges parameters upon a state that holds the certificates of their trusted CAs. The error says why
    /// not, in words.
    fn judge(&self, parameters: &Parameters, view: &dyn View) -> Result<(), String>;
}

impl<F: Fn(&Parameters, &dyn View) -> Result<(), String>> Judge for F {
    fn judge(&self, parameters: &Parameters, view: &dyn View) -> Result<(), String> {
        self(parameters, view)
    }
}

/// Records that may still be dropped as a whole.
pub(crate) struct Draft<'a> {
    pub(crate) ctx: &'a Context,
    pub(crate) judge: &'a dyn Judge,
    state: Staged<'a>,
    events: Vec<Event>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(ctx: &'a Context, judge: &'a dyn Judge, view: &'a dyn View) -> Self {
        Self { ctx, judge, state: Staged::over(view), events: Vec::new() }
    }

    /// What was written and what happened.
    pub(crate) fn into_effects(self) -> Effects<Event> {
        Effects { writes: self.state.into_writes(), events: self.events }
    }

    /// Does something wholly or not at all.
    pub(crate) fn attempt<T>(
        &mut self,
        act: impl FnOnce(&mut Draft<'_>) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let mut inner = Draft::new(self.ctx, self.judge, &self.state);
        let outcome = act(&mut inner)?;
        let Effects { writes, events } = inner.into_effects();
        self.state.merge(writes);
        self.events.extend(events);
        Ok(outcome)
    }

    /// Does something and drops it: whether it can be done.
    pub(crate) fn try_out(
        &self,
        act: impl FnOnce(&mut Draft<'_>) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        act(&mut Draft::new(self.ctx, self.judge, &self.state))
    }

    /// The state with what was written.
    pub(crate) fn view(&self) -> &dyn View {
        &self.state
    }

    /// The block at work.
    pub(crate) fn now(&self) -> Moment {
        Moment::of(self.ctx)
    }

    pub(crate) fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    pub(crate) fn put<T: Wire>(&mut self, key: StateKey, record: &T) {
        self.state.put(key, cbor::to_bytes(record));
    }

    pub(crate) fn put_bytes(&mut self, key: StateKey, bytes: Vec<u8>) {
        self.state.put(key, bytes);
    }

    pub(crate) fn remove(&mut self, key: StateKey) {
        self.state.remove(key);
    }

    pub(crate) fn member(&self, id: &MemberId) -> Result<Member, Refusal> {
        view::member(&self.state, id).ok_or_else(|| Refusal::UnknownMember { member: id.clone() })
    }

    /// Writes a member, and its status where others count it.
    pub(crate) fn put_member(&mut self, member: &Member) {
        let mut members = view::members(&self.state);
        if members.status(&member.id) != Some(member.status) {
            members.set(&member.id, member.status);
            self.put(members_key(), &members);
        }
        self.put(member_key(&member.id), member);
    }

    /// An account that is not closed.
    pub(crate) fn account(&self, member: &MemberId, name: &AccountName) -> Result<Account, Refusal> {
        let (member, name) = (member.clone(), name.clone());
        let account = view::account(&self.state, &member, &name);
        match account {
            None => Err(Refusal::UnknownAccount { member, account: name }),
            Some(account) => match account.closed {
                None => Ok(account),
                Some(closed) => Err(Refusal::AccountClosed { member, account: name, height: closed.height }),
            },
        }
    }

    pub(crate) fn put_account(&mut self, account: &Account) {
        self.put(account_key(&account.member, &account.name), account);
    }

    /// A node that is not removed.
    pub(crate) fn node(&self, id: &NodeId) -> Result<Node, Refusal> {
        let node = view::node(&self.state, id).filter(|node| node.removed.is_none());
        node.ok_or(Refusal::UnknownNode { node: *id })
    }

    pub(crate) fn put_node(&mut self, node: &Node) {
        self.put(node_key(&node.id), node);
    }

    pub(crate) fn put_nodes(&mut self, nodes: &Nodes) {
        self.put(nodes_key(), nodes);
    }

    pub(crate) fn proposal(&self, number: ProposalNumber) -> Result<Proposal, Refusal> {
        view::proposal(&self.state, number).ok_or(Refusal::UnknownProposal { proposal: number })
    }

    pub(crate) fn put_proposal(&mut self, proposal: &Proposal) {
        self.put(proposal_key(proposal.number), proposal);
    }

    pub(crate) fn put_agenda(&mut self, agenda: &Agenda) {
        self.put(agenda_key(), agenda);
    }

    pub(crate) fn put_pending(&mut self, pending: &Pending) {
        self.put(pending_key(), pending);
    }

    pub(crate) fn put_parameters(&mut self, parameters: &Parameters) {
        self.put(parameters_key(), parameters);
    }

    /// Records a key that stands nowhere on the ledger yet.
    ///
    /// Refuses: [`Refusal::KeyTaken`].
    pub(crate) fn add_key(
        &mut self,
        key: &PublicKey,
        member: &MemberId,
        owner: Owner,
    ) -> Result<KeyId, Refusal> {
        let id = key.id();
        if let Some(found) = view::key_record(&self.state, &id) {
            return Err(Refusal::KeyTaken { key: id, member: found.member, height: found.since.height });
        }
        let (key, member, since) = (key.clone(), member.clone(), self.now());
        let record = KeyRecord { member: member.clone(), owner: owner.clone(), key, since, retired: None };
        self.put(key_key(&id), &record);
        self.tell(Event::KeyAdded { key: id, member, owner });
        Ok(id)
    }

    /// Retires a key that is valid.
    pub(crate) fn retire_key(&mut self, id: &KeyId) {
        let record = view::key_record(&self.state, id).filter(|record| record.retired.is_none());
        if let Some(record) = record {
            let retired = KeyRecord { retired: Some(self.now()), ..record };
            self.put(key_key(id), &retired);
            self.tell(Event::KeyRetired { key: *id, member: retired.member, owner: retired.owner });
        }
    }

    /// Says that the nodes' records are ahead of the address book, and whether that is worth empty blocks.
    pub(crate) fn book_changes(&mut self, hurry: bool) {
        let before = view::pending(&self.state);
        let after = Pending { book: true, hurry: before.hurry || hurry, ..before.clone() };
        if after != before {
            self.put_pending(&after);
        }
    }
}
