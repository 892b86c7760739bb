use tabellion_ledger::{TransactionId, merkle};

use super::*;

const DAY_MS: u64 = 86_400_000;

fn row(number: u64) -> IndexRow {
    let hash = tabellion_ledger::sha256(&number.to_be_bytes());
    IndexRow {
        certificate: CertificateId(hash),
        key: KeyId(hash),
        subject: format!("CN=Host {number},O=Ärzte \"Nord\" 100%_"),
        issuer: format!("CN=CA {}", number % 3),
        serial: format!("{number:x}"),
        status: "normal".to_owned(),
        valid_from: TimeMs(number),
        valid_until: TimeMs((number * 7 % 50) * DAY_MS),
        height: Height(number / 10),
    }
}

/// Blocks of ten certificates each.
fn fill(index: &Index, heights: std::ops::Range<u64>) {
    for height in heights {
        let rows: Vec<_> = (height * 10..height * 10 + 10).map(row).collect();
        index.apply(Height(height), 3, &rows[..].into()).unwrap();
    }
    index.commit().unwrap();
}

fn bytes(number: u8) -> [u8; 32] {
    [number; 32]
}

fn change(certificate: u64, number: u8) -> Change {
    let evidence = tabellion_pki::Evidence {
        kind: tabellion_pki::EvidenceKind::Ocsp,
        hash: tabellion_ledger::Hash(bytes(number)),
        signer: CertificateId(bytes(90)),
        at: TimeMs(u64::from(number)),
        until: TimeMs(u64::MAX),
        number: 7.into(),
    };
    Change {
        certificate: row(certificate).certificate,
        transaction: TransactionId(bytes(100 + number)),
        submitter: KeyId(bytes(200 + number % 2)),
        reason: (number % 2 == 1).then_some(tabellion_pki::Reason::CertificateHold),
        evidence,
    }
}

fn publication(number: u8, rows: &[u64]) -> Publication {
    let (transaction, submitter) = (TransactionId(bytes(number)), KeyId(bytes(200)));
    Publication { transaction, submitter, rows: rows.iter().map(|number| row(*number)).collect() }
}

/// All pages of a question.
fn all(index: &Index, question: &Question) -> Vec<IndexRow> {
    let (mut rows, mut after) = (Vec::new(), None);
    loop {
        let page = index.query(&Question { after, ..question.clone() }).unwrap();
        assert!(page.rows.len() <= question.limit);
        rows.extend(page.rows);
        match page.next {
            Some(next) => after = Some(next.to_string().parse().unwrap()),
            None => return rows,
        }
    }
}

#[test]
fn questions_find_what_a_walk_over_all_rows_finds() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    fill(&index, 0..20);
    let rows: Vec<_> = (0..200).map(row).collect();
    let some = |text: &str| Some(text.to_owned());
    let table = [
        Question { subject: some("host 17"), ..Question::default() },
        Question { subject: some("HOST 1,"), ..Question::default() },
        Question { subject: some("ärzte \"nord\""), ..Question::default() },
        Question { subject: some("100%_"), ..Question::default() },
        Question { subject: some("%_"), ..Question::default() },
        Question { subject: some("9,"), ..Question::default() },
        Question { subject: some("_%"), ..Question::default() },
        Question { issuer: some("ca 2"), ..Question::default() },
        Question { subject: some("Host 1"), issuer: some("CN=CA 2"), ..Question::default() },
        Question { subject: some("nobody"), ..Question::default() },
        Question { subject: some("\" OR subject : \"host"), ..Question::default() },
        Question { expires_from: Some(TimeMs(3 * DAY_MS)), ..Question::default() },
        Question { expires_until: Some(TimeMs(3 * DAY_MS)), ..Question::default() },
        Question {
            expires_from: Some(TimeMs(3 * DAY_MS)),
            expires_until: Some(TimeMs(9 * DAY_MS)),
            ..Question::default()
        },
        Question { issuer: some("CA 1"), expires_until: Some(TimeMs(9 * DAY_MS)), ..Question::default() },
        Question::default(),
    ];
    for question in table {
        let holds = |text: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let mut expected: Vec<_> = rows
            .iter()
            .filter(|row| holds(&row.subject, &question.subject) && holds(&row.issuer, &question.issuer))
            .filter(|row| question.expires_from.is_none_or(|moment| row.valid_until >= moment))
            .filter(|row| question.expires_until.is_none_or(|moment| row.valid_until <= moment))
            .cloned()
            .collect();
        if question.subject.is_none() && question.issuer.is_none() {
            expected.sort_by_key(|row| row.valid_until);
        }
        for limit in [1, 7, 1_000] {
            let question = Question { limit, ..question.clone() };
            assert_eq!(all(&index, &question), expected, "{question:?}");
        }
    }
}

#[test]
fn a_new_status_replaces_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    fill(&index, 0..2);
    let revoked = IndexRow { status: "revoked".to_owned(), ..row(7) };
    index.apply(Height(2), 1, &std::slice::from_ref(&revoked).into()).unwrap();
    index.commit().unwrap();
    let question = Question { subject: Some("host 7".to_owned()), limit: 10, ..Question::default() };
    assert_eq!(all(&index, &question), [revoked]);
    assert_eq!(all(&index, &Question { limit: 100, ..Question::default() }).len(), 20);
}

#[test]
fn a_crash_loses_the_batch_under_way_and_says_from_where_to_refill() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    fill(&index, 0..5);
    index.apply(Height(5), 3, &[row(50)][..].into()).unwrap();
    assert_eq!((index.applied_height(), index.transactions()), (Some(Height(5)), 18));
    let question = Question { limit: 100, ..Question::default() };
    assert_eq!(index.query(&question).unwrap().height, Some(Height(4)), "questions see what was committed");
    drop(index);
    let index = Index::open(folder.path()).unwrap();
    assert_eq!((index.applied_height(), index.transactions()), (Some(Height(4)), 15));
    fill(&index, 5..6);
    let answer = index.query(&question).unwrap();
    assert_eq!((answer.rows.len(), answer.height), (60, Some(Height(5))));
}

#[test]
fn a_large_batch_commits_itself() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let rows: Vec<_> = (0..BATCH_ROWS as u64).map(row).collect();
    index.apply(Height(0), 1, &rows[..].into()).unwrap();
    let question = Question { limit: 1, ..Question::default() };
    assert_eq!(index.query(&question).unwrap().height, Some(Height(0)));
}

#[test]
fn blocks_are_indexed_in_order_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    assert!(matches!(
        index.apply(Height(1), 0, &IndexBlock::default()),
        Err(IndexError::Gap { found: Height(1), last: None })
    ));
    fill(&index, 0..3);
    let gap = index.apply(Height(4), 0, &IndexBlock::default());
    assert!(matches!(gap, Err(IndexError::Gap { found: Height(4), last: Some(Height(2)) })));
    index.apply(Height(1), 9, &[row(999)][..].into()).unwrap();
    assert_eq!((index.applied_height(), index.transactions()), (Some(Height(2)), 9));
}

#[test]
fn an_emptied_index_is_refilled_to_the_same_answers() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    fill(&index, 0..9);
    let question = Question { subject: Some("host".to_owned()), limit: 1_000, ..Question::default() };
    let before = index.query(&question).unwrap();
    index.apply(Height(9), 1, &[row(500)][..].into()).unwrap();
    index.clear().unwrap();
    let empty = Answer { rows: Vec::new(), next: None, height: None };
    assert_eq!((index.applied_height(), index.query(&question).unwrap()), (None, empty));
    fill(&index, 0..9);
    assert_eq!(index.query(&question).unwrap(), before);
}

#[test]
fn an_index_of_another_layout_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    fill(&index, 0..2);
    drop(index);
    let connection = Connection::open(folder.path().join(INDEX_FILE)).unwrap();
    connection.pragma_update(None, "user_version", 77).unwrap();
    drop(connection);
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.applied_height(), None);
    fill(&index, 0..2);
}

#[test]
fn a_text_that_is_no_cursor_is_refused() {
    for text in ["", "1", "1.", ".1", "a.b", "1.2.3", "-1.2"] {
        assert_eq!(text.parse::<Cursor>(), Err(CursorFault), "{text}");
    }
    let cursor: Cursor = "12.34".parse().unwrap();
    assert_eq!(cursor.to_string(), "12.34");
}

/// X.1409 C23: by issuer and serial number, by SHA-1, and what has changed under an issuer; also through a
/// cross-signed certificate of the same CA, and where a CA's name came later than its certificates.
#[test]
fn certificates_are_found_by_the_names_of_other_protocols() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let id = |number: u8| CertificateId([number; 32]);
    let hash = |number: u8| tabellion_ledger::Hash([number; 32]);
    let issued = |number: u8, issuer: u8| Issued {
        certificate: row(u64::from(number)).certificate,
        issuer: id(issuer),
        serial: vec![1, number % 4],
        sha1: [number; 20],
    };
    let named = |certificate: u8, name: u8| IssuerKey {
        certificate: id(certificate),
        name: hash(name),
        key: hash(9),
    };
    let crl = |at: u64, height: u64| CrlRow {
        issuer: id(201),
        at: TimeMs(at),
        until: TimeMs(at + 5),
        hash: hash(5),
        height: Height(height),
    };
    let block = |numbers: &[u8]| IndexBlock {
        rows: numbers.iter().map(|number| row(u64::from(*number))).collect(),
        ..IndexBlock::default()
    };
    // 1, 2 by one certificate of a CA, 5 by another one of it; 6 by another CA.
    let first = IndexBlock {
        issuers: vec![named(201, 1), named(202, 1)],
        issued: vec![issued(1, 201), issued(2, 201), issued(5, 202), issued(6, 210)],
        crls: vec![crl(10, 0)],
        ..block(&[1, 2, 5, 6])
    };
    let changed = vec![change(5, 1), change(6, 2)];
    let second = IndexBlock { changed, crls: vec![crl(20, 1), crl(15, 1)], ..IndexBlock::default() };
    let third = IndexBlock { issuers: vec![named(210, 2)], ..IndexBlock::default() };
    let ours = IssuerKey { certificate: id(250), name: hash(1), key: hash(9) };
    let theirs = IssuerKey { certificate: id(210), name: hash(0), key: hash(0) };
    let by_name = IssuerKey { certificate: id(250), name: hash(2), key: hash(9) };
    index.apply(Height(0), 1, &first).unwrap();
    index.commit().unwrap();
    let ids = |numbers: &[u64]| -> Vec<_> { numbers.iter().map(|number| row(*number).certificate).collect() };
    let found = |by: &IssuerKey, serial: &[u8]| index.issued(by, serial).unwrap().rows;
    assert_eq!(found(&ours, &[1, 1]), ids(&[1, 5]), "one number given twice, by two certificates of one CA");
    assert_eq!((found(&ours, &[1, 2]), found(&ours, &[1, 3])), (ids(&[2]), ids(&[])));
    assert_eq!((found(&theirs, &[1, 2]), found(&by_name, &[1, 2])), (ids(&[6]), ids(&[])));
    assert_eq!(index.changed(&ours).unwrap().rows, []);
    index.apply(Height(1), 1, &second).unwrap();
    index.apply(Height(2), 1, &third).unwrap();
    index.commit().unwrap();
    let changed = |by: &IssuerKey| -> Vec<_> {
        index.changed(by).unwrap().rows.into_iter().map(|row| row.certificate).collect()
    };
    assert_eq!((changed(&ours), changed(&by_name)), (ids(&[5]), ids(&[6])));
    assert_eq!(index.issued(&ours, &[1, 2]).unwrap().height, Some(Height(2)));
    assert_eq!(index.by_sha1(&[5; 20]).unwrap(), Some(row(5).certificate));
    assert_eq!(index.by_sha1(&[7; 20]).unwrap(), None);
    assert_eq!(index.recorded_crl(&ours).unwrap(), Some(crl(20, 1)));
    assert_eq!(index.recorded_crl(&theirs).unwrap(), None);
}

fn log_block(height: u64, count: u64) -> LogBlock {
    let leaf = |number: u64| LogLeaf {
        transaction: tabellion_ledger::TransactionId(tabellion_ledger::sha256(&height.to_be_bytes())),
        entry: u32::try_from(number).unwrap(),
        time: TimeMs(height * 1_000),
        leaf: tabellion_ledger::Hash(tabellion_ledger::sha256(
            &[height.to_be_bytes(), number.to_be_bytes()].concat(),
        )),
    };
    let roots = vec![(CertificateId([9; 32]), vec![1, 2, 3])];
    LogBlock { leaves: (0..count).map(leaf).collect(), roots, is_gap: false }
}

/// Blocks with 0 to 3 entries; all leaves in order.
fn fill_log(index: &Index, heights: std::ops::Range<u64>) -> Vec<tabellion_ledger::Hash> {
    let mut leaves = Vec::new();
    for height in heights {
        let log = log_block(height, height % 4);
        leaves.extend(log.leaves.iter().map(|leaf| leaf.leaf));
        index.apply(Height(height), 1, &IndexBlock { log, ..IndexBlock::default() }).unwrap();
    }
    index.commit().unwrap();
    leaves
}

/// X.1409 C25: every tree that the log ever was, from the stored nodes, against trees made from all leaves.
#[test]
fn the_log_proves_what_a_tree_over_all_leaves_proves() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let leaves = fill_log(&index, 0..20);
    let head = index.log_head().unwrap();
    let count = u64::try_from(leaves.len()).unwrap();
    assert_eq!((head.size, head.root), (count, merkle::root(&leaves)));
    assert_eq!((head.height, head.gap), (Some(Height(19)), None));
    for size in 1..=count {
        let root = merkle::root(&leaves[..usize::try_from(size).unwrap()]);
        for (place, leaf) in (0..size).zip(&leaves) {
            let path = index.log_inclusion_path(place, size).unwrap().unwrap();
            assert!(merkle::verify_inclusion(leaf, place, size, &path, &root), "{place} of {size}");
            let old_root = merkle::root(&leaves[..usize::try_from(place).unwrap()]);
            let path = index.log_consistency_path(place, size).unwrap().unwrap();
            assert!(merkle::verify_consistency(place, size, &old_root, &root, &path), "{place} in {size}");
        }
    }
    assert_eq!(index.log_inclusion_path(0, count + 1).unwrap(), None);
    assert_eq!(index.log_inclusion_path(count, count).unwrap(), None);
    assert_eq!(index.log_consistency_path(1, count + 1).unwrap(), None);
    for (place, leaf) in (0..).zip(&leaves) {
        assert_eq!(index.log_place(leaf).unwrap(), Some(place));
    }
    assert_eq!(index.log_place(&tabellion_ledger::Hash([0; 32])).unwrap(), None);
    let rows = index.log_rows(3, 4).unwrap();
    assert_eq!(rows.iter().map(|row| row.place).collect::<Vec<_>>(), [3, 4, 5, 6]);
    assert_eq!((rows[0].height, rows[0].leaf), (Height(3), log_block(3, 3).leaves[0]));
    assert_eq!(index.log_root(&CertificateId([9; 32])).unwrap(), Some(vec![1, 2, 3]));
    assert_eq!(index.log_root(&CertificateId([8; 32])).unwrap(), None);
}

#[test]
fn the_log_goes_on_after_a_crash_and_after_a_refill() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let leaves = fill_log(&index, 0..11);
    let log = log_block(11, 3);
    index.apply(Height(11), 1, &IndexBlock { log, ..IndexBlock::default() }).unwrap();
    drop(index);
    let index = Index::open(folder.path()).unwrap();
    assert_eq!(index.log_head().unwrap().root, merkle::root(&leaves), "the batch under way is gone");
    let all = [leaves, fill_log(&index, 11..17)].concat();
    let head = index.log_head().unwrap();
    assert_eq!(head.root, merkle::root(&all));
    index.clear().unwrap();
    assert_eq!(index.log_head().unwrap().root, merkle::empty_root());
    assert_eq!(fill_log(&index, 0..17), all);
    assert_eq!(index.log_head().unwrap(), head);
}

/// After a body that is gone the tree cannot go on: it would be another one than every other node's.
#[test]
fn the_log_ends_where_certificates_were_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let leaves = fill_log(&index, 0..4);
    for height in [4, 5] {
        let log = LogBlock { is_gap: true, ..LogBlock::default() };
        index.apply(Height(height), 1, &IndexBlock { log, ..IndexBlock::default() }).unwrap();
    }
    fill_log(&index, 6..8);
    let expected = |head: LogHead| (head.size, head.root, head.gap);
    let size = u64::try_from(leaves.len()).unwrap();
    let ended = (size, merkle::root(&leaves), Some(Height(4)));
    assert_eq!(expected(index.log_head().unwrap()), ended);
    drop(index);
    let index = Index::open(folder.path()).unwrap();
    fill_log(&index, 8..10);
    assert_eq!(expected(index.log_head().unwrap()), ended, "for good");
}

/// X.1409 A5: who published a certificate and each change of its status, in the order of the ledger, with the
/// block; also after a refill.
#[test]
fn what_happened_to_a_certificate_is_kept_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let id = |number| row(number).certificate;
    let blocks = [
        IndexBlock { publications: vec![publication(1, &[1, 2])], ..IndexBlock::default() },
        IndexBlock { changed: vec![change(1, 1), change(2, 3), change(1, 2)], ..IndexBlock::default() },
        IndexBlock {
            publications: vec![publication(2, &[30])],
            rows: vec![row(40)],
            changed: vec![change(1, 3), change(40, 1), change(50, 1)],
            ..IndexBlock::default()
        },
    ];
    let fill = || {
        for (height, block) in (0..).zip(&blocks) {
            index.apply(Height(height), 1, block).unwrap();
        }
        index.commit().unwrap();
    };
    fill();
    let height = Some(Height(2));
    let published = |height, number| Some((Height(height), TransactionId(bytes(number)), KeyId(bytes(200))));
    let table = [
        (1, published(0, 1), vec![(1, change(1, 1)), (1, change(1, 2)), (2, change(1, 3))]),
        (2, published(0, 1), vec![(1, change(2, 3))]),
        (30, published(3, 2), Vec::new()),
        // Its publication is gone; and nothing was ever seen of the last two.
        (40, None, vec![(2, change(40, 1))]),
        (50, None, Vec::new()),
        (60, None, Vec::new()),
    ];
    for refilled in [false, true] {
        for (number, publication, changes) in &table {
            let changes = changes.iter().map(|(height, change)| (Height(*height), *change)).collect();
            let expected = HistoryRows { publication: *publication, changes, height };
            assert_eq!(index.history(&id(*number)).unwrap(), expected, "{number}, refilled: {refilled}");
        }
        index.clear().unwrap();
        assert_eq!(index.history(&id(1)).unwrap(), HistoryRows::default());
        fill();
    }
}

/// A publication that was dropped at its start, and came again in another block.
#[test]
fn the_newest_publication_of_a_certificate_counts() {
    let folder = tempfile::tempdir().unwrap();
    let index = Index::open(folder.path()).unwrap();
    let again = Publication { rows: vec![IndexRow { height: Height(1), ..row(1) }], ..publication(2, &[]) };
    let blocks = [
        IndexBlock { publications: vec![publication(1, &[1])], ..IndexBlock::default() },
        IndexBlock { publications: vec![again], ..IndexBlock::default() },
        // A change brings the row again, and says nothing of the publication.
        IndexBlock { rows: vec![IndexRow { height: Height(1), ..row(1) }], ..IndexBlock::default() },
    ];
    for (height, block) in (0..).zip(&blocks) {
        index.apply(Height(height), 1, block).unwrap();
    }
    index.commit().unwrap();
    let found = index.history(&row(1).certificate).unwrap().publication;
    assert_eq!(found, Some((Height(1), TransactionId(bytes(2)), KeyId(bytes(200)))));
}
