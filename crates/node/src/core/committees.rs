//! Who votes and who follows in each epoch, by the state: the address book that the last block of the epoch
//! before wrote.

use std::collections::BTreeMap;
use std::sync::Mutex;

use tabellion_consortium::{CommitteeNode, committee, epoch_of, is_last_of_epoch};
use tabellion_engine::{Committee, NodeKey, Peer, PeerAddress};
use tabellion_ledger::{HandOver, Header, Height, Roster, RosterHash, View, cbor};

use super::{Committed, Core, lock};
use crate::error::NodeError;

/// Epochs whose committees are remembered: the present one, its neighbours, and some for messages that come
/// late.
const EPOCHS_KEPT: usize = 8;
/// Epochs before the next block's whose committees are found at start: more than the engine can be behind.
const EPOCHS_BEFORE: u64 = 4;

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
    /// Finds, at start, the committees of the next block's epoch and of those before it.
    ///
    /// The engine may have acknowledged fewer blocks than are committed here, and asks then for votes of an
    /// epoch that is over. Nobody is dialled for it any more, only old votes are checked.
    pub(super) fn seat_committees(&self) -> Result<(), NodeError> {
        let Committed { header, state, rules } = self.committed();
        let epoch_blocks = rules.parameters().block.epoch_blocks;
        let next = epoch_of(header.height.next(), epoch_blocks);
        self.committees.seat(next, self.committees.by_state(&state));
        for epoch in (next.saturating_sub(EPOCHS_BEFORE)..next).rev() {
            let last = Height((epoch + 1).saturating_mul(epoch_blocks).saturating_sub(1));
            let Some(last) = self.store.header(last).map_err(NodeError::Store)? else { break };
            match self.roster_with(&last.roster, &state)? {
                Some(roster) => {
                    let validators = peers_of(&roster);
                    self.committees.seat(epoch, Committee { validators, followers: Vec::new() });
                }
                // Without it the newest block's votes could not be read.
                None if last.height == header.height => {
                    let number = tabellion_consortium::roster(&state).number().saturating_sub(1);
                    return Err(NodeError::NoHandOver { number });
                }
                None => break,
            }
        }
        Ok(())
    }

    /// Nodes of the next block's epoch.
    pub fn peer_count(&self) -> usize {
        let committee = self.committees.by_state(&self.committed().state);
        committee.validators.len() + committee.followers.len()
    }

    /// The roster with this hash: the newest one, or one of those shortly before it.
    fn roster_with(&self, hash: &RosterHash, state: &dyn View) -> Result<Option<Roster>, NodeError> {
        let newest = tabellion_consortium::roster(state);
        let number = newest.number();
        if newest.hash() == *hash {
            return Ok(Some(newest));
        }
        for number in (number.saturating_sub(EPOCHS_BEFORE)..number).rev() {
            let roster = self.roster_numbered(number)?;
            if let Some(roster) = roster.filter(|roster| roster.hash() == *hash) {
                return Ok(Some(roster));
            }
        }
        Ok(None)
    }

    fn roster_numbered(&self, number: u64) -> Result<Option<Roster>, NodeError> {
        if number == 0 {
            return Ok(Some(self.document.roster()));
        }
        let rows = self.store.hand_overs(number - 1, 1).map_err(NodeError::Store)?;
        let record = rows.first().and_then(|bytes| cbor::from_bytes::<HandOver>(bytes, bytes.len()).ok());
        Ok(record.map(|record| record.roster).filter(|roster| roster.number() == number))
    }
}

fn peers_of(roster: &Roster) -> Vec<Peer> {
    let peer = |validator: &tabellion_ledger::Validator| Peer {
        key: NodeKey(validator.key),
        address: PeerAddress::Unknown,
    };
    roster.validators().iter().map(peer).collect()
}
