//! How a change is encoded.

use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{LedgerId, MemberId, Roster};

use super::{
    AlgorithmRules, BlockLimits, CertificateLimits, Change, Der, NewMember, PolicyRules, VotingRules,
};
use crate::limits::{ANCHORS_PER_PROPOSAL_MAX, CONTACT_BYTES_MAX, DECISION_BYTES_MAX, VALID_KEYS_MAX};
use crate::link::NewLink;
use crate::member::Role;
use crate::node::NodeId;
use crate::parameters::{QuotaRules, decode_names, decode_retention, encode_names};
use crate::proposal::ProposalNumber;
use crate::quota::MemberQuota;
use crate::signing::KeyOffer;
use crate::wire::{ascending, line, prose};

impl Change {
    /// The change's number on the wire.
    fn number(&self) -> u64 {
        match self {
            Self::AddMember(_) => 0,
            Self::SuspendMember { .. } => 1,
            Self::ResumeMember { .. } => 2,
            Self::RemoveMember { .. } => 3,
            Self::ReplaceKeys { .. } => 4,
            Self::GrantRole { .. } => 5,
            Self::RevokeRole { .. } => 6,
            Self::AddValidator { .. } => 7,
            Self::ReplaceValidator { .. } => 8,
            Self::RemoveValidator { .. } => 9,
            Self::TrustedCas { .. } => 10,
            Self::Policies(_) => 11,
            Self::Algorithms(_) => 12,
            Self::Names { .. } => 13,
            Self::Blocks(_) => 14,
            Self::Transactions { .. } => 15,
            Self::CertificateLimits(_) => 16,
            Self::Retention { .. } => 17,
            Self::Quotas(_) => 18,
            Self::MemberQuota { .. } => 19,
            Self::Voting(_) => 20,
            Self::VerifierVersion { .. } => 21,
            Self::LedgerVersion { .. } => 22,
            Self::Stop => 23,
            Self::Resume => 24,
            Self::Cancel { .. } => 25,
            Self::Decision { .. } => 26,
            Self::FollowLedger(_) => 27,
            Self::UnfollowLedger { .. } => 28,
            Self::FollowAnew { .. } => 29,
            Self::Outbox { .. } => 30,
        }
    }
}

impl Wire for NewMember {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.id.encode(out);
        out.text(&self.name);
        out.text(&self.contact);
        out.list(&self.keys);
        out.list(&self.roles);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            id: MemberId::decode(input)?,
            name: line(input, "name", NAME_BYTES_MAX)?,
            contact: line(input, "contact", CONTACT_BYTES_MAX)?,
            keys: decode_keys(input)?,
            roles: ascending(input, "roles", Role::ALL.len())?,
        })
    }
}

/// One key, or the two of a rotation.
fn decode_keys(input: &mut Reader<'_>) -> Result<Vec<KeyOffer>, DecodeError> {
    let keys: Vec<KeyOffer> = input.list(VALID_KEYS_MAX)?;
    match keys.is_empty() {
        true => Err(DecodeError::Value { field: "keys" }),
        false => Ok(keys),
    }
}

/// Encodes arguments: two values.
fn pair<A: Wire, B: Wire>(out: &mut Writer, first: &A, second: &B) {
    out.array(2);
    first.encode(out);
    second.encode(out);
}

impl Wire for Change {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(self.number());
        match self {
            Self::AddMember(new) => new.encode(out),
            Self::SuspendMember { member }
            | Self::ResumeMember { member }
            | Self::RemoveMember { member } => member.encode(out),
            Self::ReplaceKeys { member, keys } => {
                out.array(2);
                member.encode(out);
                out.list(keys);
            }
            Self::GrantRole { member, role } | Self::RevokeRole { member, role } => pair(out, member, role),
            Self::AddValidator { node } | Self::RemoveValidator { node } => node.encode(out),
            Self::ReplaceValidator { old, new } => pair(out, old, new),
            Self::TrustedCas { add, remove } => {
                out.array(2);
                out.list(add);
                out.list(remove);
            }
            Self::Policies(rules) => rules.encode(out),
            Self::Algorithms(rules) => rules.encode(out),
            Self::Names { names } => encode_names(names.as_deref(), out),
            Self::Blocks(limits) => limits.encode(out),
            Self::Transactions { lifetime_ms_max } => out.uint(*lifetime_ms_max),
            Self::CertificateLimits(limits) => limits.encode(out),
            Self::Retention { lanes } => out.list(lanes),
            Self::Quotas(rules) => rules.encode(out),
            Self::MemberQuota { member, quota } => pair(out, member, quota),
            Self::Voting(rules) => rules.encode(out),
            Self::VerifierVersion { version } | Self::LedgerVersion { version } => out.uint(*version),
            Self::Stop | Self::Resume => out.null(),
            Self::Cancel { proposal } => proposal.encode(out),
            Self::Decision { text } => out.text(text),
            Self::FollowLedger(new) => new.encode(out),
            Self::UnfollowLedger { ledger } => ledger.encode(out),
            Self::FollowAnew { ledger, roster } => pair(out, ledger, roster),
            Self::Outbox { open } => out.bool(*open),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        match input.uint()? {
            0 => NewMember::decode(input).map(Self::AddMember),
            number @ 1..=6 => decode_member(number, input),
            number @ 7..=9 => decode_validator(number, input),
            number @ 10..=16 => decode_rules(number, input),
            17 => Ok(Self::Retention { lanes: decode_retention(input)? }),
            18 => QuotaRules::decode(input).map(Self::Quotas),
            19 => {
                input.array_exact(2)?;
                let member = MemberId::decode(input)?;
                Ok(Self::MemberQuota { member, quota: MemberQuota::decode(input)? })
            }
            20 => VotingRules::decode(input).map(Self::Voting),
            21 => Ok(Self::VerifierVersion { version: input.uint()? }),
            22 => Ok(Self::LedgerVersion { version: input.uint()? }),
            23 if input.null()? => Ok(Self::Stop),
            24 if input.null()? => Ok(Self::Resume),
            25 => Ok(Self::Cancel { proposal: ProposalNumber::decode(input)? }),
            26 => Ok(Self::Decision { text: prose(input, "decision", DECISION_BYTES_MAX)? }),
            27 => NewLink::decode(input).map(Self::FollowLedger),
            28 => Ok(Self::UnfollowLedger { ledger: LedgerId::decode(input)? }),
            29 => {
                input.array_exact(2)?;
                Ok(Self::FollowAnew { ledger: LedgerId::decode(input)?, roster: Roster::decode(input)? })
            }
            30 => Ok(Self::Outbox { open: input.bool()? }),
            _ => Err(DecodeError::Value { field: "change" }),
        }
    }
}

fn decode_member(number: u64, input: &mut Reader<'_>) -> Result<Change, DecodeError> {
    if (4..=6).contains(&number) {
        input.array_exact(2)?;
    }
    let member = MemberId::decode(input)?;
    Ok(match number {
        1 => Change::SuspendMember { member },
        2 => Change::ResumeMember { member },
        3 => Change::RemoveMember { member },
        4 => Change::ReplaceKeys { member, keys: decode_keys(input)? },
        5 => Change::GrantRole { member, role: Role::decode(input)? },
        _ => Change::RevokeRole { member, role: Role::decode(input)? },
    })
}

fn decode_validator(number: u64, input: &mut Reader<'_>) -> Result<Change, DecodeError> {
    Ok(match number {
        7 => Change::AddValidator { node: NodeId::decode(input)? },
        8 => {
            input.array_exact(2)?;
            Change::ReplaceValidator { old: NodeId::decode(input)?, new: NodeId::decode(input)? }
        }
        _ => Change::RemoveValidator { node: NodeId::decode(input)? },
    })
}

/// Certificates, ascending by identifier, none twice.
fn decode_certificates(input: &mut Reader<'_>) -> Result<Vec<Der>, DecodeError> {
    let certificates: Vec<Der> = input.list(ANCHORS_PER_PROPOSAL_MAX)?;
    match certificates.is_sorted_by(|before, after| before.id() < after.id()) {
        true => Ok(certificates),
        false => Err(DecodeError::Value { field: "trusted CAs" }),
    }
}

fn decode_rules(number: u64, input: &mut Reader<'_>) -> Result<Change, DecodeError> {
    Ok(match number {
        10 => {
            input.array_exact(2)?;
            let add = decode_certificates(input)?;
            let remove = ascending(input, "trusted CAs", ANCHORS_PER_PROPOSAL_MAX)?;
            Change::TrustedCas { add, remove }
        }
        11 => Change::Policies(PolicyRules::decode(input)?),
        12 => Change::Algorithms(AlgorithmRules::decode(input)?),
        13 => Change::Names { names: decode_names(input)? },
        14 => Change::Blocks(BlockLimits::decode(input)?),
        15 => Change::Transactions { lifetime_ms_max: input.uint()? },
        _ => Change::CertificateLimits(CertificateLimits::decode(input)?),
    })
}
