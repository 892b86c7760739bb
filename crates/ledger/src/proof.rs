//! Proofs that anybody can check offline with a ledger's genesis document alone.
//!
//! ```text
//! StateProof:   record or its absence -> state root -> header -> quorum of the roster
//! RecordProof:  transaction -> lane's records root -> lanes root -> header [-> history root -> newer header] -> quorum
//! ```

use std::fmt;

use crate::block::Header;
use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::finality::{FinalityFault, FinalityProof};
use crate::id::{Hash, LaneHeaderHash, LedgerId, TransactionId, sha256};
use crate::lane::LaneHeader;
use crate::limits::{LANES_MAX, MERKLE_PATH_MAX, RECORD_BYTES_MAX, TRANSACTION_BYTES_MAX};
use crate::merkle;
use crate::roster::Roster;
use crate::service::StateKey;
use crate::transaction::Transaction;
use crate::trie::{TrieFault, TrieProof};

/// Why a proof does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProofFault {
    /// The header is not finalised by the roster.
    Finality(FinalityFault),
    /// The record, or its absence, does not belong to the state root.
    State(TrieFault),
    /// The proof is for another record than the one asked for.
    OtherKey,
    /// The older header does not belong to the history of the finalised one.
    History,
    /// The lane header does not belong to the block.
    Lane,
    /// The transaction does not belong to the lane.
    Record,
    /// The transaction's bytes are no transaction.
    Transaction(DecodeError),
    /// The proof is for another transaction than the one asked for.
    OtherTransaction {
        /// The transaction that the proof holds.
        found: TransactionId,
    },
}

impl fmt::Display for ProofFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finality(fault) => write!(f, "the header is not final: {fault}"),
            Self::State(fault) => write!(f, "the record does not belong to the state: {fault}"),
            Self::OtherKey => write!(f, "the proof is for another record"),
            Self::History => {
                write!(f, "the block's header does not belong to the finalised header's history")
            }
            Self::Lane => write!(f, "the lane header does not belong to the block"),
            Self::Record => write!(f, "the transaction does not belong to the lane"),
            Self::Transaction(error) => write!(f, "the transaction's bytes are refused: {error}"),
            Self::OtherTransaction { found } => write!(f, "the proof is for transaction {found}"),
        }
    }
}

impl std::error::Error for ProofFault {}

/// A record of the state, or its absence, under a finalised header.
///
/// Shape: [map, key, record or null, trie proof, finality proof].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateProof {
    /// The record's key.
    pub key: StateKey,
    /// The record; `None` where there is none.
    pub record: Option<Vec<u8>>,
    /// From the record to the state root.
    pub trie: TrieProof,
    /// From the state root to the quorum.
    pub finality: FinalityProof,
}

impl StateProof {
    /// Checks the proof: on return the record (or its absence) is what the ledger held after the returned
    /// header.
    pub fn verify(&self, ledger: &LedgerId, roster: &Roster, key: &StateKey) -> Result<&Header, ProofFault> {
        if self.key != *key {
            return Err(ProofFault::OtherKey);
        }
        self.finality.verify(ledger, roster).map_err(ProofFault::Finality)?;
        let header = &self.finality.header;
        let value_hash = self.record.as_deref().map(sha256);
        self.trie.verify(&header.state_root, &key.path(), value_hash.as_ref()).map_err(ProofFault::State)?;
        Ok(header)
    }
}

impl Wire for StateProof {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        out.uint(u64::from(self.key.map));
        out.bytes(&self.key.key);
        match &self.record {
            Some(record) => out.bytes(record),
            None => out.null(),
        }
        self.trie.encode(out);
        self.finality.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        let map = u8::try_from(input.uint()?).map_err(|_| DecodeError::Value { field: "map" })?;
        let key = StateKey::new(map, input.bytes(STATE_KEY_BYTES_MAX)?);
        let record = if input.null()? { None } else { Some(input.bytes(RECORD_BYTES_MAX)?.to_vec()) };
        Ok(Self { key, record, trie: TrieProof::decode(input)?, finality: FinalityProof::decode(input)? })
    }
}

/// Bytes of a natural key.
const STATE_KEY_BYTES_MAX: usize = 256;

/// A header under a finality proof: the finalised header itself, or an older one of its history.
///
/// Shape: [finality proof, null | [older header, path in the history tree]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedHeader {
    /// The finalised header.
    pub finality: FinalityProof,
    /// An older header and its path to the finalised header's history root.
    pub older: Option<(Header, Vec<Hash>)>,
}

impl ProvedHeader {
    /// The header that this proves.
    pub fn header(&self) -> &Header {
        self.older.as_ref().map_or(&self.finality.header, |(header, _)| header)
    }

    /// Checks the proof and returns the header.
    pub fn verify(&self, ledger: &LedgerId, roster: &Roster) -> Result<&Header, ProofFault> {
        self.finality.verify(ledger, roster).map_err(ProofFault::Finality)?;
        if let Some((older, path)) = &self.older {
            let newest = &self.finality.header;
            let size = newest.height.0;
            if !merkle::verify_inclusion(&older.leaf(), older.height.0, size, path, &newest.history_root) {
                return Err(ProofFault::History);
            }
        }
        Ok(self.header())
    }
}

impl Wire for ProvedHeader {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.finality.encode(out);
        match &self.older {
            None => out.null(),
            Some((header, path)) => {
                out.array(2);
                header.encode(out);
                out.list(path);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let finality = FinalityProof::decode(input)?;
        let older = match input.null()? {
            true => None,
            false => {
                input.array_exact(2)?;
                Some((Header::decode(input)?, input.list(MERKLE_PATH_MAX)?))
            }
        };
        Ok(Self { finality, older })
    }
}

/// A transaction under a finalised header.
///
/// The lanes of a block are few, so the proof names them all: a path would leave the lane's place and the
/// number of lanes to whoever made the proof.
///
/// Shape: [proved header, [lane header hash, ...], lane header, record's place, path of the record,
/// transaction bytes].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordProof {
    /// The header of the transaction's block.
    pub header: ProvedHeader,
    /// Hashes of all lane headers of the block, ascending by lane.
    pub lanes: Vec<LaneHeaderHash>,
    /// The header of the transaction's lane.
    pub lane: LaneHeader,
    /// The transaction's place in the lane.
    pub record_index: u64,
    /// Path from the record leaf to the records root.
    pub record_path: Vec<Hash>,
    /// The transaction as recorded.
    pub transaction: Vec<u8>,
}

impl RecordProof {
    /// Checks the proof: on return the transaction stands in the block of the returned header.
    pub fn verify(
        &self,
        ledger: &LedgerId,
        roster: &Roster,
        id: &TransactionId,
    ) -> Result<(&Header, Transaction), ProofFault> {
        let header = self.header.verify(ledger, roster)?;
        let leaves: Vec<Hash> = self.lanes.iter().map(|lane| merkle::leaf_hash(lane.as_bytes())).collect();
        let in_block = self.lane.height == header.height && self.lanes.contains(&self.lane.hash());
        if !in_block || merkle::root(&leaves) != header.lanes_root {
            return Err(ProofFault::Lane);
        }
        let transaction = Transaction::from_bytes(&self.transaction).map_err(ProofFault::Transaction)?;
        if transaction.id() != *id {
            return Err(ProofFault::OtherTransaction { found: transaction.id() });
        }
        let leaf = transaction.record_leaf();
        let count = u64::from(self.lane.record_count);
        if !merkle::verify_inclusion(
            &leaf,
            self.record_index,
            count,
            &self.record_path,
            &self.lane.records_root,
        ) {
            return Err(ProofFault::Record);
        }
        Ok((header, transaction))
    }
}

impl Wire for RecordProof {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        self.header.encode(out);
        out.list(&self.lanes);
        self.lane.encode(out);
        out.uint(self.record_index);
        out.list(&self.record_path);
        out.bytes(&self.transaction);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        Ok(Self {
            header: ProvedHeader::decode(input)?,
            lanes: input.list(LANES_MAX)?,
            lane: LaneHeader::decode(input)?,
            record_index: input.uint()?,
            record_path: input.list(MERKLE_PATH_MAX)?,
            transaction: input.bytes(TRANSACTION_BYTES_MAX)?.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests;
