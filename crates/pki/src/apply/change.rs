//! Status changes and renewals upon the state: which step is allowed, and whether the evidence is fresh.

use tabellion_ledger::{CertificateId, Context, KeyId, Staged, cbor, read};

use super::{Rules, apply_entry, check_key, record, schedule};
use crate::action::Window;
use crate::change::{Evidence, EvidenceKind, Number, Reason, Renewal, StatusChange};
use crate::check::CheckedEntry;
use crate::event::Event;
use crate::key::{certificate_key, scheduled_key};
use crate::refusal::{ChangeRefusal, EntryRefusal};
use crate::state::{CertificateRecord, Scheduled, Status};

/// Records one status change (X.1409 C13, C14, A.1).
///
/// A certificate whose publication waits for its start is recorded first, as it was published, and changed
/// at once: it has been valid at no moment, and its records look like any other's.
pub(super) fn apply_change(
    change: &StatusChange,
    by: &KeyId,
    ctx: &Context,
    rules: &Rules<'_>,
    state: &mut Staged<'_>,
) -> Result<Vec<Event>, EntryRefusal> {
    let certificate = change.certificate;
    let found = Found::of(&certificate, state)?;
    let before = found.record(ctx);
    if before.issuer != change.issuer {
        return Err(ChangeRefusal::IssuerDiffers { recorded: before.issuer, said: change.issuer }.into());
    }
    // What a CA says that the participants trust no more is no evidence.
    if !rules.trusts(&before.root) {
        return Err(EntryRefusal::UntrustedRoot { root: before.root });
    }
    let to = change.status();
    check_step(&found, to, ctx)?;
    check_signer(&change.evidence, state)?;
    check_fresh(&change.evidence, ctx, rules)?;
    check_order(&change.evidence, to, &before)?;
    let mut events = Vec::with_capacity(2);
    if let Found::Waits(publication) = &found {
        check_key(&publication.key, state)?;
        schedule::remove(publication, state);
        events.push(record(publication, ctx, state));
    }
    let record = put((certificate, before), change.reason, change.evidence, by, ctx, state);
    events.push(match to {
        Status::Revoked => Event::Revoked { certificate, record },
        Status::Suspended => Event::Suspended { certificate, record },
        Status::Normal => Event::Resumed { certificate, record },
    });
    Ok(events)
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
    let record = to_be_renewed(&certificate, ctx, state)?;
    let (from, now) = (renewal.entry.effective().from, ctx.time);
    if from > now {
        return Err(ChangeRefusal::RenewalTooEarly { from, now }.into());
    }
    let published = apply_entry(entry, by, ctx, rules, state)?;
    let evidence = Evidence::of_renewal(&certificate, &new, now);
    let record = put((certificate, record), Some(Reason::Superseded), evidence, by, ctx, state);
    Ok([published, Event::Renewed { certificate, record, by: new }])
}

/// The record of a certificate in good standing, within its validity.
fn to_be_renewed(
    certificate: &CertificateId,
    ctx: &Context,
    state: &Staged<'_>,
) -> Result<CertificateRecord, ChangeRefusal> {
    let (found, now) = (Found::of(certificate, state)?, ctx.time);
    let record = found.record(ctx);
    let Window { from, until } = record.validity;
    if record.status != Status::Normal {
        return Err(ChangeRefusal::RenewalNotNormal { status: record.status });
    }
    if until < now {
        return Err(ChangeRefusal::RenewalOver { until, now });
    }
    // A record may be older than the start: of a certificate that was suspended and resumed before it.
    match found {
        Found::Recorded(record) if from <= now => Ok(record),
        _ => Err(ChangeRefusal::NotStarted { from, now }),
    }
}

/// What the ledger has of a certificate.
enum Found {
    Recorded(CertificateRecord),
    Waits(Scheduled),
}

impl Found {
    fn of(certificate: &CertificateId, state: &Staged<'_>) -> Result<Self, ChangeRefusal> {
        let recorded = read(state, &certificate_key(certificate)).map(Self::Recorded);
        let found = recorded.or_else(|| read(state, &scheduled_key(certificate)).map(Self::Waits));
        found.ok_or(ChangeRefusal::NotRecorded { certificate: *certificate })
    }

    /// The record before a change: of a publication that waits, the one that it would have in this block.
    fn record(&self, ctx: &Context) -> CertificateRecord {
        match self {
            Self::Recorded(record) => record.clone(),
            Self::Waits(publication) => publication.first_record(ctx.height, ctx.time),
        }
    }
}

/// Whether a status may follow upon what is there.
fn check_step(found: &Found, to: Status, ctx: &Context) -> Result<(), ChangeRefusal> {
    match found {
        Found::Recorded(CertificateRecord { status: Status::Revoked, since_height, .. }) => {
            Err(ChangeRefusal::RevokedForGood { since_height: *since_height })
        }
        Found::Recorded(CertificateRecord { status, since_height, .. }) if *status == to => {
            Err(ChangeRefusal::Unchanged { status: to, since_height: *since_height })
        }
        Found::Waits(publication) if to == Status::Normal => {
            Err(ChangeRefusal::NotStarted { from: publication.validity.from, now: ctx.time })
        }
        Found::Recorded(_) | Found::Waits(_) => Ok(()),
    }
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
/// X.509 counts in seconds, statements in milliseconds, and a CA may hold and revoke within one second:
/// revoking, which nothing undoes, may rest on evidence of the same second. To suspend and to resume, it
/// must be newer.
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
    let is_late_enough = if is_revocation { at.seconds() >= before.at.seconds() } else { at > before.at };
    if !is_late_enough {
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
