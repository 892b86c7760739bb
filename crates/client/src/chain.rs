//! From a heap of certificates to chains: certificate, intermediates in order, root.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_machine::Ruleset;
use tabellion_pki::{CertificateRefusal, Chain, ChainCache, INTERMEDIATES_MAX, Root, Verdict, verify_chain};
use thiserror::Error;

use crate::certificate::Certificate;

/// Ways upwards that are looked at for one certificate: cross-certified CAs make a handful, malice makes
/// more.
const PATHS_MAX: usize = 256;

/// Certificates from which chains are put together, and the ledger's trusted CAs.
#[derive(Default)]
pub struct ChainPool {
    certificates: BTreeMap<CertificateId, Certificate>,
    by_subject: BTreeMap<Vec<u8>, Vec<CertificateId>>,
    anchors: BTreeSet<CertificateId>,
}

/// A certificate with its way to a trusted CA.
#[derive(Clone, Debug)]
pub struct FoundChain {
    /// The certificate.
    pub certificate: Certificate,
    /// Its intermediates, its issuer first.
    pub intermediates: Vec<Certificate>,
    /// The trusted CA.
    pub root: CertificateId,
    /// What path validation here says against it, where it was asked; the ledger's word is what counts.
    pub refusal: Option<CertificateRefusal>,
}

/// Why there is no chain.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ChainError {
    /// The issuer of a certificate is neither given nor trusted.
    #[error(
        "the issuer of '{subject}' is missing: no certificate of '{issuer}' is given, and the ledger trusts \
         none"
    )]
    NoIssuer {
        /// The certificate at which the way ends.
        subject: String,
        /// Whose certificate is missing.
        issuer: String,
    },
    /// The chain ends at a root that the ledger does not trust.
    #[error("the chain ends at '{subject}' ({root}), which is not in the ledger's list of trusted CAs")]
    UntrustedRoot {
        /// The root's name.
        subject: String,
        /// SHA-256 of the root.
        root: CertificateId,
    },
    /// The certificate is a trusted CA itself.
    #[error("'{subject}' is one of the ledger's trusted CAs already; it needs no publication")]
    IsTrusted {
        /// Its name.
        subject: String,
    },
    /// More intermediates than the format allows.
    #[error("the way from '{subject}' to a trusted CA has more than {INTERMEDIATES_MAX} intermediates")]
    TooLong {
        /// The certificate.
        subject: String,
    },
}

impl ChainPool {
    /// A pool that knows these trusted CAs; one that does not decode is left out.
    pub fn new<'a>(anchors: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut pool = Self::default();
        for certificate in anchors.into_iter().filter_map(|der| Certificate::from_der(der).ok()) {
            pool.anchors.insert(certificate.id());
            pool.add(certificate);
        }
        pool
    }

    /// Adds a certificate.
    pub fn add(&mut self, certificate: Certificate) {
        let id = certificate.id();
        let subject = certificate.facts.subject.folded().to_vec();
        if self.certificates.insert(id, certificate).is_none() {
            self.by_subject.entry(subject).or_default().push(id);
        }
    }

    /// Whether the certificate is one of the trusted CAs.
    pub fn trusts(&self, id: &CertificateId) -> bool {
        self.anchors.contains(id)
    }

    /// Finds the chain of a certificate: a shortest one, and of several the first that `verifier` accepts.
    pub fn chain_of(
        &self,
        leaf: &Certificate,
        verifier: Option<&Verifier<'_>>,
    ) -> Result<FoundChain, ChainError> {
        if self.trusts(&leaf.id()) {
            return Err(ChainError::IsTrusted { subject: leaf.facts.subject.text().to_owned() });
        }
        let mut first: Option<FoundChain> = None;
        let mut walk = Walk { pool: self, queue: VecDeque::from([Vec::new()]), end: None, left: PATHS_MAX };
        while let Some(mut found) = walk.next(leaf) {
            found.refusal = verifier.and_then(|verifier| verifier.refusal(&found));
            if found.refusal.is_none() {
                return Ok(found);
            }
            first.get_or_insert(found);
        }
        first.ok_or_else(|| walk.error(leaf))
    }

    fn issuers_of(&self, certificate: &Certificate) -> impl Iterator<Item = &Certificate> {
        let ids = self.by_subject.get(certificate.facts.issuer.folded()).into_iter().flatten();
        let certificate = certificate.clone();
        ids.map(|id| &self.certificates[id]).filter(move |issuer| certificate.may_be_issued_by(issuer))
    }
}

/// Breadth first upwards; each queue entry is a way of intermediates.
struct Walk<'a> {
    pool: &'a ChainPool,
    queue: VecDeque<Vec<CertificateId>>,
    end: Option<ChainError>,
    left: usize,
}

impl Walk<'_> {
    fn next(&mut self, leaf: &Certificate) -> Option<FoundChain> {
        let pool = self.pool;
        while let Some(way) = self.queue.pop_front() {
            let top = way.last().map_or(leaf, |id| &pool.certificates[id]);
            let mut found = None;
            let mut is_end = true;
            for issuer in pool.issuers_of(top) {
                let id = issuer.id();
                if id == leaf.id() || way.contains(&id) {
                    continue;
                }
                is_end = false;
                if pool.trusts(&id) {
                    found.get_or_insert(id);
                } else if way.len() == INTERMEDIATES_MAX {
                    self.end = Some(ChainError::TooLong { subject: leaf.facts.subject.text().to_owned() });
                } else if self.left > 0 {
                    self.left -= 1;
                    self.queue.push_back(way.iter().copied().chain([id]).collect());
                }
            }
            if is_end {
                self.note_end(top);
            }
            if let Some(root) = found {
                let intermediates = way.iter().map(|id| pool.certificates[id].clone()).collect();
                return Some(FoundChain { certificate: leaf.clone(), intermediates, root, refusal: None });
            }
        }
        None
    }

    /// The longest way explains best what is missing; an untrusted root more than a missing issuer.
    fn note_end(&mut self, top: &Certificate) {
        let (subject, issuer) = (top.facts.subject.text().to_owned(), top.facts.issuer.text().to_owned());
        if top.is_self_issued() {
            self.end = Some(ChainError::UntrustedRoot { subject, root: top.id() });
        } else if !matches!(self.end, Some(ChainError::UntrustedRoot { .. })) {
            self.end = Some(ChainError::NoIssuer { subject, issuer });
        }
    }

    fn error(self, leaf: &Certificate) -> ChainError {
        let subject = || leaf.facts.subject.text().to_owned();
        self.end.unwrap_or_else(|| ChainError::NoIssuer {
            subject: subject(),
            issuer: leaf.facts.issuer.text().to_owned(),
        })
    }
}

/// The ledger's own path validation, run here first: tells early what the ledger would refuse, and chooses
/// among several chains.
pub struct Verifier<'a> {
    /// The ledger's rules.
    pub rules: &'a Ruleset,
    /// The moment.
    pub at: TimeMs,
}

impl Verifier<'_> {
    fn refusal(&self, found: &FoundChain) -> Option<CertificateRefusal> {
        let chain = Chain {
            certificate: &found.certificate.der,
            intermediates: found.intermediates.iter().map(|certificate| certificate.der.as_ref()).collect(),
            root: Root::Id(found.root),
        };
        let Verdict { outcome, .. } =
            verify_chain(self.rules.prepared(), &chain, self.at, &ChainCache::new(0));
        outcome.err()
    }
}

/// The certificates of one file that are to be published: those that issued none of the others in it. The
/// others are intermediates and roots.
pub fn leaves(certificates: &[Certificate]) -> Vec<&Certificate> {
    let issued_another = |issuer: &Certificate| {
        certificates.iter().any(|other| other.id() != issuer.id() && other.may_be_issued_by(issuer))
    };
    let mut seen = BTreeSet::new();
    certificates
        .iter()
        .filter(|certificate| !issued_another(certificate) && seen.insert(certificate.id()))
        .collect()
}
