//! A ledger in memory behind the faces: the machine really runs, four validators really sign; only the
//! network is left out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream};
use futures::{FutureExt, StreamExt};
use tabellion_api::{
    Announcement, Backend, CertificateQuery, Fault, Gateway, HeldBlock, History, QueryError, Snapshot,
    SubmitError, SubscribeError, TransactionState,
};
use tabellion_consortium::{
    CertificateRules, Genesis, GenesisMember, GenesisValidator, LedgerKind, Parameters, Role,
};
use tabellion_corpus::{KeyKind, TestCa};
use tabellion_ledger::trie::{MemoryPages, PageId, Piece, PieceRecord, TrieFault, prove};
use tabellion_ledger::{
    Block, CertificateId, Content, FinalityProof, FinalitySignature, HandOver, Hash, Header, Height, Lane,
    LaneBody, LedgerId, Outline, ProvedHeader, RecordProof, StateKey, StateProof, TimeMs, Transaction,
    TransactionId, Validator, View, attachments_root, cbor, merkle,
};
use tabellion_machine::{
    CertificateList, CertificateRow, ChainHeader, Checked, Event, HealthAnswer, Location, MemoryState,
    Outcome, Refusal, Replay, genesis, would_apply,
};
use tabellion_pki::{
    Action, CertificateRecord, Delivery, Entry, Facts, ProvedRecord, Status, Window, outbox_entry_key,
    outbox_key,
};
use tokio::sync::watch;

use crate::key::Key;
use crate::lookup::Elsewhere;

/// The time of the genesis block; each block comes a second later.
pub const START: TimeMs = TimeMs(1_790_000_000_000);
const HALF_HOUR_MS: u64 = 1_800_000;

/// What the node does with transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A block for each.
    Record,
    /// They wait in the pool.
    Hold,
    /// It is taken out of service.
    Drain,
    /// The pool is full.
    Overloaded,
    /// The node stops.
    Stopping,
    /// The store is broken.
    Broken,
}

/// The node.
pub struct World {
    document: Genesis,
    gateway: Option<GatewayKey>,
    publisher: Key,
    pub ca: Mutex<TestCa>,
    pub elsewhere: Elsewhere,
    inner: Mutex<Inner>,
    height: watch::Sender<u64>,
}

struct Inner {
    mode: Mode,
    replay: Replay,
    pages: MemoryPages,
    blocks: Vec<Block>,
    /// From this height on bodies and notices are kept.
    kept_from: u64,
    finality: Vec<FinalityProof>,
    announcements: Vec<Announcement>,
    locations: BTreeMap<TransactionId, Location>,
    pool: Vec<Transaction>,
    refused: BTreeMap<TransactionId, Refusal>,
    snapshot: Arc<State>,
    nonce: u64,
}

struct State {
    finality: FinalityProof,
    view: MemoryState,
    pages: MemoryPages,
}

impl View for State {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.view.get(key)
    }

    fn transaction_height(&self, id: &TransactionId) -> Option<Height> {
        self.view.transaction_height(id)
    }
}

impl Snapshot for State {
    fn finality(&self) -> &FinalityProof {
        &self.finality
    }

    fn prove(&self, key: &StateKey) -> Result<StateProof, TrieFault> {
        let trie = prove(&self.pages, &self.finality.header.state_root, &key.path())?;
        Ok(StateProof { key: key.clone(), record: self.view.get(key), trie, finality: self.finality.clone() })
    }
}

struct GatewayKey {
    key: Key,
    ledger: LedgerId,
    nonce: Mutex<u8>,
}

impl Gateway for GatewayKey {
    fn sign(&self, lane: Lane, action: Vec<u8>, attachments: Vec<Vec<u8>>) -> Result<Transaction, Fault> {
        let mut nonce = self.nonce.lock().unwrap();
        *nonce += 1;
        let valid_until = START.plus(HALF_HOUR_MS);
        let root = attachments_root(&attachments);
        let nonce = [*nonce; 16];
        let content = Content { ledger: self.ledger, lane, valid_until, nonce, action, attachments: root };
        Ok(self.key.sign(&content, attachments))
    }
}

fn member(id: &str, key: &Key, role: Role) -> GenesisMember {
    let id = id.parse().unwrap();
    GenesisMember { id, name: "A member".to_owned(), keys: vec![key.public()], roles: vec![role] }
}

fn validator_keys() -> Vec<Key> {
    let mut keys: Vec<Key> = (10..14).map(Key::new).collect();
    keys.sort_by_key(Key::raw);
    keys
}

fn document(ca: &TestCa, kind: LedgerKind) -> Genesis {
    let validator = |(key, member): (&Key, &str)| GenesisValidator {
        validator: Validator { key: key.raw(), member: member.parse().unwrap(), name: "a node".to_owned() },
        address: "127.0.0.1:1".to_owned(),
    };
    let genesis = Genesis {
        name: "faces".to_owned(),
        time: START,
        members: vec![
            member("publisher", &Key::new(1), Role::CertificateUser),
            member("auditor", &Key::new(2), Role::Auditor),
            member("gateway", &Key::new(3), Role::CertificationAuthority),
            member("operator", &Key::new(4), Role::Operator),
        ],
        validators: validator_keys()
            .iter()
            .zip(["publisher", "auditor", "gateway", "operator"])
            .map(validator)
            .collect(),
        parameters: Parameters {
            certificate: CertificateRules { kind, ..CertificateRules::default() },
            ..Parameters::default()
        },
        anchors: vec![ca.root().to_vec()],
    };
    genesis.new().unwrap()
}

/// Three of four validators sign.
fn finalise(header: &Header) -> FinalityProof {
    let view = header.height.0 + 1;
    let mut proof = FinalityProof {
        header: header.clone(),
        epoch: 0,
        view,
        parent_view: view - 1,
        signatures: Vec::new(),
    };
    let message = proof.message(&header.ledger);
    let sign = |(validator, key): (u16, Key)| FinalitySignature {
        validator,
        signature: key.sign_bytes(&message).0.try_into().unwrap(),
    };
    proof.signatures = (0..).zip(validator_keys()).skip(1).map(sign).collect();
    proof
}

impl World {
    pub fn new() -> Arc<Self> {
        Self::with(LedgerKind::Full, true)
    }

    pub fn with(kind: LedgerKind, has_gateway: bool) -> Arc<Self> {
        let ca = TestCa::new(KeyKind::P256);
        let document = document(&ca, kind);
        Self::of(document, ca, has_gateway.then(|| Key::new(3)))
    }

    /// The ledger of this document, whose publisher has key 1.
    pub fn of(document: Genesis, ca: TestCa, gateway: Option<Key>) -> Arc<Self> {
        let replay = Replay::new(&document).unwrap();
        let first = genesis(&document).unwrap();
        let finality = finalise(&first.block.header);
        let (view, pages) = (replay.state().clone(), first.pages.clone());
        let snapshot = Arc::new(State { finality: finality.clone(), view, pages });
        let announcement = Announcement {
            header: Arc::new(first.block.header.clone()),
            transactions: 0,
            notices: [].into(),
        };
        let inner = Inner {
            mode: Mode::Record,
            replay,
            pages: first.pages,
            blocks: vec![first.block],
            kept_from: 0,
            finality: vec![finality],
            announcements: vec![announcement],
            locations: BTreeMap::new(),
            pool: Vec::new(),
            refused: BTreeMap::new(),
            snapshot,
            nonce: 0,
        };
        let ledger = document.ledger_id();
        Arc::new(Self {
            document,
            gateway: gateway.map(|key| GatewayKey { key, ledger, nonce: Mutex::new(0) }),
            publisher: Key::new(1),
            ca: Mutex::new(ca),
            elsewhere: Elsewhere::default(),
            inner: Mutex::new(inner),
            height: watch::channel(0).0,
        })
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub fn set_mode(&self, mode: Mode) {
        self.inner().mode = mode;
    }

    /// Returns once somebody waits for a transaction.
    pub async fn until_waiting(&self) {
        while self.height.receiver_count() == 0 {
            tokio::task::yield_now().await;
        }
    }

    /// All blocks, with pruned bodies.
    pub fn all_blocks(&self) -> Vec<Block> {
        self.inner().blocks.clone()
    }

    /// Whether all bodies are kept.
    pub fn keeps_all(&self) -> bool {
        self.inner().kept_from == 0
    }

    /// Deletes bodies and notices below a height.
    pub fn prune_below(&self, height: u64) {
        self.inner().kept_from = height;
    }

    /// Puts what waits in the pool into blocks.
    pub fn release(&self) {
        let mut inner = self.inner();
        inner.mode = Mode::Record;
        for transaction in std::mem::take(&mut inner.pool) {
            let id = transaction.id();
            if let Err(refusal) = self.record(&mut inner, transaction) {
                inner.refused.insert(id, refusal);
            }
        }
        self.height.send_modify(|_| {});
    }

    /// A certificate and its transaction, signed by the member with key `seed`.
    pub fn publication(&self, name: &str, seed: u8) -> (CertificateId, Transaction) {
        let (der, intermediates, root) = self.issue(name);
        let facts = Facts::of(&der).unwrap();
        let entry = Entry {
            certificate: facts.certificate,
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window: None,
            intermediates: intermediates.iter().map(|der| CertificateId::of(der)).collect(),
            root: CertificateId::of(&root),
        };
        let attachments: Vec<Vec<u8>> = std::iter::once(der).chain(intermediates).collect();
        (facts.certificate, self.sign(&Action::Publish(vec![entry]), attachments, seed))
    }

    pub fn sign(&self, action: &Action, attachments: Vec<Vec<u8>>, seed: u8) -> Transaction {
        self.sign_in(Lane::Certificate, cbor::to_bytes(action), attachments, seed)
    }

    /// An action of the consortium lane, signed by the member with key `seed`.
    pub fn govern(&self, action: &tabellion_consortium::Action, seed: u8) -> Transaction {
        self.sign_in(Lane::Consortium, action.to_bytes(), Vec::new(), seed)
    }

    fn sign_in(&self, lane: Lane, action: Vec<u8>, attachments: Vec<Vec<u8>>, seed: u8) -> Transaction {
        let mut inner = self.inner();
        inner.nonce += 1;
        let mut nonce = [0xff; 16];
        nonce[..8].copy_from_slice(&inner.nonce.to_be_bytes());
        let valid_until = START.plus(HALF_HOUR_MS);
        let (ledger, root) = (self.ledger(), attachments_root(&attachments));
        let content = Content { ledger, lane, valid_until, nonce, action, attachments: root };
        match seed {
            1 => self.publisher.sign(&content, attachments),
            seed => Key::new(seed).sign(&content, attachments),
        }
    }

    /// A fresh certificate, its intermediates and the root, DER.
    pub fn issue(&self, name: &str) -> (Vec<u8>, Vec<Vec<u8>>, Vec<u8>) {
        let mut ca = self.ca.lock().unwrap();
        let der = ca.issue(name);
        (der, ca.intermediates().into_iter().map(<[u8]>::to_vec).collect(), ca.root().to_vec())
    }

    /// Records a certificate without the face.
    pub fn publish(&self, name: &str) -> CertificateId {
        let (id, transaction) = self.publication(name, 1);
        self.record(&mut self.inner(), transaction).unwrap();
        id
    }

    fn record(&self, inner: &mut Inner, transaction: Transaction) -> Result<TransactionId, Refusal> {
        let id = transaction.id();
        let checked = inner.judge(transaction)?;
        let outcome = inner.replay.build(&[checked], inner.next_time(), 0).unwrap().outcome;
        inner.advance(&outcome);
        self.height.send_replace(inner.replay.header().height.0);
        Ok(id)
    }

    fn state_of(&self, id: &TransactionId) -> TransactionState {
        let inner = self.inner();
        match (inner.locations.get(id), inner.refused.get(id)) {
            (Some(location), _) => TransactionState::Recorded(*location),
            (None, Some(refusal)) => TransactionState::Refused(refusal.clone()),
            _ if inner.pool.iter().any(|transaction| transaction.id() == *id) => TransactionState::Pending,
            _ => TransactionState::Unknown,
        }
    }

    fn lane_of(&self, id: &TransactionId) -> Option<(Block, LaneBody, usize)> {
        let inner = self.inner();
        let location = inner.locations.get(id).filter(|location| location.height.0 >= inner.kept_from)?;
        let block = inner.blocks[usize::try_from(location.height.0).unwrap()].clone();
        let lane = block.lanes.iter().find(|lane| lane.header.lane == location.lane)?.clone();
        Some((block, lane, usize::try_from(location.index).unwrap()))
    }

    fn check_store(&self) -> Result<(), Fault> {
        match self.inner().mode {
            Mode::Broken => Err(Fault::new("the disk with the secret name is gone")),
            _ => Ok(()),
        }
    }
}

impl Inner {
    fn next_time(&self) -> TimeMs {
        self.replay.header().time.plus(1000)
    }

    /// What a node does before a transaction goes into its pool.
    fn judge(&mut self, transaction: Transaction) -> Result<Arc<Checked>, Refusal> {
        let checked = self.replay.check(transaction)?;
        let (header, time) = (self.replay.header(), self.next_time());
        would_apply(&checked, header, time, self.replay.rules(), self.replay.state())?;
        Ok(checked)
    }

    fn advance(&mut self, outcome: &Outcome) {
        self.replay.advance(outcome);
        self.pages.apply(&outcome.trie);
        let block = Block::clone(&outcome.block).recorded();
        let finality = finalise(&block.header);
        self.announcements.push(Announcement {
            header: Arc::new(block.header.clone()),
            transactions: u64::try_from(block.transaction_count()).unwrap(),
            notices: outcome.notices.clone().into(),
        });
        self.locations.extend(&outcome.transactions);
        self.blocks.push(block);
        self.finality.push(finality.clone());
        let (view, pages) = (self.replay.state().clone(), self.pages.clone());
        self.snapshot = Arc::new(State { finality, view, pages });
    }

    /// Blocks of odd height have no signatures of their own, but for the newest.
    fn finality(&self, height: u64) -> Option<&FinalityProof> {
        let newest = self.replay.header().height.0;
        let has_own = height.is_multiple_of(2) || height == newest;
        self.finality.get(usize::try_from(height).unwrap()).filter(|_| has_own)
    }
}

impl Backend for World {
    fn ledger(&self) -> LedgerId {
        self.document.ledger_id()
    }

    fn genesis(&self) -> &Genesis {
        &self.document
    }

    fn genesis_bytes(&self) -> Bytes {
        cbor::to_bytes(&self.document).into()
    }

    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.inner().snapshot.clone()
    }

    fn submit(&self, transaction: Transaction) -> BoxFuture<'_, Result<TransactionId, SubmitError>> {
        async move {
            let mut inner = self.inner();
            let id = transaction.id();
            match inner.mode {
                Mode::Record => Ok(self.record(&mut inner, transaction)?),
                Mode::Hold => {
                    inner.judge(transaction.clone())?;
                    inner.pool.push(transaction);
                    Ok(id)
                }
                Mode::Drain => Err(SubmitError::Draining { retry_after_ms: 10_000 }),
                Mode::Overloaded => Err(SubmitError::Overloaded { retry_after_ms: 1500 }),
                Mode::Stopping => Err(SubmitError::Stopping),
                Mode::Broken => Err(Fault::new("the disk with the secret name is gone").into()),
            }
        }
        .boxed()
    }

    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, Fault> {
        self.check_store()?;
        Ok(self.state_of(id))
    }

    fn wait(&self, id: TransactionId, timeout: Duration) -> BoxFuture<'_, Result<TransactionState, Fault>> {
        async move {
            let mut changes = self.height.subscribe();
            let done = async {
                while matches!(self.state_of(&id), TransactionState::Pending | TransactionState::Unknown) {
                    changes.changed().await.unwrap();
                }
            };
            let _ = tokio::time::timeout(timeout, done).await;
            Ok(self.state_of(&id))
        }
        .boxed()
    }

    fn transaction_bytes(&self, id: &TransactionId) -> Result<Option<Bytes>, Fault> {
        self.check_store()?;
        Ok(self.lane_of(id).map(|(_, lane, index)| lane.transactions[index].to_bytes().into()))
    }

    fn record_proof(&self, id: &TransactionId) -> Result<Option<RecordProof>, Fault> {
        let Some((block, lane, index)) = self.lane_of(id) else { return Ok(None) };
        let inner = self.inner();
        let newest = inner.finality.last().unwrap().clone();
        let older = (newest.header != block.header).then(|| {
            let leaves: Vec<Hash> = inner.blocks.iter().map(|block| block.header.leaf()).collect();
            let (size, place) = (newest.header.height.0, block.header.height.0);
            let below = &leaves[..usize::try_from(size).unwrap()];
            (block.header.clone(), merkle::inclusion_path(below, usize::try_from(place).unwrap()))
        });
        let leaves: Vec<Hash> = lane.transactions.iter().map(Transaction::record_leaf).collect();
        Ok(Some(RecordProof {
            header: ProvedHeader { finality: newest, older },
            lanes: block.lanes.iter().map(|lane| lane.header.hash()).collect(),
            lane: lane.header.clone(),
            record_index: u64::try_from(index).unwrap(),
            record_path: merkle::inclusion_path(&leaves, index),
            transaction: lane.transactions[index].to_bytes(),
        }))
    }

    fn header(&self, height: Height) -> Result<Option<Header>, Fault> {
        let place = usize::try_from(height.0).unwrap();
        Ok(self.inner().blocks.get(place).map(|block| block.header.clone()))
    }

    fn block(&self, height: Height) -> Result<Option<HeldBlock>, Fault> {
        self.check_store()?;
        let inner = self.inner();
        let complete = height.0 >= inner.kept_from;
        let block = inner.blocks.get(usize::try_from(height.0).unwrap()).cloned();
        Ok(block.map(|mut block| {
            if !complete {
                block.lanes.iter_mut().for_each(|lane| lane.transactions.clear());
            }
            HeldBlock { block, complete }
        }))
    }

    fn attachments(&self, block: &Block) -> Result<Vec<Vec<Vec<u8>>>, Fault> {
        Ok(block.transactions().map(|transaction| transaction.attachments().to_vec()).collect())
    }

    fn finality(&self, height: Height) -> Result<Option<FinalityProof>, Fault> {
        Ok(self.inner().finality(height.0).cloned())
    }

    fn headers(&self, from: Height, limit: usize) -> Result<Vec<ChainHeader>, Fault> {
        let inner = self.inner();
        let header = |block: &Block| match inner.finality(block.header.height.0) {
            Some(proof) => ChainHeader::Final(proof.clone()),
            None => ChainHeader::Linked(block.header.clone()),
        };
        Ok(inner.blocks.iter().skip(usize::try_from(from.0).unwrap()).take(limit).map(header).collect())
    }

    fn hand_overs(&self, _: u64, _: usize) -> Result<Vec<HandOver>, Fault> {
        self.check_store()?;
        Ok(Vec::new())
    }

    fn delivery(&self, first: u64, limit: usize, known: Option<Height>) -> Result<Option<Delivery>, Fault> {
        let inner = self.inner();
        let finality = inner.finality.last().unwrap().clone();
        let newest = finality.header.height;
        if known.is_some_and(|known| known > newest) {
            return Ok(None);
        }
        let older = known.filter(|known| *known < newest).map(|known| {
            let leaves: Vec<Hash> = inner.blocks.iter().map(|block| block.header.leaf()).collect();
            let below = &leaves[..usize::try_from(newest.0).unwrap()];
            let place = usize::try_from(known.0).unwrap();
            (inner.blocks[place].header.clone(), merkle::inclusion_path(below, place))
        });
        let proved = |key: &StateKey| ProvedRecord {
            record: inner.replay.state().get(key),
            trie: inner.replay.prove(key).unwrap(),
        };
        let count = tabellion_pki::outbox(inner.replay.state()).next;
        let results = (first..count).take(limit).map(|number| proved(&outbox_entry_key(number))).collect();
        let header = ProvedHeader { finality, older };
        Ok(Some(Delivery { header, outbox: proved(&outbox_key()), first, results }))
    }

    fn held_states(&self) -> Vec<FinalityProof> {
        vec![self.inner().snapshot.finality.clone()]
    }

    fn piece(&self, height: Height, prefix: &PageId) -> Result<Option<Piece>, Fault> {
        self.check_store()?;
        let is_held = self.held_states().iter().any(|proof| proof.header.height == height);
        let snapshot = self.inner().snapshot.clone();
        let records = snapshot.view.records().map(|(key, record)| (key.path(), record.to_vec()));
        let below: BTreeMap<_, _> = records.filter(|(path, _)| prefix.covers(path)).collect();
        let below = below.into_iter().map(|(path, record)| PieceRecord { path, record });
        Ok(is_held.then(|| Piece::Whole(below.collect())))
    }

    fn outlines(&self, from: Height, limit: usize, records: bool) -> Result<Option<Vec<Outline>>, Fault> {
        self.check_store()?;
        let inner = self.inner();
        let blocks = inner.blocks.iter().skip(usize::try_from(from.0).unwrap()).take(limit).map(Outline::of);
        let kept = |outline: Outline| if records { outline } else { outline.without_records() };
        Ok(Some(blocks.map(kept).collect()))
    }

    fn certificate_der(&self, id: &CertificateId) -> Result<Option<Bytes>, Fault> {
        self.check_store()?;
        let inner = self.inner();
        let recorded = inner.blocks.iter().flat_map(Block::transactions).flat_map(Transaction::attachments);
        let mut all = recorded.chain(&self.document.anchors);
        Ok(all.find(|der| CertificateId::of(der) == *id).map(|der| Bytes::copy_from_slice(der)))
    }

    fn block_elsewhere(&self, height: Height) -> BoxFuture<'_, Option<Block>> {
        async move { self.elsewhere.block(self, height) }.boxed()
    }

    fn query(&self, query: &CertificateQuery) -> Result<CertificateList, QueryError> {
        let inner = self.inner();
        let from: usize = match &query.cursor {
            None => 0,
            Some(cursor) => cursor.parse().map_err(|_| QueryError::Cursor)?,
        };
        let rows = inner.announcements.iter().flat_map(|block| block.notices.iter()).filter_map(|notice| {
            let Event::Certificate(tabellion_pki::Event::Published { certificate, record }) = &notice.event
            else {
                return None;
            };
            let attachments =
                inner.blocks.iter().flat_map(Block::transactions).flat_map(Transaction::attachments);
            let der = attachments.into_iter().find(|der| CertificateId::of(der) == *certificate)?;
            let facts = Facts::of(der).unwrap();
            Some(CertificateRow {
                certificate: certificate.to_string(),
                key: record.key.to_string(),
                subject: facts.subject.to_string(),
                issuer: facts.issuer.to_string(),
                serial: facts.serial.iter().map(|byte| format!("{byte:02x}")).collect(),
                status: record.status.to_string(),
                valid_from_ms: record.validity.from.0,
                valid_until_ms: record.validity.until.0,
                height: record.published_height.0,
            })
        });
        let part = |part: &Option<String>, text: &str| part.as_ref().is_none_or(|part| text.contains(part));
        let until = |row: &CertificateRow| {
            query.expires_from.is_none_or(|from| row.valid_until_ms >= from.0)
                && query.expires_until.is_none_or(|until| row.valid_until_ms <= until.0)
        };
        let fits = |row: &CertificateRow| {
            part(&query.subject, &row.subject) && part(&query.issuer, &row.issuer) && until(row)
        };
        let rows: Vec<CertificateRow> = rows.filter(fits).collect();
        let end = (from + query.limit).min(rows.len());
        Ok(CertificateList {
            next: (end < rows.len()).then(|| end.to_string()),
            certificates: rows[from.min(end)..end].to_vec(),
            indexed_height: inner.replay.header().height.0,
        })
    }

    fn history(&self, id: &CertificateId, latest: &CertificateRecord) -> Result<History, QueryError> {
        Ok(crate::history::of(&self.inner().announcements, id, latest))
    }

    fn lookup(&self) -> Option<&dyn tabellion_api::Lookup> {
        Some(self)
    }

    fn certificate_log(&self) -> Option<&dyn tabellion_api::CertificateLog> {
        Some(self)
    }

    fn transaction_count(&self) -> u64 {
        u64::try_from(self.inner().locations.len()).unwrap()
    }

    fn gateway(&self) -> Option<&dyn Gateway> {
        self.gateway.as_ref().map(|gateway| gateway as &dyn Gateway)
    }

    fn subscribe(&self, from: Option<Height>) -> Result<BoxStream<'static, Announcement>, SubscribeError> {
        let inner = self.inner();
        if let Some(from) = from
            && from.0 < inner.kept_from
        {
            return Err(SubscribeError::Gone { oldest: Height(inner.kept_from) });
        }
        // A stream of what is there, which then ends as if the reader were too slow: tests need no clock.
        let first = from.map_or(inner.announcements.len(), |from| usize::try_from(from.0).unwrap());
        let blocks: Vec<Announcement> = inner.announcements.iter().skip(first).cloned().collect();
        Ok(stream::iter(blocks).boxed())
    }

    fn health(&self) -> HealthAnswer {
        let inner = self.inner();
        let status = if inner.mode == Mode::Broken { "the store is broken" } else { "ok" };
        HealthAnswer {
            status: status.to_owned(),
            node: "one".to_owned(),
            role: "validator".to_owned(),
            height: inner.replay.header().height.0,
            since_block_ms: 0,
            peers: 3,
            pool: inner.pool.len(),
            finalised: inner.replay.header().height.0,
            key: String::new(),
            draining: inner.mode == Mode::Drain,
            lacking_blocks: None,
            knowledge: None,
        }
    }

    fn draining(&self) -> bool {
        self.inner().mode == Mode::Drain
    }

    fn ready(&self) -> bool {
        self.inner().mode == Mode::Record
    }

    fn metrics(&self) -> String {
        format!("tabellion_height {}\n", self.inner().replay.header().height)
    }
}
