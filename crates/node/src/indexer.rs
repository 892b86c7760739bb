//! Fills the query index from the blocks, and answers questions from it.
//!
//! The index says which certificates match; what each one's status is comes from the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tabellion_api::{CertificateQuery, Fault, IssuerKey, QueryError, ct_leaf_hash};
use tabellion_ledger::{
    Block, CertificateId, Header, Height, Lane, TimeMs, Transaction, TransactionId, merkle,
};
use tabellion_machine::{CertificateList, CertificateRow, Checked, Work};
use tabellion_pki::{
    Action, Checked as CheckedRequest, CheckedEntry, Entry, Evidence, EvidenceKind, Facts, IssuerName,
    Reason, Renewal, StatusChange, certificate,
};

use crate::core::Core;
use crate::error::NodeError;
use crate::index::{
    Change, CrlRow, Index, IndexBlock, IndexRow, Issued, LogBlock, LogLeaf, Publication, Question,
};
use crate::store::{Snapshot, StoreError};

/// How long the index may lag behind the newest block on an idle ledger.
const PAUSE: Duration = Duration::from_millis(50);
/// How long it may lag on a busy one: few large batches cost the text index half of many small ones.
const BUSY_LAG: Duration = Duration::from_secs(1);
/// Status of a publication that waits for its start.
const SCHEDULED: &str = "scheduled";

/// The index's thread: takes over block after block, from where the index stands. With `waits`, it waits for
/// bodies that are still to be fetched.
pub fn follow(
    core: Arc<Core>,
    index: Arc<Index>,
    waits: bool,
) -> impl FnOnce(&AtomicBool) -> Result<(), NodeError> + Send + 'static {
    move |stop| {
        let (mut shown, mut paused) = (Instant::now(), false);
        while !stop.load(Ordering::Relaxed) {
            let next = index.applied_height().map_or(Height(0), Height::next);
            let awaited = waits && core.store().awaits_body(next).map_err(NodeError::Store)?;
            if awaited || next > core.newest().height {
                if paused || shown.elapsed() >= BUSY_LAG {
                    index.commit().map_err(NodeError::Index)?;
                    shown = Instant::now();
                }
                std::thread::sleep(PAUSE);
                paused = true;
                continue;
            }
            paused = false;
            let (transactions, block) = match core.recent(next) {
                Some(checked) => {
                    let header = core.store().header(next).map_err(NodeError::Store)?;
                    let time = header.map_or(TimeMs(0), |header| header.time);
                    (checked.len(), block_of_checked(&core, &checked, next, time))
                }
                None => stored_block(&core, next).map_err(NodeError::Store)?,
            };
            let transactions = u64::try_from(transactions).unwrap_or(u64::MAX);
            index.apply(next, transactions, &block).map_err(NodeError::Index)?;
        }
        index.commit().map_err(NodeError::Index)
    }
}

/// What a block in the store says, and its number of transactions.
fn stored_block(core: &Core, height: Height) -> Result<(usize, IndexBlock), StoreError> {
    if let Some(block) = core.store().block(height)? {
        let mut said = block_of(core, &block);
        // A node that began with a state may know no more of an older block than its header.
        said.log.is_gap |= block.lanes.is_empty() && block.header.lanes_root != merkle::empty_root();
        return Ok((block.transaction_count(), said));
    }
    let header = core.store().header(height)?;
    let lane = core.store().lane_body(height, Lane::Certificate)?;
    if let (Some(header), Some(lane)) = (header, lane) {
        let block = Block { header, lanes: vec![lane], carried: Vec::new() };
        return Ok((block.transaction_count(), block_of(core, &block)));
    }
    // A body that is gone held only what is expired or revoked. The log of certificates had it nonetheless.
    let lanes = core.store().lane_headers(height)?;
    let is_gap = lanes.is_empty() || lanes.iter().any(|(header, _)| header.lane == Lane::Certificate);
    Ok((0, IndexBlock { log: LogBlock { is_gap, ..LogBlock::default() }, ..IndexBlock::default() }))
}

/// What a block says about certificates.
fn block_of(core: &Core, block: &Block) -> IndexBlock {
    let Header { height, time, .. } = block.header;
    let mut gathered = Gathered::new(core, height, time);
    let of_lane = |transaction: &&Transaction| transaction.content().lane == Lane::Certificate;
    for transaction in block.transactions().filter(of_lane) {
        let Ok(action) = Action::from_bytes(&transaction.content().action) else { continue };
        let attached: BTreeMap<_, _> =
            transaction.attachments().iter().map(|der| (CertificateId::of(der), der)).collect();
        gathered.begin(transaction, action.published().len());
        for (place, entry) in action.published().iter().enumerate() {
            let facts = attached.get(&entry.certificate).and_then(|der| Facts::of(der).ok());
            gathered.published(entry, facts.as_ref(), &attached);
            gathered.logged(&transaction.id(), place, entry, &attached);
        }
        match &action {
            Action::Publish(_) | Action::Notice(_) | Action::Relay(_) => {}
            Action::Change(changes) => gathered.changed(transaction, changes, &attached),
            Action::Renew(renewal) => gathered.renewed(transaction, renewal, &attached),
        }
    }
    gathered.block
}

/// The same of transactions whose certificates were read when they were checked.
fn block_of_checked(core: &Core, checked: &[Arc<Checked>], height: Height, time: TimeMs) -> IndexBlock {
    let mut gathered = Gathered::new(core, height, time);
    for one in checked {
        let Work::Certificate(request) = one.work() else { continue };
        let attachments = one.transaction().attachments().iter();
        let attached: BTreeMap<_, _> = attachments.map(|der| (CertificateId::of(der), der)).collect();
        let id = one.transaction().id();
        gathered.begin(one.transaction(), request.published().len());
        for (place, CheckedEntry { entry, chain }) in request.published().iter().enumerate() {
            gathered.published(entry, chain.as_ref().map(|(facts, _)| facts), &attached);
            gathered.logged(&id, place, entry, &attached);
        }
        match request {
            CheckedRequest::Publish(_) | CheckedRequest::Notice(_) | CheckedRequest::Relay(_) => {}
            CheckedRequest::Change(changes) => gathered.changed(one.transaction(), changes, &attached),
            CheckedRequest::Renew(renewal, _) => gathered.renewed(one.transaction(), renewal, &attached),
        }
    }
    gathered.block
}

/// What is gathered from one block.
struct Gathered<'a> {
    core: &'a Core,
    height: Height,
    time: TimeMs,
    block: IndexBlock,
}

impl<'a> Gathered<'a> {
    fn new(core: &'a Core, height: Height, time: TimeMs) -> Self {
        Self { core, height, time, block: IndexBlock::default() }
    }

    /// A transaction that publishes `count` certificates, which follow.
    fn begin(&mut self, transaction: &Transaction, count: usize) {
        if count > 0 {
            let (submitter, rows) = (transaction.submitter(), Vec::with_capacity(count));
            self.block.publications.push(Publication { transaction: transaction.id(), submitter, rows });
        }
    }

    /// A publication. Where the certificate is not there, as in the recorded blocks of a ledger of
    /// identifiers, nobody can ask for it by its names.
    fn published(
        &mut self,
        entry: &Entry,
        facts: Option<&Facts>,
        attached: &BTreeMap<CertificateId, &Vec<u8>>,
    ) {
        if let Some(publication) = self.block.publications.last_mut() {
            publication.rows.push(row(entry, facts, self.height));
        }
        if let Some(facts) = facts {
            self.issued(facts, entry.issuer(), attached);
        }
    }

    /// A publication as an entry of the log (X.1409 C25, A5). On a ledger of identifiers there is nothing to
    /// list.
    fn logged(
        &mut self,
        transaction: &TransactionId,
        place: usize,
        entry: &Entry,
        attached: &BTreeMap<CertificateId, &Vec<u8>>,
    ) {
        let log = &mut self.block.log;
        let (Some(der), Ok(place)) = (attached.get(&entry.certificate), u32::try_from(place)) else {
            log.is_gap = true;
            return;
        };
        let (transaction, time) = (*transaction, self.time);
        log.leaves.push(LogLeaf { transaction, entry: place, time, leaf: ct_leaf_hash(der, time) });
        if log.roots.iter().all(|(id, _)| *id != entry.root) {
            let root = self.trusted(&entry.root).map(|der| (entry.root, der));
            self.block.log.roots.extend(root);
        }
    }

    /// A certificate that is there as a whole.
    fn issued(&mut self, facts: &Facts, issuer: CertificateId, attached: &BTreeMap<CertificateId, &Vec<u8>>) {
        let Facts { certificate, sha1, serial, .. } = facts;
        let issued = Issued { certificate: *certificate, issuer, serial: serial.clone(), sha1: *sha1 };
        self.block.issued.push(issued);
        if self.block.issuers.iter().any(|known| known.certificate == issuer) {
            return;
        }
        let name = match attached.get(&issuer) {
            Some(der) => IssuerName::of(der),
            None => IssuerName::of(&self.trusted(&issuer).unwrap_or_default()),
        };
        if let Ok([name, key]) = name.map(|name| name.hashes()) {
            self.block.issuers.push(IssuerKey { certificate: issuer, name, key });
        }
    }

    /// A trusted CA's certificate, of today or of the genesis.
    fn trusted(&self, id: &CertificateId) -> Option<Vec<u8>> {
        let today = tabellion_consortium::anchor(&self.core.provable().state, id);
        let first = || self.core.document().anchors.iter().find(|der| CertificateId::of(der) == *id).cloned();
        today.or_else(first)
    }

    /// A certificate whose status changes. The transaction brings it along, so that an index that is filled
    /// again knows it also where the body that published it is gone.
    fn ended(&mut self, id: &CertificateId, attached: &BTreeMap<CertificateId, &Vec<u8>>) {
        let Some(facts) = attached.get(id).and_then(|der| Facts::of(der).ok()) else { return };
        let Some(record) = certificate(&self.core.provable().state, id) else { return };
        self.block.rows.push(IndexRow {
            certificate: *id,
            key: facts.key,
            subject: facts.subject.text().to_owned(),
            issuer: facts.issuer.text().to_owned(),
            serial: hex::encode(&facts.serial),
            status: record.status.to_string(),
            valid_from: record.validity.from,
            valid_until: record.validity.until,
            height: record.published_height,
        });
        self.issued(&facts, record.issuer, attached);
    }

    fn changed(
        &mut self,
        transaction: &Transaction,
        changes: &[StatusChange],
        attached: &BTreeMap<CertificateId, &Vec<u8>>,
    ) {
        for StatusChange { certificate, issuer, reason, evidence, .. } in changes {
            self.ended(certificate, attached);
            self.recorded(transaction, certificate, *reason, *evidence);
            let Evidence { kind, hash, at, until, .. } = *evidence;
            if kind == EvidenceKind::Crl {
                let (issuer, height) = (*issuer, self.height);
                self.block.crls.push(CrlRow { issuer, at, until, hash, height });
            }
        }
    }

    fn renewed(
        &mut self,
        transaction: &Transaction,
        renewal: &Renewal,
        attached: &BTreeMap<CertificateId, &Vec<u8>>,
    ) {
        self.ended(&renewal.old, attached);
        let evidence = Evidence::of_renewal(&renewal.old, &renewal.entry.certificate, self.time);
        self.recorded(transaction, &renewal.old, Some(Reason::Superseded), evidence);
    }

    /// The next record of a certificate (X.1409 A5).
    fn recorded(
        &mut self,
        transaction: &Transaction,
        certificate: &CertificateId,
        reason: Option<Reason>,
        evidence: Evidence,
    ) {
        let (certificate, submitter) = (*certificate, transaction.submitter());
        let transaction = transaction.id();
        self.block.changed.push(Change { certificate, transaction, submitter, reason, evidence });
    }
}

/// A ledger of identifiers has no names to ask for.
fn row(entry: &Entry, facts: Option<&Facts>, height: Height) -> IndexRow {
    let validity = entry.effective();
    IndexRow {
        certificate: entry.certificate,
        key: entry.key,
        subject: facts.map(|facts| facts.subject.text().to_owned()).unwrap_or_default(),
        issuer: facts.map(|facts| facts.issuer.text().to_owned()).unwrap_or_default(),
        serial: facts.map(|facts| hex::encode(&facts.serial)).unwrap_or_default(),
        status: SCHEDULED.to_owned(),
        valid_from: validity.from,
        valid_until: validity.until,
        height,
    }
}

/// Answers a face's question.
pub fn query(
    index: &Index,
    state: &Snapshot,
    query: &CertificateQuery,
) -> Result<CertificateList, QueryError> {
    let after = query.cursor.as_deref().map(str::parse).transpose().map_err(|_| QueryError::Cursor)?;
    let question = Question {
        subject: query.subject.clone(),
        issuer: query.issuer.clone(),
        expires_from: query.expires_from,
        expires_until: query.expires_until,
        after,
        limit: query.limit,
    };
    let answer = index.query(&question).map_err(|error| QueryError::Fault(Fault::new(error)))?;
    Ok(CertificateList {
        certificates: answer.rows.into_iter().map(|row| listed(row, state)).collect(),
        next: answer.next.map(|cursor| cursor.to_string()),
        indexed_height: answer.height.unwrap_or_default().0,
    })
}

fn listed(row: IndexRow, state: &Snapshot) -> CertificateRow {
    let status = certificate(state, &row.certificate).map(|record| record.status.to_string());
    CertificateRow {
        certificate: row.certificate.to_string(),
        key: row.key.to_string(),
        subject: row.subject,
        issuer: row.issuer,
        serial: row.serial,
        status: status.unwrap_or(row.status),
        valid_from_ms: row.valid_from.0,
        valid_until_ms: row.valid_until.0,
        height: row.height.0,
    }
}
