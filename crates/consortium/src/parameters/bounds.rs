//! Bounds of parameters.

use serde::Serialize;
use tabellion_ledger::Lane;
use tabellion_ledger::cbor::DecodeError;
use thiserror::Error;

use crate::text::as_text;

/// Parameters that no ledger may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Error)]
#[serde(untagged)]
pub enum ParameterFault {
    /// A number, or the length of a list, out of bounds.
    #[error("the parameter {field} is {value}; it lies within {least} and {most}")]
    Bounds {
        /// The parameter.
        field: &'static str,
        /// Its value.
        value: u64,
        /// The least value.
        least: u64,
        /// The largest value.
        most: u64,
    },
    /// A lane whose retention stands twice or out of order; or the consortium's, whose records stay for good.
    #[error("a retention of lane {lane} stands twice, out of order, or for records that stay for good")]
    Retention {
        /// The lane.
        #[serde(with = "as_text")]
        lane: Lane,
    },
}

impl From<ParameterFault> for DecodeError {
    fn from(fault: ParameterFault) -> Self {
        match fault {
            ParameterFault::Bounds { field, .. } => Self::Value { field },
            ParameterFault::Retention { .. } => Self::Value { field: "retention" },
        }
    }
}

pub(crate) fn within(field: &'static str, value: u64, least: u64, most: u64) -> Result<(), ParameterFault> {
    match (least..=most).contains(&value) {
        true => Ok(()),
        false => Err(ParameterFault::Bounds { field, value, least, most }),
    }
}

pub(crate) fn wide(value: usize) -> u64 {
    u64::try_from(value).expect("invariant: usize fits u64")
}
