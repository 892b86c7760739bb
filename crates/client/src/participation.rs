//! Who takes part: which validators signed or proposed the newest blocks, by the signatures themselves.

use tabellion_consortium::NodeKey;
use tabellion_ledger::{Height, MemberId, Roster};
use tabellion_machine::ChainHeader;

use crate::error::ClientError;
use crate::relying_party::RelyingParty;

/// Blocks for each validator that are looked at. A quorum is enough for a proof, so that one that is slow may
/// be missing under many; but it proposes when its turn comes.
const BLOCKS_PER_VALIDATOR: u64 = 4;

/// Who took part in the newest blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participation {
    /// The first block that was looked at.
    pub from: Height,
    /// The newest block.
    pub newest: Height,
    /// Validators that make a quorum.
    pub quorum: usize,
    /// The validators of the newest block, in the order of their roster.
    pub validators: Vec<Participant>,
}

/// A validator, and when it was last seen at work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Participant {
    /// Its key.
    pub key: NodeKey,
    /// Its name.
    pub name: String,
    /// The member that runs it.
    pub member: MemberId,
    /// The newest block that it signed or proposed, among those looked at.
    pub last: Option<Height>,
}

impl Participation {
    /// How many of the others were seen at work.
    pub fn others(&self, key: &NodeKey) -> usize {
        self.validators.iter().filter(|seen| seen.key != *key && seen.last.is_some()).count()
    }

    /// The validator with this key.
    pub fn of(&self, key: &NodeKey) -> Option<&Participant> {
        self.validators.iter().find(|seen| seen.key == *key)
    }
}

impl RelyingParty {
    /// Looks at the signatures under the newest blocks, as far back as the present validators made them.
    pub async fn participation(&mut self) -> Result<Participation, ClientError> {
        let newest = self.newest().await?.header;
        let roster = self.light().trust().roster().clone();
        let validators = roster.validators().iter().map(|validator| Participant {
            key: NodeKey(validator.key),
            name: validator.name.clone(),
            member: validator.member.clone(),
            last: None,
        });
        let mut validators: Vec<Participant> = validators.collect();
        let count = BLOCKS_PER_VALIDATOR * u64::try_from(validators.len()).unwrap_or(1);
        let from = Height(newest.height.0.saturating_sub(count - 1).max(1));
        let page = self.nodes().headers(from, usize::try_from(count).unwrap_or_default()).await?;
        for entry in &page {
            let ChainHeader::Final(proof) = entry else { continue };
            if proof.header.roster != roster.hash() {
                continue;
            }
            self.light().trust().finality(proof)?;
            let signed = proof.signatures.iter().map(|signature| signature.validator);
            for index in signed.chain([proof.header.proposer]) {
                if let Some(seen) = validators.get_mut(usize::from(index)) {
                    seen.last = seen.last.max(Some(proof.header.height));
                }
            }
        }
        Ok(Participation { from, newest: newest.height, quorum: Roster::quorum(&roster), validators })
    }
}
