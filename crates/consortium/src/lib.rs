//! Members, roles and parameters: the rules that several participants make (X.1409 clause 7, L9).
//!
//! Purpose: the genesis document, the records of members, keys, roster and parameters in the state, and the
//! question whether a submitter may act.
//!
//! Absent: proposals, votes and changes of the roster; a ledger keeps the members and parameters of its
//! genesis.
//!
//! ```text
//! Genesis --hash--> LedgerId
//!    `--writes--> member/<id>, key/<key id>, roster, parameters, anchor/<id>  <--reads-- submitter(), parameters()
//! ```
mod genesis;
mod key;
mod member;
mod parameters;
mod refusal;
mod view;

pub use genesis::{GENESIS_BYTES_MAX, Genesis, GenesisFault, GenesisMember, GenesisValidator};
pub use key::{anchor_key, key_key, member_key, parameters_key, roster_key};
pub use member::{KeyRecord, Member, Role};
pub use parameters::{
    ANCHORS_MAX, BlockRules, CertificateAlgorithm, CertificateRules, LedgerKind, Parameters, PermittedName,
    TransactionRules,
};
pub use refusal::Refusal;
pub use view::{Submitter, anchor, parameters, roster, submitter};

#[cfg(test)]
mod tests;
