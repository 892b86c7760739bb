//! A year of a ledger's life on the real machine and the real store: certificates of 90 days, renewed after
//! 60. Bodies go as the rule says, exactly; what is left on the disk is what is needed.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use redb::{Builder, Database, Key, ReadableDatabase, ReadableTable, TableDefinition, Value};
use tabellion_consortium::{Genesis, GenesisMember, GenesisValidator, Parameters, Role};
use tabellion_corpus::{KeyKind, TestCa, TestKey};
use tabellion_ledger::{
    Algorithm, Block, CertificateId, Content, Envelope, Header, Height, Lane, PublicKey, Signature, TimeMs,
    Transaction, Validator, attachments_root, cbor, merkle, sha256,
};
use tabellion_machine::{GenesisState, Outcome, Parent, Ruleset, build, check, genesis, shortened};
use tabellion_pki::{
    Action, CertificateRecord, ChainCache, Entry, Facts, KeySignature, Renewal, Status, Window,
    certificate_key, renewal_message,
};

use super::super::rows::{
    DUE, FINALITY, HAND_OVER, HEADER, HEIGHT, LANE_HEADER, META, PLACE, POOL, RANGE, TRANSACTION,
};
use super::super::{CHAIN_FILE, Change, Snapshot, Store, StoreConfig, Tree};
use crate::prune::{Pruned, Pruner, Step};

const DAY: u64 = 86_400_000;
const DAYS: u64 = 365;
const VALID_DAYS: u64 = 90;
const RENEWED_AFTER_DAYS: u64 = 60;
/// Subjects that come each day of the first renewal period; all are renewed from then on. The variable
/// `TABELLION_YEAR_SUBJECTS` asks for more; 2740 make a million certificates.
const SUBJECTS_A_DAY: u64 = 24;
/// Certificates in one block, at most.
const BLOCK_CERTIFICATES: u64 = 240;
/// 2027-01-01: within the life of the test CA.
const START: TimeMs = TimeMs(1_798_761_600_000);
/// Days between two runs of the pruner, and between two proofs that are kept.
const PRUNE_DAYS: u64 = 7;
const EPOCH_BLOCKS: u64 = 4;

/// A certificate whose time to be renewed comes.
struct Live {
    der: Vec<u8>,
    key: TestKey,
    name: String,
    since: u64,
}

/// The ledger over its store.
struct Year {
    store: Arc<Store>,
    document: Genesis,
    header: Header,
    rules: Arc<Ruleset>,
    cache: ChainCache,
    ca: TestCa,
    live: VecDeque<Live>,
    published: BTreeMap<CertificateId, Height>,
    /// Proofs that were given out: header and trie proof of a record.
    proofs: Vec<(Header, CertificateId, Vec<u8>, tabellion_ledger::trie::TrieProof)>,
    nonce: u64,
    pruned: Pruned,
    subjects_a_day: u64,
}

fn publisher() -> ed25519_consensus::SigningKey {
    ed25519_consensus::SigningKey::from([9; 32])
}

fn document(ca: &TestCa) -> Genesis {
    let public = publisher().verification_key().to_bytes();
    let member: tabellion_ledger::MemberId = "publisher".parse().unwrap();
    let key = ed25519_consensus::SigningKey::from([8; 32]).verification_key().to_bytes();
    let validator = Validator { key, member: member.clone(), name: "one".to_owned() };
    let mut parameters = Parameters::default();
    parameters.block.epoch_blocks = EPOCH_BLOCKS;
    let genesis = Genesis {
        name: "a year".to_owned(),
        time: START,
        members: vec![GenesisMember {
            id: member,
            name: "A member".to_owned(),
            keys: vec![PublicKey::new(Algorithm::Ed25519, &public).unwrap()],
            roles: vec![Role::CertificateUser],
        }],
        validators: vec![GenesisValidator { validator, address: "127.0.0.1:1".to_owned() }],
        parameters,
        anchors: vec![ca.root().to_vec()],
    };
    genesis.new().unwrap()
}

impl Year {
    fn begin(folder: &Path) -> Self {
        let ca = TestCa::of_keys((1..=2).map(|seed| TestKey::from_seed(&[seed; 32])));
        let document = document(&ca);
        let store = Store::open(folder, document.ledger_id(), StoreConfig::default()).unwrap();
        let GenesisState { block, writes, rules, .. } = genesis(&document).unwrap();
        let first = store.tip().extend(&Change { writes, ..Change::default() }).unwrap();
        let (header, block) = (block.header.clone(), Arc::new(block));
        store.put_block(block.digest(), &block);
        store.sync().unwrap();
        store.commit(&first).unwrap();
        let (live, published) = (VecDeque::new(), BTreeMap::new());
        Self {
            store: Arc::new(store),
            document,
            header,
            rules: Arc::new(rules),
            cache: ChainCache::new(16),
            ca,
            live,
            published,
            proofs: Vec::new(),
            nonce: 0,
            pruned: Pruned::default(),
            subjects_a_day: std::env::var("TABELLION_YEAR_SUBJECTS")
                .map_or(SUBJECTS_A_DAY, |count| count.parse().unwrap()),
        }
    }

    /// A moment after the newest block.
    fn now(&self, day: u64) -> TimeMs {
        START.plus(day * DAY + 3_600_000).max(self.header.time.plus(1000))
    }

    fn issue(&mut self, name: String, day: u64) -> Live {
        let key = TestKey::from_seed(&sha256(format!("{name}/{day}").as_bytes()));
        let mut draft = self.ca.leaf_draft(&name, &key.spki());
        draft.not_before = START.plus(day * DAY);
        draft.not_after = START.plus((day + VALID_DAYS) * DAY);
        Live { der: self.ca.sign(&draft), key, name, since: day }
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

    fn transaction(&mut self, action: &Action, ders: Vec<Vec<u8>>, day: u64) -> Transaction {
        let intermediates = self.ca.intermediates().into_iter().map(<[u8]>::to_vec);
        let attachments: Vec<Vec<u8>> = ders.into_iter().chain(intermediates).collect();
        self.nonce += 1;
        let content = Content {
            ledger: self.document.ledger_id(),
            lane: Lane::Certificate,
            valid_until: self.now(day).plus(600_000),
            nonce: u128::from(self.nonce).to_be_bytes(),
            action: cbor::to_bytes(action),
            attachments: attachments_root(&attachments),
        };
        let key = publisher();
        let public = PublicKey::new(Algorithm::Ed25519, &key.verification_key().to_bytes()).unwrap();
        let (payload, key_id) = (cbor::to_bytes(&content), public.id());
        let signed = Envelope::signed_bytes(Algorithm::Ed25519, &key_id, &payload);
        let signature = Signature(key.sign(&signed).to_bytes().to_vec());
        let envelope = Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature };
        Transaction::new(envelope, attachments).unwrap()
    }

    /// What is asked for with some numbers of a day: new subjects while they come, then their renewals.
    fn requests(&mut self, day: u64, numbers: Range<u64>) -> Vec<Transaction> {
        let (mut asked, mut due) = (Vec::new(), numbers.end - numbers.start);
        if day < RENEWED_AFTER_DAYS {
            let fresh: Vec<Live> =
                numbers.map(|number| self.issue(format!("n{day}-{number}.example"), day)).collect();
            let entries = fresh.iter().map(|live| self.entry(&live.der)).collect();
            let ders = fresh.iter().map(|live| live.der.clone()).collect();
            asked.push(self.transaction(&Action::Publish(entries), ders, day));
            self.live.extend(fresh);
        }
        while due > 0 && self.live.front().is_some_and(|live| live.since + RENEWED_AFTER_DAYS <= day) {
            due -= 1;
            let old = self.live.pop_front().unwrap();
            let new = self.issue(old.name.clone(), day);
            let (entry, old_id) = (self.entry(&new.der), CertificateId::of(&old.der));
            let message = renewal_message(&self.document.ledger_id(), &old_id, &entry.certificate);
            let algorithm = KeyKind::Ed25519.signature_algorithm();
            let signature = KeySignature { algorithm, signature: old.key.sign(&message) };
            let old_not_after = Facts::of(&old.der).unwrap().not_after;
            let renewal = Renewal { entry, old: old_id, old_not_after, signature };
            let ders = vec![old.der, new.der.clone()];
            asked.push(self.transaction(&Action::Renew(Box::new(renewal)), ders, day));
            self.live.push_back(new);
        }
        asked
    }

    fn live_day(&mut self, day: u64) {
        for first in (0..self.subjects_a_day).step_by(BLOCK_CERTIFICATES as usize) {
            self.make_block(day, first..(first + BLOCK_CERTIFICATES).min(self.subjects_a_day));
        }
        if day % PRUNE_DAYS == PRUNE_DAYS - 1 {
            self.keep_proof();
            self.prune();
        }
    }

    fn make_block(&mut self, day: u64, numbers: Range<u64>) {
        let requests = self.requests(day, numbers);
        let state = self.store.tip();
        let mut candidates = Vec::new();
        for transaction in requests {
            let (checked, learned) = check(transaction, &self.rules, &state, &self.cache);
            learned.into_iter().for_each(|learned| self.cache.absorb(learned));
            candidates.push(checked.unwrap());
        }
        let parent = Parent { header: &self.header, view: &state, pages: &state };
        let proposal = build(&parent, &self.rules, &candidates, self.now(day), 0).unwrap();
        assert_eq!(proposal.refused, [], "day {day}");
        assert_eq!(proposal.outcome.transactions.len(), candidates.len(), "day {day}: a block is too small");
        self.commit(&proposal.outcome, &state);
    }

    fn commit(&mut self, outcome: &Outcome, before: &Snapshot) {
        let headers = outcome.header_nodes.iter().map(|node| (Tree::Headers, *node));
        let lanes = outcome.lane_nodes.iter().map(|(lane, node)| (Tree::Lane(*lane), *node));
        let change = Change {
            writes: outcome.writes.clone(),
            transactions: outcome.transactions.keys().copied().collect(),
            history: headers.chain(lanes).collect(),
        };
        let next = before.extend_by(&change, &outcome.trie);
        self.store.put_block(outcome.digest, &outcome.block);
        self.store.sync().unwrap();
        for (height, lane) in shortened(&outcome.notices, before) {
            self.store.look_again(height, lane);
        }
        self.store.commit(&next).unwrap();
        self.header = outcome.block.header.clone();
        self.rules = self.rules.after(&outcome.writes, &next).unwrap();
        for entry in published(&outcome.block) {
            self.published.insert(entry, self.header.height);
        }
    }

    fn keep_proof(&mut self) {
        let Some(live) = self.live.front() else { return };
        let (id, state) = (CertificateId::of(&live.der), self.store.tip());
        let key = certificate_key(&id);
        let record = state.record(&key).unwrap().unwrap();
        self.proofs.push((self.header.clone(), id, record, state.prove(&key).unwrap()));
    }

    fn prune(&mut self) {
        self.store.checkpoint(self.header.time).unwrap();
        let mut pruner = Pruner::new(self.store.clone(), 0);
        while let Step::Did(deleted) = pruner.step().unwrap() {
            self.pruned.add(deleted);
        }
    }

    /// Whether something in a block is needed, by a look at all that there is.
    fn is_needed(&self, block: &Block, state: &Snapshot) -> bool {
        let renewed = |transaction: &Transaction| match Action::from_bytes(&transaction.content().action) {
            Ok(Action::Renew(renewal)) => renewal.old_not_after.plus(999) >= self.header.time,
            _ => false,
        };
        let lives = |id: &CertificateId| {
            let record = state.record(&certificate_key(id)).unwrap().unwrap();
            let record: CertificateRecord = cbor::from_bytes(&record, 4096).unwrap();
            let end = match record.status {
                Status::Revoked => record.since_time.min(record.validity.until),
                Status::Normal | Status::Suspended => record.validity.until,
            };
            // The last moment still belongs to it.
            end >= self.header.time
        };
        block.transactions().any(renewed) || published(block).iter().any(lives)
    }
}

fn published(block: &Block) -> Vec<CertificateId> {
    let certificates = block.transactions().filter(|tx| tx.content().lane == Lane::Certificate);
    let actions = certificates.map(|tx| Action::from_bytes(&tx.content().action).unwrap());
    actions.flat_map(|a| a.published().iter().map(|entry| entry.certificate).collect::<Vec<_>>()).collect()
}

/// Copies a table's rows.
fn copy<K: Key + 'static, V: Value + 'static>(
    from: &Database,
    to: &Database,
    table: TableDefinition<'_, K, V>,
) {
    let (read, write) = (from.begin_read().unwrap(), to.begin_write().unwrap());
    {
        let mut into = write.open_table(table).unwrap();
        for row in read.open_table(table).unwrap().iter().unwrap() {
            let (key, value) = row.unwrap();
            into.insert(key.value(), value.value()).unwrap();
        }
    }
    write.commit().unwrap();
}

/// The size of a file that never held anything but what is in this one.
fn fresh_size(folder: &Path) -> u64 {
    let from = Builder::new().create(folder.join(CHAIN_FILE)).unwrap();
    let path = folder.join("fresh.redb");
    let mut to = Builder::new().create(&path).unwrap();
    copy(&from, &to, HEADER);
    copy(&from, &to, HEIGHT);
    copy(&from, &to, FINALITY);
    copy(&from, &to, LANE_HEADER);
    copy(&from, &to, TRANSACTION);
    copy(&from, &to, PLACE);
    copy(&from, &to, RANGE);
    copy(&from, &to, POOL);
    copy(&from, &to, HAND_OVER);
    copy(&from, &to, DUE);
    copy(&from, &to, META);
    to.compact().unwrap();
    drop(to);
    std::fs::metadata(path).unwrap().len()
}

/// X.1409 C20, A.3: over a year bodies go exactly when the last thing in them has ended; every proof given
/// out before still verifies; the disk holds what is needed, and at most a twentieth more.
#[test]
fn a_year_of_renewals_leaves_what_is_needed_and_every_proof_holds() {
    let folder = tempfile::tempdir().unwrap();
    let mut year = Year::begin(folder.path());
    let mut blocks = Vec::new();
    for day in 0..DAYS {
        let first = year.header.height.next().0;
        year.live_day(day);
        let heights = (first..=year.header.height.0).map(Height);
        blocks.extend(heights.map(|height| year.store.block(height).unwrap().unwrap()));
    }
    year.prune();
    let state = year.store.tip();
    let newest = year.header.height.0;
    let first_kept = (newest / EPOCH_BLOCKS).saturating_sub(1) * EPOCH_BLOCKS - 1;
    let (mut held_bytes, mut gone_bytes) = (0, 0);
    for block in &blocks {
        let (height, bytes) =
            (block.header.height, block.transactions().map(|tx| tx.as_bytes().len() as u64).sum::<u64>());
        let held = year.store.block(height).unwrap();
        let needed = height.0 >= first_kept || year.is_needed(block, &state);
        assert_eq!(held.is_some(), needed || block.lanes.is_empty(), "block {height}");
        assert_eq!(year.store.header(height).unwrap().as_ref(), Some(&block.header));
        *(if held.is_some() { &mut held_bytes } else { &mut gone_bytes }) += bytes;
    }
    assert_eq!(year.pruned.bytes, gone_bytes);
    for (header, id, record, proof) in &year.proofs {
        let key = certificate_key(id);
        assert_eq!(proof.verify(&header.state_root, &key.path(), Some(&sha256(record))), Ok(()));
        let path = state.history(Tree::Headers).inclusion_path(header.height.0, newest).unwrap().unwrap();
        let root = &year.header.history_root;
        assert!(merkle::verify_inclusion(&header.leaf(), header.height.0, newest, &path, root));
    }
    let (certificates, ledger) = (year.published.len(), year.document.ledger_id());
    drop((state, year));
    let before = Store::disk_bytes(folder.path());
    Store::compact(folder.path(), ledger, StoreConfig::default()).unwrap();
    let after = Store::disk_bytes(folder.path());
    let chain = std::fs::metadata(folder.path().join(CHAIN_FILE)).unwrap().len();
    let fresh = fresh_size(folder.path());
    println!(
        "{certificates} certificates; bodies: {held_bytes} bytes held, {gone_bytes} gone; \
         disk {before} -> {after}; chain {chain}, a fresh file of the same {fresh}"
    );
    assert!(gone_bytes > 2 * held_bytes, "{gone_bytes} gone, {held_bytes} held");
    assert!(chain * 100 <= fresh * 105, "{chain} bytes for what takes {fresh}");
}
