//! The CA's own feedback, read and verified: a pure function of bytes. When it may be used, `apply` says.
//!
//! ```text
//!  bytes -> size, frame -> decode, canonical? -> who signed -> signature -> what it says of one certificate
//!              statement: the CA    OCSP: the CA or its delegate    CRL: the CA
//! ```
mod crl;
mod frame;
mod ocsp;
mod party;
mod refusal;
mod statement;

use std::collections::BTreeMap;

use tabellion_ledger::{CertificateId, Hash, LedgerId, sha256};

use crate::change::{Evidence, EvidenceKind, Reason};
use crate::verify::{AlgorithmSet, CertificateRefusal, Place};

pub use crl::CRL_BYTES_MAX;
pub use ocsp::OCSP_BYTES_MAX;
pub(crate) use party::Party;
pub use refusal::EvidenceRefusal;
pub(crate) use statement::verify as verify_key_signature;
pub use statement::{STATEMENT_BYTES_MAX, SignedStatement, Statement, renewal_message, renewal_signature};

use crl::Crl;
use ocsp::Response;

/// What a CA's feedback says of one certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// Why it is suspended or revoked; none for a certificate in good standing.
    pub reason: Option<Reason>,
    /// What a request and the record keep of the evidence.
    pub evidence: Evidence,
}

/// Reads what `evidence` says of `certificate`, and verifies it under the certificate of its issuer: what a
/// client puts into its request.
///
/// Refuses: certificates that cannot be read, evidence that is refused.
pub fn feedback(
    (kind, evidence): (EvidenceKind, &[u8]),
    certificate: &[u8],
    issuer: &[u8],
    ledger: &LedgerId,
    accepted: &AlgorithmSet,
) -> Result<Result<Feedback, EvidenceRefusal>, CertificateRefusal> {
    let certificate = Party::of(certificate, Place::Certificate)?;
    let issuer = Party::of(issuer, Place::Intermediate(1))?;
    let read = Verified::read(kind, evidence, &issuer, ledger, accepted);
    Ok(read.and_then(|read| read.about(&certificate, &issuer)))
}

/// Evidence whose signature holds under one issuer.
#[derive(Clone)]
enum Verified {
    Statement(SignedStatement, Hash),
    Ocsp(Box<Response>),
    Crl(Box<Crl>),
}

impl Verified {
    fn read(
        kind: EvidenceKind,
        bytes: &[u8],
        issuer: &Party,
        ledger: &LedgerId,
        accepted: &AlgorithmSet,
    ) -> Result<Self, EvidenceRefusal> {
        match kind {
            EvidenceKind::Statement => {
                let statement = SignedStatement::read(bytes)?;
                statement.verify(issuer, ledger, accepted)?;
                Ok(Self::Statement(statement, Hash(sha256(bytes))))
            }
            EvidenceKind::Ocsp => Ok(Self::Ocsp(Box::new(Response::read(bytes, issuer, accepted)?))),
            EvidenceKind::Crl => Ok(Self::Crl(Box::new(Crl::read(bytes, issuer, accepted)?))),
            EvidenceKind::Renewal => Err(EvidenceRefusal::Malformed { kind, position: None }),
        }
    }

    fn about(&self, certificate: &Party, issuer: &Party) -> Result<Feedback, EvidenceRefusal> {
        match self {
            Self::Statement(statement, hash) => statement.about(certificate, issuer, *hash),
            Self::Ocsp(response) => response.about(certificate, issuer),
            Self::Crl(crl) => crl.about(certificate, issuer),
        }
    }
}

/// The evidence of one request: each piece is read and verified once, however many certificates it speaks of.
#[derive(Default)]
pub(crate) struct EvidenceDesk(
    BTreeMap<(EvidenceKind, Hash, CertificateId), Result<Verified, EvidenceRefusal>>,
);

impl EvidenceDesk {
    /// What the evidence `bytes` with SHA-256 `hash` says of `certificate`.
    pub fn ask(
        &mut self,
        (kind, hash, bytes): (EvidenceKind, Hash, &[u8]),
        certificate: &Party,
        issuer: &Party,
        ledger: &LedgerId,
        accepted: &AlgorithmSet,
    ) -> Result<Feedback, EvidenceRefusal> {
        let verified = self
            .0
            .entry((kind, hash, issuer.facts.certificate))
            .or_insert_with(|| Verified::read(kind, bytes, issuer, ledger, accepted));
        verified.as_ref().map_err(Clone::clone)?.about(certificate, issuer)
    }
}

/// Reads any bytes as evidence of every kind, without a signature: the entry for fuzzing. It never panics.
pub fn precheck_evidence(bytes: &[u8]) -> Result<EvidenceKind, EvidenceRefusal> {
    let statement = SignedStatement::read(bytes).map(|_| EvidenceKind::Statement);
    let ocsp = || ocsp::precheck(bytes).map(|()| EvidenceKind::Ocsp);
    let crl = || crl::precheck(bytes).map(|()| EvidenceKind::Crl);
    statement.or_else(|_| ocsp()).or_else(|_| crl())
}
