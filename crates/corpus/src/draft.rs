//! A certificate in the making: every field can be set, also to what no certificate may hold.

use der::asn1::{Any, AnyRef, BitString, GeneralizedTime, ObjectIdentifier, OctetString, Uint, UtcTime};
use der::{DateTime, Decode, Encode, Reader, SliceReader, Tag, TagNumber};
use rcgen::{KeyPair, PublicKeyData, SigningKey};
use tabellion_ledger::TimeMs;
use x509_cert::name::Name;

/// Kinds of keys that test certificates are issued with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyKind {
    /// ECDSA on P-256 with SHA-256.
    P256,
    /// ECDSA on P-384 with SHA-384.
    P384,
    /// RSA of 2048 bits with SHA-256.
    Rsa2048,
    /// Ed25519.
    Ed25519,
    /// ML-DSA-44.
    MlDsa44,
    /// ML-DSA-65.
    MlDsa65,
    /// ML-DSA-87.
    MlDsa87,
}

impl KeyKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::P256, Self::P384, Self::Rsa2048, Self::Ed25519, Self::MlDsa44, Self::MlDsa65, Self::MlDsa87];

    /// The AlgorithmIdentifier of this kind's signatures, DER.
    pub fn signature_algorithm(self) -> Vec<u8> {
        let (identifier, has_null) = match self {
            Self::P256 => ("1.2.840.10045.4.3.2", false),
            Self::P384 => ("1.2.840.10045.4.3.3", false),
            Self::Rsa2048 => ("1.2.840.113549.1.1.11", true),
            Self::Ed25519 => ("1.3.101.112", false),
            Self::MlDsa44 => ("2.16.840.1.101.3.4.3.17", false),
            Self::MlDsa65 => ("2.16.840.1.101.3.4.3.18", false),
            Self::MlDsa87 => ("2.16.840.1.101.3.4.3.19", false),
        };
        let null: &[u8] = if has_null { &[5, 0] } else { &[] };
        sequence(&[&encode(&ObjectIdentifier::new_unwrap(identifier)), null])
    }
}

/// What stands before the seed in a PKCS#8 private key of Ed25519 (RFC 8410).
const ED25519_PKCS8: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key pair of a test.
pub struct TestKey {
    kind: KeyKind,
    pair: KeyPair,
}

impl TestKey {
    /// A fresh key.
    pub fn generate(kind: KeyKind) -> Self {
        let algorithm = match kind {
            KeyKind::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            KeyKind::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            KeyKind::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
            KeyKind::Ed25519 => &rcgen::PKCS_ED25519,
            KeyKind::MlDsa44 => &rcgen::PKCS_ML_DSA_44,
            KeyKind::MlDsa65 => &rcgen::PKCS_ML_DSA_65,
            KeyKind::MlDsa87 => &rcgen::PKCS_ML_DSA_87,
        };
        Self {
            kind,
            pair: KeyPair::generate_for(algorithm).expect("aws-lc generates keys of all these kinds"),
        }
    }

    /// The Ed25519 key of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let pair = KeyPair::try_from([ED25519_PKCS8.as_slice(), seed].concat());
        Self { kind: KeyKind::Ed25519, pair: pair.expect("any 32 bytes are an Ed25519 seed") }
    }

    /// Its kind.
    pub fn kind(&self) -> KeyKind {
        self.kind
    }

    /// SubjectPublicKeyInfo, DER.
    pub fn spki(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// The private key, PKCS#8.
    pub fn pkcs8(&self) -> Vec<u8> {
        self.pair.serialize_der()
    }

    /// A signature as it stands in a certificate.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.pair.sign(message).expect("signing with a key in memory succeeds")
    }
}

/// An extension in the making; `value` is what stands inside the OCTET STRING.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DraftExtension {
    /// Object identifier.
    pub identifier: ObjectIdentifier,
    /// Critical flag.
    pub critical: bool,
    /// DER of the content.
    pub value: Vec<u8>,
}

/// All fields of a certificate but its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// 1, 2 or 3.
    pub version: u8,
    /// Content octets of the serial number.
    pub serial: Vec<u8>,
    /// Issuer name, DER.
    pub issuer: Vec<u8>,
    /// Start of validity.
    pub not_before: TimeMs,
    /// End of validity.
    pub not_after: TimeMs,
    /// Subject name, DER.
    pub subject: Vec<u8>,
    /// SubjectPublicKeyInfo, DER.
    pub spki: Vec<u8>,
    /// Extensions in their order; none leaves the field out.
    pub extensions: Vec<DraftExtension>,
}

impl Draft {
    /// Puts `extension` in the place of the one with the same identifier, or at the end.
    pub fn set(&mut self, extension: DraftExtension) {
        match self.extensions.iter_mut().find(|old| old.identifier == extension.identifier) {
            Some(old) => *old = extension,
            None => self.extensions.push(extension),
        }
    }

    /// Takes the extension out.
    pub fn remove(&mut self, identifier: ObjectIdentifier) {
        self.extensions.retain(|extension| extension.identifier != identifier);
    }

    /// Changes the critical flag of an extension that is there.
    pub fn set_critical(&mut self, identifier: ObjectIdentifier, critical: bool) {
        for extension in self.extensions.iter_mut().filter(|extension| extension.identifier == identifier) {
            extension.critical = critical;
        }
    }

    /// The signed part, DER, with this AlgorithmIdentifier inside.
    pub fn tbs(&self, algorithm: &[u8]) -> Vec<u8> {
        let version = match self.version {
            1 => Vec::new(),
            number => context(0, &[2, 1, number - 1]),
        };
        let serial = encode(&Any::new(Tag::Integer, self.serial.clone()).expect("short"));
        let validity = sequence(&[&time(self.not_before), &time(self.not_after)]);
        let extensions: Vec<u8> = self.extensions.iter().flat_map(encode_extension).collect();
        let extensions =
            if self.extensions.is_empty() { Vec::new() } else { context(3, &sequence(&[&extensions])) };
        sequence(&[
            &version,
            &serial,
            algorithm,
            &self.issuer,
            &validity,
            &self.subject,
            &self.spki,
            &extensions,
        ])
    }

    /// The certificate, signed with `key`.
    pub fn sign(&self, key: &TestKey) -> Vec<u8> {
        self.sign_with_outer_algorithm(key, &key.kind().signature_algorithm())
    }

    /// The certificate, signed with `key`, but with this AlgorithmIdentifier in both places.
    pub fn sign_as(&self, key: &TestKey, algorithm: &[u8]) -> Vec<u8> {
        let tbs = self.tbs(algorithm);
        let signature = key.sign(&tbs);
        assemble(&tbs, algorithm, &signature)
    }

    /// The certificate, signed with `key`, but with another AlgorithmIdentifier outside the signed part.
    pub fn sign_with_outer_algorithm(&self, key: &TestKey, outer: &[u8]) -> Vec<u8> {
        let tbs = self.tbs(&key.kind().signature_algorithm());
        let signature = key.sign(&tbs);
        assemble(&tbs, outer, &signature)
    }
}

/// Certificate ::= SEQUENCE { tbs, algorithm, signature }
fn assemble(tbs: &[u8], algorithm: &[u8], signature: &[u8]) -> Vec<u8> {
    let signature = BitString::from_bytes(signature).expect("whole octets");
    sequence(&[tbs, algorithm, &encode(&signature)])
}

/// A distinguished name in DER from its RFC 4514 text; an empty text is the empty name.
pub fn name(text: &str) -> Vec<u8> {
    if text.is_empty() {
        return vec![0x30, 0];
    }
    encode(&text.parse::<Name>().expect("a distinguished name"))
}

pub(crate) fn encode_extension(extension: &DraftExtension) -> Vec<u8> {
    let critical: &[u8] = if extension.critical { &[1, 1, 0xff] } else { &[] };
    let value = OctetString::new(extension.value.clone()).expect("short");
    sequence(&[&encode(&extension.identifier), critical, &encode(&value)])
}

/// Source: RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
pub(crate) fn time(at: TimeMs) -> Vec<u8> {
    let at = std::time::Duration::from_secs(at.seconds());
    let date = DateTime::from_unix_duration(at).expect("up to the year 9999");
    if date.year() < 2050 {
        encode(&UtcTime::from_date_time(date).expect("1970 to 2049"))
    } else {
        encode(&GeneralizedTime::from_date_time(date))
    }
}

pub(crate) fn encode(value: &impl Encode) -> Vec<u8> {
    value.to_der().expect("values of tests are small")
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    encode(&Any::new(Tag::Sequence, parts.concat()).expect("values of tests are small"))
}

pub(crate) fn context(number: u32, content: &[u8]) -> Vec<u8> {
    let tag = Tag::ContextSpecific { constructed: true, number: TagNumber(number) };
    encode(&Any::new(tag, content.to_vec()).expect("values of tests are small"))
}

/// The shortest content octets of a positive number.
pub(crate) fn serial_octets(number: u64) -> Vec<u8> {
    let encoded = encode(&Uint::new(&number.to_be_bytes()).expect("eight octets"));
    encoded[2..].to_vec()
}

/// The same certificate with another key, signed by another key: only SubjectPublicKeyInfo, the two algorithm
/// names and the signature change; all other bytes stay.
pub fn reissue(certificate: &[u8], spki: &[u8], signer: &TestKey) -> Vec<u8> {
    let outer = AnyRef::from_der(certificate).expect("a certificate");
    let tbs = AnyRef::decode(&mut SliceReader::new(outer.value()).expect("short")).expect("a certificate");
    let mut reader = SliceReader::new(tbs.value()).expect("short");
    let mut fields = Vec::new();
    while !reader.is_finished() {
        fields.push(reader.tlv_bytes().expect("a certificate"));
    }
    let algorithm = signer.kind().signature_algorithm();
    // version?, serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, rest
    let first = usize::from(fields[0][0] == 0xa0);
    fields[first + 1] = &algorithm;
    fields[first + 5] = spki;
    let tbs = sequence(&fields);
    assemble(&tbs, &algorithm, &signer.sign(&tbs))
}

/// A SubjectPublicKeyInfo from an AlgorithmIdentifier in DER and the octets of a key.
pub fn spki(algorithm: &[u8], key: &[u8]) -> Vec<u8> {
    sequence(&[algorithm, &encode(&BitString::from_bytes(key).expect("whole octets"))])
}

/// An RSAPublicKey whose modulus has this many bits: right in form, of no use otherwise.
pub fn rsa_public_key(bits: usize, exponent: &[u8]) -> Vec<u8> {
    let mut modulus = vec![0xff_u8; bits.div_ceil(8)];
    modulus[0] >>= (8 - bits % 8) % 8;
    let number = |octets: &[u8]| encode(&Uint::new(octets).expect("short"));
    sequence(&[&number(&modulus), &number(exponent)])
}
