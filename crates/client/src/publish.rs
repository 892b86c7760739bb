//! Publish requests: entries with their certificates, joined into signed transactions under the format's
//! limits.

use std::collections::BTreeMap;
use std::sync::Arc;

use tabellion_ledger::limits::{ATTACHMENTS_MAX, ENVELOPE_BYTES_MAX, TRANSACTION_BYTES_MAX};
use tabellion_ledger::{
    CertificateId, Content, DecodeError, Lane, LedgerId, TimeMs, Transaction, attachments_root, cbor,
};
use tabellion_pki::{Action, ENTRIES_MAX, Entry, Status, Window};
use thiserror::Error;

use crate::chain::FoundChain;
use crate::key::{KeyError, SigningKey};

/// What an envelope holds besides its entries, generously: ids, times, nonce, signature of ML-DSA-65.
const ENVELOPE_FRAME_BYTES: usize = 8 * 1024;
/// What CBOR puts before an attachment.
const ATTACHMENT_HEAD_BYTES: usize = 5;

/// A certificate that is to be published, with what a transaction brings along for it.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The entry of the action.
    pub entry: Entry,
    /// Subject, for people.
    pub subject: String,
    /// Where the certificate came from, for people; empty where that says nothing.
    pub source: String,
    /// The certificate and its intermediates.
    certificates: Vec<(CertificateId, Arc<[u8]>)>,
}

impl Publication {
    /// A publication of a found chain, with the validity that is asked for, if one is (X.1409 C12).
    pub fn new(chain: &FoundChain, window: Option<Window>, source: &str) -> Self {
        let facts = &chain.certificate.facts;
        let entry = Entry {
            certificate: chain.certificate.id(),
            key: facts.key,
            status: Status::Normal,
            validity: Window { from: facts.not_before, until: facts.not_after },
            window,
            intermediates: chain.intermediates.iter().map(|certificate| certificate.id()).collect(),
            root: chain.root,
        };
        let all = std::iter::once(&chain.certificate).chain(&chain.intermediates);
        Self {
            entry,
            subject: facts.subject.text().to_owned(),
            source: source.to_owned(),
            certificates: all.map(|certificate| (certificate.id(), certificate.der.clone())).collect(),
        }
    }

    /// The certificate and then its intermediates, the issuer first; DER.
    pub fn certificates(&self) -> impl Iterator<Item = &[u8]> {
        self.certificates.iter().map(|(_, der)| der.as_ref())
    }

    /// The certificate's identifier.
    pub fn id(&self) -> CertificateId {
        self.entry.certificate
    }
}

/// Why a transaction cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// The key does not sign.
    #[error("the transaction could not be signed")]
    Key(#[from] KeyError),
    /// The transaction breaks a limit of the format.
    #[error("the transaction breaks the format: {0}")]
    Format(DecodeError),
    /// No randomness.
    #[error("the system gave no randomness")]
    Randomness,
}

/// For whom and until when transactions are made.
pub struct Signer<'a> {
    /// The submitter's key.
    pub key: &'a SigningKey,
    /// The ledger.
    pub ledger: LedgerId,
}

impl Signer<'_> {
    /// Makes one transaction that publishes all of these, or none (one signature; attachments stand once
    /// each).
    ///
    /// Limit: see [`batches`].
    pub fn publish(
        &self,
        publications: &[Publication],
        valid_until: TimeMs,
    ) -> Result<Transaction, PublishError> {
        let entries = publications.iter().map(|publication| publication.entry.clone()).collect();
        let mut attachments = BTreeMap::new();
        for (id, der) in publications.iter().flat_map(|publication| &publication.certificates) {
            attachments.entry(*id).or_insert_with(|| der.to_vec());
        }
        let action = cbor::to_bytes(&Action::Publish(entries));
        self.transaction(Lane::Certificate, action, attachments.into_values().collect(), valid_until)
    }

    /// Signs an action of any lane, with its attachments.
    pub fn transaction(
        &self,
        lane: Lane,
        action: Vec<u8>,
        attachments: Vec<Vec<u8>>,
        valid_until: TimeMs,
    ) -> Result<Transaction, PublishError> {
        let mut nonce = [0; 16];
        aws_lc_rs::rand::fill(&mut nonce).map_err(|_| PublishError::Randomness)?;
        let root = attachments_root(&attachments);
        let content = Content { ledger: self.ledger, lane, valid_until, nonce, action, attachments: root };
        let envelope = self.key.envelope(&content)?;
        let transaction = Transaction::new(envelope, attachments).map_err(PublishError::Format)?;
        // What the ledger would not decode is found here, not there.
        Transaction::from_bytes(transaction.as_bytes()).map_err(PublishError::Format)
    }
}

/// Splits publications, in their order, into groups that fit into one transaction each.
///
/// Limit: `entries_max` and [`ENTRIES_MAX`] entries, [`ATTACHMENTS_MAX`] certificates,
/// [`ENVELOPE_BYTES_MAX`], [`TRANSACTION_BYTES_MAX`] and `bytes_max`, which is the ledger's limit of a block.
pub fn batches(publications: Vec<Publication>, entries_max: usize, bytes_max: u64) -> Vec<Vec<Publication>> {
    let bytes_max = usize::try_from(bytes_max).unwrap_or(usize::MAX).min(TRANSACTION_BYTES_MAX);
    let entries_max = entries_max.clamp(1, ENTRIES_MAX);
    let mut done = Vec::new();
    let mut batch = Batch::default();
    for publication in publications {
        if !batch.members.is_empty() && !batch.fits(&publication, entries_max, bytes_max) {
            done.push(std::mem::take(&mut batch).members);
        }
        batch.push(publication);
    }
    if !batch.members.is_empty() {
        done.push(batch.members);
    }
    done
}

#[derive(Default)]
struct Batch {
    members: Vec<Publication>,
    attached: BTreeMap<CertificateId, usize>,
    entry_bytes: usize,
}

impl Batch {
    fn fits(&self, publication: &Publication, entries_max: usize, bytes_max: usize) -> bool {
        let new = |(id, der): &(CertificateId, Arc<[u8]>)| {
            (!self.attached.contains_key(id)).then_some(der.len() + ATTACHMENT_HEAD_BYTES)
        };
        let added: Vec<usize> = publication.certificates.iter().filter_map(new).collect();
        let attachment_bytes: usize = self.attached.values().chain(&added).sum();
        let envelope_bytes = ENVELOPE_FRAME_BYTES + self.entry_bytes + entry_bytes(publication);
        self.members.len() < entries_max
            && self.attached.len() + added.len() <= ATTACHMENTS_MAX
            && envelope_bytes <= ENVELOPE_BYTES_MAX
            && envelope_bytes + attachment_bytes <= bytes_max
    }

    fn push(&mut self, publication: Publication) {
        self.entry_bytes += entry_bytes(&publication);
        for (id, der) in &publication.certificates {
            self.attached.insert(*id, der.len() + ATTACHMENT_HEAD_BYTES);
        }
        self.members.push(publication);
    }
}

fn entry_bytes(publication: &Publication) -> usize {
    cbor::to_bytes(&publication.entry).len()
}
