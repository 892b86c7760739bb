//! Pages: four levels of the trie as one value of the store.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::{EMPTY, Update, combine, leaf_hash};

/// Subtrees at the lower edge of a page.
pub(super) const SLOTS: usize = 16;
/// Nibbles of a path, and so pages on the deepest branch.
const NIBBLES: u8 = 64;
/// Bytes of a page's head: which slots are used, which of them hold a leaf.
const HEAD_BYTES: usize = 4;
const NODE_BYTES: usize = 32;
const LEAF_BYTES: usize = 64;

/// The place of a page: the first nibbles of all paths below it.
///
/// Shape of the key: the nibbles, two in a byte, the last half byte zero if their count is odd; then a byte
/// with the count. So a page's key stands among the keys of the pages below it, and of the paths below it
/// where a store sorts those with them: what one update touches lies together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PageId {
    nibbles: u8,
    prefix: [u8; 32],
}

impl PageId {
    /// The page that holds the root.
    pub const ROOT: Self = Self { nibbles: 0, prefix: [0; 32] };

    /// Number of nibbles of the prefix.
    pub fn depth(&self) -> usize {
        usize::from(self.nibbles)
    }

    /// The page below, behind slot `nibble`.
    ///
    /// The deepest pages have none: two paths of 256 bits differ somewhere above.
    pub fn child(&self, nibble: u8) -> Self {
        assert!(self.nibbles < NIBBLES - 1 && nibble < 16, "invariant: paths differ within 64 nibbles");
        let mut child = *self;
        let half = if self.nibbles.is_multiple_of(2) { nibble << 4 } else { nibble };
        child.prefix[self.depth() / 2] |= half;
        child.nibbles += 1;
        child
    }

    /// The page above; `None` for the root's.
    pub fn parent(&self) -> Option<Self> {
        let nibbles = self.nibbles.checked_sub(1)?;
        let mut prefix = self.prefix;
        prefix[usize::from(nibbles) / 2] &= if nibbles.is_multiple_of(2) { 0x00 } else { 0xf0 };
        Some(Self { nibbles, prefix })
    }

    /// The page's key in a store.
    pub fn to_key(&self) -> Vec<u8> {
        let packed = &self.prefix[..self.depth().div_ceil(2)];
        let mut key = Vec::with_capacity(packed.len() + 1);
        key.extend_from_slice(packed);
        key.push(self.nibbles);
        key
    }

    /// The page with this key.
    pub fn from_key(key: &[u8]) -> Option<Self> {
        let (nibbles, packed) = key.split_last()?;
        let depth = usize::from(*nibbles);
        if *nibbles >= NIBBLES || packed.len() != depth.div_ceil(2) {
            return None;
        }
        if depth % 2 == 1 && packed.last()? & 0x0f != 0 {
            return None;
        }
        let mut prefix = [0; 32];
        prefix[..packed.len()].copy_from_slice(packed);
        Some(Self { nibbles: *nibbles, prefix })
    }

    /// Whether `path` lies below the page.
    pub fn covers(&self, path: &[u8; 32]) -> bool {
        *self.first_path() <= *path && *path <= self.last_path()
    }

    /// The first path below the page.
    pub fn first_path(&self) -> &[u8; 32] {
        &self.prefix
    }

    /// The last path below the page.
    pub fn last_path(&self) -> [u8; 32] {
        let mut path = self.prefix;
        let whole = self.depth().div_ceil(2);
        if !self.nibbles.is_multiple_of(2) {
            path[whole - 1] |= 0x0f;
        }
        path[whole..].fill(0xff);
        path
    }

    /// Whether no page lies below: two paths of 256 bits differ above.
    pub(super) fn is_deepest(&self) -> bool {
        self.nibbles == NIBBLES - 1
    }

    /// The slot of this page that `path` passes.
    pub(super) fn slot_of(&self, path: &[u8; 32]) -> u8 {
        let byte = path[self.depth() / 2];
        if self.nibbles.is_multiple_of(2) { byte >> 4 } else { byte & 0x0f }
    }
}

/// The prefix in hexadecimal digits; nothing for the root's page.
impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = hex::encode(self.prefix);
        f.write_str(&digits[..self.depth()])
    }
}

impl fmt::Debug for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageId({self})")
    }
}

/// Text that is no prefix: expected are at most 63 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixFault;

impl fmt::Display for PrefixFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a prefix is at most {} hexadecimal digits", NIBBLES - 1)
    }
}

impl std::error::Error for PrefixFault {}

impl FromStr for PageId {
    type Err = PrefixFault;

    fn from_str(text: &str) -> Result<Self, PrefixFault> {
        if text.len() >= usize::from(NIBBLES) {
            return Err(PrefixFault);
        }
        let nibble = |digit: char| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        text.chars().try_fold(Self::ROOT, |id, digit| Ok(id.child(nibble(digit).ok_or(PrefixFault)?)))
    }
}

/// A record's place in the trie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The record's path.
    pub path: [u8; 32],
    /// SHA-256 of the record.
    pub value_hash: [u8; 32],
}

/// A subtree at the lower edge of a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Slot {
    /// No leaf below.
    #[default]
    Empty,
    /// One leaf below.
    Leaf(Leaf),
    /// Two leaves or more: the subtree's hash; its page lies below.
    Node([u8; 32]),
}

impl Slot {
    /// The subtree's hash.
    pub(super) fn hash(&self) -> [u8; 32] {
        match self {
            Self::Empty => EMPTY,
            Self::Leaf(leaf) => leaf_hash(&leaf.path, &leaf.value_hash),
            Self::Node(hash) => *hash,
        }
    }
}

/// Bytes that are not a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageFault {
    /// Bytes found.
    pub length: usize,
}

impl fmt::Display for PageFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes are not a page of the state trie", self.length)
    }
}

impl std::error::Error for PageFault {}

/// Four levels of the trie: the 16 subtrees at their lower edge. The levels between are computed.
///
/// Shape of the bytes: used slots (16 bits, slot 0 lowest), those with a leaf (16 bits), both big-endian;
/// then for each used slot, ascending, a hash (32 bytes) or a leaf's path and value hash (64 bytes).
/// Limit: 1,028 bytes; a page that holds nodes only has 516 at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    used: u16,
    slots: Box<[Slot]>,
}

impl Page {
    pub(super) fn new(slots: &[Slot; SLOTS]) -> Self {
        let mut used = 0;
        for (number, slot) in slots.iter().enumerate() {
            if *slot != Slot::Empty {
                used |= 1 << number;
            }
        }
        Self { used, slots: slots.iter().filter(|slot| **slot != Slot::Empty).copied().collect() }
    }

    /// All slots, the empty ones too.
    pub fn slots(&self) -> [Slot; SLOTS] {
        let mut slots = [Slot::Empty; SLOTS];
        for (number, slot) in self.numbers().zip(&self.slots) {
            slots[number] = *slot;
        }
        slots
    }

    fn numbers(&self) -> impl Iterator<Item = usize> + use<> {
        let used = self.used;
        (0..SLOTS).filter(move |number| used >> number & 1 == 1)
    }

    /// The hash of the page's topmost node.
    pub fn hash(&self) -> [u8; 32] {
        subtree_hash(&self.slots())
    }

    /// Bytes that the page takes in memory, about.
    pub fn memory_bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.slots)
    }

    /// The page's bytes in a store.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.slots.len() * LEAF_BYTES);
        let mut leaves = 0_u16;
        for (number, slot) in self.numbers().zip(&self.slots) {
            if matches!(slot, Slot::Leaf(_)) {
                leaves |= 1 << number;
            }
        }
        bytes.extend_from_slice(&self.used.to_be_bytes());
        bytes.extend_from_slice(&leaves.to_be_bytes());
        for slot in &self.slots {
            match slot {
                Slot::Empty => {}
                Slot::Node(hash) => bytes.extend_from_slice(hash),
                Slot::Leaf(leaf) => {
                    bytes.extend_from_slice(&leaf.path);
                    bytes.extend_from_slice(&leaf.value_hash);
                }
            }
        }
        bytes
    }

    /// The page with these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PageFault> {
        Self::parse(bytes).ok_or(PageFault { length: bytes.len() })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<HEAD_BYTES>()?;
        let used = u16::from_be_bytes([head[0], head[1]]);
        let leaves = u16::from_be_bytes([head[2], head[3]]);
        let node_count = usize::try_from((used & !leaves).count_ones()).ok()?;
        let leaf_count = usize::try_from(leaves.count_ones()).ok()?;
        if leaves & !used != 0 || rest.len() != node_count * NODE_BYTES + leaf_count * LEAF_BYTES {
            return None;
        }
        let mut slots = Vec::with_capacity(node_count + leaf_count);
        for number in (0..SLOTS).filter(|number| used >> number & 1 == 1) {
            let (first, behind) = rest.split_first_chunk::<32>()?;
            rest = behind;
            if leaves >> number & 1 == 0 {
                slots.push(Slot::Node(*first));
                continue;
            }
            let (second, behind) = rest.split_first_chunk::<32>()?;
            rest = behind;
            slots.push(Slot::Leaf(Leaf { path: *first, value_hash: *second }));
        }
        Some(Self { used, slots: slots.into() })
    }
}

/// The hash of the subtree over these slots; their number is a power of two.
pub(super) fn subtree_hash(slots: &[Slot]) -> [u8; 32] {
    let mut hashes = [EMPTY; SLOTS];
    for (hash, slot) in hashes.iter_mut().zip(slots) {
        *hash = slot.hash();
    }
    let mut count = slots.len();
    while count > 1 {
        count /= 2;
        for number in 0..count {
            hashes[number] = combine(&hashes[2 * number], &hashes[2 * number + 1]);
        }
    }
    hashes[0]
}

/// Where pages are read from.
pub trait Pages {
    /// The page; `None` if there is none.
    ///
    /// A store that cannot read keeps the reason to itself and answers `None`: a missing page never passes
    /// for an empty one, [`super::update`] and [`super::prove`] refuse with
    /// [`super::TrieFault::MissingPage`].
    fn page(&self, id: &PageId) -> Option<Arc<Page>>;
}

/// Changed pages over a parent's: the state of a block that is not final yet.
#[derive(Clone, Copy)]
pub struct Overlay<'a> {
    /// What lies below.
    pub parent: &'a dyn Pages,
    /// Changed pages; `None` for one that is gone.
    pub pages: &'a BTreeMap<PageId, Option<Arc<Page>>>,
}

impl Pages for Overlay<'_> {
    fn page(&self, id: &PageId) -> Option<Arc<Page>> {
        match self.pages.get(id) {
            Some(changed) => changed.clone(),
            None => self.parent.page(id),
        }
    }
}

/// Pages in memory: for replay by an auditor, and for tests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryPages(pub BTreeMap<PageId, Arc<Page>>);

impl MemoryPages {
    /// Takes over what an update changed.
    pub fn apply(&mut self, update: &Update) {
        for (id, page) in &update.pages {
            match page {
                Some(page) => self.0.insert(*id, Arc::clone(page)),
                None => self.0.remove(id),
            };
        }
    }
}

impl Pages for MemoryPages {
    fn page(&self, id: &PageId) -> Option<Arc<Page>> {
        self.0.get(id).cloned()
    }
}
