//! Quotas: what a member may submit within a window of block time.

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{Context, TimeMs, View, Writes, read};

use crate::key::usage_key;
use crate::parameters::{Quota, QuotaRules};
use crate::refusal::Refusal;
use crate::view::Submitter;

/// The quota of one member.
///
/// Shape: [0, null] the ledger's, [1, null] none, [2, quota] its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MemberQuota {
    /// What the ledger's parameters say of every member.
    #[default]
    Default,
    /// Without limit.
    Unlimited,
    /// Its own.
    Own(Quota),
}

impl MemberQuota {
    /// The quota in force; none = without limit.
    pub fn in_force(&self, rules: &QuotaRules) -> Option<Quota> {
        match self {
            Self::Default => rules.member,
            Self::Unlimited => None,
            Self::Own(quota) => Some(*quota),
        }
    }
}

impl Wire for MemberQuota {
    fn encode(&self, out: &mut Writer) {
        let (kind, quota) = match self {
            Self::Default => (0, None),
            Self::Unlimited => (1, None),
            Self::Own(quota) => (2, Some(quota)),
        };
        out.array(2);
        out.uint(kind);
        out.option(quota);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        match (input.uint()?, input.option()?) {
            (0, None) => Ok(Self::Default),
            (1, None) => Ok(Self::Unlimited),
            (2, Some(quota)) => Ok(Self::Own(quota)),
            _ => Err(DecodeError::Value { field: "quota" }),
        }
    }
}

/// What a member submitted in its latest window.
///
/// Shape: [start (ms), transactions, bytes].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Start of the window.
    pub start: TimeMs,
    /// Transactions.
    pub transactions: u64,
    /// Bytes of them.
    pub bytes: u64,
}

impl Wire for Usage {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.start.encode(out);
        out.uint(self.transactions);
        out.uint(self.bytes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self { start: TimeMs::decode(input)?, transactions: input.uint()?, bytes: input.uint()? })
    }
}

/// Which of a quota's limits is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Transactions.
    Transactions,
    /// Bytes.
    Bytes,
}

impl Measure {
    /// The measure's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Transactions => "transactions",
            Self::Bytes => "bytes",
        }
    }
}

/// Counts a transaction of `bytes` bytes for the member that answers for it. A member without quota leaves no
/// trace in the state.
///
/// Refuses: [`Refusal::QuotaExceeded`].
pub fn charge(
    by: &Submitter,
    bytes: u64,
    ctx: &Context,
    rules: &QuotaRules,
    view: &dyn View,
) -> Result<Writes, Refusal> {
    let Some(quota) = by.quota.in_force(rules) else {
        return Ok(Writes::new());
    };
    let start = TimeMs(ctx.time.0 - ctx.time.0 % rules.window_ms);
    let key = usage_key(&by.member);
    let before = read::<Usage>(view, &key).filter(|usage| usage.start == start);
    let before = before.unwrap_or(Usage { start, transactions: 0, bytes: 0 });
    let after = Usage {
        start,
        transactions: before.transactions.saturating_add(1),
        bytes: before.bytes.saturating_add(bytes),
    };
    let exceeded = |measure, used, asked, max| Refusal::QuotaExceeded {
        member: by.member.clone(),
        measure,
        used,
        asked,
        max,
        until: start.plus(rules.window_ms),
    };
    if after.transactions > quota.transactions {
        return Err(exceeded(Measure::Transactions, before.transactions, 1, quota.transactions));
    }
    if after.bytes > quota.bytes {
        return Err(exceeded(Measure::Bytes, before.bytes, bytes, quota.bytes));
    }
    Ok(Writes::from([(key, Some(cbor::to_bytes(&after)))]))
}
