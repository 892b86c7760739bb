//! Lanes: a block's body split by service, each lane with a chain of headers of its own.
//!
//! A lane's bodies can be deleted under its own rule (X.1409 A.3, 11.2.2) while every other lane and all
//! headers stay.

use std::fmt;
use std::str::FromStr;

use crate::cbor::{self, DecodeError, Reader, Wire, Writer};
use crate::id::{Hash, Height, LaneHeaderHash, LedgerId, TimeMs};
use crate::limits::{BLOCK_TRANSACTIONS_MAX, RETENTION_CLASS_MAX};
use crate::merkle;
use crate::transaction::Transaction;

/// A lane of the ledger.
///
/// Shape: an unsigned integer; 0 consortium, 1 certificate, 2 perimeter, 3 intel, 256 + class for audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Members, roles, votes and parameters.
    Consortium,
    /// Public-key certificates (clause 8).
    Certificate,
    /// Software defined perimeter (clause 9).
    Perimeter,
    /// Threat intelligence (clause 10).
    Intel,
    /// Security audit (clause 11), one lane for each retention class.
    Audit(u8),
}

impl Lane {
    /// The lane's number on the wire.
    pub fn number(self) -> u16 {
        match self {
            Self::Consortium => 0,
            Self::Certificate => 1,
            Self::Perimeter => 2,
            Self::Intel => 3,
            Self::Audit(class) => 256 + u16::from(class),
        }
    }

    /// The lane with this number.
    pub fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Consortium),
            1 => Some(Self::Certificate),
            2 => Some(Self::Perimeter),
            3 => Some(Self::Intel),
            _ => {
                let class = u8::try_from(number.checked_sub(256)?).ok()?;
                (class <= RETENTION_CLASS_MAX).then_some(Self::Audit(class))
            }
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Consortium => f.write_str("consortium"),
            Self::Certificate => f.write_str("certificate"),
            Self::Perimeter => f.write_str("perimeter"),
            Self::Intel => f.write_str("intel"),
            Self::Audit(class) => write!(f, "audit/{class}"),
        }
    }
}

impl FromStr for Lane {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let unknown = DecodeError::Value { field: "lane" };
        match text {
            "consortium" => Ok(Self::Consortium),
            "certificate" => Ok(Self::Certificate),
            "perimeter" => Ok(Self::Perimeter),
            "intel" => Ok(Self::Intel),
            _ => {
                let class = text
                    .strip_prefix("audit/")
                    .and_then(|class| class.parse().ok())
                    .ok_or(unknown.clone())?;
                if class > RETENTION_CLASS_MAX { Err(unknown) } else { Ok(Self::Audit(class)) }
            }
        }
    }
}

impl Wire for Lane {
    fn encode(&self, out: &mut Writer) {
        out.uint(u64::from(self.number()));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_number(input.u16("lane")?).ok_or(DecodeError::Value { field: "lane" })
    }
}

/// The header of one lane in one block.
///
/// Shape: [ledger id, lane, height, time (ms), previous lane header hash (zeros for the first), records root,
/// count, latest expiry (ms), root over all earlier lane headers].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneHeader {
    /// The ledger.
    pub ledger: LedgerId,
    /// The lane.
    pub lane: Lane,
    /// Height of the block that holds this lane header.
    pub height: Height,
    /// Time of that block.
    pub time: TimeMs,
    /// Hash of this lane's header before; zeros for the first.
    pub previous: LaneHeaderHash,
    /// RFC 9162 root over the record leaves, in order.
    pub records_root: Hash,
    /// Number of records, at least 1.
    pub record_count: u32,
    /// The latest moment at which a record of this lane body expires; [`TimeMs::MAX`] if one never does.
    pub latest_expiry: TimeMs,
    /// RFC 9162 root over the hashes of all earlier headers of this lane.
    pub history_root: Hash,
}

impl LaneHeader {
    /// The header's hash.
    pub fn hash(&self) -> LaneHeaderHash {
        LaneHeaderHash::of(&cbor::to_bytes(self))
    }

    /// The leaf of this header in the lanes tree of its block and in the lane's history.
    pub fn leaf(&self) -> Hash {
        merkle::leaf_hash(self.hash().as_bytes())
    }
}

impl Wire for LaneHeader {
    fn encode(&self, out: &mut Writer) {
        out.array(9);
        self.ledger.encode(out);
        self.lane.encode(out);
        self.height.encode(out);
        self.time.encode(out);
        self.previous.encode(out);
        self.records_root.encode(out);
        out.uint(u64::from(self.record_count));
        self.latest_expiry.encode(out);
        self.history_root.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(9)?;
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            lane: Lane::decode(input)?,
            height: Height::decode(input)?,
            time: TimeMs::decode(input)?,
            previous: LaneHeaderHash::decode(input)?,
            records_root: Hash::decode(input)?,
            record_count: input.u32("record count")?,
            latest_expiry: TimeMs::decode(input)?,
            history_root: Hash::decode(input)?,
        })
    }
}

/// One lane's part of a block: its header and its transactions, in order.
///
/// Shape: [lane header, [transaction, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneBody {
    /// The lane's header.
    pub header: LaneHeader,
    /// The records, in the order of their requests (X.1409 C9, clause 8.2.1).
    pub transactions: Vec<Transaction>,
}

impl LaneBody {
    /// The root that the header must carry for these transactions.
    pub fn records_root(transactions: &[Transaction]) -> Hash {
        let leaves: Vec<Hash> = transactions.iter().map(Transaction::record_leaf).collect();
        merkle::root(&leaves)
    }
}

impl Wire for LaneBody {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.header.encode(out);
        out.list(&self.transactions);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { header: LaneHeader::decode(input)?, transactions: input.list(BLOCK_TRANSACTIONS_MAX)? })
    }
}

#[cfg(test)]
mod tests;
