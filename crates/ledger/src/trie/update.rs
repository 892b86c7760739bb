//! Writing to the trie.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::page::{SLOTS, subtree_hash};
use super::{EMPTY, Leaf, MemoryPages, Page, PageId, Pages, Slot, TrieFault};
use crate::id::StateRoot;

/// What a batch of writes makes of the trie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The new root.
    pub root: StateRoot,
    /// The changed pages; `None` for one that is gone.
    pub pages: BTreeMap<PageId, Option<Arc<Page>>>,
}

type Write<'a> = (&'a [u8; 32], &'a Option<[u8; 32]>);

/// Applies writes (path to value hash; `None` removes) to the trie with this root.
///
/// Reads each page on the paths of the writes once and writes nothing: the caller keeps [`Update::pages`].
/// A write that changes nothing (removing what is absent, writing what stands there) changes no page.
///
/// Errors: [`TrieFault::MissingPage`] for a page that should be there; [`TrieFault::Root`] if the pages are
/// not those of `root`.
pub fn update(
    pages: &dyn Pages,
    root: &StateRoot,
    writes: &BTreeMap<[u8; 32], Option<[u8; 32]>>,
) -> Result<Update, TrieFault> {
    let page = root_page(pages, root)?;
    let writes: Vec<Write<'_>> = writes.iter().collect();
    let mut walk = Walk { pages, changed: BTreeMap::new() };
    let slot = walk.page(PageId::ROOT, page.as_deref(), [Slot::Empty; SLOTS], &writes)?;
    Ok(Update { root: StateRoot(slot.hash()), pages: walk.changed })
}

/// The hash of the subtree at prefix `id` over these records, all of which lie below it, and its pages.
pub(super) fn pages_over(
    id: PageId,
    writes: &BTreeMap<[u8; 32], Option<[u8; 32]>>,
) -> ([u8; 32], BTreeMap<PageId, Arc<Page>>) {
    let none = MemoryPages::default();
    let writes: Vec<Write<'_>> = writes.iter().collect();
    let mut walk = Walk { pages: &none, changed: BTreeMap::new() };
    let slot = walk.page(id, None, [Slot::Empty; SLOTS], &writes);
    let slot = slot.expect("invariant: no page is read below an empty subtree");
    (slot.hash(), walk.changed.into_iter().filter_map(|(id, page)| Some((id, page?))).collect())
}

/// The page at the top of the trie with this root; `None` for the empty trie.
pub(super) fn root_page(pages: &dyn Pages, root: &StateRoot) -> Result<Option<Arc<Page>>, TrieFault> {
    if root.0 == EMPTY {
        return Ok(None);
    }
    let page = pages.page(&PageId::ROOT).ok_or(TrieFault::MissingPage { id: PageId::ROOT })?;
    let found = StateRoot(page.hash());
    if found != *root {
        return Err(TrieFault::Root { found, expected: *root });
    }
    Ok(Some(page))
}

struct Walk<'a> {
    pages: &'a dyn Pages,
    changed: BTreeMap<PageId, Option<Arc<Page>>>,
}

impl Walk<'_> {
    /// Applies writes within one page and returns the subtree that it then stands for.
    ///
    /// `stored` is the page as it is; where there is none, `slots` says what to start from.
    fn page(
        &mut self,
        id: PageId,
        stored: Option<&Page>,
        slots: [Slot; SLOTS],
        writes: &[Write<'_>],
    ) -> Result<Slot, TrieFault> {
        let before = stored.map(Page::slots);
        let mut slots = before.unwrap_or(slots);
        for group in writes.chunk_by(|left, right| id.slot_of(left.0) == id.slot_of(right.0)) {
            let number = id.slot_of(group[0].0);
            let slot = &mut slots[usize::from(number)];
            *slot = self.slot(id, number, *slot, group)?;
        }
        let subtree = subtree_of(&slots);
        // Below the root a page with fewer than two leaves is none: the slot above says it all.
        let keep = match subtree {
            Slot::Empty => false,
            Slot::Leaf(_) => id == PageId::ROOT,
            Slot::Node(_) => true,
        };
        match (keep, before) {
            (true, Some(before)) if before == slots => {}
            (true, _) => {
                self.changed.insert(id, Some(Arc::new(Page::new(&slots))));
            }
            (false, Some(_)) => {
                self.changed.insert(id, None);
            }
            (false, None) => {}
        }
        Ok(subtree)
    }

    /// Applies writes that all pass slot `number` of page `above`.
    fn slot(
        &mut self,
        above: PageId,
        number: u8,
        slot: Slot,
        writes: &[Write<'_>],
    ) -> Result<Slot, TrieFault> {
        if let Slot::Node(_) = slot {
            let id = above.child(number);
            let page = self.pages.page(&id).ok_or(TrieFault::MissingPage { id })?;
            return self.page(id, Some(&page), [Slot::Empty; SLOTS], writes);
        }
        let old = if let Slot::Leaf(leaf) = slot { Some(leaf) } else { None };
        // The old leaf stays unless a write names its path.
        let kept = old.filter(|leaf| writes.binary_search_by_key(&&leaf.path, |write| write.0).is_err());
        let written = writes.iter().filter_map(|(path, value_hash)| leaf_of(path, value_hash));
        let mut leaves = kept.into_iter().chain(written);
        match (leaves.next(), leaves.next()) {
            (None, _) => Ok(Slot::Empty),
            (Some(leaf), None) => Ok(Slot::Leaf(leaf)),
            _ => {
                let id = above.child(number);
                let mut slots = [Slot::Empty; SLOTS];
                if let Some(leaf) = kept {
                    slots[usize::from(id.slot_of(&leaf.path))] = Slot::Leaf(leaf);
                }
                self.page(id, None, slots, writes)
            }
        }
    }
}

fn leaf_of(path: &[u8; 32], value_hash: &Option<[u8; 32]>) -> Option<Leaf> {
    value_hash.map(|value_hash| Leaf { path: *path, value_hash })
}

/// The subtree that these slots make up.
fn subtree_of(slots: &[Slot; SLOTS]) -> Slot {
    let mut used = slots.iter().filter(|slot| **slot != Slot::Empty);
    match (used.next(), used.next()) {
        (None, _) => Slot::Empty,
        (Some(leaf @ Slot::Leaf(_)), None) => *leaf,
        _ => Slot::Node(subtree_hash(slots)),
    }
}
