use std::collections::BTreeMap;

use tabellion_ledger::{
    Algorithm, CertificateId, Height, KeyId, MemberId, PublicKey, StateKey, TimeMs, TransactionId, Validator,
    View, cbor,
};

use tabellion_ledger::RosterFault;

use super::*;

struct Records(BTreeMap<StateKey, Vec<u8>>);

impl View for Records {
    fn get(&self, key: &StateKey) -> Option<Vec<u8>> {
        self.0.get(key).cloned()
    }

    fn transaction_height(&self, _: &TransactionId) -> Option<Height> {
        None
    }
}

fn key(byte: u8) -> PublicKey {
    PublicKey::new(Algorithm::Ed25519, &[byte; 32]).unwrap()
}

fn member(id: &str, keys: &[u8], roles: &[Role]) -> GenesisMember {
    GenesisMember {
        id: id.parse().unwrap(),
        name: id.to_uppercase(),
        keys: keys.iter().copied().map(key).collect(),
        roles: roles.to_vec(),
    }
}

fn validator(byte: u8, member: &str) -> GenesisValidator {
    let member: MemberId = member.parse().unwrap();
    let validator = Validator { key: [byte; 32], member, name: format!("node {byte}") };
    GenesisValidator { validator, address: format!("127.0.0.1:{}", 9000 + u16::from(byte)) }
}

fn draft() -> Genesis {
    Genesis {
        name: "test".to_owned(),
        time: TimeMs(1_000),
        members: vec![member("bravo", &[2], &[]), member("alpha", &[1], &[Role::CertificateUser])],
        validators: vec![validator(9, "bravo"), validator(8, "alpha")],
        parameters: Parameters::default(),
        anchors: vec![vec![3; 10], vec![1; 10]],
    }
}

/// X.1409 C4, L9
#[test]
fn a_genesis_reads_back_from_its_bytes_and_from_the_state() {
    let genesis = draft().new().unwrap();
    assert_eq!(Genesis::from_bytes(&cbor::to_bytes(&genesis)), Ok(genesis.clone()));
    let state =
        Records(genesis.writes().into_iter().filter_map(|(key, value)| Some((key, value?))).collect());
    assert_eq!(parameters(&state), genesis.parameters);
    assert_eq!(roster(&state), genesis.roster());
    assert_eq!(anchor(&state, &CertificateId::of(&[1; 10])), Some(vec![1; 10]));
    let alpha = submitter(&state, &key(1).id()).unwrap();
    assert_eq!((alpha.member.as_str(), alpha.require_any(&[Role::CertificateUser])), ("alpha", Ok(())));
}

#[test]
fn whoever_has_no_role_is_refused_with_the_roles_that_it_needs() {
    let genesis = draft().new().unwrap();
    let state =
        Records(genesis.writes().into_iter().filter_map(|(key, value)| Some((key, value?))).collect());
    let bravo = submitter(&state, &key(2).id()).unwrap();
    let needed = vec![Role::CertificationAuthority, Role::CertificateUser];
    let refused = Refusal::MissingRole { member: "bravo".parse().unwrap(), needed: needed.clone() };
    assert_eq!(bravo.require_any(&needed), Err(refused));
    let stranger = key(7).id();
    assert_eq!(submitter(&state, &stranger), Err(Refusal::UnknownSubmitter { key: stranger }));
}

#[test]
fn a_genesis_that_contradicts_itself_is_refused() {
    type Spoil = fn(&mut Genesis);
    let rows: [(&str, Spoil, GenesisFault); 5] = [
        ("no validators", |g| g.validators.clear(), GenesisFault::Roster(RosterFault::Size { found: 0 })),
        ("a validator twice", |g| g.validators.push(validator(9, "alpha")), {
            GenesisFault::Roster(RosterFault::KeyOrder { index: 2 })
        }),
        (
            "a member twice",
            |g| g.members.push(member("alpha", &[5], &[])),
            GenesisFault::Order { list: "members" },
        ),
        ("a shared key", |g| g.members[0].keys.push(key(1)), GenesisFault::SharedKey { key: key(1).id() }),
        ("a stranger's validator", |g| g.validators.push(validator(7, "zulu")), {
            GenesisFault::UnknownMember { member: "zulu".parse().unwrap() }
        }),
    ];
    for (name, spoil, fault) in rows {
        let mut genesis = draft();
        spoil(&mut genesis);
        assert_eq!(genesis.new().map(|genesis| genesis.ledger_id()), Err(fault), "{name}");
    }
    let mut genesis = draft().new().unwrap();
    genesis.anchors.reverse();
    assert_eq!(Genesis::from_bytes(&cbor::to_bytes(&genesis)), Err(GenesisFault::Anchors));
}

#[test]
fn the_ledger_identifier_covers_every_field() {
    let genesis = draft().new().unwrap();
    let mut other = genesis.clone();
    other.parameters.block.heartbeat_ms += 1;
    assert_ne!(genesis.ledger_id(), other.ledger_id());
    assert_ne!(KeyId::default(), key(1).id());
}
