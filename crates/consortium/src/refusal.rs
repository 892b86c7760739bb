//! Why a submitter may not act.

use std::fmt;

use serde::Serialize;
use tabellion_ledger::{Algorithm, KeyId, MemberId};

use crate::member::Role;

/// A refusal by the consortium's rules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum Refusal {
    /// No member signs with this key.
    UnknownSubmitter {
        /// The key that the transaction names.
        key: KeyId,
    },
    /// The ledger does not accept this signature algorithm.
    AlgorithmNotAccepted {
        /// The algorithm.
        algorithm: Algorithm,
    },
    /// The member has none of the roles that the action asks for.
    MissingRole {
        /// The member.
        member: MemberId,
        /// Roles of which one is needed.
        needed: Vec<Role>,
    },
}

impl Refusal {
    /// The refusal's stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownSubmitter { .. } => "unknown-submitter",
            Self::AlgorithmNotAccepted { .. } => "algorithm-not-accepted",
            Self::MissingRole { .. } => "missing-role",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownSubmitter { key } => write!(f, "no member of this ledger signs with key {key}"),
            Self::AlgorithmNotAccepted { algorithm } => {
                write!(f, "this ledger does not accept {algorithm} signatures")
            }
            Self::MissingRole { member, needed } => {
                let names: Vec<_> = needed.iter().map(|role| role.name()).collect();
                write!(f, "member {member} has no role that allows this; needed: {}", names.join(" or "))
            }
        }
    }
}

impl std::error::Error for Refusal {}
