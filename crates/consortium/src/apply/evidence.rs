//! Evidence against validators.

use tabellion_ledger::{Equivocation, Height, MemberId};

use super::vote::{Opening, open};
use crate::change::Change;
use crate::draft::Draft;
use crate::event::Event;
use crate::key::equivocation_key;
use crate::proposal::ProposalNumber;
use crate::refusal::Refusal;
use crate::signing::NodeKey;
use crate::state::EquivocationRecord;
use crate::view::{self, Submitter};

/// Records that a validator voted two ways in one view, once for each view, and asks the members whether to
/// suspend its organisation. The evidence itself is checked before.
pub(super) fn accuse(evidence: &Equivocation, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let Equivocation { epoch, view: round, validator, .. } = evidence;
    let key = NodeKey(*validator);
    let node = view::node_of_key(draft.view(), &key).ok_or_else(|| Refusal::NotANodeKey { key: key.id() })?;
    let (epoch, round) = (*epoch, *round);
    if let Some(known) = view::equivocation(draft.view(), &node.id, epoch, round) {
        let height = known.recorded.height;
        return Err(Refusal::EvidenceKnown { node: node.id, epoch, view: round, height });
    }
    let proposal = propose_suspension(&node.member, draft);
    let record = EquivocationRecord {
        node: node.id,
        member: node.member.clone(),
        reporter: by.member.clone(),
        recorded: draft.now(),
        proposal,
    };
    draft.put(equivocation_key(&node.id, epoch, round), &record);
    draft.tell(Event::Equivocated { node: node.id, member: node.member, epoch, view: round, proposal });
    Ok(())
}

/// Opens a proposal to suspend a member, unless one is open upon earlier evidence. Nobody has voted on it;
/// the members decide.
fn propose_suspension(member: &MemberId, draft: &mut Draft<'_>) -> Option<ProposalNumber> {
    let change = Change::SuspendMember { member: member.clone() };
    let agenda = view::agenda(draft.view());
    let by_the_ledger = agenda.open.iter().filter(|entry| entry.proposer.is_none());
    let asked = by_the_ledger
        .filter_map(|entry| view::proposal(draft.view(), entry.number))
        .find(|proposal| proposal.change == change);
    if let Some(asked) = asked {
        return Some(asked.number);
    }
    if !view::members(draft.view()).is_active(member) {
        return None;
    }
    let voting_ms = view::parameters(draft.view()).governance.suspension_voting_ms;
    let opening = Opening {
        proposer: None,
        change,
        reason: "A validator of this member voted two ways in one view.".to_owned(),
        deadline: draft.ctx.time.plus(voting_ms),
        effect: Height(0),
    };
    Some(open(opening, draft))
}
