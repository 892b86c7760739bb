//! Verification of a certificate and its chain: a pure function of the bytes and the participants'
//! parameters.
//!
//! Absent: clocks, files, network, path building (a chain comes in order from its request), revocation (a
//! status comes from the ledger, and a CA's evidence is checked where it changes one).
//!
//! ```text
//!  bytes -> frame (size, cut off, trailing) -> decode -> pre-check -> accepted algorithms
//!        -> permitted names -> interval -> RFC 5280 6.1 (constraints, names, policies, usages)
//!        -> wildcards -> signatures -> VerifiedChain
//! ```
mod algorithm;
mod anchor;
mod cache;
mod certificate;
mod names;
mod path;
mod policy;
mod precheck;
mod raw;
mod refusal;

pub use algorithm::{AlgorithmSet, KeyAlgorithm, RSA_BITS_MAX, RSA_BITS_MIN, SignatureAlgorithm};
pub use anchor::PreparedParameters;
pub use cache::{ChainCache, Learned};
pub use names::{DistinguishedName, NameRule, NameRules, NameScope};
pub use path::{Chain, Interval, Root, Verdict, VerifiedChain, verify_chain, verify_chain_timeless};
pub use policy::{
    ANY_POLICY, CertificateLimits, ParameterFault, Profile, TrustAnchor, VERIFIER_VERSION,
    ValidationParameters,
};
pub use refusal::{CertificateRefusal, Place};

pub(crate) use algorithm::{KeyFault, SubjectKey};
pub(crate) use certificate::{decode_certificate, malformed};
pub(crate) use raw::{Parts, announced_length};

/// Runs the pre-check, the strict one, on any bytes as if they were a certificate to be recorded.
///
/// It is the entry for fuzzing and for telling a user early what is wrong; it never panics.
pub fn precheck_bytes(der: &[u8]) -> Result<(), CertificateRefusal> {
    let rules = certificate::FormRules {
        profile: Profile::Strict,
        limits: CertificateLimits::default(),
        underscore_in_dns_names: false,
    };
    let certificate = certificate::ParsedCertificate::check(der, Place::Certificate, &rules)?;
    certificate.check_algorithms(Place::Certificate, &AlgorithmSet::default())
}
