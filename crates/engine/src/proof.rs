//! Between the engine's finalisation certificate and the ledger's finality proof.

use std::sync::Arc;

use commonware_codec::types::lazy::Lazy;
use commonware_consensus::simplex::types::{Finalization, Proposal};
use commonware_consensus::types::{Epoch, Participant, Round, View};
use commonware_cryptography::certificate::Signers;
use commonware_cryptography::ed25519::{self, certificate::Certificate};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::VALIDATORS_MAX;
use tabellion_ledger::{Block, FinalityProof, FinalitySignature, HeaderHash};

use crate::block::{Digest, digest_of};
use crate::scheme::Scheme;

/// The engine's finalisation certificate of the deciding scheme.
pub(crate) type Certified = Finalization<Scheme, Digest>;

/// A quorum's finalise votes for one block: a [`FinalityProof`] without its header, as stores keep it.
///
/// Shape: [epoch, view, parent view, [signature, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalityVotes {
    /// The epoch, which names the roster.
    pub epoch: u64,
    /// The view in which the block was proposed.
    pub view: u64,
    /// The view of the block's parent.
    pub parent_view: u64,
    /// Signatures, ascending by validator.
    pub signatures: Vec<FinalitySignature>,
}

impl FinalityVotes {
    /// The proof that these votes are for this block.
    pub fn proof(self, block: &Block) -> FinalityProof {
        let Self { epoch, view, parent_view, signatures } = self;
        FinalityProof { header: block.header.clone(), epoch, view, parent_view, signatures }
    }

    /// The votes in a certificate. `None` where a certificate that was never verified holds no signatures.
    pub(crate) fn of(certified: &Certified) -> Option<Self> {
        let Finalization { proposal, certificate } = certified;
        let signatures = certificate
            .signers
            .iter()
            .zip(&certificate.signatures)
            .map(|(signer, signature)| {
                let validator = u16::try_from(signer.get()).ok()?;
                let signature = signature.get()?.as_ref().try_into().ok()?;
                Some(FinalitySignature { validator, signature })
            })
            .collect::<Option<_>>()?;
        Some(Self {
            epoch: proposal.round.epoch().get(),
            view: proposal.round.view().get(),
            parent_view: proposal.parent.get(),
            signatures,
        })
    }

    /// The certificate that these votes make for a block in a committee of this size.
    pub(crate) fn certified(&self, block: HeaderHash, validators: usize) -> Option<Certified> {
        let round = Round::new(Epoch::new(self.epoch), View::new(self.view));
        let proposal = Proposal::new(round, View::new(self.parent_view), digest_of(block));
        let signers =
            self.signatures.iter().map(|signature| Participant::new(u32::from(signature.validator)));
        let signers = Signers::new(u32::try_from(validators).ok()?, signers).ok()?;
        let signatures = self
            .signatures
            .iter()
            .map(|signature| {
                Some(Lazy::from(ed25519::Signature::try_from(signature.signature.as_slice()).ok()?))
            })
            .collect::<Option<_>>()?;
        Some(Finalization { proposal, certificate: Certificate { signers, signatures } })
    }
}

impl Wire for FinalityVotes {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        out.uint(self.epoch);
        out.uint(self.view);
        out.uint(self.parent_view);
        out.list(&self.signatures);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            epoch: input.uint()?,
            view: input.uint()?,
            parent_view: input.uint()?,
            signatures: input.list(VALIDATORS_MAX)?,
        })
    }
}

/// The proof of a block from its certificate.
pub(crate) fn proof_of(block: &Arc<Block>, certified: &Certified) -> Option<FinalityProof> {
    FinalityVotes::of(certified).map(|votes| votes.proof(block))
}
