use coset::{CoseSign1, CoseSign1Builder, HeaderBuilder, TaggedCborSerializable, iana};

use super::*;
use crate::cbor;
use crate::id::TimeMs;
use crate::testing::{TestKey, with_one_bit_turned};

fn iana(algorithm: Algorithm) -> iana::Algorithm {
    match algorithm {
        Algorithm::Ed25519 => iana::Algorithm::EdDSA,
        Algorithm::Es256 => iana::Algorithm::ES256,
        Algorithm::MlDsa65 => iana::Algorithm::ML_DSA_65,
    }
}

/// Decoded and verified by an implementation of RFC 9052 that is not ours.
#[test]
fn our_envelopes_hold_for_another_implementation_of_cose() {
    for algorithm in Algorithm::ALL {
        let key = TestKey::new(algorithm, 1);
        let public = key.public();
        let bytes = cbor::to_bytes(&key.envelope(b"payload".to_vec()));
        let theirs = CoseSign1::from_tagged_slice(&bytes).unwrap();
        assert_eq!(theirs.protected.header.key_id, public.id().as_bytes(), "{algorithm}");
        assert_eq!(theirs.payload.as_deref(), Some(b"payload".as_slice()), "{algorithm}");
        let verify = |signature: &[u8], signed: &[u8]| public.verify(signed, &Signature(signature.to_vec()));
        assert_eq!(theirs.verify_signature(b"", verify), Ok(()), "{algorithm}");
        assert_eq!(theirs.to_tagged_vec().unwrap(), bytes, "{algorithm}");
    }
}

#[test]
fn envelopes_of_another_implementation_of_cose_hold_for_us() {
    for algorithm in Algorithm::ALL {
        let key = TestKey::new(algorithm, 2);
        let public = key.public();
        let header =
            HeaderBuilder::new().algorithm(iana(algorithm)).key_id(public.id().as_bytes().to_vec()).build();
        let theirs = CoseSign1Builder::new()
            .protected(header)
            .payload(b"payload".to_vec())
            .create_signature(b"", |signed| key.sign(signed).0)
            .build();
        let bytes = theirs.to_tagged_vec().unwrap();
        let ours: Envelope = cbor::from_bytes(&bytes, ENVELOPE_BYTES_MAX).unwrap();
        assert_eq!(ours.verify(&public), Ok(()), "{algorithm}");
        assert_eq!(cbor::to_bytes(&ours), bytes, "{algorithm}");
    }
}

/// X.1409 L2
#[test]
fn the_identifier_covers_what_is_signed_and_leaves_the_signature_out() {
    let key = TestKey::new(Algorithm::Es256, 1);
    let (first, second) = (key.envelope(b"payload".to_vec()), key.envelope(b"payload".to_vec()));
    assert_ne!(first.signature, second.signature, "ES256 signs with chance");
    assert_eq!(first.transaction_id(), second.transaction_id());
    let id = first.transaction_id();
    let rows = [
        ("payload", Envelope { payload: b"payloae".to_vec(), ..first.clone() }),
        ("key", Envelope { key_id: KeyId([1; 32]), ..first.clone() }),
        ("algorithm", Envelope { algorithm: Algorithm::Ed25519, ..first.clone() }),
    ];
    for (field, other) in rows {
        assert_ne!(other.transaction_id(), id, "{field}");
    }
    let signed = Envelope::signed_bytes(first.algorithm, &first.key_id, &first.payload);
    assert_eq!(id, TransactionId::of(&signed));
}

#[test]
fn an_envelope_holds_only_for_its_key_and_algorithm() {
    let (key, other) = (TestKey::new(Algorithm::Ed25519, 1), TestKey::new(Algorithm::Ed25519, 2));
    let good = key.envelope(b"payload".to_vec());
    let (named, given) = (key.public().id(), other.public().id());
    let es256 = Envelope { algorithm: Algorithm::Es256, ..good.clone() };
    let altered = Envelope { payload: b"payloae".to_vec(), ..good.clone() };
    let short = Envelope { signature: Signature(vec![0; 63]), ..good.clone() };
    let algorithm = Algorithm::Ed25519;
    let rows = [
        ("its own key", &good, key.public(), Ok(())),
        ("another key", &good, other.public(), Err(EnvelopeError::OtherKey { named, given })),
        (
            "another algorithm",
            &es256,
            key.public(),
            Err(EnvelopeError::OtherAlgorithm { named: Algorithm::Es256, given: algorithm }),
        ),
        (
            "another payload",
            &altered,
            key.public(),
            Err(EnvelopeError::Signature(SignatureFault::Invalid { algorithm })),
        ),
        (
            "a short signature",
            &short,
            key.public(),
            Err(EnvelopeError::Signature(SignatureFault::Length { algorithm, found: 63, expected: 64 })),
        ),
    ];
    for (what, envelope, public, expected) in rows {
        assert_eq!(envelope.verify(&public), expected, "{what}");
    }
}

#[test]
fn an_envelope_with_one_bit_turned_is_refused() {
    for algorithm in Algorithm::ALL {
        let key = TestKey::new(algorithm, 1);
        let bytes = cbor::to_bytes(&key.envelope(cbor::to_bytes(&TimeMs(5))));
        for (place, turned) in with_one_bit_turned(&bytes) {
            let holds = cbor::from_bytes::<Envelope>(&turned, ENVELOPE_BYTES_MAX)
                .is_ok_and(|envelope| envelope.verify(&key.public()).is_ok());
            assert!(!holds, "{algorithm}, byte {place}");
        }
    }
}
