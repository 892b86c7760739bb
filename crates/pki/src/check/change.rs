//! The stateless half of status changes and renewals: what the CA's feedback says, and who asks for a
//! renewal.

use std::collections::BTreeMap;

use tabellion_ledger::{CertificateId, LedgerId};

use super::{Attached, CheckedEntry, check_entry, get};
use crate::change::{Renewal, StatusChange};
use crate::evidence::{EvidenceDesk, Feedback, Party, renewal_message, verify_key_signature};
use crate::refusal::{ChangeRefusal, EntryRefusal};
use crate::verify::{ChainCache, Learned, Place, PreparedParameters};

/// Checks the status changes of one request; issuers and evidence that several share are read once.
pub(super) struct ChangeDesk<'a> {
    attached: &'a Attached<'a>,
    prepared: &'a PreparedParameters,
    ledger: &'a LedgerId,
    issuers: BTreeMap<CertificateId, Party>,
    evidence: EvidenceDesk,
}

impl<'a> ChangeDesk<'a> {
    pub fn new(attached: &'a Attached<'a>, prepared: &'a PreparedParameters, ledger: &'a LedgerId) -> Self {
        let (issuers, evidence) = (BTreeMap::new(), EvidenceDesk::default());
        Self { attached, prepared, ledger, issuers, evidence }
    }

    /// Source: X.1409 C13, A.1 (1) (required): the request contains the CA's feedback and the new status.
    pub fn check(&mut self, change: &StatusChange) -> Result<(), EntryRefusal> {
        let certificate = Party::of(get(self.attached, &change.certificate)?, Place::Certificate)?;
        let issuer = self.issuer(&change.issuer)?;
        if !issuer.facts.subject.is_same(&certificate.facts.issuer) {
            return Err(ChangeRefusal::NotIssuer { issuer: change.issuer }.into());
        }
        check_end(&certificate, change.not_after)?;
        let (kind, hash) = (change.evidence.kind, change.evidence.hash);
        let bytes = self.attached.get(&CertificateId(hash.0));
        let bytes = bytes.ok_or(ChangeRefusal::EvidenceNotAttached { hash })?;
        let algorithms = &self.prepared.algorithms;
        let said = self.evidence.ask((kind, hash, bytes), &certificate, &issuer, self.ledger, algorithms);
        Ok(compare(change, &said.map_err(ChangeRefusal::from)?)?)
    }

    fn issuer(&mut self, id: &CertificateId) -> Result<Party, EntryRefusal> {
        if let Some(known) = self.issuers.get(id) {
            return Ok(known.clone());
        }
        let issuer = Party::of(get(self.attached, id)?, Place::Intermediate(1))?;
        self.issuers.insert(*id, issuer.clone());
        Ok(issuer)
    }
}

fn check_end(certificate: &Party, said: tabellion_ledger::TimeMs) -> Result<(), ChangeRefusal> {
    let found = certificate.facts.not_after;
    if found == said { Ok(()) } else { Err(ChangeRefusal::EndDiffers { found, said }) }
}

/// What the request says of the evidence must be what the evidence says: a ledger of identifiers keeps only
/// the request.
fn compare(change: &StatusChange, said: &Feedback) -> Result<(), ChangeRefusal> {
    if said.reason != change.reason {
        return Err(ChangeRefusal::StatusDiffers {
            found: crate::change::Reason::status(said.reason),
            found_reason: said.reason,
            asked: change.status(),
            asked_reason: change.reason,
        });
    }
    let evidence = said.evidence;
    if evidence == change.evidence {
        return Ok(());
    }
    let (signer, at, until, number) = (evidence.signer, evidence.at, evidence.until, evidence.number);
    Err(ChangeRefusal::EvidenceDiffers { signer, at, until, number })
}

/// Source: X.1409 C15, A.1: equal distinguished names (required), signed with the key of the certificate that
/// is to be renewed (recommended).
pub(super) fn check_renewal(
    renewal: &Renewal,
    attached: &Attached<'_>,
    prepared: &PreparedParameters,
    ledger: &LedgerId,
    cache: &ChainCache,
) -> (Result<CheckedEntry, EntryRefusal>, Option<Learned>) {
    if let Err(refusal) = check_old(renewal, attached, prepared, ledger) {
        return (Err(refusal), None);
    }
    check_entry(&renewal.entry, attached, prepared, cache)
}

fn check_old(
    renewal: &Renewal,
    attached: &Attached<'_>,
    prepared: &PreparedParameters,
    ledger: &LedgerId,
) -> Result<(), EntryRefusal> {
    let place = Place::Certificate;
    let old = Party::of(get(attached, &renewal.old)?, place)?;
    let new = Party::of(get(attached, &renewal.entry.certificate)?, place)?;
    check_end(&old, renewal.old_not_after)?;
    let (old_name, new_name) = (&old.facts.subject, &new.facts.subject);
    if !old_name.is_same(new_name) {
        let (old, new) = (old_name.text().to_owned(), new_name.text().to_owned());
        return Err(ChangeRefusal::RenewalNameDiffers { old, new }.into());
    }
    if old_name.is_empty() {
        return Err(ChangeRefusal::RenewalWithoutName.into());
    }
    let message = renewal_message(ledger, &renewal.old, &renewal.entry.certificate);
    let signed = verify_key_signature(&renewal.signature, &message, &old, &prepared.algorithms);
    Ok(signed.map_err(ChangeRefusal::from)?)
}
