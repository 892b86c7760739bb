//! Status changes and renewals upon the state: which step is allowed, and whether the evidence is fresh.

use tabellion_ledger::{CertificateId, Context, KeyId, Staged, cbor, read};

use super::{Rules, apply_entry};
use crate::change::{Evidence, EvidenceKind, Number, Reason, Renewal, StatusChange};
use crate::check::CheckedEntry;
use crate::event::Event;
use crate::key::certificate_key;
use crate::refusal::{ChangeRefusal, EntryRefusal};
use crate::state::{CertificateRecord, Status};

/// Records one status change (X.1409 C13, C14, A.1).
pub(super) fn apply_change(
    change: &StatusChange,
    by: &KeyId,
    ctx: &Context,
    rules: &Rules<'_>,
    state: &mut Staged<'_>,
) -> Result<Event, EntryRefusal> {
    let certificate = change.certificate;
    let record = recorded(&certificate, state)?;
    if record.issuer != change.issuer {
        return Err(ChangeRefusal::IssuerDiffers { recorded: record.issuer, said: change.issuer }.into());
    }
    // What a CA says that the participants trust no more is no evidence.
    if !rules.trusts(&record.root) {
        return Err(EntryRefusal::UntrustedRoot { root: record.root });
    }
    let (from, to, since_height) = (record.status, change.status(), record.since_height);
    if from == Status::Revoked {
        return Err(ChangeRefusal::RevokedForGood { since_height }.into());
    }
    if from == to {
        return Err(ChangeRefusal::Unchanged { status: from, since_height }.into());
    }
    check_signer(&change.evidence, state)?;
    check_fresh(&change.evidence, ctx, rules)?;
    check_order(&change.evidence, to, &record)?;
    let record = put((certificate, record), change.reason, change.evidence, by, ctx, state);
    Ok(match to {
        Status::Revoked => Event::Revoked { certificate, record },
        Status::Suspended => Event::Suspended { certificate, record },
        Status::Normal => Event::Resumed { certificate, record },
    })
}

/// Publishes the new certificate and revokes the old one (X.1409 C15, A.1).
pub(super) fn apply_renewal(
    renewal: &Renewal,
    entry: &CheckedEntry,
    by: &KeyId,
    ctx: &Context,
    rules: &Rules<'_>,
    state: &mut Staged<'_>,
) -> Result<[Event; 2], EntryRefusal> {
    let (certificate, new) = (renewal.old, renewal.entry.certificate);
    let record = recorded(&certificate, state)?;
    if record.status != Status::Normal {
        return Err(ChangeRefusal::RenewalNotNormal { status: record.status }.into());
    }
    let (from, until, now) = (renewal.entry.effective().from, record.validity.until, ctx.time);
    if until < now {
        return Err(ChangeRefusal::RenewalOver { until, now }.into());
    }
    if from > now {
        return Err(ChangeRefusal::RenewalTooEarly { from, now }.into());
    }
    let published = apply_entry(entry, by, ctx, rules, state)?;
    let evidence = Evidence::of_renewal(&certificate, &new, now);
    let record = put((certificate, record), Some(Reason::Superseded), evidence, by, ctx, state);
    Ok([published, Event::Renewed { certificate, record, by: new }])
}

fn recorded(certificate: &CertificateId, state: &Staged<'_>) -> Result<CertificateRecord, ChangeRefusal> {
    let found = read::<CertificateRecord>(state, &certificate_key(certificate));
    found.ok_or(ChangeRefusal::NotRecorded { certificate: *certificate })
}

/// A key whose certificate is suspended or revoked here, the CA's or its delegate's, gives no evidence: it
/// may be in other hands.
fn check_signer(evidence: &Evidence, state: &Staged<'_>) -> Result<(), ChangeRefusal> {
    let signer = evidence.signer;
    match read::<CertificateRecord>(state, &certificate_key(&signer)) {
        Some(CertificateRecord { status, .. }) if status != Status::Normal => {
            Err(ChangeRefusal::SignerNotNormal { signer, status })
        }
        _ => Ok(()),
    }
}

fn check_fresh(evidence: &Evidence, ctx: &Context, rules: &Rules<'_>) -> Result<(), ChangeRefusal> {
    let (at, until, now) = (evidence.at, evidence.until, ctx.time);
    if at > now {
        return Err(ChangeRefusal::EvidenceTooEarly { at, now });
    }
    if until < now {
        return Err(ChangeRefusal::EvidenceOver { until, now });
    }
    let age_ms_max = rules.evidence_age_ms_max;
    if at.plus(age_ms_max) < now {
        return Err(ChangeRefusal::EvidenceTooOld { at, now, age_ms_max });
    }
    Ok(())
}

/// Evidence is used in the order in which the CA gave it.
///
/// X.509 counts in seconds, so a CA may hold and revoke within one: revoking, which nothing undoes, may rest
/// on evidence of the same moment. To suspend and to resume, it must be newer.
fn check_order(evidence: &Evidence, to: Status, record: &CertificateRecord) -> Result<(), ChangeRefusal> {
    let (at, number) = (evidence.at, evidence.number);
    if evidence.kind == EvidenceKind::Statement {
        let next = Number::from(record.sequence + 1);
        if number != next {
            return Err(ChangeRefusal::StatementSequence { said: number, next });
        }
    }
    let Some(before) = record.evidence else { return Ok(()) };
    let is_revocation = to == Status::Revoked;
    if at < before.at || (at == before.at && !is_revocation) {
        return Err(ChangeRefusal::EvidenceNotNewer { at, used: before.at });
    }
    let both_crl = (evidence.kind, before.kind) == (EvidenceKind::Crl, EvidenceKind::Crl);
    if both_crl && number <= before.number {
        return Err(ChangeRefusal::CrlNumberNotHigher { number, used: before.number });
    }
    Ok(())
}

/// Writes the next record of a certificate.
fn put(
    (certificate, before): (CertificateId, CertificateRecord),
    reason: Option<Reason>,
    evidence: Evidence,
    by: &KeyId,
    ctx: &Context,
    state: &mut Staged<'_>,
) -> CertificateRecord {
    let record = before.followed_by(reason, evidence, by, ctx.height, ctx.time);
    state.put(certificate_key(&certificate), cbor::to_bytes(&record));
    record
}
