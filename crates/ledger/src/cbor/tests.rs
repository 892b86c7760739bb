use super::*;
use proptest::prelude::*;

#[test]
fn every_item_has_one_encoding_and_all_others_are_refused() {
    let refused: &[(&[u8], &str)] = &[
        (&[0x18, 0x17], "head longer than needed"),
        (&[0x19, 0x00, 0xff], "head longer than needed"),
        (&[0x1a, 0x00, 0x00, 0xff, 0xff], "head longer than needed"),
        (&[0x1b, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], "head longer than needed"),
        (&[0x1f], "indefinite"),
        (&[0x18], "truncated"),
        (&[0x01, 0x00], "trailing"),
        (&[0x41, 0x00], "a byte string where a number belongs"),
    ];
    for (bytes, why) in refused {
        assert!(from_bytes::<crate::Height>(bytes, 100).is_err(), "{why}: {bytes:02x?}");
    }
}

#[test]
fn a_lying_array_head_reserves_no_memory() {
    let bytes = [0x9a, 0xff, 0xff, 0xff, 0xff];
    let mut reader = Reader::new(&bytes);
    assert_eq!(reader.list::<crate::Height>(usize::MAX), Err(DecodeError::Truncated { at: 5 }));
}

proptest! {
    #[test]
    fn integers_agree_with_an_independent_codec(value in any::<i64>()) {
        let mut out = Writer::default();
        out.int(value);
        let ours = out.into_bytes();
        let mut theirs = Vec::new();
        ciborium::into_writer(&value, &mut theirs).unwrap();
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(Reader::new(&ours).int(), Ok(value));
    }

    #[test]
    fn what_decodes_re_encodes_to_the_same_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
        if let Ok(height) = from_bytes::<crate::Height>(&bytes, 100) {
            prop_assert_eq!(to_bytes(&height), bytes);
        }
    }
}
