use ed25519_consensus::VerificationKey;
use tabellion_ledger::{CertificateId, PublicKey, RosterFault, Validator, cbor};

use super::world::*;
use crate::*;

fn state_of(genesis: &Genesis) -> Records {
    let mut state = Records::default();
    state.write(genesis.writes());
    state
}

fn draft() -> Genesis {
    let mut draft = genesis(3, 2, Parameters::default());
    draft.members.reverse();
    draft.members[0].roles = vec![Role::Auditor];
    draft.anchors = vec![vec![3; 10], vec![1; 10]];
    draft
}

/// X.1409 C4, L9
#[test]
fn a_genesis_reads_back_from_its_bytes_and_from_the_state() {
    let genesis = draft().new().unwrap();
    assert_eq!(Genesis::from_bytes(&cbor::to_bytes(&genesis)), Ok(genesis.clone()));
    let state = state_of(&genesis);
    assert_eq!(parameters(&state), genesis.parameters);
    assert_eq!(roster(&state), genesis.roster());
    assert_eq!(anchor(&state, &CertificateId::of(&[1; 10])), Some(vec![1; 10]));
    let first = submitter(&state, &member_key_of(0).id()).unwrap();
    assert_eq!((first.member.as_str(), first.require_any(&[Role::CertificateUser])), ("m0", Ok(())));
    assert_eq!(members(&state).active(), 3);
    let book = committee(&state);
    assert_eq!((book.validators().count(), book.followers().count(), book.roster), (2, 0, 0));
    assert_eq!(node(&state, &node_id_of(1)).unwrap().address, "10.0.0.1:7000");
    assert_eq!(node_of_key(&state, &node_key_of(0).node_key()).unwrap().role, NodeRole::Validator);
    assert_eq!((next_due(&state), boundary(&state), stop(&state)), (None, None, None));
}

#[test]
fn whoever_has_no_role_is_refused_with_the_roles_that_it_needs() {
    let state = state_of(&draft().new().unwrap());
    let auditor = submitter(&state, &member_key_of(2).id()).unwrap();
    let needed = vec![Role::CertificationAuthority, Role::CertificateUser];
    let refused = Refusal::MissingRole { member: id("m2"), needed: needed.clone() };
    assert_eq!(auditor.require_any(&needed), Err(refused));
    let stranger = Key::new(7).id();
    assert_eq!(submitter(&state, &stranger), Err(Refusal::UnknownSubmitter { key: stranger }));
}

/// A point's second encoding: y + p where y < 19.
fn second_encoding() -> [u8; 32] {
    let encoding = |y: u8| {
        let mut bytes = [0xff; 32];
        (bytes[0], bytes[31]) = (0xed + y, 0x7f);
        bytes
    };
    let found = (2..19).map(encoding).find(|bytes| VerificationKey::try_from(*bytes).is_ok());
    found.unwrap()
}

#[test]
fn only_the_one_encoding_of_a_point_of_large_order_is_a_key() {
    let mut zero_with_sign = [0; 32];
    (zero_with_sign[0], zero_with_sign[31]) = (1, 0x80);
    let mut identity = [0; 32];
    identity[0] = 1;
    let rows: [(&str, [u8; 32], bool); 6] = [
        ("a key", node_key_of(1).node_key().0, true),
        ("a second encoding", second_encoding(), false),
        ("the point of order one", identity, false),
        ("the same with the sign of zero", zero_with_sign, false),
        ("a point of order four", [0; 32], false),
        ("no point", [2; 32], false),
    ];
    for (name, bytes, usable) in rows {
        assert_eq!(NodeKey(bytes).is_usable(), usable, "{name}");
        let point = VerificationKey::try_from(bytes).is_ok();
        assert_eq!(point, name != "no point", "{name}");
    }
    assert!(is_usable(&other_algorithm_key()));
}

fn validator(key: [u8; 32], member: &str) -> GenesisValidator {
    let validator = Validator { key, member: id(member), name: "another".to_owned() };
    GenesisValidator { validator, address: "127.0.0.1:9000".to_owned() }
}

#[test]
fn a_genesis_that_contradicts_itself_is_refused() {
    type Spoil = fn(&mut Genesis);
    let shared = member_key_of(1).id();
    let small = NodeKey([0; 32]);
    let bounds = |field, value, least, most| {
        GenesisFault::Parameter(ParameterFault::Bounds { field, value, least, most })
    };
    let rows: Vec<(&str, Spoil, GenesisFault)> = vec![
        ("no validators", |g| g.validators.clear(), GenesisFault::Roster(RosterFault::Size { found: 0 })),
        (
            "a validator twice",
            |g| g.validators = vec![g.validators[0].clone(), g.validators[0].clone()],
            GenesisFault::Roster(RosterFault::KeyOrder { index: 1 }),
        ),
        ("a member twice", |g| g.members.push(g.members[0].clone()), GenesisFault::Order { list: "members" }),
        ("no keys", |g| g.members[2].keys.clear(), GenesisFault::NoKeys { member: id("m0") }),
        (
            "two members' key",
            |g| g.members[0].keys.push(member_key_of(1).public()),
            GenesisFault::SharedKey { key: shared },
        ),
        (
            "a member's and a node's key",
            |g| g.validators.push(validator(member_key_of(1).node_key().0, "m2")),
            GenesisFault::SharedKey { key: shared },
        ),
        (
            "a validator's key of small order",
            |g| g.validators.push(validator([0; 32], "m2")),
            GenesisFault::UnusableKey { key: small.id() },
        ),
        (
            "a member's key of small order",
            |g| g.members[0].keys.push(NodeKey([0; 32]).public()),
            GenesisFault::UnusableKey { key: small.id() },
        ),
        (
            "a stranger's validator",
            |g| g.validators.push(validator(node_key_of(7).node_key().0, "zulu")),
            GenesisFault::UnknownMember { member: id("zulu") },
        ),
        (
            "a short epoch",
            |g| g.parameters.block.epoch_blocks = 3,
            bounds("block.epoch_blocks", 3, 4, EPOCH_BLOCKS_MAX),
        ),
        (
            "blocks too small for a vote",
            |g| g.parameters.block.block_bytes_max = 1,
            bounds("block.block_bytes_max", 1, BLOCK_BYTES_MIN, 2 * 1024 * 1024),
        ),
        (
            "no signature algorithm",
            |g| g.parameters.transaction.algorithms.clear(),
            bounds("transaction.algorithms", 0, 1, 3),
        ),
        (
            "decisions that do not stay",
            |g| {
                let lane = tabellion_ledger::Lane::Consortium;
                g.parameters.retention.push(Retention { lane, keep_ms: 1 });
            },
            GenesisFault::Parameter(ParameterFault::Retention { lane: tabellion_ledger::Lane::Consortium }),
        ),
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
fn no_founder_has_a_third_of_four_or_more_validators() {
    // (validators, those of m0, whether that is refused)
    let rows = [
        (1, 1, false),
        (3, 3, false),
        (4, 1, false),
        (4, 2, true),
        (6, 1, false),
        (6, 2, true),
        (7, 2, false),
        (7, 3, true),
        (9, 3, true),
        (10, 3, false),
    ];
    for (validators, own, refused) in rows {
        let mut document = genesis(validators, validators, Parameters::default());
        for entry in document.validators.iter_mut().take(own) {
            entry.validator.member = id("m0");
        }
        let fault = GenesisFault::OrganisationThird { member: id("m0"), count: own, validators };
        let expected = if refused { Err(fault) } else { Ok(()) };
        assert_eq!(document.new().map(|_| ()), expected, "{own} of {validators}");
    }
}

#[test]
fn the_ledger_identifier_covers_every_field() {
    let genesis = draft().new().unwrap();
    let mut other = genesis.clone();
    other.parameters.block.heartbeat_ms += 1;
    assert_ne!(genesis.ledger_id(), other.ledger_id());
    let keys: Vec<PublicKey> = genesis.members.iter().flat_map(|member| member.keys.clone()).collect();
    assert_eq!(keys.len(), 3);
}

#[test]
fn parameters_are_written_as_toml_and_read_back() {
    let mut parameters = parameters_for_tests();
    parameters.quota.member = Some(Quota { transactions: 100, bytes: 1_000_000 });
    parameters.retention.push(Retention { lane: tabellion_ledger::Lane::Audit(3), keep_ms: 5 });
    let text = toml::to_string(&parameters).unwrap();
    assert!(text.contains("lane = \"audit/3\""), "{text}");
    assert_eq!(toml::from_str::<Parameters>(&text).unwrap(), parameters);
    let short = "[block]\nepoch_blocks = 16\n[governance]\nprobation_epochs = 0\n";
    let read: Parameters = toml::from_str(short).unwrap();
    assert_eq!((read.block.epoch_blocks, read.governance.probation_epochs), (16, 0));
    assert_eq!(read.governance.ledger_version, 1);
}
