//! The questions to a node, each as a function.

use tabellion_ledger::cbor::{self, Reader, Wire};
use tabellion_ledger::limits::{BLOCK_BYTES_MAX, PIECE_BYTES_MAX};
use tabellion_ledger::trie::{PageId, Piece};
use tabellion_ledger::{
    Block, CertificateId, FinalityProof, HandOver, Height, KeyId, Outline, RecordProof, StateKey, StateProof,
    TransactionId,
};
use tabellion_machine::{
    BlockAnswer, CertificateList, ChainHeader, HealthAnswer, KeyAnswer, LedgerAnswer, StatusAnswer,
    TransactionAnswer,
};

use crate::node::{NodeClient, NodeError};
use crate::offline::PROOF_BYTES_MAX;

/// What asks a node for what it holds itself.
const HERE: [(&str, &str); 1] = [("here", "true")];
/// Headers in one answer.
pub const HEADERS_PAGE: usize = 1000;
/// Hand-overs in one answer.
const HAND_OVERS_PAGE: usize = 1000;
/// States in one answer.
const SNAPSHOTS_MAX: usize = 16;
/// A block with its lane headers and the frames around its transactions.
const BLOCK_WIRE_BYTES_MAX: usize = BLOCK_BYTES_MAX + 1024 * 1024;

/// A question to the query index; conditions are joined by "and".
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFilter {
    /// Part of the subject.
    pub subject: Option<String>,
    /// Part of the issuer.
    pub issuer: Option<String>,
    /// Validity ends at this moment or later. Unit: ms since 1970.
    pub expires_from_ms: Option<u64>,
    /// Validity ends at this moment or earlier. Unit: ms since 1970.
    pub expires_until_ms: Option<u64>,
}

impl NodeClient {
    /// The ledger at a glance, as the node sees it.
    pub async fn ledger(&self) -> Result<LedgerAnswer, NodeError> {
        self.json("/v1/ledger", &[]).await
    }

    /// How the present node is; it answers also where it is not well.
    pub async fn health(&self) -> Result<HealthAnswer, NodeError> {
        self.words_of_one("/v1/node/health").await
    }

    /// The genesis document's bytes. Whoever believes them on the node's word has no proof of anything.
    pub async fn genesis(&self) -> Result<Vec<u8>, NodeError> {
        self.bytes("/v1/genesis", &[]).await
    }

    /// A certificate's status with its proof.
    pub async fn certificate(&self, id: &CertificateId) -> Result<StatusAnswer, NodeError> {
        self.json(&format!("/v1/certificates/{id}"), &[]).await
    }

    /// A certificate's DER, where the ledger holds it.
    pub async fn certificate_der(&self, id: &CertificateId) -> Result<Vec<u8>, NodeError> {
        self.bytes(&format!("/v1/certificates/{id}/der"), &[]).await
    }

    /// The same, where the node itself holds it; it asks no other node.
    pub async fn certificate_der_here(&self, id: &CertificateId) -> Result<Vec<u8>, NodeError> {
        self.bytes(&format!("/v1/certificates/{id}/der"), &HERE.map(|(name, value)| (name, value.to_owned())))
            .await
    }

    /// The certificates of a key, each with its status and proof.
    pub async fn key(&self, id: &KeyId) -> Result<KeyAnswer, NodeError> {
        self.json(&format!("/v1/keys/{id}"), &[]).await
    }

    /// A page of certificates from the node's index.
    pub async fn certificates(
        &self,
        filter: &CertificateFilter,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<CertificateList, NodeError> {
        let number = |value: Option<u64>| value.map(|value| value.to_string());
        let rows = [
            ("subject", filter.subject.clone()),
            ("issuer", filter.issuer.clone()),
            ("expires_from_ms", number(filter.expires_from_ms)),
            ("expires_until_ms", number(filter.expires_until_ms)),
            ("limit", Some(limit.to_string())),
            ("cursor", cursor.map(str::to_owned)),
        ];
        let query: Vec<_> = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        self.json("/v1/certificates", &query).await
    }

    /// Where a transaction stands.
    pub async fn transaction(&self, id: &TransactionId) -> Result<TransactionAnswer, NodeError> {
        self.json(&format!("/v1/transactions/{id}"), &[]).await
    }

    /// The proof that a transaction is recorded.
    pub async fn record_proof(&self, id: &TransactionId) -> Result<RecordProof, NodeError> {
        self.cbor(&format!("/v1/transactions/{id}/proof"), PROOF_BYTES_MAX).await
    }

    /// A block as JSON; the newest without a height.
    pub async fn block_answer(&self, height: Option<Height>) -> Result<BlockAnswer, NodeError> {
        let height = height.map_or("latest".to_owned(), |height| height.to_string());
        self.json(&format!("/v1/blocks/{height}"), &[]).await
    }

    /// A block.
    pub async fn block(&self, height: Height) -> Result<Block, NodeError> {
        self.cbor(&format!("/v1/blocks/{height}/bytes"), BLOCK_WIRE_BYTES_MAX).await
    }

    /// A block, where the node itself holds its body; it asks no other node.
    pub async fn block_here(&self, height: Height) -> Result<Block, NodeError> {
        let path = format!("/v1/blocks/{height}/bytes");
        let bytes = self.bytes(&path, &HERE.map(|(name, value)| (name, value.to_owned()))).await?;
        cbor::from_bytes(&bytes, BLOCK_WIRE_BYTES_MAX)
            .map_err(|error| self.unexpected(&path, &error.to_string()))
    }

    /// The same, with what the node keeps of the attachments that travelled beside the block: an entry for
    /// each transaction, empty where it keeps none, or no entries at all. Compare them with the root in each
    /// signed content.
    ///
    /// Source: X.1409 C18, Appendix II.2.
    pub async fn block_with_attachments_here(&self, height: Height) -> Result<Block, NodeError> {
        let path = format!("/v1/blocks/{height}/bytes");
        let query = [("here", "true"), ("attachments", "true")];
        let bytes = self.bytes(&path, &query.map(|(name, value)| (name, value.to_owned()))).await?;
        cbor::from_bytes(&bytes, BLOCK_WIRE_BYTES_MAX)
            .map_err(|error| self.unexpected(&path, &error.to_string()))
    }

    /// A block from the first of the nodes that holds its body.
    ///
    /// Errors: that of the last node, where all that answer have deleted it ([`NodeError::is_body_gone`]).
    pub async fn block_of_any(&self, height: Height) -> Result<Block, NodeError> {
        let mut outcome = self.block(height).await;
        for _ in 1..self.node_count() {
            match outcome {
                Err(error) if error.is_body_gone() => {
                    self.next_node();
                    outcome = self.block(height).await;
                }
                outcome => return outcome,
            }
        }
        outcome
    }

    /// The signatures under a block.
    pub async fn finality(&self, height: Height) -> Result<FinalityProof, NodeError> {
        self.cbor(&format!("/v1/blocks/{height}/finality"), PROOF_BYTES_MAX).await
    }

    /// Headers from a height upwards.
    ///
    /// Limit: [`HEADERS_PAGE`].
    pub async fn headers(&self, from: Height, limit: usize) -> Result<Vec<ChainHeader>, NodeError> {
        let path = "/v1/headers";
        let query = [("from", from.to_string()), ("limit", limit.min(HEADERS_PAGE).to_string())];
        self.list(path, &query, HEADERS_PAGE).await
    }

    /// Changes of validators after the roster with this number, oldest first, a page of them.
    pub async fn hand_overs(&self, after: u64) -> Result<Vec<HandOver>, NodeError> {
        self.list("/v1/hand-overs", &[("after", after.to_string())], HAND_OVERS_PAGE).await
    }

    /// The blocks after which the node holds the state for others, newest first.
    pub async fn snapshots(&self) -> Result<Vec<FinalityProof>, NodeError> {
        self.list("/v1/snapshots", &[], SNAPSHOTS_MAX).await
    }

    /// A piece of a state that the node holds. Check it: [`Piece::open`].
    pub async fn piece(&self, height: Height, prefix: &PageId) -> Result<Piece, NodeError> {
        let path = format!("/v1/snapshots/{height}/piece");
        let bytes = self.bytes(&path, &[("prefix", prefix.to_string())]).await?;
        cbor::from_bytes(&bytes, PIECE_BYTES_MAX).map_err(|error| self.unexpected(&path, &error.to_string()))
    }

    /// Outlines of blocks from a height upwards, at most `limit`. Check each: [`Outline::check`].
    ///
    /// Limit: [`HEADERS_PAGE`].
    pub async fn outlines(
        &self,
        from: Height,
        limit: usize,
        records: bool,
    ) -> Result<Vec<Outline>, NodeError> {
        let limit = limit.min(HEADERS_PAGE).to_string();
        let query = [("from", from.to_string()), ("limit", limit), ("records", records.to_string())];
        self.list("/v1/outlines", &query, HEADERS_PAGE).await
    }

    async fn list<T: Wire>(
        &self,
        path: &str,
        query: &[(&str, String)],
        count_max: usize,
    ) -> Result<Vec<T>, NodeError> {
        let bytes = self.bytes(path, query).await?;
        let mut input = Reader::new(&bytes);
        let list = input.list(count_max).and_then(|list| input.finish().map(|()| list));
        list.map_err(|error| self.unexpected(path, &error.to_string()))
    }

    /// A record of the state, or its absence, with the proof.
    pub async fn state(&self, key: &StateKey) -> Result<StateProof, NodeError> {
        self.cbor(&format!("/v1/state/{}/{}", key.map, hex::encode(&key.key)), PROOF_BYTES_MAX).await
    }

    async fn cbor<T: Wire>(&self, path: &str, bytes_max: usize) -> Result<T, NodeError> {
        let bytes = self.bytes(path, &[]).await?;
        cbor::from_bytes(&bytes, bytes_max).map_err(|error| self.unexpected(path, &error.to_string()))
    }
}
