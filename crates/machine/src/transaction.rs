//! From bytes to a transaction that may go into a block.

use std::sync::Arc;

use tabellion_consortium::{self as consortium, Submitter, submitter};
use tabellion_ledger::{
    Context, Effects, Hash, Header, Lane, LedgerId, TimeMs, Transaction, TransactionId, View, Writes,
};
use tabellion_pki as pki;

use crate::event::Event;
use crate::permission::{NOTIFIERS, PUBLISHERS, RELAYS, of_certificate_action};
use crate::refusal::Refusal;
use crate::ruleset::{Ruleset, judge};

/// A transaction whose signature and certificates hold under one set of parameters, whatever the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    transaction: Transaction,
    bytes: u64,
    rules: Hash,
    work: Work,
}

/// What a checked transaction asks for, by lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Govern the consortium.
    Consortium(Box<consortium::Checked>),
    /// Publish certificates, change their status, renew them.
    Certificate(pki::Checked),
}

impl Checked {
    /// The transaction.
    pub fn transaction(&self) -> &Transaction {
        &self.transaction
    }

    fn new(transaction: Transaction, rules: &Ruleset, work: Work) -> Arc<Self> {
        let bytes = u64::try_from(transaction.as_bytes().len()).expect("invariant: usize fits u64");
        Arc::new(Self { transaction, bytes, rules: rules.hash(), work })
    }

    /// Bytes of the transaction with its attachments.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The transaction's identifier.
    pub fn id(&self) -> TransactionId {
        self.transaction.id()
    }

    /// Whether the check was made under these parameters.
    pub fn is_under(&self, rules: &Ruleset) -> bool {
        self.rules == rules.hash()
    }

    /// What it asks for.
    pub fn work(&self) -> &Work {
        &self.work
    }

    /// The latest moment at which something that it records expires.
    pub fn latest_expiry(&self) -> TimeMs {
        match &self.work {
            // What the members decided is kept for good.
            Work::Consortium(_) => TimeMs::MAX,
            Work::Certificate(request) => request.latest_expiry(),
        }
    }
}

/// Parses a transaction for this ledger. Cheap; the first thing that happens to bytes from outside.
///
/// Refuses: an encoding that is not the only one, a foreign ledger, a lane that no service owns.
pub fn submit(bytes: &[u8], ledger: &LedgerId) -> Result<Transaction, Refusal> {
    let transaction = Transaction::from_bytes(bytes).map_err(Refusal::Encoding)?;
    check_destination(&transaction, ledger)?;
    check_complete(&transaction)?;
    Ok(transaction)
}

fn check_complete(transaction: &Transaction) -> Result<(), Refusal> {
    match transaction.is_complete() {
        true => Ok(()),
        false => Err(Refusal::AttachmentsMissing),
    }
}

fn check_destination(transaction: &Transaction, ledger: &LedgerId) -> Result<(), Refusal> {
    let content = transaction.content();
    if content.ledger != *ledger {
        return Err(Refusal::ForeignLedger { named: content.ledger, here: *ledger });
    }
    match content.lane {
        Lane::Consortium | Lane::Certificate => Ok(()),
        lane => Err(Refusal::LaneNotServed { lane }),
    }
}

/// Checks everything that needs no state but the submitter's key: signature, action, certificates.
///
/// Source: X.1409 L6, C3. Runs in parallel; the outcome never depends on the cache.
pub fn check(
    transaction: Transaction,
    rules: &Ruleset,
    view: &dyn View,
    cache: &pki::ChainCache,
) -> (Result<Arc<Checked>, Refusal>, Vec<pki::Learned>) {
    let mut learned = Vec::new();
    let work = check_complete(&transaction)
        .and_then(|()| check_signature(&transaction, rules, view))
        .and_then(|(by, action)| match action {
            None => check_consortium(&transaction, &by, rules),
            Some(action) => {
                let (attachments, ledger) = (transaction.attachments(), rules.ledger());
                let (outcome, of_chains) = pki::check(&action, attachments, &ledger, rules.prepared(), cache);
                learned = of_chains;
                Ok(Work::Certificate(outcome?))
            }
        });
    (work.map(|work| Checked::new(transaction, rules, work)), learned)
}

/// Checks a finalised transaction of a ledger of identifiers, whose certificates were not recorded.
pub fn check_recorded(
    transaction: Transaction,
    rules: &Ruleset,
    view: &dyn View,
) -> Result<Arc<Checked>, Refusal> {
    let (by, action) = check_signature(&transaction, rules, view)?;
    let work = match action {
        None => check_consortium(&transaction, &by, rules)?,
        Some(action) => Work::Certificate(pki::check_recorded(&action)?),
    };
    Ok(Checked::new(transaction, rules, work))
}

/// Who signed, and the action where it is one of the certificate lane: the right depends on it.
fn check_signature(
    transaction: &Transaction,
    rules: &Ruleset,
    view: &dyn View,
) -> Result<(Submitter, Option<pki::Action>), Refusal> {
    check_destination(transaction, &rules.ledger())?;
    let by = submitter(view, &transaction.submitter())?;
    by.require_algorithm(&rules.parameters().transaction)?;
    let action = match transaction.content().lane {
        Lane::Certificate => Some(action_of(transaction)?),
        _ => None,
    };
    if let Some(action) = &action {
        by.require(&of_certificate_action(action))?;
    }
    transaction.envelope().verify(&by.key).map_err(Refusal::Signature)?;
    Ok((by, action))
}

fn check_consortium(transaction: &Transaction, by: &Submitter, rules: &Ruleset) -> Result<Work, Refusal> {
    let action = &transaction.content().action;
    let checked = consortium::check(action, transaction.attachments(), by, &rules.ledger())?;
    Ok(Work::Consortium(Box::new(checked)))
}

fn action_of(transaction: &Transaction) -> Result<pki::Action, Refusal> {
    let action = pki::Action::from_bytes(&transaction.content().action);
    action.map_err(|error| Refusal::Certificate(pki::Refusal::Action(error)))
}

/// Says whether a checked transaction would be refused by the next block, at `time` upon this state.
pub fn would_apply(
    checked: &Checked,
    parent: &Header,
    time: TimeMs,
    rules: &Ruleset,
    view: &dyn View,
) -> Result<(), Refusal> {
    let time = time.max(parent.time);
    let ctx =
        Context { ledger: rules.ledger(), height: parent.height.next(), time, previous_time: parent.time };
    apply(checked, &ctx, rules, view).map(|_| ())
}

/// What a change would change if it took effect with the block after `parent`.
///
/// Refuses: what its proposal would be refused for.
pub fn dry_run(
    change: &consortium::Change,
    parent: &Header,
    view: &dyn View,
) -> Result<consortium::Difference, Refusal> {
    let (height, time) = (parent.height.next(), parent.time);
    let ctx = Context { ledger: parent.ledger, height, time, previous_time: time };
    Ok(consortium::dry_run(change, &ctx, &judge, view)?)
}

/// Applies a checked transaction to the state: time, replay, permission, then the service's own rules.
pub(crate) fn apply(
    checked: &Checked,
    ctx: &Context,
    rules: &Ruleset,
    view: &dyn View,
) -> Result<Effects<Event>, Refusal> {
    let content = checked.transaction.content();
    let (valid_until, at) = (content.valid_until, ctx.time);
    if valid_until < at {
        return Err(Refusal::Expired { valid_until, at });
    }
    let lifetime_ms_max = rules.parameters().transaction.lifetime_ms_max;
    if valid_until > at.plus(lifetime_ms_max) {
        return Err(Refusal::LifetimeTooLong { valid_until, at, lifetime_ms_max });
    }
    let id = checked.id();
    if let Some(height) = view.transaction_height(&id) {
        return Err(Refusal::Replayed { id, height });
    }
    let by = submitter(view, &checked.transaction.submitter())?;
    by.require_algorithm(&rules.parameters().transaction)?;
    let usage = match &checked.work {
        Work::Consortium(governing) if !governing.action().is_charged() => Writes::new(),
        _ => consortium::charge(&by, checked.bytes, ctx, &rules.parameters().quota, view)?,
    };
    match &checked.work {
        Work::Consortium(governing) => {
            let effects = consortium::apply(governing, &by, ctx, &judge, view)?;
            Ok(joined(usage, effects, Event::Consortium))
        }
        Work::Certificate(request) => {
            consortium::require_running(view)?;
            let (permission, link) = match request {
                pki::Checked::Relay(relay) => (RELAYS, link(view, &relay.ledger)),
                pki::Checked::Notice(_) => (NOTIFIERS, None),
                _ => (PUBLISHERS, None),
            };
            by.require(&permission)?;
            let key = checked.transaction.submitter();
            let certificate_rules = pki::Rules { link, ..rules.certificate_rules() };
            let mut effects = pki::apply(request, &key, ctx, &certificate_rules, view)?;
            effects.writes.extend(results_for_others(&effects.events, Some(id), view));
            Ok(joined(usage, effects, Event::Certificate))
        }
    }
}

/// The link to a foreign ledger, as the certificate lane reads it; none where the members do not follow it.
pub fn link(view: &dyn View, ledger: &LedgerId) -> Option<pki::Link> {
    let link = consortium::link(view, ledger).filter(|link| link.ended.is_none())?;
    let consortium::Link { generation, roster, stale_after_ms, .. } = link;
    Some(pki::Link { generation, roster, stale_after_ms })
}

/// The results among events, numbered for other ledgers, while the members want them to be.
pub(crate) fn results_for_others(
    events: &[pki::Event],
    request: Option<TransactionId>,
    view: &dyn View,
) -> Writes {
    match consortium::outbox(view) {
        Some(_) => pki::number_results(events, request, view),
        None => Writes::new(),
    }
}

/// The effects of a service, and what its submitter used of its quota.
fn joined<E>(usage: Writes, effects: Effects<E>, event: fn(E) -> Event) -> Effects<Event> {
    let mut writes = usage;
    writes.extend(effects.writes);
    Effects { writes, events: effects.events.into_iter().map(event).collect() }
}
