//! How bytes and names are written in JSON and TOML.

/// A value by its `Display` and `FromStr`.
pub(crate) mod as_text {
    use std::fmt::Display;
    use std::str::FromStr;

    use serde::{Deserialize, Deserializer, Serializer};

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr<Err: Display>,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A public key as its DER SubjectPublicKeyInfo in hexadecimal.
pub(crate) mod as_spki {
    use serde::{Deserialize, Deserializer, Serializer};
    use tabellion_ledger::PublicKey;

    pub(crate) fn serialize<S: Serializer>(key: &PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(key.to_spki()))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key = hex::decode(text).ok().and_then(|spki| PublicKey::from_spki(&spki));
        key.ok_or_else(|| serde::de::Error::custom("a public key is a SubjectPublicKeyInfo in hexadecimal"))
    }
}

/// A signature in hexadecimal.
pub(crate) mod as_signature {
    use serde::{Deserialize, Deserializer, Serializer};
    use tabellion_ledger::Signature;

    pub(crate) fn serialize<S: Serializer>(value: &Signature, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(&value.0))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signature, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text).map(Signature).map_err(serde::de::Error::custom)
    }
}
