//! A block's outline: its lane headers, and of each transaction the identifier and the hash of its bytes.
//!
//! A node that takes a state over needs no body of an earlier block. It does need the lane headers, which
//! stay for good, and the identifiers of the transactions that could still be sent again.

use crate::block::{Block, BlockFault, Header};
use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::{Hash, TransactionId, sha256};
use crate::lane::LaneHeader;
use crate::limits::{BLOCK_TRANSACTIONS_MAX, LANES_MAX};
use crate::merkle;
use crate::transaction::Transaction;

/// What the header of a lane commits to of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlineRecord {
    /// The transaction.
    pub id: TransactionId,
    /// SHA-256 of its recorded bytes.
    pub bytes_hash: Hash,
}

/// One lane of a block without its transactions.
///
/// Shape: [lane header, [[transaction id, SHA-256 of the recorded bytes], ...] or null].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneOutline {
    /// The lane's header.
    pub header: LaneHeader,
    /// Its records, in order; `None` where they were not asked for.
    pub records: Option<Vec<OutlineRecord>>,
}

/// A block without its transactions.
///
/// Shape: [lane outline, ...], ascending by lane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    /// The lanes with records.
    pub lanes: Vec<LaneOutline>,
}

impl Outline {
    /// The outline of a block, with records.
    pub fn of(block: &Block) -> Self {
        let record = |transaction: &Transaction| OutlineRecord {
            id: transaction.id(),
            bytes_hash: Hash(sha256(transaction.as_bytes())),
        };
        let lanes = block.lanes.iter().map(|body| LaneOutline {
            header: body.header.clone(),
            records: Some(body.transactions.iter().map(record).collect()),
        });
        Self { lanes: lanes.collect() }
    }

    /// The same without records.
    pub fn without_records(mut self) -> Self {
        self.lanes.iter_mut().for_each(|lane| lane.records = None);
        self
    }

    /// Checks that the outline is the one that the block's header commits to, as far as it goes.
    pub fn check(&self, header: &Header) -> Result<(), BlockFault> {
        let leaves: Vec<Hash> = self.lanes.iter().map(|lane| lane.header.leaf()).collect();
        if merkle::root(&leaves) != header.lanes_root {
            return Err(BlockFault::LanesRoot);
        }
        self.lanes.iter().try_for_each(LaneOutline::check)
    }
}

impl LaneOutline {
    fn check(&self) -> Result<(), BlockFault> {
        let Some(records) = &self.records else { return Ok(()) };
        let (lane, said) = (self.header.lane, self.header.record_count);
        if u32::try_from(records.len()) != Ok(said) {
            return Err(BlockFault::RecordCount { lane, found: records.len(), said });
        }
        let leaf = |record: &OutlineRecord| Transaction::record_leaf_of(&record.id, &record.bytes_hash);
        let leaves: Vec<Hash> = records.iter().map(leaf).collect();
        match merkle::root(&leaves) == self.header.records_root {
            true => Ok(()),
            false => Err(BlockFault::RecordsRoot { lane }),
        }
    }
}

impl Wire for OutlineRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.id.encode(out);
        self.bytes_hash.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { id: TransactionId::decode(input)?, bytes_hash: Hash::decode(input)? })
    }
}

impl Wire for LaneOutline {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.header.encode(out);
        match &self.records {
            Some(records) => out.list(records),
            None => out.null(),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let header = LaneHeader::decode(input)?;
        let records = match input.null()? {
            true => None,
            false => Some(input.list(BLOCK_TRANSACTIONS_MAX)?),
        };
        Ok(Self { header, records })
    }
}

impl Wire for Outline {
    fn encode(&self, out: &mut Writer) {
        out.list(&self.lanes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self { lanes: input.list(LANES_MAX)? })
    }
}

#[cfg(test)]
mod tests;
