//! The parameters in force, made ready for use once per change and not per transaction.

use std::sync::Arc;

use tabellion_consortium::{CertificateAlgorithm, CertificateRules, LedgerKind, Parameters, parameters_key};
use tabellion_ledger::{CertificateId, Hash, Lane, LedgerId, View, Writes, cbor, sha256};
use tabellion_pki as pki;
use thiserror::Error;

/// Version of the ledger's rules that this program follows.
pub const LEDGER_VERSION: u64 = 1;

/// Parameters of a ledger, prepared.
pub struct Ruleset {
    ledger: LedgerId,
    parameters: Parameters,
    hash: Hash,
    prepared: pki::PreparedParameters,
}

/// Parameters that this program cannot follow; found at genesis, or before a change of parameters is
/// accepted.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RulesetFault {
    /// A trusted CA whose certificate the state does not hold.
    #[error("the state holds no certificate for trusted CA {0}")]
    MissingAnchor(CertificateId),
    /// The certificate rules cannot be followed.
    #[error("the certificate rules cannot be followed")]
    Certificate(#[source] pki::ParameterFault),
    /// A version of the ledger's rules that this program does not have.
    #[error("the members ask for ledger version {wanted}; this program has version {here}")]
    LedgerVersion {
        /// Version in the parameters.
        wanted: u64,
        /// Version of this program.
        here: u64,
    },
    /// A version of the path verifier that this program does not have.
    #[error("the parameters ask for path verifier version {wanted}; this program has version {here}")]
    VerifierVersion {
        /// Version in the parameters.
        wanted: u64,
        /// Version of this program.
        here: u32,
    },
}

/// Judges parameters that members propose: whether path validation can follow them upon a state that holds
/// the certificates of their trusted CAs. Which versions this program has plays no part, so that all programs
/// judge alike.
pub(crate) fn judge(parameters: &Parameters, view: &dyn View) -> Result<(), String> {
    let anchors = anchors(parameters, view).map_err(|fault| fault.to_string())?;
    let validation = validation_parameters(&parameters.certificate, anchors);
    match pki::PreparedParameters::new(&validation) {
        Ok(_) => Ok(()),
        Err(fault) => Err(fault.to_string()),
    }
}

fn anchors(parameters: &Parameters, view: &dyn View) -> Result<Vec<pki::TrustAnchor>, RulesetFault> {
    let anchor = |id: &CertificateId| {
        let der = tabellion_consortium::anchor(view, id).ok_or(RulesetFault::MissingAnchor(*id))?;
        Ok(pki::TrustAnchor { certificate: der })
    };
    parameters.certificate.anchors.iter().map(anchor).collect()
}

impl Ruleset {
    /// Prepares the parameters that a state holds.
    pub fn of(ledger: LedgerId, view: &dyn View) -> Result<Self, RulesetFault> {
        let parameters = tabellion_consortium::parameters(view);
        let anchors = anchors(&parameters, view)?;
        Self::new(ledger, parameters, anchors)
    }

    /// The rules after a block with these writes, upon the state after it: the same ones, unless it changed
    /// the parameters.
    ///
    /// Errors: parameters that this program cannot follow. A node stops then, before it takes part any
    /// further.
    pub fn after(self: &Arc<Self>, writes: &Writes, view: &dyn View) -> Result<Arc<Self>, RulesetFault> {
        match writes.contains_key(&parameters_key()) {
            true => Self::of(self.ledger, view).map(Arc::new),
            false => Ok(self.clone()),
        }
    }

    /// Prepares parameters and the certificates of their trusted CAs.
    pub fn new(
        ledger: LedgerId,
        parameters: Parameters,
        anchors: Vec<pki::TrustAnchor>,
    ) -> Result<Self, RulesetFault> {
        let (wanted, here) = (parameters.governance.ledger_version, LEDGER_VERSION);
        if wanted != here {
            return Err(RulesetFault::LedgerVersion { wanted, here });
        }
        let (wanted, here) = (parameters.certificate.verifier_version, pki::VERIFIER_VERSION);
        if wanted != u64::from(here) {
            return Err(RulesetFault::VerifierVersion { wanted, here });
        }
        let validation = validation_parameters(&parameters.certificate, anchors);
        let prepared = pki::PreparedParameters::new(&validation).map_err(RulesetFault::Certificate)?;
        let hash = Hash(sha256(&cbor::to_bytes(&parameters)));
        Ok(Self { ledger, parameters, hash, prepared })
    }

    /// The ledger.
    pub fn ledger(&self) -> LedgerId {
        self.ledger
    }

    /// The parameters as agreed.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// SHA-256 of the parameters: what a cached check depends on besides the transaction.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The parameters of path validation.
    pub fn prepared(&self) -> &pki::PreparedParameters {
        &self.prepared
    }

    /// Whether a lane's bodies hold what is attached to its transactions: not the certificates on a ledger of
    /// identifiers.
    pub fn records_attachments(&self, lane: Lane) -> bool {
        lane != Lane::Certificate || self.records_certificates()
    }

    /// Whether bodies hold complete certificates.
    pub fn records_certificates(&self) -> bool {
        self.parameters.certificate.kind == LedgerKind::Full
    }

    /// The rules by which the certificate lane applies.
    pub(crate) fn certificate_rules(&self) -> pki::Rules<'_> {
        let rules = &self.parameters.certificate;
        pki::Rules {
            anchors: &rules.anchors,
            schedule_ahead_ms_max: rules.schedule_ahead_ms_max,
            evidence_age_ms_max: rules.evidence_age_ms_max,
            records_certificates: self.records_certificates(),
            link: None,
        }
    }
}

fn validation_parameters(
    rules: &CertificateRules,
    anchors: Vec<pki::TrustAnchor>,
) -> pki::ValidationParameters {
    let limit = |value: u32| usize::try_from(value).unwrap_or(usize::MAX);
    pki::ValidationParameters {
        initial_policies: rules.policies.clone(),
        explicit_policy: rules.explicit_policy,
        inhibit_mapping: rules.inhibit_policy_mapping,
        inhibit_any_policy: rules.inhibit_any_policy,
        algorithms: algorithms(rules),
        names: names(rules),
        limits: pki::CertificateLimits {
            certificate_bytes_max: limit(rules.certificate_bytes_max),
            intermediates_max: limit(rules.intermediates_max),
            names_max: limit(rules.names_max),
        },
        profile: if rules.strict { pki::Profile::Strict } else { pki::Profile::Path },
        underscore_in_dns_names: rules.underscore_in_dns_names,
        ..pki::ValidationParameters::new(anchors)
    }
}

fn names(rules: &CertificateRules) -> pki::NameRules {
    let rule = |name: &tabellion_consortium::PermittedName| pki::NameRule {
        name: name.name.clone(),
        scope: if name.subtree { pki::NameScope::Subtree } else { pki::NameScope::Exact },
    };
    pki::NameRules { permitted: rules.names.as_ref().map(|names| names.iter().map(rule).collect()) }
}

/// Key algorithms as agreed, and every signature algorithm that such keys make.
fn algorithms(rules: &CertificateRules) -> pki::AlgorithmSet {
    let key = |algorithm: &CertificateAlgorithm| match algorithm {
        CertificateAlgorithm::Rsa => pki::KeyAlgorithm::Rsa,
        CertificateAlgorithm::P256 => pki::KeyAlgorithm::P256,
        CertificateAlgorithm::P384 => pki::KeyAlgorithm::P384,
        CertificateAlgorithm::Ed25519 => pki::KeyAlgorithm::Ed25519,
        CertificateAlgorithm::MlDsa44 => pki::KeyAlgorithm::MlDsa44,
        CertificateAlgorithm::MlDsa65 => pki::KeyAlgorithm::MlDsa65,
        CertificateAlgorithm::MlDsa87 => pki::KeyAlgorithm::MlDsa87,
    };
    let keys: Vec<_> = rules.algorithms.iter().map(key).collect();
    pki::AlgorithmSet {
        certificate_keys: keys.clone(),
        ca_keys: keys,
        rsa_bits_min: rules.rsa_bits_min,
        rsa_bits_max: rules.rsa_bits_max,
        ..pki::AlgorithmSet::default()
    }
}
