//! Carried chains: a stretch of the chain in one file, taken by hand to a node that no network reaches
//! (X.1409 I.1.2).
//!
//! Layout: the eight bytes `tabedge1`, then items as in an archive, each a length (4 bytes, big-endian) and
//! so many bytes: `[ledger, first height, last height]`, these blocks, an empty item, and
//! `[[hand-over, ...], finality proof]` for the last block. The hand-overs lead from the genesis document to
//! the validators of the last block.

use std::io::{self, Read, Write};

use futures::StreamExt;
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{Block, BlockFault, FinalityProof, HandOver, HeaderHash, Height, LedgerId};
use thiserror::Error;

use crate::archive::{ArchiveError, ArchiveWriter, BLOCK_WIRE_BYTES_MAX, End, ITEM_BYTES_MAX};
use crate::error::ClientError;
use crate::relying_party::{BLOCKS_AHEAD, RelyingParty};
use crate::replay::ChainFault;
use crate::trust::{Trust, TrustError};

const MAGIC: &[u8; 8] = b"tabedge1";
/// Bytes of a head: an identifier and two numbers.
const HEAD_BYTES_MAX: usize = 64;

/// What a carried file holds.
///
/// Shape: [ledger, first height, last height].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CarriedHead {
    /// The ledger.
    pub ledger: LedgerId,
    /// Height of its first block.
    pub first: Height,
    /// Height of its last block, which has the signatures of a quorum.
    pub last: Height,
}

impl Wire for CarriedHead {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.ledger.encode(out);
        self.first.encode(out);
        self.last.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        let head = Self {
            ledger: LedgerId::decode(input)?,
            first: Height::decode(input)?,
            last: Height::decode(input)?,
        };
        match Height(0) < head.first && head.first <= head.last {
            true => Ok(head),
            false => Err(DecodeError::Value { field: "range of heights" }),
        }
    }
}

/// Why a carried file is refused. Nothing of it counts then.
#[derive(Debug, Error)]
pub enum CarriedError {
    /// It cannot be read or written.
    #[error("the file cannot be read or written")]
    Io(#[source] io::Error),
    /// It is something else.
    #[error("this is no file of `tabellion edge export`")]
    NoCarriedFile,
    /// It ends too early.
    #[error("the file ends within {item}: it was cut off")]
    Truncated {
        /// Where.
        item: String,
    },
    /// Something follows behind its end.
    #[error("bytes follow behind the file's end")]
    Trailing,
    /// An item does not decode.
    #[error("{item} does not decode: {fault}")]
    Item {
        /// Which.
        item: String,
        /// What is wrong.
        fault: DecodeError,
    },
    /// It is of another ledger.
    #[error("the file is of ledger {found}, not of {expected}")]
    OtherLedger {
        /// The file's ledger.
        found: LedgerId,
        /// The one of the genesis document that is trusted.
        expected: LedgerId,
    },
    /// A block stands where another one belongs.
    #[error("the file holds block {found} where block {expected} belongs")]
    Order {
        /// The height that is due.
        expected: Height,
        /// The height that is there.
        found: Height,
    },
    /// A body is not the one of its header.
    #[error("the body of block {height} is not the one that its header commits to: {fault}")]
    Body {
        /// The block.
        height: Height,
        /// What is wrong.
        fault: BlockFault,
    },
    /// A block does not follow from the one before.
    #[error("block {height} does not follow from the one before")]
    Link {
        /// The block.
        height: Height,
    },
    /// The signatures at the end are for something else.
    #[error("the signatures at the end are for header {proved}, the last block is {last}")]
    OtherEnd {
        /// The header that is signed.
        proved: HeaderHash,
        /// The last block's.
        last: HeaderHash,
    },
    /// The signatures, or a change of validators, do not hold.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// There is nothing to export.
    #[error("there is no block {from} with signatures yet: the newest is {newest}")]
    Nothing {
        /// The first block that was asked for.
        from: Height,
        /// The newest that a quorum has signed.
        newest: Height,
    },
}

/// Writes a carried file block by block.
pub struct CarriedWriter<W>(ArchiveWriter<W>);

impl<W: Write> CarriedWriter<W> {
    /// Begins.
    pub fn new(out: W, head: &CarriedHead) -> Result<Self, ArchiveError> {
        ArchiveWriter::begin(out, MAGIC, &cbor::to_bytes(head)).map(Self)
    }

    /// Appends the next block.
    pub fn block(&mut self, block: &Block) -> Result<(), ArchiveError> {
        self.0.block(block)
    }

    /// Ends with the signatures under the last block. Returns what was written to.
    pub fn finish(self, trust: &Trust, proof: &FinalityProof) -> Result<W, ArchiveError> {
        self.0.finish(trust, proof)
    }
}

/// Reads a carried file block by block: heights, bodies and links are checked, signatures only by
/// [`verify_carried`].
pub struct CarriedReader<R> {
    input: R,
    head: CarriedHead,
    next: Height,
    before: Option<HeaderHash>,
}

impl<R: Read> CarriedReader<R> {
    /// Begins to read.
    pub fn open(mut input: R) -> Result<Self, CarriedError> {
        let mut magic = [0; 8];
        match input.read_exact(&mut magic) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(CarriedError::NoCarriedFile);
            }
            outcome => outcome.map_err(CarriedError::Io)?,
        }
        if magic != *MAGIC {
            return Err(CarriedError::NoCarriedFile);
        }
        let head: CarriedHead = decode(&item(&mut input, "the head")?, HEAD_BYTES_MAX, "the head")?;
        Ok(Self { input, head, next: head.first, before: None })
    }

    /// What it says to hold.
    pub fn head(&self) -> CarriedHead {
        self.head
    }

    /// The next block; `None` behind the last one.
    pub fn next_block(&mut self) -> Result<Option<Block>, CarriedError> {
        let height = self.next;
        let name = match height > self.head.last {
            true => "the end of the blocks".to_owned(),
            false => format!("block {height}"),
        };
        let bytes = item(&mut self.input, &name)?;
        if bytes.is_empty() {
            return match height > self.head.last {
                true => Ok(None),
                false => Err(CarriedError::Truncated { item: name }),
            };
        }
        let block: Block = decode(&bytes, BLOCK_WIRE_BYTES_MAX, &name)?;
        if block.header.height != height || height > self.head.last {
            return Err(CarriedError::Order { expected: height, found: block.header.height });
        }
        if self.before.is_some_and(|before| block.header.previous != before) {
            return Err(CarriedError::Link { height });
        }
        block.check_body().map_err(|fault| CarriedError::Body { height, fault })?;
        self.before = Some(block.digest());
        self.next = height.next();
        Ok(Some(block))
    }

    /// The end, behind the last block.
    fn end(mut self) -> Result<End, CarriedError> {
        let name = "the signatures at the end";
        let end = decode(&item(&mut self.input, name)?, ITEM_BYTES_MAX, name)?;
        match self.input.read(&mut [0]).map_err(CarriedError::Io)? {
            0 => Ok(end),
            _ => Err(CarriedError::Trailing),
        }
    }
}

/// A carried file that was verified as a whole.
#[derive(Clone, Debug)]
pub struct CarriedChain {
    /// What it holds.
    pub head: CarriedHead,
    /// The block before its first one.
    pub before: HeaderHash,
    /// The hashes of its blocks, in order.
    pub hashes: Vec<HeaderHash>,
    /// Changes of validators that were not known before, in order.
    pub hand_overs: Vec<HandOver>,
    /// The signatures under its last block.
    pub proof: FinalityProof,
}

/// Verifies a carried file from its first byte to its last: bodies, links, changes of validators, signatures
/// under the last block, which stand for all before it. Blocks are not executed.
///
/// Whether it fits to what is known elsewhere is told by [`CarriedChain::before`] and the hashes.
pub fn verify_carried(input: impl Read, mut trust: Trust) -> Result<CarriedChain, CarriedError> {
    let mut reader = CarriedReader::open(input)?;
    let head = reader.head();
    let (found, expected) = (head.ledger, trust.ledger());
    if found != expected {
        return Err(CarriedError::OtherLedger { found, expected });
    }
    let (mut before, mut hashes) = (HeaderHash::default(), Vec::new());
    while let Some(block) = reader.next_block()? {
        if hashes.is_empty() {
            before = block.header.previous;
        }
        hashes.push(block.digest());
    }
    let End { hand_overs, proof } = reader.end()?;
    let known = trust.roster().number();
    let hand_overs: Vec<_> = hand_overs.into_iter().filter(|one| one.roster.number() > known).collect();
    for hand_over in &hand_overs {
        trust.learn(hand_over)?;
    }
    trust.finality(&proof)?;
    let (proved, last) = (proof.header.hash(), hashes.last().copied().unwrap_or_default());
    match proved == last {
        true => Ok(CarriedChain { head, before, hashes, hand_overs, proof }),
        false => Err(CarriedError::OtherEnd { proved, last }),
    }
}

impl RelyingParty {
    /// Downloads the blocks from `from` up to the newest one that has signatures, verifies them and writes
    /// them to a carried file. Calls `progress` with each height and the last one.
    ///
    /// Errors: [`CarriedError::Nothing`]; [`ChainFault::BodyGone`] where no node holds a body any more.
    pub async fn export_from<W: Write>(
        &mut self,
        from: Height,
        out: W,
        mut progress: impl FnMut(Height, Height),
    ) -> Result<CarriedHead, ClientError> {
        let end = self.end_with_signatures().await?;
        self.know(&end.header).await?;
        self.observe(&end)?;
        let (first, last) = (from.max(Height(1)), end.header.height);
        if first > last {
            return Err(CarriedError::Nothing { from: first, newest: last }.into());
        }
        let head = CarriedHead { ledger: self.light().trust().ledger(), first, last };
        let mut file = CarriedWriter::new(out, &head)?;
        let mut before = None;
        let nodes = self.nodes();
        let fetch = |height| async move {
            let height = Height(height);
            match nodes.block_of_any(height).await {
                Err(error) if error.is_body_gone() => Err(ChainFault::BodyGone { height }.into()),
                block => Ok::<_, ClientError>((height, block?)),
            }
        };
        let mut blocks = futures::stream::iter(first.0..=last.0).map(fetch).buffered(BLOCKS_AHEAD);
        while let Some(block) = blocks.next().await {
            let (height, block) = block?;
            let found = block.header.height;
            if found != height {
                return Err(CarriedError::Order { expected: height, found }.into());
            }
            if before.is_some_and(|before| block.header.previous != before) {
                return Err(CarriedError::Link { height }.into());
            }
            block.check_body().map_err(|fault| CarriedError::Body { height, fault })?;
            before = Some(block.digest());
            file.block(&block)?;
            progress(height, last);
        }
        drop(blocks);
        let (proved, last) = (end.header.hash(), before.unwrap_or_default());
        if proved != last {
            return Err(CarriedError::OtherEnd { proved, last }.into());
        }
        let mut out = file.finish(self.light().trust(), &end)?;
        out.flush().map_err(CarriedError::Io)?;
        Ok(head)
    }
}

fn decode<T: Wire>(bytes: &[u8], limit: usize, name: &str) -> Result<T, CarriedError> {
    cbor::from_bytes(bytes, limit).map_err(|fault| CarriedError::Item { item: name.to_owned(), fault })
}

fn item(input: &mut impl Read, name: &str) -> Result<Vec<u8>, CarriedError> {
    let fault = |error: io::Error| match error.kind() {
        io::ErrorKind::UnexpectedEof => CarriedError::Truncated { item: name.to_owned() },
        _ => CarriedError::Io(error),
    };
    let mut length = [0; 4];
    input.read_exact(&mut length).map_err(fault)?;
    let length = u64::from(u32::from_be_bytes(length));
    let limit = ITEM_BYTES_MAX as u64;
    if length > limit {
        let fault = DecodeError::TooLong { length: length as usize, limit: ITEM_BYTES_MAX };
        return Err(CarriedError::Item { item: name.to_owned(), fault });
    }
    // Grows with what comes: a length alone takes no memory.
    let mut bytes = Vec::new();
    let read = input.take(length).read_to_end(&mut bytes).map_err(fault)? as u64;
    match read == length {
        true => Ok(bytes),
        false => Err(CarriedError::Truncated { item: name.to_owned() }),
    }
}
