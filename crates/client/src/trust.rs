//! What a client believes: the genesis document, and nothing that a node says without a proof.

use tabellion_consortium::{Genesis, GenesisFault};
use tabellion_ledger::cbor::{self, DecodeError};
use tabellion_ledger::limits::RECORD_BYTES_MAX;
use tabellion_ledger::{
    CertificateId, FinalityFault, FinalityProof, HandOver, HandOverFault, Header, Height, KeyId, LedgerId,
    ProofFault, RecordProof, Roster, StateKey, StateProof, TimeMs, Transaction, TransactionId, sha256,
};
use tabellion_pki::{
    CertificateRecord, KeyRecord, Scheduled, Standing, certificate_key, certificates_of_key_key,
    scheduled_key,
};
use thiserror::Error;

/// A genesis document, from which everything else is checked: first the hand-overs from its validators to
/// those of today, then proofs.
#[derive(Clone, Debug)]
pub struct Trust {
    genesis: Genesis,
    ledger: LedgerId,
    /// Rosters by number; the first is the genesis document's.
    terms: Vec<Term>,
    hand_overs: Vec<HandOver>,
}

/// A roster and how long it finalises.
#[derive(Clone, Debug)]
struct Term {
    roster: Roster,
    /// Its last block; `None` for the newest roster that is known.
    last: Option<Height>,
}

/// Why something that a node or a file says does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TrustError {
    /// No genesis document.
    #[error("the genesis document is refused: {0}")]
    Genesis(GenesisFault),
    /// A header of validators that are not known yet.
    #[error(
        "the header at height {height} is signed by validators that no hand-over has named yet; \
         known are those of roster {known}"
    )]
    UnknownRoster {
        /// The header's height.
        height: Height,
        /// Number of the newest roster that is known.
        known: u64,
    },
    /// A header of validators whose term was over.
    #[error("the header at height {height} is signed by validators whose term ended with block {last}")]
    TermOver {
        /// The header's height.
        height: Height,
        /// Their last block.
        last: Height,
    },
    /// A change of validators that does not hold.
    #[error("the hand-over to roster {number} does not hold: {fault}")]
    HandOver {
        /// The roster's number.
        number: u64,
        /// What is wrong.
        fault: HandOverFault,
    },
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
        let terms = vec![Term { roster: genesis.roster(), last: None }];
        Self { ledger: genesis.ledger_id(), terms, hand_overs: Vec::new(), genesis }
    }

    /// The genesis document.
    pub fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The ledger's identifier.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The newest validators that are known.
    pub fn roster(&self) -> &Roster {
        &self.newest().roster
    }

    fn newest(&self) -> &Term {
        self.terms.last().expect("invariant: genesis has a roster")
    }

    /// The hand-overs that were taken in, from the genesis roster on.
    pub fn hand_overs(&self) -> &[HandOver] {
        &self.hand_overs
    }

    /// Whether the validators under a header are known.
    pub fn knows(&self, header: &Header) -> bool {
        self.terms.iter().any(|term| term.roster.hash() == header.roster)
    }

    /// Takes in the next change of validators; one that is known already changes nothing.
    ///
    /// Source: X.1409 L9, IV.1 (node management).
    pub fn learn(&mut self, hand_over: &HandOver) -> Result<(), TrustError> {
        let number = hand_over.roster.number();
        if self.hand_overs.iter().any(|known| known == hand_over) {
            return Ok(());
        }
        let verdict = hand_over.verify(&self.ledger, self.roster());
        let (roster, last) = verdict.map_err(|fault| TrustError::HandOver { number, fault })?;
        let roster = roster.clone();
        if let Some(term) = self.terms.last_mut() {
            term.last = Some(last);
        }
        self.terms.push(Term { roster, last: None });
        self.hand_overs.push(hand_over.clone());
        Ok(())
    }

    /// The validators that finalise a header, if it lies within their term.
    fn roster_of(&self, header: &Header) -> Result<&Roster, TrustError> {
        let (height, named, expected) = (header.height, header.ledger, self.ledger);
        if named != expected {
            let fault = FinalityFault::ForeignLedger { named, expected };
            return Err(TrustError::Proof(ProofFault::Finality(fault)));
        }
        let term = self.terms.iter().find(|term| term.roster.hash() == header.roster);
        let Some(Term { roster, last }) = term else {
            return Err(TrustError::UnknownRoster { height, known: self.roster().number() });
        };
        match last.filter(|last| height > *last) {
            Some(last) => Err(TrustError::TermOver { height, last }),
            None => Ok(roster),
        }
    }

    /// Whether the header is that of the genesis block, which nobody needs to sign: it follows from the
    /// genesis document. A node that has no other block yet answers under it.
    fn is_genesis(&self, header: &Header) -> bool {
        header.height == Height(0) && self.genesis_header().is_some_and(|genesis| genesis.header == *header)
    }

    /// The genesis block's header, by the genesis document.
    pub fn genesis_header(&self) -> Option<ProvedBy> {
        let header = tabellion_machine::genesis(&self.genesis).ok()?.block.header;
        Some(ProvedBy { header, signers: 0, validators: self.terms.first()?.roster.validators().len() })
    }

    /// Checks that a quorum finalised a header.
    pub fn finality(&self, proof: &FinalityProof) -> Result<ProvedBy, TrustError> {
        let roster = self.roster_of(&proof.header)?;
        if !self.is_genesis(&proof.header) {
            let verdict = proof.verify(&self.ledger, roster);
            verdict.map_err(|fault| TrustError::Proof(ProofFault::Finality(fault)))?;
        }
        Ok(by(proof, roster))
    }

    /// Checks the proof of a certificate's record, or of its absence.
    pub fn status(
        &self,
        proof: &StateProof,
        certificate: &CertificateId,
    ) -> Result<ProvedStatus, TrustError> {
        let (record, by) = self.record(proof, certificate_key(certificate))?;
        Ok(ProvedStatus { certificate: *certificate, record, by })
    }

    /// Checks the proof that a publication waits for its start, or that none does.
    pub fn scheduled(
        &self,
        proof: &StateProof,
        certificate: &CertificateId,
    ) -> Result<Option<Scheduled>, TrustError> {
        self.record(proof, scheduled_key(certificate)).map(|(record, _)| record)
    }

    /// Checks the proof of the list of a key's certificates.
    pub fn key(&self, proof: &StateProof, key: &KeyId) -> Result<ProvedKey, TrustError> {
        let (record, by) = self.record::<KeyRecord>(proof, certificates_of_key_key(key))?;
        Ok(ProvedKey { key: *key, certificates: record.unwrap_or_default().0, by })
    }

    /// Checks the proof of any record of the state, or of its absence, and decodes the record.
    pub fn record<T: cbor::Wire>(
        &self,
        proof: &StateProof,
        key: StateKey,
    ) -> Result<(Option<T>, ProvedBy), TrustError> {
        let (record, by) = self.record_bytes(proof, &key)?;
        let decode = |bytes: &[u8]| cbor::from_bytes(bytes, RECORD_BYTES_MAX).map_err(TrustError::Record);
        Ok((record.map(decode).transpose()?, by))
    }

    /// Checks the proof of any record of the state, or of its absence.
    pub fn record_bytes<'a>(
        &self,
        proof: &'a StateProof,
        key: &StateKey,
    ) -> Result<(Option<&'a [u8]>, ProvedBy), TrustError> {
        let roster = self.roster_of(&proof.finality.header)?;
        self.state(proof, roster, key).map_err(TrustError::Proof)?;
        Ok((proof.record.as_deref(), by(&proof.finality, roster)))
    }

    fn state(&self, proof: &StateProof, roster: &Roster, key: &StateKey) -> Result<(), ProofFault> {
        if !self.is_genesis(&proof.finality.header) {
            return proof.verify(&self.ledger, roster, key).map(|_| ());
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
        let roster = self.roster_of(&proof.header.finality.header)?;
        let verdict = proof.verify(&self.ledger, roster, id).map_err(TrustError::Proof);
        let (header, transaction) = verdict?;
        Ok(ProvedTransaction { transaction, header: header.clone(), by: by(&proof.header.finality, roster) })
    }
}

fn by(proof: &FinalityProof, roster: &Roster) -> ProvedBy {
    ProvedBy {
        header: proof.header.clone(),
        // Signatures under the genesis block were not looked at.
        signers: if proof.header.height == Height(0) { 0 } else { proof.signatures.len() },
        validators: roster.validators().len(),
    }
}
