//! Small records of the consortium.

use serde::{Deserialize, Serialize};
use tabellion_ledger::MemberId;
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};

use crate::member::Moment;
use crate::node::NodeId;
use crate::proposal::ProposalNumber;

/// That the members stopped the ledger.
///
/// Shape: [since, proposal number].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The last block before the stop.
    pub since: Moment,
    /// The proposal that decided it.
    pub proposal: ProposalNumber,
}

impl Wire for Stop {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        self.since.encode(out);
        self.proposal.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        Ok(Self { since: Moment::decode(input)?, proposal: ProposalNumber::decode(input)? })
    }
}

/// The fact that a node voted two ways in one view; the evidence itself stands in the block.
///
/// Shape: [node id, member id, reporter, recorded, proposal number or null].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EquivocationRecord {
    /// The node.
    pub node: NodeId,
    /// The member that ran it.
    pub member: MemberId,
    /// The member that showed it.
    pub reporter: MemberId,
    /// When it was recorded.
    pub recorded: Moment,
    /// The proposal to suspend the member; none where the member is not active.
    pub proposal: Option<ProposalNumber>,
}

impl Wire for EquivocationRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(5);
        self.node.encode(out);
        self.member.encode(out);
        self.reporter.encode(out);
        self.recorded.encode(out);
        out.option(self.proposal.as_ref());
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(5)?;
        Ok(Self {
            node: NodeId::decode(input)?,
            member: MemberId::decode(input)?,
            reporter: MemberId::decode(input)?,
            recorded: Moment::decode(input)?,
            proposal: input.option()?,
        })
    }
}
