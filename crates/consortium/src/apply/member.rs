//! What a member does with its own keys and description.

use tabellion_ledger::KeyId;

use crate::draft::Draft;
use crate::event::Event;
use crate::limits::VALID_KEYS_MAX;
use crate::member::Member;
use crate::refusal::Refusal;
use crate::signing::{KeyOffer, Owner};
use crate::view::{Submitter, parameters};

pub(super) fn add_key(offer: &KeyOffer, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut member = draft.member(&by.member)?;
    require_accepted(offer, draft)?;
    require_room(&member.keys)?;
    let id = draft.add_key(&offer.key, &by.member, Owner::Member)?;
    member.keys.push(id);
    draft.put_member(&member);
    Ok(())
}

/// Refuses a key of an algorithm that the ledger does not accept.
pub(super) fn require_accepted(offer: &KeyOffer, draft: &Draft<'_>) -> Result<(), Refusal> {
    let algorithm = offer.key.algorithm();
    match parameters(draft.view()).transaction.algorithms.contains(&algorithm) {
        true => Ok(()),
        false => Err(Refusal::AlgorithmNotAccepted { algorithm }),
    }
}

/// Refuses a third valid key: two are for the time in which one takes the other's place.
pub(super) fn require_room(keys: &[KeyId]) -> Result<(), Refusal> {
    let (count, count_max) = (keys.len(), VALID_KEYS_MAX);
    if count >= count_max { Err(Refusal::TooManyKeys { count, count_max }) } else { Ok(()) }
}

pub(super) fn retire_key(key: &KeyId, by: &Submitter, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut member = draft.member(&by.member)?;
    if !member.keys.contains(key) {
        return Err(Refusal::NotAKey { key: *key, owner: member.id.to_string() });
    }
    member.keys.retain(|other| other != key);
    if !can_sign(&member, draft) {
        return Err(Refusal::LastKey { key: *key, member: member.id });
    }
    draft.retire_key(key);
    draft.put_member(&member);
    Ok(())
}

/// Whether one of the member's keys is of an algorithm that the ledger accepts.
fn can_sign(member: &Member, draft: &Draft<'_>) -> bool {
    let accepted = parameters(draft.view()).transaction.algorithms;
    let algorithm = |id| crate::view::key_record(draft.view(), id).map(|record| record.key.algorithm());
    member.keys.iter().filter_map(algorithm).any(|algorithm| accepted.contains(&algorithm))
}

pub(super) fn describe(
    name: &str,
    contact: &str,
    by: &Submitter,
    draft: &mut Draft<'_>,
) -> Result<(), Refusal> {
    let mut member = draft.member(&by.member)?;
    if (member.name.as_str(), member.contact.as_str()) == (name, contact) {
        return Err(Refusal::NothingChanges);
    }
    (member.name, member.contact) = (name.to_owned(), contact.to_owned());
    draft.put_member(&member);
    draft.tell(Event::MemberDescribed { member: member.id });
    Ok(())
}
