//! The native statement: for CAs without OCSP and CRL, or with too large a CRL. And the like signature of a
//! renewal.

use der::Decode;
use spki::AlgorithmIdentifierOwned;
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{CertificateId, Hash, LedgerId, TimeMs};

use super::{EvidenceRefusal, Feedback, Party};
use crate::change::{Evidence, EvidenceKind, KeySignature, Number, Reason};
use crate::verify::{AlgorithmSet, CertificateRefusal, Place, SignatureAlgorithm};

/// Bytes of a signed statement: an ML-DSA-87 signature takes 4,627.
pub const STATEMENT_BYTES_MAX: usize = 8 * 1024;

/// Begins every statement: no certificate, CRL, response or transaction begins so, and what a CA signs for
/// one purpose serves no other.
const STATEMENT_CONTEXT: &str = "tabellion/ca-statement/1";
const RENEWAL_CONTEXT: &str = "tabellion/renewal/1";
/// Bytes of a statement without its signature; the longest takes 120.
const CONTENT_BYTES_MAX: usize = 256;
const CONTEXT_BYTES_MAX: usize = 32;

/// What a CA says of one certificate, for one ledger and one place in the certificate's history.
///
/// Shape: ["tabellion/ca-statement/1", ledger id, certificate id, reason or null, time (ms), sequence].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// The ledger.
    pub ledger: LedgerId,
    /// The certificate.
    pub certificate: CertificateId,
    /// None to resume, hold to suspend, any other to revoke.
    pub reason: Option<Reason>,
    /// When the CA says so. Unit: ms since 1970.
    pub at: TimeMs,
    /// The sequence of the record that this makes: one more than that of the latest record. So a statement
    /// serves once.
    pub sequence: u64,
}

impl Statement {
    /// The bytes that the CA signs, with its own key and any algorithm that it signs certificates with.
    pub fn signed_bytes(&self) -> Vec<u8> {
        cbor::to_bytes(self)
    }
}

impl Wire for Statement {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        out.text(STATEMENT_CONTEXT);
        self.ledger.encode(out);
        self.certificate.encode(out);
        out.option(self.reason.as_ref());
        self.at.encode(out);
        out.uint(self.sequence);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        if input.text(CONTEXT_BYTES_MAX)? != STATEMENT_CONTEXT {
            return Err(DecodeError::Value { field: "context of a statement" });
        }
        Ok(Self {
            ledger: LedgerId::decode(input)?,
            certificate: CertificateId::decode(input)?,
            reason: input.option()?,
            at: TimeMs::decode(input)?,
            sequence: input.uint()?,
        })
    }
}

/// A statement with the CA's signature.
///
/// Shape: [statement (byte string), [AlgorithmIdentifier (DER), signature]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedStatement {
    /// The statement.
    pub statement: Statement,
    /// By the key of the CA's certificate, over the statement's bytes.
    pub signature: KeySignature,
}

impl Wire for SignedStatement {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.bytes(&self.statement.signed_bytes());
        self.signature.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let statement = cbor::from_bytes(input.bytes(CONTENT_BYTES_MAX)?, CONTENT_BYTES_MAX)?;
        Ok(Self { statement, signature: KeySignature::decode(input)? })
    }
}

impl SignedStatement {
    /// Reads a signed statement; nothing is verified.
    pub fn read(bytes: &[u8]) -> Result<Self, EvidenceRefusal> {
        let (kind, bytes_max) = (EvidenceKind::Statement, STATEMENT_BYTES_MAX);
        if bytes.len() > bytes_max {
            return Err(EvidenceRefusal::TooLarge { kind, bytes: bytes.len(), bytes_max });
        }
        cbor::from_bytes(bytes, bytes_max).map_err(|error| match error {
            DecodeError::Trailing { count } => EvidenceRefusal::TrailingBytes { kind, extra: count },
            _ => EvidenceRefusal::Malformed { kind, position: None },
        })
    }

    pub(super) fn verify(
        &self,
        issuer: &Party,
        ledger: &LedgerId,
        accepted: &AlgorithmSet,
    ) -> Result<(), EvidenceRefusal> {
        if self.statement.ledger != *ledger {
            return Err(EvidenceRefusal::OtherLedger { named: self.statement.ledger, here: *ledger });
        }
        verify(&self.signature, &self.statement.signed_bytes(), issuer, accepted)
    }

    pub(super) fn about(
        &self,
        certificate: &Party,
        issuer: &Party,
        hash: Hash,
    ) -> Result<Feedback, EvidenceRefusal> {
        let Statement { certificate: named, reason, at, sequence, .. } = self.statement;
        let asked = certificate.facts.certificate;
        if named != asked {
            return Err(EvidenceRefusal::OtherCertificate { kind: EvidenceKind::Statement, asked });
        }
        let evidence = Evidence {
            kind: EvidenceKind::Statement,
            hash,
            signer: issuer.facts.certificate,
            at,
            until: issuer.end(),
            number: Number::from(sequence),
        };
        Ok(Feedback { reason, evidence })
    }
}

/// Verifies a signature of the form that certificates hold.
pub(crate) fn verify(
    signature: &KeySignature,
    message: &[u8],
    signer: &Party,
    accepted: &AlgorithmSet,
) -> Result<(), EvidenceRefusal> {
    let kind = EvidenceKind::Statement;
    let algorithm = AlgorithmIdentifierOwned::from_der(&signature.algorithm)
        .map_err(|_| EvidenceRefusal::Malformed { kind, position: None })?;
    signer.verify(&algorithm, message, &signature.signature, accepted)
}

/// What the key of the old certificate signs to renew it on this ledger.
///
/// Source: X.1409 C15, A.1 (recommended). Shape: ["tabellion/renewal/1", ledger id, old certificate id, new
/// certificate id].
pub fn renewal_message(ledger: &LedgerId, old: &CertificateId, new: &CertificateId) -> Vec<u8> {
    let mut out = Writer::default();
    out.array(4);
    out.text(RENEWAL_CONTEXT);
    ledger.encode(&mut out);
    old.encode(&mut out);
    new.encode(&mut out);
    out.into_bytes()
}

/// Finds the algorithm under which a signature, made by any tool, is one of the old certificate's key over
/// [`renewal_message`].
///
/// Refuses: a signature that verifies under none of those that this version knows.
pub fn renewal_signature(
    old: &[u8],
    new: &CertificateId,
    ledger: &LedgerId,
    signature: &[u8],
) -> Result<Result<KeySignature, EvidenceRefusal>, CertificateRefusal> {
    let (signer, accepted) = (Party::of(old, Place::Certificate)?, AlgorithmSet::default());
    let message = renewal_message(ledger, &signer.facts.certificate, new);
    let signatures = SignatureAlgorithm::ALL
        .iter()
        .map(|algorithm| KeySignature { algorithm: algorithm.identifier(), signature: signature.to_vec() });
    let found = signatures.into_iter().find(|tried| verify(tried, &message, &signer, &accepted).is_ok());
    Ok(found.ok_or(EvidenceRefusal::SignatureWrong { signer: signer.facts.certificate }))
}
