//! A relying party: asks nodes, believes proofs (X.1409 clause 8.3, A.2).

use std::io::Write;

use tabellion_ledger::cbor::{self, Writer};
use tabellion_ledger::{
    Block, CertificateId, FinalityProof, Header, Height, KeyId, Outline, RecordProof, StateKey, StateProof,
    TimeMs, TransactionId,
};
use tabellion_machine::ChainHeader;

use crate::archive::{ArchiveError, ArchiveWriter};
use crate::error::ClientError;
use crate::light::{LightClient, LightError};
use crate::node::{NodeClient, NodeError};
use crate::offline::state_proof_from_base64;
use crate::replay::{ChainCheck, ChainFault, ChainReport};
use crate::rest::HEADERS_PAGE;
use crate::trust::{ProvedBy, ProvedKey, ProvedStatus, ProvedTransaction, Trust};

/// Blocks fetched ahead while a chain is verified.
pub(crate) const BLOCKS_AHEAD: usize = 8;

/// Asks nodes and believes proofs.
pub struct RelyingParty {
    nodes: NodeClient,
    light: LightClient,
    age_ms_max: u64,
}

/// A status, and the proof that shows it to others.
#[derive(Clone, Debug)]
pub struct StatusWithProof {
    /// What is proved.
    pub status: ProvedStatus,
    /// The proof.
    pub proof: StateProof,
    /// Where a publication waits for its start. Unit: ms since 1970. This is the node's word.
    pub scheduled_ms: Option<u64>,
}

impl RelyingParty {
    /// A relying party that accepts proofs up to `age_ms_max` old.
    pub fn new(nodes: NodeClient, light: LightClient, age_ms_max: u64) -> Self {
        Self { nodes, light, age_ms_max }
    }

    /// The nodes.
    pub fn nodes(&self) -> &NodeClient {
        &self.nodes
    }

    /// The memory of headers.
    pub fn light(&self) -> &LightClient {
        &self.light
    }

    /// Writes the memory of headers.
    pub fn save(&self) -> Result<(), ClientError> {
        Ok(self.light.save()?)
    }

    /// Any record of the state, proved, or that there is none; where a node's proof is too old or not signed
    /// yet, the next node's.
    pub async fn record<T: cbor::Wire>(
        &mut self,
        key: &StateKey,
        now: TimeMs,
    ) -> Result<(Option<T>, ProvedBy), ClientError> {
        let proof = self.state_proof(key, now).await?;
        Ok(self.light.trust().record(&proof, key.clone())?)
    }

    /// The proof of any record of the state, checked.
    pub async fn state_proof(&mut self, key: &StateKey, now: TimeMs) -> Result<StateProof, ClientError> {
        let mut tries = self.nodes.node_count();
        loop {
            tries -= 1;
            match self.state_proof_once(key, now).await {
                Err(ClientError::Light(LightError::Stale { .. })) if tries > 0 => self.nodes.next_node(),
                Err(ClientError::Trust(error)) if tries > 0 && error.is_unsigned() => self.nodes.next_node(),
                answer => return answer,
            }
        }
    }

    async fn state_proof_once(&mut self, key: &StateKey, now: TimeMs) -> Result<StateProof, ClientError> {
        let proof = self.nodes.state(key).await?;
        self.know(&proof.finality.header).await?;
        self.light.trust().record_bytes(&proof, key)?;
        self.accept(&proof, now)?;
        Ok(proof)
    }

    /// The status of a certificate, proved; where a node's proof is too old or not signed yet, the next
    /// node's.
    pub async fn status(&mut self, id: &CertificateId, now: TimeMs) -> Result<StatusWithProof, ClientError> {
        let mut tries = self.nodes.node_count();
        loop {
            tries -= 1;
            match self.status_once(id, now).await {
                Err(ClientError::Light(LightError::Stale { .. })) if tries > 0 => self.nodes.next_node(),
                Err(ClientError::Trust(error)) if tries > 0 && error.is_unsigned() => self.nodes.next_node(),
                answer => return answer,
            }
        }
    }

    async fn status_once(&mut self, id: &CertificateId, now: TimeMs) -> Result<StatusWithProof, ClientError> {
        let answer = self.nodes.certificate(id).await?;
        let proof = state_proof_from_base64(&answer.proof)?;
        self.know(&proof.finality.header).await?;
        let status = self.light.trust().status(&proof, id)?;
        self.accept(&proof, now)?;
        Ok(StatusWithProof { status, proof, scheduled_ms: answer.scheduled_ms })
    }

    /// The certificates of a key, proved, each with its status.
    pub async fn key(
        &mut self,
        key: &KeyId,
        now: TimeMs,
    ) -> Result<(ProvedKey, Vec<StatusWithProof>), ClientError> {
        let answer = self.nodes.key(key).await?;
        let proof = state_proof_from_base64(&answer.proof)?;
        self.know(&proof.finality.header).await?;
        let proved = self.light.trust().key(&proof, key)?;
        self.accept(&proof, now)?;
        let mut statuses = Vec::new();
        for id in proved.certificates.iter().rev() {
            statuses.push(self.status(id, now).await?);
        }
        Ok((proved, statuses))
    }

    /// Asks for the changes of validators that lead to those of a header, where these are not known yet. A
    /// node that cannot tell them is found out by the check of the header.
    pub(crate) async fn know(&mut self, header: &Header) -> Result<(), ClientError> {
        // A foreign ledger's validators are nobody to ask for.
        while header.ledger == self.light.trust().ledger() && !self.light.trust().knows(header) {
            let page = self.nodes.hand_overs(self.light.trust().roster().number()).await?;
            if page.is_empty() {
                return Ok(());
            }
            for hand_over in &page {
                self.light.learn(hand_over)?;
            }
        }
        Ok(())
    }

    pub(crate) fn accept(&mut self, proof: &StateProof, now: TimeMs) -> Result<(), ClientError> {
        self.light.observe(&proof.finality)?;
        LightClient::check_age(&proof.finality.header, now, self.age_ms_max)?;
        Ok(())
    }

    /// A recorded transaction, proved.
    pub async fn transaction(
        &mut self,
        id: &TransactionId,
    ) -> Result<(ProvedTransaction, RecordProof), ClientError> {
        let proof = self.nodes.record_proof(id).await?;
        self.know(&proof.header.finality.header).await?;
        let proved = self.light.trust().transaction(&proof, id)?;
        self.light.observe(&proof.header.finality)?;
        Ok((proved, proof))
    }

    /// The newest header of the node, proved.
    pub async fn newest(&mut self) -> Result<ProvedBy, ClientError> {
        let answer = self.nodes.ledger().await?;
        let expected = self.light.trust().ledger().to_string();
        if answer.ledger != expected {
            return Err(ClientError::OtherLedger { found: answer.ledger, expected });
        }
        self.header(Height(answer.height)).await
    }

    /// The header at a height, proved: by signatures of its own, or by links up to one that has some.
    pub async fn header(&mut self, height: Height) -> Result<ProvedBy, ClientError> {
        let missing = || self.nodes.unexpected("/v1/headers", "no finalised header at or above the height");
        if height == Height(0) {
            return self.light.trust().genesis_header().ok_or_else(|| missing().into());
        }
        let headers = self.headers_up_to_final(height).await?;
        let (Some(ChainHeader::Final(proof)), links) = (headers.last(), headers.len().saturating_sub(1))
        else {
            return Err(missing().into());
        };
        self.know(&proof.header).await?;
        let mut by = self.light.trust().finality(proof)?;
        self.light.observe(proof)?;
        let mut above: &Header = &proof.header;
        for below in headers[..links].iter().rev().map(ChainHeader::header) {
            if above.previous != below.hash() {
                return Err(LightError::Link { height: above.height, field: "previous hash" }.into());
            }
            above = below;
        }
        if above.height != height {
            return Err(LightError::Link { height, field: "height" }.into());
        }
        by.header = above.clone();
        Ok(by)
    }

    /// Headers from a height upwards, up to the first with signatures, or all that the node has.
    async fn headers_up_to_final(&self, from: Height) -> Result<Vec<ChainHeader>, ClientError> {
        let mut headers = Vec::new();
        loop {
            let next = from.0 + u64::try_from(headers.len()).unwrap_or_default();
            let page = self.nodes.headers(Height(next), HEADERS_PAGE).await?;
            let is_last = page.len() < HEADERS_PAGE;
            for entry in page {
                let is_final = matches!(entry, ChainHeader::Final(_));
                headers.push(entry);
                if is_final {
                    return Ok(headers);
                }
            }
            if is_last {
                return Ok(headers);
            }
        }
    }

    /// Follows headers from where it last ended up to the node's newest; calls `progress` with each page's
    /// end.
    pub async fn follow(
        &mut self,
        mut progress: impl FnMut(Height),
    ) -> Result<Option<ProvedBy>, ClientError> {
        let mut newest = None;
        // Headers above the last final one: believed once a later page brings signatures.
        let mut open: Vec<ChainHeader> = Vec::new();
        loop {
            let next = self.light.next_height().0 + u64::try_from(open.len()).unwrap_or_default();
            let page = self.nodes.headers(Height(next), HEADERS_PAGE).await?;
            let is_last = page.len() < HEADERS_PAGE;
            if let Some(last) = page.last() {
                self.know(last.header()).await?;
            }
            open.extend(page);
            if let Some(proved) = self.light.follow(&open)? {
                progress(proved.header.height);
                let end = self.light.next_height();
                open.retain(|entry| entry.header().height >= end);
                newest = Some(proved);
            }
            if is_last {
                return Ok(newest);
            }
        }
    }

    /// Downloads and verifies all blocks up to the node's newest; with `execute`, executes them again. Calls
    /// `progress` with each verified height and the last one.
    ///
    /// A block whose body no node holds any more is verified by its headers; it cannot be executed.
    pub async fn verify_chain(
        &mut self,
        execute: bool,
        progress: impl FnMut(Height, Height),
    ) -> Result<ChainReport, ClientError> {
        let nothing = |_: Option<&Block>, _: Height| Ok(());
        self.walk_chain(execute, nothing, progress).await.map(|(report, _)| report)
    }

    /// Downloads and verifies all blocks up to the node's newest and writes them to an archive; see
    /// [`crate::replay_archive`].
    ///
    /// Errors: [`ChainFault::BodyGone`] where no node holds a body any more.
    pub async fn export<W: Write>(
        &mut self,
        out: W,
        progress: impl FnMut(Height, Height),
    ) -> Result<ChainReport, ClientError> {
        let genesis = cbor::to_bytes(self.light.trust().genesis());
        let mut archive = ArchiveWriter::new(out, &genesis)?;
        let keep = |block: Option<&Block>, height| match block {
            Some(block) => Ok(archive.block(block)?),
            None => Err(ChainFault::BodyGone { height }.into()),
        };
        let (report, end) = self.walk_chain(false, keep, progress).await?;
        let mut out = archive.finish(self.light.trust(), &end)?;
        out.flush().map_err(|source| ArchiveError::Io { doing: "write", source })?;
        Ok(report)
    }

    /// Calls `each` with each verified block, or none where its body is gone.
    async fn walk_chain(
        &mut self,
        execute: bool,
        mut each: impl FnMut(Option<&Block>, Height) -> Result<(), ClientError>,
        mut progress: impl FnMut(Height, Height),
    ) -> Result<(ChainReport, FinalityProof), ClientError> {
        use futures::StreamExt;

        let end = self.end_with_signatures().await?;
        self.know(&end.header).await?;
        let last = end.header.height;
        let mut check = ChainCheck::new(self.light.trust().clone(), execute)?;
        let fetch = |height| self.fetch(Height(height));
        let mut blocks = futures::stream::iter(1..=last.0).map(fetch).buffered(BLOCKS_AHEAD);
        while let Some(block) = blocks.next().await {
            let height = check.next_height();
            match block? {
                Fetched::Block(block) => {
                    check.next(&block)?;
                    each(Some(&*block), height)?;
                }
                Fetched::Headers(header, outline) => {
                    check.next_without_body(&header, &outline)?;
                    each(None, height)?;
                }
            }
            progress(Height(check.next_height().0 - 1), last);
        }
        drop(blocks);
        let report = check.finish(&end)?;
        self.light.observe(&end)?;
        Ok((report, end))
    }

    /// A block, or its headers where its body is gone.
    async fn fetch(&self, height: Height) -> Result<Fetched, NodeError> {
        match self.nodes.block_of_any(height).await {
            Err(error) if error.is_body_gone() => {}
            outcome => return outcome.map(Box::new).map(Fetched::Block),
        }
        let headers = self.nodes.headers(height, 1).await?;
        let outlines = self.nodes.outlines(height, 1, false).await?;
        let (header, outline) =
            headers.into_iter().next().zip(outlines.into_iter().next()).ok_or_else(|| {
                self.nodes.unexpected("/v1/headers", "neither the block's body nor its headers")
            })?;
        Ok(Fetched::Headers(Box::new(header.header().clone()), outline))
    }

    /// Remembers a header that a quorum signed.
    pub(crate) fn observe(&mut self, proof: &FinalityProof) -> Result<(), ClientError> {
        self.light.observe(proof)?;
        Ok(())
    }

    /// The newest block that has signatures of its own.
    pub(crate) async fn end_with_signatures(&self) -> Result<FinalityProof, ClientError> {
        let mut height = self.nodes.ledger().await?.height;
        loop {
            match self.nodes.finality(Height(height)).await {
                Err(error) if error.problem().is_some() && height > 1 => height -= 1,
                proof => return Ok(proof?),
            }
        }
    }
}

/// What nodes hold of a block.
enum Fetched {
    Block(Box<Block>),
    Headers(Box<Header>, Outline),
}

/// The bytes of a proof file: the proof, behind the changes of validators that lead from the genesis document
/// to those that signed it, where there were some.
pub fn proof_file(trust: &Trust, proof: &impl cbor::Wire) -> Vec<u8> {
    let mut out = Writer::default();
    if !trust.hand_overs().is_empty() {
        out.array(2);
        out.list(trust.hand_overs());
    }
    proof.encode(&mut out);
    out.into_bytes()
}
