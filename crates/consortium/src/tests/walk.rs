//! A seeded random walk: members, accounts, nodes and strangers do whatever comes to their mind, and after
//! each step everything that must stay true still does.

use std::collections::{BTreeMap, BTreeSet};

use tabellion_ledger::{Hash, KeyId, StateKey};

use super::world::*;
use crate::*;

/// SplitMix64: the same walk for the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }

    fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    fn pick<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        (!items.is_empty()).then(|| items[self.below(items.len())].clone())
    }
}

struct Walk {
    world: World,
    chance: Chance,
    seed: u64,
    /// Seeds of all keys that anybody ever made.
    keys: BTreeMap<KeyId, u16>,
    next_seed: u16,
    next_member: usize,
    /// Rosters by number.
    rosters: BTreeMap<u64, Hash>,
    /// What became of requests, for the walk's own breadth.
    accepted: BTreeMap<&'static str, usize>,
    refused: BTreeMap<&'static str, usize>,
    executed: BTreeMap<&'static str, usize>,
}

/// As many members at first; they vote as they like, the last two always against everything.
const MEMBERS: usize = 7;

impl Walk {
    fn new(seed: u64) -> Self {
        let world = World::new(MEMBERS, 5);
        let mut keys = BTreeMap::new();
        for number in 0..MEMBERS {
            for seed in [100, 30_000].map(|first| first + u16::try_from(number).unwrap()) {
                keys.insert(Key::new(seed).id(), seed);
            }
        }
        Self {
            world,
            chance: Chance(seed),
            seed,
            keys,
            next_seed: 40_000,
            next_member: MEMBERS,
            rosters: BTreeMap::new(),
            accepted: BTreeMap::new(),
            refused: BTreeMap::new(),
            executed: BTreeMap::new(),
        }
    }

    fn fresh_key(&mut self) -> Key {
        self.next_seed += 1;
        let key = Key::new(self.next_seed);
        self.keys.insert(key.id(), self.next_seed);
        key
    }

    /// Any key there is, or a new one.
    fn some_key(&mut self) -> Key {
        let seeds: Vec<u16> = self.keys.values().copied().collect();
        match self.chance.one_in(20) {
            true => self.fresh_key(),
            false => Key::new(self.chance.pick(&seeds).unwrap()),
        }
    }

    fn some_member(&mut self) -> tabellion_ledger::MemberId {
        let number = self.chance.below(self.next_member + 1);
        member_id(number)
    }

    /// A valid key of a member, oftener than not of an active one.
    fn key_of(&mut self, member: &tabellion_ledger::MemberId) -> Option<Key> {
        let keys = member_record(&self.world, member)?.keys;
        let key = self.chance.pick(&keys)?;
        Some(Key::new(self.keys[&key]))
    }

    fn some_node(&mut self) -> NodeId {
        let all: Vec<NodeId> = nodes(&self.world.state).0.into_iter().map(|(id, _)| id).collect();
        let node = self.chance.pick(&all);
        if self.chance.one_in(30) { NodeId::default() } else { node.unwrap_or_default() }
    }

    fn some_validator(&mut self) -> NodeId {
        let all = self.world.validators();
        let node = self.chance.pick(&all).unwrap();
        if self.chance.one_in(10) { self.some_node() } else { node }
    }

    fn some_role(&mut self) -> Role {
        Role::ALL[self.chance.below(Role::ALL.len())]
    }

    fn some_change(&mut self) -> Change {
        let (member, role) = (self.some_member(), self.some_role());
        let parameters = parameters(&self.world.state);
        match self.chance.below(20) {
            0 | 1 => {
                let number = self.next_member;
                self.next_member += 1;
                let seed = 100 + u16::try_from(number).unwrap();
                self.keys.insert(Key::new(seed).id(), seed);
                Change::AddMember(self.world.new_member(number))
            }
            2 => Change::SuspendMember { member },
            3 | 4 => Change::ResumeMember { member },
            5 => Change::RemoveMember { member },
            6 => {
                let key = self.fresh_key();
                let keys = vec![self.world.offer(&key, &member, Purpose::Member)];
                Change::ReplaceKeys { member, keys }
            }
            7 => Change::GrantRole { member, role: Role::Operator },
            8 => Change::RevokeRole { member, role },
            9..=12 => Change::AddValidator { node: self.some_node() },
            13 | 14 => Change::ReplaceValidator { old: self.some_validator(), new: self.some_node() },
            15 => Change::RemoveValidator { node: self.some_validator() },
            16 => {
                let heartbeat_ms = self.chance.next() % 90_000_000;
                Change::Blocks(BlockLimits { heartbeat_ms, ..BlockLimits::of(&parameters.block) })
            }
            17 => match stop(&self.world.state) {
                None => Change::Stop,
                Some(_) => Change::Resume,
            },
            18 => {
                let waiting = agenda(&self.world.state).accepted;
                let found = self.chance.pick(&waiting).map(|entry| entry.number);
                Change::Cancel { proposal: found.unwrap_or(ProposalNumber(self.chance.next() % 50)) }
            }
            _ => {
                let quota = Quota { transactions: 16, bytes: 65_536 + self.chance.next() % 1_000_000 };
                Change::MemberQuota { member, quota: MemberQuota::Own(quota) }
            }
        }
    }

    fn some_action(&mut self) -> Option<(Key, Action)> {
        let member = self.some_member();
        let key = if self.chance.one_in(15) { self.some_key() } else { self.key_of(&member)? };
        let action = match self.chance.below(32) {
            0 => Action::AddKey(self.offer(&member, Purpose::Member)),
            1 => Action::RetireKey { key: self.some_key().id() },
            2 => self.account_action(&member),
            3..=6 => {
                let change = self.some_change();
                let proposed = self.world.proposed(change);
                let effect = tabellion_ledger::Height(self.chance.next() % (self.world.tip.0 + 6));
                Action::Propose(Proposed { effect, ..proposed })
            }
            7..=20 => self.some_ballot(&member)?,
            21 => {
                let next = agenda(&self.world.state).next.0;
                Action::Withdraw { proposal: ProposalNumber(next.saturating_sub(1)) }
            }
            22 | 23 => return self.node_joins(member),
            24 => Action::RemoveNode { node: self.some_node() },
            25 => return self.node_rotates(),
            26..=30 => return self.node_speaks(),
            _ => return self.somebody_watches(),
        };
        Some((key, action))
    }

    fn offer(&mut self, member: &tabellion_ledger::MemberId, purpose: Purpose<'_>) -> KeyOffer {
        let key = if self.chance.one_in(5) { self.some_key() } else { self.fresh_key() };
        self.world.offer(&key, member, purpose)
    }

    fn account_action(&mut self, member: &tabellion_ledger::MemberId) -> Action {
        let name: AccountName = format!("a{}", self.chance.below(3)).parse().unwrap();
        match self.chance.below(4) {
            0 => Action::CloseAccount { name },
            1 => Action::AddAccountKey { key: self.offer(member, Purpose::Account(&name)), name },
            2 => Action::RevokeAccountRole { name, role: Role::Operator },
            _ => {
                let keys = vec![self.offer(member, Purpose::Account(&name))];
                let (about, roles) = (String::new(), vec![Role::Operator]);
                Action::OpenAccount(NewAccount { name, about, keys, roles })
            }
        }
    }

    fn some_ballot(&mut self, member: &tabellion_ledger::MemberId) -> Option<Action> {
        let open = agenda(&self.world.state).open;
        let number = match self.chance.one_in(20) {
            true => ProposalNumber(self.chance.next() % 50),
            false => self.chance.pick(&open)?.number,
        };
        // Two members are against everything; the others are for most things.
        let contrary = ["m5", "m6"].contains(&member.as_str());
        let choice = if contrary || self.chance.one_in(8) { Choice::Against } else { Choice::For };
        Some(self.world.ballot(number, choice))
    }

    fn node_joins(&mut self, member: tabellion_ledger::MemberId) -> Option<(Key, Action)> {
        let waiting = invitations(&self.world.state, &member);
        if let Some((invited, _)) = self.chance.pick(&waiting) {
            let invitation = Key::new(self.keys[&invited]);
            let node = if self.chance.one_in(10) { self.some_key() } else { self.fresh_key() };
            let action = self.world.joining(&node, &invitation, &member);
            return Some((invitation, action));
        }
        let (key, invitation) = (self.key_of(&member)?, self.fresh_key());
        let role = if self.chance.one_in(6) { NodeRole::Edge } else { NodeRole::Full };
        let action = self.world.invitation(&invitation, role);
        Some((key, action))
    }

    fn node_rotates(&mut self) -> Option<(Key, Action)> {
        let id = self.some_node();
        let node = node(&self.world.state, &id)?;
        let (present, next) = (Key::new(self.keys[&node.key.id()]), self.fresh_key());
        let sign = |key: &Key, purpose| {
            key.sign(&possession_message(&self.world.ledger(), &node.member, &key.id(), purpose))
        };
        let rotation = Rotation {
            node: node.id,
            present: present.node_key(),
            key: next.node_key(),
            possession: sign(&next, Purpose::Next(&node.id)),
            consent: sign(&present, Purpose::Yield(&node.id, &next.id())),
        };
        Some((self.key_of(&node.member)?, Action::RotateNode(rotation)))
    }

    fn node_speaks(&mut self) -> Option<(Key, Action)> {
        let id = self.some_node();
        let node = node(&self.world.state, &id)?;
        let key = Key::new(self.keys[&node.key.id()]);
        let action = match (self.chance.one_in(10), boundary(&self.world.state)) {
            (true, _) => Action::SetAddress { address: format!("h:{}", 1 + self.chance.below(9_000)) },
            (false, boundary) => Action::Report(boundary?),
        };
        Some((key, action))
    }

    /// A validator votes two ways, and somebody shows it; or nobody does, and a member says its name anew.
    fn somebody_watches(&mut self) -> Option<(Key, Action)> {
        let (accuser, accused) = (self.some_member(), self.some_validator());
        let key = self.key_of(&accuser)?;
        if self.chance.one_in(3) {
            let name = self.chance.next().to_string();
            return Some((key, Action::Describe { name, contact: String::new() }));
        }
        let node = node(&self.world.state, &accused)?;
        let view = self.chance.next() % 40;
        let liar = Key::new(self.keys[&node.key.id()]);
        let shown = super::evidence::evidence(&self.world, &liar, view);
        Some((key, Action::Accuse(shown)))
    }

    /// All healthy nodes report, as in a network that runs.
    fn nodes_report(&mut self) {
        let Some(said) = boundary(&self.world.state) else { return };
        for (id, _) in nodes(&self.world.state).0 {
            let node = node(&self.world.state, &id).unwrap();
            let key = Key::new(self.keys[&node.key.id()]);
            if node.reported != Some(said.height) && !self.chance.one_in(10) {
                let _ = self.world.act(&key, &Action::Report(said));
            }
        }
    }

    fn step(&mut self) {
        if self.chance.one_in(12) {
            let before = self.world.state.clone();
            let events = self.world.end_block();
            self.check_block(&before, &events);
            if self.chance.one_in(2) {
                self.nodes_report();
            }
            return;
        }
        let Some((key, action)) = self.some_action() else { return };
        let before = self.world.state.clone();
        let kind = action.kind().name();
        match self.world.act(&key, &action) {
            Ok(_) => *self.accepted.entry(kind).or_default() += 1,
            Err(refusal) => {
                assert!(self.world.state == before, "seed {}: {refusal} left a trace", self.seed);
                *self.refused.entry(refusal.code()).or_default() += 1;
            }
        }
        self.check_roster_stays(&before);
    }

    /// Within a block the roster never changes.
    fn check_roster_stays(&self, before: &Records) {
        let changed = roster(&self.world.state) != roster(before);
        assert!(!changed, "seed {}: the roster changed within a block", self.seed);
    }

    fn check_block(&mut self, before: &Records, events: &[Event]) {
        let (old, new) = (roster(before), roster(&self.world.state));
        let same = old.validators() == new.validators();
        let step = new.number() - old.number();
        assert_eq!(step, u64::from(!same), "seed {}: the number grows with the validators", self.seed);
        assert!(same || is_last_of_epoch(self.world.tip, EPOCH), "seed {}", self.seed);
        let count = |roster: &tabellion_ledger::Roster| roster.validators().len();
        assert!(count(&new) >= 4, "seed {}: {} validators", self.seed, count(&new));
        let kept = new.validators().iter().filter(|seat| old.index_of(&seat.key).is_some()).count();
        let most = changes_per_epoch(count(&old));
        assert!(count(&new).max(count(&old)) - kept <= most, "seed {}: too much at once", self.seed);
        let known = self.rosters.insert(new.number(), Hash(new.hash().0));
        assert!(known.is_none_or(|hash| hash == Hash(new.hash().0)), "seed {}: two rosters", self.seed);
        self.check_shares();
        self.check_nodes();
        self.check_keys();
        for event in events {
            if let Event::Executed { proposal } | Event::SeatPending { proposal, .. } = event {
                self.check_decision(*proposal, before);
            }
        }
    }

    fn check_shares(&self) {
        let new = roster(&self.world.state);
        let mut shares: BTreeMap<_, usize> = BTreeMap::new();
        for seat in new.validators() {
            *shares.entry(seat.member.clone()).or_default() += 1;
        }
        let largest = shares.values().max().copied().unwrap_or_default();
        assert!(largest * 3 < new.validators().len(), "seed {}: a third for one", self.seed);
    }

    /// Nodes, roster and address book say the same.
    fn check_nodes(&self) {
        let state = &self.world.state;
        let seats: BTreeSet<NodeId> = self.world.validators().into_iter().collect();
        let all = nodes(state);
        for (id, member) in &all.0 {
            let node = node(state, id).unwrap();
            assert_eq!((&node.member, node.removed), (member, None), "seed {}", self.seed);
            assert_eq!(node.is_validator(), seats.contains(id), "seed {}", self.seed);
        }
        let book = committee(state);
        assert_eq!(book.roster, roster(state).number(), "seed {}", self.seed);
        let listed: BTreeSet<NodeId> = book.validators().map(|node| node.id).collect();
        assert_eq!(listed, seats, "seed {}", self.seed);
    }

    /// Every key has one owner, and every list of keys names valid ones of its own.
    fn check_keys(&self) {
        let state = &self.world.state;
        let mut seen = BTreeSet::new();
        let mut check = |key: &KeyId, owner: &Owner, member: &tabellion_ledger::MemberId| {
            let record = key_record(state, key).unwrap();
            assert_eq!((&record.owner, &record.member), (owner, member), "seed {}", self.seed);
            assert!(record.retired.is_none() && seen.insert(*key), "seed {}: {key}", self.seed);
        };
        for (id, _) in members(state).0 {
            let member = member(state, &id).unwrap();
            member.keys.iter().for_each(|key| check(key, &Owner::Member, &id));
            assert!((1..=2).contains(&member.keys.len()), "seed {}", self.seed);
            for name in accounts(state, &id) {
                let account = account(state, &id, &name).unwrap();
                account.keys.iter().for_each(|key| check(key, &Owner::Account(name.clone()), &id));
            }
        }
        for (id, member) in nodes(state).0 {
            let node = node(state, &id).unwrap();
            check(&node.key.id(), &Owner::Node(id), &member);
            if let Some(next) = node.next_key {
                check(&next.id(), &Owner::Node(id), &member);
            }
        }
    }

    /// Counts the ballots of a decision again, without the code that counted them.
    fn check_decision(&mut self, number: ProposalNumber, before: &Records) {
        let record = proposal(&self.world.state, number).unwrap();
        *self.executed.entry(record.change.name()).or_default() += 1;
        let acceptance = record.acceptance.unwrap();
        let voters: BTreeSet<_> = record.ballots.iter().map(|ballot| &ballot.member).collect();
        assert_eq!(voters.len(), record.ballots.len(), "seed {}: one organisation, one vote", self.seed);
        let votes = record.ballots.iter().filter(|ballot| ballot.choice == Choice::For).count();
        let (counted, active) = (acceptance.tally.votes_for, acceptance.tally.active);
        assert!(counted <= u64::try_from(votes).unwrap(), "seed {}", self.seed);
        assert!(3 * counted > 2 * active, "seed {}: {counted} of {active}", self.seed);
        assert!(acceptance.effect.0 <= self.world.tip.0 + 1, "seed {}: too early", self.seed);
        if acceptance.accepted.height == self.world.tip {
            // Accepted in this very block: its members are those of the block before, or of its own changes.
            let known = [members(before).active(), members(&self.world.state).active()];
            let (least, most) = (known.iter().min().unwrap() - 1, known.iter().max().unwrap() + 1);
            assert!((least..=most).contains(&usize::try_from(active).unwrap()), "seed {}", self.seed);
        }
    }
}

fn member_record(world: &World, id: &tabellion_ledger::MemberId) -> Option<Member> {
    member(&world.state, id)
}

/// X.1409 L9: whatever members, nodes and strangers try, the rules hold.
#[test]
fn whatever_anybody_does_the_rules_hold() {
    let (mut accepted, mut refused, mut executed) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for seed in 0..6 {
        let mut walk = Walk::new(seed);
        for _ in 0..4_000 {
            walk.step();
        }
        assert!(
            !walk.rosters.is_empty() && roster(&walk.world.state).number() > 3,
            "seed {seed} walks too little"
        );
        accepted.extend(walk.accepted.into_keys());
        refused.extend(walk.refused.into_keys());
        executed.extend(walk.executed.into_keys());
    }
    assert!(accepted.len() >= 15, "{accepted:?}");
    assert!(refused.len() >= 30, "{refused:?}");
    assert!(executed.len() >= 12, "{executed:?}");
}

/// Two replays of one walk hold the same state.
#[test]
fn the_same_requests_lead_to_the_same_state() {
    let run = || {
        let mut walk = Walk::new(77);
        (0..1_500).for_each(|_| walk.step());
        walk.world.state.0.into_iter().collect::<Vec<(StateKey, Vec<u8>)>>()
    };
    assert!(run() == run());
}
