//! Keys and signatures of submitters and validators.
//!
//! Algorithms and their COSE numbers: Ed25519 (-8, RFC 9053), ES256 (-7), ML-DSA-65 (-49). Which of them a
//! ledger accepts is a parameter.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::cbor::{DecodeError, Reader, Wire, Writer};
use crate::id::{KeyId, sha256_parts};

/// A signature algorithm of transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// EdDSA over Curve25519 (RFC 8032).
    Ed25519,
    /// ECDSA over P-256 with SHA-256.
    Es256,
    /// ML-DSA-65 (FIPS 204), pure, empty context.
    MlDsa65,
}

impl Algorithm {
    /// Every algorithm of the format.
    pub const ALL: [Self; 3] = [Self::Ed25519, Self::Es256, Self::MlDsa65];

    /// The number in the IANA registry of COSE algorithms.
    pub fn cose_number(self) -> i64 {
        match self {
            Self::Ed25519 => -8,
            Self::Es256 => -7,
            Self::MlDsa65 => -49,
        }
    }

    /// The algorithm with this COSE number.
    pub fn from_cose_number(number: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.cose_number() == number)
    }

    /// Bytes of a public key: raw (Ed25519, ML-DSA-65) or an uncompressed point (ES256).
    pub fn public_key_bytes(self) -> usize {
        match self {
            Self::Ed25519 => 32,
            Self::Es256 => 65,
            Self::MlDsa65 => 1952,
        }
    }

    /// Bytes of a signature; ES256 in the fixed form r || s.
    pub fn signature_bytes(self) -> usize {
        match self {
            Self::Ed25519 | Self::Es256 => 64,
            Self::MlDsa65 => 3309,
        }
    }

    /// What stands before the raw key in a DER SubjectPublicKeyInfo (RFC 8410, RFC 5480, RFC 9881).
    pub fn spki_prefix(self) -> &'static [u8] {
        match self {
            Self::Ed25519 => &[0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00],
            Self::Es256 => &[
                0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08,
                0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
            ],
            Self::MlDsa65 => &[
                0x30, 0x82, 0x07, 0xb2, 0x30, 0x0b, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
                0x03, 0x12, 0x03, 0x82, 0x07, 0xa1, 0x00,
            ],
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ed25519 => "Ed25519",
            Self::Es256 => "ES256",
            Self::MlDsa65 => "ML-DSA-65",
        })
    }
}

impl Wire for Algorithm {
    fn encode(&self, out: &mut Writer) {
        out.int(self.cose_number());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Self::from_cose_number(input.int()?).ok_or(DecodeError::Value { field: "algorithm" })
    }
}

/// A public key of a member, an account or a validator.
///
/// Shape: [algorithm, key bytes].
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

/// A signature or key that is not what its algorithm asks for, or that does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureFault {
    /// A key or signature of the wrong length.
    Length {
        /// The algorithm.
        algorithm: Algorithm,
        /// Bytes found.
        found: usize,
        /// Bytes that the algorithm asks for.
        expected: usize,
    },
    /// The signature is not this key's over these bytes.
    Invalid {
        /// The algorithm.
        algorithm: Algorithm,
    },
}

impl fmt::Display for SignatureFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { algorithm, found, expected } => {
                write!(f, "{algorithm} wants {expected} bytes, {found} found")
            }
            Self::Invalid { algorithm } => write!(f, "the {algorithm} signature does not verify"),
        }
    }
}

impl std::error::Error for SignatureFault {}

impl PublicKey {
    /// A key from its raw bytes (ES256: the uncompressed point).
    pub fn new(algorithm: Algorithm, bytes: &[u8]) -> Result<Self, SignatureFault> {
        let expected = algorithm.public_key_bytes();
        if bytes.len() != expected {
            return Err(SignatureFault::Length { algorithm, found: bytes.len(), expected });
        }
        Ok(Self { algorithm, bytes: bytes.to_vec() })
    }

    /// The key in a DER SubjectPublicKeyInfo, if it is of one of the three algorithms.
    pub fn from_spki(spki: &[u8]) -> Option<Self> {
        Algorithm::ALL.into_iter().find_map(|algorithm| {
            let raw = spki.strip_prefix(algorithm.spki_prefix())?;
            Self::new(algorithm, raw).ok()
        })
    }

    /// The key's algorithm.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The raw key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The key as DER SubjectPublicKeyInfo.
    pub fn to_spki(&self) -> Vec<u8> {
        [self.algorithm.spki_prefix(), &self.bytes].concat()
    }

    /// SHA-256 of the DER SubjectPublicKeyInfo.
    pub fn id(&self) -> KeyId {
        KeyId(sha256_parts(&[self.algorithm.spki_prefix(), &self.bytes]))
    }

    /// Checks `signature` over `message`.
    ///
    /// Errors: a signature of the wrong length, or one that does not verify.
    #[cfg(not(target_family = "wasm"))]
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureFault> {
        use aws_lc_rs::signature as aws;

        let algorithm = self.algorithm;
        let expected = algorithm.signature_bytes();
        if signature.0.len() != expected {
            return Err(SignatureFault::Length { algorithm, found: signature.0.len(), expected });
        }
        let verifier: &'static dyn aws::VerificationAlgorithm = match algorithm {
            Algorithm::Ed25519 => &aws::ED25519,
            Algorithm::Es256 => &aws::ECDSA_P256_SHA256_FIXED,
            Algorithm::MlDsa65 => &aws::ML_DSA_65,
        };
        aws::UnparsedPublicKey::new(verifier, &self.bytes)
            .verify(message, &signature.0)
            .map_err(|_| SignatureFault::Invalid { algorithm })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({}, {:?})", self.algorithm, self.id())
    }
}

impl Wire for PublicKey {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.algorithm.encode(out);
        out.bytes(&self.bytes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let algorithm = Algorithm::decode(input)?;
        let bytes = input.bytes(algorithm.public_key_bytes())?;
        Self::new(algorithm, bytes).map_err(|_| DecodeError::Value { field: "public key" })
    }
}

/// A signature's raw bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature(pub Vec<u8>);
