//! Look-ups in the ledger in memory: a walk over its blocks.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use tabellion_api::{
    Backend, CertificateLog, CtHead, CtRow, Fault, Found, IssuerKey, Lookup, RecordedCrl, ct_leaf_hash,
};
use tabellion_ledger::{Block, CertificateId, Hash, Height, Lane, Transaction, merkle};
use tabellion_pki::{Action, EvidenceKind, Facts, IssuerName};

use crate::world::World;

/// What is elsewhere, and what has gone for good.
#[derive(Default)]
pub struct Elsewhere {
    has_all: AtomicBool,
    gap: Mutex<Option<Height>>,
}

impl Elsewhere {
    /// Another node holds all bodies.
    pub fn hold_all(&self) {
        self.has_all.store(true, Ordering::Relaxed);
    }

    /// The log was made anew when this block's body was gone.
    pub fn set_gap(&self, height: Height) {
        *self.gap.lock().unwrap() = Some(height);
    }

    /// A block from another node.
    pub fn block(&self, world: &World, height: Height) -> Option<Block> {
        let mut blocks = world.all_blocks().into_iter();
        blocks.find(|block| self.has_all.load(Ordering::Relaxed) && block.header.height == height)
    }
}

impl World {
    fn newest(&self) -> Height {
        self.snapshot().finality().header.height
    }

    /// All transactions of the certificate lane.
    fn certificate_lane(&self) -> Vec<Transaction> {
        let heights = (0..=self.newest().0).map(Height);
        let blocks = heights.filter_map(|height| Backend::block(self, height).unwrap());
        let all = blocks.flat_map(|held| held.block.transactions().cloned().collect::<Vec<_>>());
        all.filter(|transaction| transaction.content().lane == Lane::Certificate).collect()
    }

    fn actions(&self) -> Vec<(Action, Transaction)> {
        let action = |one: &Transaction| Action::from_bytes(&one.content().action).unwrap();
        self.certificate_lane().into_iter().map(|one| (action(&one), one)).collect()
    }

    /// Published certificates with their issuers.
    fn published(&self) -> Vec<(Facts, CertificateId)> {
        let mut found = Vec::new();
        for (action, transaction) in self.actions() {
            for entry in action.published() {
                let der = transaction
                    .attachments()
                    .iter()
                    .find(|der| CertificateId::of(der) == entry.certificate)
                    .cloned();
                found.extend(der.map(|der| (Facts::of(&der).unwrap(), entry.issuer())));
            }
        }
        found
    }

    fn is_issuer(&self, id: &CertificateId, issuer: &IssuerKey) -> bool {
        let all = self.certificate_lane();
        let mut ders = all.iter().flat_map(|transaction| transaction.attachments());
        let der = ders.find(|der| CertificateId::of(der) == *id);
        let hashes = der.map(|der| IssuerName::of(der).unwrap().hashes());
        *id == issuer.certificate || hashes == Some([issuer.name, issuer.key])
    }

    fn found<T>(&self, rows: Vec<T>) -> Found<T> {
        let snapshot = self.snapshot();
        let header = &snapshot.finality().header;
        Found { rows, height: Some(header.height), known_at: header.time }
    }
}

impl Lookup for World {
    fn issued(&self, issuer: &IssuerKey, serial: &[u8]) -> Result<Found<CertificateId>, Fault> {
        let rows = self.published().into_iter();
        let rows = rows.filter(|(facts, by)| facts.serial == serial && self.is_issuer(by, issuer));
        Ok(self.found(rows.map(|(facts, _)| facts.certificate).collect()))
    }

    fn is_complete(&self) -> Result<bool, Fault> {
        Ok(self.keeps_all())
    }

    fn changed(&self, issuer: &IssuerKey) -> Result<Found<(CertificateId, Vec<u8>)>, Fault> {
        let mut changed = Vec::new();
        for (action, _) in self.actions() {
            if let Action::Change(changes) = action {
                changed.extend(changes.into_iter().map(|change| change.certificate));
            }
        }
        let rows = self.published().into_iter();
        let rows =
            rows.filter(|(facts, by)| changed.contains(&facts.certificate) && self.is_issuer(by, issuer));
        Ok(self.found(rows.map(|(facts, _)| (facts.certificate, facts.serial)).collect()))
    }

    fn by_sha1(&self, sha1: &[u8; 20]) -> Result<Option<CertificateId>, Fault> {
        let found = self.published().into_iter().find(|(facts, _)| facts.sha1 == *sha1);
        Ok(found.map(|(facts, _)| facts.certificate))
    }

    fn recorded_crl(&self, issuer: &IssuerKey) -> Result<Option<RecordedCrl>, Fault> {
        let mut newest = None;
        for (action, transaction) in self.actions() {
            let Action::Change(changes) = action else { continue };
            for change in changes {
                if change.evidence.kind == EvidenceKind::Crl && change.issuer == issuer.certificate {
                    let hash = change.evidence.hash.0;
                    let mut ders = transaction.attachments().iter();
                    let der = ders.find(|der| tabellion_ledger::sha256(der) == hash).cloned();
                    let (at, until) = (change.evidence.at, change.evidence.until);
                    newest = Some(RecordedCrl { der: der.map(Into::into), at, until });
                }
            }
        }
        Ok(newest)
    }
}

/// The log, made anew for each question.
impl CertificateLog for World {
    fn head(&self) -> Result<Option<CtHead>, Fault> {
        let leaves = self.leaves();
        let snapshot = self.snapshot();
        let time = snapshot.finality().header.time;
        let (size, root) = (u64::try_from(leaves.len()).unwrap(), merkle::root(&leaves));
        let gap = *self.elsewhere.gap.lock().unwrap();
        Ok(Some(CtHead { size, root, time, gap }))
    }

    fn rows(&self, first: u64, limit: usize) -> Result<Vec<CtRow>, Fault> {
        Ok(self.log().into_iter().skip(usize::try_from(first).unwrap()).take(limit).collect())
    }

    fn place(&self, leaf: &Hash) -> Result<Option<u64>, Fault> {
        Ok(self.log().iter().find(|row| row.leaf == *leaf).map(|row| row.place))
    }

    fn inclusion_path(&self, place: u64, size: u64) -> Result<Option<Vec<Hash>>, Fault> {
        let leaves = self.leaves();
        let is_there = place < size && size <= u64::try_from(leaves.len()).unwrap();
        Ok(is_there.then(|| {
            let (place, size) = (usize::try_from(place).unwrap(), usize::try_from(size).unwrap());
            merkle::inclusion_path(&leaves[..size], place)
        }))
    }

    fn consistency_path(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, Fault> {
        let leaves = self.leaves();
        let is_there = old <= new && new <= u64::try_from(leaves.len()).unwrap();
        Ok(is_there.then(|| {
            let (old, new) = (usize::try_from(old).unwrap(), usize::try_from(new).unwrap());
            merkle::consistency_path(&leaves[..new], old)
        }))
    }

    fn root(&self, id: &CertificateId) -> Result<Option<Bytes>, Fault> {
        self.certificate_der(id)
    }
}

impl World {
    fn leaves(&self) -> Vec<Hash> {
        self.log().iter().map(|row| row.leaf).collect()
    }

    /// All entries, also those whose bodies were pruned since.
    fn log(&self) -> Vec<CtRow> {
        let mut rows = Vec::new();
        for block in self.all_blocks() {
            let (height, time) = (block.header.height, block.header.time);
            for transaction in block.transactions() {
                let Ok(action) = Action::from_bytes(&transaction.content().action) else { continue };
                for (entry, published) in (0..).zip(action.published()) {
                    let mut ders = transaction.attachments().iter();
                    let Some(der) = ders.find(|der| CertificateId::of(der) == published.certificate) else {
                        continue;
                    };
                    let (place, leaf) = (u64::try_from(rows.len()).unwrap(), ct_leaf_hash(der, time));
                    let transaction = transaction.id();
                    rows.push(CtRow { place, height, transaction, entry, time, leaf });
                }
            }
        }
        rows
    }
}
