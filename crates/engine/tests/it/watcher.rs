//! An eye on a node's votes: what it ever signed, over all its runs.

use std::collections::BTreeMap;
use std::sync::Mutex;

use bytes::Bytes;
use commonware_codec::varint::UInt;
use commonware_codec::{DecodeExt, ReadExt};
use commonware_consensus::Epochable;
use commonware_consensus::Viewable;
use commonware_consensus::simplex::scheme::ed25519::Scheme;
use commonware_consensus::simplex::types::Vote;
use commonware_cryptography::sha256::Digest;
use tabellion_engine::NodeKey;
use tabellion_engine::sim::{Tap, Wire};

#[derive(Default)]
struct Signed {
    notarized: Option<Vec<u8>>,
    finalized: Option<Vec<u8>>,
    nullified: bool,
}

/// Writes down every vote, and which contradict each other.
pub struct Watcher {
    peers: Vec<NodeKey>,
    signed: Mutex<BTreeMap<(u64, u64), Signed>>,
    conflicts: Mutex<Vec<(u64, u64)>>,
}

impl Watcher {
    pub fn new(peers: Vec<NodeKey>) -> Self {
        Self { peers, signed: Mutex::default(), conflicts: Mutex::default() }
    }

    /// Rounds in which the node voted two ways.
    pub fn conflicts(&self) -> Vec<(u64, u64)> {
        self.conflicts.lock().unwrap().clone()
    }

    /// The newest round in which the node voted.
    pub fn newest(&self) -> (u64, u64) {
        self.signed.lock().unwrap().keys().next_back().copied().unwrap_or_default()
    }
}

impl Tap for Watcher {
    fn peers(&self) -> Vec<NodeKey> {
        self.peers.clone()
    }

    fn pass(&self, wire: Wire, message: Bytes) -> Option<Bytes> {
        if wire == Wire::Votes {
            let mut vote = message.clone();
            UInt::<u64>::read(&mut vote).unwrap();
            let vote = Vote::<Scheme, Digest>::decode(vote).unwrap();
            let round = (vote.epoch().get(), vote.view().get());
            let mut signed = self.signed.lock().unwrap();
            let signed = signed.entry(round).or_default();
            let differs = |before: &mut Option<Vec<u8>>, digest: &[u8]| {
                before.get_or_insert_with(|| digest.to_vec()).as_slice() != digest
            };
            let conflict = match &vote {
                Vote::Notarize(vote) => differs(&mut signed.notarized, vote.proposal.payload.as_ref()),
                Vote::Finalize(vote) => {
                    differs(&mut signed.finalized, vote.proposal.payload.as_ref()) || signed.nullified
                }
                Vote::Nullify(_) => {
                    signed.nullified = true;
                    signed.finalized.is_some()
                }
            };
            if conflict {
                self.conflicts.lock().unwrap().push(round);
            }
        }
        Some(message)
    }
}
