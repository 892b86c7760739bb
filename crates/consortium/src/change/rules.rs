//! Groups of parameters that one proposal sets together.

use serde::{Deserialize, Serialize};
use tabellion_ledger::Algorithm;
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};

use crate::parameters::{
    BlockRules, CertificateAlgorithm, CertificateRules, Parameters, decode_policies, encode_policies,
};
use crate::wire::ascending;

/// Which certificate policies are acceptable (X.509 10.1).
///
/// Shape: [[policy OID, ...], explicit policy, inhibit mapping, inhibit any-policy].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyRules {
    /// Acceptable certificate policies as dotted OIDs; empty = any policy.
    pub policies: Vec<String>,
    /// Whether every path must have a valid policy.
    pub explicit_policy: bool,
    /// X.509 initial-policy-mapping-inhibit.
    pub inhibit_policy_mapping: bool,
    /// X.509 initial-inhibit-any-policy.
    pub inhibit_any_policy: bool,
}

impl PolicyRules {
    /// The rules in force.
    pub fn of(rules: &CertificateRules) -> Self {
        Self {
            policies: rules.policies.clone(),
            explicit_policy: rules.explicit_policy,
            inhibit_policy_mapping: rules.inhibit_policy_mapping,
            inhibit_any_policy: rules.inhibit_any_policy,
        }
    }

    pub(crate) fn set(&self, rules: &mut CertificateRules) {
        rules.policies.clone_from(&self.policies);
        rules.explicit_policy = self.explicit_policy;
        rules.inhibit_policy_mapping = self.inhibit_policy_mapping;
        rules.inhibit_any_policy = self.inhibit_any_policy;
    }
}

impl Wire for PolicyRules {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        encode_policies(&self.policies, out);
        out.bool(self.explicit_policy);
        out.bool(self.inhibit_policy_mapping);
        out.bool(self.inhibit_any_policy);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            policies: decode_policies(input)?,
            explicit_policy: input.bool()?,
            inhibit_policy_mapping: input.bool()?,
            inhibit_any_policy: input.bool()?,
        })
    }
}

/// Which algorithms are accepted: for transactions, and for the keys of certificates.
///
/// Shape: [[signature algorithm, ...], [certificate algorithm, ...], RSA bits least, RSA bits most], both
/// lists ascending.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlgorithmRules {
    /// Signature algorithms of transactions.
    pub transaction: Vec<Algorithm>,
    /// Key algorithms of certificates.
    pub certificate: Vec<CertificateAlgorithm>,
    /// Least RSA modulus. Unit: bits.
    pub rsa_bits_min: u32,
    /// Largest RSA modulus. Unit: bits.
    pub rsa_bits_max: u32,
}

impl AlgorithmRules {
    /// The rules in force.
    pub fn of(parameters: &Parameters) -> Self {
        Self {
            transaction: parameters.transaction.algorithms.clone(),
            certificate: parameters.certificate.algorithms.clone(),
            rsa_bits_min: parameters.certificate.rsa_bits_min,
            rsa_bits_max: parameters.certificate.rsa_bits_max,
        }
    }

    pub(crate) fn set(&self, parameters: &mut Parameters) {
        parameters.transaction.algorithms.clone_from(&self.transaction);
        parameters.certificate.algorithms.clone_from(&self.certificate);
        parameters.certificate.rsa_bits_min = self.rsa_bits_min;
        parameters.certificate.rsa_bits_max = self.rsa_bits_max;
    }
}

impl Wire for AlgorithmRules {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        out.list(&self.transaction);
        out.list(&self.certificate);
        out.uint(u64::from(self.rsa_bits_min));
        out.uint(u64::from(self.rsa_bits_max));
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            transaction: ascending(input, "algorithms", Algorithm::ALL.len())?,
            certificate: ascending(input, "certificate algorithms", CertificateAlgorithm::ALL.len())?,
            rsa_bits_min: input.u32("rsa_bits_min")?,
            rsa_bits_max: input.u32("rsa_bits_max")?,
        })
    }
}

/// How often blocks are made and how large they are.
///
/// Shape: [heartbeat (ms), gather (ms), block bytes, block transactions].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockLimits {
    /// An empty block is made when this long none was. Unit: ms; 0 = never.
    pub heartbeat_ms: u64,
    /// A proposer gathers requests for this long. Unit: ms.
    pub gather_ms: u64,
    /// Bytes of a block.
    pub block_bytes_max: u64,
    /// Transactions of a block.
    pub block_transactions_max: u64,
}

impl BlockLimits {
    /// The limits in force.
    pub fn of(rules: &BlockRules) -> Self {
        Self {
            heartbeat_ms: rules.heartbeat_ms,
            gather_ms: rules.gather_ms,
            block_bytes_max: rules.block_bytes_max,
            block_transactions_max: rules.block_transactions_max,
        }
    }

    pub(crate) fn set(&self, rules: &mut BlockRules) {
        rules.heartbeat_ms = self.heartbeat_ms;
        rules.gather_ms = self.gather_ms;
        rules.block_bytes_max = self.block_bytes_max;
        rules.block_transactions_max = self.block_transactions_max;
    }
}

impl Wire for BlockLimits {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        out.uint(self.heartbeat_ms);
        out.uint(self.gather_ms);
        out.uint(self.block_bytes_max);
        out.uint(self.block_transactions_max);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            heartbeat_ms: input.uint()?,
            gather_ms: input.uint()?,
            block_bytes_max: input.uint()?,
            block_transactions_max: input.uint()?,
        })
    }
}

/// How strictly certificates are read, and how large they may be.
///
/// Shape: [strict, underscores, certificate bytes, intermediates, alternative names, schedule ahead (ms),
/// age of evidence (ms)].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CertificateLimits {
    /// Whether the rules of RFC 5280 clause 4 that bind the issuing CA are checked too.
    pub strict: bool,
    /// Whether DNS names may hold underscores.
    pub underscore_in_dns_names: bool,
    /// Bytes of one certificate.
    pub certificate_bytes_max: u32,
    /// Intermediate certificates of one chain.
    pub intermediates_max: u32,
    /// Alternative names of one certificate.
    pub names_max: u32,
    /// How far ahead a publication may be scheduled. Unit: ms.
    pub schedule_ahead_ms_max: u64,
    /// How old a CA's feedback may be when a status change rests on it. Unit: ms.
    pub evidence_age_ms_max: u64,
}

impl CertificateLimits {
    /// The limits in force.
    pub fn of(rules: &CertificateRules) -> Self {
        Self {
            strict: rules.strict,
            underscore_in_dns_names: rules.underscore_in_dns_names,
            certificate_bytes_max: rules.certificate_bytes_max,
            intermediates_max: rules.intermediates_max,
            names_max: rules.names_max,
            schedule_ahead_ms_max: rules.schedule_ahead_ms_max,
            evidence_age_ms_max: rules.evidence_age_ms_max,
        }
    }

    pub(crate) fn set(&self, rules: &mut CertificateRules) {
        rules.strict = self.strict;
        rules.underscore_in_dns_names = self.underscore_in_dns_names;
        rules.certificate_bytes_max = self.certificate_bytes_max;
        rules.intermediates_max = self.intermediates_max;
        rules.names_max = self.names_max;
        rules.schedule_ahead_ms_max = self.schedule_ahead_ms_max;
        rules.evidence_age_ms_max = self.evidence_age_ms_max;
    }
}

impl Wire for CertificateLimits {
    fn encode(&self, out: &mut Writer) {
        out.array(7);
        out.bool(self.strict);
        out.bool(self.underscore_in_dns_names);
        out.uint(u64::from(self.certificate_bytes_max));
        out.uint(u64::from(self.intermediates_max));
        out.uint(u64::from(self.names_max));
        out.uint(self.schedule_ahead_ms_max);
        out.uint(self.evidence_age_ms_max);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(7)?;
        Ok(Self {
            strict: input.bool()?,
            underscore_in_dns_names: input.bool()?,
            certificate_bytes_max: input.u32("certificate_bytes_max")?,
            intermediates_max: input.u32("intermediates_max")?,
            names_max: input.u32("names_max")?,
            schedule_ahead_ms_max: input.uint()?,
            evidence_age_ms_max: input.uint()?,
        })
    }
}

/// Rules of votes and nodes; the ledger's version is a change of its own.
///
/// Shape: [voting (ms), voting on a suspension (ms), probation (epochs), invitation (ms)].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VotingRules {
    /// How far ahead the deadline of a proposal may lie. Unit: ms.
    pub voting_ms_max: u64,
    /// How long members vote on a suspension upon evidence. Unit: ms.
    pub suspension_voting_ms: u64,
    /// Epochs in a row that a node reports as healthy before it may become a validator.
    pub probation_epochs: u64,
    /// How long an invitation may wait for its node. Unit: ms.
    pub invitation_ms_max: u64,
}

impl VotingRules {
    /// The rules in force.
    pub fn of(parameters: &Parameters) -> Self {
        let rules = &parameters.governance;
        Self {
            voting_ms_max: rules.voting_ms_max,
            suspension_voting_ms: rules.suspension_voting_ms,
            probation_epochs: rules.probation_epochs,
            invitation_ms_max: rules.invitation_ms_max,
        }
    }

    pub(crate) fn set(&self, parameters: &mut Parameters) {
        let rules = &mut parameters.governance;
        rules.voting_ms_max = self.voting_ms_max;
        rules.suspension_voting_ms = self.suspension_voting_ms;
        rules.probation_epochs = self.probation_epochs;
        rules.invitation_ms_max = self.invitation_ms_max;
    }
}

impl Wire for VotingRules {
    fn encode(&self, out: &mut Writer) {
        out.array(4);
        out.uint(self.voting_ms_max);
        out.uint(self.suspension_voting_ms);
        out.uint(self.probation_epochs);
        out.uint(self.invitation_ms_max);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(4)?;
        Ok(Self {
            voting_ms_max: input.uint()?,
            suspension_voting_ms: input.uint()?,
            probation_epochs: input.uint()?,
            invitation_ms_max: input.uint()?,
        })
    }
}
