//! A ledger of the consortium alone, in memory: blocks, members with keys, nodes.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tabellion_ledger::{
    Algorithm, Context, Effects, Hash, HeaderHash, Height, KeyId, MemberId, PublicKey, Signature, StateKey,
    TimeMs, TransactionId, Validator, View, Writes, cbor,
};

use crate::*;

pub const START: TimeMs = TimeMs(1_790_000_000_000);
pub const BLOCK_MS: u64 = 1_000;
pub const EPOCH: u64 = 4;
pub const HOUR: u64 = 3_600_000;
pub const NO_CERTIFICATE_AT_ALL: &[u8] = b"no certificate at all";

/// A key pair of a seed.
pub struct Key(Ed25519KeyPair);

impl Key {
    pub fn new(seed: u16) -> Self {
        let mut bytes = [0x5a; 32];
        bytes[..2].copy_from_slice(&seed.to_be_bytes());
        Self(Ed25519KeyPair::from_seed_unchecked(&bytes).unwrap())
    }

    pub fn node_key(&self) -> NodeKey {
        NodeKey(self.0.public_key().as_ref().try_into().unwrap())
    }

    pub fn public(&self) -> PublicKey {
        self.node_key().public()
    }

    pub fn id(&self) -> KeyId {
        self.public().id()
    }

    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).as_ref().to_vec())
    }

    pub fn sign_raw(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).as_ref().try_into().unwrap()
    }
}

/// The state as a map.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Records(pub BTreeMap<StateKey, Vec<u8>>);

impl Records {
    pub fn write(&mut self, writes: Writes) {
        for (key, record) in writes {
            match record {
                Some(record) => self.0.insert(key, record),
                None => self.0.remove(&key),
            };
        }
    }
}

impl View for Records {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    fn transaction_height(&self, _: &TransactionId) -> Option<Height> {
        None
    }
}

/// Names that no path validation could follow, for rules that only the machine can judge.
pub fn judge(parameters: &Parameters, view: &dyn View) -> Result<(), String> {
    let anchors = &parameters.certificate.anchors;
    let bad = anchors.iter().find(|id| anchor(view, id).is_none_or(|der| der == NO_CERTIFICATE_AT_ALL));
    match bad {
        Some(id) => Err(format!("{id} is no certificate")),
        None if parameters.certificate.policies.iter().any(|policy| policy == "x") => {
            Err("x is no object identifier".to_owned())
        }
        None => Ok(()),
    }
}

pub fn id(name: &str) -> MemberId {
    name.parse().unwrap()
}

/// The name of a member by number: m0, m1, ...
pub fn member_id(number: usize) -> MemberId {
    id(&format!("m{number}"))
}

/// Seeds: members' keys from 100, invitations' from 1,000, nodes' from 30,000.
pub fn member_key_of(number: usize) -> Key {
    Key::new(100 + u16::try_from(number).unwrap())
}

pub fn node_key_of(number: usize) -> Key {
    Key::new(30_000 + u16::try_from(number).unwrap())
}

pub fn node_id_of(number: usize) -> NodeId {
    NodeId(node_key_of(number).id())
}

pub fn genesis(members: usize, validators: usize, parameters: Parameters) -> Genesis {
    let member = |number| GenesisMember {
        id: member_id(number),
        name: format!("Organisation {number}"),
        keys: vec![member_key_of(number).public()],
        roles: vec![Role::CertificateUser, Role::Operator],
    };
    let validator = |number| GenesisValidator {
        validator: Validator {
            key: node_key_of(number).node_key().0,
            member: member_id(number),
            name: format!("node {number}"),
        },
        address: format!("10.0.0.{number}:7000"),
    };
    Genesis {
        name: "test".to_owned(),
        time: START,
        members: (0..members).map(member).collect(),
        validators: (0..validators).map(validator).collect(),
        parameters,
        anchors: vec![b"a first certificate".to_vec()],
    }
}

pub fn parameters_for_tests() -> Parameters {
    let mut parameters = Parameters::default();
    parameters.block.epoch_blocks = EPOCH;
    parameters.governance.probation_epochs = 1;
    parameters
}

/// A ledger between two blocks, or within one.
#[derive(Clone)]
pub struct World {
    pub document: Genesis,
    pub state: Records,
    /// The newest finished block.
    pub tip: Height,
    pub time: TimeMs,
    /// What happened since the last look.
    pub events: Vec<Event>,
}

impl World {
    /// `members` members m0, m1, ...; each of the first `validators` runs a validator.
    pub fn new(members: usize, validators: usize) -> Self {
        Self::with(members, validators, parameters_for_tests())
    }

    pub fn with(members: usize, validators: usize, parameters: Parameters) -> Self {
        Self::of(genesis(members, validators, parameters))
    }

    pub fn of(document: Genesis) -> Self {
        let document = document.new().unwrap();
        let mut state = Records::default();
        state.write(document.writes());
        Self { document, state, tip: Height(0), time: START, events: Vec::new() }
    }

    pub fn ledger(&self) -> tabellion_ledger::LedgerId {
        self.document.ledger_id()
    }

    /// The block that is being made.
    pub fn ctx(&self) -> Context {
        Context {
            ledger: self.ledger(),
            height: self.tip.next(),
            time: self.time.plus(BLOCK_MS),
            previous_time: self.time,
        }
    }

    /// The header hash of a finished block.
    pub fn header(height: Height) -> HeaderHash {
        HeaderHash::of(&height.0.to_be_bytes())
    }

    /// Applies an action as the machine does; nothing is written when it is refused.
    pub fn act(&mut self, key: &Key, action: &Action) -> Result<Vec<Event>, Refusal> {
        let ctx = self.ctx();
        let by = submitter(&self.state, &key.id())?;
        let bytes = action.to_bytes();
        let checked = check(&bytes, &[], &by, &ctx.ledger)?;
        assert_eq!(checked.action(), action, "an action reads back from its bytes");
        let rules = parameters(&self.state).quota;
        let charged = match action.is_charged() {
            true => charge(&by, bytes.len() as u64, &ctx, &rules, &self.state)?,
            false => Writes::new(),
        };
        let Effects { writes, events } = apply(&checked, &by, &ctx, &judge, &self.state)?;
        self.state.write(charged);
        self.state.write(writes);
        self.events.extend(events.iter().cloned());
        Ok(events)
    }

    /// An action of member number `number` by its first key.
    pub fn member_acts(&mut self, number: usize, action: &Action) -> Result<Vec<Event>, Refusal> {
        self.act(&member_key_of(number), action)
    }

    /// Finishes the block.
    pub fn end_block(&mut self) -> Vec<Event> {
        let ctx = self.ctx();
        let Effects { writes, events } = close(&ctx, &Self::header(self.tip), EPOCH, &judge, &self.state);
        self.state.write(writes);
        (self.tip, self.time) = (ctx.height, ctx.time);
        self.events.extend(events.iter().cloned());
        events
    }

    /// Finishes the block as one that does not end its epoch, whatever its height.
    pub fn end_pending_block(&mut self) {
        let ctx = self.ctx();
        let writes = close(&ctx, &Self::header(self.tip), u64::MAX, &judge, &self.state).writes;
        self.state.write(writes);
        (self.tip, self.time) = (ctx.height, ctx.time);
    }

    /// Finishes blocks until the last one of an epoch is finished.
    pub fn end_epoch(&mut self) -> Vec<Event> {
        let mut events = self.end_block();
        while !is_last_of_epoch(self.tip, EPOCH) {
            events.extend(self.end_block());
        }
        events
    }

    pub fn wait(&mut self, ms: u64) {
        self.time = self.time.plus(ms);
    }

    /// A proposal that takes effect as soon as it is accepted.
    pub fn proposed(&self, change: Change) -> Proposed {
        Proposed { change, reason: "because".to_owned(), deadline: self.time.plus(HOUR), effect: Height(0) }
    }

    pub fn propose(&mut self, number: usize, change: Change) -> Result<ProposalNumber, Refusal> {
        let next = agenda(&self.state).next;
        self.member_acts(number, &Action::Propose(self.proposed(change)))?;
        Ok(next)
    }

    pub fn ballot(&self, proposal: ProposalNumber, choice: Choice) -> Action {
        let hash = crate::proposal(&self.state, proposal).map(|found| found.hash());
        let hash = hash.unwrap_or(Hash([0; 32]));
        Action::Vote(Ballot { proposal, hash, choice, reason: String::new() })
    }

    pub fn vote(&mut self, number: usize, proposal: ProposalNumber, choice: Choice) -> Result<(), Refusal> {
        let ballot = self.ballot(proposal, choice);
        self.member_acts(number, &ballot).map(|_| ())
    }

    pub fn status(&self, number: ProposalNumber) -> ProposalStatus {
        crate::proposal(&self.state, number).unwrap().status
    }

    /// Proposes as m0 and votes for it as m1, m2, ... until it is accepted.
    pub fn decide(&mut self, change: Change) -> ProposalNumber {
        let number = self.propose(0, change).unwrap();
        self.accept(number);
        number
    }

    pub fn accept(&mut self, number: ProposalNumber) {
        let members = members(&self.state);
        for (member, _) in &members.0 {
            if self.status(number) != ProposalStatus::Open {
                return;
            }
            let voter = member.as_str()[1..].parse().unwrap();
            match self.vote(voter, number, Choice::For) {
                Ok(()) | Err(Refusal::VotedAlready { .. } | Refusal::MemberNotActive { .. }) => {}
                Err(refusal) => panic!("{refusal}"),
            }
        }
    }

    /// Decides on a change and finishes the block; it is in force then, or failed.
    pub fn enact(&mut self, change: Change) -> ProposalStatus {
        let number = self.decide(change);
        self.end_block();
        self.status(number)
    }

    /// An offer of a key for a member.
    pub fn offer(&self, key: &Key, member: &MemberId, purpose: Purpose<'_>) -> KeyOffer {
        let message = possession_message(&self.ledger(), member, &key.id(), purpose);
        KeyOffer { key: key.public(), possession: key.sign(&message) }
    }

    pub fn new_member(&self, number: usize) -> NewMember {
        let key = member_key_of(number);
        NewMember {
            id: member_id(number),
            name: format!("Organisation {number}"),
            contact: "noc@example".to_owned(),
            keys: vec![self.offer(&key, &member_id(number), Purpose::Member)],
            roles: vec![Role::CertificateUser, Role::Operator],
        }
    }

    pub fn new_link(&self, ledger: tabellion_ledger::LedgerId) -> NewLink {
        let roster = roster(&self.state);
        NewLink { ledger, name: "Abroad".to_owned(), roster, stale_after_ms: 60_000 }
    }

    pub fn invitation(&self, key: &Key, role: NodeRole) -> Action {
        let (name, expires) = ("a new node".to_owned(), self.time.plus(HOUR));
        Action::Invite(Invite { key: key.node_key(), role, name, expires })
    }

    pub fn joining(&self, node: &Key, invitation: &Key, member: &MemberId) -> Action {
        let invited = invitation.id();
        let message = possession_message(&self.ledger(), member, &node.id(), Purpose::Join(&invited));
        let (key, address) = (node.node_key(), "10.0.1.1:7000".to_owned());
        Action::Join(Join { key, address, possession: node.sign(&message) })
    }

    /// Member `owner` invites a full node, which joins as node number `number`.
    pub fn join(&mut self, owner: usize, number: usize) -> NodeId {
        self.join_as(owner, number, NodeRole::Full)
    }

    pub fn join_as(&mut self, owner: usize, number: usize, role: NodeRole) -> NodeId {
        let invitation = Key::new(1_000 + u16::try_from(number).unwrap());
        self.member_acts(owner, &self.invitation(&invitation, role)).unwrap();
        let joining = self.joining(&node_key_of(number), &invitation, &member_id(owner));
        self.act(&invitation, &joining).unwrap();
        node_id_of(number)
    }

    /// A node reports on the last boundary.
    pub fn report(&mut self, number: usize) -> Result<(), Refusal> {
        let said =
            boundary(&self.state).unwrap_or(Boundary { height: Height(0), header: Self::header(Height(0)) });
        self.act(&node_key_of(number), &Action::Report(said)).map(|_| ())
    }

    /// A node joins and passes its probation.
    pub fn join_healthy(&mut self, owner: usize, number: usize) -> NodeId {
        let node = self.join(owner, number);
        self.end_epoch();
        self.end_block();
        self.report(number).unwrap();
        node
    }

    pub fn rotation(&self, node: usize, present: &Key, next: &Key, member: &MemberId) -> Action {
        let id = node_id_of(node);
        let sign =
            |key: &Key, purpose| key.sign(&possession_message(&self.ledger(), member, &key.id(), purpose));
        Action::RotateNode(Rotation {
            node: id,
            present: present.node_key(),
            key: next.node_key(),
            possession: sign(next, Purpose::Next(&id)),
            consent: sign(present, Purpose::Yield(&id, &next.id())),
        })
    }

    /// The nodes of the roster, by number.
    pub fn validators(&self) -> Vec<NodeId> {
        let keys = roster(&self.state).validators().iter().map(|seat| NodeKey(seat.key)).collect::<Vec<_>>();
        keys.iter().map(|key| node_of_key(&self.state, key).unwrap().id).collect()
    }
}

/// Encodes and decodes a value, and checks that nothing is lost.
pub fn again<T: tabellion_ledger::Wire + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = cbor::to_bytes(value);
    assert_eq!(cbor::from_bytes::<T>(&bytes, 1 << 20).as_ref(), Ok(value));
}

pub fn other_algorithm_key() -> PublicKey {
    PublicKey::new(Algorithm::MlDsa65, &[7; 1952]).unwrap()
}

/// A request that is refused, and why.
pub type Row<'a> = (&'a str, &'a dyn Fn(&mut World) -> Result<Vec<Event>, Refusal>, Refusal);

/// Each request upon its own copy of the world is refused as its row says, under the code that stands in
/// JSON, and leaves no trace.
pub fn assert_refused(world: &World, rows: &[Row<'_>]) {
    for (name, request, expected) in rows {
        let mut copy = world.clone();
        let refused = request(&mut copy).map(|events| format!("{events:?}"));
        assert_eq!(refused.as_ref(), Err(expected), "{name}");
        assert!(copy.state == world.state, "{name}: a refused request leaves no trace");
        let json = serde_json::to_value(expected).unwrap();
        assert_eq!(json["code"], expected.code(), "{name}");
    }
}
