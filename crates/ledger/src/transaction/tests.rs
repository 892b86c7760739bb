use super::*;
use crate::signature::Algorithm;
use crate::testing::{LEDGER, TestKey, attachments, content, transaction};

/// The parts of a transaction, each of which a row can spoil.
struct Parts {
    tag: u64,
    /// Pairs of the protected header, encoded.
    protected: Vec<u8>,
    unprotected: Vec<u8>,
    payload: Vec<u8>,
    signature: Vec<u8>,
    attachments: Vec<Vec<u8>>,
}

impl Parts {
    fn good() -> Self {
        let envelope = TestKey::new(Algorithm::Ed25519, 1).envelope(cbor::to_bytes(&content(Lane::Intel, 1)));
        Self {
            tag: 18,
            protected: protected(0xa2, &[1], &[0x27], &[4], envelope.key_id.as_bytes()),
            unprotected: vec![0xa0],
            payload: envelope.payload,
            signature: envelope.signature.0,
            attachments: attachments(1),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.array(2);
        out.tag(self.tag);
        out.array(4);
        out.bytes(&self.protected);
        let mut bytes = out.into_bytes();
        bytes.extend_from_slice(&self.unprotected);
        let mut rest = Writer::default();
        rest.bytes(&self.payload);
        rest.bytes(&self.signature);
        encode_attachments(&self.attachments, &mut rest);
        bytes.extend(rest.into_bytes());
        bytes
    }
}

fn protected(head: u8, one: &[u8], algorithm: &[u8], four: &[u8], key_id: &[u8]) -> Vec<u8> {
    let mut id = Writer::default();
    id.bytes(key_id);
    [&[head], one, algorithm, four, &id.into_bytes()].concat()
}

fn payload(spoil: impl FnOnce(&mut Vec<u8>)) -> impl FnOnce(&mut Parts) {
    move |parts| spoil(&mut parts.payload)
}

#[test]
fn a_transaction_reads_back_from_its_bytes() {
    let parts = Parts::good();
    let read = Transaction::from_bytes(&parts.bytes()).unwrap();
    assert_eq!(read.to_bytes(), parts.bytes());
    assert_eq!(*read.content(), content(Lane::Intel, 1));
    assert_eq!(read.attachments(), attachments(1));
    assert!(read.is_complete());
    assert_eq!(read.submitter(), TestKey::new(Algorithm::Ed25519, 1).public().id());
    assert_eq!(read.content().ledger, LEDGER);
}

/// X.1409 L2: a transaction has one encoding; all others are refused, each with its reason.
#[test]
fn bytes_that_are_not_the_only_encoding_of_a_transaction_are_refused() {
    use DecodeError::{NotCanonical, TooLong, Unexpected, Value};
    type Spoil = Box<dyn FnOnce(&mut Parts)>;
    let of = |expected| Unexpected { at: 0, expected };
    let key_id = [3_u8; 32];
    let rows: Vec<(&str, Spoil, DecodeError)> = vec![
        ("another tag", Box::new(|parts| parts.tag = 17), Unexpected { at: 1, expected: "another tag" }),
        (
            "an unprotected header",
            Box::new(|parts| parts.unprotected = vec![0xa1, 0x04, 0x41, 0x00]),
            TooLong { length: 1, limit: 0 },
        ),
        (
            "a null payload (detached)",
            Box::new(|parts| parts.unprotected = vec![0xa0, 0xf6]),
            Unexpected { at: 44, expected: "a byte string" },
        ),
        (
            "an unknown algorithm",
            Box::new(move |parts| parts.protected = protected(0xa2, &[1], &[0x38, 0x22], &[4], &key_id)),
            Value { field: "algorithm" },
        ),
        (
            "an algorithm in a longer head than needed",
            Box::new(move |parts| parts.protected = protected(0xa2, &[1], &[0x38, 0x07], &[4], &key_id)),
            NotCanonical { at: 2 },
        ),
        (
            "protected header in another order",
            Box::new(move |parts| {
                parts.protected = [&[0xa2, 4, 0x58, 32], key_id.as_slice(), &[1, 0x27]].concat();
            }),
            Value { field: "protected header 1" },
        ),
        (
            "another second header",
            Box::new(move |parts| parts.protected = protected(0xa2, &[1], &[0x27], &[5], &key_id)),
            Value { field: "protected header 4" },
        ),
        (
            "a third header",
            Box::new(move |parts| parts.protected = protected(0xa3, &[1], &[0x27], &[4], &key_id)),
            TooLong { length: 3, limit: 2 },
        ),
        (
            "an empty protected header",
            Box::new(|parts| parts.protected = Vec::new()),
            DecodeError::Truncated { at: 0 },
        ),
        (
            "a short key id",
            Box::new(move |parts| parts.protected = protected(0xa2, &[1], &[0x27], &[4], &key_id[1..])),
            Unexpected { at: 4, expected: "a byte string of fixed length" },
        ),
        (
            "bytes after the protected header",
            Box::new(|parts| parts.protected.push(0)),
            DecodeError::Trailing { count: 1 },
        ),
        ("a short signature", Box::new(|parts| parts.signature.truncate(63)), Value { field: "signature" }),
        ("a long signature", Box::new(|parts| parts.signature.push(0)), TooLong { length: 65, limit: 64 }),
        ("a payload that is no content", Box::new(payload(|bytes| *bytes = vec![0x01])), of("an array")),
        (
            "a content of five fields",
            Box::new(payload(|bytes| bytes[0] = 0x85)),
            of("an array of fixed length"),
        ),
        (
            "bytes after the content",
            Box::new(payload(|bytes| bytes.push(0))),
            DecodeError::Trailing { count: 1 },
        ),
        (
            "an attachment altered",
            Box::new(|parts| parts.attachments[1][0] ^= 1),
            Value { field: "attachments" },
        ),
        (
            "attachments swapped",
            Box::new(|parts| parts.attachments.swap(0, 1)),
            Value { field: "attachments" },
        ),
        (
            "one of two attachments left out",
            Box::new(|parts| drop(parts.attachments.pop())),
            Value { field: "attachments" },
        ),
        ("an unknown lane", Box::new(payload(|bytes| bytes[35] = 0x04)), Value { field: "lane" }),
        (
            "too many bytes in an attachment",
            Box::new(|parts| parts.attachments[0] = vec![0; ATTACHMENT_BYTES_MAX + 1]),
            TooLong { length: ATTACHMENT_BYTES_MAX + 1, limit: ATTACHMENT_BYTES_MAX },
        ),
        (
            "too many attachments",
            Box::new(|parts| parts.attachments = vec![Vec::new(); ATTACHMENTS_MAX + 1]),
            TooLong { length: ATTACHMENTS_MAX + 1, limit: ATTACHMENTS_MAX },
        ),
        (
            "too many bytes in the payload",
            Box::new(payload(|bytes| *bytes = vec![0; ENVELOPE_BYTES_MAX + 1])),
            TooLong { length: ENVELOPE_BYTES_MAX + 1, limit: ENVELOPE_BYTES_MAX },
        ),
        (
            "too many bytes in all",
            Box::new(|parts| parts.attachments = vec![vec![0; ATTACHMENT_BYTES_MAX]; 32]),
            TooLong {
                length: Parts::good().bytes().len() - 13 + 32 * (ATTACHMENT_BYTES_MAX + 5) + 1,
                limit: TRANSACTION_BYTES_MAX,
            },
        ),
    ];
    for (what, spoil, expected) in rows {
        let mut parts = Parts::good();
        spoil(&mut parts);
        assert_eq!(Transaction::from_bytes(&parts.bytes()), Err(expected), "{what}");
    }
}

#[test]
fn a_truncated_or_longer_transaction_is_refused() {
    let bytes = transaction(Lane::Certificate, 1).to_bytes();
    for length in 0..bytes.len() {
        assert!(Transaction::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(Transaction::from_bytes(&longer), Err(DecodeError::Trailing { count: 1 }));
}

/// X.1409 L2: whoever turns a bit makes another transaction, or none, or one whose signature fails; or
/// leaves the attachments out, which the record leaf shows.
#[test]
fn no_bit_can_be_turned_unseen() {
    let original = transaction(Lane::Certificate, 1);
    let key = TestKey::new(Algorithm::Ed25519, 1).public();
    for (place, turned) in crate::testing::with_one_bit_turned(&original.to_bytes()) {
        let Ok(read) = Transaction::from_bytes(&turned) else { continue };
        assert_eq!(read.to_bytes(), turned, "byte {place}");
        assert_ne!(read.record_leaf(), original.record_leaf(), "byte {place}");
        if read.id() == original.id() && read.attachments() == original.attachments() {
            assert!(read.envelope().verify(&key).is_err(), "byte {place}");
        }
    }
}

/// X.1409 L2
#[test]
fn two_transactions_with_one_action_differ_by_nonce() {
    let key = TestKey::new(Algorithm::Ed25519, 1);
    let with_nonce = |nonce| {
        let content = Content { nonce, ..content(Lane::Certificate, 1) };
        Transaction::new(key.envelope(cbor::to_bytes(&content)), Vec::new()).unwrap().id()
    };
    assert_ne!(with_nonce([1; 16]), with_nonce([2; 16]));
    assert_eq!(with_nonce([1; 16]), with_nonce([1; 16]));
}

#[test]
fn attachments_can_be_left_out_under_the_same_identifier() {
    let original = transaction(Lane::Certificate, 1);
    let bare = original.without_attachments();
    assert_eq!(bare.id(), original.id());
    assert_ne!(bare.record_leaf(), original.record_leaf());
    assert_eq!((original.is_complete(), bare.is_complete()), (true, false));
    assert_eq!(bare.with_attachments(original.attachments().to_vec()), Ok(original));
    let foreign = bare.with_attachments(vec![vec![1]]);
    assert_eq!(foreign, Err(DecodeError::Value { field: "attachments" }));
    let hash = Hash(sha256(&bare.to_bytes()));
    assert_eq!(Transaction::record_leaf_of(&bare.id(), &hash), bare.record_leaf());
}
