//! Who votes and who follows in each epoch, by the state: the address book that the last block of the epoch
//! before wrote.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tabellion_consortium::{CommitteeNode, committee, epoch_of, is_last_of_epoch};
use tabellion_engine::{Committee, NodeKey, Peer, PeerAddress};
use tabellion_ledger::{HandOver, Header, Roster, View, cbor};

use super::{Committed, Core, lock};
use crate::error::NodeError;

/// Epochs whose committees are remembered: the present one, its neighbours, and some for messages that come
/// late.
const EPOCHS_KEPT: usize = 8;

/// Committees by epoch.
pub(super) struct Committees {
    /// Nodes that this node's operator lets follow besides those on the ledger.
    also: Vec<Peer>,
    known: Mutex<BTreeMap<u64, Committee>>,
}

impl Committees {
    pub(super) fn new(also: Vec<Peer>) -> Self {
        Self { also, known: Mutex::default() }
    }

    /// The committee of an epoch, where it is known.
    pub(super) fn of(&self, epoch: u64) -> Option<Committee> {
        lock(&self.known).get(&epoch).cloned()
    }

    /// Takes over the next epoch's committee from the state after the last block of an epoch.
    pub(super) fn follow(&self, header: &Header, view: &dyn View, epoch_blocks: u64) {
        if is_last_of_epoch(header.height, epoch_blocks) {
            self.seat(epoch_of(header.height.next(), epoch_blocks), self.by_state(view));
        }
    }

    fn seat(&self, epoch: u64, committee: Committee) {
        let mut known = lock(&self.known);
        known.insert(epoch, committee);
        while known.len() > EPOCHS_KEPT {
            known.pop_first();
        }
    }

    fn by_state(&self, view: &dyn View) -> Committee {
        let book = committee(view);
        let peer = |node: &CommitteeNode| Peer {
            key: NodeKey(node.key.0),
            address: node.address.parse().unwrap_or(PeerAddress::Unknown),
        };
        let mut followers: Vec<Peer> = book.followers().map(peer).collect();
        let validators: Vec<Peer> = book.validators().map(peer).collect();
        let named = |key: &NodeKey| validators.iter().chain(&followers).any(|peer| peer.key == *key);
        let more: Vec<Peer> = self.also.iter().filter(|peer| !named(&peer.key)).cloned().collect();
        followers.extend(more);
        Committee { validators, followers }
    }
}

impl Core {
    /// Finds, at start, the committees of the newest block's epoch and of the next block's.
    pub(super) fn seat_committees(&self) -> Result<(), NodeError> {
        let Committed { header, state, rules } = self.committed();
        let epoch_blocks = rules.parameters().block.epoch_blocks;
        let next = epoch_of(header.height.next(), epoch_blocks);
        self.committees.seat(next, self.committees.by_state(&state));
        let present = epoch_of(header.height, epoch_blocks);
        if present < next {
            // Its last block is committed: nobody is dialled for it any more, only old votes are checked.
            let validators = match header.roster == header.next_roster {
                true => self.committees.by_state(&state).validators,
                false => peers_of(&self.roster_before(&state)?),
            };
            self.committees.seat(present, Committee { validators, followers: Vec::new() });
        }
        Ok(())
    }

    /// Nodes of the next block's epoch.
    pub fn peer_count(&self) -> usize {
        let committee = self.committees.by_state(&self.committed().state);
        committee.validators.len() + committee.followers.len()
    }

    /// The roster before the newest one.
    fn roster_before(&self, state: &dyn View) -> Result<Roster, NodeError> {
        let number = tabellion_consortium::roster(state).number().saturating_sub(1);
        if number == 0 {
            return Ok(self.document.roster());
        }
        let rows = self.store.hand_overs(number - 1, 1).map_err(NodeError::Store)?;
        let record = rows.first().and_then(|bytes| cbor::from_bytes::<HandOver>(bytes, bytes.len()).ok());
        record.map(|record| record.roster).ok_or(NodeError::NoHandOver { number })
    }
}

fn peers_of(roster: &Roster) -> Vec<Peer> {
    let peer = |validator: &tabellion_ledger::Validator| Peer {
        key: NodeKey(validator.key),
        address: PeerAddress::Unknown,
    };
    roster.validators().iter().map(peer).collect()
}
