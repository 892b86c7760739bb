//! Certificates with bytes changed, cut or put in: never a panic, and never a valid verdict for other bytes.

use std::sync::OnceLock;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use tabellion_corpus::{KeyKind, RealChain, TestCa, real_chains};
use tabellion_ledger::CertificateId;
use tabellion_pki::{
    Chain, ChainCache, Facts, PreparedParameters, Root, TrustAnchor, ValidationParameters, precheck_bytes,
    verify_chain_timeless,
};

use super::support::{NOW, parameters};

fn chains() -> &'static [RealChain] {
    static CHAINS: OnceLock<Vec<RealChain>> = OnceLock::new();
    CHAINS.get_or_init(|| real_chains(NOW))
}

#[derive(Clone, Debug)]
enum Mutation {
    Flip { at: prop::sample::Index, bit: u8 },
    Set { at: prop::sample::Index, value: u8 },
    Cut { from: prop::sample::Index, count: usize },
    Insert { at: prop::sample::Index, bytes: Vec<u8> },
    Copy { from: prop::sample::Index, to: prop::sample::Index, count: usize },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<prop::sample::Index>;
    prop_oneof![
        4 => (index(), 0..8_u8).prop_map(|(at, bit)| Mutation::Flip { at, bit }),
        4 => (index(), any::<u8>()).prop_map(|(at, value)| Mutation::Set { at, value }),
        1 => (index(), 1..40_usize).prop_map(|(from, count)| Mutation::Cut { from, count }),
        1 => (index(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, bytes)| Mutation::Insert { at, bytes }),
        2 => (index(), index(), 1..40_usize).prop_map(|(from, to, count)| Mutation::Copy { from, to, count }),
    ]
}

fn apply(bytes: &mut Vec<u8>, mutation: &Mutation) {
    if bytes.is_empty() {
        return;
    }
    let length = bytes.len();
    match mutation {
        Mutation::Flip { at, bit } => bytes[at.index(length)] ^= 1 << bit,
        Mutation::Set { at, value } => bytes[at.index(length)] = *value,
        Mutation::Cut { from, count } => {
            let from = from.index(length);
            bytes.drain(from..(from + count).min(length));
        }
        Mutation::Insert { at, bytes: more } => {
            let at = at.index(length);
            bytes.splice(at..at, more.iter().copied());
        }
        Mutation::Copy { from, to, count } => {
            let (from, to) = (from.index(length), to.index(length));
            let count = (*count).min(length - from).min(length - to);
            bytes.copy_within(from..from + count, to);
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(2),
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    /// X.1409 C3: no bytes make the verifier panic, and a real certificate that was changed never passes.
    #[test]
    fn mutated_real_certificates_are_refused(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let chain = which.get(chains());
        let mut bytes = chain.certificate.clone();
        mutations.iter().for_each(|mutation| apply(&mut bytes, mutation));
        let _ = precheck_bytes(&bytes);
        if let Ok(facts) = Facts::of(&bytes) {
            prop_assert_eq!(facts.certificate, CertificateId::of(&bytes));
        }
        let anchors = vec![TrustAnchor { certificate: chain.root.clone() }];
        if let Ok(prepared) = PreparedParameters::new(&ValidationParameters::new(anchors)) {
            let intermediates = chain.intermediates.iter().map(Vec::as_slice).collect();
            let mutated = Chain { certificate: &bytes, intermediates, root: Root::Der(&chain.root) };
            let outcome = verify_chain_timeless(&prepared, &mutated, &ChainCache::new(0)).outcome;
            prop_assert!(outcome.is_err() || bytes == chain.certificate);
        }
    }

    /// X.1409 C3: the same for intermediates and for the bytes of a root that a trusted CA is made of.
    #[test]
    fn mutated_issuers_never_panic(
        which in any::<prop::sample::Index>(),
        mutations in prop::collection::vec(mutation(), 1..6),
    ) {
        let chain = which.get(chains());
        let mut ca = TestCa::new(KeyKind::P256);
        let certificate = ca.issue("www.example.com");
        let mut bytes = chain.root.clone();
        mutations.iter().for_each(|mutation| apply(&mut bytes, mutation));
        let anchors = vec![TrustAnchor { certificate: bytes.clone() }];
        let _ = PreparedParameters::new(&ValidationParameters::new(anchors));
        let prepared = PreparedParameters::new(&parameters(&[ca.root()])).expect("usable");
        let root = Root::Der(ca.root());
        let chain = Chain { certificate: &certificate, intermediates: vec![&bytes], root };
        prop_assert!(verify_chain_timeless(&prepared, &chain, &ChainCache::new(0)).outcome.is_err());
    }
}
