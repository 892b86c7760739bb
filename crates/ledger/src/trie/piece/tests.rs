use super::*;
use crate::cbor::{from_bytes, to_bytes};
use crate::id::StateRoot;
use crate::trie::{MemoryPages, Pages, update};

type Records = BTreeMap<[u8; 32], Vec<u8>>;

/// Records at paths of all depths: some share 200 bits.
fn records(count: u16) -> Records {
    let mut records = Records::new();
    for number in 0..count {
        let path = sha256(&number.to_be_bytes());
        records.insert(path, number.to_be_bytes().to_vec());
        if number.is_multiple_of(7) {
            let mut near = path;
            near[25] ^= 0x10;
            records.insert(near, b"near".to_vec());
        }
    }
    records
}

fn pages_of(records: &Records) -> (MemoryPages, StateRoot) {
    let writes = records.iter().map(|(path, record)| (*path, Some(sha256(record)))).collect();
    let mut pages = MemoryPages::default();
    let update = update(&pages, &StateRoot::default(), &writes).unwrap();
    pages.apply(&update);
    (pages, update.root)
}

/// What a node serves: all records below a prefix, or its page where there are more than `most`.
fn piece(records: &Records, pages: &MemoryPages, id: &PageId, most: usize) -> Piece {
    let entry = |(path, record): (&[u8; 32], &Vec<u8>)| PieceRecord { path: *path, record: record.clone() };
    let below: Vec<_> = records.range(*id.first_path()..=id.last_path()).map(entry).collect();
    if below.len() <= most {
        return Piece::Whole(below);
    }
    let page = pages.page(id).unwrap();
    let leaves = page.slots().into_iter().filter_map(|slot| match slot {
        Slot::Leaf(leaf) => Some(entry((&leaf.path, &records[&leaf.path]))),
        _ => None,
    });
    Piece::Split((*page).clone(), leaves.collect())
}

/// X.1409 L9: a state is taken over piece by piece from anybody, and is the same in every page.
#[test]
fn the_pieces_of_a_state_make_up_the_state() {
    for (count, most) in [(1, 1), (2, 1), (40, 3), (2_000, 1), (2_000, 60), (2_000, 5_000)] {
        let state = records(count);
        let (pages, root) = pages_of(&state);
        let (mut taken_pages, mut taken) = (MemoryPages::default(), Records::new());
        let mut wanted = vec![(PageId::ROOT, root.0)];
        while let Some((id, hash)) = wanted.pop() {
            let bytes = to_bytes(&piece(&state, &pages, &id, most));
            let read: Piece = from_bytes(&bytes, bytes.len()).unwrap();
            let opened = read.open(&id, &hash).unwrap();
            taken_pages.0.extend(opened.pages);
            taken.extend(opened.records.into_iter().map(|entry| (entry.path, entry.record)));
            wanted.extend(opened.below);
        }
        assert_eq!((taken_pages, taken), (pages, state), "{count} records, {most} in a piece");
    }
}

#[test]
fn a_spoiled_piece_is_refused_with_what_is_wrong() {
    let state = records(300);
    let (pages, root) = pages_of(&state);
    let whole = || match piece(&state, &pages, &PageId::ROOT, 1_000) {
        Piece::Whole(records) => records,
        Piece::Split(..) => unreachable!(),
    };
    let open = |piece: Piece| piece.open(&PageId::ROOT, &root.0).unwrap_err();
    type Spoil = fn(&mut Vec<PieceRecord>);
    let rows: [(&str, Spoil); 4] = [
        ("a record's bit", |records| records[5].record[0] ^= 1),
        ("a record left out", |records| drop(records.remove(9))),
        ("a record too many", |records| {
            let path = [0xff; 32];
            records.push(PieceRecord { path, record: Vec::new() });
        }),
        ("another path", |records| records[0].path[31] ^= 1),
    ];
    for (what, spoil) in rows {
        let mut records = whole();
        spoil(&mut records);
        assert!(matches!(open(Piece::Whole(records)), PieceFault::Hash { .. }), "{what}");
    }
    let mut records = whole();
    records.swap(3, 4);
    let path = records[4].path;
    assert_eq!(open(Piece::Whole(records)), PieceFault::Path { path });
    let mut twice = whole();
    let again = twice[7].clone();
    twice.insert(7, again.clone());
    assert_eq!(open(Piece::Whole(twice)), PieceFault::Path { path: again.path });
    // A piece for one prefix is none for another.
    let (left, right) = (PageId::ROOT.child(3), PageId::ROOT.child(4));
    let foreign = piece(&state, &pages, &left, 1_000);
    assert!(matches!(foreign.open(&right, &root.0), Err(PieceFault::Path { .. })));
}

#[test]
fn a_page_with_a_leaf_in_a_foreign_slot_is_refused_though_its_hash_fits() {
    let state: Records = [[0x20; 32], [0xf0; 32]].map(|path| (path, vec![1])).into();
    let (pages, root) = pages_of(&state);
    let page = pages.page(&PageId::ROOT).unwrap();
    let mut slots = page.slots();
    slots.swap(2, 3);
    let moved = Page::new(&slots);
    assert_eq!(moved.hash(), root.0, "the hash says nothing about empty siblings");
    let records: Vec<_> =
        state.iter().map(|(path, record)| PieceRecord { path: *path, record: record.clone() }).collect();
    let open = |page: &Page, records: &[PieceRecord]| {
        Piece::Split(page.clone(), records.to_vec()).open(&PageId::ROOT, &root.0)
    };
    assert_eq!(open(&moved, &records), Err(PieceFault::Page { slot: 3 }));
    assert_eq!(open(&page, &records[..1]), Err(PieceFault::Records));
    slots.swap(2, 3);
    slots[2] = Slot::Node(slots[2].hash());
    assert_eq!(open(&Page::new(&slots), &records[1..]), Err(PieceFault::Page { slot: 2 }));
    assert!(open(&page, &records).is_ok());
}

#[test]
fn a_prefix_reads_back_and_covers_the_paths_below_it() {
    for text in ["", "a", "0f", "abc", &"7".repeat(63)] {
        let id: PageId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(PageId::from_key(&id.to_key()), Some(id));
        assert!(id.covers(id.first_path()) && id.covers(&id.last_path()));
        if !text.is_empty() {
            assert!(!id.covers(&[0x55; 32]));
        }
    }
    let long = "7".repeat(64);
    for text in ["g", "A ", "-", long.as_str()] {
        assert!(text.parse::<PageId>().is_err(), "{text}");
    }
}
