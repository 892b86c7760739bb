//! What the participants have decided about certificates: trusted CAs, policies, algorithms, names, limits.

use const_oid::ObjectIdentifier;
use serde::{Deserialize, Serialize};
use tabellion_ledger::CertificateId;
use thiserror::Error;

use super::{AlgorithmSet, CertificateRefusal, NameRules};

/// Raised whenever a verdict could change: by a rule of this crate, a version of the path library or of the
/// signature library. Every validator node must run the same one, so it belongs to a ledger's parameters.
pub const VERIFIER_VERSION: u32 = 1;

/// `anyPolicy`. Source: RFC 5280 4.2.1.4.
pub const ANY_POLICY: &str = "2.5.29.32.0";

/// A CA that the participants trust, as its own (root) certificate.
///
/// Source: X.1409 8.2.1 (3), the list of trusted CAs (required).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustAnchor {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
}

impl TrustAnchor {
    /// SHA-256 of the certificate: how requests name their root.
    pub fn id(&self) -> CertificateId {
        CertificateId::of(&self.certificate)
    }
}

/// How much of RFC 5280 a certificate must keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Profile {
    /// All of the pre-check: what clause 6 (path validation) needs, and what clause 4 requires of a CA.
    #[default]
    Strict,
    /// Without those rules of clause 4 that bind the CA that issues but whose breach changes no verdict of
    /// clause 6: the critical flags of basic, name and policy constraints and of alternative names, the two
    /// key identifiers and their flags; and a root, which is trusted for its bytes, may have the serial
    /// number 0 or no basic constraints.
    Path,
}

/// Upper bounds on what a publish request may bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CertificateLimits {
    /// Bytes of one certificate.
    pub certificate_bytes_max: usize,
    /// Intermediate certificates of one chain.
    pub intermediates_max: usize,
    /// Alternative names of one certificate.
    pub names_max: usize,
}

impl Default for CertificateLimits {
    /// 16 KiB is twice an ML-DSA-87 certificate; 6 intermediates are twice the longest chain seen in public
    /// use; 100 names is the limit of the public certificate authorities. Together they hold the worst case
    /// found, 20 ms of name constraints, below a millisecond.
    fn default() -> Self {
        Self { certificate_bytes_max: 16 * 1024, intermediates_max: 6, names_max: 100 }
    }
}

/// Everything besides the chain that a verdict depends on. Set by the participants, part of the ledger's
/// parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationParameters {
    /// The trusted CAs.
    pub anchors: Vec<TrustAnchor>,
    /// Policies of which one must hold, as dotted object identifiers; none stands for any policy.
    ///
    /// Source: RFC 5280 6.1.1 (c), user-initial-policy-set.
    pub initial_policies: Vec<String>,
    /// Whether some policy must be valid for the path. Source: RFC 5280 6.1.1 (f).
    pub explicit_policy: bool,
    /// Whether policy mappings are ignored. Source: RFC 5280 6.1.1 (e).
    pub inhibit_mapping: bool,
    /// Whether anyPolicy in a certificate is ignored. Source: RFC 5280 6.1.1 (g).
    pub inhibit_any_policy: bool,
    /// Accepted keys and signatures.
    pub algorithms: AlgorithmSet,
    /// Permitted subjects.
    pub names: NameRules,
    /// Upper bounds.
    pub limits: CertificateLimits,
    /// How strict the pre-check is.
    pub profile: Profile,
    /// Whether DNS names may hold underscores, which RFC 1034 does not allow but service names in use have.
    pub underscore_in_dns_names: bool,
}

impl ValidationParameters {
    /// Parameters with these anchors: any policy, none required, all known algorithms, all names, strict.
    pub fn new(anchors: Vec<TrustAnchor>) -> Self {
        Self {
            anchors,
            initial_policies: Vec::new(),
            explicit_policy: false,
            inhibit_mapping: false,
            inhibit_any_policy: false,
            algorithms: AlgorithmSet::default(),
            names: NameRules::default(),
            limits: CertificateLimits::default(),
            profile: Profile::default(),
            underscore_in_dns_names: false,
        }
    }

    /// The policies as the path library wants them.
    pub(crate) fn policy_identifiers(&self) -> Result<Vec<ObjectIdentifier>, ParameterFault> {
        let parse =
            |text: &String| ObjectIdentifier::new(text).map_err(|_| ParameterFault::Policy(text.clone()));
        match self.initial_policies.as_slice() {
            [] => Ok(vec![const_oid::db::rfc5280::ANY_POLICY]),
            policies => policies.iter().map(parse).collect(),
        }
    }
}

/// Parameters under which nothing can be verified; found when a ledger is set up or its parameters change.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParameterFault {
    /// A trusted CA's certificate is not fit to be one.
    #[error("trusted CA number {index} cannot be used")]
    Anchor {
        /// Place in the list, from 0.
        index: usize,
        /// Why.
        #[source]
        refusal: CertificateRefusal,
    },
    /// A trusted CA stands in the list twice.
    #[error("the trusted CA {0} is in the list twice")]
    AnchorTwice(CertificateId),
    /// A text that is no object identifier.
    #[error("{0:?} is not a policy's object identifier")]
    Policy(String),
    /// A text that is no distinguished name.
    #[error("{0:?} is not a distinguished name")]
    Name(String),
    /// RSA sizes outside what can be verified.
    #[error("RSA keys of {bits_min} to {bits_max} bits cannot be verified")]
    RsaBits {
        /// Fewest bits wanted.
        bits_min: u32,
        /// Most bits wanted.
        bits_max: u32,
    },
    /// A limit of zero or so high that its purpose is lost.
    #[error("the limit {name} is {value}; it must be from 1 to {value_max}")]
    Limit {
        /// The limit's name.
        name: &'static str,
        /// The value wanted.
        value: usize,
        /// The highest possible value.
        value_max: usize,
    },
}
