//! The stateless half: everything that needs the certificates themselves. Expensive, parallel, independent of
//! time.

use std::collections::{BTreeMap, BTreeSet};

use tabellion_ledger::CertificateId;

use crate::action::{Action, Entry};
use crate::facts::Facts;
use crate::refusal::{EntryRefusal, Refusal, RefusedEntry};
use crate::state::Status;
use crate::verify::{
    Chain, ChainCache, Interval, Learned, PreparedParameters, Root, Verdict, VerifiedChain,
    verify_chain_timeless,
};

/// A publish request whose certificates hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedPublish {
    /// The entries, in the order of the request.
    pub entries: Vec<CheckedEntry>,
}

/// An entry whose certificate holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedEntry {
    /// The entry.
    pub entry: Entry,
    /// What the certificate says, and when its chain is valid; `None` where only the identifier is at hand.
    pub chain: Option<(Facts, Interval)>,
}

/// Checks a publish request with its attachments: every entry against its certificate, every chain by X.509.
///
/// Source: X.1409 C3, 8.2.1(3) (recommended): basic certificate checks, intermediate certificates, explicit
/// policy. What the cache may keep of it is returned beside the outcome, which never depends on the cache.
pub fn check(
    action: &Action,
    attachments: &[Vec<u8>],
    prepared: &PreparedParameters,
    cache: &ChainCache,
) -> (Result<CheckedPublish, Refusal>, Vec<Learned>) {
    let Action::Publish(entries) = action;
    let mut learned = Vec::new();
    let outcome = attached(entries, attachments).and_then(|certificates| {
        all_or_none(entries, |entry| {
            let (outcome, from_entry) = check_entry(entry, &certificates, prepared, cache);
            learned.extend(from_entry);
            outcome
        })
    });
    (outcome, learned)
}

/// Takes a publish request without its certificates, as a ledger of identifiers records it: a quorum has
/// verified them.
pub fn check_recorded(action: &Action) -> Result<CheckedPublish, Refusal> {
    let Action::Publish(entries) = action;
    all_or_none(entries, |entry| {
        check_status(entry).map(|()| CheckedEntry { entry: entry.clone(), chain: None })
    })
}

fn all_or_none(
    entries: &[Entry],
    mut check: impl FnMut(&Entry) -> Result<CheckedEntry, EntryRefusal>,
) -> Result<CheckedPublish, Refusal> {
    if entries.is_empty() {
        return Err(Refusal::Empty);
    }
    let mut refused = Vec::new();
    let mut checked = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match check(entry) {
            Ok(entry) => checked.push(entry),
            Err(refusal) => refused.push(RefusedEntry { index, certificate: entry.certificate, refusal }),
        }
    }
    if refused.is_empty() { Ok(CheckedPublish { entries: checked }) } else { Err(Refusal::Entries(refused)) }
}

type Attached<'a> = BTreeMap<CertificateId, &'a [u8]>;

/// The attachments by their identifiers; each must be named by an entry.
fn attached<'a>(entries: &[Entry], attachments: &'a [Vec<u8>]) -> Result<Attached<'a>, Refusal> {
    let named: BTreeSet<&CertificateId> =
        entries.iter().flat_map(|entry| entry.intermediates.iter().chain([&entry.certificate])).collect();
    let mut found = Attached::new();
    for der in attachments {
        let id = CertificateId::of(der);
        if !named.contains(&id) {
            return Err(Refusal::UnusedAttachment { id });
        }
        if found.insert(id, der).is_some() {
            return Err(Refusal::AttachmentTwice { id });
        }
    }
    Ok(found)
}

fn check_status(entry: &Entry) -> Result<(), EntryRefusal> {
    match entry.status {
        Status::Normal => Ok(()),
        status => Err(EntryRefusal::StatusNotNormal { status }),
    }
}

fn check_entry(
    entry: &Entry,
    certificates: &Attached<'_>,
    prepared: &PreparedParameters,
    cache: &ChainCache,
) -> (Result<CheckedEntry, EntryRefusal>, Option<Learned>) {
    let chain = match check_status(entry).and_then(|()| chain_of(entry, certificates)) {
        Ok(chain) => chain,
        Err(refusal) => return (Err(refusal), None),
    };
    let Verdict { outcome, learned } = verify_chain_timeless(prepared, &chain, cache);
    let outcome = outcome.map_err(EntryRefusal::from).and_then(|verified| compare(entry, verified));
    (outcome, Some(learned))
}

fn chain_of<'a>(entry: &Entry, certificates: &Attached<'a>) -> Result<Chain<'a>, EntryRefusal> {
    let get = |id: &CertificateId| certificates.get(id).copied().ok_or(EntryRefusal::NotAttached { id: *id });
    let certificate = get(&entry.certificate)?;
    let intermediates: Result<Vec<_>, _> = entry.intermediates.iter().map(get).collect();
    Ok(Chain { certificate, intermediates: intermediates?, root: Root::Id(entry.root) })
}

/// What the entry says of the certificate must be what the certificate says: a ledger of identifiers keeps
/// only the entry.
fn compare(entry: &Entry, verified: VerifiedChain) -> Result<CheckedEntry, EntryRefusal> {
    let facts = verified.facts;
    if facts.key != entry.key {
        return Err(EntryRefusal::KeyDiffers { found: facts.key, said: entry.key });
    }
    let (from, until) = (facts.not_before, facts.not_after);
    if (from, until) != (entry.validity.from, entry.validity.until) {
        return Err(EntryRefusal::ValidityDiffers { from, until });
    }
    Ok(CheckedEntry { entry: entry.clone(), chain: Some((facts, verified.interval)) })
}
