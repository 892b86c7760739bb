//! From the engine's report of two conflicting votes to evidence that stands without the engine.

use commonware_codec::{Buf, Encode, Error as CodecError, ReadExt};
use commonware_consensus::simplex::types::{Activity, Attributable, Finalize, Notarize, Nullify, Proposal};
use commonware_consensus::types::Participant;
use commonware_consensus::{Epochable, Viewable};
use commonware_cryptography::certificate::Attestation;
use tabellion_ledger::{BlockVote, Conflict, Equivocation, LedgerId, VotePair};

use crate::block::{Digest, hash_of};
use crate::committee::NodeKey;
use crate::scheme::Scheme;

/// The evidence in a report. `None`: the report is of something else, or a vote in it was never signed.
///
/// Consensus reports conflicts before it verifies the votes, so both signatures are verified here: whoever
/// holds evidence holds proof.
pub(crate) fn evidence(
    activity: &Activity<Scheme, Digest>,
    ledger: &LedgerId,
    keys: &[NodeKey],
) -> Option<Equivocation> {
    let (signer, conflict) = conflict(activity)?;
    let NodeKey(validator) = *keys.get(usize::from(signer))?;
    let (epoch, view) = (activity.epoch().get(), activity.view().get());
    let evidence = Equivocation { epoch, view, validator, conflict };
    match evidence.verify(ledger, &validator) {
        Ok(()) => Some(evidence),
        Err(fault) => {
            tracing::warn!(epoch, view, validator = %NodeKey(validator), %fault, "a conflict nobody signed");
            None
        }
    }
}

fn conflict(activity: &Activity<Scheme, Digest>) -> Option<(Participant, Conflict)> {
    // The engine keeps the two votes to itself and writes them one after the other.
    match activity {
        Activity::ConflictingNotarize(two) => {
            let [one, other] = both::<Notarize<Scheme, Digest>>(two.encode()).ok()?;
            let votes = [vote(&one.proposal, &one.attestation)?, vote(&other.proposal, &other.attestation)?];
            Some((two.signer(), Conflict::Notarize(VotePair::new(votes[0], votes[1])?)))
        }
        Activity::ConflictingFinalize(two) => {
            let [one, other] = both::<Finalize<Scheme, Digest>>(two.encode()).ok()?;
            let votes = [vote(&one.proposal, &one.attestation)?, vote(&other.proposal, &other.attestation)?];
            Some((two.signer(), Conflict::Finalize(VotePair::new(votes[0], votes[1])?)))
        }
        Activity::NullifyFinalize(two) => {
            let mut bytes = two.encode();
            let nullify = Nullify::<Scheme>::read(&mut bytes).ok()?;
            let finalize = Finalize::<Scheme, Digest>::read(&mut bytes).ok()?;
            let (nullify, finalize) =
                (signature(&nullify.attestation)?, vote(&finalize.proposal, &finalize.attestation)?);
            Some((two.signer(), Conflict::NullifyFinalize { nullify, finalize }))
        }
        _ => None,
    }
}

fn both<T: ReadExt>(mut bytes: impl Buf) -> Result<[T; 2], CodecError> {
    Ok([T::read(&mut bytes)?, T::read(&mut bytes)?])
}

fn vote(proposal: &Proposal<Digest>, attestation: &Attestation<Scheme>) -> Option<BlockVote> {
    Some(BlockVote {
        parent_view: proposal.parent.get(),
        header: hash_of(&proposal.payload),
        signature: signature(attestation)?,
    })
}

fn signature(attestation: &Attestation<Scheme>) -> Option<[u8; 64]> {
    attestation.signature.get()?.as_ref().try_into().ok()
}

#[cfg(test)]
mod tests;
