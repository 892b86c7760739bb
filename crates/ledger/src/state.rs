//! The chain's own records in the state: the history of headers and of each lane.

use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::LaneHeaderHash;
use crate::lane::Lane;
use crate::merkle::Frontier;
use crate::service::{StateKey, map};

/// The tree over the hashes of all headers before the current block.
///
/// Shape: the frontier of an RFC 9162 tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryState(pub Frontier);

impl HistoryState {
    /// Where the record lies.
    pub fn key() -> StateKey {
        StateKey::new(map::CHAIN, b"history")
    }
}

impl Wire for HistoryState {
    fn encode(&self, out: &mut Writer) {
        self.0.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Frontier::decode(input).map(Self)
    }
}

/// The end of a lane's chain of headers.
///
/// Shape: [hash of the newest lane header, frontier of the tree over all lane headers with the newest].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LaneState {
    /// The newest lane header.
    pub tip: LaneHeaderHash,
    /// The tree over the lane's headers.
    pub history: Frontier,
}

impl LaneState {
    /// Where the record of `lane` lies.
    pub fn key(lane: Lane) -> StateKey {
        let number = lane.number().to_be_bytes();
        StateKey::new(map::CHAIN, &[b"lane/".as_slice(), &number].concat())
    }
}

impl Wire for LaneState {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.tip.encode(out);
        self.history.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { tip: LaneHeaderHash::decode(input)?, history: Frontier::decode(input)? })
    }
}
