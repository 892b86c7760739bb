//! Keys of the people of these tests.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use tabellion_consortium::{KeyOffer, NodeKey, Purpose, possession_message};
use tabellion_ledger::{
    Algorithm, Content, Envelope, LedgerId, MemberId, PublicKey, Signature, Transaction, cbor,
};

/// An Ed25519 key.
pub struct Key(Ed25519KeyPair);

impl Key {
    pub fn new(seed: u8) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap())
    }

    pub fn raw(&self) -> [u8; 32] {
        self.0.public_key().as_ref().try_into().unwrap()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::new(Algorithm::Ed25519, &self.raw()).unwrap()
    }

    pub fn node(&self) -> NodeKey {
        NodeKey(self.raw())
    }

    pub fn sign_bytes(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).as_ref().to_vec())
    }

    /// Shows that the member holds this key, for one purpose.
    pub fn shown(&self, ledger: &LedgerId, member: &MemberId, purpose: Purpose<'_>) -> Signature {
        self.sign_bytes(&possession_message(ledger, member, &self.public().id(), purpose))
    }

    pub fn offer(&self, ledger: &LedgerId, member: &MemberId, purpose: Purpose<'_>) -> KeyOffer {
        KeyOffer { key: self.public(), possession: self.shown(ledger, member, purpose) }
    }

    pub fn sign(&self, content: &Content, attachments: Vec<Vec<u8>>) -> Transaction {
        let (payload, key_id) = (cbor::to_bytes(content), self.public().id());
        let signed = Envelope::signed_bytes(Algorithm::Ed25519, &key_id, &payload);
        let signature = self.sign_bytes(&signed);
        let envelope = Envelope { algorithm: Algorithm::Ed25519, key_id, payload, signature };
        Transaction::new(envelope, attachments).unwrap()
    }
}
