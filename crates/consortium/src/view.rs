//! What others may ask the consortium.

use tabellion_ledger::{CertificateId, KeyId, MemberId, PublicKey, Roster, View, read};

use crate::key::{anchor_key, key_key, member_key, parameters_key, roster_key};
use crate::member::{KeyRecord, Member, Role};
use crate::parameters::Parameters;
use crate::refusal::Refusal;

/// The member behind a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submitter {
    /// The member.
    pub member: MemberId,
    /// The key.
    pub key: PublicKey,
    /// What the member may do.
    pub roles: Vec<Role>,
}

impl Submitter {
    /// Refuses where the member has none of `needed`.
    ///
    /// Source: X.1409 L9 (permission control).
    pub fn require_any(&self, needed: &[Role]) -> Result<(), Refusal> {
        match needed.iter().any(|role| self.roles.contains(role)) {
            true => Ok(()),
            false => Err(Refusal::MissingRole { member: self.member.clone(), needed: needed.to_vec() }),
        }
    }
}

/// The member that signs with `key`, and what it may do.
///
/// Refuses: [`Refusal::UnknownSubmitter`].
pub fn submitter(view: &dyn View, key: &KeyId) -> Result<Submitter, Refusal> {
    let unknown = Refusal::UnknownSubmitter { key: *key };
    let KeyRecord { member, key } = read(view, &key_key(key)).ok_or(unknown.clone())?;
    let Member { roles, .. } = read(view, &member_key(&member)).ok_or(unknown)?;
    Ok(Submitter { member, key, roles })
}

/// The ledger's parameters.
pub fn parameters(view: &dyn View) -> Parameters {
    read(view, &parameters_key()).expect("invariant: genesis wrote the parameters")
}

/// The roster that finalises the next block.
pub fn roster(view: &dyn View) -> Roster {
    read(view, &roster_key()).expect("invariant: genesis wrote the roster")
}

/// The certificate of a trusted CA.
pub fn anchor(view: &dyn View, id: &CertificateId) -> Option<Vec<u8>> {
    view.get(&anchor_key(id))
}
