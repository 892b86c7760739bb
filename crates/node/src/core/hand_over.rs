//! Hand-over records: one for each change of the roster, made once the next quorum has signed.

use tabellion_consortium::roster;
use tabellion_ledger::{FinalityProof, HandOver, Header, Height, Roster, View, cbor};

use super::{Core, lock};
use crate::error::NodeError;

/// A change of the roster that the next validators have not signed for yet.
pub(super) struct Open {
    /// The last block of the old roster.
    last: Height,
    /// The next one.
    roster: Roster,
}

impl Core {
    /// Remembers the change of the roster that a block names, if it names one. `view` is the state after it.
    pub(super) fn open_hand_over(&self, header: &Header, view: &dyn View) {
        if header.next_roster != header.roster {
            *lock(&self.open) = Some(Open { last: header.height, roster: roster(view) });
        }
    }

    /// Makes the record once a quorum of the next roster has signed a block.
    pub(super) fn close_hand_over(&self, accepted: &FinalityProof) -> Result<(), NodeError> {
        let mut open = lock(&self.open);
        let Some(Open { last, roster }) = open.as_ref().filter(|open| accepted.header.height > open.last)
        else {
            return Ok(());
        };
        // An epoch's last block has signatures of its own: without them the next one does not begin.
        let Some(last) = self.store.finality_proof(*last).map_err(NodeError::Store)? else { return Ok(()) };
        let mut between = Vec::new();
        for height in last.header.height.0 + 1..accepted.header.height.0 {
            let height = Height(height);
            let header = self.store.header(height).map_err(NodeError::Store)?;
            between.push(header.ok_or(NodeError::NoHeader { height })?);
        }
        let number = roster.number();
        let record = HandOver { last, roster: roster.clone(), between, accepted: accepted.clone() };
        self.store.put_hand_over(number, &cbor::to_bytes(&record)).map_err(NodeError::Store)?;
        *open = None;
        Ok(())
    }

    /// Finds, at start, the change whose record is still to be made.
    pub(super) fn reopen_hand_over(&self) -> Result<(), NodeError> {
        let committed = self.committed();
        let known = self.store.newest_hand_over().map_err(NodeError::Store)?;
        let mut height = committed.header.height;
        let newest = roster(&committed.state);
        while newest.number() > known && height > Height(0) {
            let header = self.store.header(height).map_err(NodeError::Store)?;
            let header = header.ok_or(NodeError::NoHeader { height })?;
            if header.next_roster != header.roster {
                self.open_hand_over(&header, &committed.state);
                break;
            }
            height = Height(height.0 - 1);
        }
        let signed = self.provable().finality.clone();
        match signed.signatures.is_empty() {
            true => Ok(()),
            false => self.close_hand_over(&signed),
        }
    }
}
