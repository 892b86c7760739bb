//! Keys of the vectors, each from a seed that is the SHA-256 of its name.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ML_DSA_65_SIGNING, PqdsaKeyPair,
};
use ed25519_consensus::SigningKey;
use tabellion_ledger::{Algorithm, Envelope, PublicKey, Signature, sha256};

/// A member's signing key.
pub enum MemberKey {
    Ed25519(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    MlDsa65(PqdsaKeyPair),
}

/// The seed of this name.
pub fn seed(name: &str) -> [u8; 32] {
    sha256(format!("tabellion vector/{name}").as_bytes())
}

/// The consensus key of a validator.
pub fn validator_key(member: &str) -> SigningKey {
    SigningKey::from(seed(&format!("validator/{member}")))
}

impl MemberKey {
    /// The key of `alpha` for this algorithm.
    pub fn new(algorithm: Algorithm) -> Self {
        let seed = seed(&format!("member/alpha/{algorithm}"));
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&seed).unwrap()),
            Algorithm::Es256 => {
                let der = [EC_PRIVATE_KEY.0, &seed, EC_PRIVATE_KEY.1].concat();
                let pair = EcdsaKeyPair::from_private_key_der(&ECDSA_P256_SHA256_FIXED_SIGNING, &der);
                Self::Es256(pair.unwrap())
            }
            Algorithm::MlDsa65 => Self::MlDsa65(PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &seed).unwrap()),
        }
    }

    pub fn public(&self) -> PublicKey {
        let (algorithm, bytes) = match self {
            Self::Ed25519(pair) => (Algorithm::Ed25519, pair.public_key().as_ref()),
            Self::Es256(pair) => (Algorithm::Es256, pair.public_key().as_ref()),
            Self::MlDsa65(pair) => (Algorithm::MlDsa65, pair.public_key().as_ref()),
        };
        PublicKey::new(algorithm, bytes).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature(match self {
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::MlDsa65(pair) => {
                let mut signature = vec![0; Algorithm::MlDsa65.signature_bytes()];
                pair.sign(message, &mut signature).unwrap();
                signature
            }
        })
    }

    /// The payload in an envelope. ES256 and ML-DSA sign with chance: the `frozen` envelope stays as long as
    /// it holds.
    pub fn envelope(&self, payload: Vec<u8>, frozen: Option<Envelope>) -> Envelope {
        let key = self.public();
        let holds = |envelope: &Envelope| envelope.payload == payload && envelope.verify(&key).is_ok();
        if let Some(envelope) = frozen.filter(holds) {
            return envelope;
        }
        let signed = Envelope::signed_bytes(key.algorithm(), &key.id(), &payload);
        let signature = self.sign(&signed);
        Envelope { algorithm: key.algorithm(), key_id: key.id(), payload, signature }
    }
}

/// What stands before and after the scalar in an ECPrivateKey (RFC 5915) of P-256 without its public key.
const EC_PRIVATE_KEY: (&[u8], &[u8]) = (
    &[0x30, 0x31, 0x02, 0x01, 0x01, 0x04, 0x20],
    &[0xa0, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07],
);
