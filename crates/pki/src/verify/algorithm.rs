//! Kinds of keys and signatures: what the participants may accept, and which routine of aws-lc checks what.

use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use der::asn1::{Any, AnyRef, ObjectIdentifier, UintRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, Tagged};
use serde::{Deserialize, Serialize};
use spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const ML_DSA_44: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.17");
const ML_DSA_65: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.18");
const ML_DSA_87: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.3.19");
const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

/// A kind of public key that this verifier knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyAlgorithm {
    /// RSA, PKCS #1.
    Rsa,
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// Ed25519. Source: RFC 8410.
    Ed25519,
    /// ML-DSA-44. Source: FIPS 204, RFC 9881.
    MlDsa44,
    /// ML-DSA-65. Source: FIPS 204, RFC 9881.
    MlDsa65,
    /// ML-DSA-87. Source: FIPS 204, RFC 9881.
    MlDsa87,
}

impl KeyAlgorithm {
    /// All kinds that can be accepted.
    pub const ALL: [Self; 7] =
        [Self::Rsa, Self::P256, Self::P384, Self::Ed25519, Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    /// The kind's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }
}

/// A signature algorithm that this verifier knows. SHA-1 and MD5 are not among them and cannot be switched
/// on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureAlgorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    RsaSha256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    RsaSha384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    RsaSha512,
    /// RSA-PSS with SHA-256 in both places and 32 octets of salt.
    RsaPssSha256,
    /// RSA-PSS with SHA-384 in both places and 48 octets of salt.
    RsaPssSha384,
    /// RSA-PSS with SHA-512 in both places and 64 octets of salt.
    RsaPssSha512,
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44, pure, empty context.
    MlDsa44,
    /// ML-DSA-65, pure, empty context.
    MlDsa65,
    /// ML-DSA-87, pure, empty context.
    MlDsa87,
}

impl SignatureAlgorithm {
    /// All algorithms that can be accepted.
    pub const ALL: [Self; 13] = [
        Self::RsaSha256,
        Self::RsaSha384,
        Self::RsaSha512,
        Self::RsaPssSha256,
        Self::RsaPssSha384,
        Self::RsaPssSha512,
        Self::EcdsaSha256,
        Self::EcdsaSha384,
        Self::EcdsaSha512,
        Self::Ed25519,
        Self::MlDsa44,
        Self::MlDsa65,
        Self::MlDsa87,
    ];

    /// The algorithm's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::RsaSha256 => "RSA with SHA-256",
            Self::RsaSha384 => "RSA with SHA-384",
            Self::RsaSha512 => "RSA with SHA-512",
            Self::RsaPssSha256 => "RSA-PSS with SHA-256",
            Self::RsaPssSha384 => "RSA-PSS with SHA-384",
            Self::RsaPssSha512 => "RSA-PSS with SHA-512",
            Self::EcdsaSha256 => "ECDSA with SHA-256",
            Self::EcdsaSha384 => "ECDSA with SHA-384",
            Self::EcdsaSha512 => "ECDSA with SHA-512",
            Self::Ed25519 => "Ed25519",
            Self::MlDsa44 => "ML-DSA-44",
            Self::MlDsa65 => "ML-DSA-65",
            Self::MlDsa87 => "ML-DSA-87",
        }
    }

    /// The AlgorithmIdentifier, DER.
    pub fn identifier(self) -> Vec<u8> {
        let null = || Some(Any::null());
        let (oid, parameters) = match self {
            Self::RsaSha256 => (RSA_SHA256, null()),
            Self::RsaSha384 => (RSA_SHA384, null()),
            Self::RsaSha512 => (RSA_SHA512, null()),
            Self::RsaPssSha256 => (RSA_PSS, Any::new(Tag::Sequence, pss_form(1, 32)).ok()),
            Self::RsaPssSha384 => (RSA_PSS, Any::new(Tag::Sequence, pss_form(2, 48)).ok()),
            Self::RsaPssSha512 => (RSA_PSS, Any::new(Tag::Sequence, pss_form(3, 64)).ok()),
            Self::EcdsaSha256 => (ECDSA_SHA256, None),
            Self::EcdsaSha384 => (ECDSA_SHA384, None),
            Self::EcdsaSha512 => (ECDSA_SHA512, None),
            Self::Ed25519 => (ED25519, None),
            Self::MlDsa44 => (ML_DSA_44, None),
            Self::MlDsa65 => (ML_DSA_65, None),
            Self::MlDsa87 => (ML_DSA_87, None),
        };
        let encoded = AlgorithmIdentifierOwned { oid, parameters }.to_der();
        encoded.expect("invariant: an AlgorithmIdentifier of under 100 bytes encodes")
    }

    /// The algorithm that an identifier names.
    ///
    /// Parameters: NULL or absent for RSA PKCS #1 v1.5 (RFC 4055 5: absent must be accepted), one known form
    /// per hash for RSA-PSS, absent for all others (RFC 5758, 8410, 9881).
    ///
    /// Errors: the object identifier of an unknown algorithm, with a remark where only the parameters are
    /// wrong.
    pub(crate) fn of(identifier: &AlgorithmIdentifierOwned) -> Result<Self, String> {
        let algorithm = match identifier.oid {
            RSA_SHA256 => Self::RsaSha256,
            RSA_SHA384 => Self::RsaSha384,
            RSA_SHA512 => Self::RsaSha512,
            RSA_PSS => return rsa_pss(identifier),
            ECDSA_SHA256 => Self::EcdsaSha256,
            ECDSA_SHA384 => Self::EcdsaSha384,
            ECDSA_SHA512 => Self::EcdsaSha512,
            ED25519 => Self::Ed25519,
            ML_DSA_44 => Self::MlDsa44,
            ML_DSA_65 => Self::MlDsa65,
            ML_DSA_87 => Self::MlDsa87,
            other => return Err(other.to_string()),
        };
        let is_rsa = matches!(algorithm, Self::RsaSha256 | Self::RsaSha384 | Self::RsaSha512);
        let parameters_fit = match &identifier.parameters {
            Some(parameters) => is_rsa && parameters.tag() == Tag::Null && parameters.value().is_empty(),
            None => true,
        };
        if parameters_fit {
            Ok(algorithm)
        } else {
            Err(format!("{} with wrong parameters", algorithm.name()))
        }
    }
}

/// The parameters of RSA-PSS: [0] { hash, NULL }, [1] { mgf1, { hash, NULL } }, [2] { salt length }.
fn pss_form(hash: u8, salt: u8) -> Vec<u8> {
    let hash = [0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, hash, 5, 0];
    let mgf1: &[u8] = &[0xa1, 28, 0x30, 26, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 8];
    [&[0xa0, 15], hash.as_slice(), mgf1, &hash, &[0xa2, 3, 2, 1, salt]].concat()
}

/// RSA-PSS by its parameters, which have one form per hash.
fn rsa_pss(identifier: &AlgorithmIdentifierOwned) -> Result<SignatureAlgorithm, String> {
    let value = identifier.parameters.as_ref().map(|p| p.value()).unwrap_or_default();
    let known = [
        (SignatureAlgorithm::RsaPssSha256, pss_form(1, 32)),
        (SignatureAlgorithm::RsaPssSha384, pss_form(2, 48)),
        (SignatureAlgorithm::RsaPssSha512, pss_form(3, 64)),
    ];
    let found = known.into_iter().find(|(_, form)| form.as_slice() == value);
    found.map(|(algorithm, _)| algorithm).ok_or_else(|| "RSA-PSS with other parameters".to_owned())
}

/// What the participants accept. Each list is a list of names; nothing outside it is recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlgorithmSet {
    /// Keys of the certificates that are recorded.
    pub certificate_keys: Vec<KeyAlgorithm>,
    /// Keys of intermediate and root certificates.
    pub ca_keys: Vec<KeyAlgorithm>,
    /// Signatures on certificates and intermediates. The root's own signature counts for nothing.
    pub signatures: Vec<SignatureAlgorithm>,
    /// Fewest bits of an RSA modulus; at least [`RSA_BITS_MIN`].
    pub rsa_bits_min: u32,
    /// Most bits of an RSA modulus; at most [`RSA_BITS_MAX`].
    pub rsa_bits_max: u32,
}

/// aws-lc checks no signature of a smaller modulus with SHA-2. Source: NIST SP 800-131A.
pub const RSA_BITS_MIN: u32 = 2048;

/// aws-lc checks no signature of a larger modulus; it bounds the cost of one verification.
pub const RSA_BITS_MAX: u32 = 8192;

impl Default for AlgorithmSet {
    /// All known kinds, post-quantum ones too, and RSA from 2048 to 4096 bits: larger keys cost every
    /// validator node more than ten times a P-256 verification and no public CA uses them.
    fn default() -> Self {
        Self {
            certificate_keys: KeyAlgorithm::ALL.to_vec(),
            ca_keys: KeyAlgorithm::ALL.to_vec(),
            signatures: SignatureAlgorithm::ALL.to_vec(),
            rsa_bits_min: RSA_BITS_MIN,
            rsa_bits_max: 4096,
        }
    }
}

/// A public key whose kind is known and whose form fits its kind.
#[derive(Clone, Debug)]
pub(crate) struct SubjectKey {
    pub algorithm: KeyAlgorithm,
    /// Bits of the modulus; 0 for other kinds.
    pub rsa_bits: u32,
    /// The content of the BIT STRING.
    pub bytes: Vec<u8>,
}

/// Why a public key is not usable.
#[derive(Clone, Debug)]
pub(crate) enum KeyFault {
    Unknown(String),
    Malformed(KeyAlgorithm),
}

impl SubjectKey {
    pub fn of(spki: &SubjectPublicKeyInfoOwned) -> Result<Self, KeyFault> {
        let algorithm = key_algorithm(&spki.algorithm)?;
        let malformed = || KeyFault::Malformed(algorithm);
        let bytes = spki.subject_public_key.as_bytes().ok_or_else(malformed)?;
        let parameters = spki.algorithm.parameters.as_ref().map(|p| (p.tag(), p.value().len()));
        let parameters_fit = match algorithm {
            KeyAlgorithm::Rsa => parameters == Some((Tag::Null, 0)),
            KeyAlgorithm::P256 | KeyAlgorithm::P384 => true,
            _ => parameters.is_none(),
        };
        let (rsa_bits, form_fits) = match algorithm {
            KeyAlgorithm::Rsa => {
                let bits = rsa_bits(bytes).ok_or_else(malformed)?;
                (bits, true)
            }
            // Uncompressed points. Source: RFC 5480 2.2; the compressed form is not used in certificates.
            KeyAlgorithm::P256 => (0, bytes.len() == 65 && bytes[0] == 4),
            KeyAlgorithm::P384 => (0, bytes.len() == 97 && bytes[0] == 4),
            KeyAlgorithm::Ed25519 => (0, bytes.len() == 32),
            KeyAlgorithm::MlDsa44 => (0, bytes.len() == 1312),
            KeyAlgorithm::MlDsa65 => (0, bytes.len() == 1952),
            KeyAlgorithm::MlDsa87 => (0, bytes.len() == 2592),
        };
        if !(parameters_fit && form_fits) {
            return Err(malformed());
        }
        Ok(Self { algorithm, rsa_bits, bytes: bytes.to_vec() })
    }

    /// Whether `signature` over `message` is one of this key.
    ///
    /// `None`: the algorithm does not fit the key.
    pub fn verifies(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Option<bool> {
        let routine = routine(self.algorithm, algorithm)?;
        Some(UnparsedPublicKey::new(routine, &self.bytes).verify(message, signature).is_ok())
    }
}

fn key_algorithm(identifier: &AlgorithmIdentifierOwned) -> Result<KeyAlgorithm, KeyFault> {
    let curve = || {
        let parameters = identifier.parameters.as_ref();
        parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok())
    };
    match identifier.oid {
        RSA_ENCRYPTION => Ok(KeyAlgorithm::Rsa),
        EC_PUBLIC_KEY => match curve() {
            Some(P256) => Ok(KeyAlgorithm::P256),
            Some(P384) => Ok(KeyAlgorithm::P384),
            Some(other) => Err(KeyFault::Unknown(format!("elliptic curve {other}"))),
            None => Err(KeyFault::Unknown("elliptic curve without a name".to_owned())),
        },
        ED25519 => Ok(KeyAlgorithm::Ed25519),
        ML_DSA_44 => Ok(KeyAlgorithm::MlDsa44),
        ML_DSA_65 => Ok(KeyAlgorithm::MlDsa65),
        ML_DSA_87 => Ok(KeyAlgorithm::MlDsa87),
        other => Err(KeyFault::Unknown(other.to_string())),
    }
}

/// Bits of the modulus, if these bytes are an RSAPublicKey with an odd modulus and an odd exponent of at
/// least 3.
fn rsa_bits(bytes: &[u8]) -> Option<u32> {
    let outer = AnyRef::from_der(bytes).ok().filter(|any| any.tag() == Tag::Sequence)?;
    let mut fields = SliceReader::new(outer.value()).ok()?;
    let modulus = UintRef::decode(&mut fields).ok()?;
    let exponent = UintRef::decode(&mut fields).ok()?;
    fields.finish().ok()?;
    let is_odd = |number: &UintRef<'_>| number.as_bytes().last().is_some_and(|octet| octet % 2 == 1);
    let first = modulus.as_bytes().first()?;
    let at_least_three = exponent.as_bytes() != [1];
    let octets = u32::try_from(modulus.as_bytes().len()).ok()?;
    (is_odd(&modulus) && is_odd(&exponent) && at_least_three).then(|| octets * 8 - first.leading_zeros())
}

fn routine(key: KeyAlgorithm, signature: SignatureAlgorithm) -> Option<&'static dyn VerificationAlgorithm> {
    Some(match (key, signature) {
        (KeyAlgorithm::Rsa, SignatureAlgorithm::RsaSha256) => &aws::RSA_PKCS1_2048_8192_SHA256,
        (KeyAlgorithm::Rsa, SignatureAlgorithm::RsaSha384) => &aws::RSA_PKCS1_2048_8192_SHA384,
        (KeyAlgorithm::Rsa, SignatureAlgorithm::RsaSha512) => &aws::RSA_PKCS1_2048_8192_SHA512,
        (KeyAlgorithm::Rsa, SignatureAlgorithm::RsaPssSha256) => &aws::RSA_PSS_2048_8192_SHA256,
        (KeyAlgorithm::Rsa, SignatureAlgorithm::RsaPssSha384) => &aws::RSA_PSS_2048_8192_SHA384,
        (KeyAlgorithm::Rsa, SignatureAlgorithm::RsaPssSha512) => &aws::RSA_PSS_2048_8192_SHA512,
        (KeyAlgorithm::P256, SignatureAlgorithm::EcdsaSha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (KeyAlgorithm::P256, SignatureAlgorithm::EcdsaSha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (KeyAlgorithm::P256, SignatureAlgorithm::EcdsaSha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (KeyAlgorithm::P384, SignatureAlgorithm::EcdsaSha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (KeyAlgorithm::P384, SignatureAlgorithm::EcdsaSha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (KeyAlgorithm::P384, SignatureAlgorithm::EcdsaSha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (KeyAlgorithm::Ed25519, SignatureAlgorithm::Ed25519) => &aws::ED25519,
        (KeyAlgorithm::MlDsa44, SignatureAlgorithm::MlDsa44) => &aws::ML_DSA_44,
        (KeyAlgorithm::MlDsa65, SignatureAlgorithm::MlDsa65) => &aws::ML_DSA_65,
        (KeyAlgorithm::MlDsa87, SignatureAlgorithm::MlDsa87) => &aws::ML_DSA_87,
        _ => return None,
    })
}
