//! The key of a log.

use std::fmt;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use tabellion_ledger::sha256;
use thiserror::Error;

use super::wire::digitally_signed;
use crate::backend::Fault;

/// A log's key: ECDSA on P-256, as RFC 6962 section 2.1.4 asks.
pub struct CtKey {
    pair: EcdsaKeyPair,
    spki: Vec<u8>,
    id: [u8; 32],
}

/// Why a key cannot be a log's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CtKeyFault {
    /// Bytes that are no such key.
    #[error("a log's key is ECDSA on P-256, PKCS#8 or SEC1, not encrypted; this is another one")]
    Key,
    /// No chance to be had.
    #[error("the system gave no random numbers for a key")]
    Random,
}

impl fmt::Debug for CtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CtKey").field("id", &hex::encode(self.id)).finish_non_exhaustive()
    }
}

impl CtKey {
    /// A fresh key, PKCS#8 DER.
    pub fn generate() -> Result<Vec<u8>, CtKeyFault> {
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        Ok(pkcs8.map_err(|_| CtKeyFault::Random)?.as_ref().to_vec())
    }

    /// Reads a key: PKCS#8 or SEC1, DER.
    pub fn from_der(der: &[u8]) -> Result<Self, CtKeyFault> {
        let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_ASN1_SIGNING, der);
        let pair = pair.map_err(|_| CtKeyFault::Key)?;
        let spki = pair.public_key().as_der().map_err(|_| CtKeyFault::Key)?.as_ref().to_vec();
        let id = sha256(&spki);
        Ok(Self { pair, spki, id })
    }

    /// The log's identifier: SHA-256 of [`Self::spki`]. Source: RFC 6962 section 3.2.
    pub fn id(&self) -> [u8; 32] {
        self.id
    }

    /// The public key: SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The signature as `DigitallySigned`.
    pub(super) fn sign(&self, input: &[u8]) -> Result<Vec<u8>, Fault> {
        let signature = self.pair.sign(&SystemRandom::new(), input);
        let signature = signature.map_err(|_| Fault::new("the log's key did not sign"))?;
        Ok(digitally_signed(signature.as_ref()))
    }
}
