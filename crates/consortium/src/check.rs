//! The stateless half: signatures that show keys, and evidence. Expensive, parallel, independent of
//! time.

use tabellion_ledger::{CertificateId, Equivocation, LedgerId, MemberId, PublicKey, Signature};

use crate::action::{Action, Invite, Join, Rotation};
use crate::change::Change;
use crate::refusal::Refusal;
use crate::signing::{KeyOffer, Purpose, is_usable, possession_message};
use crate::view::Submitter;

/// An action whose signatures hold, whatever the state and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    action: Action,
}

impl Checked {
    /// The action.
    pub fn action(&self) -> &Action {
        &self.action
    }
}

/// Parses and checks an action. Nothing is attached to the transactions of this lane: what they say is
/// recorded on every kind of ledger.
///
/// `by` is who signed the transaction: the signatures inside are for its member. Of the submitter only what
/// never changes is used: its member, its key and what that signs for.
///
/// Refuses, in this order: a malformed action, a key of a kind that never does that, an attachment, unusable
/// keys, keys that nobody shows to hold, evidence that shows nothing.
pub fn check(
    action: &[u8],
    attachments: &[Vec<u8>],
    by: &Submitter,
    ledger: &LedgerId,
) -> Result<Checked, Refusal> {
    let action = Action::from_bytes(action).map_err(|error| Refusal::MalformedAction { error })?;
    by.require_kind(&action.permission())?;
    if let Some(attachment) = attachments.first() {
        return Err(Refusal::UnusedAttachment { id: CertificateId::of(attachment) });
    }
    check_signatures(&action, by, ledger)?;
    Ok(Checked { action })
}

fn check_signatures(action: &Action, by: &Submitter, ledger: &LedgerId) -> Result<(), Refusal> {
    let shown = |offer: &KeyOffer, member: &MemberId, purpose| check_offer(offer, ledger, member, purpose);
    match action {
        Action::AddKey(offer) => shown(offer, &by.member, Purpose::Member),
        Action::OpenAccount(new) => {
            new.keys.iter().try_for_each(|offer| shown(offer, &by.member, Purpose::Account(&new.name)))
        }
        Action::AddAccountKey { name, key } => shown(key, &by.member, Purpose::Account(name)),
        Action::Propose(proposed) => match &proposed.change {
            Change::AddMember(new) => {
                new.keys.iter().try_for_each(|offer| shown(offer, &new.id, Purpose::Member))
            }
            Change::ReplaceKeys { member, keys } => {
                keys.iter().try_for_each(|offer| shown(offer, member, Purpose::Member))
            }
            _ => Ok(()),
        },
        Action::Invite(Invite { key, .. }) => check_usable(&key.public()),
        Action::Join(join) => check_join(join, by, ledger),
        Action::RotateNode(rotation) => check_rotation(rotation, &by.member, ledger),
        Action::Accuse(evidence) => check_evidence(evidence, ledger),
        _ => Ok(()),
    }
}

fn check_join(join: &Join, by: &Submitter, ledger: &LedgerId) -> Result<(), Refusal> {
    let purpose = Purpose::Join(&by.key.id());
    check_possession(&join.key.public(), &join.possession, ledger, &by.member, purpose)
}

fn check_rotation(rotation: &Rotation, member: &MemberId, ledger: &LedgerId) -> Result<(), Refusal> {
    let Rotation { node, present, key, possession, consent } = rotation;
    check_possession(&key.public(), possession, ledger, member, Purpose::Next(node))?;
    let purpose = Purpose::Yield(node, &key.id());
    check_possession(&present.public(), consent, ledger, member, purpose)
}

fn check_offer(
    offer: &KeyOffer,
    ledger: &LedgerId,
    member: &MemberId,
    purpose: Purpose<'_>,
) -> Result<(), Refusal> {
    check_possession(&offer.key, &offer.possession, ledger, member, purpose)
}

/// Checks that somebody holds a key and meant it for this.
fn check_possession(
    key: &PublicKey,
    signature: &Signature,
    ledger: &LedgerId,
    member: &MemberId,
    purpose: Purpose<'_>,
) -> Result<(), Refusal> {
    check_usable(key)?;
    let id = key.id();
    let message = possession_message(ledger, member, &id, purpose);
    key.verify(&message, signature).map_err(|_| Refusal::PossessionNotShown { key: id })
}

fn check_usable(key: &PublicKey) -> Result<(), Refusal> {
    match is_usable(key) {
        true => Ok(()),
        false => Err(Refusal::UnusableKey { key: key.id() }),
    }
}

fn check_evidence(evidence: &Equivocation, ledger: &LedgerId) -> Result<(), Refusal> {
    let shown = evidence.verify(ledger, &evidence.validator);
    shown.map_err(|fault| Refusal::EvidenceRefused { reason: fault.to_string() })
}
