//! Follows the ledger block by block and believes none of it unproved.

use tabellion_ledger::{Block, Header, Height, TimeMs};

use super::watch::{Alert, Watch};
use crate::error::ClientError;
use crate::node::NodeError;
use crate::relying_party::{RelyingParty, proof_file};

/// Follows the ledger and tells what its owner watches for.
pub struct Monitor {
    party: RelyingParty,
    /// What is watched.
    pub watch: Watch,
    next: Height,
    last: Option<Header>,
}

/// A block that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its height.
    pub height: Height,
    /// What is to be told, each with the bytes of a proof file.
    pub alerts: Vec<(Alert, Vec<u8>)>,
    /// No node has its body: all certificates in it have ended, and it was deleted; or the nodes hide it.
    pub is_gone: bool,
}

impl Monitor {
    /// Begins at a block; without one, with the next that comes.
    pub async fn new(
        mut party: RelyingParty,
        watch: Watch,
        from: Option<Height>,
    ) -> Result<Self, ClientError> {
        let next = match from {
            Some(from) => from,
            None => party.newest().await?.header.height.next(),
        };
        // The genesis block publishes nothing.
        Ok(Self { party, watch, next: next.max(Height(1)), last: None })
    }

    /// The next block to look at.
    pub fn next_height(&self) -> Height {
        self.next
    }

    /// The relying party.
    pub fn party(&self) -> &RelyingParty {
        &self.party
    }

    /// Looks at the next block; `None` while there is none. Nothing is lost by an error: the next call looks
    /// at the same block.
    pub async fn step(&mut self) -> Result<Option<Seen>, ClientError> {
        if self.party.newest().await?.header.height < self.next {
            return Ok(None);
        }
        let (height, header) = (self.next, self.party.header(self.next).await?.header);
        let nodes = self.party.nodes();
        let unexpected =
            |reason: &str| Err(ClientError::from(nodes.unexpected(&format!("/v1/blocks/{height}"), reason)));
        if let Some(last) = &self.last
            && header.previous != last.hash()
        {
            return unexpected("a block that does not follow the last one");
        }
        let mut seen = Seen { height, alerts: Vec::new(), is_gone: false };
        let mut watch = self.watch.clone();
        match self.block(height).await? {
            Some(block) => {
                if block.digest() != header.hash() || block.check_body().is_err() {
                    return unexpected("another block than the validators'");
                }
                let judge = |transaction| watch.judge(transaction, height, header.time);
                let alerts: Vec<Alert> = block.transactions().flat_map(judge).collect();
                for alert in alerts {
                    let proof = self.proof_of(&alert).await?;
                    seen.alerts.push((alert, proof));
                }
            }
            None => seen.is_gone = true,
        }
        (self.watch, self.last, self.next) = (watch, Some(header), height.next());
        Ok(Some(seen))
    }

    /// The block, from whichever node has it; `None` where none has.
    async fn block(&self, height: Height) -> Result<Option<Block>, ClientError> {
        let nodes = self.party.nodes();
        for _ in 0..nodes.node_count() {
            match nodes.block(height).await {
                Ok(block) => return Ok(Some(block)),
                Err(NodeError::Refused(_)) => nodes.next_node(),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
    }

    async fn proof_of(&mut self, alert: &Alert) -> Result<Vec<u8>, ClientError> {
        let (_, proof) = self.party.transaction(&alert.transaction).await?;
        Ok(proof_file(self.party.light().trust(), &proof))
    }

    /// The time of the last block that was looked at.
    pub fn time(&self) -> Option<TimeMs> {
        self.last.as_ref().map(|header| header.time)
    }
}
