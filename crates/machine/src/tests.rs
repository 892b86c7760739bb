mod lifecycle;

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tabellion_consortium::{
    CertificateRules, Genesis, GenesisMember, GenesisValidator, LedgerKind, Parameters, PermittedName, Role,
};
use tabellion_corpus::{KeyKind, TestCa, TestKey};
use tabellion_ledger::{
    Algorithm, CertificateId, Content, Envelope, Hash, Height, Lane, LedgerId, PublicKey, Signature,
    StateRoot, TimeMs, Transaction, Validator, View, attachments_root, cbor,
};
use tabellion_pki::{
    Action, CertificateRefusal, Entry, EntryRefusal, Facts, Standing, Status, Window, certificate,
};

use crate::*;

const NOW: TimeMs = TimeMs(1_790_000_000_000);
const HOUR: u64 = 3_600_000;

/// A member's key.
struct Key(Ed25519KeyPair);

impl Key {
    fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    fn public(&self) -> PublicKey {
        PublicKey::new(Algorithm::Ed25519, self.0.public_key().as_ref()).unwrap()
    }

    fn sign(&self, content: &Content, attachments: Vec<Vec<u8>>) -> Transaction {
        let (payload, key_id) = (cbor::to_bytes(content), self.public().id());
        let signed = Envelope::signed_bytes(Algorithm::Ed25519, &key_id, &payload);
        let signature = Signature(self.0.sign(&signed).as_ref().to_vec());
        let envelope = Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature };
        Transaction::new(envelope, attachments).unwrap()
    }
}

/// A ledger with one publisher and one auditor, who may not publish.
struct World {
    replay: Replay,
    ca: TestCa,
    publisher: Key,
    auditor: Key,
    nonce: u8,
}

fn member(id: &str, key: &Key, role: Role) -> GenesisMember {
    let id = id.parse().unwrap();
    GenesisMember { id, name: "A member".to_owned(), keys: vec![key.public()], roles: vec![role] }
}

fn document(ca: &TestCa, certificate: CertificateRules) -> Genesis {
    let key = Key::new(70).public().as_bytes().try_into().unwrap();
    let validator = Validator { key, member: "publisher".parse().unwrap(), name: "one".to_owned() };
    let genesis = Genesis {
        name: "test".to_owned(),
        time: TimeMs(NOW.0 - HOUR),
        members: vec![
            member("publisher", &Key::new(1), Role::CertificateUser),
            member("auditor", &Key::new(2), Role::Auditor),
        ],
        validators: vec![GenesisValidator { validator, address: "127.0.0.1:1".to_owned() }],
        parameters: Parameters { certificate, ..Parameters::default() },
        anchors: vec![ca.root().to_vec()],
    };
    genesis.new().unwrap()
}

impl World {
    fn new(rules: CertificateRules) -> Self {
        let ca = TestCa::new(KeyKind::P256);
        let replay = Replay::new(&document(&ca, rules)).unwrap();
        Self { replay, ca, publisher: Key::new(1), auditor: Key::new(2), nonce: 0 }
    }

    fn full() -> Self {
        Self::new(CertificateRules::default())
    }

    fn entry(&self, der: &[u8]) -> Entry {
        let facts = Facts::of(der).unwrap();
        Entry {
            certificate: facts.certificate,
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window: None,
            intermediates: self.ca.intermediates().into_iter().map(CertificateId::of).collect(),
            root: CertificateId::of(self.ca.root()),
        }
    }

    fn attachments(&self, ders: &[Vec<u8>]) -> Vec<Vec<u8>> {
        ders.iter().cloned().chain(self.ca.intermediates().into_iter().map(<[u8]>::to_vec)).collect()
    }

    fn content(&mut self, action: &Action, attachments: &[Vec<u8>]) -> Content {
        self.nonce += 1;
        Content {
            ledger: self.replay.rules().ledger(),
            lane: Lane::Certificate,
            valid_until: NOW.plus(HOUR / 2),
            nonce: [self.nonce; 16],
            action: cbor::to_bytes(action),
            attachments: attachments_root(attachments),
        }
    }

    fn publish(&mut self, entries: Vec<Entry>, ders: &[Vec<u8>]) -> Transaction {
        let attachments = self.attachments(ders);
        let content = self.content(&Action::Publish(entries), &attachments);
        self.publisher.sign(&content, attachments)
    }

    fn publish_new(&mut self, name: &str) -> (CertificateId, Transaction) {
        let der = self.ca.issue(name);
        let entry = self.entry(&der);
        (entry.certificate, self.publish(vec![entry], &[der]))
    }

    /// Sends a transaction the whole way: bytes, check, block.
    fn record(&mut self, transaction: &Transaction, at: TimeMs) -> Result<Outcome, Refusal> {
        let ledger = self.replay.rules().ledger();
        let checked = self.replay.check(submit(&transaction.to_bytes(), &ledger)?)?;
        would_apply(&checked, self.replay.header(), at, self.replay.rules(), self.replay.state())?;
        let Proposal { outcome, refused } = self.replay.build(&[checked], at, 0).unwrap();
        assert_eq!(refused, []);
        self.replay.advance(&outcome);
        Ok(outcome)
    }

    fn standing(&self, id: &CertificateId) -> Standing {
        Standing::of(certificate(self.replay.state(), id).as_ref(), self.replay.header().time)
    }
}

fn entry_refusal(refusal: Refusal) -> EntryRefusal {
    let [entry] = refusal.entries() else { panic!("one refused entry expected: {refusal}") };
    entry.refusal.clone()
}

/// X.1409 C2, C3, C6, C7, C10, C17
#[test]
fn a_published_certificate_is_normal_and_its_record_and_the_absence_of_others_are_proved() {
    let mut world = World::full();
    let (id, transaction) = world.publish_new("one.example");
    let outcome = world.record(&transaction, NOW).unwrap();
    assert_eq!(world.standing(&id), Standing::Valid);
    let record = certificate(world.replay.state(), &id).unwrap();
    assert_eq!((record.status, record.since_height, record.since_time), (Status::Normal, Height(1), NOW));
    let root = &outcome.block.header.state_root;
    let key = tabellion_pki::certificate_key(&id);
    let value = tabellion_ledger::sha256(&cbor::to_bytes(&record));
    assert_eq!(world.replay.prove(&key).unwrap().verify(root, &key.path(), Some(&value)), Ok(()));
    let other = tabellion_pki::certificate_key(&CertificateId([9; 32]));
    assert_eq!(world.replay.prove(&other).unwrap().verify(root, &other.path(), None), Ok(()));
    assert_eq!(world.standing(&CertificateId([9; 32])), Standing::Unknown);
}

/// X.1409 L6: each refusal has its facts, and nothing is recorded.
#[test]
fn whatever_is_refused_says_why_and_changes_nothing() {
    let mut world = World::full();
    let (_, good) = world.publish_new("good.example");
    world.record(&good, NOW).unwrap();
    let root = world.replay.header().state_root;
    let here = world.replay.rules().ledger();
    for (name, transaction, expected) in refusals(&mut world) {
        assert_eq!(world.record(&transaction, NOW).map(|_| ()), Err(expected), "{name}");
        assert_eq!(world.replay.header().state_root, root, "{name} changed the state");
    }
    let mut bytes = good.to_bytes();
    bytes.push(0);
    assert!(matches!(submit(&bytes, &here), Err(Refusal::Encoding(_))));
    let replayed = Refusal::Replayed { id: good.id(), height: Height(1) };
    assert_eq!(world.record(&good, NOW).map(|_| ()), Err(replayed));
}

/// Rows of (name, transaction, refusal); the certificates' own faults have their table in `tabellion-pki`.
fn refusals(world: &mut World) -> Vec<(&'static str, Transaction, Refusal)> {
    let der = world.ca.issue("row.example");
    let entry = world.entry(&der);
    let action = Action::Publish(vec![entry.clone()]);
    let ders = [der.clone()];
    let attachments = world.attachments(&ders);
    let content = world.content(&action, &attachments);
    let without =
        |attachments: &[Vec<u8>]| Content { attachments: attachments_root(attachments), ..content.clone() };
    let sign = |content: &Content, world: &World| world.publisher.sign(content, attachments.clone());
    let entries = |index, refusal| {
        let refused = tabellion_pki::RefusedEntry { index, certificate: entry.certificate, refusal };
        Refusal::Certificate(tabellion_pki::Refusal::Entries(vec![refused]))
    };
    let foreign = Content { ledger: LedgerId([1; 32]), ..content.clone() };
    let other_lane = Content { lane: Lane::Intel, ..content.clone() };
    let expired = Content { valid_until: TimeMs(NOW.0 - 1), ..content.clone() };
    let too_long = Content { valid_until: NOW.plus(2 * HOUR), ..content.clone() };
    let garbled = Content { action: vec![0x82, 0x18, 0x63, 0x80], ..content.clone() };
    let stranger = Key::new(9);
    let forged = {
        let mut envelope = sign(&content, world).envelope().clone();
        envelope.signature.0[5] ^= 1;
        Transaction::new(envelope, attachments.clone()).unwrap()
    };
    let mut rows = vec![
        ("foreign ledger", sign(&foreign, world), {
            Refusal::ForeignLedger { named: LedgerId([1; 32]), here: content.ledger }
        }),
        ("lane of no service", sign(&other_lane, world), Refusal::LaneNotServed { lane: Lane::Intel }),
        ("expired", sign(&expired, world), Refusal::Expired { valid_until: expired.valid_until, at: NOW }),
        ("valid for too long", sign(&too_long, world), {
            Refusal::LifetimeTooLong { valid_until: too_long.valid_until, at: NOW, lifetime_ms_max: HOUR }
        }),
        ("unknown action", sign(&garbled, world), {
            let error = tabellion_ledger::DecodeError::Value { field: "action of the certificate lane" };
            Refusal::Certificate(tabellion_pki::Refusal::Action(error))
        }),
        ("stranger", stranger.sign(&content, attachments.clone()), {
            tabellion_consortium::Refusal::UnknownSubmitter { key: stranger.public().id() }.into()
        }),
        ("without a role", world.auditor.sign(&content, attachments.clone()), {
            let needed = vec![Role::CertificationAuthority, Role::CertificateUser];
            tabellion_consortium::Refusal::MissingRole { member: "auditor".parse().unwrap(), needed }.into()
        }),
        ("forged signature", forged, {
            let algorithm = Algorithm::Ed25519;
            let fault = tabellion_ledger::SignatureFault::Invalid { algorithm };
            Refusal::Signature(tabellion_ledger::EnvelopeError::Signature(fault))
        }),
        (
            "certificate not attached",
            world.publisher.sign(&without(&attachments[1..]), attachments[1..].to_vec()),
            entries(0, EntryRefusal::NotAttached { id: entry.certificate }),
        ),
        ("attachments left out", sign(&content, world).without_attachments(), Refusal::AttachmentsMissing),
    ];
    rows.extend(entry_refusals(world, &entry, &ders, entries));
    rows
}

fn entry_refusals(
    world: &mut World,
    entry: &Entry,
    ders: &[Vec<u8>],
    entries: impl Fn(usize, EntryRefusal) -> Refusal,
) -> Vec<(&'static str, Transaction, Refusal)> {
    let Window { from, until } = entry.validity;
    let suspended = Entry { status: Status::Suspended, ..entry.clone() };
    let other_key = Entry { key: Key::new(3).public().id(), ..entry.clone() };
    let other_validity = Entry { validity: Window { from: TimeMs(0), until }, ..entry.clone() };
    let asks = |from: u64, until: u64| {
        let window = Some(Window { from: TimeMs(from), until: TimeMs(until) });
        Entry { window, ..entry.clone() }
    };
    let (over, far) = (asks(0, NOW.0 - 1), asks(NOW.0 + 401 * 24 * HOUR, NOW.0 + 402 * 24 * HOUR));
    let none = asks(NOW.0 + 10, NOW.0 + 5);
    let unknown_root = Entry { root: CertificateId([8; 32]), ..entry.clone() };
    let mut row =
        |name, changed: Entry, refusal| (name, world.publish(vec![changed], ders), entries(0, refusal));
    vec![
        row("first status suspended", suspended, EntryRefusal::StatusNotNormal { status: Status::Suspended }),
        row(
            "another key",
            other_key.clone(),
            EntryRefusal::KeyDiffers { found: entry.key, said: other_key.key },
        ),
        row("another validity", other_validity, EntryRefusal::ValidityDiffers { from, until }),
        row("window over", over, EntryRefusal::ValidityOver { until: TimeMs(NOW.0 - 1), at: NOW }),
        row("empty window", none, EntryRefusal::NoValidity { from: NOW.plus(10), until: NOW.plus(5) }),
        row("too far ahead", far, {
            let from = NOW.plus(401 * 24 * HOUR);
            EntryRefusal::TooFarAhead { from, at: NOW, ahead_ms_max: 400 * 24 * HOUR }
        }),
        row("unknown CA", unknown_root, {
            EntryRefusal::Certificate(CertificateRefusal::UnknownRoot { root: CertificateId([8; 32]) })
        }),
    ]
}

/// X.1409 C9, L4
#[test]
fn records_stand_in_the_block_in_the_order_of_their_requests() {
    let mut world = World::full();
    let transactions: Vec<_> = (0..20).map(|n| world.publish_new(&format!("n{n}.example")).1).collect();
    let checked: Vec<_> = transactions.iter().map(|tx| world.replay.check(tx.clone()).unwrap()).collect();
    let outcome = world.replay.build(&checked, NOW, 0).unwrap().outcome;
    let asked: Vec<_> = transactions.iter().map(Transaction::id).collect();
    assert_eq!(outcome.block.transactions().map(Transaction::id).collect::<Vec<_>>(), asked);
}

/// X.1409 L6: a validator executes by itself and gets the same block, or votes it down.
#[test]
fn a_block_with_any_wrong_header_field_or_a_refused_transaction_is_voted_down() {
    let mut world = World::full();
    let (_, transaction) = world.publish_new("one.example");
    let checked = vec![world.replay.check(transaction).unwrap()];
    let outcome = world.replay.build(&checked, NOW, 0).unwrap().outcome;
    let execute = |world: &World, block: &tabellion_ledger::Block, checked: &[Arc<Checked>]| {
        crate::execute(&world.replay.parent(), world.replay.rules(), block, checked)
            .map(|outcome| outcome.digest)
    };
    assert_eq!(execute(&world, &outcome.block, &checked), Ok(outcome.digest));
    let wrong = |field| Err(BlockFault::Header { field });
    type Spoil = fn(&mut tabellion_ledger::Header);
    let rows: [(Spoil, &str); 5] = [
        (|header| header.previous.0[0] ^= 1, "previous header"),
        (|header| header.state_root = StateRoot::default(), "state root"),
        (|header| header.history_root = Hash::default(), "history root"),
        (|header| header.roster.0[0] ^= 1, "roster"),
        (|header| header.next_roster.0[0] ^= 1, "next roster"),
    ];
    for (spoil, field) in rows {
        let mut block = (*outcome.block).clone();
        spoil(&mut block.header);
        assert_eq!(execute(&world, &block, &checked), wrong(field));
    }
    let mut early = (*outcome.block).clone();
    early.header.time = TimeMs(1);
    let parent = world.replay.header().time;
    assert_eq!(execute(&world, &early, &checked), Err(BlockFault::TimeBack { time: TimeMs(1), parent }));
    assert_eq!(execute(&world, &outcome.block, &[]), Err(BlockFault::Unchecked { index: 0 }));
    world.replay.advance(&outcome);
    let again = world.replay.build(&checked, NOW.plus(1), 0);
    assert_eq!(again.map(|_| ()), Err(BlockFault::Empty), "a replayed transaction makes no block");
}

#[test]
fn an_empty_block_is_made_only_when_the_heartbeat_is_due() {
    let mut world = World::full();
    let first = world.replay.build(&[], NOW, 0).unwrap().outcome;
    world.replay.advance(&first);
    let heartbeat = world.replay.rules().parameters().block.heartbeat_ms;
    let empty = |time| world.replay.build(&[], time, 0).map(|proposal| proposal.outcome.block.lanes.len());
    assert_eq!(empty(NOW.plus(heartbeat - 1)), Err(BlockFault::Empty));
    assert_eq!(empty(NOW.plus(heartbeat)), Ok(0));
    assert_eq!(next_due(&world.replay.parent(), world.replay.rules()), Some(NOW.plus(heartbeat)));
}

/// X.1409 C12, 8.2.2: recorded only once its validity starts, invalid after it ends.
#[test]
fn a_scheduled_publication_is_recorded_when_it_starts_and_ends_by_itself() {
    let mut world = World::full();
    let der = world.ca.issue("later.example");
    let window = Window { from: NOW.plus(HOUR), until: NOW.plus(2 * HOUR) };
    let entry = Entry { window: Some(window), ..world.entry(&der) };
    let id = entry.certificate;
    let transaction = world.publish(vec![entry.clone()], std::slice::from_ref(&der));
    world.record(&transaction, NOW).unwrap();
    assert_eq!(world.standing(&id), Standing::Unknown);
    let again = world.publish(vec![entry], &[der]);
    let refused = world.record(&again, NOW).map(|_| ()).map_err(entry_refusal);
    assert_eq!(refused, Err(EntryRefusal::AlreadyScheduled { from: window.from }));
    let due = tabellion_pki::next_start(world.replay.state());
    assert_eq!(due, Some(window.from));
    let outcome = world.replay.build(&[], window.from, 0).unwrap().outcome;
    world.replay.advance(&outcome);
    assert_eq!(world.standing(&id), Standing::Valid);
    let record = certificate(world.replay.state(), &id).unwrap();
    assert_eq!((record.since_height, record.published_height), (Height(2), Height(1)));
    assert_eq!(tabellion_pki::next_start(world.replay.state()), None);
    assert_eq!(Standing::of(Some(&record), window.until), Standing::Valid);
    assert_eq!(Standing::of(Some(&record), window.until.plus(1)), Standing::Expired);
}

/// X.1409 C12
#[test]
fn a_certificate_without_an_end_of_its_own_takes_the_requests() {
    let mut world = World::full();
    let mut draft = world.ca.leaf_draft("forever.example", &TestKey::generate(KeyKind::P256).spki());
    draft.not_after = tabellion_pki::NO_EXPIRY;
    let der = world.ca.sign(&draft);
    let window = Window { from: TimeMs(0), until: NOW.plus(HOUR) };
    let entry = Entry { window: Some(window), ..world.entry(&der) };
    let id = entry.certificate;
    let transaction = world.publish(vec![entry], &[der]);
    world.record(&transaction, NOW).unwrap();
    let record = certificate(world.replay.state(), &id).unwrap();
    assert_eq!(record.validity.until, window.until);
}

#[test]
fn a_batch_is_recorded_whole_or_not_at_all() {
    let mut world = World::full();
    let ders: Vec<Vec<u8>> = (0..3).map(|n| world.ca.issue(&format!("b{n}.example"))).collect();
    let entries: Vec<Entry> = ders.iter().map(|der| world.entry(der)).collect();
    let mut spoiled = entries.clone();
    spoiled[1].status = Status::Revoked;
    let refused = world.publish(spoiled, &ders);
    let refusal = world.record(&refused, NOW).unwrap_err();
    assert_eq!(
        (refusal.entries().len(), refusal.entries()[0].index, refusal.code()),
        (1, 1, "status-not-normal")
    );
    assert!(entries.iter().all(|entry| world.standing(&entry.certificate) == Standing::Unknown));
    let good = world.publish(entries.clone(), &ders);
    world.record(&good, NOW).unwrap();
    assert!(entries.iter().all(|entry| world.standing(&entry.certificate) == Standing::Valid));
}

/// X.1409 C5
#[test]
fn only_names_of_the_list_are_recorded() {
    let names = Some(vec![PermittedName { name: "O=Somebody Else,C=CH".to_owned(), subtree: true }]);
    let mut world = World::new(CertificateRules { names, ..CertificateRules::default() });
    let (_, transaction) = world.publish_new("one.example");
    let refusal = entry_refusal(world.record(&transaction, NOW).unwrap_err());
    assert!(
        matches!(refusal, EntryRefusal::Certificate(CertificateRefusal::NameNotPermitted { .. })),
        "{refusal}"
    );
}

/// X.1409 C6, 8.2.1(4): the second kind of ledger.
#[test]
fn a_ledger_of_identifiers_verifies_certificates_and_records_only_their_identifiers() {
    let mut world =
        World::new(CertificateRules { kind: LedgerKind::Identifiers, ..CertificateRules::default() });
    let (id, transaction) = world.publish_new("one.example");
    let bare = transaction.without_attachments();
    assert_eq!(world.replay.check(bare), Err(Refusal::AttachmentsMissing));
    let mut follower = Replay::new(&document(
        &world.ca,
        CertificateRules { kind: LedgerKind::Identifiers, ..CertificateRules::default() },
    ))
    .unwrap();
    let outcome = world.record(&transaction, NOW).unwrap();
    assert_eq!(world.standing(&id), Standing::Valid);
    let recorded = (*outcome.block).clone().recorded();
    assert!(recorded.transactions().all(|tx| tx.attachments().is_empty()));
    assert_eq!(outcome.block.carried, vec![transaction.attachments().to_vec()]);
    let followed = follower.accept(&recorded).unwrap();
    assert_eq!(followed.digest, outcome.digest);
}

/// X.1409 L1, L3
#[test]
fn replaying_the_blocks_gives_the_same_headers() {
    let mut world = World::full();
    let mut follower = Replay::new(&document(&world.ca, CertificateRules::default())).unwrap();
    for n in 0..5 {
        let (_, transaction) = world.publish_new(&format!("r{n}.example"));
        let outcome = world.record(&transaction, NOW.plus(n)).unwrap();
        let bytes = cbor::to_bytes(&*outcome.block);
        let block = cbor::from_bytes(&bytes, tabellion_ledger::limits::BLOCK_BYTES_MAX).unwrap();
        assert_eq!(follower.accept(&block).unwrap().digest, outcome.digest);
    }
    assert_eq!(follower.header(), world.replay.header());
    assert_eq!(follower.state().transaction_height(&world.publish_new("x.example").1.id()), None);
}
