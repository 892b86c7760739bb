//! A ledger in memory with validators that sign, and hand over to each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use ed25519_consensus::SigningKey;
use tabellion_consortium::{
    Action as Governing, Ballot, BlockRules, Change, Choice, Genesis, GenesisMember, GenesisValidator,
    NewLink, NodeKey, Parameters, Proposed, Purpose, Role, Rotation, agenda, node_of_key, possession_message,
    proposal, roster,
};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::{
    Algorithm, CertificateId, Content, Envelope, FinalityProof, FinalitySignature, HandOver, Hash, Header,
    Height, Lane, LedgerId, MemberId, ProvedHeader, PublicKey, Roster, RosterHash, Signature, StateKey,
    TimeMs, Transaction, Validator, attachments_root, cbor, merkle, sha256,
};
use tabellion_machine::{Checked, Event, Refusal, Replay, link, submit, would_apply};
use tabellion_pki::{
    Action, AlgorithmSet, Delivery, Entry, EvidenceKind, Facts, FollowedLedger, ForeignRecord, KeySignature,
    ProvedRecord, RELAY_HAND_OVERS_MAX, RELAY_RESULTS_MAX, Reason, Relay, SignedStatement, Statement, Status,
    StatusChange, Window, certificate, feedback, followed_ledger, foreign_record, outbox, outbox_entry_key,
    outbox_key,
};

pub const START: TimeMs = TimeMs(1_790_000_000_000);
const MINUTE: u64 = 60_000;
const VALIDATORS: usize = 4;
pub const STALE_AFTER_MS: u64 = 10 * MINUTE;

/// A ledger with four members, each with a validator.
pub struct Ledger {
    pub replay: Replay,
    pub time: TimeMs,
    pub headers: Vec<Header>,
    /// Their leaves in the tree of the history.
    pub leaves: Vec<Hash>,
    pub hand_overs: Vec<HandOver>,
    /// Every new status, in order, as the events told it: what the outbox must say.
    pub truth: Vec<(CertificateId, Status)>,
    /// Length of the truth after each block.
    numbered: Vec<u64>,
    pub certificates: Vec<Vec<u8>>,
    pub rosters: BTreeMap<RosterHash, Roster>,
    name: &'static str,
    ca: TestCa,
    keys: BTreeMap<[u8; 32], SigningKey>,
    nonce: u128,
}

fn member(place: usize) -> MemberId {
    format!("m{place}").parse().unwrap()
}

pub fn signing_key(name: &str) -> SigningKey {
    SigningKey::from(sha256(name.as_bytes()))
}

fn public(key: &SigningKey) -> PublicKey {
    PublicKey::new(Algorithm::Ed25519, &key.verification_key().to_bytes()).unwrap()
}

impl Ledger {
    pub fn new(name: &'static str) -> Self {
        let ca = TestCa::new(KeyKind::P256);
        let founder = |place: usize| GenesisMember {
            id: member(place),
            name: "A member".to_owned(),
            keys: vec![public(&signing_key(&format!("{name}/member/{place}")))],
            roles: vec![Role::CertificateUser, Role::Operator],
        };
        let mut keys = BTreeMap::new();
        let mut seat = |place: usize| {
            let key = signing_key(&format!("{name}/validator/{place}"));
            let raw = key.verification_key().to_bytes();
            keys.insert(raw, key);
            let validator = Validator { key: raw, member: member(place), name: format!("v{place}") };
            GenesisValidator { validator, address: format!("127.0.0.1:{}", 1 + place) }
        };
        let mut validators: Vec<_> = (0..VALIDATORS).map(&mut seat).collect();
        validators.sort_by_key(|seat| seat.validator.key);
        let defaults = Parameters::default();
        let block = BlockRules { heartbeat_ms: 1_000, epoch_blocks: 4, ..defaults.block };
        let document = Genesis {
            name: name.to_owned(),
            time: START,
            members: (0..VALIDATORS).map(founder).collect(),
            validators,
            parameters: Parameters { block, ..defaults },
            anchors: vec![ca.root().to_vec()],
        };
        let document = document.new().unwrap();
        let replay = Replay::new(&document).unwrap();
        let headers = vec![replay.header().clone()];
        let leaves = vec![replay.header().leaf()];
        let rosters = BTreeMap::from([(document.roster().hash(), document.roster())]);
        let (hand_overs, truth, certificates) = (Vec::new(), Vec::new(), Vec::new());
        let time = START;
        Self {
            replay,
            time,
            headers,
            leaves,
            hand_overs,
            truth,
            numbered: vec![0],
            certificates,
            rosters,
            name,
            ca,
            keys,
            nonce: 0,
        }
    }

    pub fn id(&self) -> LedgerId {
        self.replay.rules().ledger()
    }

    pub fn header(&self) -> &Header {
        self.replay.header()
    }

    fn member_key(&self, place: usize) -> SigningKey {
        signing_key(&format!("{}/member/{place}", self.name))
    }

    pub fn sign(
        &mut self,
        place: usize,
        lane: Lane,
        action: Vec<u8>,
        attachments: Vec<Vec<u8>>,
    ) -> Transaction {
        self.nonce += 1;
        let content = Content {
            ledger: self.id(),
            lane,
            valid_until: self.time.plus(30 * MINUTE),
            nonce: self.nonce.to_be_bytes(),
            action,
            attachments: attachments_root(&attachments),
        };
        let key = self.member_key(place);
        let (payload, key_id) = (cbor::to_bytes(&content), public(&key).id());
        let signed = Envelope::signed_bytes(Algorithm::Ed25519, &key_id, &payload);
        let signature = Signature(key.sign(&signed).to_bytes().to_vec());
        let envelope = Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature };
        Transaction::new(envelope, attachments).unwrap()
    }

    /// Whether the next block would take a transaction.
    pub fn judge(&mut self, transaction: &Transaction) -> Result<Arc<Checked>, Refusal> {
        let submitted = submit(&transaction.to_bytes(), &self.id())?;
        let checked = self.replay.check(submitted)?;
        let replay = &self.replay;
        would_apply(&checked, replay.header(), self.time, replay.rules(), replay.state())?;
        Ok(checked)
    }

    /// The next block, a second later.
    pub fn block(&mut self, checked: &[Arc<Checked>]) -> Vec<Event> {
        self.time = self.time.plus(1_000);
        let proposal = self.replay.build(checked, self.time, 0).unwrap();
        self.replay.advance(&proposal.outcome);
        let before = self.headers.last().unwrap().clone();
        self.headers.push(self.replay.header().clone());
        self.leaves.push(self.replay.header().leaf());
        let present = roster(self.replay.state());
        self.rosters.insert(present.hash(), present);
        if before.next_roster != before.roster {
            let roster = self.rosters[&before.next_roster].clone();
            let (last, accepted) = (self.finalise(&before), self.finalise(self.header()));
            self.hand_overs.push(HandOver { last, roster, between: Vec::new(), accepted });
        }
        let events: Vec<Event> = proposal.outcome.notices.into_iter().map(|notice| notice.event).collect();
        for event in &events {
            use tabellion_pki::Event as Pki;
            if let Event::Certificate(
                Pki::Published { certificate, record }
                | Pki::Revoked { certificate, record }
                | Pki::Suspended { certificate, record }
                | Pki::Resumed { certificate, record },
            ) = event
            {
                self.truth.push((*certificate, record.status));
            }
        }
        self.numbered.push(u64::try_from(self.truth.len()).unwrap());
        events
    }

    pub fn record(&mut self, transaction: &Transaction) -> Vec<Event> {
        let checked = self.judge(transaction).unwrap();
        self.block(&[checked])
    }

    /// A header under the votes of the first three of its validators.
    pub fn finalise(&self, header: &Header) -> FinalityProof {
        self.finalise_by(header, &self.rosters[&header.roster], 3)
    }

    /// A header under the votes of some validators of a roster.
    pub fn finalise_by(&self, header: &Header, roster: &Roster, count: usize) -> FinalityProof {
        let (header, view) = (header.clone(), header.height.0 + 1);
        let mut proof =
            FinalityProof { header, epoch: 0, view, parent_view: view - 1, signatures: Vec::new() };
        let message = proof.message(&self.id());
        for (place, validator) in roster.validators().iter().enumerate().take(count) {
            let key = self.keys.get(&validator.key).cloned();
            // Who does not have the key signs with another one.
            let key = key.unwrap_or_else(|| signing_key("nobody"));
            let validator = u16::try_from(place).unwrap();
            proof.signatures.push(FinalitySignature { validator, signature: key.sign(&message).to_bytes() });
        }
        proof
    }

    /// What members decide, by the votes of three of four.
    pub fn decide(&mut self, change: Change) {
        let number = agenda(self.replay.state()).next;
        let deadline = self.time.plus(10 * MINUTE);
        let proposed = Proposed { change, reason: String::new(), deadline, effect: Height(0) };
        let action = Governing::Propose(proposed).to_bytes();
        let transaction = self.sign(0, Lane::Consortium, action, Vec::new());
        self.record(&transaction);
        let hash = proposal(self.replay.state(), number).unwrap().hash();
        let mut ballots = Vec::new();
        for place in [1, 2] {
            let ballot = Ballot { proposal: number, hash, choice: Choice::For, reason: String::new() };
            let action = Governing::Vote(ballot).to_bytes();
            let transaction = self.sign(place, Lane::Consortium, action, Vec::new());
            ballots.push(self.judge(&transaction).unwrap());
        }
        self.block(&ballots);
    }

    pub fn open_outbox(&mut self) {
        self.decide(Change::Outbox { open: true });
    }

    pub fn follow(&mut self, other: &Self) {
        let new = NewLink {
            ledger: other.id(),
            name: other.name.to_owned(),
            roster: roster(other.replay.state()),
            stale_after_ms: STALE_AFTER_MS,
        };
        self.decide(Change::FollowLedger(new));
    }

    /// One validator goes on with another key from the next epoch on.
    pub fn rotate(&mut self) -> Option<Transaction> {
        let validators = roster(self.replay.state()).validators().to_vec();
        let turn = self.hand_overs.len() % validators.len();
        let old = &validators[turn];
        let node = node_of_key(self.replay.state(), &NodeKey(old.key))?;
        if node.next_key.is_some() {
            return None;
        }
        let next = signing_key(&format!("{}/rotated/{}", self.name, self.nonce));
        let place = old.member.as_str()[1..].parse().unwrap();
        let (present, id) = (self.keys[&old.key].clone(), node.id);
        let shown = |key: &SigningKey, purpose: Purpose<'_>| {
            let message = possession_message(&self.id(), &old.member, &public(key).id(), purpose);
            Signature(key.sign(&message).to_bytes().to_vec())
        };
        let rotation = Rotation {
            node: id,
            present: NodeKey(old.key),
            key: NodeKey(next.verification_key().to_bytes()),
            possession: shown(&next, Purpose::Next(&id)),
            consent: shown(&present, Purpose::Yield(&id, &public(&next).id())),
        };
        self.keys.insert(next.verification_key().to_bytes(), next);
        let action = Governing::RotateNode(rotation).to_bytes();
        Some(self.sign(place, Lane::Consortium, action, Vec::new()))
    }

    /// A new certificate's publication.
    pub fn publication(&mut self) -> Transaction {
        let der = self.ca.issue(&format!("n{}.example", self.certificates.len()));
        let facts = Facts::of(&der).unwrap();
        let intermediates: Vec<Vec<u8>> = self.ca.intermediates().into_iter().map(<[u8]>::to_vec).collect();
        let entry = Entry {
            certificate: facts.certificate,
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window: None,
            intermediates: intermediates.iter().map(|der| CertificateId::of(der)).collect(),
            root: CertificateId::of(self.ca.root()),
        };
        self.certificates.push(der.clone());
        let action = cbor::to_bytes(&Action::Publish(vec![entry]));
        self.sign(0, Lane::Certificate, action, [vec![der], intermediates].concat())
    }

    /// The CA's word that a certificate has another status.
    pub fn change(&mut self, der: &[u8], reason: Option<Reason>) -> Transaction {
        let ledger = self.id();
        let id = CertificateId::of(der);
        let sequence = certificate(self.replay.state(), &id).unwrap().sequence + 1;
        let issuer = self.ca.issuer();
        let statement = Statement { ledger, certificate: id, reason, at: self.time, sequence };
        let (algorithm, signature) =
            (issuer.key.kind().signature_algorithm(), issuer.key.sign(&statement.signed_bytes()));
        let statement = SignedStatement { statement, signature: KeySignature { algorithm, signature } };
        let (bytes, ca) = (cbor::to_bytes(&statement), issuer.certificate.clone());
        let evidence = (EvidenceKind::Statement, bytes.as_slice());
        let said = feedback(evidence, der, &ca, &ledger, &AlgorithmSet::default()).unwrap().unwrap();
        let change = StatusChange {
            certificate: id,
            issuer: CertificateId::of(&ca),
            not_after: Facts::of(der).unwrap().not_after,
            reason: said.reason,
            evidence: said.evidence,
        };
        let action = cbor::to_bytes(&Action::Change(vec![change]));
        self.sign(0, Lane::Certificate, action, vec![der.to_vec(), ca, bytes])
    }

    pub fn status(&self, id: &CertificateId) -> Status {
        certificate(self.replay.state(), id).unwrap().status
    }

    pub fn proved(&self, key: &StateKey) -> ProvedRecord {
        use tabellion_ledger::View;
        ProvedRecord { record: self.replay.state().get(key), trie: self.replay.prove(key).unwrap() }
    }

    /// The newest header, and with it the one at `known`.
    pub fn proved_header(&self, known: Option<Height>) -> ProvedHeader {
        let newest = self.header();
        let older = known.filter(|known| *known < newest.height).map(|known| {
            let leaves = &self.leaves[..usize::try_from(newest.height.0).unwrap()];
            let place = usize::try_from(known.0).unwrap();
            (self.headers[place].clone(), merkle::inclusion_path(leaves, place))
        });
        ProvedHeader { finality: self.finalise(newest), older }
    }

    /// What a node of this ledger gives out: up to `limit` results from `first` on.
    pub fn delivery(&self, first: u64, limit: usize, known: Option<Height>) -> Delivery {
        let count = outbox(self.replay.state()).next;
        let results = (first..count).take(limit.min(RELAY_RESULTS_MAX));
        Delivery {
            header: self.proved_header(known),
            outbox: self.proved(&outbox_key()),
            first,
            results: results.map(|number| self.proved(&outbox_entry_key(number))).collect(),
        }
    }

    /// What an honest proxy brings to a ledger that knows this much.
    pub fn relay(&self, known: &FollowedLedger) -> Relay {
        let number = known.roster.number();
        let after = |hand_over: &&HandOver| hand_over.roster.number() > number;
        let all: Vec<HandOver> = self.hand_overs.iter().filter(after).cloned().collect();
        let hand_overs: Vec<_> = all.iter().take(RELAY_HAND_OVERS_MAX).cloned().collect();
        let is_all = hand_overs.len() == all.len();
        let height = known.newest.map(|newest| newest.height);
        let delivery = is_all.then(|| self.delivery(known.next, RELAY_RESULTS_MAX, height));
        Relay { ledger: self.id(), roster: known.roster.clone(), hand_overs, delivery }
    }

    pub fn known(&self, other: &LedgerId) -> FollowedLedger {
        let link = link(self.replay.state(), other).unwrap();
        let known = followed_ledger(self.replay.state(), other);
        let known = known.filter(|known| known.generation == link.generation);
        known.unwrap_or_else(|| FollowedLedger::begin(link.generation, link.roster))
    }

    pub fn foreign(&self, other: &LedgerId, id: &CertificateId) -> Option<ForeignRecord> {
        foreign_record(self.replay.state(), other, id)
    }

    pub fn sign_relay(&mut self, relay: &Relay) -> Transaction {
        self.sign(0, Lane::Certificate, cbor::to_bytes(&Action::Relay(Box::new(relay.clone()))), Vec::new())
    }

    /// How many results there were after the block at a height.
    pub fn numbered_at(&self, height: Height) -> u64 {
        self.numbered[usize::try_from(height.0).unwrap()]
    }
}

/// A ledger abroad with numbered results, and one at home that follows it.
pub fn two_ledgers() -> (Ledger, Ledger) {
    let (mut host, mut home) = (Ledger::new("host"), Ledger::new("home"));
    host.open_outbox();
    home.follow(&host);
    home.time = home.time.max(host.time);
    (host, home)
}
