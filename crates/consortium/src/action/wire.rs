//! How an action is encoded.

use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};
use tabellion_ledger::limits::NAME_BYTES_MAX;
use tabellion_ledger::{Equivocation, Hash, Height, KeyId, TimeMs};

use super::{Action, ActionKind, Ballot, Invite, Join, NewAccount, Proposed, Rotation};
use crate::account::AccountName;
use crate::change::Change;
use crate::committee::Boundary;
use crate::limits::{
    ABOUT_BYTES_MAX, BALLOT_REASON_BYTES_MAX, CONTACT_BYTES_MAX, REASON_BYTES_MAX, VALID_KEYS_MAX,
};
use crate::member::Role;
use crate::node::{NodeId, NodeRole};
use crate::proposal::{Choice, ProposalNumber};
use crate::signing::{KeyOffer, NodeKey};
use crate::wire::{address, ascending, line, prose, signature_of};

impl Wire for Proposed {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.change.encode(out);
        out.text(&self.reason);
        self.deadline.encode(out);
        self.effect.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            change: Change::decode(input)?,
            reason: prose(input, "reason", REASON_BYTES_MAX)?,
            deadline: TimeMs::decode(input)?,
            effect: Height::decode(input)?,
        })
    }
}

impl Wire for Ballot {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.proposal.encode(out);
        self.hash.encode(out);
        self.choice.encode(out);
        out.text(&self.reason);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            proposal: ProposalNumber::decode(input)?,
            hash: Hash::decode(input)?,
            choice: Choice::decode(input)?,
            reason: prose(input, "reason", BALLOT_REASON_BYTES_MAX)?,
        })
    }
}

impl Wire for ActionKind {
    fn encode(&self, out: &mut Writer) {
        let place = Self::ALL.iter().position(|kind| kind == self);
        let place = place.expect("invariant: ALL holds every kind");
        out.uint(u64::try_from(place).expect("invariant: usize fits u64"));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let place = usize::from(input.u16("action of the consortium lane")?);
        let unknown = DecodeError::Value { field: "action of the consortium lane" };
        Self::ALL.get(place).copied().ok_or(unknown)
    }
}

impl Wire for NewAccount {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.name.encode(out);
        out.text(&self.about);
        out.list(&self.keys);
        out.list(&self.roles);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            name: AccountName::decode(input)?,
            about: line(input, "about", ABOUT_BYTES_MAX)?,
            keys: input.list(VALID_KEYS_MAX)?,
            roles: ascending(input, "roles", Role::ALL.len())?,
        })
    }
}

impl Wire for Invite {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        self.key.encode(out);
        self.role.encode(out);
        out.text(&self.name);
        self.expires.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            key: NodeKey::decode(input)?,
            role: NodeRole::decode(input)?,
            name: line(input, "name", NAME_BYTES_MAX)?,
            expires: TimeMs::decode(input)?,
        })
    }
}

impl Wire for Join {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.key.encode(out);
        out.text(&self.address);
        out.bytes(&self.possession.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        let key = NodeKey::decode(input)?;
        let address = address(input)?;
        Ok(Self { key, address, possession: signature_of(&key.public(), input)? })
    }
}

impl Wire for Rotation {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.node.encode(out);
        self.present.encode(out);
        self.key.encode(out);
        out.bytes(&self.possession.0);
        out.bytes(&self.consent.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        let node = NodeId::decode(input)?;
        let (present, key) = (NodeKey::decode(input)?, NodeKey::decode(input)?);
        let possession = signature_of(&key.public(), input)?;
        let consent = signature_of(&present.public(), input)?;
        Ok(Self { node, present, key, possession, consent })
    }
}

fn pair<A: Wire, B: Wire>(out: &mut Writer, first: &A, second: &B) {
    out.array(2);
    first.encode(out);
    second.encode(out);
}

impl Wire for Action {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.kind().encode(out);
        match self {
            Self::AddKey(offer) => offer.encode(out),
            Self::RetireKey { key } => key.encode(out),
            Self::Describe { name, contact } => {
                out.array(2);
                out.text(name);
                out.text(contact);
            }
            Self::OpenAccount(new) => new.encode(out),
            Self::DescribeAccount { name, about } => {
                out.array(2);
                name.encode(out);
                out.text(about);
            }
            Self::CloseAccount { name } => name.encode(out),
            Self::AddAccountKey { name, key } => pair(out, name, key),
            Self::RetireAccountKey { name, key } => pair(out, name, key),
            Self::GrantAccountRole { name, role } | Self::RevokeAccountRole { name, role } => {
                pair(out, name, role);
            }
            Self::Propose(proposed) => proposed.encode(out),
            Self::Vote(ballot) => ballot.encode(out),
            Self::Withdraw { proposal } => proposal.encode(out),
            Self::Invite(invite) => invite.encode(out),
            Self::CancelInvitation { invitation } => invitation.encode(out),
            Self::Join(join) => join.encode(out),
            Self::RemoveNode { node } => node.encode(out),
            Self::RotateNode(rotation) => rotation.encode(out),
            Self::SetAddress { address } => out.text(address),
            Self::Report(boundary) => boundary.encode(out),
            Self::Accuse(evidence) => evidence.encode(out),
        }
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(match ActionKind::decode(input)? {
            ActionKind::AddKey => Self::AddKey(KeyOffer::decode(input)?),
            ActionKind::RetireKey => Self::RetireKey { key: KeyId::decode(input)? },
            ActionKind::Describe => {
                input.array_exact(2)?;
                let name = line(input, "name", NAME_BYTES_MAX)?;
                Self::Describe { name, contact: line(input, "contact", CONTACT_BYTES_MAX)? }
            }
            ActionKind::OpenAccount => Self::OpenAccount(NewAccount::decode(input)?),
            ActionKind::DescribeAccount => {
                let name = account_of_two(input)?;
                Self::DescribeAccount { name, about: line(input, "about", ABOUT_BYTES_MAX)? }
            }
            ActionKind::CloseAccount => Self::CloseAccount { name: AccountName::decode(input)? },
            ActionKind::AddAccountKey => {
                Self::AddAccountKey { name: account_of_two(input)?, key: KeyOffer::decode(input)? }
            }
            ActionKind::RetireAccountKey => {
                Self::RetireAccountKey { name: account_of_two(input)?, key: KeyId::decode(input)? }
            }
            ActionKind::GrantAccountRole => {
                Self::GrantAccountRole { name: account_of_two(input)?, role: Role::decode(input)? }
            }
            ActionKind::RevokeAccountRole => {
                Self::RevokeAccountRole { name: account_of_two(input)?, role: Role::decode(input)? }
            }
            ActionKind::Propose => Self::Propose(Proposed::decode(input)?),
            ActionKind::Vote => Self::Vote(Ballot::decode(input)?),
            ActionKind::Withdraw => Self::Withdraw { proposal: ProposalNumber::decode(input)? },
            ActionKind::Invite => Self::Invite(Invite::decode(input)?),
            ActionKind::CancelInvitation => Self::CancelInvitation { invitation: KeyId::decode(input)? },
            ActionKind::Join => Self::Join(Join::decode(input)?),
            ActionKind::RemoveNode => Self::RemoveNode { node: NodeId::decode(input)? },
            ActionKind::RotateNode => Self::RotateNode(Rotation::decode(input)?),
            ActionKind::SetAddress => Self::SetAddress { address: address(input)? },
            ActionKind::Report => Self::Report(Boundary::decode(input)?),
            ActionKind::Accuse => Self::Accuse(Equivocation::decode(input)?),
        })
    }
}

/// The account of an action with two arguments, of which it is the first.
fn account_of_two(input: &mut Reader<'_>) -> Result<AccountName, DecodeError> {
    input.array_exact(2)?;
    AccountName::decode(input)
}
