//! What a node offers to the faces of other protocols: their names for certificates and CAs.
//!
//! Which certificates are meant comes from here, what their status is from the state alone.

use bytes::Bytes;
use tabellion_ledger::{CertificateId, Hash, Height, TimeMs};

use crate::backend::Fault;

/// A CA as it is asked for: every certificate with its name and its key counts, and the one that is named,
/// also where its name and key were never seen on the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct IssuerKey {
    /// One certificate of it.
    pub certificate: CertificateId,
    /// SHA-256 of its name, DER.
    pub name: Hash,
    /// SHA-256 of its key, without the tag and length of the BIT STRING.
    pub key: Hash,
}

/// What was found, and how old the index is in which it was looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<T> {
    /// What was found.
    pub rows: Vec<T>,
    /// The block up to which the index was filled; `None` for an empty index.
    pub height: Option<Height>,
    /// Its time; 0 for an empty index.
    pub known_at: TimeMs,
}

/// A CRL that was recorded as evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCrl {
    /// The CRL, DER; `None` where its block's body is not held, and on a ledger of identifiers.
    pub der: Option<Bytes>,
    /// `thisUpdate`.
    pub at: TimeMs,
    /// `nextUpdate`, or the end of the CA's certificate.
    pub until: TimeMs,
}

/// Looks certificates up by the names that other protocols have for them. All functions read the store.
///
/// A certificate that was never seen by this node as a whole (the recorded blocks of a ledger of identifiers
/// hold none) is found by none of these names.
pub trait Lookup: Send + Sync {
    /// The certificates of an issuer with this serial number (without leading zeros): one, but for a CA that
    /// gave a number twice.
    fn issued(&self, issuer: &IssuerKey, serial: &[u8]) -> Result<Found<CertificateId>, Fault>;

    /// Whether every change of a status that still matters was seen. A node that began with a state and gets
    /// the older bodies from nobody has not seen them all.
    fn is_complete(&self) -> Result<bool, Fault>;

    /// The certificates of an issuer whose status has ever changed, with their serial numbers without leading
    /// zeros.
    fn changed(&self, issuer: &IssuerKey) -> Result<Found<(CertificateId, Vec<u8>)>, Fault>;

    /// The certificate whose DER has this SHA-1.
    fn by_sha1(&self, sha1: &[u8; 20]) -> Result<Option<CertificateId>, Fault>;

    /// The newest complete CRL of an issuer that was recorded as evidence.
    fn recorded_crl(&self, issuer: &IssuerKey) -> Result<Option<RecordedCrl>, Fault>;
}
