//! A CA's feedback in the making: CRLs and OCSP responses in which every field can be set.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use der::asn1::{Any, BitString, GeneralizedTime, ObjectIdentifier, OctetString};
use der::{DateTime, Decode, Tag};
use spki::SubjectPublicKeyInfoOwned;
use tabellion_ledger::TimeMs;

use crate::draft::{
    DraftExtension, TestKey, context, encode, encode_extension, sequence, serial_octets, time,
};
use crate::test_ca::Issued;

const ID_PKIX_OCSP_BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");
const ID_CE_CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
const ID_CE_CRL_REASONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");

/// All fields of a CRL but its signature.
#[derive(Clone, Debug)]
pub struct CrlDraft {
    /// Issuer name, DER.
    pub issuer: Vec<u8>,
    /// `thisUpdate`.
    pub this_update: TimeMs,
    /// `nextUpdate`.
    pub next_update: Option<TimeMs>,
    /// Content octets of the serial numbers, each with the extensions of its entry.
    pub entries: Vec<(Vec<u8>, Vec<DraftExtension>)>,
    /// Extensions in their order.
    pub extensions: Vec<DraftExtension>,
}

impl CrlDraft {
    /// An empty complete CRL of this authority for one day.
    pub fn new(authority: &Issued, number: u64, this_update: TimeMs) -> Self {
        let number = encode(&Any::new(Tag::Integer, serial_octets(number)).expect("short"));
        Self {
            issuer: authority.draft.subject.clone(),
            this_update,
            next_update: Some(this_update.plus(86_400_000)),
            entries: Vec::new(),
            extensions: vec![DraftExtension { identifier: ID_CE_CRL_NUMBER, critical: false, value: number }],
        }
    }

    /// Adds a certificate by the content octets of its serial number.
    pub fn revoke(&mut self, serial: &[u8], reason: Option<u8>) {
        let reason = reason.map(|reason| DraftExtension {
            identifier: ID_CE_CRL_REASONS,
            critical: false,
            value: vec![10, 1, reason],
        });
        self.entries.push((serial.to_vec(), reason.into_iter().collect()));
    }

    /// The CRL, signed with `key`.
    pub fn sign(&self, key: &TestKey) -> Vec<u8> {
        let algorithm = key.kind().signature_algorithm();
        self.sign_as(key, &algorithm, &algorithm)
    }

    /// The CRL, signed with `key`, but with these AlgorithmIdentifiers inside and outside.
    pub fn sign_as(&self, key: &TestKey, inner: &[u8], outer: &[u8]) -> Vec<u8> {
        let next_update = self.next_update.map(time).unwrap_or_default();
        let entries: Vec<u8> = self.entries.iter().flat_map(|entry| self.entry(entry)).collect();
        let entries = if entries.is_empty() { entries } else { sequence(&[&entries]) };
        let extensions: Vec<u8> = self.extensions.iter().flat_map(encode_extension).collect();
        let extensions =
            if extensions.is_empty() { extensions } else { context(0, &sequence(&[&extensions])) };
        let this_update = time(self.this_update);
        let tbs =
            sequence(&[&[2, 1, 1], inner, &self.issuer, &this_update, &next_update, &entries, &extensions]);
        signed(&tbs, outer, &key.sign(&tbs), &[])
    }

    fn entry(&self, (serial, extensions): &(Vec<u8>, Vec<DraftExtension>)) -> Vec<u8> {
        let serial = encode(&Any::new(Tag::Integer, serial.clone()).expect("short"));
        let extensions: Vec<u8> = extensions.iter().flat_map(encode_extension).collect();
        let extensions = if extensions.is_empty() { extensions } else { sequence(&[&extensions]) };
        sequence(&[&serial, &time(self.this_update), &extensions])
    }
}

/// What an OCSP response says of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OcspStatus {
    /// In good standing.
    Good,
    /// Revoked, with the number of a reason.
    Revoked(Option<u8>),
    /// Unknown.
    Unknown,
}

/// What an OCSP response says of one certificate.
#[derive(Clone, Debug)]
pub struct OcspSingle {
    /// Name of its issuer, DER.
    pub issuer: Vec<u8>,
    /// SubjectPublicKeyInfo of its issuer.
    pub issuer_spki: Vec<u8>,
    /// Whether the two stand there as SHA-256; else as SHA-1.
    pub by_sha256: bool,
    /// Content octets of its serial number.
    pub serial: Vec<u8>,
    /// Its status.
    pub status: OcspStatus,
    /// `thisUpdate`.
    pub this_update: TimeMs,
    /// `nextUpdate`.
    pub next_update: Option<TimeMs>,
    /// Extensions in their order.
    pub extensions: Vec<DraftExtension>,
}

/// All fields of an OCSP response but its signature.
#[derive(Clone, Debug)]
pub struct OcspDraft {
    /// Whether the version is spelt out, which is the default that DER leaves out.
    pub has_version: bool,
    /// SubjectPublicKeyInfo of the responder, which is named by its key.
    pub responder_spki: Vec<u8>,
    /// Where there is one, the responder is named by this name, DER.
    pub responder_name: Option<Vec<u8>>,
    /// When the response was made.
    pub produced_at: TimeMs,
    /// What it says.
    pub singles: Vec<OcspSingle>,
    /// Extensions in their order.
    pub extensions: Vec<DraftExtension>,
    /// Certificates that come along, DER.
    pub certificates: Vec<Vec<u8>>,
}

impl OcspDraft {
    /// A response of this authority itself on one of its certificates, good for one day.
    pub fn new(authority: &Issued, serial: &[u8], status: OcspStatus, this_update: TimeMs) -> Self {
        let single = OcspSingle {
            issuer: authority.draft.subject.clone(),
            issuer_spki: authority.draft.spki.clone(),
            by_sha256: false,
            serial: serial.to_vec(),
            status,
            this_update,
            next_update: Some(this_update.plus(86_400_000)),
            extensions: Vec::new(),
        };
        Self {
            has_version: false,
            responder_spki: authority.draft.spki.clone(),
            responder_name: None,
            produced_at: this_update,
            singles: vec![single],
            extensions: Vec::new(),
            certificates: Vec::new(),
        }
    }

    /// The same response of a delegate with this certificate and key.
    pub fn by_delegate(mut self, certificate: &[u8], spki: &[u8]) -> Self {
        self.responder_spki = spki.to_vec();
        self.certificates = vec![certificate.to_vec()];
        self
    }

    /// The response, signed with `key`.
    pub fn sign(&self, key: &TestKey) -> Vec<u8> {
        self.sign_as(key, &key.kind().signature_algorithm())
    }

    /// The response, signed with `key`, but with this AlgorithmIdentifier.
    pub fn sign_as(&self, key: &TestKey, algorithm: &[u8]) -> Vec<u8> {
        let responder = match &self.responder_name {
            Some(name) => context(1, name),
            None => context(2, &octets(&digest(&SHA1_FOR_LEGACY_USE_ONLY, &key_bits(&self.responder_spki)))),
        };
        let singles: Vec<u8> = self.singles.iter().flat_map(single).collect();
        let extensions: Vec<u8> = self.extensions.iter().flat_map(encode_extension).collect();
        let extensions =
            if extensions.is_empty() { extensions } else { context(1, &sequence(&[&extensions])) };
        let version = if self.has_version { context(0, &[2, 1, 0]) } else { Vec::new() };
        let produced_at = generalized(self.produced_at);
        let tbs = sequence(&[&version, &responder, &produced_at, &sequence(&[&singles]), &extensions]);
        let certificates = match self.certificates.as_slice() {
            [] => Vec::new(),
            certificates => context(0, &sequence(&[&certificates.concat()])),
        };
        let basic = signed(&tbs, algorithm, &key.sign(&tbs), &certificates);
        let bytes = sequence(&[&encode(&ID_PKIX_OCSP_BASIC), &octets(&basic)]);
        sequence(&[&[10, 1, 0], &context(0, &bytes)])
    }
}

fn single(single: &OcspSingle) -> Vec<u8> {
    let (algorithm, identifier) = match single.by_sha256 {
        true => (&SHA256, SHA_256),
        false => (&SHA1_FOR_LEGACY_USE_ONLY, SHA_1),
    };
    let serial = encode(&Any::new(Tag::Integer, single.serial.clone()).expect("short"));
    let id = sequence(&[
        &sequence(&[&encode(&identifier), &[5, 0]]),
        &octets(&digest(algorithm, &single.issuer)),
        &octets(&digest(algorithm, &key_bits(&single.issuer_spki))),
        &serial,
    ]);
    let status = match single.status {
        OcspStatus::Good => vec![0x80, 0],
        OcspStatus::Unknown => vec![0x82, 0],
        OcspStatus::Revoked(reason) => {
            let reason = reason.map(|reason| context(0, &[10, 1, reason])).unwrap_or_default();
            context(1, &[generalized(single.this_update), reason].concat())
        }
    };
    let next_update = single.next_update.map(|at| context(0, &generalized(at))).unwrap_or_default();
    let extensions: Vec<u8> = single.extensions.iter().flat_map(encode_extension).collect();
    let extensions = if extensions.is_empty() { extensions } else { context(1, &sequence(&[&extensions])) };
    sequence(&[&id, &status, &generalized(single.this_update), &next_update, &extensions])
}

/// SEQUENCE { tbs, algorithm, signature, rest }
fn signed(tbs: &[u8], algorithm: &[u8], signature: &[u8], rest: &[u8]) -> Vec<u8> {
    let signature = BitString::from_bytes(signature).expect("whole octets");
    sequence(&[tbs, algorithm, &encode(&signature), rest])
}

fn octets(bytes: &(impl AsRef<[u8]> + ?Sized)) -> Vec<u8> {
    encode(&OctetString::new(bytes.as_ref()).expect("values of tests are small"))
}

fn key_bits(spki: &[u8]) -> Vec<u8> {
    let spki = SubjectPublicKeyInfoOwned::from_der(spki).expect("a key");
    spki.subject_public_key.raw_bytes().to_vec()
}

fn generalized(at: TimeMs) -> Vec<u8> {
    let at = std::time::Duration::from_secs(at.seconds());
    encode(&GeneralizedTime::from_date_time(DateTime::from_unix_duration(at).expect("up to the year 9999")))
}
