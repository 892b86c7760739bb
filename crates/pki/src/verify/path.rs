//! Path validation of a whole chain, in a fixed order: cheap steps first, signatures last.

use std::sync::Arc;

use certval::{
    CertificationPath, CertificationPathResults, Error, PDVCertificate, PDVExtension, PathValidationStatus,
    PkiEnvironment,
};
use const_oid::db::rfc5280::{ID_CE_NAME_CONSTRAINTS, ID_CE_SUBJECT_ALT_NAME};
use serde::Serialize;
use tabellion_ledger::{CertificateId, KeyId, TimeMs};
use x509_cert::ext::pkix::NameConstraints;
use x509_cert::ext::pkix::name::GeneralName;

use super::anchor::{PreparedAnchor, PreparedParameters};
use super::cache::{ChainCache, KnownIntermediate, Learned};
use super::certificate::{ParsedCertificate, check_frame, extension};
use super::names::wildcard_meets_subtree;
use super::{CertificateRefusal, Place};
use crate::facts::{Facts, alternative_names};

/// The root of a chain: named, or given whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root<'a> {
    /// SHA-256 of the root certificate.
    Id(CertificateId),
    /// The root certificate, DER.
    Der(&'a [u8]),
}

/// What a publish request brings. Source: X.1409 8.2.1 (2) (required).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain<'a> {
    /// The certificate that is to be recorded, DER.
    pub certificate: &'a [u8],
    /// Intermediate certificates, DER: the certificate's issuer first, then each one's issuer.
    pub intermediates: Vec<&'a [u8]>,
    /// The root certificate, which issued the last intermediate, or the certificate if there is none.
    pub root: Root<'a>,
}

/// The time in which a whole chain is valid.
///
/// Both ends belong to it, and as X.509 knows seconds, all of the last second does (OpenSSL 3.0 refuses that
/// second).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Interval {
    /// The latest start in the chain.
    pub not_before: TimeMs,
    /// Which certificate starts then.
    pub not_before_of: Place,
    /// The earliest end in the chain.
    pub not_after: TimeMs,
    /// Which certificate ends then.
    pub not_after_of: Place,
}

impl Interval {
    /// Refuses: a time before the start or after the end, with the certificate that sets the bound.
    ///
    /// Source: RFC 5280 6.1.3 (a)(2) (required).
    pub fn check(&self, at: TimeMs) -> Result<(), CertificateRefusal> {
        if at.seconds() < self.not_before.seconds() {
            let (place, not_before) = (self.not_before_of, self.not_before);
            return Err(CertificateRefusal::NotYetValid { place, not_before, at });
        }
        if at.seconds() > self.not_after.seconds() {
            let (place, not_after) = (self.not_after_of, self.not_after);
            return Err(CertificateRefusal::Expired { place, not_after, at });
        }
        Ok(())
    }

    /// Whether the chain is valid at this time.
    pub fn contains(&self, at: TimeMs) -> bool {
        self.check(at).is_ok()
    }
}

/// A chain that is valid for as long as its interval lasts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct VerifiedChain {
    /// What the certificate says.
    pub facts: Facts,
    /// When the whole chain is valid.
    pub interval: Interval,
    /// Policies for which the path is valid, as dotted object identifiers in ascending order.
    pub policies: Vec<String>,
    /// The trusted CA at its end.
    pub anchor: CertificateId,
    /// The key that signed the certificate.
    pub issuer_key: KeyId,
    /// The intermediate certificates, the certificate's issuer first.
    pub intermediates: Vec<CertificateId>,
}

/// The outcome of one verification, and what a cache may keep of it.
pub struct Verdict {
    /// The verdict itself: the same whatever the cache held.
    pub outcome: Result<VerifiedChain, CertificateRefusal>,
    /// To be given to [`ChainCache::absorb`].
    pub learned: Learned,
}

/// Verifies a chain as of `at`: [`verify_chain_timeless`], then the time.
pub fn verify_chain(
    prepared: &PreparedParameters,
    chain: &Chain<'_>,
    at: TimeMs,
    cache: &ChainCache,
) -> Verdict {
    let Verdict { outcome, learned } = verify_chain_timeless(prepared, chain, cache);
    let outcome = outcome.and_then(|verified| verified.interval.check(at).map(|()| verified));
    Verdict { outcome, learned }
}

/// Verifies everything about a chain but the time, and tells in which time it is valid.
///
/// Nothing else in path validation depends on the time, so this verdict can be kept for as long as the
/// parameters stay, and a block's time be compared with the interval when the block is applied.
///
/// Source: X.1409 8.2.1 (3): basic checks, processing of intermediate certificates, explicit policies
/// (recommended); RFC 5280 6.1, RFC 9618, RFC 5937.
pub fn verify_chain_timeless(
    prepared: &PreparedParameters,
    chain: &Chain<'_>,
    cache: &ChainCache,
) -> Verdict {
    let mut learned = Learned::default();
    let outcome = verify(prepared, chain, cache, &mut learned);
    Verdict { outcome, learned }
}

fn verify(
    prepared: &PreparedParameters,
    chain: &Chain<'_>,
    cache: &ChainCache,
    learned: &mut Learned,
) -> Result<VerifiedChain, CertificateRefusal> {
    let limits = &prepared.rules.limits;
    let (count, count_max) = (chain.intermediates.len(), limits.intermediates_max);
    if count > count_max {
        return Err(CertificateRefusal::TooManyIntermediates { count, count_max });
    }
    let root = match chain.root {
        Root::Id(id) => id,
        Root::Der(der) => {
            check_frame(der, Place::Root, limits.certificate_bytes_max)?;
            CertificateId::of(der)
        }
    };
    let anchor = prepared.anchor(root)?;
    let leaf = ParsedCertificate::check(chain.certificate, Place::Certificate, &prepared.rules)?;
    leaf.check_algorithms(Place::Certificate, &prepared.algorithms)?;
    let links = read_intermediates(prepared, chain, cache)?;
    if !prepared.names.permits(&leaf.facts.subject) {
        return Err(CertificateRefusal::NameNotPermitted { subject: leaf.facts.subject.text().to_owned() });
    }

    let path = Path { prepared, anchor, leaf: &leaf, links: &links };
    let interval = path.interval()?;
    let policies = path.evaluate()?;
    path.check_wildcards()?;
    path.check_signatures(learned)?;
    let above = links.first().map_or(&anchor.certificate, |link| &link.certificate);
    let (issuer_key, intermediates) =
        (above.key_id(), links.iter().map(|link| link.certificate.id()).collect());
    Ok(VerifiedChain { interval, policies, anchor: root, issuer_key, intermediates, facts: leaf.facts })
}

/// One intermediate certificate of the chain at hand.
struct Link {
    certificate: Arc<ParsedCertificate>,
    place: Place,
    /// The key under which the cache knows its signature to verify.
    known_under: Option<KeyId>,
}

fn read_intermediates(
    prepared: &PreparedParameters,
    chain: &Chain<'_>,
    cache: &ChainCache,
) -> Result<Vec<Link>, CertificateRefusal> {
    let mut links = Vec::with_capacity(chain.intermediates.len());
    for (number, der) in (1..).zip(&chain.intermediates) {
        let place = Place::Intermediate(number);
        check_frame(der, place, prepared.rules.limits.certificate_bytes_max)?;
        let link = match cache.find(CertificateId::of(der), prepared.rules) {
            Some(KnownIntermediate { certificate, issuer_key }) => {
                Link { certificate: Arc::clone(certificate), place, known_under: Some(*issuer_key) }
            }
            None => {
                let certificate = Arc::new(ParsedCertificate::check(der, place, &prepared.rules)?);
                Link { certificate, place, known_under: None }
            }
        };
        link.certificate.check_algorithms(place, &prepared.algorithms)?;
        links.push(link);
    }
    Ok(links)
}

struct Path<'a> {
    prepared: &'a PreparedParameters,
    anchor: &'a PreparedAnchor,
    leaf: &'a ParsedCertificate,
    links: &'a [Link],
}

impl Path<'_> {
    /// All certificates from the leaf to the root.
    fn upwards(&self) -> impl Iterator<Item = (Place, &ParsedCertificate)> {
        let links = self.links.iter().map(|link| (link.place, link.certificate.as_ref()));
        std::iter::once((Place::Certificate, self.leaf))
            .chain(links)
            .chain(std::iter::once((Place::Root, &self.anchor.certificate)))
    }

    /// Refuses: a chain with no moment at which all of it is valid.
    fn interval(&self) -> Result<Interval, CertificateRefusal> {
        let facts = &self.leaf.facts;
        let mut interval = Interval {
            not_before: facts.not_before,
            not_before_of: Place::Certificate,
            not_after: facts.not_after,
            not_after_of: Place::Certificate,
        };
        for (place, certificate) in self.upwards() {
            if certificate.facts.not_before > interval.not_before {
                (interval.not_before, interval.not_before_of) = (certificate.facts.not_before, place);
            }
            if certificate.facts.not_after < interval.not_after {
                (interval.not_after, interval.not_after_of) = (certificate.facts.not_after, place);
            }
        }
        let Interval { not_before, not_before_of: starts, not_after, not_after_of: ends } = interval;
        if not_before > not_after {
            return Err(CertificateRefusal::NeverValid { starts, not_before, ends, not_after });
        }
        Ok(interval)
    }

    /// The steps of RFC 5280 6.1 that the path library does, in its order; it counts certificates from the
    /// root down.
    ///
    /// Left out of the library's own sequence: validity (see [`Path::interval`]), key sizes and critical
    /// extensions (see `precheck` and `check_algorithms`, which cover more), signatures (see
    /// [`Path::check_signatures`]).
    fn evaluate(&self) -> Result<Vec<String>, CertificateRefusal> {
        let intermediates = self.links.iter().rev().map(|link| link.certificate.library.clone()).collect();
        let path =
            CertificationPath::new(self.anchor.library.clone(), intermediates, self.leaf.library.clone());
        let environment = PkiEnvironment::new();
        let mut results = CertificationPathResults::new();
        type Step = certval::ValidatePath;
        let steps: [(Step, Fault); 5] = [
            (certval::check_basic_constraints, Fault::Other),
            (certval::check_names, Fault::Other),
            (certval::policy_graph::check_certificate_policies_graph, Fault::Other),
            (certval::check_key_usage, Fault::KeyUsage),
            (certval::check_extended_key_usage, Fault::ExtendedKeyUsage),
        ];
        for (step, fault) in steps {
            step(&environment, &self.anchor.settings, &path, &mut results)
                .map_err(|error| self.refusal(&error, fault, results.get_failure_index()))?;
        }
        let graph = results.get_final_valid_policy_graph().unwrap_or_default();
        let last_row = graph.last().map(Vec::as_slice).unwrap_or_default();
        let mut policies: Vec<String> = last_row.iter().map(|node| node.valid_policy.to_string()).collect();
        policies.sort();
        policies.dedup();
        Ok(policies)
    }

    /// Our refusal for an error of the path library.
    fn refusal(&self, error: &Error, fault: Fault, failure_index: Option<u32>) -> CertificateRefusal {
        let (place, certificate, above) = self.located(failure_index);
        let Error::PathValidation(status) = error else { return CertificateRefusal::NotEvaluable { place } };
        match status {
            PathValidationStatus::NameChainingFailure => CertificateRefusal::NotInOrder {
                place,
                issuer: certificate.facts.issuer.text().to_owned(),
                next: above.facts.subject.text().to_owned(),
            },
            PathValidationStatus::InvalidPathLength => CertificateRefusal::PathTooLong { place },
            PathValidationStatus::MissingBasicConstraints => {
                CertificateRefusal::BasicConstraintsMissing { place }
            }
            PathValidationStatus::InvalidBasicConstraints => CertificateRefusal::NotCa { place },
            PathValidationStatus::NameConstraintsViolation => CertificateRefusal::NameConstraint {
                place,
                subject: certificate.facts.subject.text().to_owned(),
            },
            PathValidationStatus::NullPolicySet => {
                CertificateRefusal::NoValidPolicy { place, accepted: self.prepared.accepted_policies.clone() }
            }
            PathValidationStatus::InvalidPolicyMapping => CertificateRefusal::PolicyMapping { place },
            PathValidationStatus::InvalidKeyUsage => match fault {
                Fault::ExtendedKeyUsage => CertificateRefusal::ExtendedKeyUsage { place },
                _ => CertificateRefusal::KeyUsage { place },
            },
            PathValidationStatus::ProcessingLimitExceeded => CertificateRefusal::BudgetExceeded { place },
            _ => CertificateRefusal::NotEvaluable { place },
        }
    }

    /// The certificate at the library's index (0 is the root, the last one the leaf) and the one above it.
    fn located(&self, failure_index: Option<u32>) -> (Place, &ParsedCertificate, &ParsedCertificate) {
        let all: Vec<_> = self.upwards().collect();
        let last = all.len() - 1;
        let from_root = failure_index.and_then(|index| usize::try_from(index).ok()).unwrap_or(last);
        let at = last.saturating_sub(from_root);
        (all[at].0, all[at].1, all[(at + 1).min(last)].1)
    }

    /// A wildcard may stand for names that a CA above excludes although it is not one of them itself.
    fn check_wildcards(&self) -> Result<(), CertificateRefusal> {
        let mut excluded = self.anchor.excluded_dns_names.clone();
        let downwards = self.links.iter().rev().map(|link| (link.place, link.certificate.as_ref()));
        for (place, certificate) in downwards.chain(std::iter::once((Place::Certificate, self.leaf))) {
            if !excluded.is_empty() {
                check_wildcards_of(&certificate.library, &excluded, place)?;
            }
            if let Some(PDVExtension::NameConstraints(constraints)) =
                extension(&certificate.library, &ID_CE_NAME_CONSTRAINTS)
            {
                excluded.extend(excluded_dns_names(constraints));
            }
        }
        Ok(())
    }

    /// Signatures from the root down, each over the original bytes. Source: RFC 5280 6.1.3 (a)(1) (required).
    fn check_signatures(&self, learned: &mut Learned) -> Result<(), CertificateRefusal> {
        let mut above = (Place::Root, &self.anchor.certificate);
        for link in self.links.iter().rev() {
            let issuer_key = above.1.key_id();
            if link.known_under == Some(issuer_key) {
                learned.note_use(link.certificate.id(), self.prepared.rules);
            } else {
                check_signature(&link.certificate, link.place, above)?;
                let certificate = Arc::clone(&link.certificate);
                learned.note_intermediate(self.prepared.rules, KnownIntermediate { certificate, issuer_key });
            }
            above = (link.place, link.certificate.as_ref());
        }
        check_signature(self.leaf, Place::Certificate, above)
    }
}

/// Which step of the library an error came from, where its status alone does not tell.
#[derive(Clone, Copy)]
enum Fault {
    KeyUsage,
    ExtendedKeyUsage,
    Other,
}

fn check_signature(
    certificate: &ParsedCertificate,
    place: Place,
    (issuer_place, issuer): (Place, &ParsedCertificate),
) -> Result<(), CertificateRefusal> {
    let algorithm = certificate.signature_algorithm(place)?;
    let key = issuer.subject_key(issuer_place)?;
    match key.verifies(algorithm, certificate.signed_bytes(), certificate.signature_bytes()) {
        Some(true) => Ok(()),
        Some(false) => Err(CertificateRefusal::SignatureWrong { place, issuer_key: issuer.key_id() }),
        None => Err(CertificateRefusal::SignatureDoesNotFitKey {
            place,
            algorithm: algorithm.name().to_owned(),
            key: key.algorithm.name().to_owned(),
        }),
    }
}

fn check_wildcards_of(
    certificate: &PDVCertificate,
    excluded: &[String],
    place: Place,
) -> Result<(), CertificateRefusal> {
    let names = alternative_names(extension(certificate, &ID_CE_SUBJECT_ALT_NAME));
    for name in names.map(|names| names.0.as_slice()).unwrap_or_default() {
        let GeneralName::DnsName(name) = name else { continue };
        let name = name.as_str();
        if let Some(excluded) = excluded.iter().find(|excluded| wildcard_meets_subtree(name, excluded)) {
            let (name, excluded) = (name.to_owned(), excluded.clone());
            return Err(CertificateRefusal::WildcardCoversExcluded { place, name, excluded });
        }
    }
    Ok(())
}

/// The DNS subtrees that name constraints exclude.
pub(crate) fn excluded_dns_names(constraints: &NameConstraints) -> Vec<String> {
    let subtrees = constraints.excluded_subtrees.as_deref().unwrap_or_default();
    let dns_name = |name: &GeneralName| match name {
        GeneralName::DnsName(name) => Some(name.as_str().to_owned()),
        _ => None,
    };
    subtrees.iter().filter_map(|subtree| dns_name(&subtree.base)).collect()
}
