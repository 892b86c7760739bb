//! The ledger's block as the engine carries it.

use std::sync::Arc;

use bytes::{BufMut, Bytes};
use commonware_codec::{Buf, BufsMut, EncodeSize, Error as CodecError, RangeCfg, Read, Write};
use commonware_consensus::types::Height;
use commonware_consensus::{Block as ConsensusBlock, BoundedBlock, Heightable};
use commonware_cryptography::{Digested, Digestible, sha256};
use tabellion_ledger::{Block, HeaderHash, cbor};

/// A block's digest as the engine names it: the header's hash.
pub(crate) type Digest = sha256::Digest;

/// The engine's name of a header hash.
pub(crate) fn digest_of(hash: HeaderHash) -> Digest {
    sha256::Digest(hash.0)
}

/// The header hash behind the engine's name.
pub(crate) fn hash_of(digest: &Digest) -> HeaderHash {
    HeaderHash(digest.0)
}

/// A block with its wire bytes and digest, each made once.
///
/// Shape on the wire: varint length, deterministic CBOR of the block.
///
/// Equality and identity in the engine go by digest, and the digest covers the header only. So whatever
/// decodes has a body that is its header's: a block with a foreign, altered or missing body is no block here.
#[derive(Clone, Debug)]
pub(crate) struct EngineBlock {
    block: Arc<Block>,
    bytes: Bytes,
    digest: Digest,
}

impl EngineBlock {
    /// Wraps a block that was built here or comes from the store.
    pub(crate) fn new(block: Arc<Block>) -> Self {
        let digest = digest_of(block.digest());
        let bytes = cbor::to_bytes(block.as_ref()).into();
        Self { block, bytes, digest }
    }

    /// The block.
    pub(crate) fn block(&self) -> &Arc<Block> {
        &self.block
    }

    /// The block's header hash.
    pub(crate) fn hash(&self) -> HeaderHash {
        hash_of(&self.digest)
    }

    /// Bytes on the wire, without the length.
    pub(crate) fn wire_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The block as the engine's actors hold it.
    pub(crate) fn digested(self) -> Digested<Self> {
        let digest = self.digest;
        Digested::precomputed(self, digest)
    }
}

impl PartialEq for EngineBlock {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for EngineBlock {}

impl Write for EngineBlock {
    fn write(&self, buf: &mut impl BufMut) {
        self.bytes.write(buf);
    }

    fn write_bufs(&self, buf: &mut impl BufsMut) {
        self.bytes.write_bufs(buf);
    }
}

impl EncodeSize for EngineBlock {
    fn encode_size(&self) -> usize {
        self.bytes.encode_size()
    }

    fn encode_inline_size(&self) -> usize {
        self.bytes.encode_inline_size()
    }
}

impl Read for EngineBlock {
    /// Bytes of the block at most, without the length before them.
    type Cfg = usize;

    fn read_cfg(buf: &mut impl Buf, bytes_max: &usize) -> Result<Self, CodecError> {
        let bytes = Bytes::read_cfg(buf, &RangeCfg::from(1..=*bytes_max))?;
        let block: Block =
            cbor::from_bytes(&bytes, *bytes_max).map_err(|err| CodecError::Wrapped("block", err.into()))?;
        block.check_body().map_err(|err| CodecError::Wrapped("block body", err.into()))?;
        let digest = digest_of(block.digest());
        Ok(Self { block: Arc::new(block), bytes, digest })
    }
}

impl Digestible for EngineBlock {
    type Digest = Digest;

    fn digest(&self) -> Digest {
        self.digest
    }
}

impl Heightable for EngineBlock {
    fn height(&self) -> Height {
        Height::new(self.block.header.height.0)
    }
}

impl ConsensusBlock for EngineBlock {
    fn parent(&self) -> Digest {
        digest_of(self.block.header.previous)
    }
}

impl BoundedBlock for EngineBlock {
    fn max_encode_size(bytes_max: &usize) -> usize {
        bytes_max.encode_size() + bytes_max
    }
}
