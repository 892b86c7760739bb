//! Optimisation notices: a backup node says that nothing in some bodies is needed any more.
//!
//! Source: X.1409 A.3 (recommended): on a ledger of identifiers "the optimization needs the help from another
//! node"; "every validator node verifies the deletion information", and only then deletes.

use serde::{Deserialize, Serialize};
use tabellion_ledger::cbor::{self, DecodeError, Reader, Wire, Writer};
use tabellion_ledger::{Context, Height, KeyId, Staged, TimeMs, View, read};

use crate::apply::Rules;
use crate::event::Event;
use crate::key::notice_key;
use crate::refusal::NoticeRefusal;

/// Blocks of one notice: they stay far below a transaction's bytes, and a node verifies them in a second.
pub const NOTICE_BLOCKS_MAX: usize = 1024;

/// A notice that the certificates recorded in some blocks are all expired or revoked (X.1409 C21).
///
/// It names the blocks by their heights, which in one ledger identify them. The certificates, which X.1409
/// leaves optional, are not in it: what a validator needs to verify it stands in its own bodies and state.
///
/// Shape: [height, ...], ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptimisationNotice(pub Vec<Height>);

impl Wire for OptimisationNotice {
    fn encode(&self, out: &mut Writer) {
        out.list(&self.0);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.list(NOTICE_BLOCKS_MAX).map(Self)
    }
}

/// The record of the latest notice for a block.
///
/// It says who gave it and when, not that it was true: every node judges that by the body. A notice was true
/// if all in the body had ended before the block that records it; one that came too early never becomes true.
///
/// Shape: [height, time (ms), submitter's key id] of the notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeRecord {
    /// The block that records the notice.
    pub height: Height,
    /// Its time.
    pub time: TimeMs,
    /// The backup node's key.
    pub submitter: KeyId,
}

impl Wire for NoticeRecord {
    fn encode(&self, out: &mut Writer) {
        out.array(3);
        self.height.encode(out);
        self.time.encode(out);
        self.submitter.encode(out);
    }

    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        input.array_exact(3)?;
        Ok(Self {
            height: Height::decode(input)?,
            time: TimeMs::decode(input)?,
            submitter: KeyId::decode(input)?,
        })
    }
}

/// The latest notice for the block at a height.
pub fn notice(view: &dyn View, height: Height) -> Option<NoticeRecord> {
    read(view, &notice_key(height))
}

/// What needs no state: blocks in ascending order, each once.
pub(crate) fn check_notice(notice: &OptimisationNotice) -> Result<(), NoticeRefusal> {
    let OptimisationNotice(heights) = notice;
    match heights.windows(2).find(|pair| pair[0] >= pair[1]) {
        Some(pair) => Err(NoticeRefusal::NotAscending { height: pair[1] }),
        None if heights.is_empty() => Err(NoticeRefusal::NoBlock),
        None => Ok(()),
    }
}

/// Records a notice. Its truth is no rule of the ledger, since a validator may have deleted the bodies.
pub(crate) fn apply_notice(
    notice: &OptimisationNotice,
    by: &KeyId,
    ctx: &Context,
    rules: &Rules<'_>,
    state: &mut Staged<'_>,
) -> Result<Event, NoticeRefusal> {
    if rules.records_certificates {
        return Err(NoticeRefusal::FullLedger);
    }
    let OptimisationNotice(heights) = notice;
    if let Some(height) = heights.last().filter(|height| **height >= ctx.height) {
        return Err(NoticeRefusal::NotYet { height: *height });
    }
    let record = NoticeRecord { height: ctx.height, time: ctx.time, submitter: *by };
    for height in heights {
        state.put(notice_key(*height), cbor::to_bytes(&record));
    }
    Ok(Event::Noticed { heights: heights.clone(), by: *by })
}

#[cfg(test)]
mod tests;
