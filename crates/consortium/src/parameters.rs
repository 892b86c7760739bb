//! Parameters of a ledger: what its participants agreed on.

mod block;
mod bounds;
mod certificate;
mod governance;

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{DecodeError, Reader, Wire, Writer};

pub use block::{
    BLOCK_BYTES_MIN, BlockRules, EPOCH_BLOCKS_MAX, EPOCH_BLOCKS_MIN, LIFETIME_MS_MIN, TransactionRules,
};
pub use bounds::ParameterFault;
pub(crate) use bounds::wide;
pub use certificate::{ANCHORS_MAX, CertificateAlgorithm, CertificateRules, LedgerKind, PermittedName};
pub(crate) use certificate::{decode_names, decode_policies, encode_names, encode_policies};
pub(crate) use governance::decode_retention;
pub use governance::{GovernanceRules, Quota, QuotaRules, Retention};

/// All parameters of a ledger.
///
/// Shape: [block rules, transaction rules, certificate rules, governance rules, quota rules, [retention,
/// ...]].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Parameters {
    /// Rules of blocks.
    pub block: BlockRules,
    /// Rules of transactions.
    pub transaction: TransactionRules,
    /// Rules of the certificate lane.
    pub certificate: CertificateRules,
    /// Rules of votes and nodes.
    pub governance: GovernanceRules,
    /// Rules of quotas.
    pub quota: QuotaRules,
    /// How long records stay, ascending by lane; those of a lane that is not here stay for good.
    pub retention: Vec<Retention>,
}

impl Parameters {
    /// Checks every bound that this crate knows; whether the certificate rules can be followed, the path
    /// verifier says.
    pub fn check(&self) -> Result<(), ParameterFault> {
        self.block.check()?;
        self.transaction.check()?;
        self.certificate.check()?;
        self.governance.check()?;
        self.quota.check()?;
        governance::check_retention(&self.retention)
    }
}

impl Wire for Parameters {
    fn encode(&self, out: &mut Writer) {
        out.array(6);
        self.block.encode(out);
        self.transaction.encode(out);
        self.certificate.encode(out);
        self.governance.encode(out);
        self.quota.encode(out);
        out.list(&self.retention);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(6)?;
        let parameters = Self {
            block: BlockRules::decode(input)?,
            transaction: TransactionRules::decode(input)?,
            certificate: CertificateRules::decode(input)?,
            governance: GovernanceRules::decode(input)?,
            quota: QuotaRules::decode(input)?,
            retention: decode_retention(input)?,
        };
        parameters.check()?;
        Ok(parameters)
    }
}
