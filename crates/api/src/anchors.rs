//! The trusted CAs by name and key identifier, read once per change of the parameters.

use std::sync::{Arc, Mutex, PoisonError};

use tabellion_consortium::{anchor, parameters, parameters_key};
use tabellion_ledger::{CertificateId, Hash, View, sha256};
use tabellion_pki::Facts;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

/// What links one certificate to another. Nothing of it is verified here; every validator does.
pub(crate) struct Link {
    pub(crate) facts: Facts,
    subject_key: Option<Vec<u8>>,
    authority_key: Option<Vec<u8>>,
}

impl Link {
    /// Reads a certificate. A key identifier that cannot be read counts as absent.
    pub(crate) fn of(der: &[u8]) -> Result<Self, tabellion_pki::CertificateRefusal> {
        let facts = Facts::of(der)?;
        let decoded = Certificate::from_der(der).ok();
        let tbs = decoded.as_ref().map(Certificate::tbs_certificate);
        let subject_key = tbs.and_then(|tbs| tbs.get_extension::<SubjectKeyIdentifier>().ok()?);
        let authority_key = tbs.and_then(|tbs| tbs.get_extension::<AuthorityKeyIdentifier>().ok()?);
        Ok(Self {
            facts,
            subject_key: subject_key.map(|(_, id)| id.0.into_bytes().into()),
            authority_key: authority_key
                .and_then(|(_, id)| id.key_identifier)
                .map(|id| id.into_bytes().into()),
        })
    }

    /// Whether this may be the certificate of `other`'s issuer: by name, and by key identifier where both
    /// have one.
    pub(crate) fn may_have_issued(&self, other: &Self) -> bool {
        // A self-issued certificate that names no other key is signed with its own.
        let own = other.subject_key.as_ref().filter(|_| other.is_self_issued());
        let keys_fit = match (&self.subject_key, other.authority_key.as_ref().or(own)) {
            (Some(key), Some(named)) => key == named,
            _ => true,
        };
        self.facts.subject == other.facts.issuer && keys_fit
    }

    /// Whether the certificate names itself as its issuer.
    pub(crate) fn is_self_issued(&self) -> bool {
        self.facts.subject == self.facts.issuer
    }
}

/// The trusted CAs of a ledger.
pub(crate) struct Anchors(Vec<Link>);

impl Anchors {
    fn of(view: &dyn View) -> Self {
        let ids = parameters(view).certificate.anchors;
        Self(ids.iter().filter_map(|id| Link::of(&anchor(view, id)?).ok()).collect())
    }

    /// The trusted CA that may have issued a certificate.
    pub(crate) fn issuer_of(&self, certificate: &Link) -> Option<&Link> {
        self.0.iter().find(|anchor| anchor.may_have_issued(certificate))
    }

    /// The trusted CA with this identifier.
    pub(crate) fn get(&self, id: &CertificateId) -> Option<&Link> {
        self.0.iter().find(|anchor| anchor.facts.certificate == *id)
    }
}

/// The trusted CAs of the newest parameters.
#[derive(Default)]
pub(crate) struct AnchorCache(Mutex<Option<(Hash, Arc<Anchors>)>>);

impl AnchorCache {
    /// The trusted CAs of this state; reads their certificates anew where the parameters have changed.
    pub(crate) fn of(&self, view: &dyn View) -> Arc<Anchors> {
        let hash = Hash(sha256(&view.get(&parameters_key()).unwrap_or_default()));
        let mut cached = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*cached {
            Some((of, anchors)) if *of == hash => anchors.clone(),
            _ => {
                let anchors = Arc::new(Anchors::of(view));
                *cached = Some((hash, anchors.clone()));
                anchors
            }
        }
    }
}
