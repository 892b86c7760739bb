//! Keys, namespaces and the signing scheme of each epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonware_codec::{Copying, DecodeExt, FixedSize};
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::types::Epoch;
use commonware_cryptography::certificate::{Provider, Scoped};
use commonware_cryptography::ed25519::{PrivateKey, PublicKey};
use commonware_cryptography::{Signer, certificate};
use commonware_utils::ordered::Set;
use commonware_utils::sync::Mutex;
use tabellion_ledger::{CONSENSUS_NAMESPACE, LedgerId};

use crate::application::Application;
use crate::committee::{Committee, NodeKey};

/// Committees held at once. Nodes need the current epoch, its neighbours and those that they catch up
/// through.
const EPOCHS_CACHED: usize = 64;

/// What separates this ledger's votes from all other signatures.
pub(crate) fn namespace(ledger: &LedgerId) -> Vec<u8> {
    [CONSENSUS_NAMESPACE, ledger.as_bytes()].concat()
}

/// The engine's private key of a seed.
pub(crate) fn private_key(seed: &[u8; 32]) -> PrivateKey {
    PrivateKey::decode(Copying(seed.as_slice())).expect("invariant: any 32 bytes are an Ed25519 seed")
}

/// The key that belongs to a seed.
pub fn node_key(seed: &[u8; 32]) -> NodeKey {
    key_of(&private_key(seed).public_key())
}

/// The name of an engine's public key.
pub(crate) fn key_of(key: &PublicKey) -> NodeKey {
    let mut bytes = [0; PublicKey::SIZE];
    bytes.copy_from_slice(key.as_ref());
    NodeKey(bytes)
}

/// The engine's public key of a name. `None`: the bytes are no point of the curve.
pub(crate) fn public_key(key: &NodeKey) -> Option<PublicKey> {
    PublicKey::try_from(key.0).ok()
}

/// An epoch's committee with its scheme: signing where this node is a validator, verifying elsewhere.
#[derive(Clone)]
pub(crate) struct Seat {
    /// Who takes part.
    pub committee: Arc<Committee>,
    /// How votes are signed and verified.
    pub scheme: Arc<Scheme>,
    /// This node's place among the validators.
    pub index: Option<u16>,
    /// Number of validators.
    pub validators: usize,
}

/// The seats of all epochs, asked from the application and kept.
#[derive(Clone)]
pub(crate) struct Seats {
    application: Arc<dyn Application>,
    key: PrivateKey,
    namespace: Arc<[u8]>,
    known: Arc<Mutex<BTreeMap<u64, Seat>>>,
}

impl Seats {
    pub(crate) fn new(application: Arc<dyn Application>, seed: &[u8; 32], ledger: &LedgerId) -> Self {
        let namespace = namespace(ledger).into();
        Self { application, key: private_key(seed), namespace, known: Arc::default() }
    }

    /// This node's key.
    pub(crate) fn me(&self) -> PublicKey {
        self.key.public_key()
    }

    /// The seat in an epoch. `None` where the state does not say who sits in it, or names a key that is none.
    pub(crate) fn seat(&self, epoch: Epoch) -> Option<Seat> {
        if let Some(seat) = self.known.lock().get(&epoch.get()) {
            return Some(seat.clone());
        }
        let seat = self.make(self.application.committee(epoch.get())?)?;
        let mut known = self.known.lock();
        known.insert(epoch.get(), seat.clone());
        while known.len() > EPOCHS_CACHED {
            known.pop_first();
        }
        Some(seat)
    }

    fn make(&self, committee: Committee) -> Option<Seat> {
        let keys = committee.keys().iter().map(public_key).collect::<Option<Vec<_>>>()?;
        if keys.is_empty() {
            return None;
        }
        let validators = keys.len();
        let index = keys.iter().position(|key| *key == self.me()).and_then(|index| u16::try_from(index).ok());
        let keys = Set::from_iter_dedup(keys);
        let scheme = Scheme::signer(&self.namespace, keys.clone(), self.key.clone())
            .unwrap_or_else(|| Scheme::verifier(&self.namespace, keys));
        Some(Seat { committee: Arc::new(committee), scheme: Arc::new(scheme), index, validators })
    }
}

impl Provider for Seats {
    type Scope = Epoch;
    type Scheme = Scheme;

    fn scoped(&self, epoch: Epoch) -> Option<Scoped<Scheme>> {
        let seat = self.seat(epoch)?;
        Some(match seat.index {
            Some(_) => Scoped::scheme(seat.scheme),
            None => Scoped::verifier(seat.scheme),
        })
    }
}

/// The certificate codec's bound that fits every committee.
pub(crate) fn certificate_bound(scheme: &Scheme) -> usize {
    certificate::Verifier::certificate_codec_config(scheme)
}
