//! The CAs for which a node answers.

use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock};

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use tabellion_ledger::{CertificateId, TimeMs};
use tabellion_pki::{Facts, IssuerName};

use super::signer::{AuthorityFault, Purpose, Signer, SignerConfig};
use crate::lookup::IssuerKey;

/// Letters of a name.
const NAME_LETTERS_MAX: usize = 64;

/// A CA for which a node answers.
#[derive(Debug)]
pub struct AuthorityConfig {
    /// The CA's certificate, DER. Of several with one name and key any will do.
    pub certificate: Vec<u8>,
    /// Signs OCSP responses: a delegate that the CA issued, or the CA itself.
    pub ocsp: Option<SignerConfig>,
    /// Signs CRLs: the CA itself, or a CRL issuer of the same name.
    pub crl: Option<SignerConfig>,
    /// Names under which its CRL can be fetched too: `/crl/<name>.crl`.
    pub names: Vec<String>,
    /// Further paths of its CRL: those that stand in certificates already.
    pub crl_paths: Vec<String>,
}

/// A CA, ready to answer for.
#[derive(Debug)]
pub(super) struct Authority {
    pub id: CertificateId,
    /// Its name, DER.
    pub name: Vec<u8>,
    pub key: IssuerKey,
    /// SHA-1 of name and key.
    sha1: [Vec<u8>; 2],
    pub ocsp: Option<Signer>,
    pub crl: Option<Signer>,
    names: Vec<String>,
    crl_paths: Vec<String>,
}

impl Authority {
    fn new(config: AuthorityConfig, now: TimeMs) -> Result<Self, AuthorityFault> {
        let AuthorityConfig { certificate, ocsp, crl, names, crl_paths } = config;
        let (facts, name) = (Facts::of(&certificate)?, IssuerName::of(&certificate)?);
        let [by_name, by_key] = name.hashes();
        let signer = |config: Option<SignerConfig>, purpose| {
            config.map(|config| Signer::new(&config, &certificate, purpose, now)).transpose()
        };
        Ok(Self {
            id: facts.certificate,
            key: IssuerKey { certificate: facts.certificate, name: by_name, key: by_key },
            sha1: [&name.name, &name.key]
                .map(|bytes| digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec()),
            name: name.name,
            ocsp: signer(ocsp, Purpose::Ocsp)?,
            crl: signer(crl, Purpose::Crl)?,
            names,
            crl_paths,
        })
    }

    /// Whether a CertID's hashes, SHA-1 or SHA-256 by their length, name this CA.
    pub fn is_named(&self, name_hash: &[u8], key_hash: &[u8]) -> bool {
        let [name, key] = &self.sha1;
        (name_hash, key_hash) == (name, key)
            || (name_hash, key_hash) == (&self.key.name.0[..], &self.key.key.0[..])
    }
}

/// The CAs for which a node answers. They can be replaced while it runs.
#[derive(Debug)]
pub struct StatusAuthorities(RwLock<Arc<Vec<Authority>>>);

impl StatusAuthorities {
    /// Checks keys and certificates.
    ///
    /// Refuses: see [`AuthorityFault`]; the number is that of the CA, from 0.
    pub fn new(configs: Vec<AuthorityConfig>, now: TimeMs) -> Result<Arc<Self>, (usize, AuthorityFault)> {
        Ok(Arc::new(Self(RwLock::new(checked(configs, now)?))))
    }

    /// Answers with others from now on; where one of them cannot be used, the present ones stay.
    ///
    /// Refuses: as [`StatusAuthorities::new`].
    pub fn replace(&self, configs: Vec<AuthorityConfig>, now: TimeMs) -> Result<(), (usize, AuthorityFault)> {
        let next = checked(configs, now)?;
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = next;
        Ok(())
    }

    pub(super) fn now(&self) -> Arc<Vec<Authority>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

type Checked = Result<Arc<Vec<Authority>>, (usize, AuthorityFault)>;

fn checked(configs: Vec<AuthorityConfig>, now: TimeMs) -> Checked {
    let mut authorities: Vec<Authority> = Vec::new();
    let mut names = BTreeSet::new();
    for (index, config) in configs.into_iter().enumerate() {
        let authority = Authority::new(config, now).map_err(|fault| (index, fault))?;
        let (certificate, sha1) = (authority.id, &authority.sha1);
        if authorities.iter().any(|other| other.sha1 == *sha1) {
            return Err((index, AuthorityFault::Twice { certificate }));
        }
        for name in &authority.names {
            if !is_name(name) || !names.insert(name.clone()) {
                return Err((index, AuthorityFault::Name { name: name.clone() }));
            }
        }
        for path in &authority.crl_paths {
            if !path.starts_with('/') || !names.insert(path.clone()) {
                return Err((index, AuthorityFault::Name { name: path.clone() }));
            }
        }
        authorities.push(authority);
    }
    Ok(Arc::new(authorities))
}

fn is_name(name: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || ".-_".contains(letter);
    (1..=NAME_LETTERS_MAX).contains(&name.len()) && name.chars().all(fits) && !name.starts_with('.')
}

/// The CA under a name of its CRL: a configured name, or the SHA-256 of its certificate.
pub(super) fn by_crl_name<'a>(authorities: &'a [Authority], name: &str) -> Option<&'a Authority> {
    authorities.iter().find(|one| one.names.iter().any(|known| known == name) || one.id.to_string() == name)
}

/// The CA under a whole path of its CRL.
pub(super) fn by_crl_path<'a>(authorities: &'a [Authority], path: &str) -> Option<&'a Authority> {
    authorities.iter().find(|one| one.crl_paths.iter().any(|known| known == path))
}
