//! Chains: what path validation refuses, and what comes out of a chain that holds.

use const_oid::db::rfc5280 as oid;
use const_oid::db::rfc5912::{ID_KP_EMAIL_PROTECTION, ID_KP_SERVER_AUTH};
use tabellion_corpus::{Draft, KeyKind, TestCa, TestKey, extensions as ext, name};
use tabellion_ledger::{CertificateId, KeyId, TimeMs};
use tabellion_pki::{
    ANY_POLICY, CertificateRefusal as Refusal, Chain, ChainCache, Interval, NO_EXPIRY, NameRule, NameRules,
    NameScope, Place, PreparedParameters, Root, ValidationParameters, VerifiedChain, verify_chain,
    verify_chain_timeless,
};
use x509_cert::ext::pkix::KeyUsages;

use super::support::{NOW, parameters, verify, verify_with};

const LEAF: Place = Place::Certificate;
const FIRST: Place = Place::Intermediate(1);
const SECOND: Place = Place::Intermediate(2);

/// 2026-01-01 and 2036-01-01, the validity of test certificates.
const START: TimeMs = TimeMs(1_767_225_600_000);
const END: TimeMs = TimeMs(2_082_758_400_000);

/// An authority whose only intermediate was changed before it was signed.
fn ca_with(change: impl FnOnce(&mut Draft)) -> TestCa {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 0);
    add_intermediate(&mut ca, change);
    ca
}

fn add_intermediate(ca: &mut TestCa, change: impl FnOnce(&mut Draft)) {
    let key = TestKey::generate(KeyKind::P256);
    let mut draft = ca.intermediate_draft(&format!("CN=Changed {},C=CH", ca.authorities.len()), &key);
    change(&mut draft);
    ca.add_intermediate(draft, key);
}

fn leaf_of(ca: &mut TestCa, change: impl FnOnce(&mut Draft)) -> Vec<u8> {
    let mut draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::P256).spki());
    change(&mut draft);
    ca.sign(&draft)
}

fn verify_chain_of(
    ca: &TestCa,
    certificate: &[u8],
    intermediates: Vec<&[u8]>,
) -> Result<VerifiedChain, Refusal> {
    let prepared = PreparedParameters::new(&parameters(&[ca.root()])).expect("usable");
    let chain = Chain { certificate, intermediates, root: Root::Id(CertificateId::of(ca.root())) };
    verify_chain(&prepared, &chain, NOW, &ChainCache::new(0)).outcome
}

/// X.1409 C2, C3, C11: a chain of each key algorithm holds, and says what the certificate says.
#[test]
fn a_chain_of_every_key_algorithm_is_verified() {
    for kind in KeyKind::ALL {
        let mut ca = TestCa::with_intermediates(kind, 2);
        let certificate = ca.issue("www.example.com");
        let verified = verify(&ca, &certificate).expect("the chain holds");
        assert_eq!(verified.facts.certificate, CertificateId::of(&certificate), "{kind:?}");
        assert_eq!(verified.facts.dns_names, ["www.example.com"]);
        assert_eq!(verified.facts.subject.text(), "CN=www.example.com,O=Tabellion Test,C=CH");
        assert_eq!(verified.facts.issuer.text(), "CN=Test Intermediate 2,O=Tabellion Test,C=CH");
        assert_eq!(verified.facts.serial, [4]);
        assert_eq!(verified.anchor, CertificateId::of(ca.root()));
        assert_eq!(verified.issuer_key, KeyId::of(&ca.issuer().draft.spki));
        let ids: Vec<_> = ca.intermediates().iter().map(|der| CertificateId::of(der)).collect();
        assert_eq!(verified.intermediates, ids);
        assert_eq!((verified.interval.not_before, verified.interval.not_after), (START, END));
        assert_eq!(verified.policies, Vec::<String>::new());
    }
}

/// X.1409 C3: a signature that is wrong anywhere in the chain.
#[test]
fn a_wrong_signature_is_refused() {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 2);
    let good = ca.issue("www.example.com");
    let spoil = |der: &[u8]| {
        let mut der = der.to_vec();
        *der.last_mut().expect("not empty") ^= 1;
        der
    };
    let key = |number: usize| KeyId::of(&ca.authorities[number].draft.spki);
    let wrong = |place, issuer_key| Err(Refusal::SignatureWrong { place, issuer_key });
    assert_eq!(verify(&ca, &spoil(&good)), wrong(LEAF, key(2)));

    let chain = ca.intermediates();
    let spoiled = (spoil(chain[0]), spoil(chain[1]));
    assert_eq!(verify_chain_of(&ca, &good, vec![&spoiled.0, chain[1]]), wrong(FIRST, key(1)));
    assert_eq!(verify_chain_of(&ca, &good, vec![chain[0], &spoiled.1]), wrong(SECOND, key(0)));

    // A stranger of the same name, and one with another kind of key.
    let mut other = TestCa::with_intermediates(KeyKind::P256, 2);
    assert_eq!(verify(&ca, &other.issue("www.example.com")), wrong(LEAF, key(2)));
    let draft = ca.leaf_draft("www.example.com", &TestKey::generate(KeyKind::P256).spki());
    let fits_not = Refusal::SignatureDoesNotFitKey {
        place: LEAF,
        algorithm: "Ed25519".to_owned(),
        key: "P-256".to_owned(),
    };
    assert_eq!(verify(&ca, &draft.sign(&TestKey::generate(KeyKind::Ed25519))), Err(fits_not));
}

/// X.1409 C4: a root that the participants do not trust, even one with a trusted root's name and key.
#[test]
fn a_chain_to_an_unknown_ca_is_refused() {
    let mut ca = TestCa::new(KeyKind::P256);
    let certificate = ca.issue("www.example.com");
    let prepared = PreparedParameters::new(&parameters(&[ca.root()])).expect("usable");
    let mut twin = ca.authorities[0].draft.clone();
    twin.serial = vec![99];
    let twin = twin.sign(&ca.authorities[0].key);
    let stranger = TestCa::new(KeyKind::P256);
    for root in [twin.as_slice(), stranger.root()] {
        let id = CertificateId::of(root);
        for root in [Root::Der(root), Root::Id(id)] {
            let chain = Chain { certificate: &certificate, intermediates: ca.intermediates(), root };
            let outcome = verify_chain(&prepared, &chain, NOW, &ChainCache::new(0)).outcome;
            assert_eq!(outcome.err(), Some(Refusal::UnknownRoot { root: id }));
        }
    }
}

/// X.1409 C3: a certificate that carries a trusted root's key gets no free pass.
#[test]
fn a_certificate_with_the_key_of_a_root_is_verified_like_any_other() {
    let mut ca = TestCa::new(KeyKind::P256);
    let root_key = ca.authorities[0].draft.spki.clone();
    let draft = ca.leaf_draft("www.example.com", &root_key);
    assert!(verify(&ca, &ca.sign(&draft)).is_ok());
    let forged = draft.sign(&TestKey::generate(KeyKind::P256));
    assert_eq!(verify(&ca, &forged).err().map(|refusal| refusal.code()), Some("signature-wrong"));
}

/// X.1409 C2, C3: the chain comes in order; nothing is looked for.
#[test]
fn a_chain_out_of_order_is_refused() {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 2);
    let certificate = ca.issue("www.example.com");
    let chain = ca.intermediates();
    let not_in_order = |place, issuer: &str, next: &str| {
        let full = |cn: &str| format!("CN={cn},O=Tabellion Test,C=CH");
        Err(Refusal::NotInOrder { place, issuer: full(issuer), next: full(next) })
    };
    // The path is walked from the root down, so the first break below the root is the one that is told.
    let swapped = verify_chain_of(&ca, &certificate, vec![chain[1], chain[0]]);
    assert_eq!(swapped, not_in_order(SECOND, "Test Intermediate 1", "Test Root"));
    let lacks_upper = verify_chain_of(&ca, &certificate, vec![chain[0]]);
    assert_eq!(lacks_upper, not_in_order(FIRST, "Test Intermediate 1", "Test Root"));
    let lacks_lower = verify_chain_of(&ca, &certificate, vec![chain[1]]);
    assert_eq!(lacks_lower, not_in_order(LEAF, "Test Intermediate 2", "Test Intermediate 1"));
    let doubled = verify_chain_of(&ca, &certificate, vec![chain[0], chain[0], chain[1]]);
    assert_eq!(doubled, not_in_order(FIRST, "Test Intermediate 1", "Test Intermediate 2"));
}

/// X.1409 C3, C12: both ends of the validity belong to it, to the last millisecond of the last second.
#[test]
fn a_chain_is_valid_from_its_start_to_its_end() {
    let mut ca = TestCa::new(KeyKind::P256);
    let (from, until) = (TimeMs(START.0 + 5000), TimeMs(END.0 - 5000));
    let certificate = leaf_of(&mut ca, |draft| (draft.not_before, draft.not_after) = (from, until));
    let prepared = PreparedParameters::new(&parameters(&[ca.root()])).expect("usable");
    let chain =
        Chain { certificate: &certificate, intermediates: ca.intermediates(), root: Root::Der(ca.root()) };
    let at = |at| verify_chain(&prepared, &chain, TimeMs(at), &ChainCache::new(0)).outcome.map(|_| ());

    let early = |at| Err(Refusal::NotYetValid { place: LEAF, not_before: from, at: TimeMs(at) });
    let late = |at| Err(Refusal::Expired { place: LEAF, not_after: until, at: TimeMs(at) });
    for (moment, expected) in [
        (0, early(0)),
        (from.0 - 1, early(from.0 - 1)),
        (from.0, Ok(())),
        (until.0, Ok(())),
        (until.0 + 999, Ok(())),
        (until.0 + 1000, late(until.0 + 1000)),
        (u64::MAX, late(u64::MAX)),
    ] {
        assert_eq!(at(moment), expected, "{moment}");
    }
    let verified = verify_chain_timeless(&prepared, &chain, &ChainCache::new(0)).outcome.expect("it holds");
    assert!(verified.interval.contains(NOW) && !verified.interval.contains(TimeMs(0)));
}

/// X.1409 C3: the interval is that of the whole chain, and names the certificates that bound it.
#[test]
fn the_interval_of_a_chain_is_what_all_its_certificates_share() {
    let later = TimeMs(START.0 + 1000);
    let sooner = TimeMs(END.0 - 1000);
    let mut ca = ca_with(|draft| draft.not_before = later);
    let certificate = leaf_of(&mut ca, |draft| draft.not_after = sooner);
    let interval = verify(&ca, &certificate).expect("it holds").interval;
    let expected =
        Interval { not_before: later, not_before_of: FIRST, not_after: sooner, not_after_of: LEAF };
    assert_eq!(interval, expected);

    let mut ca = ca_with(|draft| draft.not_after = later);
    let certificate = leaf_of(&mut ca, |draft| draft.not_before = NOW);
    let never = Refusal::NeverValid { starts: LEAF, not_before: NOW, ends: FIRST, not_after: later };
    assert_eq!(verify(&ca, &certificate), Err(never));

    let mut ca = TestCa::new(KeyKind::P256);
    let certificate = leaf_of(&mut ca, |draft| draft.not_after = NO_EXPIRY);
    let verified = verify(&ca, &certificate).expect("it holds");
    assert!(verified.facts.has_no_expiry());
    assert_eq!(verified.interval.not_after, END);
}

/// X.1409 C3: constraints of the authorities above bind everything below.
#[test]
fn constraints_of_authorities_are_kept() {
    let subject = |dns: &str| format!("CN={dns},O=Tabellion Test,C=CH");

    let mut ca = ca_with(|draft| draft.set(ext::basic_constraints(true, Some(0))));
    let certificate = ca.issue("www.example.com");
    assert!(verify(&ca, &certificate).is_ok());
    add_intermediate(&mut ca, |_| ());
    let certificate = ca.issue("www.example.com");
    assert_eq!(verify(&ca, &certificate), Err(Refusal::PathTooLong { place: FIRST }));

    let mut ca = ca_with(|draft| draft.set(ext::key_usage(KeyUsages::CRLSign)));
    let certificate = ca.issue("www.example.com");
    assert_eq!(verify(&ca, &certificate), Err(Refusal::KeyUsage { place: FIRST }));

    let mut ca = ca_with(|draft| draft.set(ext::extended_key_usage(&[ID_KP_EMAIL_PROTECTION])));
    let server = leaf_of(&mut ca, |draft| draft.set(ext::extended_key_usage(&[ID_KP_SERVER_AUTH])));
    assert_eq!(verify(&ca, &server), Err(Refusal::ExtendedKeyUsage { place: LEAF }));
    let mail = leaf_of(&mut ca, |draft| draft.set(ext::extended_key_usage(&[ID_KP_EMAIL_PROTECTION])));
    assert!(verify(&ca, &mail).is_ok());

    let mut ca = ca_with(|draft| draft.set(ext::dns_constraints(&["example.com"], &["secret.example.com"])));
    let rows = [
        ("www.example.com", None),
        (
            "www.example.org",
            Some(Refusal::NameConstraint { place: LEAF, subject: subject("www.example.org") }),
        ),
        (
            "x.secret.example.com",
            Some(Refusal::NameConstraint { place: LEAF, subject: subject("x.secret.example.com") }),
        ),
        (
            "*.example.com",
            Some(Refusal::WildcardCoversExcluded {
                place: LEAF,
                name: "*.example.com".to_owned(),
                excluded: "secret.example.com".to_owned(),
            }),
        ),
        ("*.www.example.com", None),
    ];
    for (dns_name, expected) in rows {
        let certificate = ca.issue(dns_name);
        assert_eq!(verify(&ca, &certificate).err(), expected, "{dns_name}");
    }
}

/// X.1409 C4: constraints in the certificate of a trusted CA bind as well. Source: RFC 5937.
#[test]
fn constraints_of_the_root_are_kept() {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 0);
    let mut draft = ca.authorities[0].draft.clone();
    draft.set(ext::dns_constraints(&["example.com"], &["bar.example.com"]));
    draft.set(ext::basic_constraints(true, Some(0)));
    ca.authorities[0].certificate = draft.sign(&ca.authorities[0].key);
    let code = |ca: &TestCa, certificate: &[u8]| verify(ca, certificate).err().map(|refusal| refusal.code());
    for (dns_name, expected) in [
        ("www.example.com", None),
        ("www.example.org", Some("name-constraint")),
        ("bar.example.com", Some("name-constraint")),
        ("*.example.com", Some("wildcard-covers-excluded")),
    ] {
        let certificate = ca.issue(dns_name);
        assert_eq!(code(&ca, &certificate), expected, "{dns_name}");
    }
    add_intermediate(&mut ca, |_| ());
    let certificate = ca.issue("www.example.com");
    assert_eq!(code(&ca, &certificate), Some("path-too-long"));
}

/// X.1409 C3: explicit policies, set by the participants.
#[test]
fn a_chain_without_an_accepted_policy_is_refused() {
    const GOLD: &str = "1.3.6.1.4.1.32473.10";
    const SILVER: &str = "1.3.6.1.4.1.32473.11";
    let require = |policies: &'static [&'static str]| {
        move |parameters: &mut ValidationParameters| {
            parameters.explicit_policy = true;
            parameters.initial_policies = policies.iter().map(ToString::to_string).collect();
        }
    };
    let refused =
        |place, accepted: &str| Err(Refusal::NoValidPolicy { place, accepted: vec![accepted.to_owned()] });

    let mut plain = TestCa::new(KeyKind::P256);
    let certificate = plain.issue("www.example.com");
    let outcome = verify_with(&plain, &certificate, require(&[]));
    assert_eq!(outcome.map(|_| ()), refused(FIRST, ANY_POLICY));

    let mut gold = ca_with(|draft| draft.set(ext::policies(&[GOLD, SILVER])));
    let certificate = leaf_of(&mut gold, |draft| draft.set(ext::policies(&[GOLD])));
    for policies in [&[][..], &[GOLD], &[GOLD, SILVER]] {
        let verified = verify_with(&gold, &certificate, require(policies)).expect("gold is valid");
        assert_eq!(verified.policies, [GOLD]);
    }
    let outcome = verify_with(&gold, &certificate, require(&[SILVER]));
    assert_eq!(outcome.map(|_| ()), refused(LEAF, SILVER));
    assert!(verify(&gold, &certificate).is_ok());

    let mut any = ca_with(|draft| draft.set(ext::policies(&[ANY_POLICY])));
    let certificate = leaf_of(&mut any, |draft| draft.set(ext::policies(&[GOLD])));
    assert!(verify_with(&any, &certificate, require(&[GOLD])).is_ok());
    let outcome = verify_with(&any, &certificate, |parameters| {
        require(&[GOLD])(parameters);
        parameters.inhibit_any_policy = true;
    });
    assert_eq!(outcome.map(|_| ()), refused(FIRST, GOLD));

    // The authority itself can ask for a policy.
    let mut strict = ca_with(|draft| draft.set(ext::policy_constraints(Some(0), None)));
    let certificate = strict.issue("www.example.com");
    assert_eq!(verify(&strict, &certificate).map(|_| ()), refused(LEAF, ANY_POLICY));
}

/// X.1409 C5: only subjects on the participants' list, whatever their spelling.
#[test]
fn a_subject_outside_the_list_of_names_is_refused() {
    let mut ca = TestCa::new(KeyKind::P256);
    let certificate =
        leaf_of(&mut ca, |draft| draft.subject = name("CN=Base  Station 7,OU=Radio,O=Operator A,C=CH"));
    let under = |rules: &[(&str, NameScope)]| {
        let rule = |(name, scope): &(&str, NameScope)| NameRule { name: (*name).to_owned(), scope: *scope };
        let permitted = Some(rules.iter().map(rule).collect());
        verify_with(&ca, &certificate, |parameters| parameters.names = NameRules { permitted }).map(|_| ())
    };
    let refused = Err(Refusal::NameNotPermitted {
        subject: "CN=Base  Station 7,OU=Radio,O=Operator A,C=CH".to_owned(),
    });
    let (exact, subtree) = (NameScope::Exact, NameScope::Subtree);
    let rows: [(&[(&str, NameScope)], _); 8] = [
        (&[("O=Operator A,C=CH", subtree)], Ok(())),
        (&[("o=OPERATOR  a,c=ch", subtree)], Ok(())),
        (&[("CN=base station 7,OU=radio,O=operator a,C=CH", exact)], Ok(())),
        (&[("O=Operator B,C=CH", subtree), ("C=CH", subtree)], Ok(())),
        (&[("O=Operator A,C=CH", exact)], refused.clone()),
        (&[("O=Operator,C=CH", subtree)], refused.clone()),
        (&[("OU=Radio,O=Operator A", subtree)], refused.clone()),
        (&[], refused.clone()),
    ];
    for (rules, expected) in rows {
        assert_eq!(under(rules), expected, "{rules:?}");
    }
    let mut parameters = parameters(&[ca.root()]);
    for text in ["", "no name", "CN"] {
        let rule = NameRule { name: text.to_owned(), scope: exact };
        parameters.names = NameRules { permitted: Some(vec![rule]) };
        assert!(PreparedParameters::new(&parameters).is_err(), "{text:?}");
    }
}

/// X.1409 C3: mappings from or to anyPolicy are refused, wherever they stand.
#[test]
fn a_mapping_from_any_policy_is_refused() {
    // PolicyMappings { { anyPolicy, 1.2.3 } }
    let value = vec![0x30, 12, 0x30, 10, 6, 4, 0x55, 0x1d, 0x20, 0, 6, 2, 0x2a, 3];
    let mapping =
        tabellion_corpus::DraftExtension { identifier: oid::ID_CE_POLICY_MAPPINGS, critical: true, value };
    let mut ca = ca_with(|draft| {
        draft.set(ext::policies(&[ANY_POLICY]));
        draft.set(mapping);
    });
    let certificate = ca.issue("www.example.com");
    assert_eq!(verify(&ca, &certificate), Err(Refusal::PolicyMapping { place: FIRST }));
}

/// Prepared parameters are built once and read by all threads.
#[test]
fn prepared_parameters_and_caches_are_shared_between_threads() {
    fn is_shared<T: Send + Sync>() {}
    is_shared::<PreparedParameters>();
    is_shared::<ChainCache>();
    is_shared::<VerifiedChain>();
}
