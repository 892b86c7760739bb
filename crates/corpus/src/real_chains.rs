//! The public web's CA certificates, each with one chain to its root.
//!
//! The certificates come with the registry crate `certval_stores_mozilla` (a snapshot of Mozilla's CCADB
//! reports), so that none stand in this repository.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use const_oid::db::rfc5280::{ID_CE_AUTHORITY_KEY_IDENTIFIER, ID_CE_SUBJECT_KEY_IDENTIFIER};
use der::asn1::ObjectIdentifier;
use der::{Decode, Encode};
use serde::Deserialize;
use tabellion_ledger::{CertificateId, TimeMs};
use x509_cert::certificate::{CertificateInner, Raw};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectKeyIdentifier};

/// A certificate and the certificates above it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RealChain {
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// Intermediates, DER: its issuer first.
    pub intermediates: Vec<Vec<u8>>,
    /// The root, DER.
    pub root: Vec<u8>,
}

/// Roots that Mozilla trusts for anything, in the order of their SHA-256.
pub fn real_roots() -> Vec<Vec<u8>> {
    let roots = certval_stores_mozilla::ROOTS.iter().filter(|root| root.is_trusted());
    let by_id: BTreeMap<_, _> = roots.map(|root| (CertificateId::of(root.der), root.der.to_vec())).collect();
    by_id.into_values().collect()
}

/// One chain for each of the 2,534 CA certificates, in the order of their SHA-256.
///
/// The chain is a shortest one by names and key identifiers; among equally short ones those whose
/// certificates are valid at `at` win, then the smallest SHA-256. Certificates without any chain, roots, and
/// bytes that are no certificate are left out.
pub fn real_chains(at: TimeMs) -> Vec<RealChain> {
    let roots = real_roots();
    let root_ids: BTreeSet<_> = roots.iter().map(|root| CertificateId::of(root)).collect();
    let pool: Vec<Node> = authorities()
        .into_iter()
        .filter(|der| !root_ids.contains(&CertificateId::of(der)))
        .map(|der| (der, false))
        .chain(roots.into_iter().map(|der| (der, true)))
        .filter_map(|(der, is_root)| Node::read(der, is_root))
        .collect();
    let mut by_subject: BTreeMap<&[u8], Vec<usize>> = BTreeMap::new();
    for (index, node) in pool.iter().enumerate() {
        by_subject.entry(&node.subject).or_default().push(index);
    }
    for candidates in by_subject.values_mut() {
        candidates.sort_by_key(|index| (!pool[*index].is_valid(at), !pool[*index].is_root, pool[*index].id));
    }
    let leaves: BTreeMap<_, _> =
        pool.iter().enumerate().filter(|(_, n)| !n.is_root).map(|(index, n)| (n.id, index)).collect();
    let chain = |leaf: usize| {
        shortest(&pool, &by_subject, leaf, Some(at)).or_else(|| shortest(&pool, &by_subject, leaf, None))
    };
    leaves.into_values().filter_map(chain).collect()
}

/// Breadth first from the leaf upwards; with a time, only over issuers that are valid then.
fn shortest(
    pool: &[Node],
    by_subject: &BTreeMap<&[u8], Vec<usize>>,
    leaf: usize,
    at: Option<TimeMs>,
) -> Option<RealChain> {
    let mut below: BTreeMap<usize, usize> = BTreeMap::from([(leaf, leaf)]);
    let mut queue = VecDeque::from([leaf]);
    while let Some(index) = queue.pop_front() {
        let node = &pool[index];
        if node.is_root {
            return Some(unwind(pool, &below, leaf, index));
        }
        for &issuer in by_subject.get(node.issuer.as_slice()).into_iter().flatten() {
            let is_usable = at.is_none_or(|at| pool[issuer].is_valid(at));
            if is_usable && node.may_be_issued_by(&pool[issuer]) && !below.contains_key(&issuer) {
                below.insert(issuer, index);
                queue.push_back(issuer);
            }
        }
    }
    None
}

fn unwind(pool: &[Node], below: &BTreeMap<usize, usize>, leaf: usize, root: usize) -> RealChain {
    let mut intermediates = Vec::new();
    let mut index = below[&root];
    while index != leaf {
        intermediates.push(pool[index].der.clone());
        index = below[&index];
    }
    intermediates.reverse();
    RealChain { certificate: pool[leaf].der.clone(), intermediates, root: pool[root].der.clone() }
}

struct Node {
    id: CertificateId,
    is_root: bool,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    subject_key: Option<Vec<u8>>,
    issuer_key: Option<Vec<u8>>,
    not_before_s: u64,
    not_after_s: u64,
    der: Vec<u8>,
}

impl Node {
    fn read(der: Vec<u8>, is_root: bool) -> Option<Self> {
        let decoded = CertificateInner::<Raw>::from_der(&der).ok()?;
        let tbs = decoded.tbs_certificate();
        let find = |identifier: ObjectIdentifier| {
            let extensions = tbs.extensions().map(Vec::as_slice).unwrap_or_default();
            extensions.iter().find(|e| e.extn_id == identifier).map(|e| e.extn_value.as_bytes())
        };
        let subject_key = find(ID_CE_SUBJECT_KEY_IDENTIFIER)
            .and_then(|value| SubjectKeyIdentifier::from_der(value).ok())
            .map(|identifier| identifier.0.as_bytes().to_vec());
        let issuer_key = find(ID_CE_AUTHORITY_KEY_IDENTIFIER)
            .and_then(|value| AuthorityKeyIdentifier::from_der(value).ok())
            .and_then(|identifier| identifier.key_identifier.map(|key| key.as_bytes().to_vec()));
        Some(Self {
            id: CertificateId::of(&der),
            is_root,
            subject: tbs.subject().to_der().ok()?,
            issuer: tbs.issuer().to_der().ok()?,
            subject_key,
            issuer_key,
            not_before_s: tbs.validity().not_before.to_unix_duration().as_secs(),
            not_after_s: tbs.validity().not_after.to_unix_duration().as_secs(),
            der,
        })
    }

    fn is_valid(&self, at: TimeMs) -> bool {
        (self.not_before_s..=self.not_after_s).contains(&at.seconds())
    }

    /// The key identifiers agree, or one of them is missing.
    fn may_be_issued_by(&self, issuer: &Self) -> bool {
        match (&self.issuer_key, &issuer.subject_key) {
            (Some(wanted), Some(found)) => wanted == found,
            _ => true,
        }
    }
}

/// The certificates of the store, in its order.
fn authorities() -> Vec<Vec<u8>> {
    #[derive(Deserialize)]
    struct Store {
        buffers: Vec<Buffer>,
    }
    #[derive(Deserialize)]
    struct Buffer {
        bytes: ciborium::Value,
    }
    let store = certval_stores_mozilla::CA_STORE.expect("the feature mozilla_cas is on");
    let store: Store = ciborium::from_reader(store).expect("the store is CBOR of this shape");
    store.buffers.into_iter().filter_map(|buffer| buffer.bytes.into_bytes().ok()).collect()
}
