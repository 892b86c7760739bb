//! A type for each number with a meaning.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use crate::cbor::{DecodeError, Reader, Wire, Writer};

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// SHA-256 over several pieces, one after the other.
pub fn sha256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// A text that is not 64 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdError {
    /// Characters found.
    pub length: usize,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an identifier is 64 hexadecimal digits; this text has {} characters", self.length)
    }
}

impl std::error::Error for IdError {}

macro_rules! identifier {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// Shape: 32 bytes; as text 64 hexadecimal digits.
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; 32]);

        impl $name {
            /// SHA-256 of `bytes` under this name.
            pub fn of(bytes: &[u8]) -> Self {
                Self(sha256(bytes))
            }

            /// The 32 bytes.
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), hex::encode(&self.0[..6]))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut bytes = [0; 32];
                hex::decode_to_slice(text, &mut bytes).map_err(|_| IdError { length: text.chars().count() })?;
                Ok(Self(bytes))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl Wire for $name {
            fn encode(&self, out: &mut Writer) {
                out.bytes(&self.0);
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(input.bytes_exact()?))
            }
        }
    };
}

identifier!(
    /// A hash of the format, SHA-256.
    Hash
);
identifier!(
    /// A ledger's name for good: SHA-256 of its genesis document.
    LedgerId
);
identifier!(
    /// A block's digest: SHA-256 of its header's bytes.
    HeaderHash
);
identifier!(
    /// SHA-256 of a lane header's bytes.
    LaneHeaderHash
);
identifier!(
    /// A transaction's unique identifier: SHA-256 of what its submitter signed.
    ///
    /// Source: X.1409 L2, clause 3.1.12 (required).
    TransactionId
);
identifier!(
    /// SHA-256 of a DER SubjectPublicKeyInfo: names keys of members, validators and certificates alike.
    KeyId
);
identifier!(
    /// SHA-256 of a roster's bytes.
    RosterHash
);
identifier!(
    /// Root of the state trie.
    StateRoot
);
identifier!(
    /// A certificate's identifier: SHA-256 of its DER bytes.
    CertificateId
);

macro_rules! number {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl Wire for $name {
            fn encode(&self, out: &mut Writer) {
                out.uint(self.0);
            }

            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(Self(input.uint()?))
            }
        }
    };
}

number!(
    /// A block's place in the chain; the genesis block has height 0.
    Height
);
number!(
    /// A moment. Unit: milliseconds since 1970-01-01T00:00:00Z.
    TimeMs
);

impl Height {
    /// The height of the next block.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl TimeMs {
    /// The latest moment that the format can say.
    pub const MAX: Self = Self(u64::MAX);

    /// This moment plus `ms` milliseconds, at most [`TimeMs::MAX`].
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0 / 1000
    }
}
