//! What is watched, and what of a transaction is told.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tabellion_ledger::{CertificateId, Height, Lane, TimeMs, Transaction, TransactionId};
use tabellion_pki::{Action, Entry, Facts, Reason, Status};
use thiserror::Error;

/// A name that is watched: `www.example.com` alone, or `.example.com` with everything below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatchedName {
    domain: String,
    below: bool,
}

/// A text that is no name to watch.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("'{0}' is no name to watch; expected is www.example.com, or .example.com for all below it")]
pub struct WatchedNameError(String);

impl FromStr for WatchedName {
    type Err = WatchedNameError;

    fn from_str(text: &str) -> Result<Self, WatchedNameError> {
        let domain = text.strip_prefix('.').unwrap_or(text);
        let label = |label: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            !label.is_empty() && label.len() <= 63 && label.chars().all(fits)
        };
        if domain.is_empty() || domain.len() > 253 || !domain.split('.').all(label) {
            return Err(WatchedNameError(text.to_owned()));
        }
        Ok(Self { domain: domain.to_ascii_lowercase(), below: text.starts_with('.') })
    }
}

impl fmt::Display for WatchedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.below { "." } else { "" }, self.domain)
    }
}

impl WatchedName {
    /// Whether a certificate for this DNS name could be shown for what is watched. A wildcard stands for one
    /// label (RFC 6125 6.4.3).
    pub fn concerns(&self, dns_name: &str) -> bool {
        let name = dns_name.trim_end_matches('.').to_ascii_lowercase();
        let is_below = |name: &str| {
            name == self.domain || name.strip_suffix(&self.domain).is_some_and(|labels| labels.ends_with('.'))
        };
        let Some(parent) = name.strip_prefix("*.") else {
            return if self.below { is_below(&name) } else { name == self.domain };
        };
        let stands_for_it = self.domain.split_once('.').is_some_and(|(_, above)| above == parent);
        stands_for_it || (self.below && is_below(parent))
    }
}

/// A CA and the names that it may issue for, by whatever agreement: what is outside of them is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaRegister {
    /// SHA-256 of the CA's certificate.
    pub ca: CertificateId,
    /// Its names.
    pub names: Vec<WatchedName>,
}

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Names of the owner.
    pub names: Vec<WatchedName>,
    /// SHA-256 of the certificates of CAs that are to issue for these names; empty: nothing is said of
    /// issuers.
    pub issuers: BTreeSet<CertificateId>,
    /// CAs that are held to their names.
    pub registers: Vec<CaRegister>,
    /// Certificates for the names, as far as they were seen; they are watched from then on.
    pub certificates: BTreeSet<CertificateId>,
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "alert", rename_all = "kebab-case")]
pub enum AlertKind {
    /// A certificate for a watched name was published.
    NewCertificate,
    /// The same, by a CA that is not to issue for these names.
    UnexpectedIssuer,
    /// A CA issued for a name that is not one of its own.
    RogueCa {
        /// The name.
        name: String,
    },
    /// The status of a watched certificate changed.
    StatusChanged {
        /// Its new status.
        status: Status,
        /// Why.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
    /// Another certificate took the place of a watched one.
    Renewed {
        /// The new certificate.
        by: CertificateId,
    },
}

/// Something that the owner should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// What happened.
    #[serde(flatten)]
    pub kind: AlertKind,
    /// The certificate.
    pub certificate: CertificateId,
    /// Its subject, where it is at hand.
    pub subject: String,
    /// The DNS names in it.
    pub dns_names: Vec<String>,
    /// SHA-256 of the certificate that issued it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<CertificateId>,
    /// The block.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
    /// The transaction, whose proof shows all this to others.
    pub transaction: TransactionId,
}

impl Watch {
    /// What is to be told of a recorded transaction. Certificates for the watched names are watched from now
    /// on.
    ///
    /// On a ledger of identifiers the names of a certificate are not known, unless the transaction still
    /// carries it.
    pub fn judge(&mut self, transaction: &Transaction, height: Height, time: TimeMs) -> Vec<Alert> {
        if transaction.content().lane != Lane::Certificate {
            return Vec::new();
        }
        // A recorded action reads, by the rules under which it was recorded.
        let Ok(action) = Action::from_bytes(&transaction.content().action) else { return Vec::new() };
        let blank = |kind, certificate| Alert {
            kind,
            certificate,
            subject: String::new(),
            dns_names: Vec::new(),
            issuer: None,
            height,
            time,
            transaction: transaction.id(),
        };
        let facts = |id: &CertificateId| {
            let mut attached = transaction.attachments().iter();
            Facts::of(attached.find(|der| CertificateId::of(der) == *id)?).ok()
        };
        let with_facts = |alert: Alert, facts: Option<Facts>| match facts {
            Some(facts) => Alert { subject: facts.subject.to_string(), dns_names: facts.dns_names, ..alert },
            None => alert,
        };
        let mut alerts = Vec::new();
        for entry in action.published() {
            let Some(facts) = facts(&entry.certificate) else { continue };
            for kind in self.judge_publication(entry, &facts) {
                let alert = Alert { issuer: Some(entry.issuer()), ..blank(kind, entry.certificate) };
                alerts.push(with_facts(alert, Some(facts.clone())));
            }
        }
        match &action {
            Action::Publish(_) | Action::Notice(_) | Action::Relay(_) => {}
            Action::Change(changes) => {
                for change in changes.iter().filter(|change| self.certificates.contains(&change.certificate))
                {
                    let kind = AlertKind::StatusChanged { status: change.status(), reason: change.reason };
                    let alert = Alert { issuer: Some(change.issuer), ..blank(kind, change.certificate) };
                    alerts.push(with_facts(alert, facts(&change.certificate)));
                }
            }
            Action::Renew(renewal) if self.certificates.contains(&renewal.old) => {
                let kind = AlertKind::Renewed { by: renewal.entry.certificate };
                alerts.push(with_facts(blank(kind, renewal.old), facts(&renewal.old)));
                self.certificates.insert(renewal.entry.certificate);
            }
            Action::Renew(_) => {}
        }
        alerts
    }

    fn judge_publication(&mut self, entry: &Entry, facts: &Facts) -> Vec<AlertKind> {
        let mut kinds = Vec::new();
        let concerned = facts.dns_names.iter().any(|name| self.names.iter().any(|own| own.concerns(name)));
        if concerned {
            self.certificates.insert(entry.certificate);
            let expected = self.issuers.is_empty() || self.issuers.contains(&entry.issuer());
            kinds.push(if expected { AlertKind::NewCertificate } else { AlertKind::UnexpectedIssuer });
        }
        for register in self.registers.iter().filter(|register| register.ca == entry.issuer()) {
            let outside = facts.dns_names.iter().find(|name| !register.covers(name));
            kinds.extend(outside.map(|name| AlertKind::RogueCa { name: name.clone() }));
        }
        kinds
    }
}

impl CaRegister {
    /// Whether all that a DNS name stands for lies within the CA's names.
    fn covers(&self, dns_name: &str) -> bool {
        let name = dns_name.trim_end_matches('.').to_ascii_lowercase();
        // What a wildcard stands for is all below its parent.
        let (host, is_wildcard) = match name.strip_prefix("*.") {
            Some(parent) => (parent, true),
            None => (name.as_str(), false),
        };
        self.names.iter().any(|own| if is_wildcard && !own.below { false } else { own.concerns(host) })
    }
}
