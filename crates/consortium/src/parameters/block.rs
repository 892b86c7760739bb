//! Rules of blocks and of transactions.

use serde::{Deserialize, Serialize};
use tabellion_ledger::Algorithm;
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::{BLOCK_BYTES_MAX, BLOCK_TRANSACTIONS_MAX, TRANSACTION_LIFETIME_MS_MAX};

use super::bounds::{ParameterFault, wide, within};

/// Blocks of the shortest epoch: hand-overs follow each other, but not at each block.
pub const EPOCH_BLOCKS_MIN: u64 = 4;
/// Blocks of the longest epoch: at one block a second, twelve days until a dead validator can be replaced.
pub const EPOCH_BLOCKS_MAX: u64 = 1 << 20;
/// Bytes that a block must hold, so that whatever was voted, the next votes still fit.
pub const BLOCK_BYTES_MIN: u64 = 64 * 1024;
/// Milliseconds that a transaction must be allowed to wait, so that votes can still reach a block.
pub const LIFETIME_MS_MIN: u64 = 1_000;
/// The longest time that requests gather: what a submitter waits for nothing.
const GATHER_MS_MAX: u64 = 60_000;
/// The longest time without a heartbeat, besides never: a day.
const HEARTBEAT_MS_MAX: u64 = 24 * 3_600_000;

/// Rules of blocks.
///
/// Shape: [heartbeat (ms), gather (ms), block bytes, block transactions, epoch (blocks)].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BlockRules {
    /// An empty block is made when this long none was. Unit: ms; 0 = never.
    pub heartbeat_ms: u64,
    /// A proposer gathers requests for this long before it makes a block (X.1409 L4, 8.2.1). Unit: ms.
    pub gather_ms: u64,
    /// Bytes of a block. Limit: [`BLOCK_BYTES_MIN`] to [`BLOCK_BYTES_MAX`].
    pub block_bytes_max: u64,
    /// Transactions of a block. Limit: [`BLOCK_TRANSACTIONS_MAX`].
    pub block_transactions_max: u64,
    /// Blocks of an epoch, at whose end the roster may change; genesis says it for good. The last block of an
    /// epoch is the one whose next height divides by it. Limit: [`EPOCH_BLOCKS_MIN`] to
    /// [`EPOCH_BLOCKS_MAX`].
    pub epoch_blocks: u64,
}

impl Default for BlockRules {
    fn default() -> Self {
        Self {
            heartbeat_ms: 60_000,
            gather_ms: 10,
            block_bytes_max: 1_048_576,
            block_transactions_max: 1024,
            epoch_blocks: 256,
        }
    }
}

impl BlockRules {
    pub(crate) fn check(&self) -> Result<(), ParameterFault> {
        within("block.heartbeat_ms", self.heartbeat_ms, 0, HEARTBEAT_MS_MAX)?;
        within("block.gather_ms", self.gather_ms, 0, GATHER_MS_MAX)?;
        within("block.block_bytes_max", self.block_bytes_max, BLOCK_BYTES_MIN, wide(BLOCK_BYTES_MAX))?;
        let transactions = self.block_transactions_max;
        within("block.block_transactions_max", transactions, 1, wide(BLOCK_TRANSACTIONS_MAX))?;
        within("block.epoch_blocks", self.epoch_blocks, EPOCH_BLOCKS_MIN, EPOCH_BLOCKS_MAX)
    }
}

impl Wire for BlockRules {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        out.uint(self.heartbeat_ms);
        out.uint(self.gather_ms);
        out.uint(self.block_bytes_max);
        out.uint(self.block_transactions_max);
        out.uint(self.epoch_blocks);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            heartbeat_ms: input.uint()?,
            gather_ms: input.uint()?,
            block_bytes_max: input.uint()?,
            block_transactions_max: input.uint()?,
            epoch_blocks: input.uint()?,
        })
    }
}

/// Rules of transactions.
///
/// Shape: [lifetime (ms), [signature algorithm, ...]].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransactionRules {
    /// How far ahead a transaction's `valid_until` may lie. Limit: [`LIFETIME_MS_MIN`] to
    /// [`TRANSACTION_LIFETIME_MS_MAX`].
    pub lifetime_ms_max: u64,
    /// Accepted signature algorithms; at least one.
    pub algorithms: Vec<Algorithm>,
}

impl Default for TransactionRules {
    fn default() -> Self {
        Self { lifetime_ms_max: TRANSACTION_LIFETIME_MS_MAX, algorithms: Algorithm::ALL.to_vec() }
    }
}

impl TransactionRules {
    pub(crate) fn check(&self) -> Result<(), ParameterFault> {
        let (least, most) = (LIFETIME_MS_MIN, TRANSACTION_LIFETIME_MS_MAX);
        within("transaction.lifetime_ms_max", self.lifetime_ms_max, least, most)?;
        within("transaction.algorithms", wide(self.algorithms.len()), 1, wide(Algorithm::ALL.len()))
    }
}

impl Wire for TransactionRules {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(self.lifetime_ms_max);
        out.list(&self.algorithms);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { lifetime_ms_max: input.uint()?, algorithms: input.list(Algorithm::ALL.len())? })
    }
}
