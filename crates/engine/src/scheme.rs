//! Keys, namespaces and the signing scheme of each epoch.

use std::collections::BTreeMap;
use std::sync::Arc;

use commonware_codec::{Copying, DecodeExt, FixedSize, Read};
use commonware_consensus::simplex::scheme::Namespace;
use commonware_consensus::simplex::types::Subject;
use commonware_consensus::types::{Epoch, Round};
use commonware_cryptography::certificate::{
    self, AssemblyError, Attestation, Membership, Provider, Scoped, Verification, Verifier,
};
use commonware_cryptography::ed25519::certificate::{Certificate, Generic};
use commonware_cryptography::ed25519::{self, PrivateKey, PublicKey};
use commonware_cryptography::{Digest, Signer};
use commonware_parallel::Strategy;
use commonware_utils::N3f1;
use commonware_utils::iter::NonEmpty;
use commonware_utils::ordered::Set;
use commonware_utils::sync::Mutex;
use rand_core::CryptoRng;
use tabellion_ledger::{CONSENSUS_NAMESPACE, LedgerId};

use crate::application::Application;
use crate::committee::{Committee, NodeKey};
use crate::guard::Guard;

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

/// Ed25519 votes as the library makes and verifies them, but for one thing: the guard is asked before each
/// signature, so nothing else in the process can sign a vote.
#[derive(Clone, Debug)]
pub(crate) struct Scheme {
    generic: Generic<Namespace>,
    guard: Guard,
}

impl Scheme {
    /// A scheme that signs with this key what the guard permits. `None`: the key is no participant's.
    pub(crate) fn signer(
        namespace: &[u8],
        participants: Set<PublicKey>,
        key: PrivateKey,
        guard: Guard,
    ) -> Option<Self> {
        Some(Self { generic: Generic::signer(namespace, participants, key)?, guard })
    }

    /// A scheme that only verifies.
    pub(crate) fn verifier(namespace: &[u8], participants: Set<PublicKey>) -> Self {
        Self { generic: Generic::verifier(namespace, participants), guard: Guard::open(Round::zero()) }
    }
}

fn round_of<D: Digest>(subject: &Subject<'_, D>) -> Round {
    match subject {
        Subject::Notarize { proposal } | Subject::Finalize { proposal } => proposal.round,
        Subject::Nullify { round } => *round,
    }
}

impl Verifier for Scheme {
    type Subject<'a, D: Digest> = Subject<'a, D>;
    type Faults = N3f1;
    type PublicKey = PublicKey;
    type Certificate = Certificate;

    fn verify_certificate<R: CryptoRng, D: Digest>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        certificate: &Certificate,
        strategy: &impl Strategy,
    ) -> bool {
        self.generic.verify_certificate::<Self, _>(rng, subject, certificate, strategy)
    }

    fn verify_certificates<'a, R, D, I>(
        &self,
        rng: &mut R,
        certificates: NonEmpty<I>,
        strategy: &impl Strategy,
    ) -> bool
    where
        R: CryptoRng,
        D: Digest,
        I: Iterator<Item = (Subject<'a, D>, &'a Certificate)>,
    {
        self.generic.verify_certificates::<Self, _, _, _>(rng, certificates, strategy)
    }

    fn is_batchable() -> bool {
        Generic::<Namespace>::is_batchable()
    }

    fn max_certificate_size(participants: u32) -> usize {
        Generic::<Namespace>::max_certificate_size(participants)
    }

    fn certificate_codec_config(&self) -> <Certificate as Read>::Cfg {
        self.generic.certificate_codec_config()
    }

    fn certificate_codec_config_unbounded() -> <Certificate as Read>::Cfg {
        Generic::<Namespace>::certificate_codec_config_unbounded()
    }
}

impl certificate::Scheme for Scheme {
    type Signature = ed25519::Signature;

    fn me(&self) -> Option<Membership> {
        self.generic.signer_index().map(Membership::Signer)
    }

    fn participants(&self) -> &Set<PublicKey> {
        &self.generic.participants
    }

    fn sign<D: Digest>(&self, subject: Subject<'_, D>) -> Option<Attestation<Self>> {
        if !self.guard.permits(round_of(&subject)) {
            return None;
        }
        self.generic.sign(subject)
    }

    fn verify_attestation<R: CryptoRng, D: Digest>(
        &self,
        _: &mut R,
        subject: Subject<'_, D>,
        attestation: &Attestation<Self>,
        _: &impl Strategy,
    ) -> bool {
        self.generic.verify_attestation(subject, attestation)
    }

    fn verify_attestations<R, D, I>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        attestations: I,
        strategy: &impl Strategy,
    ) -> Verification<Self>
    where
        R: CryptoRng,
        D: Digest,
        I: IntoIterator<Item = Attestation<Self>>,
        I::IntoIter: Send,
    {
        self.generic.verify_attestations(rng, subject, attestations, strategy)
    }

    fn optimistic_assemble<'a, R, D, I, J>(
        &self,
        rng: &mut R,
        subject: Subject<'_, D>,
        pending: I,
        verified: J,
        strategy: &impl Strategy,
    ) -> Result<Certificate, Verification<Self>>
    where
        R: CryptoRng,
        D: Digest,
        I: IntoIterator<Item = Attestation<Self>>,
        I::IntoIter: ExactSizeIterator + Send,
        J: IntoIterator<Item = &'a Attestation<Self>>,
        J::IntoIter: Send,
    {
        certificate::verify_then_assemble::<Self, _, D, _, _>(self, rng, subject, pending, verified, strategy)
    }

    fn assemble<I>(&self, attestations: NonEmpty<I>, _: &impl Strategy) -> Result<Certificate, AssemblyError>
    where
        I: Iterator<Item = Attestation<Self>> + Send,
    {
        self.generic.assemble::<Self, _>(attestations)
    }

    fn is_attributable() -> bool {
        Generic::<Namespace>::is_attributable()
    }
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
    guard: Guard,
    known: Arc<Mutex<BTreeMap<u64, Seat>>>,
}

impl Seats {
    pub(crate) fn new(
        application: Arc<dyn Application>,
        seed: &[u8; 32],
        ledger: &LedgerId,
        guard: Guard,
    ) -> Self {
        let namespace = namespace(ledger).into();
        Self { application, key: private_key(seed), namespace, guard, known: Arc::default() }
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
        let scheme = Scheme::signer(&self.namespace, keys.clone(), self.key.clone(), self.guard.clone())
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
    scheme.certificate_codec_config()
}
