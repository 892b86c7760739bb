//! Changes of parameters.

use tabellion_ledger::{Algorithm, CertificateId, MemberId, View};

use crate::change::{Change, Der};
use crate::draft::Draft;
use crate::event::Event;
use crate::key::anchor_key;
use crate::parameters::{ANCHORS_MAX, CertificateRules, Parameters};
use crate::refusal::Refusal;
use crate::view;

/// Changes the list of trusted CAs (X.1409 C4, 8.2.1(3): required).
pub(super) fn trust(add: &[Der], remove: &[CertificateId], draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut parameters = view::parameters(draft.view());
    let anchors = &mut parameters.certificate.anchors;
    for id in remove {
        let place = anchors.binary_search(id).map_err(|_| Refusal::NotTrusted { id: *id })?;
        anchors.remove(place);
        draft.remove(anchor_key(id));
    }
    for der in add {
        let id = der.id();
        match anchors.binary_search(&id) {
            Ok(_) => return Err(Refusal::TrustedAlready { id }),
            Err(place) => anchors.insert(place, id),
        }
        draft.put_bytes(anchor_key(&id), der.0.clone());
    }
    let (count, count_max) = (anchors.len(), ANCHORS_MAX);
    if count > count_max {
        return Err(Refusal::TooManyTrustedCas { count, count_max });
    }
    accept(parameters, "trusted-cas", draft)
}

/// Sets a group of parameters.
pub(super) fn set(change: &Change, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let mut parameters = view::parameters(draft.view());
    lay(change, &mut parameters)?;
    accept(parameters, change.name(), draft)
}

/// Lays a change over parameters. What is no change of parameters leaves them as they are.
fn lay(change: &Change, parameters: &mut Parameters) -> Result<(), Refusal> {
    match change {
        Change::Policies(rules) => rules.set(&mut parameters.certificate),
        Change::Algorithms(rules) => rules.set(parameters),
        Change::Names { names } => parameters.certificate.names.clone_from(names),
        Change::Blocks(limits) => limits.set(&mut parameters.block),
        Change::Transactions { lifetime_ms_max } => parameters.transaction.lifetime_ms_max = *lifetime_ms_max,
        Change::CertificateLimits(limits) => limits.set(&mut parameters.certificate),
        Change::Retention { lanes } => parameters.retention.clone_from(lanes),
        Change::Quotas(rules) => parameters.quota.clone_from(rules),
        Change::Voting(rules) => rules.set(parameters),
        Change::VerifierVersion { version } => {
            parameters.certificate.verifier_version =
                newer(*version, parameters.certificate.verifier_version)?;
        }
        Change::LedgerVersion { version } => {
            parameters.governance.ledger_version = newer(*version, parameters.governance.ledger_version)?;
        }
        _ => {}
    }
    Ok(())
}

/// Versions only go up: an older one would read what the newer one wrote.
fn newer(version: u64, present: u64) -> Result<u64, Refusal> {
    if version > present { Ok(version) } else { Err(Refusal::VersionNotNewer { version, present }) }
}

/// Writes parameters that can be followed and leave every active member able to sign.
fn accept(parameters: Parameters, change: &str, draft: &mut Draft<'_>) -> Result<(), Refusal> {
    let before = view::parameters(draft.view());
    if parameters == before {
        return Err(Refusal::NothingChanges);
    }
    parameters.check()?;
    if parameters.transaction.algorithms != before.transaction.algorithms {
        require_signers(&parameters.transaction.algorithms, draft.view())?;
    }
    // A version alone is no question of whether its rules can be followed.
    let verifier_version = before.certificate.verifier_version;
    if (CertificateRules { verifier_version, ..parameters.certificate.clone() }) != before.certificate {
        let verdict = draft.judge.judge(&parameters, draft.view());
        verdict.map_err(|reason| Refusal::RulesNotFollowable { reason })?;
    }
    draft.put_parameters(&parameters);
    draft.tell(Event::ParametersChanged { change: change.to_owned() });
    Ok(())
}

/// Refuses algorithms with which an active member could not sign, not even a vote to have its own back.
fn require_signers(accepted: &[Algorithm], view: &dyn View) -> Result<(), Refusal> {
    let can_sign = |id: &MemberId| {
        let keys = view::member(view, id).map(|member| member.keys).unwrap_or_default();
        let records = keys.iter().filter_map(|key| view::key_record(view, key));
        records.into_iter().any(|record| accepted.contains(&record.key.algorithm()))
    };
    let members = view::members(view);
    let active = members.0.iter().filter(|(id, _)| members.is_active(id)).map(|(id, _)| id);
    match active.into_iter().find(|id| !can_sign(id)) {
        Some(id) => Err(Refusal::MemberWithoutKey { member: id.clone() }),
        None => Ok(()),
    }
}
