//! The certificate lane as a log of Certificate Transparency, from the query index.

use bytes::Bytes;
use tabellion_api::{CertificateLog, CtHead, CtRow, Fault};
use tabellion_ledger::{CertificateId, Hash};

use crate::index::{LogHead, LogRow};
use crate::lookup::NodeLookup;

impl CertificateLog for NodeLookup {
    fn head(&self) -> Result<Option<CtHead>, Fault> {
        let LogHead { size, root, height, gap } = self.index().log_head().map_err(Fault::new)?;
        let header = height.map(|height| self.core().store().header(height)).transpose();
        let header = header.map_err(Fault::new)?.flatten();
        Ok(header.map(|header| CtHead { size, root, time: header.time, gap }))
    }

    fn rows(&self, first: u64, limit: usize) -> Result<Vec<CtRow>, Fault> {
        let rows = self.index().log_rows(first, limit).map_err(Fault::new)?;
        let row = |LogRow { place, height, leaf }: LogRow| CtRow {
            place,
            height,
            transaction: leaf.transaction,
            entry: leaf.entry,
            time: leaf.time,
            leaf: leaf.leaf,
        };
        Ok(rows.into_iter().map(row).collect())
    }

    fn place(&self, leaf: &Hash) -> Result<Option<u64>, Fault> {
        self.index().log_place(leaf).map_err(Fault::new)
    }

    fn inclusion_path(&self, place: u64, size: u64) -> Result<Option<Vec<Hash>>, Fault> {
        self.index().log_inclusion_path(place, size).map_err(Fault::new)
    }

    fn consistency_path(&self, old: u64, new: u64) -> Result<Option<Vec<Hash>>, Fault> {
        self.index().log_consistency_path(old, new).map_err(Fault::new)
    }

    fn root(&self, id: &CertificateId) -> Result<Option<Bytes>, Fault> {
        Ok(self.index().log_root(id).map_err(Fault::new)?.map(Bytes::from))
    }
}
