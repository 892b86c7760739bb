//! What the node offers to its faces.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::future::BoxFuture;
use futures::stream::{self, BoxStream, StreamExt};
use tabellion_api::{
    Announcement, Backend, CertificateLog, CertificateQuery, Fault, Gateway, HeldBlock, History, Lookup,
    QueryError, SubmitError, SubscribeError, TransactionState,
};
use tabellion_client::NodeClient;
use tabellion_consortium::Genesis;
use tabellion_engine::{EngineStatus, Voting};
use tabellion_ledger::limits::LANE_HEADER_BYTES_MAX;
use tabellion_ledger::trie::{PageId, Piece, TrieFault};
use tabellion_ledger::{
    Block, CertificateId, FinalityProof, HandOver, Header, Height, LaneBody, LaneOutline, LedgerId, Outline,
    ProvedHeader, RecordProof, StateKey, StateProof, TimeMs, Transaction, TransactionId, View, cbor, merkle,
};
use tabellion_machine::{CertificateList, ChainHeader, HealthAnswer, KnowledgeAnswer, Location};
use tabellion_pki::{
    CertificateRecord, Delivery, ProvedRecord, Stale, Status, certificate, outbox, outbox_entry_key,
    outbox_key, scheduled,
};
use tokio::sync::{Semaphore, broadcast};

use crate::clock::now;
use crate::core::{AnnouncedBlock, Core, NotTaken, Provable};
use crate::edge::EdgeStatus;
use crate::elsewhere::Elsewhere;
use crate::index::Index;
use crate::lookup::NodeLookup;
use crate::metrics;
use crate::store::{Place, StoreError, StoredTransaction, Tree};

/// Transactions that are checked or wait for their check at one time; beyond it clients are told to come
/// back.
const CHECKS_MAX: usize = 512;
/// When an overloaded node asks clients to come back. Unit: ms.
const RETRY_AFTER_MS: u64 = 500;
/// When a node that is taken out of service asks clients to come back: others answer meanwhile. Unit: ms.
const DRAINED_RETRY_AFTER_MS: u64 = 10_000;
/// A node that is this far behind the newest finalised block it knows of is not ready. Unit: blocks.
const READY_LAG_BLOCKS: u64 = 16;

/// Bytes of an answer with outlines, about.
const OUTLINES_BYTES: usize = 4 << 20;
/// Bytes of one record of an outline.
const OUTLINE_RECORD_BYTES: usize = 69;

/// A node behind its faces.
pub struct NodeBackend {
    core: Arc<Core>,
    index: Option<Arc<Index>>,
    lookup: Option<NodeLookup>,
    status: EngineStatus,
    engine_metrics: Box<dyn Fn() -> String + Send + Sync>,
    gateway: Option<Arc<dyn Gateway>>,
    name: String,
    checks: Arc<Semaphore>,
    elsewhere: Elsewhere,
    /// Of a node that follows from outside.
    edge: Option<Arc<EdgeStatus>>,
}

impl NodeBackend {
    /// Joins the parts of a node for its faces.
    #[expect(clippy::too_many_arguments, reason = "the parts of a node, each once")]
    pub(crate) fn new(
        core: Arc<Core>,
        index: Option<Arc<Index>>,
        status: EngineStatus,
        engine_metrics: Box<dyn Fn() -> String + Send + Sync>,
        gateway: Option<Arc<dyn Gateway>>,
        name: String,
        others: Vec<Arc<NodeClient>>,
        edge: Option<Arc<EdgeStatus>>,
    ) -> Self {
        let fetches = !others.is_empty();
        let (checks, elsewhere) = (Arc::new(Semaphore::new(CHECKS_MAX)), Elsewhere::new(others));
        let lookup = index.clone().map(|index| NodeLookup::new(core.clone(), index, fetches));
        Self { core, index, lookup, status, engine_metrics, gateway, name, checks, elsewhere, edge }
    }

    fn is_fresh(&self) -> bool {
        self.edge.as_ref().is_none_or(|edge| edge.is_fresh(&self.core, now()))
    }

    fn status_word(&self) -> &'static str {
        if !self.is_fresh() {
            return "knowledge is too old";
        }
        match (self.core.is_draining(), self.ready()) {
            (true, _) => "draining",
            (false, true) => "ok",
            (false, false) => "behind, or without a proved state",
        }
    }

    fn place(&self, id: &TransactionId) -> Result<Option<StoredTransaction>, Fault> {
        let found = self.core.store().transaction(id).map_err(Fault::new)?;
        // The engine's rows can be ahead of what is committed here.
        Ok(found.filter(|found| found.place.height <= self.core.newest().height))
    }

    /// Proves an older header, or the newest proved one, under the newest proof.
    fn prove_header(&self, provable: &Provable, header: Header) -> Result<Option<ProvedHeader>, StoreError> {
        let finality = provable.finality.clone();
        let newest = finality.header.height;
        if header.height == newest {
            return Ok(Some(ProvedHeader { finality, older: None }));
        }
        if header.height > newest {
            return Ok(None);
        }
        let path = provable.state.history(Tree::Headers).inclusion_path(header.height.0, newest.0)?;
        Ok(path.map(|path| ProvedHeader { finality, older: Some((header, path)) }))
    }

    fn prove_record(&self, place: Place) -> Result<Option<RecordProof>, StoreError> {
        let store = self.core.store();
        let Place { height, lane, index } = place;
        let Some(header) = store.header(height)? else { return Ok(None) };
        let Some(LaneBody { header: lane_header, transactions }) = store.lane_body(height, lane)? else {
            return Ok(None);
        };
        let Some(header) = self.prove_header(&self.core.provable(), header)? else { return Ok(None) };
        let lanes = store.lane_headers(height)?.into_iter().map(|(header, _)| header.hash()).collect();
        let leaves: Vec<_> = transactions.iter().map(Transaction::record_leaf).collect();
        let at = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(transaction) = transactions.get(at) else { return Ok(None) };
        Ok(Some(RecordProof {
            header,
            lanes,
            lane: lane_header,
            record_index: u64::from(index),
            record_path: merkle::inclusion_path(&leaves, at),
            transaction: transaction.to_bytes(),
        }))
    }

    /// A certificate from the body of the block that published it.
    fn published_certificate(&self, id: &CertificateId) -> Result<Option<Bytes>, StoreError> {
        let state = &self.core.provable().state;
        let recorded = certificate(state, id).map(|record| record.published_height);
        // One that waits for its start stands in its block all the same.
        let height = recorded.or_else(|| scheduled(state, id).map(|waits| waits.published_height));
        let Some(height) = height else { return Ok(None) };
        let lane = tabellion_ledger::Lane::Certificate;
        let body = self.core.store().lane_body(height, lane)?;
        let transactions = body.map(|body| body.transactions).unwrap_or_default();
        let mut attachments = transactions.iter().flat_map(Transaction::attachments);
        if let Some(der) = attachments.find(|der| CertificateId::of(der) == *id) {
            return Ok(Some(Bytes::copy_from_slice(der)));
        }
        // A backup node of a ledger of identifiers.
        let carried = self.core.store().carried(height, lane)?;
        Ok(carried.into_iter().find(|der| CertificateId::of(der) == *id).map(Bytes::from))
    }
}

/// Bytes that a lane's outline takes, about.
fn outline_bytes(lane: &LaneOutline) -> usize {
    LANE_HEADER_BYTES_MAX + lane.records.as_ref().map_or(0, |records| records.len() * OUTLINE_RECORD_BYTES)
}

/// One proved state, as faces hold it.
struct Proved(Arc<Provable>);

impl View for Proved {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.0.state.get(key)
    }

    fn transaction_height(&self, id: &TransactionId) -> Option<Height> {
        self.0.state.transaction_height(id)
    }
}

impl tabellion_api::Snapshot for Proved {
    fn finality(&self) -> &FinalityProof {
        &self.0.finality
    }

    fn prove(&self, key: &StateKey) -> Result<StateProof, TrieFault> {
        let trie = self.0.state.prove_trie(key)?;
        let finality = self.0.finality.clone();
        Ok(StateProof { key: key.clone(), record: self.0.state.get(key), trie, finality })
    }
}

fn state_of(core: &Core, found: Option<StoredTransaction>, id: &TransactionId) -> TransactionState {
    match (found, core.waiting(id)) {
        (Some(StoredTransaction { place: Place { height, lane, index }, .. }), _) => {
            TransactionState::Recorded(Location { height, lane, index })
        }
        (None, Some(Ok(()))) => TransactionState::Pending,
        (None, Some(Err(refusal))) => TransactionState::Refused(refusal),
        (None, None) => TransactionState::Unknown,
    }
}

fn announcement(block: AnnouncedBlock) -> Announcement {
    let AnnouncedBlock { header, transactions, notices } = block;
    Announcement { header, transactions, notices }
}

impl Backend for NodeBackend {
    fn ledger(&self) -> LedgerId {
        self.core.ledger()
    }

    fn genesis(&self) -> &Genesis {
        self.core.document()
    }

    fn genesis_bytes(&self) -> Bytes {
        self.core.document_bytes().clone()
    }

    fn snapshot(&self) -> Arc<dyn tabellion_api::Snapshot> {
        Arc::new(Proved(self.core.provable()))
    }

    fn submit(&self, transaction: Transaction) -> BoxFuture<'_, Result<TransactionId, SubmitError>> {
        let core = self.core.clone();
        if self.edge.is_some() {
            return Box::pin(async { Err(SubmitError::FollowsOnly) });
        }
        let overloaded = SubmitError::Overloaded { retry_after_ms: RETRY_AFTER_MS };
        let Ok(permit) = self.checks.clone().try_acquire_owned() else {
            return Box::pin(async { Err(overloaded) });
        };
        Box::pin(async move {
            let (told, outcome) = tokio::sync::oneshot::channel();
            // Path validation belongs to the pool of as many threads as there are cores.
            rayon::spawn(move || {
                let _ = told.send(core.submit(transaction, now()));
                drop(permit);
            });
            match outcome.await {
                Ok(Ok(id)) => Ok(id),
                Ok(Err(NotTaken::Refused(refusal))) => Err(SubmitError::Refused(refusal)),
                Ok(Err(NotTaken::Full(_))) => Err(overloaded),
                Ok(Err(NotTaken::Draining)) => {
                    Err(SubmitError::Draining { retry_after_ms: DRAINED_RETRY_AFTER_MS })
                }
                Err(_) => Err(SubmitError::Stopping),
            }
        })
    }

    fn transaction(&self, id: &TransactionId) -> Result<TransactionState, Fault> {
        Ok(state_of(&self.core, self.place(id)?, id))
    }

    fn wait(&self, id: TransactionId, timeout: Duration) -> BoxFuture<'_, Result<TransactionState, Fault>> {
        Box::pin(async move {
            // Listen first, look second: a decision between the two is not missed.
            let decided = self.core.decided(id);
            let found = self.transaction(&id)?;
            if !matches!(found, TransactionState::Pending | TransactionState::Unknown) {
                return Ok(found);
            }
            // A time-out is answered with where the transaction stands by then.
            let _ = tokio::time::timeout(timeout, decided).await;
            self.transaction(&id)
        })
    }

    fn transaction_bytes(&self, id: &TransactionId) -> Result<Option<Bytes>, Fault> {
        Ok(self.place(id)?.and_then(|found| found.bytes).map(Bytes::from))
    }

    fn record_proof(&self, id: &TransactionId) -> Result<Option<RecordProof>, Fault> {
        match self.place(id)? {
            Some(found) => self.prove_record(found.place).map_err(Fault::new),
            None => Ok(None),
        }
    }

    fn header(&self, height: Height) -> Result<Option<Header>, Fault> {
        if height > self.core.newest().height {
            return Ok(None);
        }
        self.core.store().header(height).map_err(Fault::new)
    }

    fn block(&self, height: Height) -> Result<Option<HeldBlock>, Fault> {
        let Some(header) = self.header(height)? else { return Ok(None) };
        let store = self.core.store();
        if let Some(block) = store.block(height).map_err(Fault::new)? {
            return Ok(Some(HeldBlock { block: (*block).clone(), complete: true }));
        }
        let mut lanes = Vec::new();
        for (lane, _) in store.lane_headers(height).map_err(Fault::new)? {
            let body = store.lane_body(height, lane.lane).map_err(Fault::new)?;
            lanes.push(body.unwrap_or(LaneBody { header: lane, transactions: Vec::new() }));
        }
        Ok(Some(HeldBlock { block: Block { header, lanes, carried: Vec::new() }, complete: false }))
    }

    fn attachments(&self, block: &Block) -> Result<Vec<Vec<Vec<u8>>>, Fault> {
        self.core.store().carried_beside(block).map_err(Fault::new)
    }

    fn finality(&self, height: Height) -> Result<Option<FinalityProof>, Fault> {
        self.core.store().finality_proof(height).map_err(Fault::new)
    }

    fn headers(&self, from: Height, limit: usize) -> Result<Vec<ChainHeader>, Fault> {
        let mut headers = Vec::new();
        let mut height = from;
        while headers.len() < limit {
            let Some(header) = self.header(height)? else { break };
            headers.push(match self.finality(height)? {
                Some(proof) => ChainHeader::Final(proof),
                None => ChainHeader::Linked(header),
            });
            height = height.next();
        }
        Ok(headers)
    }

    fn hand_overs(&self, after: u64, limit: usize) -> Result<Vec<HandOver>, Fault> {
        let rows = self.core.store().hand_overs(after, limit).map_err(Fault::new)?;
        let decode =
            |bytes: &Vec<u8>| cbor::from_bytes(bytes, bytes.len()).map_err(|e| Fault::new(e.to_string()));
        rows.iter().map(decode).collect()
    }

    fn delivery(&self, first: u64, limit: usize, known: Option<Height>) -> Result<Option<Delivery>, Fault> {
        let provable = self.core.provable();
        let newest = provable.finality.header.clone();
        let known = match known {
            None => Some(newest),
            Some(height) if height > newest.height => None,
            Some(height) => self.core.store().header(height).map_err(Fault::new)?,
        };
        let Some(known) = known else { return Ok(None) };
        let Some(header) = self.prove_header(&provable, known).map_err(Fault::new)? else { return Ok(None) };
        let proved = |key: &StateKey| -> Result<ProvedRecord, Fault> {
            let trie = provable.state.prove_trie(key).map_err(Fault::new)?;
            Ok(ProvedRecord { record: provable.state.get(key), trie })
        };
        let count = outbox(&provable.state).next;
        let results: Result<Vec<_>, Fault> =
            (first..count).take(limit).map(|number| proved(&outbox_entry_key(number))).collect();
        Ok(Some(Delivery { header, outbox: proved(&outbox_key())?, first, results: results? }))
    }

    fn held_states(&self) -> Vec<FinalityProof> {
        self.core.held_states()
    }

    fn piece(&self, height: Height, prefix: &PageId) -> Result<Option<Piece>, Fault> {
        self.core.piece(height, prefix, now()).map_err(Fault::new)
    }

    fn outlines(&self, from: Height, limit: usize, records: bool) -> Result<Option<Vec<Outline>>, Fault> {
        let (mut outlines, mut bytes) = (Vec::new(), 0);
        for height in (from.0..=self.core.newest().height.0).take(limit).map(Height) {
            if bytes > OUTLINES_BYTES {
                break;
            }
            let Some(outline) = self.core.store().outline(height, records).map_err(Fault::new)? else {
                break;
            };
            bytes += outline.lanes.iter().map(outline_bytes).sum::<usize>();
            outlines.push(outline);
        }
        let gone = outlines.is_empty() && from <= self.core.newest().height;
        Ok((!gone).then_some(outlines))
    }

    fn certificate_der(&self, id: &CertificateId) -> Result<Option<Bytes>, Fault> {
        let anchor = tabellion_consortium::anchor(&self.core.provable().state, id);
        match anchor {
            Some(der) => Ok(Some(Bytes::from(der))),
            None => self.published_certificate(id).map_err(Fault::new),
        }
    }

    fn certificate_elsewhere(&self, id: CertificateId) -> BoxFuture<'_, Option<Bytes>> {
        let state = &self.core.provable().state;
        // Nobody is asked for what the ledger does not know.
        let is_known = certificate(state, &id).is_some() || scheduled(state, &id).is_some();
        Box::pin(async move { if is_known { self.elsewhere.certificate(id).await } else { None } })
    }

    fn block_elsewhere(&self, height: Height) -> BoxFuture<'_, Option<Block>> {
        Box::pin(async move {
            let header = self.core.store().header(height).ok().flatten()?;
            self.elsewhere.block(header).await
        })
    }

    fn query(&self, query: &CertificateQuery) -> Result<CertificateList, QueryError> {
        let index = self.index.as_ref().ok_or(QueryError::NoIndex)?;
        crate::indexer::query(index, &self.core.provable().state, query)
    }

    fn history(&self, id: &CertificateId, latest: &CertificateRecord) -> Result<History, QueryError> {
        let index = self.index.as_ref().ok_or(QueryError::NoIndex)?;
        let rows = index.history(id).map_err(Fault::new)?;
        let header = |height| self.core.store().header(height);
        Ok(crate::history::history(&rows, latest, &header).map_err(Fault::new)?)
    }

    fn lookup(&self) -> Option<&dyn Lookup> {
        self.lookup.as_ref().map(|lookup| lookup as &dyn Lookup)
    }

    fn certificate_log(&self) -> Option<&dyn CertificateLog> {
        self.lookup.as_ref().map(|lookup| lookup as &dyn CertificateLog)
    }

    fn transaction_count(&self) -> u64 {
        self.index.as_ref().map_or(0, |index| index.transactions())
    }

    fn gateway(&self) -> Option<&dyn Gateway> {
        self.gateway.as_deref()
    }

    fn subscribe(&self, from: Option<Height>) -> Result<BoxStream<'static, Announcement>, SubscribeError> {
        let listening = self.core.announcer().listen(from);
        let (missed, listener) = listening.map_err(|oldest| SubscribeError::Gone { oldest })?;
        let later = stream::unfold(listener, |mut listener| async move {
            match listener.recv().await {
                Ok(block) => Some((announcement(block), listener)),
                Err(broadcast::error::RecvError::Closed | broadcast::error::RecvError::Lagged(_)) => None,
            }
        });
        Ok(stream::iter(missed.into_iter().map(announcement)).chain(later).boxed())
    }

    fn may_tell(&self, status: Option<Status>, known_at: TimeMs) -> Result<(), Stale> {
        self.edge.as_ref().map_or(Ok(()), |edge| edge.may_tell(status, known_at, now()))
    }

    fn knowledge(&self) -> Option<KnowledgeAnswer> {
        self.edge.as_ref().map(|edge| edge.knowledge(&self.core, now()))
    }

    fn health(&self) -> HealthAnswer {
        let view = self.status.view();
        let committed = view.committed_at.0.max(self.core.newest().time.0);
        HealthAnswer {
            status: self.status_word().to_owned(),
            node: self.name.clone(),
            role: match view.voting {
                _ if self.edge.is_some() => "edge",
                Voting::Follows => "full",
                Voting::Doubts => "validator in doubt",
                Voting::Listens | Voting::Votes => "validator",
            }
            .to_owned(),
            height: self.core.newest().height.0,
            since_block_ms: now().0.saturating_sub(committed),
            peers: view.peers,
            pool: self.core.pool_len(),
            finalised: view.finalised.0.max(self.core.newest().height.0),
            // An edge has none that anybody knows.
            key: self.edge.as_ref().map_or_else(|| hex::encode(self.core.key().0), |_| String::new()),
            draining: self.core.is_draining(),
            // What the store cannot say here, it says in the log, and the node stops.
            lacking_blocks: self
                .core
                .is_backup()
                .then(|| self.core.store().lacking_count().unwrap_or_default()),
            knowledge: self.knowledge(),
        }
    }

    fn draining(&self) -> bool {
        self.core.is_draining()
    }

    fn ready(&self) -> bool {
        let lag = self.status.view().finalised.0.saturating_sub(self.core.newest().height.0);
        let has_proof = !self.core.provable().finality.signatures.is_empty();
        !self.draining() && self.is_fresh() && has_proof && lag <= READY_LAG_BLOCKS
    }

    fn metrics(&self) -> String {
        let mut text = metrics::text(&self.core, &self.status.view());
        text.push_str(&(self.engine_metrics)());
        if !text.ends_with('\n') {
            text.push('\n');
        }
        text
    }
}
