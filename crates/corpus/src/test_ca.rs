//! A certificate authority for tests: a root, intermediates, and certificates under the last of them.

use tabellion_ledger::TimeMs;
use x509_cert::ext::pkix::KeyUsages;

use crate::draft::{Draft, KeyKind, TestKey, name, serial_octets};
use crate::extensions as ext;

/// 2026-01-01T00:00:00Z: where test certificates start unless told otherwise.
const START: TimeMs = TimeMs(1_767_225_600_000);

/// 2036-01-01T00:00:00Z: where they end.
const END: TimeMs = TimeMs(2_082_758_400_000);

/// A CA certificate with its key.
pub struct Issued {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// What it was made from.
    pub draft: Draft,
    /// Its key.
    pub key: TestKey,
}

/// A certificate authority for tests.
pub struct TestCa {
    /// The root and the intermediates below it; the last one issues.
    pub authorities: Vec<Issued>,
    next_serial: u64,
}

impl TestCa {
    /// A root and one intermediate, all keys of one kind.
    pub fn new(kind: KeyKind) -> Self {
        Self::with_intermediates(kind, 1)
    }

    /// A root and `count` intermediates, all keys of one kind.
    pub fn with_intermediates(kind: KeyKind, count: usize) -> Self {
        Self::of_keys((0..=count).map(|_| TestKey::generate(kind)))
    }

    /// A root with the first of these keys, and an intermediate with each other one. With Ed25519 keys from
    /// seeds, all that it issues follows from the seeds.
    ///
    /// Panics when there is no key.
    pub fn of_keys(keys: impl IntoIterator<Item = TestKey>) -> Self {
        let mut keys = keys.into_iter();
        let key = keys.next().expect("a root has a key");
        let mut draft = ca_draft("CN=Test Root,O=Tabellion Test,C=CH", &key);
        draft.serial = serial_octets(1);
        draft.issuer = draft.subject.clone();
        let certificate = draft.sign(&key);
        let mut ca = Self { authorities: vec![Issued { certificate, draft, key }], next_serial: 2 };
        for (number, key) in (1..).zip(keys) {
            let draft =
                ca.intermediate_draft(&format!("CN=Test Intermediate {number},O=Tabellion Test,C=CH"), &key);
            ca.add_intermediate(draft, key);
        }
        ca
    }

    /// The root certificate.
    pub fn root(&self) -> &[u8] {
        &self.authorities[0].certificate
    }

    /// The intermediates as a request brings them: the issuer of the certificates first.
    pub fn intermediates(&self) -> Vec<&[u8]> {
        self.authorities[1..].iter().rev().map(|issued| issued.certificate.as_slice()).collect()
    }

    /// The authority that issues.
    pub fn issuer(&self) -> &Issued {
        self.authorities.last().expect("invariant: there is a root")
    }

    /// A draft of a further intermediate with this key, under the present issuer.
    pub fn intermediate_draft(&mut self, subject: &str, key: &TestKey) -> Draft {
        let mut draft = ca_draft(subject, key);
        self.put_under_issuer(&mut draft);
        draft
    }

    /// Signs `draft` and lets it issue from now on.
    pub fn add_intermediate(&mut self, draft: Draft, key: TestKey) {
        let certificate = self.sign(&draft);
        self.authorities.push(Issued { certificate, draft, key });
    }

    /// A draft of a certificate for a server of this name, with this key.
    pub fn leaf_draft(&mut self, dns_name: &str, spki: &[u8]) -> Draft {
        let mut draft = Draft {
            version: 3,
            serial: Vec::new(),
            issuer: Vec::new(),
            not_before: START,
            not_after: END,
            subject: name(&format!("CN={dns_name},O=Tabellion Test,C=CH")),
            spki: spki.to_vec(),
            extensions: vec![
                ext::subject_key_id(spki),
                ext::key_usage(KeyUsages::DigitalSignature),
                ext::dns_names(&[dns_name]),
            ],
        };
        self.put_under_issuer(&mut draft);
        draft
    }

    /// Signs a draft with the present issuer's key.
    pub fn sign(&self, draft: &Draft) -> Vec<u8> {
        draft.sign(&self.issuer().key)
    }

    /// A certificate for a server of this name, with a fresh key of the issuer's kind (P-256 where that is
    /// slow to make).
    pub fn issue(&mut self, dns_name: &str) -> Vec<u8> {
        let kind = match self.issuer().key.kind() {
            KeyKind::Rsa2048 => KeyKind::P256,
            kind => kind,
        };
        let draft = self.leaf_draft(dns_name, &TestKey::generate(kind).spki());
        self.sign(&draft)
    }

    fn put_under_issuer(&mut self, draft: &mut Draft) {
        draft.serial = serial_octets(self.next_serial);
        self.next_serial += 1;
        draft.issuer = self.issuer().draft.subject.clone();
        draft.extensions.insert(0, ext::authority_key_id(&self.issuer().draft.spki));
    }
}

fn ca_draft(subject: &str, key: &TestKey) -> Draft {
    let spki = key.spki();
    Draft {
        version: 3,
        serial: Vec::new(),
        issuer: Vec::new(),
        not_before: START,
        not_after: END,
        subject: name(subject),
        extensions: vec![
            ext::subject_key_id(&spki),
            ext::basic_constraints(true, None),
            ext::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign),
        ],
        spki,
    }
}
