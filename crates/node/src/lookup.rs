//! What OCSP, CRLs and IKEv2 look up, from the query index and the store.

use std::sync::Arc;

use bytes::Bytes;
use tabellion_api::{Fault, Found, IssuerKey, Lookup, RecordedCrl};
use tabellion_ledger::{CertificateId, Height, Lane, TimeMs, sha256};

use crate::core::Core;
use crate::index::{CrlRow, Found as Rows, Index};
use crate::store::StoreError;

/// A node's index and store, asked by other protocols' names.
pub struct NodeLookup {
    core: Arc<Core>,
    index: Arc<Index>,
    /// Whether bodies that this store has never held are fetched from other nodes.
    fetches: bool,
}

impl NodeLookup {
    /// Joins them.
    pub fn new(core: Arc<Core>, index: Arc<Index>, fetches: bool) -> Self {
        Self { core, index, fetches }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    fn found<R, T>(&self, rows: Rows<R>, row: impl FnMut(R) -> T) -> Result<Found<T>, Fault> {
        let Rows { rows, height } = rows;
        let header = height.map(|height| self.core.store().header(height)).transpose().map_err(Fault::new)?;
        let known_at = header.flatten().map_or(TimeMs(0), |header| header.time);
        Ok(Found { rows: rows.into_iter().map(row).collect(), height, known_at })
    }

    /// An attachment from the body of a block of the certificate lane.
    fn attachment(&self, height: Height, hash: &[u8; 32]) -> Result<Option<Bytes>, StoreError> {
        let body = self.core.store().lane_body(height, Lane::Certificate)?;
        let transactions = body.map(|body| body.transactions).unwrap_or_default();
        let mut attachments = transactions.iter().flat_map(|transaction| transaction.attachments());
        Ok(attachments.find(|bytes| sha256(bytes) == *hash).map(|bytes| Bytes::copy_from_slice(bytes)))
    }

    /// A trusted CA's certificate by its SHA-1.
    fn trusted(&self, sha1: &[u8; 20]) -> Option<CertificateId> {
        let state = &self.core.provable().state;
        let ids = tabellion_consortium::parameters(state).certificate.anchors;
        let has_sha1 = |id: &CertificateId| {
            let der = tabellion_consortium::anchor(state, id)?;
            tabellion_pki::Facts::of(&der).ok().filter(|facts| facts.sha1 == *sha1)
        };
        ids.into_iter().find(|id| has_sha1(id).is_some())
    }
}

impl Lookup for NodeLookup {
    fn issued(&self, issuer: &IssuerKey, serial: &[u8]) -> Result<Found<CertificateId>, Fault> {
        self.found(self.index.issued(issuer, serial).map_err(Fault::new)?, |id| id)
    }

    fn is_complete(&self) -> Result<bool, Fault> {
        // While they are fetched the index waits for them, and its knowledge is as old as that.
        Ok(self.fetches || self.core.store().next_body().map_err(Fault::new)?.is_none())
    }

    fn changed(&self, issuer: &IssuerKey) -> Result<Found<(CertificateId, Vec<u8>)>, Fault> {
        let rows = self.index.changed(issuer).map_err(Fault::new)?;
        self.found(rows, |row| (row.certificate, row.serial))
    }

    fn by_sha1(&self, sha1: &[u8; 20]) -> Result<Option<CertificateId>, Fault> {
        let published = self.index.by_sha1(sha1).map_err(Fault::new)?;
        Ok(published.or_else(|| self.trusted(sha1)))
    }

    fn recorded_crl(&self, issuer: &IssuerKey) -> Result<Option<RecordedCrl>, Fault> {
        let row = self.index.recorded_crl(issuer).map_err(Fault::new)?;
        let Some(CrlRow { at, until, hash, height, .. }) = row else { return Ok(None) };
        let der = self.attachment(height, &hash.0).map_err(Fault::new)?;
        Ok(Some(RecordedCrl { der, at, until }))
    }
}
