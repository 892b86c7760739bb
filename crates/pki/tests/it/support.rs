//! What the tests share.

use tabellion_corpus::TestCa;
use tabellion_ledger::TimeMs;
use tabellion_pki::{
    CertificateRefusal, Chain, ChainCache, PreparedParameters, Root, TrustAnchor, ValidationParameters,
    VerifiedChain, verify_chain,
};

/// 2026-11-21T00:00:00Z, in the validity of all test certificates and of most real ones.
pub const NOW: TimeMs = TimeMs(1_795_219_200_000);

/// The default parameters with these roots.
pub fn parameters(roots: &[&[u8]]) -> ValidationParameters {
    ValidationParameters::new(roots.iter().map(|root| TrustAnchor { certificate: root.to_vec() }).collect())
}

/// Verifies `certificate` under the whole of `ca`, with `change` made to the default parameters.
pub fn verify_with(
    ca: &TestCa,
    certificate: &[u8],
    change: impl FnOnce(&mut ValidationParameters),
) -> Result<VerifiedChain, CertificateRefusal> {
    let mut parameters = parameters(&[ca.root()]);
    change(&mut parameters);
    let prepared = PreparedParameters::new(&parameters).expect("the test's parameters are usable");
    let chain = Chain { certificate, intermediates: ca.intermediates(), root: Root::Der(ca.root()) };
    verify_chain(&prepared, &chain, NOW, &ChainCache::new(0)).outcome
}

/// Verifies `certificate` under the whole of `ca` with the default parameters.
pub fn verify(ca: &TestCa, certificate: &[u8]) -> Result<VerifiedChain, CertificateRefusal> {
    verify_with(ca, certificate, |_| ())
}
