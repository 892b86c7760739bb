//! What the tests of this crate build on: keys from seeds, a roster, signed transactions, finalised blocks.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, ML_DSA_65_SIGNING, PqdsaKeyPair,
};
use ed25519_consensus::SigningKey;

use crate::block::{Block, FORMAT_VERSION, Header};
use crate::cbor;
use crate::envelope::Envelope;
use crate::finality::{FinalityProof, FinalitySignature};
use crate::id::{Hash, HeaderHash, Height, LaneHeaderHash, LedgerId, StateRoot, TimeMs};
use crate::lane::{Lane, LaneBody, LaneHeader};
use crate::merkle;
use crate::roster::{Roster, Validator};
use crate::signature::{Algorithm, PublicKey, Signature};
use crate::transaction::{Content, Transaction, attachments_root};

/// The ledger of these tests.
pub(crate) const LEDGER: LedgerId = LedgerId([7; 32]);
/// The time of their first block.
pub(crate) const START: TimeMs = TimeMs(1_767_225_600_000);

/// A submitter's key.
pub(crate) enum TestKey {
    Ed25519(Ed25519KeyPair),
    Es256(EcdsaKeyPair),
    MlDsa65(PqdsaKeyPair),
}

impl TestKey {
    /// Ed25519 from a seed; the others fresh, since their signatures differ each time anyway.
    pub(crate) fn new(algorithm: Algorithm, seed: u8) -> Self {
        match algorithm {
            Algorithm::Ed25519 => Self::Ed25519(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()),
            Algorithm::Es256 => {
                Self::Es256(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Algorithm::MlDsa65 => {
                Self::MlDsa65(PqdsaKeyPair::from_seed(&ML_DSA_65_SIGNING, &[seed; 32]).unwrap())
            }
        }
    }

    pub(crate) fn public(&self) -> PublicKey {
        let (algorithm, bytes) = match self {
            Self::Ed25519(pair) => (Algorithm::Ed25519, pair.public_key().as_ref()),
            Self::Es256(pair) => (Algorithm::Es256, pair.public_key().as_ref()),
            Self::MlDsa65(pair) => (Algorithm::MlDsa65, pair.public_key().as_ref()),
        };
        PublicKey::new(algorithm, bytes).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Signature {
        Signature(match self {
            Self::Ed25519(pair) => pair.sign(message).as_ref().to_vec(),
            Self::Es256(pair) => pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec(),
            Self::MlDsa65(pair) => {
                let mut signature = vec![0; Algorithm::MlDsa65.signature_bytes()];
                pair.sign(message, &mut signature).unwrap();
                signature
            }
        })
    }

    pub(crate) fn envelope(&self, payload: Vec<u8>) -> Envelope {
        let key = self.public();
        let signed = Envelope::signed_bytes(key.algorithm(), &key.id(), &payload);
        let signature = self.sign(&signed);
        Envelope { algorithm: key.algorithm(), key_id: key.id(), payload, signature }
    }
}

/// The attachments of [`transaction`].
pub(crate) fn attachments(number: u8) -> Vec<Vec<u8>> {
    vec![vec![number; 5], vec![number; 6]]
}

/// A content of `lane`; `number` tells it from others.
pub(crate) fn content(lane: Lane, number: u8) -> Content {
    Content {
        ledger: LEDGER,
        lane,
        valid_until: START.plus(60_000),
        nonce: [number; 16],
        action: vec![number; 3],
        attachments: attachments_root(&attachments(number)),
    }
}

/// A transaction signed with Ed25519.
pub(crate) fn transaction(lane: Lane, number: u8) -> Transaction {
    let key = TestKey::new(Algorithm::Ed25519, 1);
    Transaction::new(key.envelope(cbor::to_bytes(&content(lane, number))), attachments(number)).unwrap()
}

/// The first body of a lane.
pub(crate) fn lane_body(lane: Lane, height: Height, transactions: Vec<Transaction>) -> LaneBody {
    let header = LaneHeader {
        ledger: LEDGER,
        lane,
        height,
        time: START.plus(height.0),
        previous: LaneHeaderHash::default(),
        records_root: LaneBody::records_root(&transactions),
        record_count: u32::try_from(transactions.len()).unwrap(),
        latest_expiry: START.plus(1_000),
        history_root: merkle::empty_root(),
    };
    LaneBody { header, transactions }
}

/// Validators with their keys, in the order of the roster.
pub(crate) struct Committee {
    pub(crate) roster: Roster,
    keys: Vec<SigningKey>,
}

impl Committee {
    pub(crate) fn new(number: u64, count: u8) -> Self {
        let mut keys: Vec<SigningKey> = (0..count).map(|seed| SigningKey::from([seed; 32])).collect();
        keys.sort_by_key(|key| key.verification_key().to_bytes());
        let validator = |(number, key): (usize, &SigningKey)| Validator {
            key: key.verification_key().to_bytes(),
            member: format!("member-{number}").parse().unwrap(),
            name: format!("node {number}"),
        };
        let roster = Roster::new(number, keys.iter().enumerate().map(validator).collect()).unwrap();
        Self { roster, keys }
    }

    pub(crate) fn sign(&self, validator: u16, message: &[u8]) -> FinalitySignature {
        let signature = self.keys[usize::from(validator)].sign(message).to_bytes();
        FinalitySignature { validator, signature }
    }

    /// The header under the finalise votes of these validators.
    pub(crate) fn finalise(&self, header: &Header, validators: &[u16]) -> FinalityProof {
        let header = header.clone();
        let mut proof =
            FinalityProof { header, epoch: 2, view: 300, parent_view: 299, signatures: Vec::new() };
        let message = proof.message(&LEDGER);
        proof.signatures = validators.iter().map(|validator| self.sign(*validator, &message)).collect();
        proof
    }

    /// A block upon `chain`, whose headers stand in it from genesis on.
    pub(crate) fn block(&self, chain: &[Header], lanes: Vec<LaneBody>) -> Block {
        let height = Height(u64::try_from(chain.len()).unwrap());
        let leaves: Vec<Hash> = chain.iter().map(Header::leaf).collect();
        let header = Header {
            version: FORMAT_VERSION,
            ledger: LEDGER,
            height,
            previous: chain.last().map_or(HeaderHash::default(), Header::hash),
            time: START.plus(height.0),
            proposer: 0,
            lanes_root: Block::lanes_root(&lanes),
            state_root: StateRoot([9; 32]),
            roster: self.roster.hash(),
            next_roster: self.roster.hash(),
            history_root: merkle::root(&leaves),
        };
        Block { header, lanes, carried: Vec::new() }
    }
}

/// Every value of `bytes` with one bit of one byte turned, the bit that `turn` picks by place.
pub(crate) fn with_one_bit_turned(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    (0..bytes.len()).map(|place| {
        let mut turned = bytes.to_vec();
        turned[place] ^= 1 << (place % 8);
        (place, turned)
    })
}
