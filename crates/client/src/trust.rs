//! What a client believes: the genesis document, and nothing that a node says without a proof.

use tabellion_consortium::{Genesis, GenesisFault};
use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{
    CertificateId, FinalityFault, FinalityProof, Header, Height, KeyId, LedgerId, ProofFault, RecordProof,
    Roster, StateKey, StateProof, TimeMs, Transaction, TransactionId, sha256,
};
use tabellion_pki::{
    CertificateRecord, KeyRecord, Scheduled, Standing, certificate_key, certificates_of_key_key,
    scheduled_key,
};
use thiserror::Error;

/// A genesis document, from which everything else is checked.
#[derive(Clone, Debug)]
pub struct Trust {
    genesis: Genesis,
    ledger: LedgerId,
    roster: Roster,
}

/// Why something that a node or a file says does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustError {
    /// No genesis document.
    #[error("the genesis document is refused: {0}")]
    Genesis(GenesisFault),
    /// A proof that fails.
    #[error("the proof does not hold: {0}")]
    Proof(ProofFault),
    /// A proved record that is no record of its kind.
    #[error("the proved record does not decode: {0}")]
    Record(DecodeError),
}

/// A finalised header and who finalised it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedBy {
    /// The header.
    pub header: Header,
    /// Validators that signed; none under the genesis block, which follows from the genesis document.
    pub signers: usize,
    /// Validators of the roster.
    pub validators: usize,
}

/// A certificate's status that a quorum stands for (X.1409 C10, C17).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedStatus {
    /// The certificate.
    pub certificate: CertificateId,
    /// Its record; none where it is proved that there is none.
    pub record: Option<CertificateRecord>,
    /// The header under which this holds.
    pub by: ProvedBy,
}

impl ProvedStatus {
    /// The answer to "may I rely on it": as of the header's time, or of `now` where that is later.
    pub fn standing(&self, now: Option<TimeMs>) -> Standing {
        let header = self.by.header.time;
        Standing::of(self.record.as_ref(), now.unwrap_or(header).max(header))
    }
}

/// The certificates of a key, as a quorum stands for them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedKey {
    /// The key.
    pub key: KeyId,
    /// Its certificates, oldest first; empty where it is proved that there is none.
    pub certificates: Vec<CertificateId>,
    /// The header under which this holds.
    pub by: ProvedBy,
}

/// A recorded transaction that a quorum stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedTransaction {
    /// The transaction.
    pub transaction: Transaction,
    /// Header of the block that holds it.
    pub header: Header,
    /// The header under which this holds: that one, or a later one.
    pub by: ProvedBy,
}

impl TrustError {
    /// Whether the proof carries no signatures at all: a node that has just started may not have heard any
    /// yet.
    pub fn is_unsigned(&self) -> bool {
        matches!(self, Self::Proof(ProofFault::Finality(FinalityFault::Quorum { found: 0, .. })))
    }
}

impl Trust {
    /// Believes a genesis document, given as bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, TrustError> {
        Genesis::from_bytes(bytes).map(Self::new).map_err(TrustError::Genesis)
    }

    /// Believes a genesis document.
    pub fn new(genesis: Genesis) -> Self {
        Self { ledger: genesis.ledger_id(), roster: genesis.roster(), genesis }
    }

    /// The genesis document.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The ledger's identifier.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The validators whose quorum finalises.
    pub fn roster(&self) -> &Roster {
        &self.roster
    }

    /// Whether the header is that of the genesis block, which nobody needs to sign: it follows from the
    /// genesis document. A node that has no other block yet answers under it.
    fn is_genesis(&self, header: &Header) -> bool {
        header.height == Height(0) && self.genesis_header().is_some_and(|genesis| genesis.header == *header)
    }

    /// The genesis block's header, by the genesis document.
    pub fn genesis_header(&self) -> Option<ProvedBy> {
        let header = tabellion_machine::genesis(&self.genesis).ok()?.block.header;
        Some(ProvedBy { header, signers: 0, validators: self.roster.validators().len() })
    }

    /// Checks that a quorum finalised a header.
    pub fn finality(&self, proof: &FinalityProof) -> Result<ProvedBy, TrustError> {
        if self.is_genesis(&proof.header) {
            return Ok(self.by(proof));
        }
        let verdict = proof.verify(&self.ledger, &self.roster);
        verdict.map_err(|fault| TrustError::Proof(ProofFault::Finality(fault)))?;
        Ok(self.by(proof))
    }

    fn by(&self, proof: &FinalityProof) -> ProvedBy {
        ProvedBy {
            header: proof.header.clone(),
            // Signatures under the genesis block were not looked at.
            signers: if proof.header.height == Height(0) { 0 } else { proof.signatures.len() },
            validators: self.roster.validators().len(),
        }
    }

    /// Checks the proof of a certificate's record, or of its absence.
    pub fn status(
        &self,
        proof: &StateProof,
        certificate: &CertificateId,
    ) -> Result<ProvedStatus, TrustError> {
        let record = self.record(proof, certificate_key(certificate))?;
        Ok(ProvedStatus { certificate: *certificate, record, by: self.by(&proof.finality) })
    }

    /// Checks the proof that a publication waits for its start, or that none does.
    pub fn scheduled(
        &self,
        proof: &StateProof,
        certificate: &CertificateId,
    ) -> Result<Option<Scheduled>, TrustError> {
        self.record(proof, scheduled_key(certificate))
    }

    /// Checks the proof of the list of a key's certificates.
    pub fn key(&self, proof: &StateProof, key: &KeyId) -> Result<ProvedKey, TrustError> {
        let record: Option<KeyRecord> = self.record(proof, certificates_of_key_key(key))?;
        Ok(ProvedKey { key: *key, certificates: record.unwrap_or_default().0, by: self.by(&proof.finality) })
    }

    fn record<T: cbor::Wire>(&self, proof: &StateProof, key: StateKey) -> Result<Option<T>, TrustError> {
        self.state(proof, &key).map_err(TrustError::Proof)?;
        let decode = |bytes: &Vec<u8>| cbor::from_bytes(bytes, RECORD_BYTES_MAX).map_err(TrustError::Record);
        proof.record.as_ref().map(decode).transpose()
    }

    fn state(&self, proof: &StateProof, key: &StateKey) -> Result<(), ProofFault> {
        if !self.is_genesis(&proof.finality.header) {
            return proof.verify(&self.ledger, &self.roster, key).map(|_| ());
        }
        if proof.key != *key {
            return Err(ProofFault::OtherKey);
        }
        let value_hash = proof.record.as_deref().map(sha256);
        let root = &proof.finality.header.state_root;
        proof.trie.verify(root, &key.path(), value_hash.as_ref()).map_err(ProofFault::State)
    }

    /// Checks the proof that a transaction is recorded.
    pub fn transaction(
        &self,
        proof: &RecordProof,
        id: &TransactionId,
    ) -> Result<ProvedTransaction, TrustError> {
        let verdict = proof.verify(&self.ledger, &self.roster, id).map_err(TrustError::Proof);
        let (header, transaction) = verdict?;
        Ok(ProvedTransaction { transaction, header: header.clone(), by: self.by(&proof.header.finality) })
    }
}
