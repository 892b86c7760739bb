//! Headers and outlines of all blocks up to the state's.

use std::sync::Arc;

use tabellion_client::{HEADERS_PAGE, NodeClient};
use tabellion_engine::FinalityVotes;
use tabellion_ledger::cbor::to_bytes;
use tabellion_ledger::limits::TRANSACTION_LIFETIME_MS_MAX;
use tabellion_ledger::{FinalityProof, Header, HeaderHash, Height, Outline, TimeMs};
use tabellion_machine::ChainHeader;

use super::{Progress, Sync, SyncError, blocking, told};

/// Votes for a block, encoded as the store keeps them.
pub(crate) type StoredVotes = (Height, HeaderHash, Vec<u8>);

/// The votes of a finality proof.
pub(crate) fn votes_of(proof: &FinalityProof) -> StoredVotes {
    let FinalityProof { header, epoch, view, parent_view, signatures } = proof.clone();
    let votes = FinalityVotes { epoch, view, parent_view, signatures };
    (header.height, header.hash(), to_bytes(&votes))
}

impl Sync {
    /// Fetches headers and outlines up to the state's block.
    pub(super) async fn fetch_chain(
        &mut self,
        newest: &Header,
        progress: &mut impl FnMut(Progress),
    ) -> Result<(), SyncError> {
        let mut end = match self.intake.chain_end().map_err(SyncError::Store)? {
            Some(end) => end,
            None => self.intake.begin_chain(&self.genesis_block()?).map_err(SyncError::Store)?,
        };
        let last = newest.height;
        let mut open: Vec<ChainHeader> = Vec::new();
        while end.header().height < last {
            let next = open.last().map_or(self.light.next_height(), |entry| entry.header().height.next());
            let count = usize::try_from(last.0 + 1 - next.0).unwrap_or(usize::MAX).min(HEADERS_PAGE);
            let page = self.peers.ask(|peer| async move { told(peer.headers(next, count).await) }).await?;
            if page.is_empty() {
                return Err(SyncError::NoHeader { height: next });
            }
            open.extend(page);
            let Some(believed) = self.believe_headers(&mut open)? else { continue };
            let fresh: Vec<Header> =
                believed.headers.into_iter().filter(|header| header.height > end.header().height).collect();
            let entries = self.with_outlines(fresh, newest.time).await?;
            let intake = self.intake.clone();
            end = blocking(move || {
                intake.put_chain(&mut end, &entries, &[believed.votes]).map_err(SyncError::Store)?;
                Ok(end)
            })
            .await?;
            self.light.save().map_err(SyncError::Light)?;
            progress(Progress::Headers { height: end.header().height, last });
        }
        Ok(())
    }

    /// Takes the headers up to the last one with signatures, whose signatures stand for all before it.
    fn believe_headers(&mut self, open: &mut Vec<ChainHeader>) -> Result<Option<Believed>, SyncError> {
        let is_final = |entry: &ChainHeader| matches!(entry, ChainHeader::Final(_));
        let Some(end) = open.iter().rposition(is_final) else { return Ok(None) };
        let rest = open.split_off(end + 1);
        let mut headers = std::mem::replace(open, rest);
        let Some(ChainHeader::Final(proof)) = headers.last().cloned() else { return Ok(None) };
        for entry in &mut headers[..end] {
            *entry = ChainHeader::Linked(entry.header().clone());
        }
        self.light.follow(&headers).map_err(SyncError::Light)?;
        let headers = headers.iter().map(|entry| entry.header().clone()).collect();
        Ok(Some(Believed { headers, votes: votes_of(&proof) }))
    }

    /// The outlines of these headers' blocks; `state_time` is the time of the state's block.
    async fn with_outlines(
        &mut self,
        headers: Vec<Header>,
        state_time: TimeMs,
    ) -> Result<Vec<(Header, Outline)>, SyncError> {
        let mut entries = Vec::with_capacity(headers.len());
        let mut headers = headers.as_slice();
        while let Some(first) = headers.first() {
            // Whoever could send a recorded transaction again must find it here.
            let is_open = |header: &Header| header.time.plus(TRANSACTION_LIFETIME_MS_MAX) >= state_time;
            let records = is_open(first);
            let count = headers.iter().take_while(|header| is_open(header) == records).count();
            let wanted = &headers[..count];
            let outlines = self.peers.ask(|peer| fetch_outlines(peer, wanted, records)).await?;
            let (fetched, rest) = headers.split_at(outlines.len());
            entries.extend(fetched.iter().cloned().zip(outlines));
            headers = rest;
        }
        Ok(entries)
    }
}

/// Headers that signatures stand for.
struct Believed {
    headers: Vec<Header>,
    votes: StoredVotes,
}

/// At least one outline of these headers' blocks, checked.
async fn fetch_outlines(
    peer: Arc<NodeClient>,
    headers: &[Header],
    records: bool,
) -> Result<Vec<Outline>, String> {
    let from = headers.first().map_or(Height(0), |header| header.height);
    let outlines = peer.outlines(from, headers.len(), records).await.map_err(|error| error.to_string())?;
    if outlines.is_empty() || outlines.len() > headers.len() {
        return Err(format!("{} outlines for {} headers", outlines.len(), headers.len()));
    }
    for (header, outline) in headers.iter().zip(&outlines) {
        outline.check(header).map_err(|fault| format!("outline of block {}: {fault}", header.height))?;
        if records && outline.lanes.iter().any(|lane| lane.records.is_none()) {
            return Err(format!("the outline of block {} is without records", header.height));
        }
    }
    Ok(outlines)
}
