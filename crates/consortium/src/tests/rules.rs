use tabellion_ledger::{Algorithm, CertificateId, Lane};

use super::world::*;
use crate::*;

fn blocks(world: &World) -> BlockLimits {
    BlockLimits::of(&parameters(&world.state).block)
}

fn certificate_rules(world: &World) -> CertificateRules {
    parameters(&world.state).certificate
}

/// X.1409 clause 7 step 2, IV.1: the participants make the rules.
#[test]
fn every_group_of_parameters_is_set_by_vote() {
    type Expect = fn(&mut Parameters);
    let mut world = World::new(4, 4);
    let names = vec![PermittedName { name: "O=Operator A".to_owned(), subtree: true }];
    let lanes = vec![
        Retention { lane: Lane::Certificate, keep_ms: 5 },
        Retention { lane: Lane::Audit(2), keep_ms: 6 },
    ];
    let quota = QuotaRules { window_ms: 60_000, member: Some(Quota { transactions: 16, bytes: 1 << 20 }) };
    let rows: Vec<(Change, Expect)> = vec![
        (
            Change::Policies(PolicyRules {
                policies: vec!["1.2.3".to_owned()],
                explicit_policy: true,
                inhibit_policy_mapping: true,
                inhibit_any_policy: false,
            }),
            |p| {
                p.certificate.policies = vec!["1.2.3".to_owned()];
                (p.certificate.explicit_policy, p.certificate.inhibit_policy_mapping) = (true, true);
            },
        ),
        (
            Change::Algorithms(AlgorithmRules {
                transaction: vec![Algorithm::Ed25519],
                certificate: vec![CertificateAlgorithm::P256],
                rsa_bits_min: 3072,
                rsa_bits_max: 4096,
            }),
            |p| {
                p.transaction.algorithms = vec![Algorithm::Ed25519];
                p.certificate.algorithms = vec![CertificateAlgorithm::P256];
                (p.certificate.rsa_bits_min, p.certificate.rsa_bits_max) = (3072, 4096);
            },
        ),
        (Change::Names { names: Some(names) }, |p| {
            p.certificate.names =
                Some(vec![PermittedName { name: "O=Operator A".to_owned(), subtree: true }]);
        }),
        (Change::Names { names: None }, |p| p.certificate.names = None),
        (Change::Blocks(BlockLimits { heartbeat_ms: 5_000, ..blocks(&world) }), |p| {
            p.block.heartbeat_ms = 5_000;
        }),
        (Change::Transactions { lifetime_ms_max: 60_000 }, |p| p.transaction.lifetime_ms_max = 60_000),
        (
            Change::CertificateLimits(CertificateLimits {
                strict: false,
                ..CertificateLimits::of(&certificate_rules(&world))
            }),
            |p| p.certificate.strict = false,
        ),
        (Change::Retention { lanes }, |p| {
            let (certificate, audit) = (Lane::Certificate, Lane::Audit(2));
            p.retention =
                vec![Retention { lane: certificate, keep_ms: 5 }, Retention { lane: audit, keep_ms: 6 }];
        }),
        (Change::Quotas(quota), |p| {
            p.quota.window_ms = 60_000;
            p.quota.member = Some(Quota { transactions: 16, bytes: 1 << 20 });
        }),
        (
            Change::Voting(VotingRules { probation_epochs: 9, ..VotingRules::of(&parameters(&world.state)) }),
            |p| p.governance.probation_epochs = 9,
        ),
        (Change::VerifierVersion { version: 2 }, |p| p.certificate.verifier_version = 2),
        (Change::LedgerVersion { version: 7 }, |p| p.governance.ledger_version = 7),
    ];
    let mut expected = parameters(&world.state);
    for (change, expect) in rows {
        let name = change.name();
        expect(&mut expected);
        assert_eq!(world.enact(change), ProposalStatus::Executed, "{name}");
        assert_eq!(parameters(&world.state), expected, "{name}");
        assert!(world.events.contains(&Event::ParametersChanged { change: name.to_owned() }), "{name}");
    }
}

/// X.1409 C4: the participants define the list of trusted CAs.
#[test]
fn trusted_cas_come_with_their_certificates_and_go() {
    let mut world = World::new(4, 4);
    let first = CertificateId::of(b"a first certificate");
    let der = Der(b"a second certificate".to_vec());
    let second = der.id();
    let change = Change::TrustedCas { add: vec![der.clone()], remove: vec![first] };
    let number = world.propose(0, change).unwrap();
    assert!(anchor(&world.state, &second).is_none(), "not before the vote");
    world.accept(number);
    world.end_block();
    assert_eq!(world.status(number), ProposalStatus::Executed);
    assert_eq!(certificate_rules(&world).anchors, [second]);
    assert_eq!((anchor(&world.state, &second), anchor(&world.state, &first)), (Some(der.0), None));
}

/// X.1409 L9: operation management; the emergency stop.
#[test]
fn the_members_stop_the_ledger_and_let_it_go_on() {
    let mut world = World::new(4, 4);
    assert_eq!(world.propose(0, Change::Resume), Err(Refusal::NotStopped));
    assert_eq!(world.enact(Change::Stop), ProposalStatus::Executed);
    let height = world.tip;
    assert_eq!(require_running(&world.state), Err(Refusal::Stopped { height }));
    assert_eq!(world.propose(0, Change::Stop), Err(Refusal::StoppedAlready { height }));
    // The consortium itself goes on.
    assert_eq!(world.enact(Change::Resume), ProposalStatus::Executed);
    assert_eq!((require_running(&world.state), stop(&world.state)), (Ok(()), None));
}

#[test]
fn a_decision_in_words_is_recorded_and_told() {
    let mut world = World::new(4, 4);
    let number = world.decide(Change::Decision { text: "We meet in May.".to_owned() });
    let events = world.end_block();
    assert_eq!(events, [Event::Decided { proposal: number }, Event::Executed { proposal: number }]);
}

#[test]
fn rules_are_refused_with_the_facts() {
    let mut world = World::new(4, 4);
    let parameters = parameters(&world.state);
    let present = |w: &World| AlgorithmRules::of(&crate::parameters(&w.state));
    let first = CertificateId::of(b"a first certificate");
    let second = CertificateId::of(b"a second certificate");
    let bad = CertificateId::of(NO_CERTIFICATE_AT_ALL);
    let trust = |w: &mut World, add: &[&[u8]], remove| {
        let add = add.iter().map(|der| Der(der.to_vec())).collect();
        w.propose(0, Change::TrustedCas { add, remove }).map(|_| Vec::new())
    };
    let propose = |w: &mut World, change| w.propose(0, change).map(|_| Vec::new());
    let bounds = |field, value, least, most| {
        Refusal::ParameterRefused(ParameterFault::Bounds { field, value, least, most })
    };
    let older = |version, present| Refusal::VersionNotNewer { version, present };
    let limits = BlockLimits::of(&parameters.block);
    let x = PolicyRules { policies: vec!["x".to_owned()], ..PolicyRules::of(&parameters.certificate) };
    let rows: &[Row<'_>] = &[
        ("no change", &|w| propose(w, Change::Blocks(blocks(w))), Refusal::NothingChanges),
        ("no CA", &|w| trust(w, &[], vec![]), Refusal::NothingChanges),
        ("a CA again", &|w| trust(w, &[b"a first certificate"], vec![]), {
            Refusal::TrustedAlready { id: first }
        }),
        ("a CA that is not there", &|w| trust(w, &[], vec![second]), { Refusal::NotTrusted { id: second } }),
        ("a CA that is no certificate", &|w| trust(w, &[NO_CERTIFICATE_AT_ALL], vec![]), {
            Refusal::RulesNotFollowable { reason: format!("{bad} is no certificate") }
        }),
        ("policies that nobody can read", &|w| propose(w, Change::Policies(x.clone())), {
            Refusal::RulesNotFollowable { reason: "x is no object identifier".to_owned() }
        }),
        (
            "algorithms that nobody has",
            &|w| {
                let transaction = vec![Algorithm::Es256];
                propose(w, Change::Algorithms(AlgorithmRules { transaction, ..present(w) }))
            },
            Refusal::MemberWithoutKey { member: id("m0") },
        ),
        (
            "no algorithm",
            &|w| {
                let transaction = Vec::new();
                propose(w, Change::Algorithms(AlgorithmRules { transaction, ..present(w) }))
            },
            bounds("transaction.algorithms", 0, 1, 3),
        ),
        (
            "small blocks",
            &|w| propose(w, Change::Blocks(BlockLimits { block_bytes_max: 5, ..limits })),
            bounds("block.block_bytes_max", 5, BLOCK_BYTES_MIN, 2 * 1024 * 1024),
        ),
        (
            "no transactions",
            &|w| propose(w, Change::Blocks(BlockLimits { block_transactions_max: 0, ..limits })),
            bounds("block.block_transactions_max", 0, 1, 4096),
        ),
        ("a moment", &|w| propose(w, Change::Transactions { lifetime_ms_max: 10 }), {
            bounds("transaction.lifetime_ms_max", 10, LIFETIME_MS_MIN, 3_600_000)
        }),
        (
            "decisions that do not stay",
            &|w| {
                let lanes = vec![Retention { lane: Lane::Consortium, keep_ms: 1 }];
                propose(w, Change::Retention { lanes })
            },
            Refusal::ParameterRefused(ParameterFault::Retention { lane: Lane::Consortium }),
        ),
        (
            "a lane twice",
            &|w| {
                let rule = Retention { lane: Lane::Intel, keep_ms: 1 };
                propose(w, Change::Retention { lanes: vec![rule, rule] })
            },
            Refusal::ParameterRefused(ParameterFault::Retention { lane: Lane::Intel }),
        ),
        (
            "a short vote",
            &|w| {
                let rules = VotingRules::of(&crate::parameters(&w.state));
                propose(w, Change::Voting(VotingRules { voting_ms_max: 1, ..rules }))
            },
            bounds("governance.voting_ms_max", 1, 1_000, 366 * 24 * HOUR),
        ),
        (
            "a window of two days",
            &|w| propose(w, Change::Quotas(QuotaRules { window_ms: 48 * HOUR, member: None })),
            bounds("quota.window_ms", 48 * HOUR, 1_000, 24 * HOUR),
        ),
        ("the present verifier", &|w| propose(w, Change::VerifierVersion { version: 1 }), older(1, 1)),
        ("an older ledger", &|w| propose(w, Change::LedgerVersion { version: 0 }), older(0, 1)),
    ];
    assert_refused(&world, rows);
    // A certificate that turns out to be none when its turn comes fails as well.
    let policies = PolicyRules { explicit_policy: true, ..PolicyRules::of(&parameters.certificate) };
    assert_eq!(world.enact(Change::Policies(policies)), ProposalStatus::Executed);
}

#[test]
fn algorithms_may_change_once_every_member_has_a_key_for_it() {
    let mut parameters = parameters_for_tests();
    parameters.transaction.algorithms = vec![Algorithm::Ed25519];
    let mut world = World::with(4, 4, parameters);
    let rules = AlgorithmRules {
        transaction: vec![Algorithm::Ed25519, Algorithm::Es256],
        ..AlgorithmRules::of(&crate::parameters(&world.state))
    };
    assert_eq!(world.enact(Change::Algorithms(rules)), ProposalStatus::Executed);
}

#[test]
fn the_number_of_trusted_cas_is_limited() {
    let mut document = genesis(4, 4, parameters_for_tests());
    document.anchors = (0..1024u32).map(|number| number.to_be_bytes().to_vec()).collect();
    let mut world = World::of(document);
    let add = vec![Der(b"one more".to_vec())];
    let full = Refusal::TooManyTrustedCas { count: 1025, count_max: 1024 };
    assert_eq!(world.propose(0, Change::TrustedCas { add: add.clone(), remove: Vec::new() }), Err(full));
    let remove = vec![world.document.parameters.certificate.anchors[7]];
    assert_eq!(world.enact(Change::TrustedCas { add, remove }), ProposalStatus::Executed);
}
