//! The cache of intermediates: it changes costs and nothing else.

use tabellion_corpus::{KeyKind, TestCa};
use tabellion_pki::{
    CertificateRefusal, Chain, ChainCache, Learned, PreparedParameters, Profile, Root, VerifiedChain,
    verify_chain,
};

use super::support::{NOW, parameters};

type Outcome = Result<VerifiedChain, CertificateRefusal>;

fn run(
    prepared: &PreparedParameters,
    ca: &TestCa,
    certificate: &[u8],
    cache: &ChainCache,
) -> (Outcome, Learned) {
    let chain = Chain { certificate, intermediates: ca.intermediates(), root: Root::Der(ca.root()) };
    let verdict = verify_chain(prepared, &chain, NOW, cache);
    (verdict.outcome, verdict.learned)
}

/// A verdict is the same with an empty, a warm and a foreign cache.
#[test]
fn a_verdict_never_depends_on_the_cache() {
    let mut first = TestCa::with_intermediates(KeyKind::P256, 2);
    let mut second = TestCa::with_intermediates(KeyKind::P256, 2);
    let prepared = PreparedParameters::new(&parameters(&[first.root(), second.root()])).expect("usable");
    let mut cache = ChainCache::new(16);
    for _ in 0..3 {
        for ca in [&mut first, &mut second] {
            let certificate = ca.issue("www.example.com");
            let mut spoiled = certificate.clone();
            *spoiled.last_mut().expect("not empty") ^= 1;
            for certificate in [&certificate, &spoiled] {
                let (cold, _) = run(&prepared, ca, certificate, &ChainCache::new(0));
                let (warm, learned) = run(&prepared, ca, certificate, &cache);
                assert_eq!(cold, warm);
                cache.absorb(learned);
            }
        }
    }
    assert_eq!(cache.len(), 4);

    // The second authority bears the same names: its intermediates do not vouch for the first one's
    // certificates.
    let certificate = first.issue("www.example.com");
    let chain = Chain {
        certificate: &certificate,
        intermediates: second.intermediates(),
        root: Root::Der(second.root()),
    };
    let outcome = verify_chain(&prepared, &chain, NOW, &cache).outcome;
    assert_eq!(outcome.err().map(|refusal| refusal.code()), Some("signature-wrong"));
    let upper = second.intermediates()[1];
    let chain = Chain {
        certificate: &certificate,
        intermediates: vec![first.intermediates()[0], upper],
        root: Root::Der(second.root()),
    };
    let outcome = verify_chain(&prepared, &chain, NOW, &cache).outcome;
    assert_eq!(outcome.err().map(|refusal| refusal.code()), Some("signature-wrong"));
}

/// The second chain under the same intermediates learns nothing new; other rules of form do.
#[test]
fn a_known_intermediate_is_used_under_the_same_rules_only() {
    let mut ca = TestCa::with_intermediates(KeyKind::P256, 1);
    let strict = PreparedParameters::new(&parameters(&[ca.root()])).expect("usable");
    let mut cache = ChainCache::new(16);
    let certificate = ca.issue("a.example.com");
    let (_, learned) = run(&strict, &ca, &certificate, &cache);
    assert!(!learned.is_only_use());
    cache.absorb(learned);
    assert_eq!(cache.len(), 1);
    let certificate = ca.issue("b.example.com");
    assert!(run(&strict, &ca, &certificate, &cache).1.is_only_use());

    let mut lenient = parameters(&[ca.root()]);
    lenient.profile = Profile::Path;
    let lenient = PreparedParameters::new(&lenient).expect("usable");
    let (_, learned) = run(&lenient, &ca, &certificate, &cache);
    assert!(!learned.is_only_use());
    cache.absorb(learned);
    assert_eq!(cache.len(), 2);
}

/// Only authentic intermediates are kept: a forged chain fills no cache.
#[test]
fn a_forged_chain_leaves_nothing_behind() {
    let trusted = TestCa::with_intermediates(KeyKind::P256, 1);
    let mut forger = TestCa::with_intermediates(KeyKind::P256, 1);
    let certificate = forger.issue("www.example.com");
    let prepared = PreparedParameters::new(&parameters(&[trusted.root()])).expect("usable");
    let chain = Chain {
        certificate: &certificate,
        intermediates: forger.intermediates(),
        root: Root::Der(trusted.root()),
    };
    let verdict = verify_chain(&prepared, &chain, NOW, &ChainCache::new(16));
    assert_eq!(verdict.outcome.err().map(|refusal| refusal.code()), Some("signature-wrong"));
    assert!(verdict.learned.is_only_use());
}

/// A full cache lets go of what was used longest ago.
#[test]
fn a_full_cache_forgets_the_longest_unused() {
    let mut authorities: Vec<_> = (0..3).map(|_| TestCa::with_intermediates(KeyKind::P256, 1)).collect();
    let roots: Vec<Vec<u8>> = authorities.iter().map(|ca| ca.root().to_vec()).collect();
    let roots: Vec<&[u8]> = roots.iter().map(Vec::as_slice).collect();
    let prepared = PreparedParameters::new(&parameters(&roots)).expect("usable");
    let mut cache = ChainCache::new(2);
    let mut is_known = |number: usize| {
        let certificate = authorities[number].issue("www.example.com");
        let (_, learned) = run(&prepared, &authorities[number], &certificate, &cache);
        let is_known = learned.is_only_use();
        cache.absorb(learned);
        assert!(cache.len() <= 2);
        is_known
    };
    let rows = [(0, false), (1, false), (0, true), (2, false), (0, true), (1, false), (2, false)];
    for (step, (number, expected)) in rows.into_iter().enumerate() {
        assert_eq!(is_known(number), expected, "step {step}");
    }
}
