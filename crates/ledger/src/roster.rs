//! The roster: the validators whose quorum finalises blocks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::cbor::{self, DecodeError, Reader, Wire, Writer};
use crate::id::{KeyId, RosterHash};
use crate::limits::{NAME_BYTES_MAX, VALIDATORS_MAX};
use crate::signature::{Algorithm, PublicKey};

/// A member's name for good: 1 to 32 characters of `a-z 0-9 -`, chosen when it joins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MemberId(String);

impl MemberId {
    /// Characters at most.
    pub const LENGTH_MAX: usize = 32;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MemberId {
    type Err = RosterFault;

    fn from_str(text: &str) -> Result<Self, RosterFault> {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match (1..=Self::LENGTH_MAX).contains(&text.len()) && text.bytes().all(allowed) {
            true => Ok(Self(text.to_owned())),
            false => Err(RosterFault::MemberId { text: text.chars().take(64).collect() }),
        }
    }
}

impl TryFrom<String> for MemberId {
    type Error = RosterFault;

    fn try_from(text: String) -> Result<Self, RosterFault> {
        text.parse()
    }
}

impl From<MemberId> for String {
    fn from(id: MemberId) -> Self {
        id.0
    }
}

impl fmt::Display for MemberId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Wire for MemberId {
    fn encode(&self, out: &mut Writer) {
        out.text(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.text(Self::LENGTH_MAX)?.parse().map_err(|_| DecodeError::Value { field: "member id" })
    }
}

/// A validator node of the roster.
///
/// Shape: [Ed25519 key (32 bytes), member id, name].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Validator {
    /// The raw Ed25519 key that signs votes and identifies the node on the wire.
    pub key: [u8; 32],
    /// The organisation that runs the node.
    pub member: MemberId,
    /// The node's name, for people.
    pub name: String,
}

impl Validator {
    /// The key's identifier.
    pub fn key_id(&self) -> KeyId {
        PublicKey::new(Algorithm::Ed25519, &self.key).expect("invariant: 32 bytes are an Ed25519 key").id()
    }
}

impl Wire for Validator {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        out.bytes(&self.key);
        self.member.encode(out);
        out.text(&self.name);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            key: input.bytes_exact()?,
            member: MemberId::decode(input)?,
            name: input.text(NAME_BYTES_MAX)?.to_owned(),
        })
    }
}

/// What makes a roster or a name in it invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RosterFault {
    /// No validators, or more than the format allows.
    Size {
        /// Validators found.
        found: usize,
    },
    /// The same key twice, or keys out of order.
    KeyOrder {
        /// Place of the second key.
        index: usize,
    },
    /// A text that is no member id.
    MemberId {
        /// The text.
        text: String,
    },
}

impl fmt::Display for RosterFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { found } => write!(f, "{found} validators; a roster has 1 to {VALIDATORS_MAX}"),
            Self::KeyOrder { index } => write!(f, "the key of validator {index} is not above the one before"),
            Self::MemberId { text } => write!(f, "'{text}' is no member id (1 to 32 of a-z, 0-9 and -)"),
        }
    }
}

impl std::error::Error for RosterFault {}

/// The validators, ascending by key; a validator's place is its index in votes and headers.
///
/// Shape: [number, [validator, ...]].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Roster {
    number: u64,
    validators: Vec<Validator>,
}

impl Roster {
    /// A roster; the validators may come in any order.
    ///
    /// Refuses: no validators, more than [`VALIDATORS_MAX`], a key twice.
    pub fn new(number: u64, mut validators: Vec<Validator>) -> Result<Self, RosterFault> {
        validators.sort_by_key(|validator| validator.key);
        let roster = Self { number, validators };
        roster.check()?;
        Ok(roster)
    }

    fn check(&self) -> Result<(), RosterFault> {
        let found = self.validators.len();
        if !(1..=VALIDATORS_MAX).contains(&found) {
            return Err(RosterFault::Size { found });
        }
        match self.validators.windows(2).position(|pair| pair[0].key >= pair[1].key) {
            Some(index) => Err(RosterFault::KeyOrder { index: index + 1 }),
            None => Ok(()),
        }
    }

    /// Changes of the roster since genesis, whose roster has number 0.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The validators, ascending by key.
    pub fn validators(&self) -> &[Validator] {
        &self.validators
    }

    /// The place of the validator with this key.
    pub fn index_of(&self, key: &[u8; 32]) -> Option<u16> {
        let index = self.validators.binary_search_by_key(key, |validator| validator.key).ok()?;
        u16::try_from(index).ok()
    }

    /// Signatures that finalise a block: floor(2n/3) + 1, so that two quorums share an honest validator.
    pub fn quorum(&self) -> usize {
        self.validators.len() * 2 / 3 + 1
    }

    /// The roster's hash, which headers carry.
    pub fn hash(&self) -> RosterHash {
        RosterHash::of(&cbor::to_bytes(self))
    }
}

impl Wire for Roster {
    fn encode(&self, out: &mut Writer) {
        out.array(2);
        out.uint(self.number);
        out.list(&self.validators);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(2)?;
        let roster = Self { number: input.uint()?, validators: input.list(VALIDATORS_MAX)? };
        roster.check().map_err(|_| DecodeError::Value { field: "roster" })?;
        Ok(roster)
    }
}

#[cfg(test)]
mod tests;
