//! The stateless half: everything that needs the certificates themselves. Expensive, parallel, independent of
//! time.

mod change;

use std::collections::{BTreeMap, BTreeSet};

use tabellion_ledger::{CertificateId, LedgerId, TimeMs};

use crate::action::{Action, Entry};
use crate::change::{Renewal, StatusChange};
use crate::composed::{self, CheckedRelay};
use crate::facts::Facts;
use crate::notice::{OptimisationNotice, check_notice};
use crate::refusal::{EntryRefusal, Refusal, RefusedEntry};
use crate::state::Status;
use crate::verify::{
    Chain, ChainCache, Interval, Learned, PreparedParameters, Root, Verdict, VerifiedChain,
    verify_chain_timeless,
};

use change::{ChangeDesk, check_renewal};

/// A request whose certificates and evidence hold, whatever the time and the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Checked {
    /// Publish certificates.
    Publish(CheckedPublish),
    /// Change the status of certificates.
    Change(Vec<StatusChange>),
    /// Publish a certificate in the place of another one.
    Renew(Box<Renewal>, Box<CheckedEntry>),
    /// Say that nothing in some blocks is needed any more.
    Notice(OptimisationNotice),
    /// Record what a foreign ledger proves.
    Relay(Box<CheckedRelay>),
}

impl Checked {
    /// The certificates that it publishes, in the order of the request.
    pub fn published(&self) -> &[CheckedEntry] {
        match self {
            Self::Publish(publish) => &publish.entries,
            Self::Change(_) | Self::Notice(_) | Self::Relay(_) => &[],
            Self::Renew(_, entry) => std::slice::from_ref(entry),
        }
    }

    /// The latest moment at which something that this request records expires; a lane header carries it.
    pub fn latest_expiry(&self) -> TimeMs {
        let published = self.published().iter().map(|entry| entry.entry.effective().until);
        let changed: Vec<TimeMs> = match self {
            Self::Publish(_) | Self::Notice(_) => Vec::new(),
            Self::Change(changes) => changes.iter().map(|change| change.not_after).collect(),
            Self::Renew(renewal, _) => vec![renewal.old_not_after],
            // What is recorded of it ends as told, without the rest of a second.
            Self::Relay(relay) => return relay.latest_expiry(),
        };
        published.chain(changed.into_iter().map(|end| end.plus(999))).max().unwrap_or_default()
    }
}

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

/// Checks a request with its attachments: every entry against its certificate, every chain by X.509, every
/// status change against the CA's feedback.
///
/// Source: X.1409 C3, 8.2.1(3) (recommended): basic certificate checks, intermediate certificates, explicit
/// policy; C13, C14, A.1. What the cache may keep of it is returned beside the outcome, which never depends
/// on the cache.
pub fn check(
    action: &Action,
    attachments: &[Vec<u8>],
    ledger: &LedgerId,
    prepared: &PreparedParameters,
    cache: &ChainCache,
) -> (Result<Checked, Refusal>, Vec<Learned>) {
    let mut learned = Vec::new();
    let outcome = attached(action, attachments).and_then(|attached| match action {
        Action::Publish(entries) => {
            let check = |entry: &Entry| {
                let (outcome, from_entry) = check_entry(entry, &attached, prepared, cache);
                learned.extend(from_entry);
                outcome
            };
            let entries = all_or_none(entries, |entry| entry.certificate, check)?;
            Ok(Checked::Publish(CheckedPublish { entries }))
        }
        Action::Change(changes) => {
            let mut desk = ChangeDesk::new(&attached, prepared, ledger);
            let check = |change: &StatusChange| desk.check(change).map(|()| change.clone());
            all_or_none(changes, |change| change.certificate, check).map(Checked::Change)
        }
        Action::Renew(renewal) => {
            let (outcome, from_entry) = check_renewal(renewal, &attached, prepared, ledger, cache);
            learned.extend(from_entry);
            renewed(renewal, outcome)
        }
        Action::Notice(notice) => checked_notice(notice),
        Action::Relay(relay) => Ok(Checked::Relay(Box::new(composed::check(relay)?))),
    });
    (outcome, learned)
}

/// Takes a request without its attachments, as a ledger of identifiers records it: a quorum has verified
/// them.
pub fn check_recorded(action: &Action) -> Result<Checked, Refusal> {
    let check =
        |entry: &Entry| check_status(entry).map(|()| CheckedEntry { entry: entry.clone(), chain: None });
    match action {
        Action::Publish(entries) => {
            let entries = all_or_none(entries, |entry| entry.certificate, check)?;
            Ok(Checked::Publish(CheckedPublish { entries }))
        }
        Action::Change(changes) => {
            let checked = all_or_none(changes, |change| change.certificate, |change| Ok(change.clone()));
            checked.map(Checked::Change)
        }
        Action::Renew(renewal) => renewed(renewal, check(&renewal.entry)),
        Action::Notice(notice) => checked_notice(notice),
        // Its proofs stand in the action, on every kind of ledger.
        Action::Relay(relay) => Ok(Checked::Relay(Box::new(composed::check(relay)?))),
    }
}

fn checked_notice(notice: &OptimisationNotice) -> Result<Checked, Refusal> {
    check_notice(notice)?;
    Ok(Checked::Notice(notice.clone()))
}

fn renewed(renewal: &Renewal, entry: Result<CheckedEntry, EntryRefusal>) -> Result<Checked, Refusal> {
    match entry {
        Ok(entry) => Ok(Checked::Renew(Box::new(renewal.clone()), Box::new(entry))),
        Err(refusal) => {
            Err(Refusal::Entries(vec![RefusedEntry { index: 0, certificate: renewal.old, refusal }]))
        }
    }
}

fn all_or_none<T, C>(
    parts: &[T],
    certificate: impl Fn(&T) -> CertificateId,
    mut check: impl FnMut(&T) -> Result<C, EntryRefusal>,
) -> Result<Vec<C>, Refusal> {
    if parts.is_empty() {
        return Err(Refusal::Empty);
    }
    let mut refused = Vec::new();
    let mut checked = Vec::new();
    for (index, part) in parts.iter().enumerate() {
        match check(part) {
            Ok(part) => checked.push(part),
            Err(refusal) => refused.push(RefusedEntry { index, certificate: certificate(part), refusal }),
        }
    }
    if refused.is_empty() { Ok(checked) } else { Err(Refusal::Entries(refused)) }
}

type Attached<'a> = BTreeMap<CertificateId, &'a [u8]>;

fn get<'a>(attached: &Attached<'a>, id: &CertificateId) -> Result<&'a [u8], EntryRefusal> {
    attached.get(id).copied().ok_or(EntryRefusal::NotAttached { id: *id })
}

/// The attachments by their SHA-256; each must be named by the action.
fn attached<'a>(action: &Action, attachments: &'a [Vec<u8>]) -> Result<Attached<'a>, Refusal> {
    let mut named = BTreeSet::new();
    for entry in action.published() {
        named.extend(entry.intermediates.iter().chain([&entry.certificate]).copied());
    }
    match action {
        Action::Publish(_) | Action::Notice(_) | Action::Relay(_) => {}
        Action::Change(changes) => {
            named.extend(changes.iter().flat_map(|change| {
                [change.certificate, change.issuer, CertificateId(change.evidence.hash.0)]
            }))
        }
        Action::Renew(renewal) => named.extend([renewal.old]),
    }
    let mut found = Attached::new();
    for bytes in attachments {
        let id = CertificateId::of(bytes);
        if !named.contains(&id) {
            return Err(Refusal::UnusedAttachment { id });
        }
        if found.insert(id, bytes).is_some() {
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
    let certificate = get(certificates, &entry.certificate)?;
    let intermediates: Result<Vec<_>, _> =
        entry.intermediates.iter().map(|id| get(certificates, id)).collect();
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
