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

/// A roster as an object: number and validators.
pub(crate) mod as_roster {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use tabellion_ledger::{MemberId, Roster, Validator};

    use crate::signing::NodeKey;

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        number: u64,
        validators: Vec<Seat>,
    }

    #[derive(Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Seat {
        key: NodeKey,
        member: MemberId,
        name: String,
    }

    pub(crate) fn serialize<S: Serializer>(roster: &Roster, serializer: S) -> Result<S::Ok, S::Error> {
        let seat = |Validator { key, member, name }: &Validator| Seat {
            key: NodeKey(*key),
            member: member.clone(),
            name: name.clone(),
        };
        let validators = roster.validators().iter().map(seat).collect();
        Written { number: roster.number(), validators }.serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Roster, D::Error> {
        let Written { number, validators } = Written::deserialize(deserializer)?;
        let validator = |Seat { key: NodeKey(key), member, name }| Validator { key, member, name };
        let validators = validators.into_iter().map(validator).collect();
        Roster::new(number, validators).map_err(serde::de::Error::custom)
    }
}
