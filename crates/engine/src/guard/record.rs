//! The guard's record on disk.

use commonware_consensus::types::Round;
use commonware_storage::metadata::{Config, Metadata};
use commonware_utils::sequence::U64;
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer, from_bytes, to_bytes};

use super::{Doubt, Guard, round};
use crate::committee::NodeKey;
use crate::fault::EngineError;
use crate::runtime::Runtime;

/// The record's version.
const VERSION: u64 = 1;
/// Bytes of a disk's identity at most.
const DISK_BYTES_MAX: usize = 256;
/// Bytes of a record at most.
const RECORD_BYTES_MAX: usize = DISK_BYTES_MAX + 128;

/// What the guard keeps.
///
/// Shape: [version, key, disk, epoch, view]
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    key: [u8; 32],
    disk: Vec<u8>,
    barrier: Round,
}

impl Wire for Kept {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        out.uint(VERSION);
        out.bytes(&self.key);
        out.bytes(&self.disk);
        out.uint(self.barrier.epoch().get());
        out.uint(self.barrier.view().get());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        let _ = input.uint()?;
        let key = input.bytes_exact()?;
        let disk = input.bytes(DISK_BYTES_MAX)?.to_vec();
        Ok(Self { key, disk, barrier: round(input.uint()?, input.uint()?) })
    }
}

/// The record of one node: whose it is, on which disk, and the round that its votes must lie above.
///
/// The newest vote is not in it. The journal has every vote before it leaves, so a second place would only be
/// as old, or older, than the first.
pub(crate) struct Record<E: Runtime> {
    rows: Option<Metadata<E, U64, Vec<u8>>>,
    key: NodeKey,
    disk: Vec<u8>,
    kept: Option<Kept>,
}

impl<E: Runtime> Record<E> {
    /// Opens the record of this key, on this disk.
    pub(crate) async fn open(
        context: E,
        partition: String,
        key: NodeKey,
        disk: &[u8],
    ) -> Result<Self, EngineError> {
        let config = Config { partition, codec_config: ((0..=RECORD_BYTES_MAX).into(), ()) };
        let rows = Metadata::<E, U64, Vec<u8>>::init(context, config).await;
        let rows = rows.map_err(|err| failed("open the guard", &err))?;
        let kept = rows.get(&U64::new(0)).and_then(|bytes| from_bytes::<Kept>(bytes, RECORD_BYTES_MAX).ok());
        let disk = disk[..disk.len().min(DISK_BYTES_MAX)].to_vec();
        Ok(Self { rows: Some(rows), key, disk, kept })
    }

    /// The guard to start with. `new`: the store holds nothing but the genesis block. `joins`: the node came
    /// by state sync, without a seat in that state. `vouched`: the operator says that no later state of this
    /// disk ever ran.
    pub(crate) fn guard(&self, new: bool, joins: bool, vouched: bool) -> (Guard, Option<Doubt>) {
        let doubt = match &self.kept {
            None if new => return (Guard::open(Round::zero()), None),
            // A node that joins; its key may still be that of a disk that was lost since.
            None if joins => None,
            None => Some(Doubt::Lost),
            Some(kept) if kept.key != self.key.0 => Some(Doubt::OtherKey),
            Some(kept) if kept.disk != self.disk => Some(Doubt::Copy),
            Some(_) => None,
        };
        let barrier = self.kept.as_ref().map_or(Round::zero(), |kept| kept.barrier);
        match doubt.filter(|_| !vouched) {
            Some(doubt) => (Guard::doubting(barrier), Some(doubt)),
            None => (Guard::listening(barrier, vouched), None),
        }
    }

    /// Makes a barrier durable, with this key and disk.
    pub(crate) async fn keep(&mut self, barrier: Round) -> Result<(), EngineError> {
        let kept = Kept { key: self.key.0, disk: self.disk.clone(), barrier };
        if self.kept.as_ref() == Some(&kept) {
            return Ok(());
        }
        let Some(rows) = self.rows.take() else { return Err(EngineError::Ended("guard")) };
        let rows = rows.put_sync(U64::new(0), to_bytes(&kept)).await;
        self.rows = Some(rows.map_err(|err| failed("write the guard", &err))?);
        self.kept = Some(kept);
        Ok(())
    }
}

fn failed(operation: &str, error: &impl std::fmt::Display) -> EngineError {
    EngineError::Journal { operation: operation.to_owned(), source: std::io::Error::other(error.to_string()) }
}
