//! Proposals, ballots and how they are counted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{Hash, Height, KeyId, MemberId, TimeMs, sha256};

use crate::change::Change;
use crate::limits::{
    AGENDA_MAX, BALLOT_REASON_BYTES_MAX, CODE_BYTES_MAX, MEMBERS_EVER_MAX, REASON_BYTES_MAX,
};
use crate::member::{Members, Moment};
use crate::wire::one_of;

/// A proposal's number on its ledger, from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ProposalNumber(pub u64);

impl fmt::Display for ProposalNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Wire for ProposalNumber {
    fn encode(&self, out: &mut Writer) {
        out.uint(self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.uint().map(Self)
    }
}

/// A vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Choice {
    /// For the proposal.
    For,
    /// Against it.
    Against,
}

impl Choice {
    /// The choice's word.
    pub fn name(self) -> &'static str {
        match self {
            Self::For => "for",
            Self::Against => "against",
        }
    }
}

impl FromStr for Choice {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        match text {
            "for" => Ok(Self::For),
            "against" => Ok(Self::Against),
            _ => Err(DecodeError::Value { field: "choice" }),
        }
    }
}

impl Wire for Choice {
    fn encode(&self, out: &mut Writer) {
        out.uint(match self {
            Self::For => 0,
            Self::Against => 1,
        });
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        one_of(input, "choice", &[(0, Self::For), (1, Self::Against)])
    }
}

/// A ballot as it stands on the ledger.
///
/// Shape: [member id, choice, reason, key id, moment].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CastBallot {
    /// Who voted.
    pub member: MemberId,
    /// How.
    pub choice: Choice,
    /// Why, for people.
    pub reason: String,
    /// The key that signed the ballot.
    pub key: KeyId,
    /// When it was recorded.
    pub cast: Moment,
}

impl Wire for CastBallot {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.member.encode(out);
        self.choice.encode(out);
        out.text(&self.reason);
        self.key.encode(out);
        self.cast.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            member: MemberId::decode(input)?,
            choice: Choice::decode(input)?,
            reason: input.text(BALLOT_REASON_BYTES_MAX)?.to_owned(),
            key: KeyId::decode(input)?,
            cast: Moment::decode(input)?,
        })
    }
}

/// A count of ballots.
///
/// Shape: [for, against, active members].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Members that are active now and voted for.
    #[serde(rename = "for")]
    pub votes_for: u64,
    /// Members that are active now and voted against.
    #[serde(rename = "against")]
    pub votes_against: u64,
    /// Members that are active now.
    pub active: u64,
}

/// What a count says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The ballots that may still come decide.
    Undecided,
    /// Enough members are for it.
    Accepted,
    /// Too few are left that could be for it.
    Rejected,
}

impl Tally {
    /// Counts the ballots of the members that are active now: one organisation, one vote, however many nodes
    /// and keys it has. Ballots of members that are not active any more do not count.
    ///
    /// Source: X.1409 L9, IV.1, V.1.
    pub fn of(ballots: &[CastBallot], members: &Members) -> Self {
        let count = |choice| {
            let counts = |ballot: &&CastBallot| ballot.choice == choice && members.is_active(&ballot.member);
            ballots.iter().filter(counts).fold(0, |count, _| count + 1)
        };
        Self {
            votes_for: count(Choice::For),
            votes_against: count(Choice::Against),
            active: crate::parameters::wide(members.active()),
        }
    }

    /// Ballots for a proposal that accept it: floor(2n/3) + 1 of n active members, as the quorum of
    /// validators.
    pub fn threshold(&self) -> u64 {
        self.active * 2 / 3 + 1
    }

    /// What the count says.
    pub fn verdict(&self) -> Verdict {
        if self.votes_for >= self.threshold() {
            Verdict::Accepted
        } else if self.active - self.votes_against < self.threshold() {
            Verdict::Rejected
        } else {
            Verdict::Undecided
        }
    }
}

impl Wire for Tally {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        out.uint(self.votes_for);
        out.uint(self.votes_against);
        out.uint(self.active);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self { votes_for: input.uint()?, votes_against: input.uint()?, active: input.uint()? })
    }
}

/// That and when a proposal was accepted.
///
/// Shape: [moment, effect height, tally].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// When.
    pub accepted: Moment,
    /// The first block under the new rules.
    pub effect: Height,
    /// The count that accepted it.
    pub tally: Tally,
}

impl Wire for Acceptance {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.accepted.encode(out);
        self.effect.encode(out);
        self.tally.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            accepted: Moment::decode(input)?,
            effect: Height::decode(input)?,
            tally: Tally::decode(input)?,
        })
    }
}

/// Where a proposal stands.
///
/// Shape: [number, detail]; the detail is the refusal's code (4), the cancelling proposal (8), else null.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "kebab-case")]
pub enum ProposalStatus {
    /// Members vote. Number 0.
    Open,
    /// Accepted; it waits for its height. Number 1.
    Accepted,
    /// In the height's turn; a change of the roster waits for the end of the epoch. Number 2.
    Pending,
    /// In force. Number 3.
    Executed,
    /// Accepted, but impossible when its turn came; nothing changed. Number 4.
    Failed {
        /// The refusal's code.
        code: String,
    },
    /// So many are against it that it cannot pass. Number 5.
    Rejected,
    /// Its deadline went by. Number 6.
    Expired,
    /// Its proposer took it back. Number 7.
    Withdrawn,
    /// Another proposal undid it before its turn. Number 8.
    Cancelled {
        /// That proposal.
        by: ProposalNumber,
    },
}

impl ProposalStatus {
    /// The status in answers and on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Pending => "pending",
            Self::Executed => "executed",
            Self::Failed { .. } => "failed",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Cancelled { .. } => "cancelled",
        }
    }
}

impl Wire for ProposalStatus {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        let number = match self {
            Self::Open => 0,
            Self::Accepted => 1,
            Self::Pending => 2,
            Self::Executed => 3,
            Self::Failed { .. } => 4,
            Self::Rejected => 5,
            Self::Expired => 6,
            Self::Withdrawn => 7,
            Self::Cancelled { .. } => 8,
        };
        out.uint(number);
        match self {
            Self::Failed { code } => out.text(code),
            Self::Cancelled { by } => by.encode(out),
            _ => out.null(),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let plain = match input.uint()? {
            4 => return Ok(Self::Failed { code: input.text(CODE_BYTES_MAX)?.to_owned() }),
            8 => return Ok(Self::Cancelled { by: ProposalNumber::decode(input)? }),
            0 => Self::Open,
            1 => Self::Accepted,
            2 => Self::Pending,
            3 => Self::Executed,
            5 => Self::Rejected,
            6 => Self::Expired,
            7 => Self::Withdrawn,
            _ => return Err(DecodeError::Value { field: "proposal status" }),
        };
        if input.null()? { Ok(plain) } else { Err(DecodeError::Value { field: "proposal status" }) }
    }
}

/// A proposal, with all that was said about it.
///
/// Shape: [number, proposer or null, change, reason, deadline (ms), effect height, opened, [ballot, ...],
/// acceptance or null, status].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its number.
    pub number: ProposalNumber,
    /// The member that made it; none: the ledger itself, upon evidence.
    pub proposer: Option<MemberId>,
    /// What it would change.
    pub change: Change,
    /// Why, for people.
    pub reason: String,
    /// The last moment at which ballots count.
    pub deadline: TimeMs,
    /// The first block that shall run under the new rules; where it is past when the proposal is accepted,
    /// the next one.
    pub effect: Height,
    /// When it was recorded.
    pub opened: Moment,
    /// The ballots, in the order in which they came; the proposer's is the first.
    pub ballots: Vec<CastBallot>,
    /// That and when it was accepted.
    pub acceptance: Option<Acceptance>,
    /// Where it stands.
    #[serde(flatten)]
    pub status: ProposalStatus,
}

impl Proposal {
    /// What a ballot commits to: the hash of everything in the proposal that a voter decides on.
    ///
    /// Shape: H([number, proposer or null, change, reason, deadline (ms), effect height]).
    pub fn hash(&self) -> Hash {
        let mut out = Writer::default();
        out.array(6);
        self.encode_head(&mut out);
        Hash(sha256(&out.into_bytes()))
    }

    fn encode_head(&self, out: &mut Writer) {
        self.number.encode(out);
        out.option(self.proposer.as_ref());
        self.change.encode(out);
        out.text(&self.reason);
        self.deadline.encode(out);
        self.effect.encode(out);
    }
}

impl Wire for Proposal {
    fn encode(&self, out: &mut Writer) {
        out.array(10);
        self.encode_head(out);
        self.opened.encode(out);
        out.list(&self.ballots);
        out.option(self.acceptance.as_ref());
        self.status.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(10)?;
        Ok(Self {
            number: ProposalNumber::decode(input)?,
            proposer: input.option()?,
            change: Change::decode(input)?,
            reason: input.text(REASON_BYTES_MAX)?.to_owned(),
            deadline: TimeMs::decode(input)?,
            effect: Height::decode(input)?,
            opened: Moment::decode(input)?,
            ballots: input.list(MEMBERS_EVER_MAX)?,
            acceptance: input.option()?,
            status: ProposalStatus::decode(input)?,
        })
    }
}

/// An open proposal on the agenda.
///
/// Shape: [number, proposer or null, deadline (ms)].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenProposal {
    /// The proposal.
    pub number: ProposalNumber,
    /// Who made it; none: the ledger itself.
    pub proposer: Option<MemberId>,
    /// The last moment at which ballots count.
    pub deadline: TimeMs,
}

impl Wire for OpenProposal {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.number.encode(out);
        out.option(self.proposer.as_ref());
        self.deadline.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            number: ProposalNumber::decode(input)?,
            proposer: input.option()?,
            deadline: TimeMs::decode(input)?,
        })
    }
}

/// An accepted proposal on the agenda.
///
/// Shape: [effect height, number, proposer or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptedProposal {
    /// The first block under the new rules.
    pub effect: Height,
    /// The proposal.
    pub number: ProposalNumber,
    /// Who made it; none: the ledger itself.
    pub proposer: Option<MemberId>,
}

impl Wire for AcceptedProposal {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.effect.encode(out);
        self.number.encode(out);
        out.option(self.proposer.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            effect: Height::decode(input)?,
            number: ProposalNumber::decode(input)?,
            proposer: input.option()?,
        })
    }
}

/// What is undecided or waits for its height, so that the end of a block finds it without a search.
///
/// Shape: [next number, [open proposal, ...], [accepted proposal, ...]], by number and by height and number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agenda {
    /// The number of the next proposal.
    pub next: ProposalNumber,
    /// Open proposals.
    pub open: Vec<OpenProposal>,
    /// Accepted proposals that wait for their height.
    pub accepted: Vec<AcceptedProposal>,
}

impl Default for Agenda {
    fn default() -> Self {
        Self { next: ProposalNumber(1), open: Vec::new(), accepted: Vec::new() }
    }
}

impl Agenda {
    /// The proposers of all entries.
    pub(crate) fn proposers(&self) -> impl Iterator<Item = &MemberId> {
        let open = self.open.iter().filter_map(|entry| entry.proposer.as_ref());
        open.chain(self.accepted.iter().filter_map(|entry| entry.proposer.as_ref()))
    }

    /// Takes a proposal off.
    pub(crate) fn remove(&mut self, number: ProposalNumber) {
        self.open.retain(|entry| entry.number != number);
        self.accepted.retain(|entry| entry.number != number);
    }

    /// Moves an open proposal to the accepted ones.
    pub(crate) fn accept(&mut self, proposal: &Proposal, effect: Height) {
        self.remove(proposal.number);
        let entry = AcceptedProposal { effect, number: proposal.number, proposer: proposal.proposer.clone() };
        let order = |entry: &AcceptedProposal| (entry.effect, entry.number);
        let place = self.accepted.partition_point(|other| order(other) < order(&entry));
        self.accepted.insert(place, entry);
    }
}

impl Wire for Agenda {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.next.encode(out);
        out.list(&self.open);
        out.list(&self.accepted);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            next: ProposalNumber::decode(input)?,
            open: input.list(AGENDA_MAX)?,
            accepted: input.list(AGENDA_MAX)?,
        })
    }
}
