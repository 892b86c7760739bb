//! Until when bodies are needed: status x validity x kind of transaction.

use std::collections::BTreeMap;

use tabellion_ledger::{
    Algorithm, Content, Envelope, Hash, KeyId, Lane, LedgerId, Signature, StateKey, TransactionId,
    attachments_root, cbor,
};

use super::*;
use crate::action::{Entry, Window};
use crate::change::{Evidence, EvidenceKind, KeySignature, Number, Reason, Renewal};
use crate::key::{certificate_key, scheduled_key};
use crate::state::{CertificateRecord, Scheduled};

const HEIGHT: Height = Height(7);
const FROM: TimeMs = TimeMs(1_000_000);
const UNTIL: TimeMs = TimeMs(9_000_999);
const SINCE: TimeMs = TimeMs(5_000_000);

/// A state of single records.
#[derive(Default)]
struct State(BTreeMap<StateKey, Vec<u8>>);

impl View for State {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    fn transaction_height(&self, _: &TransactionId) -> Option<Height> {
        None
    }
}

fn id(number: u8) -> CertificateId {
    CertificateId([number; 32])
}

fn record(status: Status, published_height: Height, since_time: TimeMs) -> CertificateRecord {
    CertificateRecord {
        status,
        reason: None,
        sequence: 0,
        since_height: published_height,
        since_time,
        validity: Window { from: FROM, until: UNTIL },
        key: KeyId::default(),
        issuer: id(0),
        root: id(0),
        published_height,
        submitter: KeyId::default(),
        evidence: None,
        previous: None,
    }
}

impl State {
    fn with(mut self, number: u8, record: CertificateRecord) -> Self {
        self.0.insert(certificate_key(&id(number)), cbor::to_bytes(&record));
        self
    }

    fn waiting(mut self, number: u8, published_height: Height) -> Self {
        let CertificateRecord { validity, key, issuer, root, submitter, .. } =
            record(Status::Normal, published_height, SINCE);
        let waits =
            Scheduled { certificate: id(number), validity, key, issuer, root, published_height, submitter };
        self.0.insert(scheduled_key(&id(number)), cbor::to_bytes(&waits));
        self
    }
}

fn entry(number: u8) -> Entry {
    Entry {
        certificate: id(number),
        key: KeyId::default(),
        status: Status::Normal,
        validity: Window { from: FROM, until: UNTIL },
        window: None,
        intermediates: Vec::new(),
        root: id(0),
    }
}

fn evidence() -> Evidence {
    let (hash, number) = (Hash::default(), Number::default());
    Evidence { kind: EvidenceKind::Crl, hash, signer: id(0), at: SINCE, until: UNTIL, number }
}

fn change(number: u8, not_after: TimeMs) -> StatusChange {
    let reason = Some(Reason::KeyCompromise);
    StatusChange { certificate: id(number), issuer: id(0), not_after, reason, evidence: evidence() }
}

fn renewal(number: u8, old: u8, old_not_after: TimeMs) -> Renewal {
    let algorithm = Vec::new();
    let signature = KeySignature { algorithm, signature: Vec::new() };
    Renewal { entry: entry(number), old: id(old), old_not_after, signature }
}

fn transaction(action: Vec<u8>) -> Transaction {
    let content = Content {
        ledger: LedgerId::default(),
        lane: Lane::Certificate,
        valid_until: UNTIL,
        nonce: [0; 16],
        action,
        attachments: attachments_root(&[] as &[Vec<u8>]),
    };
    let (algorithm, signature) = (Algorithm::Ed25519, Signature(vec![0; 64]));
    let payload = cbor::to_bytes(&content);
    let envelope = Envelope { algorithm, key_id: KeyId::default(), payload, signature };
    Transaction::new(envelope, Vec::new()).unwrap()
}

fn until(actions: &[Action], state: &State) -> Option<TimeMs> {
    let transactions: Vec<_> = actions.iter().map(|action| transaction(cbor::to_bytes(action))).collect();
    retained_until(&transactions, HEIGHT, state)
}

fn publish(numbers: &[u8]) -> Action {
    Action::Publish(numbers.iter().map(|number| entry(*number)).collect())
}

/// X.1409 C20, A.3: a certificate counts until it expires or was revoked.
#[test]
fn a_publication_is_needed_as_long_as_its_certificate_lives() {
    let (late, elsewhere) = (TimeMs(UNTIL.0 + 5), Height(8));
    let rows = [
        ("normal", State::default().with(1, record(Status::Normal, HEIGHT, FROM)), UNTIL),
        ("suspended", State::default().with(1, record(Status::Suspended, HEIGHT, SINCE)), UNTIL),
        ("revoked", State::default().with(1, record(Status::Revoked, HEIGHT, SINCE)), SINCE),
        ("revoked after its end", State::default().with(1, record(Status::Revoked, HEIGHT, late)), UNTIL),
        (
            "revoked before its start",
            State::default().with(1, record(Status::Revoked, HEIGHT, TimeMs(FROM.0 - 1))),
            TimeMs(FROM.0 - 1),
        ),
        ("waits for its start", State::default().waiting(1, HEIGHT), UNTIL),
        ("dropped before its start", State::default(), TimeMs(0)),
        (
            "dropped here, recorded by another block",
            State::default().with(1, record(Status::Normal, elsewhere, SINCE)),
            TimeMs(0),
        ),
        ("dropped here, waits by another block", State::default().waiting(1, elsewhere), TimeMs(0)),
    ];
    for (name, state, expected) in rows {
        assert_eq!(until(&[publish(&[1])], &state), Some(expected), "{name}");
    }
}

/// One certificate that lives keeps the whole body, wherever it stands.
#[test]
fn a_body_is_needed_as_long_as_the_last_thing_in_it() {
    let revoked = || record(Status::Revoked, HEIGHT, SINCE);
    let state = State::default().with(1, revoked()).with(2, revoked()).with(3, revoked());
    let body = [publish(&[1, 2]), publish(&[3])];
    assert_eq!(until(&body, &state), Some(SINCE));
    for live in 1..=3 {
        let state = State(state.0.clone()).with(live, record(Status::Suspended, HEIGHT, SINCE));
        assert_eq!(until(&body, &state), Some(UNTIL), "certificate {live}");
    }
    assert_eq!(until(&[], &state), Some(TimeMs(0)));
}

/// X.1409 A5, V.2: why a certificate is not valid is shown until it would have expired by itself.
#[test]
fn a_change_is_needed_until_the_certificates_own_end_whatever_its_status() {
    let end = TimeMs(7_000_000);
    for status in [Status::Normal, Status::Suspended, Status::Revoked] {
        let state = State::default().with(1, record(status, Height(2), SINCE));
        let body = [Action::Change(vec![change(1, end), change(2, FROM)])];
        assert_eq!(until(&body, &state), Some(end.plus(999)), "{status}");
    }
    let state = State::default().with(3, record(Status::Revoked, HEIGHT, SINCE));
    let renewed = [Action::Renew(Box::new(renewal(3, 1, end)))];
    assert_eq!(until(&renewed, &state), Some(end.plus(999)), "the old certificate's end counts");
    let state = State::default().with(3, record(Status::Normal, HEIGHT, SINCE));
    assert_eq!(until(&renewed, &state), Some(UNTIL), "so does the new certificate");
}

#[test]
fn what_cannot_be_read_is_kept() {
    let transactions = [transaction(cbor::to_bytes(&publish(&[1]))), transaction(vec![0x82, 9, 0])];
    assert_eq!(retained_until(&transactions, HEIGHT, &State::default()), None);
}

#[test]
fn events_name_the_body_whose_end_comes_nearer() {
    let (state, published) = (State::default().waiting(4, Height(3)), Height(2));
    let certificate = id(4);
    let record = record(Status::Revoked, published, SINCE);
    let rows = [
        (Event::Revoked { certificate, record: record.clone() }, vec![published]),
        (Event::Renewed { certificate, record: record.clone(), by: id(5) }, vec![published]),
        (Event::Dropped { certificate, root: id(0) }, vec![Height(3)]),
        (Event::Dropped { certificate: id(9), root: id(0) }, vec![]),
        (Event::Published { certificate, record: record.clone() }, vec![]),
        (Event::Scheduled { certificate, from: FROM }, vec![]),
        (Event::Suspended { certificate, record: record.clone() }, vec![]),
        (Event::Resumed { certificate, record }, vec![]),
        (
            Event::Noticed { heights: vec![Height(1), Height(6)], by: KeyId::default() },
            vec![Height(1), Height(6)],
        ),
    ];
    for (event, expected) in rows {
        assert_eq!(shortened(&event, &state), expected, "{event:?}");
    }
}
