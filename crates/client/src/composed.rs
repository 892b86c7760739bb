//! Composed systems: foreign statuses as a ledger proves them, and the proxy that forwards them.
//!
//! ```text
//! host ledger --delivery (results, proofs)--> Proxy --relay, signed--> home ledger
//!                                               ^------ what is known, proved -----'
//! ```

use std::time::Duration;

use tabellion_consortium::{Link, Links, link_key, links_key};
use tabellion_ledger::limits::ENVELOPE_BYTES_MAX;
use tabellion_ledger::{CertificateId, HandOver, Height, Lane, LedgerId, TimeMs, cbor};
use tabellion_pki::{
    Action, Checked, Delivery, FollowedLedger, ForeignRecord, ForeignStanding, RELAY_HAND_OVERS_MAX,
    RELAY_RESULTS_MAX, Relay, check_recorded, followed_ledger_key, foreign_record_key, foreign_standing,
};

use crate::error::ClientError;
use crate::key::SigningKey;
use crate::light::LightError;
use crate::node::{NodeClient, NodeError, Submitted};
use crate::offline::PROOF_BYTES_MAX;
use crate::publish::Signer;
use crate::relying_party::RelyingParty;
use crate::trust::ProvedBy;

/// How long a relay may wait for its block. Unit: ms.
const RELAY_LIFETIME_MS: u64 = 60_000;
/// What a transaction holds besides its action.
const CONTENT_BYTES: usize = 512;
/// A proxy keeps what is known fresh: it relays at the latest after this part of the time until it is stale.
const REFRESH_PART: u64 = 3;
/// Refusals that mean that another proxy was faster, or that the host's validators just changed.
const RACES: [&str; 5] =
    ["nothing-new", "foreign-gap", "foreign-roster", "foreign-header-not-linked", "link-frozen"];

/// A certificate's status on a foreign ledger, as a quorum of the home ledger stands for it (X.1409 C16).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedForeign {
    /// The foreign ledger.
    pub ledger: LedgerId,
    /// The certificate.
    pub certificate: CertificateId,
    /// The members' decision to follow; none where it is proved that there is none.
    pub link: Option<Link>,
    /// What is known of the foreign ledger.
    pub known: Option<FollowedLedger>,
    /// What is recorded of the certificate.
    pub record: Option<ForeignRecord>,
    /// The newest of the home ledger's headers under which this holds.
    pub by: ProvedBy,
}

impl ProvedForeign {
    /// The answer to "may I rely on it": as of the header's time, or of `now` where that is later.
    pub fn standing(&self, now: Option<TimeMs>) -> ForeignStanding {
        let header = self.by.header.time;
        let at = now.unwrap_or(header).max(header);
        let link = self.link.as_ref().and_then(active);
        foreign_standing(self.record.as_ref(), link.as_ref(), self.known.as_ref(), at)
    }
}

/// A link as the certificate lane reads it; none where it has ended.
fn active(link: &Link) -> Option<tabellion_pki::Link> {
    let Link { generation, roster, stale_after_ms, ended, .. } = link;
    let (generation, stale_after_ms) = (*generation, *stale_after_ms);
    ended.is_none().then(|| tabellion_pki::Link { generation, roster: roster.clone(), stale_after_ms })
}

/// A foreign ledger that is followed, and what is known of it, proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedLink {
    /// The members' decision.
    pub link: Link,
    /// What is known; none where nothing came since following began.
    pub known: Option<FollowedLedger>,
    /// The header under which this holds.
    pub by: ProvedBy,
}

impl RelyingParty {
    /// The foreign ledgers that this one follows.
    pub async fn foreign_ledgers(&mut self, now: TimeMs) -> Result<Vec<ProvedLink>, ClientError> {
        let (links, _) = self.record::<Links>(&links_key(), now).await?;
        let mut all = Vec::new();
        for ledger in links.unwrap_or_default().0 {
            all.extend(self.foreign_ledger(&ledger, now).await?);
        }
        Ok(all)
    }

    /// What is known of a foreign ledger; none where the members never followed it.
    pub async fn foreign_ledger(
        &mut self,
        ledger: &LedgerId,
        now: TimeMs,
    ) -> Result<Option<ProvedLink>, ClientError> {
        let (link, _) = self.record::<Link>(&link_key(ledger), now).await?;
        let Some(link) = link else { return Ok(None) };
        let (known, by) = self.record::<FollowedLedger>(&followed_ledger_key(ledger), now).await?;
        let known = known.filter(|known| known.generation == link.generation);
        Ok(Some(ProvedLink { link, known, by }))
    }

    /// The status of a certificate on a foreign ledger, as recorded on this one (X.1409 C16, A.1).
    ///
    /// The three records are proved one after the other: what is known first, so that the certificate's
    /// record is at least as new as the moment up to which nothing is said to be missing. Where following
    /// begins anew in between, the answer is in doubt.
    pub async fn foreign_status(
        &mut self,
        ledger: &LedgerId,
        certificate: &CertificateId,
        now: TimeMs,
    ) -> Result<ProvedForeign, ClientError> {
        let (known, first) = self.record::<FollowedLedger>(&followed_ledger_key(ledger), now).await?;
        let key = foreign_record_key(ledger, certificate);
        let (record, second) = self.record::<ForeignRecord>(&key, now).await?;
        // Another node may have answered the second time, and be behind the first.
        let (seen, found) = (first.header.height, second.header.height);
        if found < seen {
            return Err(LightError::Behind { found, seen }.into());
        }
        let (link, by) = self.record::<Link>(&link_key(ledger), now).await?;
        Ok(ProvedForeign { ledger: *ledger, certificate: *certificate, link, known, record, by })
    }
}

impl NodeClient {
    /// Numbered results of the ledger from `first` on, under a header that leads back to the one at `known`.
    pub async fn delivery(
        &self,
        first: u64,
        limit: usize,
        known: Option<Height>,
    ) -> Result<Delivery, NodeError> {
        let path = "/v1/outbox";
        let mut query = vec![("first", first.to_string()), ("limit", limit.to_string())];
        query.extend(known.map(|known| ("known", known.to_string())));
        let bytes = self.bytes(path, &query).await?;
        cbor::from_bytes(&bytes, PROOF_BYTES_MAX).map_err(|error| self.unexpected(path, &error.to_string()))
    }
}

/// What a proxy's turn came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Relayed {
    /// Recorded on the home ledger.
    Recorded {
        /// Height of the host's header.
        height: Option<Height>,
        /// Results that came with it.
        results: u64,
        /// Whether there are more.
        more: bool,
    },
    /// Nothing new, and nothing grows stale.
    Idle,
    /// Another proxy was faster, or the link changed meanwhile: the code of the refusal.
    Raced(String),
    /// The home ledger's members do not follow the host ledger.
    NotFollowed,
    /// The link is frozen until the members decide.
    Frozen,
}

/// A proxy node between two ledgers (X.1409 C16, A.1): forwards the results of the host ledger to the home
/// ledger.
///
/// It remembers nothing: what is known, the home ledger says. Any number may run at once, and none of them is
/// trusted.
pub struct Proxy {
    host: RelyingParty,
    home: RelyingParty,
    key: SigningKey,
}

impl Proxy {
    /// A proxy from `host` to `home`, where it signs with `key`.
    pub fn new(host: RelyingParty, home: RelyingParty, key: SigningKey) -> Self {
        Self { host, home, key }
    }

    /// The host ledger.
    pub fn host(&self) -> &RelyingParty {
        &self.host
    }

    /// The home ledger.
    pub fn home(&self) -> &RelyingParty {
        &self.home
    }

    /// Reads what is known, fetches what is new, and relays it: two round trips where there is something.
    pub async fn turn(&mut self, now: TimeMs, wait: Duration) -> Result<Relayed, ClientError> {
        let ledger = self.host.light().trust().ledger();
        let found = self.home.foreign_ledger(&ledger, now).await?;
        let Some(ProvedLink { link, known, .. }) = found.filter(|found| found.link.ended.is_none()) else {
            return Ok(Relayed::NotFollowed);
        };
        let known = known.unwrap_or_else(|| FollowedLedger::begin(link.generation, link.roster.clone()));
        if known.frozen.is_some() {
            return Ok(Relayed::Frozen);
        }
        let Some(relay) = self.relay(&known).await? else {
            // The node is behind what others have brought: another one may not be.
            self.host.nodes().next_node();
            return Ok(Relayed::Idle);
        };
        if !is_worth_it(&relay, &known, &link, now) {
            // A node that stands still would keep everything back: others may have gone on.
            let header = relay.delivery.as_ref().map(|delivery| &delivery.header.finality.header);
            if header.is_some_and(|header| is_due(header.time, &link, now)) {
                self.host.nodes().next_node();
            }
            return Ok(Relayed::Idle);
        }
        self.submit(relay, now, wait).await
    }

    /// What is new on the host ledger; none where the node that was asked is behind.
    async fn relay(&self, known: &FollowedLedger) -> Result<Option<Relay>, ClientError> {
        let nodes = self.host.nodes();
        let mut hand_overs: Vec<HandOver> = nodes.hand_overs(known.roster.number()).await?;
        let is_all = hand_overs.len() <= RELAY_HAND_OVERS_MAX;
        hand_overs.truncate(RELAY_HAND_OVERS_MAX);
        let delivery = match is_all {
            false => None,
            true => {
                let height = known.newest.map(|newest| newest.height);
                match nodes.delivery(known.next, RELAY_RESULTS_MAX, height).await {
                    Ok(delivery) => Some(delivery),
                    Err(NodeError::Refused(problem)) if problem.code == "no-such-block" => return Ok(None),
                    Err(error) => return Err(error.into()),
                }
            }
        };
        let ledger = self.host.light().trust().ledger();
        Ok(Some(fitted(Relay { ledger, roster: known.roster.clone(), hand_overs, delivery })))
    }

    async fn submit(&mut self, relay: Relay, now: TimeMs, wait: Duration) -> Result<Relayed, ClientError> {
        let action = Action::Relay(Box::new(relay));
        // What does not hold costs the member's quota and is refused: a node that lies is left.
        let (height, results, more) = match check_recorded(&action) {
            Ok(Checked::Relay(checked)) => match checked.delivered {
                None => (None, 0, true),
                Some(delivered) => {
                    let results = u64::try_from(delivered.results.len()).unwrap_or(u64::MAX);
                    let more = delivered.first.saturating_add(results) < delivered.count;
                    (Some(delivered.header.height), results, more)
                }
            },
            Ok(_) => (None, 0, false),
            Err(refusal) => {
                let nodes = self.host.nodes();
                let error = nodes.unexpected("/v1/outbox", &refusal.to_string());
                nodes.next_node();
                return Err(error.into());
            }
        };
        let signer = Signer { key: &self.key, ledger: self.home.light().trust().ledger() };
        let valid_until = now.plus(RELAY_LIFETIME_MS);
        let bytes = cbor::to_bytes(&action);
        let transaction = signer.transaction(Lane::Certificate, bytes, Vec::new(), valid_until)?;
        let submitted = self.home.nodes().submit(transaction.id(), transaction.to_bytes(), wait).await?;
        Ok(match submitted {
            Submitted::Recorded(_) | Submitted::Pending(_) => Relayed::Recorded { height, results, more },
            Submitted::Refused(problem) if RACES.contains(&problem.code.as_str()) => {
                Relayed::Raced(problem.code)
            }
            Submitted::Refused(problem) => return Err(ClientError::Refused { problem }),
        })
    }
}

/// Whether a relay tells the home ledger something: results, validators, or that nothing is missing, before
/// what it knows grows stale.
fn is_worth_it(relay: &Relay, known: &FollowedLedger, link: &Link, now: TimeMs) -> bool {
    let Some(delivery) = &relay.delivery else { return true };
    if !relay.hand_overs.is_empty() || !delivery.results.is_empty() {
        return true;
    }
    let header = &delivery.header.finality.header;
    let is_fork = known.newest.is_some_and(|newest| {
        let older = delivery.header.older.as_ref().map(|(older, _)| older).unwrap_or(header);
        older.height == newest.height && older.hash() != newest.hash
    });
    let is_newer = known.complete.is_none_or(|complete| header.height > complete.height);
    is_fork || (is_newer && known.complete.is_none_or(|complete| is_due(complete.time, link, now)))
}

/// Whether what was known at `time` should be known anew.
fn is_due(time: TimeMs, link: &Link, now: TimeMs) -> bool {
    time.plus(link.stale_after_ms / REFRESH_PART) <= now
}

/// Leaves results out until the relay fits into a transaction; the rest comes with the next one.
fn fitted(mut relay: Relay) -> Relay {
    while cbor::to_bytes(&Action::Relay(Box::new(relay.clone()))).len() > ENVELOPE_BYTES_MAX - CONTENT_BYTES {
        let Some(delivery) = relay.delivery.as_mut() else { break };
        match delivery.results.len() {
            0 => relay.delivery = None,
            count => delivery.results.truncate(count / 2),
        }
    }
    relay
}
