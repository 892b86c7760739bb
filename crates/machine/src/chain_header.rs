//! A header as light clients fetch it: final by itself, or linked to a later one that is.

use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{FinalityProof, Header};

const LINKED: u64 = 0;
const FINAL: u64 = 1;

/// Headers that one answer may hold: some 400 kB of CBOR.
pub const CHAIN_HEADERS_MAX: usize = 1000;

/// One header of a range of the chain.
///
/// Not every block has signatures of its own: a quorum that finalises a block finalises all before it. A
/// light client checks the links upwards until the next header with a proof.
///
/// Shape: [0, header] or [1, finality proof].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainHeader {
    /// A header that a later one makes final.
    Linked(Header),
    /// A header with the signatures of a quorum.
    Final(FinalityProof),
}

impl ChainHeader {
    /// The header.
    pub fn header(&self) -> &Header {
        match self {
            Self::Linked(header) => header,
            Self::Final(proof) => &proof.header,
        }
    }
}

impl Wire for ChainHeader {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        match self {
            Self::Linked(header) => {
                out.uint(LINKED);
                header.encode(out);
            }
            Self::Final(proof) => {
                out.uint(FINAL);
                proof.encode(out);
            }
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        match input.uint()? {
            LINKED => Header::decode(input).map(Self::Linked),
            FINAL => FinalityProof::decode(input).map(Self::Final),
            _ => Err(DecodeError::Value { field: "chain header" }),
        }
    }
}
