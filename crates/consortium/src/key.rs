//! Keys of the consortium's records in the state.

use tabellion_ledger::{CertificateId, KeyId, MemberId, StateKey, map};

fn key(name: &str, rest: &[u8]) -> StateKey {
    StateKey::new(map::CONSORTIUM, &[name.as_bytes(), rest].concat())
}

/// The record of a member.
pub fn member_key(id: &MemberId) -> StateKey {
    key("member/", id.as_str().as_bytes())
}

/// The record of a signing key.
pub fn key_key(id: &KeyId) -> StateKey {
    key("key/", id.as_bytes())
}

/// The roster.
pub fn roster_key() -> StateKey {
    key("roster", &[])
}

/// The parameters.
pub fn parameters_key() -> StateKey {
    key("parameters", &[])
}

/// The certificate of a trusted certification authority.
pub fn anchor_key(id: &CertificateId) -> StateKey {
    key("anchor/", id.as_bytes())
}
