//! Parameters made ready once: trusted CAs decoded and checked, settings of the path library built per CA.

use std::collections::BTreeMap;

use certval::{
    CertificationPathSettings, PDVExtension, PDVTrustAnchorChoice, enforce_trust_anchor_constraints,
};
use const_oid::db::rfc5280::ID_CE_NAME_CONSTRAINTS;
use tabellion_ledger::CertificateId;

use super::algorithm::{AlgorithmSet, RSA_BITS_MAX, RSA_BITS_MIN};
use super::certificate::{FormRules, ParsedCertificate, extension, malformed};
use super::names::PermittedNames;
use super::path::excluded_dns_names;
use super::policy::{ParameterFault, TrustAnchor, ValidationParameters};
use super::{CertificateRefusal, Place};

/// Highest limits that can be set: they bound the cost of one publish request on every validator node.
const CERTIFICATE_BYTES_HIGHEST: usize = 64 * 1024;
const INTERMEDIATES_HIGHEST: usize = 12;
const NAMES_HIGHEST: usize = 1000;

/// [`ValidationParameters`] in the form that checking uses; built once per change of parameters, shared by
/// all threads.
pub struct PreparedParameters {
    pub(crate) anchors: BTreeMap<CertificateId, PreparedAnchor>,
    pub(crate) rules: FormRules,
    pub(crate) algorithms: AlgorithmSet,
    pub(crate) names: PermittedNames,
    /// The accepted policies as text, for refusals.
    pub(crate) accepted_policies: Vec<String>,
}

pub(crate) struct PreparedAnchor {
    pub certificate: ParsedCertificate,
    pub library: PDVTrustAnchorChoice,
    /// Settings that already include the constraints of this CA. Source: RFC 5937.
    pub settings: CertificationPathSettings,
    pub excluded_dns_names: Vec<String>,
}

impl PreparedParameters {
    /// Decodes and checks everything in `parameters`.
    ///
    /// Errors: a trusted CA that does not pass the pre-check or whose key is not accepted, a CA listed twice,
    /// texts that are no policy or name, limits out of bounds.
    pub fn new(parameters: &ValidationParameters) -> Result<Self, ParameterFault> {
        check_limits(parameters)?;
        let policies = parameters.policy_identifiers()?;
        let mut settings = CertificationPathSettings::new();
        settings.set_initial_policy_set_from_oid_set(policies.iter().copied().collect());
        settings.set_initial_explicit_policy_indicator(parameters.explicit_policy);
        settings.set_initial_policy_mapping_inhibit_indicator(parameters.inhibit_mapping);
        settings.set_initial_inhibit_any_policy_indicator(parameters.inhibit_any_policy);
        // Without it a CA for mail could issue for servers.
        settings.set_extended_key_usage_path(true);
        settings.set_enforce_trust_anchor_constraints(true);
        // The look-up of the trusted CA is ours, by SHA-256; the library's own would accept a certificate
        // that merely carries an anchor's key.
        settings.set_require_ta_store(false);

        let rules = FormRules::of(parameters);
        let mut anchors = BTreeMap::new();
        for (index, anchor) in parameters.anchors.iter().enumerate() {
            let prepared = prepare_anchor(anchor, &rules, &parameters.algorithms, &settings)
                .map_err(|refusal| ParameterFault::Anchor { index, refusal })?;
            let id = anchor.id();
            if anchors.insert(id, prepared).is_some() {
                return Err(ParameterFault::AnchorTwice(id));
            }
        }
        Ok(Self {
            anchors,
            rules,
            algorithms: parameters.algorithms.clone(),
            names: PermittedNames::new(&parameters.names).map_err(ParameterFault::Name)?,
            accepted_policies: policies.iter().map(ToString::to_string).collect(),
        })
    }

    /// The trusted CAs, by identifier.
    pub fn anchors(&self) -> impl Iterator<Item = CertificateId> + '_ {
        self.anchors.keys().copied()
    }

    pub(crate) fn anchor(&self, id: CertificateId) -> Result<&PreparedAnchor, CertificateRefusal> {
        self.anchors.get(&id).ok_or(CertificateRefusal::UnknownRoot { root: id })
    }
}

impl std::fmt::Debug for PreparedParameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PreparedParameters").field("anchors", &self.anchors.len()).finish_non_exhaustive()
    }
}

fn check_limits(parameters: &ValidationParameters) -> Result<(), ParameterFault> {
    let algorithms = &parameters.algorithms;
    let (bits_min, bits_max) = (algorithms.rsa_bits_min, algorithms.rsa_bits_max);
    if bits_min < RSA_BITS_MIN || bits_max > RSA_BITS_MAX || bits_min > bits_max {
        return Err(ParameterFault::RsaBits { bits_min, bits_max });
    }
    let limits = &parameters.limits;
    let rows = [
        ("certificate_bytes_max", limits.certificate_bytes_max, CERTIFICATE_BYTES_HIGHEST, 1),
        ("intermediates_max", limits.intermediates_max, INTERMEDIATES_HIGHEST, 0),
        ("names_max", limits.names_max, NAMES_HIGHEST, 1),
    ];
    for (name, value, value_max, value_min) in rows {
        if !(value_min..=value_max).contains(&value) {
            return Err(ParameterFault::Limit { name, value, value_max });
        }
    }
    Ok(())
}

fn prepare_anchor(
    anchor: &TrustAnchor,
    rules: &FormRules,
    algorithms: &AlgorithmSet,
    settings: &CertificationPathSettings,
) -> Result<PreparedAnchor, CertificateRefusal> {
    let place = Place::Root;
    let certificate = ParsedCertificate::check(&anchor.certificate, place, rules)?;
    certificate.check_algorithms(place, algorithms)?;
    let library = PDVTrustAnchorChoice::try_from(anchor.certificate.as_slice())
        .map_err(|error| malformed(place, &error))?;
    let settings = enforce_trust_anchor_constraints(settings, &library).map_err(|error| match error {
        certval::Error::PathValidation(certval::PathValidationStatus::InvalidKeyUsage) => {
            CertificateRefusal::KeyUsage { place }
        }
        _ => CertificateRefusal::NotEvaluable { place },
    })?;
    let constraints = match extension(&certificate.library, &ID_CE_NAME_CONSTRAINTS) {
        Some(PDVExtension::NameConstraints(constraints)) => Some(constraints),
        _ => None,
    };
    let excluded_dns_names = constraints.map(excluded_dns_names).unwrap_or_default();
    Ok(PreparedAnchor { certificate, library, settings, excluded_dns_names })
}
