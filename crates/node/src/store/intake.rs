//! A store that is filled from the state of other nodes, instead of by executing every block.
//!
//! It grows in a folder of its own, and a node opens it once it is whole. Whatever comes in was checked
//! before; every method writes one durable transaction, so an intake goes on where a crash left it.
//!
//! ```text
//!   headers and outlines, from genesis up --> chain.redb, history trees
//!   pieces of the state, from the root down --> pages and records; prefixes still wanted
//!   finish: bodies of the newest blocks, votes, hand-overs, the checkpoint's row
//! ```
//!
//! A newer state may be aimed at while an older one is not complete: what both have in common stays.

mod chain;

use std::path::Path;

use redb::{Database, ReadableTable, Table, TableDefinition};
use tabellion_ledger::trie::{OpenedPiece, Page, PageId};
use tabellion_ledger::{HeaderHash, Height, LedgerId, StateRoot};

use super::base::{Checkpoint, StateDatabase, record_key};
use super::chain::Chain;
use super::rows::{META, STATE, read, write};
use super::{StoreConfig, StoreError, open_databases};

pub use self::chain::{ChainEnd, Finish};

/// `state.redb` of an intake: (first path below a prefix, digits of the prefix) -> height of the state aimed
/// at, hash that the prefix must come to.
const WANTED: TableDefinition<'_, &WantedKey, (u64, &[u8; 32])> = TableDefinition::new("wanted");
/// A path and a number of digits.
type WantedKey = [u8; 33];
/// Name of the row that says which state is aimed at.
const TARGET: &str = "target";

/// The state that an intake aims at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The block's height.
    pub height: Height,
    /// Its header's hash.
    pub digest: HeaderHash,
    /// The root of the state after it.
    pub root: StateRoot,
}

/// A store that is being filled.
#[derive(Debug)]
pub struct Intake {
    chain: Database,
    state: Database,
}

type Wanted<'a> = Table<'a, &'static WantedKey, (u64, &'static [u8; 32])>;
type State<'a> = Table<'a, &'static [u8], &'static [u8]>;

impl Intake {
    /// Opens the intake in a folder, or begins one.
    pub fn open(folder: &Path, ledger: LedgerId, config: &StoreConfig) -> Result<Self, StoreError> {
        let (chain, state) = open_databases(folder, config)?;
        Chain::prepare(&chain, ledger)?;
        StateDatabase::prepare(&state, ledger)?;
        let tables = write(&state, |transaction| {
            transaction.open_table(WANTED)?;
            Ok(())
        });
        tables.map_err(|source| StoreError::Prepare { database: "state", source: Box::new(source) })?;
        Ok(Self { chain, state })
    }

    /// The state aimed at; `None` at first.
    pub fn target(&self) -> Result<Option<Target>, StoreError> {
        let row = read(&self.state, |transaction| {
            Ok(transaction.open_table(META)?.get(TARGET)?.map(|row| row.value().to_vec()))
        });
        let Some(row) = row.map_err(StoreError::look_up("the state aimed at"))? else { return Ok(None) };
        let damaged = || StoreError::damaged("the row of the state aimed at", "another length");
        let Checkpoint { height, digest, root } = Checkpoint::from_bytes(&row).ok_or_else(damaged)?;
        Ok(Some(Target { height, digest, root }))
    }

    /// Aims at a state. What is held of an older one is kept as far as it is the same.
    pub fn aim(&self, target: Target) -> Result<(), StoreError> {
        if self.target()? == Some(target) {
            return Ok(());
        }
        let Target { height, digest, root } = target;
        let written = write(&self.state, |transaction| {
            let (state, mut wanted) = (transaction.open_table(STATE)?, transaction.open_table(WANTED)?);
            want(&state, &mut wanted, height, &PageId::ROOT, &root.0)?;
            let row = Checkpoint { height, digest, root }.to_bytes();
            transaction.open_table(META)?.insert(TARGET, row.as_slice())?;
            Ok(())
        });
        written.map_err(intake_fault)
    }

    /// Prefixes that the state aimed at still wants, each with the hash that its piece must come to.
    pub fn wanted(&self) -> Result<Vec<(PageId, [u8; 32])>, StoreError> {
        let Some(target) = self.target()? else { return Ok(Vec::new()) };
        let rows = read(&self.state, |transaction| {
            let mut rows = Vec::new();
            for row in transaction.open_table(WANTED)?.iter()? {
                let (key, value) = row?;
                let (height, hash) = value.value();
                if height == target.height.0 {
                    rows.push((*key.value(), *hash));
                }
            }
            Ok(rows)
        });
        let rows = rows.map_err(StoreError::look_up("what a state wants"))?;
        let damaged = || StoreError::damaged("a row of what a state wants", "no such prefix");
        rows.into_iter().map(|(key, hash)| Ok((wanted_id(&key).ok_or_else(damaged)?, hash))).collect()
    }

    /// Takes in pieces of the state aimed at, each with its prefix. Returns the prefixes that they make
    /// wanted.
    pub fn put_pieces(
        &self,
        pieces: &[(PageId, OpenedPiece)],
    ) -> Result<Vec<(PageId, [u8; 32])>, StoreError> {
        let Some(target) = self.target()? else { return Ok(Vec::new()) };
        let written = write(&self.state, |transaction| {
            let (mut state, mut wanted) = (transaction.open_table(STATE)?, transaction.open_table(WANTED)?);
            let mut more = Vec::new();
            for (id, piece) in pieces {
                put_piece(&mut state, &mut wanted, id, piece)?;
                for (child, hash) in &piece.below {
                    if want(&state, &mut wanted, target.height, child, hash)? {
                        more.push((*child, *hash));
                    }
                }
            }
            Ok(more)
        });
        written.map_err(intake_fault)
    }
}

fn intake_fault(source: redb::Error) -> StoreError {
    StoreError::Intake { source: Box::new(source) }
}

/// Replaces what an older state has at the piece's place.
fn put_piece(
    state: &mut State<'_>,
    wanted: &mut Wanted<'_>,
    id: &PageId,
    piece: &OpenedPiece,
) -> Result<(), redb::Error> {
    wanted.remove(&wanted_key(id))?;
    if piece.below.is_empty() {
        clear(state, wanted, id)?;
    } else {
        for number in 0..16 {
            let child = id.child(number);
            if !piece.below.iter().any(|(below, _)| *below == child) {
                clear(state, wanted, &child)?;
            }
        }
    }
    for (id, page) in &piece.pages {
        state.insert(id.to_key().as_slice(), page.to_bytes().as_slice())?;
    }
    for entry in &piece.records {
        state.insert(record_key(&entry.path).as_slice(), entry.record.as_slice())?;
    }
    Ok(())
}

/// Removes all rows below a prefix.
fn clear(state: &mut State<'_>, wanted: &mut Wanted<'_>, id: &PageId) -> Result<(), redb::Error> {
    let (first, last) = (*id.first_path(), record_key(&id.last_path()));
    let is_below = |key: &[u8]| match PageId::from_key(key) {
        Some(page) => page.depth() >= id.depth() && id.covers(page.first_path()),
        None => true,
    };
    state.retain_in(first.as_slice()..=last.as_slice(), |key, _| !is_below(key))?;
    wanted.retain_in::<&WantedKey, _>(&wanted_key(id)..=&last_wanted_key(id), |key, _| {
        wanted_id(key).is_none_or(|wanted| wanted.depth() < id.depth())
    })?;
    Ok(())
}

/// Notes that a prefix is wanted, unless all below it is here from an older state. Says whether it is.
fn want(
    state: &State<'_>,
    wanted: &mut Wanted<'_>,
    height: Height,
    id: &PageId,
    hash: &[u8; 32],
) -> Result<bool, redb::Error> {
    let page = state.get(id.to_key().as_slice())?.and_then(|row| Page::from_bytes(row.value()).ok());
    let is_same = page.is_some_and(|page| page.hash() == *hash);
    if is_same && is_complete(wanted, id)? {
        return Ok(false);
    }
    wanted.insert(&wanted_key(id), (height.0, hash))?;
    Ok(true)
}

/// Whether nothing below a prefix is wanted, by whichever state.
fn is_complete(wanted: &Wanted<'_>, id: &PageId) -> Result<bool, redb::Error> {
    for row in wanted.range::<&WantedKey>(&wanted_key(id)..=&last_wanted_key(id))? {
        if wanted_id(row?.0.value()).is_some_and(|wanted| wanted.depth() >= id.depth()) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn wanted_key(id: &PageId) -> WantedKey {
    let mut key = [0; 33];
    key[..32].copy_from_slice(id.first_path());
    key[32] = u8::try_from(id.depth()).unwrap_or(u8::MAX);
    key
}

/// The greatest key below a prefix.
fn last_wanted_key(id: &PageId) -> WantedKey {
    let mut key = [u8::MAX; 33];
    key[..32].copy_from_slice(&id.last_path());
    key
}

fn wanted_id(key: &WantedKey) -> Option<PageId> {
    let depth = usize::from(key[32]);
    let path = key.get(..depth.div_ceil(2))?;
    PageId::from_key(&[path, &key[32..]].concat())
}
