//! Keys of the certificate lane's records in the state.

use tabellion_ledger::{CertificateId, Height, KeyId, LedgerId, StateKey, map};

/// The record of a certificate.
pub fn certificate_key(id: &CertificateId) -> StateKey {
    StateKey::new(map::CERTIFICATE, id.as_bytes())
}

/// The certificates that carry a key.
pub fn certificates_of_key_key(id: &KeyId) -> StateKey {
    StateKey::new(map::CERTIFICATE_KEY, id.as_bytes())
}

/// A publication that waits for its start.
pub fn scheduled_key(id: &CertificateId) -> StateKey {
    StateKey::new(map::CERTIFICATE_SCHEDULE, &[b"certificate/", id.as_bytes().as_slice()].concat())
}

/// The publications that start within an hour.
pub fn schedule_hour_key(hour: u64) -> StateKey {
    StateKey::new(map::CERTIFICATE_SCHEDULE, &[b"hour/", hour.to_be_bytes().as_slice()].concat())
}

/// The latest optimisation notice for the block at a height.
pub fn notice_key(height: Height) -> StateKey {
    StateKey::new(map::OPTIMISATION_NOTICE, &height.0.to_be_bytes())
}

/// The hours in which publications start.
pub fn schedule_index_key() -> StateKey {
    StateKey::new(map::CERTIFICATE_SCHEDULE, b"index")
}

/// How many results are numbered for other ledgers.
pub fn outbox_key() -> StateKey {
    StateKey::new(map::COMPOSED, b"outbox")
}

/// A result, by its number.
pub fn outbox_entry_key(number: u64) -> StateKey {
    StateKey::new(map::COMPOSED, &[b"outbox/", number.to_be_bytes().as_slice()].concat())
}

/// What is known of a foreign ledger.
pub fn followed_ledger_key(ledger: &LedgerId) -> StateKey {
    StateKey::new(map::COMPOSED, &[b"ledger/", ledger.as_bytes().as_slice()].concat())
}

/// The status of a certificate on a foreign ledger.
pub fn foreign_record_key(ledger: &LedgerId, certificate: &CertificateId) -> StateKey {
    let parts = [b"status/".as_slice(), ledger.as_bytes(), certificate.as_bytes()];
    StateKey::new(map::COMPOSED, &parts.concat())
}
