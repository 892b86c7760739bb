//! Status changes and renewals: what a client makes of a CA's feedback, or of the key of a certificate that
//! is to be renewed.
//!
//! Absent: keys of certificates. A CA signs its statement, and the owner of a certificate its renewal, with
//! whatever tool holds the key; the bytes to be signed come from `Statement::signed_bytes` and
//! `renewal_message`.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabellion_ledger::{CertificateId, Lane, LedgerId, TimeMs, Transaction, cbor};
use tabellion_pki::{
    Action, AlgorithmSet, CertificateRefusal, EvidenceKind, EvidenceRefusal, KeySignature, Renewal,
    SignatureAlgorithm, SignedStatement, Statement, StatusChange, feedback,
};
use thiserror::Error;

use crate::certificate::Certificate;
use crate::publish::{Publication, PublishError, Signer};

/// A status change with what a transaction brings along for it.
#[derive(Clone, Debug)]
pub struct ChangeRequest {
    /// What is asked for: what the CA's feedback says.
    pub change: StatusChange,
    attachments: [Arc<[u8]>; 3],
}

/// Why a CA's feedback gives no request.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FeedbackError {
    /// One of the two certificates cannot be read.
    #[error("the certificate cannot be read")]
    Certificate(#[from] CertificateRefusal),
    /// The feedback proves nothing of this certificate.
    #[error("the CA's feedback proves nothing of this certificate")]
    Evidence(#[from] EvidenceRefusal),
}

impl ChangeRequest {
    /// Reads what the feedback of the CA `issuer` says of `certificate`, as every validator will
    /// (X.1409 C13).
    ///
    /// All algorithms that this version knows are accepted here; the ledger may accept fewer.
    pub fn new(
        (kind, evidence): (EvidenceKind, &[u8]),
        certificate: &Certificate,
        issuer: &Certificate,
        ledger: &LedgerId,
    ) -> Result<Self, FeedbackError> {
        let accepted = AlgorithmSet::default();
        let said = feedback((kind, evidence), &certificate.der, &issuer.der, ledger, &accepted)??;
        let change = StatusChange {
            certificate: certificate.id(),
            issuer: issuer.id(),
            not_after: certificate.facts.not_after,
            reason: said.reason,
            evidence: said.evidence,
        };
        Ok(Self { change, attachments: [certificate.der.clone(), issuer.der.clone(), evidence.into()] })
    }

    /// Joins a statement and the CA's signature, made by any tool; the algorithm is found by trying.
    ///
    /// Refuses: a signature that verifies under none (`SignatureWrong`), and what [`Self::new`] refuses.
    pub fn of_statement(
        statement: Statement,
        signature: &[u8],
        certificate: &Certificate,
        issuer: &Certificate,
    ) -> Result<Self, FeedbackError> {
        let request = |algorithm: &SignatureAlgorithm| {
            let signature = KeySignature { algorithm: algorithm.identifier(), signature: signature.to_vec() };
            let bytes = cbor::to_bytes(&SignedStatement { statement, signature });
            Self::new((EvidenceKind::Statement, &bytes), certificate, issuer, &statement.ledger)
        };
        let is_unfit = |outcome: &Result<Self, FeedbackError>| match outcome {
            Err(FeedbackError::Evidence(refusal)) => matches!(
                refusal,
                EvidenceRefusal::AlgorithmDoesNotFitKey { .. } | EvidenceRefusal::SignatureWrong { .. }
            ),
            _ => false,
        };
        let tried = SignatureAlgorithm::ALL.iter().map(request).find(|outcome| !is_unfit(outcome));
        let signer = issuer.id();
        tried.unwrap_or(Err(FeedbackError::Evidence(EvidenceRefusal::SignatureWrong { signer })))
    }
}

impl Signer<'_> {
    /// Makes one transaction of all these changes, or none; what they share is attached once.
    ///
    /// Limit: `ENTRIES_MAX` changes, and a transaction's limits.
    pub fn change(
        &self,
        requests: &[ChangeRequest],
        valid_until: TimeMs,
    ) -> Result<Transaction, PublishError> {
        let changes = requests.iter().map(|request| request.change.clone()).collect();
        let attachments = once(requests.iter().flat_map(|request| &request.attachments).map(AsRef::as_ref));
        let action = cbor::to_bytes(&Action::Change(changes));
        self.transaction(Lane::Certificate, action, attachments, valid_until)
    }

    /// Makes a transaction that publishes a certificate in the place of `old` (X.1409 C15); `signature` is by
    /// the key of `old` over `renewal_message`: see [`renewal_signature`].
    pub fn renew(
        &self,
        new: &Publication,
        old: &Certificate,
        signature: KeySignature,
        valid_until: TimeMs,
    ) -> Result<Transaction, PublishError> {
        let renewal = Renewal {
            entry: new.entry.clone(),
            old: old.id(),
            old_not_after: old.facts.not_after,
            signature,
        };
        let attachments = once(new.certificates().chain([old.der.as_ref()]));
        let action = cbor::to_bytes(&Action::Renew(Box::new(renewal)));
        self.transaction(Lane::Certificate, action, attachments, valid_until)
    }
}

/// A signature over `renewal_message` by the key of `old`, made by any tool, as a renewal carries it; the
/// algorithm is found by trying.
pub fn renewal_signature(
    old: &Certificate,
    new: &CertificateId,
    ledger: &LedgerId,
    signature: &[u8],
) -> Result<KeySignature, FeedbackError> {
    Ok(tabellion_pki::renewal_signature(&old.der, new, ledger, signature)??)
}

fn once<'a>(attachments: impl Iterator<Item = &'a [u8]>) -> Vec<Vec<u8>> {
    let by_id: BTreeMap<_, _> = attachments.map(|bytes| (CertificateId::of(bytes), bytes)).collect();
    by_id.into_values().map(<[u8]>::to_vec).collect()
}
