//! Vectors of a certificate's later life, under a CA whose Ed25519 keys come from seeds.

use serde_json::json;
use tabellion_corpus::{CrlDraft, KeyKind, OcspDraft, OcspStatus, TestCa, TestKey};
use tabellion_ledger::{CertificateId, Hash, Height, KeyId, TimeMs, Wire, cbor, sha256};
use tabellion_pki::{
    Action, AlgorithmSet, CertificateRecord, Entry, EvidenceKind, Facts, KeySignature, NoticeRecord,
    OptimisationNotice, Reason, Renewal, SignedStatement, Statement, Status, StatusChange, Window,
    certificate_key, feedback, notice_key, record_hash, renewal_message,
};

use super::chain::Chain;
use super::files::Vector;
use super::keys::seed;
use super::make::vector;

/// What the vectors are made from.
struct Parts {
    ca: TestCa,
    old_key: TestKey,
    old: Vec<u8>,
    new: Vec<u8>,
    at: TimeMs,
}

impl Parts {
    fn new(chain: &Chain) -> Self {
        let key = |name: &str| TestKey::from_seed(&seed(&format!("lifecycle/{name}")));
        let mut ca = TestCa::of_keys([key("root"), key("issuer")]);
        let (old_key, new_key) = (key("old"), key("new"));
        let draft = ca.leaf_draft("life.example", &old_key.spki());
        let old = ca.sign(&draft);
        let draft = ca.leaf_draft("life.example", &new_key.spki());
        let new = ca.sign(&draft);
        Self { ca, old_key, old, new, at: TimeMs(chain.header().time.0 / 1000 * 1000) }
    }

    fn statement(&self, chain: &Chain) -> SignedStatement {
        let statement = Statement {
            ledger: chain.ledger(),
            certificate: CertificateId::of(&self.old),
            reason: Some(Reason::KeyCompromise),
            at: self.at,
            sequence: 1,
        };
        let signature = signature(&self.ca.issuer().key, &statement.signed_bytes());
        SignedStatement { statement, signature }
    }

    fn renewal(&self, chain: &Chain) -> Renewal {
        let (old, new) = (Facts::of(&self.old).unwrap(), Facts::of(&self.new).unwrap());
        let message = renewal_message(&chain.ledger(), &old.certificate, &new.certificate);
        let entry = Entry {
            certificate: new.certificate,
            key: new.key,
            status: Status::Normal,
            validity: Window { from: new.not_before, until: new.not_after },
            window: None,
            intermediates: self.ca.intermediates().into_iter().map(CertificateId::of).collect(),
            root: CertificateId::of(self.ca.root()),
        };
        let signature = signature(&self.old_key, &message);
        Renewal { entry, old: old.certificate, old_not_after: old.not_after, signature }
    }

    fn change(&self, chain: &Chain, kind: EvidenceKind, evidence: &[u8]) -> StatusChange {
        let issuer = &self.ca.issuer().certificate;
        let accepted = AlgorithmSet::default();
        let said = feedback((kind, evidence), &self.old, issuer, &chain.ledger(), &accepted);
        let said = said.unwrap().unwrap();
        StatusChange {
            certificate: CertificateId::of(&self.old),
            issuer: CertificateId::of(issuer),
            not_after: Facts::of(&self.old).unwrap().not_after,
            reason: said.reason,
            evidence: said.evidence,
        }
    }
}

fn signature(key: &TestKey, message: &[u8]) -> KeySignature {
    KeySignature { algorithm: KeyKind::Ed25519.signature_algorithm(), signature: key.sign(message) }
}

pub fn lifecycle(chain: &Chain) -> Vec<Vector> {
    let parts = Parts::new(chain);
    let issuer = parts.ca.issuer();
    let serial = Facts::of(&parts.old).unwrap().serial;
    let statement = parts.statement(chain);
    let mut crl = CrlDraft::new(issuer, 300, parts.at);
    crl.revoke(&serial, Some(6));
    let crl = crl.sign(&issuer.key);
    let ocsp = OcspDraft::new(issuer, &serial, OcspStatus::Good, parts.at).sign(&issuer.key);
    let evidence = [
        (EvidenceKind::Statement, cbor::to_bytes(&statement)),
        (EvidenceKind::Ocsp, ocsp.clone()),
        (EvidenceKind::Crl, crl.clone()),
    ];
    let change = |(kind, bytes): (EvidenceKind, Vec<u8>)| parts.change(chain, kind, &bytes);
    let changes: Vec<StatusChange> = evidence.into_iter().map(change).collect();
    let renewal = parts.renewal(chain);
    let message = renewal_message(&chain.ledger(), &renewal.old, &renewal.entry.certificate);
    let record = record(chain, &changes[0]);
    vec![
        der(
            "lifecycle-issuer",
            "Certificate",
            "a CA of the following vectors, keys from seeds",
            &issuer.certificate,
        ),
        der("lifecycle-old", "Certificate", "a certificate under it", &parts.old),
        der("lifecycle-new", "Certificate", "one more under the same name", &parts.new),
        vector(
            "evidence-statement",
            "SignedStatement",
            "the CA revokes lifecycle-old",
            &statement,
            vec![
                ("signed", json!(hex::encode(statement.statement.signed_bytes()))),
                ("signer_key", json!(hex::encode(&issuer.key.spki()[12..]))),
            ],
        ),
        der("evidence-ocsp", "OcspResponse", "the CA says good", &ocsp),
        der("evidence-crl", "CertificateList", "the CA puts lifecycle-old on hold", &crl),
        plain("action-change", "revoke, resume and suspend, each by one of these", &Action::Change(changes)),
        Vector {
            facts: vec![
                ("signed", json!(hex::encode(message))),
                ("signer_key", json!(hex::encode(&parts.old_key.spki()[12..]))),
            ],
            ..plain("action-renew", "lifecycle-new for lifecycle-old", &Action::Renew(Box::new(renewal)))
        },
        record,
        plain("action-notice", "nothing in blocks 1 and 2 is needed any more", &notice()),
        notice_record(chain),
    ]
}

fn notice() -> Action {
    Action::Notice(OptimisationNotice(vec![Height(1), Height(2)]))
}

/// The record that this notice makes of block 2, in the block of height 3.
fn notice_record(chain: &Chain) -> Vector {
    let (key, header) = (notice_key(Height(2)), chain.header());
    let submitter = KeyId(seed("backup"));
    let record = NoticeRecord { height: header.height, time: header.time, submitter };
    let facts = vec![
        ("map", json!(key.map)),
        ("key", json!(hex::encode(&key.key))),
        ("path", json!(hex::encode(key.path()))),
        ("value_hash", json!(Hash(sha256(&cbor::to_bytes(&record))))),
    ];
    vector("record-notice", "NoticeRecord", "what action-notice makes of block 2", &record, facts)
}

/// The record that the statement makes of the first certificate's record.
fn record(chain: &Chain, change: &StatusChange) -> Vector {
    let id = CertificateId::of(&chain.certificates[2]);
    let key = certificate_key(&id);
    let before: CertificateRecord = cbor::from_bytes(&chain.state[&key], 4096).unwrap();
    let record = CertificateRecord {
        status: change.status(),
        reason: change.reason,
        sequence: 1,
        since_height: chain.header().height,
        since_time: chain.header().time,
        evidence: Some(change.evidence),
        previous: Some(record_hash(&before)),
        ..before
    };
    let value_hash = Hash(sha256(&cbor::to_bytes(&record)));
    let facts = vec![
        ("map", json!(key.map)),
        ("key", json!(hex::encode(&key.key))),
        ("path", json!(hex::encode(key.path()))),
        ("value_hash", json!(value_hash)),
    ];
    vector("record-revoked", "CertificateRecord", "what may follow record-certificate", &record, facts)
}

fn plain<T: Wire>(name: &str, about: &str, value: &T) -> Vector {
    vector(name, "Action", about, value, Vec::new())
}

fn der(name: &str, kind: &'static str, about: &str, bytes: &[u8]) -> Vector {
    let fact = if kind == "Certificate" { "certificate_id" } else { "hash" };
    let facts = vec![(fact, json!(Hash(sha256(bytes))))];
    Vector { name: name.to_owned(), kind, about: about.to_owned(), bytes: bytes.to_vec(), facts }
}
