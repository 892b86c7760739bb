//! What a relying party may ask of composed systems.

use serde::{Deserialize, Serialize};
use tabellion_ledger::{CertificateId, LedgerId, TimeMs, View, read};

use super::apply::Link;
use super::state::{FollowedLedger, ForeignRecord, Outbox, OutboxEntry};
use crate::key::{followed_ledger_key, foreign_record_key, outbox_entry_key, outbox_key};
use crate::state::Status;
use crate::view::Standing;

/// Why a foreign status may not be relied upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Doubt {
    /// The members do not follow the ledger any more.
    NotFollowed,
    /// The foreign validators contradicted themselves, and the members have not decided yet.
    Frozen,
    /// The members let following begin anew, and the result has not come again yet.
    Anew,
    /// Nothing complete came for longer than the members accept.
    Stale,
}

impl Doubt {
    /// The word in answers and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotFollowed => "not-followed",
            Self::Frozen => "frozen",
            Self::Anew => "anew",
            Self::Stale => "stale",
        }
    }
}

/// The answer to "may I rely on this certificate of a foreign ledger".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignStanding {
    /// What is known.
    pub standing: Standing,
    /// Why one should not rely on it; none where nothing speaks against it.
    pub doubt: Option<Doubt>,
}

impl ForeignStanding {
    /// Whether one may rely on the certificate.
    pub fn is_valid(&self) -> bool {
        self.standing == Standing::Valid && self.doubt.is_none()
    }
}

/// Judges a foreign record at a moment.
///
/// Revoked is honoured whatever the doubt. A link that is frozen, ended or begun anew makes everything else
/// unknown. What is stale is told with its flag, and is not valid to rely on.
///
/// Source: X.1409 C16, A.1, A.2.
pub fn foreign_standing(
    record: Option<&ForeignRecord>,
    link: Option<&Link>,
    followed: Option<&FollowedLedger>,
    at: TimeMs,
) -> ForeignStanding {
    let doubt = doubt(record, link, followed, at);
    let known = |record: &ForeignRecord| match (record.result.status, doubt) {
        (Status::Revoked, _) => Standing::Revoked,
        (_, Some(Doubt::NotFollowed | Doubt::Frozen | Doubt::Anew)) => Standing::Unknown,
        (status, _) => Standing::judge(status, record.result.validity, at),
    };
    ForeignStanding { standing: record.map_or(Standing::Unknown, known), doubt }
}

fn doubt(
    record: Option<&ForeignRecord>,
    link: Option<&Link>,
    followed: Option<&FollowedLedger>,
    at: TimeMs,
) -> Option<Doubt> {
    let Some(link) = link else { return Some(Doubt::NotFollowed) };
    if record.is_some_and(|record| record.generation != link.generation) {
        return Some(Doubt::Anew);
    }
    let Some(followed) = followed.filter(|followed| followed.generation == link.generation) else {
        return Some(Doubt::Stale);
    };
    if followed.frozen.is_some() {
        return Some(Doubt::Frozen);
    }
    let is_fresh = followed.complete.is_some_and(|complete| complete.time.plus(link.stale_after_ms) >= at);
    (!is_fresh).then_some(Doubt::Stale)
}

/// What this ledger knows of a foreign one.
pub fn followed_ledger(view: &dyn View, ledger: &LedgerId) -> Option<FollowedLedger> {
    read(view, &followed_ledger_key(ledger))
}

/// The status of a certificate on a foreign ledger, as recorded here.
pub fn foreign_record(
    view: &dyn View,
    ledger: &LedgerId,
    certificate: &CertificateId,
) -> Option<ForeignRecord> {
    read(view, &foreign_record_key(ledger, certificate))
}

/// How many results this ledger has numbered.
pub fn outbox(view: &dyn View) -> Outbox {
    read(view, &outbox_key()).unwrap_or_default()
}

/// A numbered result of this ledger.
pub fn outbox_entry(view: &dyn View, number: u64) -> Option<OutboxEntry> {
    read(view, &outbox_entry_key(number))
}
