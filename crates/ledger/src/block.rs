//! Block and header.
//!
//! X.1409 L1 (clauses 6, 3.1.2, 3.1.8): a genesis block, then blocks each linked to the one before by the
//! hash of its header. X.1409 L3 (clause A.3): the header carries H(previous header) and the Merkle root of
//! its body, so a body can be deleted and the chain still verifies.

use std::fmt;

use crate::cbor::{self, DecodeError, Reader, Wire, Writer};
use crate::id::{Hash, HeaderHash, Height, LedgerId, RosterHash, StateRoot, TimeMs};
use crate::lane::{Lane, LaneBody};
use crate::limits::{BLOCK_TRANSACTIONS_MAX, LANES_MAX};
use crate::merkle;
use crate::transaction::{Transaction, attachments_root, decode_attachments, encode_attachments};

/// Version of the format that this code writes.
pub const FORMAT_VERSION: u16 = 1;

/// A block's header: all that is needed to verify the chain, a state proof or a record proof.
///
/// Shape: [version, ledger id, height, previous header hash (zeros for genesis), time (ms), proposer, lanes
/// root, state root, roster hash, next roster hash, history root].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the format.
    pub version: u16,
    /// The ledger: hash of its genesis document.
    pub ledger: LedgerId,
    /// Height; 0 for the genesis block.
    pub height: Height,
    /// Hash of the header before.
    pub previous: HeaderHash,
    /// The block's time: never before its parent's, never far ahead of a validator's clock.
    pub time: TimeMs,
    /// The proposer's place in the roster.
    pub proposer: u16,
    /// RFC 9162 root over the lane headers of this block, ascending by lane.
    pub lanes_root: Hash,
    /// Root of the state after this block.
    pub state_root: StateRoot,
    /// The roster whose quorum finalises this block.
    pub roster: RosterHash,
    /// The roster whose quorum finalises the next block.
    pub next_roster: RosterHash,
    /// RFC 9162 root over the hashes of headers 0 to height - 1.
    pub history_root: Hash,
}

impl Header {
    /// The block's digest.
    pub fn hash(&self) -> HeaderHash {
        HeaderHash::of(&cbor::to_bytes(self))
    }

    /// This header's leaf in the tree of headers.
    pub fn leaf(&self) -> Hash {
        merkle::leaf_hash(self.hash().as_bytes())
    }
}

impl Wire for Header {
    fn encode(&self, out: &mut Writer) {
        out.array(11);
        out.uint(u64::from(self.version));
        self.ledger.encode(out);
        self.height.encode(out);
        self.previous.encode(out);
        self.time.encode(out);
        out.uint(u64::from(self.proposer));
        self.lanes_root.encode(out);
        self.state_root.encode(out);
        self.roster.encode(out);
        self.next_roster.encode(out);
        self.history_root.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(11)?;
        let version = input.u16("version")?;
        if version != FORMAT_VERSION {
            return Err(DecodeError::Value { field: "version" });
        }
        Ok(Self {
            version,
            ledger: LedgerId::decode(input)?,
            height: Height::decode(input)?,
            previous: HeaderHash::decode(input)?,
            time: TimeMs::decode(input)?,
            proposer: input.u16("proposer")?,
            lanes_root: Hash::decode(input)?,
            state_root: StateRoot::decode(input)?,
            roster: RosterHash::decode(input)?,
            next_roster: RosterHash::decode(input)?,
            history_root: Hash::decode(input)?,
        })
    }
}

/// A block: header and lanes.
///
/// Shape: [header, [lane body, ...], [[attachment, ...], ...]]; only lanes with records, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The header.
    pub header: Header,
    /// The lanes with records.
    pub lanes: Vec<LaneBody>,
    /// On a ledger of identifiers: the attachments of each transaction that are not recorded, in order of
    /// lanes and records, which travel with a proposal so that every validator can verify. The digest commits
    /// to them through the root in each signed content. Empty once the block is finalised, and on a ledger of
    /// full certificates.
    pub carried: Vec<Vec<Vec<u8>>>,
}

/// Why a block's body is not the one that its header commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BlockFault {
    /// Lanes out of order or twice.
    LaneOrder {
        /// The lane that stands too late.
        lane: Lane,
    },
    /// A transaction in a lane that is not its own.
    ForeignLane {
        /// The lane it stands in.
        lane: Lane,
        /// The lane it was signed for.
        signed: Lane,
    },
    /// A lane without records, or with another number than its header says.
    RecordCount {
        /// The lane.
        lane: Lane,
        /// Records found.
        found: usize,
        /// Records that the lane header says.
        said: u32,
    },
    /// The records do not hash to the lane header's root.
    RecordsRoot {
        /// The lane.
        lane: Lane,
    },
    /// A lane header of another block or ledger.
    LaneContext {
        /// The lane.
        lane: Lane,
    },
    /// The lane headers do not hash to the header's root.
    LanesRoot,
    /// Carried attachments that are not those that the records' contents commit to.
    Carried,
    /// More transactions than a block may hold.
    Transactions {
        /// Transactions found.
        found: usize,
        /// The limit.
        limit: usize,
    },
}

impl fmt::Display for BlockFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LaneOrder { lane } => write!(f, "lane {lane} stands out of order"),
            Self::ForeignLane { lane, signed } => {
                write!(f, "lane {lane} holds a transaction for lane {signed}")
            }
            Self::RecordCount { lane, found, said } => {
                write!(f, "lane {lane} holds {found} records, its header says {said}")
            }
            Self::RecordsRoot { lane } => {
                write!(f, "the records of lane {lane} do not hash to its records root")
            }
            Self::LaneContext { lane } => write!(f, "the header of lane {lane} belongs to another block"),
            Self::LanesRoot => write!(f, "the lane headers do not hash to the lanes root"),
            Self::Carried => write!(f, "the attachments beside the block are not those of its transactions"),
            Self::Transactions { found, limit } => write!(f, "{found} transactions, the limit is {limit}"),
        }
    }
}

impl std::error::Error for BlockFault {}

impl Block {
    /// The block's digest, which is its header's hash.
    pub fn digest(&self) -> HeaderHash {
        self.header.hash()
    }

    /// The block as it is recorded: without carried attachments.
    pub fn recorded(mut self) -> Self {
        self.carried = Vec::new();
        self
    }

    /// All transactions, in order of lanes and records.
    pub fn transactions(&self) -> impl Iterator<Item = &Transaction> {
        self.lanes.iter().flat_map(|lane| &lane.transactions)
    }

    /// Number of transactions in all lanes.
    pub fn transaction_count(&self) -> usize {
        self.lanes.iter().map(|lane| lane.transactions.len()).sum()
    }

    /// The root over lane headers that the header must carry.
    pub fn lanes_root(lanes: &[LaneBody]) -> Hash {
        let leaves: Vec<Hash> = lanes.iter().map(|lane| lane.header.leaf()).collect();
        merkle::root(&leaves)
    }

    /// Checks that the body is the one that the header commits to. Needs no state.
    pub fn check_body(&self) -> Result<(), BlockFault> {
        let found = self.transaction_count();
        if found > BLOCK_TRANSACTIONS_MAX {
            return Err(BlockFault::Transactions { found, limit: BLOCK_TRANSACTIONS_MAX });
        }
        let mut before: Option<Lane> = None;
        for body in &self.lanes {
            let lane = body.header.lane;
            if before.is_some_and(|before| before >= lane) {
                return Err(BlockFault::LaneOrder { lane });
            }
            before = Some(lane);
            self.check_lane(body)?;
        }
        if Self::lanes_root(&self.lanes) != self.header.lanes_root {
            return Err(BlockFault::LanesRoot);
        }
        match self.carries_what_it_must() {
            true => Ok(()),
            false => Err(BlockFault::Carried),
        }
    }

    fn carries_what_it_must(&self) -> bool {
        let fits = |(transaction, carried): (&Transaction, &Vec<Vec<u8>>)| match carried.is_empty() {
            true => transaction.is_complete(),
            false => {
                transaction.attachments().is_empty()
                    && attachments_root(carried) == transaction.content().attachments
            }
        };
        self.carried.is_empty()
            || self.carried.len() == self.transaction_count()
                && self.transactions().zip(&self.carried).all(fits)
    }

    fn check_lane(&self, body: &LaneBody) -> Result<(), BlockFault> {
        let header = &body.header;
        let lane = header.lane;
        let found = body.transactions.len();
        if found == 0 || u32::try_from(found) != Ok(header.record_count) {
            return Err(BlockFault::RecordCount { lane, found, said: header.record_count });
        }
        let here = (self.header.ledger, self.header.height, self.header.time);
        if (header.ledger, header.height, header.time) != here {
            return Err(BlockFault::LaneContext { lane });
        }
        for transaction in &body.transactions {
            let signed = transaction.content().lane;
            if signed != lane {
                return Err(BlockFault::ForeignLane { lane, signed });
            }
        }
        if LaneBody::records_root(&body.transactions) != header.records_root {
            return Err(BlockFault::RecordsRoot { lane });
        }
        Ok(())
    }
}

impl Wire for Block {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.header.encode(out);
        out.list(&self.lanes);
        out.array(self.carried.len());
        for attachments in &self.carried {
            encode_attachments(attachments, out);
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        let header = Header::decode(input)?;
        let lanes = input.list(LANES_MAX)?;
        let mut carried = Vec::new();
        for _ in 0..input.array(BLOCK_TRANSACTIONS_MAX)? {
            carried.push(decode_attachments(input)?);
        }
        Ok(Self { header, lanes, carried })
    }
}

#[cfg(test)]
mod tests;
