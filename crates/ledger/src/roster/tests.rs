use super::*;
use crate::testing::Committee;

fn validator(key: u8) -> Validator {
    Validator { key: [key; 32], member: "member".parse().unwrap(), name: "node".to_owned() }
}

#[test]
fn a_quorum_is_more_than_two_thirds() {
    let rows = [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (6, 5), (7, 5), (10, 7), (16, 11), (128, 86)];
    for (count, quorum) in rows {
        let validators = (0..count).map(validator).collect();
        let roster = Roster::new(0, validators).unwrap();
        assert_eq!(roster.quorum(), quorum, "{count} validators");
        let count = usize::from(count);
        assert!(2 * quorum > count + (count - 1) / 3, "two quorums share an honest one of {count}");
    }
}

#[test]
fn a_roster_stands_in_the_order_of_its_keys() {
    let roster = Roster::new(3, vec![validator(9), validator(1), validator(5)]).unwrap();
    assert_eq!(roster.validators().iter().map(|one| one.key[0]).collect::<Vec<_>>(), [1, 5, 9]);
    let rows = [([1; 32], Some(0)), ([5; 32], Some(1)), ([9; 32], Some(2)), ([2; 32], None)];
    for (key, index) in rows {
        assert_eq!(roster.index_of(&key), index);
    }
    assert_eq!(cbor::from_bytes(&cbor::to_bytes(&roster), 1024), Ok(roster));
}

#[test]
fn a_roster_without_validators_or_with_too_many_or_one_twice_is_refused() {
    let many: Vec<_> = (0..=128).map(validator).collect();
    let rows = [
        (vec![], RosterFault::Size { found: 0 }),
        (many, RosterFault::Size { found: 129 }),
        (vec![validator(2), validator(1), validator(2)], RosterFault::KeyOrder { index: 2 }),
    ];
    for (validators, fault) in rows {
        assert_eq!(Roster::new(0, validators), Err(fault));
    }
}

#[test]
fn a_roster_out_of_order_is_no_encoding() {
    let encode = |keys: &[u8]| {
        let validators: Vec<_> = keys.iter().copied().map(validator).collect();
        let mut out = Writer::default();
        out.array(2);
        out.uint(0);
        out.list(&validators);
        out.into_bytes()
    };
    assert!(cbor::from_bytes::<Roster>(&encode(&[1, 2]), 1024).is_ok());
    for keys in [[2, 1].as_slice(), &[1, 1], &[]] {
        let refused = Err(DecodeError::Value { field: "roster" });
        assert_eq!(cbor::from_bytes::<Roster>(&encode(keys), 1024), refused, "{keys:?}");
    }
}

#[test]
fn the_roster_hash_covers_number_key_member_and_name() {
    let roster = Committee::new(0, 4).roster;
    let other_number = Committee::new(1, 4).roster;
    assert_ne!(roster.hash(), other_number.hash());
    type Change = fn(&mut Validator);
    let changes: [Change; 3] =
        [|one| one.key[31] ^= 1, |one| one.member = "other".parse().unwrap(), |one| one.name.push('x')];
    for change in changes {
        let mut validators = roster.validators().to_vec();
        change(&mut validators[2]);
        assert_ne!(Roster::new(0, validators).unwrap().hash(), roster.hash());
    }
}

#[test]
fn member_ids_are_short_and_plain() {
    let long = "a".repeat(33);
    for text in ["", "A", "a b", "a_b", "ä", "a.b", &long] {
        assert!(text.parse::<MemberId>().is_err(), "{text}");
    }
    for text in ["a", "operator-1", "0", &long[1..]] {
        assert_eq!(text.parse::<MemberId>().unwrap().as_str(), text);
    }
}
