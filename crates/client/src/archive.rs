//! Archives: a whole chain in one file, to be verified and executed again without any network.
//!
//! Layout: the eight bytes `tabarch1`, then items, each a length (4 bytes, big-endian) and so many bytes: the
//! genesis document, the blocks from height 1 upwards, an empty item, and
//! `[[hand-over, ...], finality proof]` for the last block.

use std::io::{self, Read, Write};

use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::BLOCK_BYTES_MAX;
use tabellion_ledger::{Block, FinalityProof, HandOver, LedgerId};
use tabellion_machine::Notice;
use thiserror::Error;

use crate::light::LightError;
use crate::replay::{ChainCheck, ChainFault, ChainReport};
use crate::trust::Trust;

const MAGIC: &[u8; 8] = b"tabarch1";
/// Bytes of an item: a genesis document, a block, or the end with its hand-overs.
pub(crate) const ITEM_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of a block: lane headers and frames beside its transactions.
pub(crate) const BLOCK_WIRE_BYTES_MAX: usize = BLOCK_BYTES_MAX + 1024 * 1024;
/// Hand-overs of an archive.
const HAND_OVERS_MAX: usize = 65_536;

/// Why an archive shows nothing.
#[derive(Debug, Error)]
pub enum ArchiveError {
    /// It cannot be read or written.
    #[error("cannot {doing} the archive")]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The file is no archive.
    #[error("this is no archive of a ledger")]
    NoArchive,
    /// An item does not decode.
    #[error("{item} of the archive does not decode: {fault}")]
    Item {
        /// Which.
        item: String,
        /// What is wrong.
        fault: DecodeError,
    },
    /// It is the archive of another ledger.
    #[error("this is an archive of ledger {found}, not of {expected}")]
    OtherLedger {
        /// The archive's ledger.
        found: LedgerId,
        /// The ledger of the genesis document that is trusted.
        expected: LedgerId,
    },
    /// The chain does not hold.
    #[error(transparent)]
    Chain(#[from] ChainFault),
    /// A change of validators does not hold.
    #[error(transparent)]
    HandOver(#[from] LightError),
}

impl ArchiveError {
    /// Whether something was shown that does not hold; not a mere failure.
    pub fn is_broken_proof(&self) -> bool {
        matches!(self, Self::Item { .. } | Self::OtherLedger { .. } | Self::Chain(_) | Self::HandOver(_))
    }
}

/// The end of an archive.
pub(crate) struct End {
    pub(crate) hand_overs: Vec<HandOver>,
    pub(crate) proof: FinalityProof,
}

/// Writes an archive block by block.
pub struct ArchiveWriter<W> {
    out: W,
}

impl<W: Write> ArchiveWriter<W> {
    /// Begins with the genesis document.
    pub fn new(out: W, genesis: &[u8]) -> Result<Self, ArchiveError> {
        Self::begin(out, MAGIC, genesis)
    }

    /// Begins a file with these first bytes and first item.
    pub(crate) fn begin(out: W, magic: &[u8; 8], first: &[u8]) -> Result<Self, ArchiveError> {
        let mut writer = Self { out };
        writer.write(magic)?;
        writer.item(first)?;
        Ok(writer)
    }

    /// Appends the next block.
    pub fn block(&mut self, block: &Block) -> Result<(), ArchiveError> {
        self.item(&cbor::to_bytes(block))
    }

    /// Ends with the signatures under the last block, and the changes of validators that lead to those who
    /// made them. Returns what was written to.
    pub fn finish(mut self, trust: &Trust, proof: &FinalityProof) -> Result<W, ArchiveError> {
        self.item(&[])?;
        let end = End { hand_overs: trust.hand_overs().to_vec(), proof: proof.clone() };
        self.item(&cbor::to_bytes(&end))?;
        Ok(self.out)
    }

    fn item(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        let too_long = || io::Error::other("an item above four gigabytes");
        let length = u32::try_from(bytes.len())
            .map_err(|_| ArchiveError::Io { doing: "write", source: too_long() })?;
        self.write(&length.to_be_bytes())?;
        self.write(bytes)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.out.write_all(bytes).map_err(|source| ArchiveError::Io { doing: "write", source })
    }
}

/// Verifies an archive from the genesis block on and executes every block again; `trust` is made of the
/// genesis document alone. What happened goes to `told`, block by block.
///
/// Source: X.1409 L1, L6: whoever has the genesis document and the blocks finds the same states.
pub fn replay_archive(
    mut input: impl Read,
    mut trust: Trust,
    mut told: impl FnMut(&ChainCheck, &[Notice]),
) -> Result<ChainReport, ArchiveError> {
    let mut magic = [0; 8];
    read_exact(&mut input, &mut magic)?;
    if magic != *MAGIC {
        return Err(ArchiveError::NoArchive);
    }
    let genesis = item(&mut input)?;
    let (found, expected) = (LedgerId::of(&genesis), trust.ledger());
    if found != expected {
        return Err(ArchiveError::OtherLedger { found, expected });
    }
    let mut check = ChainCheck::new(trust.clone(), true)?;
    loop {
        let bytes = item(&mut input)?;
        if bytes.is_empty() {
            break;
        }
        let block = cbor::from_bytes(&bytes, BLOCK_WIRE_BYTES_MAX);
        let height = check.next_height();
        let block: Block =
            block.map_err(|fault| ArchiveError::Item { item: format!("block {height}"), fault })?;
        let notices = check.next(&block)?;
        told(&check, &notices);
    }
    let bytes = item(&mut input)?;
    let end: End = cbor::from_bytes(&bytes, ITEM_BYTES_MAX)
        .map_err(|fault| ArchiveError::Item { item: "the end".to_owned(), fault })?;
    for hand_over in &end.hand_overs {
        trust.learn(hand_over).map_err(LightError::Trust)?;
    }
    Ok(check.finish_under(&trust, &end.proof)?)
}

fn read_exact(input: &mut impl Read, bytes: &mut [u8]) -> Result<(), ArchiveError> {
    input.read_exact(bytes).map_err(|source| ArchiveError::Io { doing: "read", source })
}

fn item(input: &mut impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut length = [0; 4];
    read_exact(input, &mut length)?;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > ITEM_BYTES_MAX {
        let fault = DecodeError::TooLong { length, limit: ITEM_BYTES_MAX };
        return Err(ArchiveError::Item { item: "an item".to_owned(), fault });
    }
    let mut bytes = vec![0; length];
    read_exact(input, &mut bytes)?;
    Ok(bytes)
}

impl Wire for End {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.list(&self.hand_overs);
        self.proof.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { hand_overs: input.list(HAND_OVERS_MAX)?, proof: FinalityProof::decode(input)? })
    }
}
