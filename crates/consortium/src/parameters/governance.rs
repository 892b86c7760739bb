//! Rules of votes and nodes, quotas and retention.

use serde::{Deserialize, Serialize};
use tabellion_ledger::Lane;
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::LANES_MAX;

use super::bounds::{ParameterFault, within};
use crate::text::as_text;

const SECOND_MS: u64 = 1_000;
const DAY_MS: u64 = 24 * 3_600_000;
/// The longest vote that participants may allow: a year.
const VOTING_MS_MAX: u64 = 366 * DAY_MS;
/// Epochs of the longest probation.
const PROBATION_EPOCHS_MAX: u64 = 10_000;
/// The longest window of a quota, so that a member that has used its own up can act again the next day.
const WINDOW_MS_MAX: u64 = DAY_MS;
/// Transactions per window that the tightest quota leaves: a member can always do its part.
const QUOTA_TRANSACTIONS_MIN: u64 = 16;
/// Bytes per window that the tightest quota leaves.
const QUOTA_BYTES_MIN: u64 = 64 * 1024;

/// Rules of votes and of nodes.
///
/// Shape: [voting (ms), voting on a suspension (ms), probation (epochs), invitation (ms), ledger version].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GovernanceRules {
    /// How far ahead the deadline of a proposal may lie. Unit: ms.
    pub voting_ms_max: u64,
    /// How long members vote on the suspension that evidence of equivocation proposes by itself. Unit: ms.
    pub suspension_voting_ms: u64,
    /// Epochs in a row that a node reports as healthy before it may become a validator; 0 = no probation.
    pub probation_epochs: u64,
    /// How long an invitation may wait for its node. Unit: ms.
    pub invitation_ms_max: u64,
    /// Version of the ledger's rules.
    pub ledger_version: u64,
}

impl Default for GovernanceRules {
    fn default() -> Self {
        Self {
            voting_ms_max: 30 * DAY_MS,
            suspension_voting_ms: 7 * DAY_MS,
            probation_epochs: 2,
            invitation_ms_max: 14 * DAY_MS,
            ledger_version: 1,
        }
    }
}

impl GovernanceRules {
    pub(crate) fn check(&self) -> Result<(), ParameterFault> {
        within("governance.voting_ms_max", self.voting_ms_max, SECOND_MS, VOTING_MS_MAX)?;
        within("governance.suspension_voting_ms", self.suspension_voting_ms, SECOND_MS, VOTING_MS_MAX)?;
        within("governance.probation_epochs", self.probation_epochs, 0, PROBATION_EPOCHS_MAX)?;
        within("governance.invitation_ms_max", self.invitation_ms_max, SECOND_MS, VOTING_MS_MAX)?;
        within("governance.ledger_version", self.ledger_version, 1, u64::MAX)
    }
}

impl Wire for GovernanceRules {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        out.uint(self.voting_ms_max);
        out.uint(self.suspension_voting_ms);
        out.uint(self.probation_epochs);
        out.uint(self.invitation_ms_max);
        out.uint(self.ledger_version);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            voting_ms_max: input.uint()?,
            suspension_voting_ms: input.uint()?,
            probation_epochs: input.uint()?,
            invitation_ms_max: input.uint()?,
            ledger_version: input.uint()?,
        })
    }
}

/// What a member may submit within one window.
///
/// Shape: [transactions, bytes].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quota {
    /// Transactions.
    pub transactions: u64,
    /// Bytes of transactions with their attachments.
    pub bytes: u64,
}

impl Quota {
    pub(crate) fn check(&self) -> Result<(), ParameterFault> {
        within("quota.transactions", self.transactions, QUOTA_TRANSACTIONS_MIN, u64::MAX)?;
        within("quota.bytes", self.bytes, QUOTA_BYTES_MIN, u64::MAX)
    }
}

impl Wire for Quota {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(self.transactions);
        out.uint(self.bytes);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { transactions: input.uint()?, bytes: input.uint()? })
    }
}

/// Rules of quotas.
///
/// Shape: [window (ms), quota or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QuotaRules {
    /// Length of a window; windows begin at multiples of it since 1970. Unit: ms.
    pub window_ms: u64,
    /// What each member may submit that has no quota of its own; none = without limit.
    pub member: Option<Quota>,
}

impl Default for QuotaRules {
    fn default() -> Self {
        Self { window_ms: 3_600_000, member: None }
    }
}

impl QuotaRules {
    pub(crate) fn check(&self) -> Result<(), ParameterFault> {
        within("quota.window_ms", self.window_ms, SECOND_MS, WINDOW_MS_MAX)?;
        self.member.as_ref().map_or(Ok(()), Quota::check)
    }
}

impl Wire for QuotaRules {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(self.window_ms);
        out.option(self.member.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { window_ms: input.uint()?, member: input.option()? })
    }
}

/// How long the records of a lane have to stay. The consortium's own stay for good, so that every decision
/// can be replayed from genesis.
///
/// Source: X.1409 11.2.2, A.3.
///
/// Shape: [lane, keep (ms)].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// The class of records: a lane; security audit has one for each class.
    #[serde(with = "as_text")]
    pub lane: Lane,
    /// How long after its expiry a record stays. Unit: ms.
    pub keep_ms: u64,
}

impl Wire for Retention {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.lane.encode(out);
        out.uint(self.keep_ms);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { lane: Lane::decode(input)?, keep_ms: input.uint()? })
    }
}

/// Checks that lanes ascend, none twice, and that the consortium's is not among them.
pub(crate) fn check_retention(rules: &[Retention]) -> Result<(), ParameterFault> {
    let mut before = Lane::Consortium;
    for Retention { lane, .. } in rules {
        if *lane <= before {
            return Err(ParameterFault::Retention { lane: *lane });
        }
        before = *lane;
    }
    Ok(())
}

/// Reads retention rules.
pub(crate) fn decode_retention(input: &mut Reader<'_>) -> Result<Vec<Retention>, DecodeError> {
    input.list(LANES_MAX)
}
