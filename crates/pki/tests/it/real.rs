//! Every real public CA certificate with its chain: the same verdicts on every run, and OpenSSL as the
//! oracle.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use tabellion_corpus::{RealChain, openssl_verdicts, real_chains, real_roots};
use tabellion_ledger::CertificateId;
use tabellion_pki::{
    CertificateRefusal, Chain, ChainCache, ParameterFault, PreparedParameters, Profile, Root, TrustAnchor,
    ValidationParameters, verify_chain,
};

use super::support::NOW;

const PROFILES: [(&str, Profile); 2] = [("strict", Profile::Strict), ("path", Profile::Path)];

fn chains() -> &'static [RealChain] {
    static CHAINS: OnceLock<Vec<RealChain>> = OnceLock::new();
    CHAINS.get_or_init(|| real_chains(NOW))
}

/// Parameters with all public roots that can be trusted CAs, and why the others cannot.
fn parameters(profile: Profile) -> (PreparedParameters, BTreeMap<CertificateId, CertificateRefusal>) {
    let with = |anchors| ValidationParameters { profile, ..ValidationParameters::new(anchors) };
    let mut usable = Vec::new();
    let mut refused = BTreeMap::new();
    for certificate in real_roots() {
        let anchor = TrustAnchor { certificate };
        match PreparedParameters::new(&with(vec![anchor.clone()])) {
            Ok(_) => usable.push(anchor),
            Err(ParameterFault::Anchor { refusal, .. }) => drop(refused.insert(anchor.id(), refusal)),
            Err(other) => panic!("{other}"),
        }
    }
    (PreparedParameters::new(&with(usable)).expect("each is usable alone"), refused)
}

type Outcome = Result<tabellion_pki::VerifiedChain, CertificateRefusal>;

fn verify(prepared: &PreparedParameters, chain: &RealChain, cache: &mut ChainCache) -> Outcome {
    let intermediates = chain.intermediates.iter().map(Vec::as_slice).collect();
    let chain = Chain { certificate: &chain.certificate, intermediates, root: Root::Der(&chain.root) };
    let verdict = verify_chain(prepared, &chain, NOW, cache);
    cache.absorb(verdict.learned);
    verdict.outcome
}

/// X.1409 C3: validator nodes agree: the list of verdicts, with all facts, is the same bytes whatever was
/// cached.
#[test]
fn all_real_chains_get_the_same_verdicts_twice() {
    assert_eq!(chains().len(), 2534);
    for (_, profile) in PROFILES {
        let (prepared, _) = parameters(profile);
        let list = |cache: &mut ChainCache| -> Vec<String> {
            let line = |chain| match verify(&prepared, chain, cache) {
                Ok(verified) => serde_json::to_string(&verified).expect("plain data"),
                Err(refusal) => serde_json::to_string(&refusal).expect("plain data"),
            };
            chains().iter().map(line).collect()
        };
        let cold = list(&mut ChainCache::new(0));
        let mut cache = ChainCache::new(ChainCache::CAPACITY_DEFAULT);
        let filling = list(&mut cache);
        let warm = list(&mut cache);
        let small = list(&mut ChainCache::new(3));
        assert!(cold == filling && cold == warm && cold == small);
    }
}

/// X.1409 C3, C4: OpenSSL says the same of every chain, but for the differences that the list explains.
#[test]
fn openssl_agrees_but_for_the_explained_differences() {
    let openssl = openssl_verdicts(chains(), NOW).expect("the command openssl runs");
    let mut found: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    for (profile_name, profile) in PROFILES {
        let (prepared, refused_roots) = parameters(profile);
        let mut cache = ChainCache::new(ChainCache::CAPACITY_DEFAULT);
        for (chain, theirs) in chains().iter().zip(&openssl) {
            let ours = match refused_roots.get(&CertificateId::of(&chain.root)) {
                Some(refusal) => format!("root: {}", refusal.code()),
                None => match verify(&prepared, chain, &mut cache) {
                    Ok(_) => "valid".to_owned(),
                    Err(refusal) => refusal.code().to_owned(),
                },
            };
            let theirs = theirs.as_deref().unwrap_or("valid");
            if (ours == "valid") != (theirs == "valid") {
                *found.entry((profile_name.to_owned(), ours, theirs.to_owned())).or_insert(0) += 1;
            }
        }
    }
    let explained: Vec<serde_json::Value> = serde_json::from_str(include_str!("openssl_exceptions.json"))
        .expect("the list of exceptions is JSON");
    let mut expected = BTreeMap::new();
    for row in &explained {
        let text = |field: &str| row[field].as_str().expect("a text").to_owned();
        assert!(text("reason").len() > 20, "an exception without a reason: {row}");
        expected.insert(
            (text("profile"), text("ours"), text("openssl")),
            row["count"].as_u64().expect("a number"),
        );
    }
    assert_eq!(found, expected);
}
