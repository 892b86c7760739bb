//! A state held for nodes that take it over, served in pieces.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use tabellion_ledger::Height;
use tabellion_ledger::trie::{PageId, Piece, PieceRecord, Slot};

use super::{Snapshot, StoreError};

/// Bytes of records in a piece, about; a piece that would be larger is split.
const PIECE_BYTES: usize = 1 << 20;
/// Records in a piece, at most.
const PIECE_RECORDS: usize = 16 * 1024;

/// Records above the checkpoint in the order of paths; `None` for one that is gone.
type Changed = BTreeMap<[u8; 32], Option<Arc<[u8]>>>;

/// One state, held while newer blocks are applied.
///
/// It pins what it was made of: see [`Snapshot`].
#[derive(Debug)]
pub struct HeldState {
    snapshot: Snapshot,
    /// Made when the first piece is asked for.
    changed: OnceLock<Changed>,
}

impl HeldState {
    /// Holds a state.
    pub fn new(snapshot: Snapshot) -> Self {
        Self { snapshot, changed: OnceLock::new() }
    }

    /// Height of the state's block.
    pub fn height(&self) -> Option<Height> {
        self.snapshot.height()
    }

    /// The piece at a prefix: all records below it where they are few enough, else its page.
    ///
    /// Reads about a megabyte.
    pub fn piece(&self, id: &PageId) -> Result<Piece, StoreError> {
        self.piece_within(id, PIECE_BYTES)
    }

    /// The same with another number of bytes of records.
    pub(super) fn piece_within(&self, id: &PageId, bytes_max: usize) -> Result<Piece, StoreError> {
        match self.whole(id, bytes_max)? {
            Some(records) => Ok(Piece::Whole(records)),
            None => self.split(id),
        }
    }

    /// All records below a prefix; `None` where they are too many for one piece.
    fn whole(&self, id: &PageId, bytes_max: usize) -> Result<Option<Vec<PieceRecord>>, StoreError> {
        let (first, last) = (*id.first_path(), id.last_path());
        let mut changed = self.changed().range(first..=last).peekable();
        let mut records = Vec::new();
        let mut bytes = 0;
        // Says whether there is room for more.
        let mut push = |records: &mut Vec<PieceRecord>, path: [u8; 32], record: Vec<u8>| {
            bytes += record.len();
            records.push(PieceRecord { path, record });
            records.len() == 1 || bytes <= bytes_max && records.len() <= PIECE_RECORDS
        };
        for row in self.snapshot.base.records(&first, &last)? {
            let (path, record) = row?;
            while let Some((above, record)) = changed.next_if(|(above, _)| **above < path) {
                if record.as_ref().is_some_and(|record| !push(&mut records, *above, record.to_vec())) {
                    return Ok(None);
                }
            }
            // What a block changed hides what the checkpoint holds.
            let is_changed = changed.peek().is_some_and(|(above, _)| **above == path);
            if !is_changed && !push(&mut records, path, record) {
                return Ok(None);
            }
        }
        for (above, record) in changed {
            if record.as_ref().is_some_and(|record| !push(&mut records, *above, record.to_vec())) {
                return Ok(None);
            }
        }
        Ok(Some(records))
    }

    fn split(&self, id: &PageId) -> Result<Piece, StoreError> {
        let missing = |what: String| StoreError::damaged(what, "it is not there");
        let page = self.snapshot.page(id)?.ok_or_else(|| missing(format!("state page {id:?}")))?;
        let mut records = Vec::new();
        for slot in page.slots() {
            let Slot::Leaf(leaf) = slot else { continue };
            let record = self.snapshot.record_at(&leaf.path)?;
            let record = record.ok_or_else(|| missing(format!("a record below state page {id:?}")))?;
            records.push(PieceRecord { path: leaf.path, record });
        }
        Ok(Piece::Split((*page).clone(), records))
    }

    fn changed(&self) -> &Changed {
        self.changed.get_or_init(|| {
            let mut changed = BTreeMap::new();
            for layer in self.snapshot.layers.iter().rev() {
                changed.extend(layer.records.iter().map(|(path, record)| (*path, record.clone())));
            }
            changed
        })
    }
}
