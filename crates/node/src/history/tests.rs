use tabellion_ledger::{CertificateId, Hash, HeaderHash, KeyId, LedgerId, TimeMs, TransactionId};
use tabellion_pki::{Evidence, EvidenceKind, Reason, Window};

use super::*;

/// Blocks come every second.
fn time(height: u64) -> TimeMs {
    TimeMs(1_000_000 + height * 1000)
}

fn header(height: Height) -> Result<Option<Header>, StoreError> {
    Ok(Some(Header {
        version: 1,
        ledger: LedgerId::default(),
        height,
        previous: HeaderHash::default(),
        time: time(height.0),
        proposer: 0,
        lanes_root: Hash::default(),
        state_root: Default::default(),
        roster: Default::default(),
        next_roster: Default::default(),
        history_root: Hash::default(),
    }))
}

fn key(number: u8) -> KeyId {
    KeyId([number; 32])
}

/// A first record; it waited for its start where that lies behind the block.
fn first(published: u64, from: TimeMs, since: u64) -> CertificateRecord {
    CertificateRecord {
        status: Status::Normal,
        reason: None,
        sequence: 0,
        since_height: Height(since),
        since_time: time(since),
        validity: Window { from, until: TimeMs(9_000_000) },
        key: key(7),
        issuer: CertificateId([8; 32]),
        root: CertificateId([9; 32]),
        published_height: Height(published),
        submitter: key(1),
        evidence: None,
        previous: None,
    }
}

fn change(number: u8, reason: Option<Reason>) -> Change {
    let evidence = Evidence {
        kind: EvidenceKind::Crl,
        hash: Hash([number; 32]),
        signer: CertificateId([8; 32]),
        at: TimeMs(u64::from(number)),
        until: TimeMs(8_000_000),
        number: u64::from(number).into(),
    };
    let (transaction, submitter) = (TransactionId([number; 32]), key(number));
    Change { certificate: CertificateId([6; 32]), transaction, submitter, reason, evidence }
}

/// What the ledger made of a first record and these changes, and what the index says of it.
fn made(first: CertificateRecord, changes: &[(u64, Change)]) -> (Vec<HistoryEntry>, HistoryRows) {
    let publication = (first.published_height, TransactionId([1; 32]), first.submitter);
    let mut entries = vec![HistoryEntry { record: first, transaction: Some(publication.1) }];
    for (height, change) in changes {
        let Change { transaction, submitter, reason, evidence, .. } = change;
        let before = &entries.last().unwrap().record;
        let record = before.followed_by(*reason, *evidence, submitter, Height(*height), time(*height));
        entries.push(HistoryEntry { record, transaction: Some(*transaction) });
    }
    let changes = changes.iter().map(|(height, change)| (Height(*height), *change)).collect();
    (entries, HistoryRows { publication: Some(publication), changes, height: Some(Height(99)) })
}

fn told(rows: &HistoryRows, latest: &HistoryEntry) -> Vec<HistoryEntry> {
    history(rows, &latest.record, &header).unwrap().entries
}

/// X.1409 A5, C12: byte for byte what stood in the state, also after a wait for the start of the validity,
/// and with several changes in one block.
#[test]
fn all_records_are_made_again() {
    let hold = Some(Reason::CertificateHold);
    let table = [
        (first(5, time(2), 5), vec![]),
        (first(5, time(5), 5), vec![(6, change(2, hold)), (6, change(3, None))]),
        (first(5, time(40), 40), vec![]),
        (first(5, TimeMs(time(40).0 - 1), 40), vec![(40, change(2, hold))]),
        (first(5, TimeMs(time(39).0 + 1), 40), vec![(90, change(2, hold)), (91, change(3, None))]),
        // The members had stopped the ledger at its start.
        (first(5, time(40), 47), vec![]),
        (first(5, time(40), 47), vec![(90, change(2, hold)), (91, change(3, None))]),
        // Changed before its start: the first record is of the same block.
        (first(5, time(80), 40), vec![(40, change(2, Some(Reason::KeyCompromise)))]),
        (first(5, time(80), 40), vec![(40, change(2, hold)), (40, change(3, None))]),
        (first(5, time(80), 40), vec![(40, change(2, hold)), (60, change(3, None)), (90, change(4, hold))]),
        (first(5, time(80), 40), vec![(40, change(2, hold)), (85, change(3, None))]),
        // In the block after the last one before its start, and in the one in which it would have started.
        (first(5, time(80), 79), vec![(79, change(2, hold)), (80, change(3, None))]),
        (first(5, time(80), 80), vec![(80, change(2, hold)), (81, change(3, None))]),
        // In the next block after its publication.
        (first(5, time(80), 6), vec![(6, change(2, hold))]),
        (first(5, time(80), 5), vec![(5, change(2, hold)), (7, change(3, None))]),
        (first(0, time(0), 0), vec![(1, change(2, Some(Reason::KeyCompromise)))]),
    ];
    for (first, changes) in table {
        let (entries, rows) = made(first, &changes);
        assert_eq!(told(&rows, entries.last().unwrap()), entries, "{changes:?}");
    }
}

/// A face may hold an older state than the index has seen, or the index lag behind by one record.
#[test]
fn state_and_index_need_not_be_in_step() {
    let hold = Some(Reason::CertificateHold);
    let changes = [(6, change(2, hold)), (8, change(3, None)), (9, change(4, hold))];
    let (entries, rows) = made(first(5, time(2), 5), &changes);
    for count in 1..=entries.len() {
        assert_eq!(told(&rows, &entries[count - 1]), entries[..count], "the state is {count} records old");
    }
    let mut behind = rows.clone();
    behind.changes.pop();
    let mut expected = entries.clone();
    expected[3].transaction = None;
    assert_eq!(told(&behind, &entries[3]), expected);
    behind.changes.pop();
    assert_eq!(told(&behind, &entries[3]), expected[3..], "one in between is not known");
}

/// What the index never saw shortens the history; nothing is made up.
#[test]
fn a_record_that_cannot_be_made_again_begins_the_history() {
    let hold = Some(Reason::CertificateHold);
    let (entries, rows) = made(first(5, time(2), 5), &[(6, change(2, hold)), (8, change(3, None))]);
    let last = &entries[2..];
    let lost = HistoryRows { publication: None, ..rows.clone() };
    let other_block = Some((Height(4), TransactionId([1; 32]), key(1)));
    let other_submitter = Some((Height(5), TransactionId([1; 32]), key(2)));
    for publication in [None, other_block, other_submitter] {
        let rows = HistoryRows { publication, ..rows.clone() };
        assert_eq!(told(&rows, &entries[2]), *last, "{publication:?}");
    }
    let nothing = HistoryRows { changes: Vec::new(), ..lost };
    let latest = HistoryEntry { transaction: None, ..entries[2].clone() };
    assert_eq!(told(&nothing, &entries[2]), [latest]);
}
