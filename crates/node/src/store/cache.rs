//! Pages of the state trie in memory, as of the last checkpoint.

use std::hash::{BuildHasher, BuildHasherDefault};
use std::sync::{Arc, Mutex};

use tabellion_ledger::trie::{Page, PageId};

use super::layer::{QuickHasher, QuickMap};
use super::locked;

/// Parts with a lock each, so that faces and block application seldom meet.
const PARTS: usize = 16;
/// What an entry costs beside its page: key, generation, pointers, the map's spare room. Unit: bytes, about.
const ENTRY_BYTES: usize = 120;

/// A cache bounded in bytes that many checkpoints share.
///
/// Each checkpoint begins a generation. An entry says from which generation on its page is what the database
/// holds, so a reader of an older generation never gets a newer page: it reads its own transaction instead.
///
/// What was used lately stays: a part has a young and an old half; a hit in the old half moves to the young
/// one, and when the young half is full the old one is dropped and the young one becomes the old one.
#[derive(Debug)]
pub(super) struct PageCache {
    parts: Vec<Mutex<Part>>,
    hasher: BuildHasherDefault<QuickHasher>,
    half_bytes: usize,
}

#[derive(Debug, Default)]
struct Part {
    generation: u64,
    young: QuickMap<PageId, Entry>,
    old: QuickMap<PageId, Entry>,
    young_bytes: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    from: u64,
    page: Arc<Page>,
}

impl PageCache {
    /// A cache of at most about this many bytes.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            hasher: BuildHasherDefault::default(),
            half_bytes: bytes_max / PARTS / 2,
        }
    }

    fn part(&self, id: &PageId) -> &Mutex<Part> {
        let hash = self.hasher.hash_one(id);
        // The maps within take the low and the high bits.
        &self.parts[usize::from(hash.to_le_bytes()[4]) % PARTS]
    }

    /// The page as readers of `generation` see it, if it is here.
    pub(super) fn get(&self, generation: u64, id: &PageId) -> Option<Arc<Page>> {
        let mut part = locked(self.part(id));
        if let Some(entry) = part.young.get(id) {
            return (entry.from <= generation).then(|| Arc::clone(&entry.page));
        }
        let entry = part.old.get(id).filter(|entry| entry.from <= generation)?.clone();
        let page = Arc::clone(&entry.page);
        part.keep(*id, entry, self.half_bytes);
        Some(page)
    }

    /// Keeps a page that a reader of `generation` found in the database, unless a later generation has begun.
    pub(super) fn found(&self, generation: u64, id: PageId, page: &Arc<Page>) {
        let mut part = locked(self.part(&id));
        if part.generation == generation {
            part.keep(id, Entry { from: generation, page: Arc::clone(page) }, self.half_bytes);
        }
    }

    /// Begins a generation: these pages changed in the database; `None` for one that is gone.
    ///
    /// Must be called after the database has them and before anybody reads as of `generation`.
    pub(super) fn begin<'a>(
        &self,
        generation: u64,
        changed: impl Iterator<Item = (PageId, Option<&'a Arc<Page>>)>,
    ) {
        for part in &self.parts {
            locked(part).generation = generation;
        }
        for (id, page) in changed {
            let mut part = locked(self.part(&id));
            part.forget(&id);
            if let Some(page) = page {
                part.keep(id, Entry { from: generation, page: Arc::clone(page) }, self.half_bytes);
            }
        }
    }
}

impl Part {
    fn keep(&mut self, id: PageId, entry: Entry, half_bytes: usize) {
        let bytes = entry.page.memory_bytes() + ENTRY_BYTES;
        if self.young_bytes + bytes > half_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if let Some(before) = self.young.insert(id, entry) {
            self.young_bytes -= before.page.memory_bytes() + ENTRY_BYTES;
        }
        self.young_bytes += bytes;
    }

    fn forget(&mut self, id: &PageId) {
        self.old.remove(id);
        if let Some(before) = self.young.remove(id) {
            self.young_bytes -= before.page.memory_bytes() + ENTRY_BYTES;
        }
    }
}

#[cfg(test)]
mod tests {
    use tabellion_ledger::StateRoot;
    use tabellion_ledger::trie::{MemoryPages, update};

    use super::*;

    /// A page that tells its number.
    fn page(number: u8) -> Arc<Page> {
        let writes = [([number; 32], Some([number; 32]))].into();
        let update = update(&MemoryPages::default(), &StateRoot::default(), &writes).unwrap();
        update.pages[&PageId::ROOT].clone().unwrap()
    }

    #[test]
    fn a_reader_of_an_older_checkpoint_never_gets_a_newer_page() {
        let cache = PageCache::new(1 << 20);
        let id = PageId::ROOT.child(3);
        cache.begin(1, [].into_iter());
        cache.found(1, id, &page(1));
        cache.begin(2, [(id, Some(&page(2)))].into_iter());
        assert_eq!(cache.get(1, &id), None);
        assert_eq!(cache.get(2, &id), Some(page(2)));
        cache.found(1, id, &page(1));
        assert_eq!(cache.get(2, &id), Some(page(2)), "what an old reader found is not kept");
        cache.begin(3, [(id, None)].into_iter());
        assert_eq!(cache.get(3, &id), None);
    }

    #[test]
    fn the_cache_keeps_what_is_used_and_its_bound() {
        let bytes_max = 64 * 1024;
        let cache = PageCache::new(bytes_max);
        let hot = PageId::ROOT;
        cache.found(0, hot, &page(1));
        for first in 0..16 {
            for second in 0..16 {
                for third in 0..16 {
                    cache.found(0, PageId::ROOT.child(first).child(second).child(third), &page(2));
                    assert!(cache.get(0, &hot).is_some());
                }
            }
        }
        let kept: usize =
            cache.parts.iter().map(|part| locked(part)).map(|part| part.young.len() + part.old.len()).sum();
        assert!(kept * (page(2).memory_bytes() + ENTRY_BYTES) <= bytes_max);
    }
}
