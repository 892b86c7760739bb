//! The key with which a client signs its transactions.

use std::fmt;

use aws_lc_rs::encoding::{AsBigEndian, AsDer};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ML_DSA_65_SIGNING, PqdsaKeyPair,
};
use tabellion_ledger::{Algorithm, Content, Envelope, KeyId, PublicKey, Signature, cbor};
use thiserror::Error;

/// A private key in memory. It is never shown; only [`SigningKey::to_pkcs8`] hands it out, for key files.
pub struct SigningKey {
    pair: Pair,
    public: PublicKey,
}

enum Pair {
    Ed25519(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    MlDsa65(PqdsaKeyPair),
}

/// A key that cannot be made, read or used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// The cryptographic library refused to make or to encode a key.
    #[error("the cryptographic library could not make a key")]
    Generate,
    /// The bytes are no PKCS#8 private key of an algorithm that signs transactions.
    #[error("the bytes are no PKCS#8 private key of Ed25519, ECDSA on P-256 or ML-DSA-65")]
    NotPkcs8,
    /// The cryptographic library refused to sign.
    #[error("the cryptographic library could not sign")]
    Sign,
}

impl SigningKey {
    /// Makes a fresh key from the system's randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Es256),
            Algorithm::MlDsa65 => PqdsaKeyPair::generate(&ML_DSA_65_SIGNING).map(Pair::MlDsa65),
        };
        Self::of(pair.map_err(|_| KeyError::Generate)?)
    }

    /// Reads a PKCS#8 private key; its algorithm is found out.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, KeyError> {
        let ed25519 = || Ed25519KeyPair::from_pkcs8_maybe_unchecked(pkcs8).ok().map(Pair::Ed25519);
        let es256 =
            || EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok().map(Pair::Es256);
        let ml_dsa = || PqdsaKeyPair::from_pkcs8(&ML_DSA_65_SIGNING, pkcs8).ok().map(Pair::MlDsa65);
        Self::of(ed25519().or_else(es256).or_else(ml_dsa).ok_or(KeyError::NotPkcs8)?)
    }

    fn of(pair: Pair) -> Result<Self, KeyError> {
        let (algorithm, bytes) = match &pair {
            Pair::Ed25519(pair) => (Algorithm::Ed25519, pair.public_key().as_ref()),
            Pair::Es256(pair) => (Algorithm::Es256, pair.public_key().as_ref()),
            Pair::MlDsa65(pair) => (Algorithm::MlDsa65, pair.public_key().as_ref()),
        };
        let public = PublicKey::new(algorithm, bytes).map_err(|_| KeyError::NotPkcs8)?;
        Ok(Self { pair, public })
    }

    /// The private key as PKCS#8 DER (RFC 5958). For key files only.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, KeyError> {
        let bytes = match &self.pair {
            Pair::Ed25519(pair) => pair.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Pair::Es256(pair) => pair.to_pkcs8v1().map(|document| document.as_ref().to_vec()),
            Pair::MlDsa65(pair) => pair.private_key().as_der().map(|document| document.as_ref().to_vec()),
        };
        bytes.map_err(|_| KeyError::Generate)
    }

    /// The seed of an Ed25519 key, for the node that votes with it; `None` for another algorithm.
    pub fn ed25519_seed(&self) -> Option<[u8; 32]> {
        let Pair::Ed25519(pair) = &self.pair else { return None };
        pair.seed().ok()?.as_be_bytes().ok()?.as_ref().try_into().ok()
    }

    /// The public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo: how the ledger names the key.
    pub fn id(&self) -> KeyId {
        self.public.id()
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.public.algorithm()
    }

    /// Signs bytes in the form that transactions carry (ES256: r || s).
    pub fn sign(&self, message: &[u8]) -> Result<Signature, KeyError> {
        let bytes = match &self.pair {
            Pair::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), message).map_err(|_| KeyError::Sign)?;
                signature.as_ref().to_vec()
            }
            Pair::MlDsa65(pair) => {
                let mut signature = vec![0; Algorithm::MlDsa65.signature_bytes()];
                let length = pair.sign(message, &mut signature).map_err(|_| KeyError::Sign)?;
                signature.truncate(length);
                signature
            }
        };
        Ok(Signature(bytes))
    }

    /// Signs a transaction's content (COSE_Sign1).
    pub fn envelope(&self, content: &Content) -> Result<Envelope, KeyError> {
        let payload = cbor::to_bytes(content);
        let (algorithm, key_id) = (self.algorithm(), self.id());
        let signature = self.sign(&Envelope::signed_bytes(algorithm, &key_id, &payload))?;
        Ok(Envelope { algorithm, key_id, payload, signature })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?}, private part not shown)", self.public)
    }
}
