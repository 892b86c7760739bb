use tabellion_ledger::Transaction;
use tabellion_ledger::limits::TRANSACTION_BYTES_MAX;

use crate::batches;

use super::world::{NOW, World};

/// X.1409 C2
#[test]
fn a_batch_carries_each_certificate_once_and_is_recorded() {
    let mut world = World::new();
    let publications: Vec<_> = (0..20).map(|n| world.publication(&format!("n{n}.example"))).collect();
    let transaction = world.transaction(&publications);
    assert_eq!(transaction.attachments().len(), 21, "twenty certificates and one intermediate");
    world.record(vec![transaction]);
    for publication in &publications {
        let status = world.trust.status(&world.status_proof(&publication.id()), &publication.id()).unwrap();
        assert_eq!(status.standing(None).word(), "valid");
    }
}

#[test]
fn batches_keep_the_order_and_every_limit() {
    let mut world = World::new();
    let publications: Vec<_> = (0..60).map(|n| world.publication(&format!("n{n}.example"))).collect();
    let rows = [
        ("by entries", 25, u64::MAX, vec![25, 25, 10]),
        ("more than the format's entries", 100_000, u64::MAX, vec![60]),
        ("one at a time", 0, u64::MAX, vec![1; 60]),
        ("smaller than one", 10, 1, vec![1; 60]),
    ];
    for (name, entries_max, bytes_max, expected) in rows {
        let groups = batches(publications.clone(), entries_max, bytes_max);
        assert_eq!(groups.iter().map(Vec::len).collect::<Vec<_>>(), expected, "{name}");
        let order: Vec<_> = groups.iter().flatten().map(|publication| publication.id()).collect();
        assert_eq!(order, publications.iter().map(|publication| publication.id()).collect::<Vec<_>>());
    }
    let bytes_max = 20_000;
    let groups = batches(publications, 256, bytes_max);
    assert!(groups.len() > 2);
    for group in &groups {
        let bytes = world.transaction(group).to_bytes();
        assert!(bytes.len() <= usize::try_from(bytes_max).unwrap() && bytes.len() < TRANSACTION_BYTES_MAX);
    }
}

#[test]
fn two_equal_requests_are_two_transactions_and_one_request_reads_back() {
    let mut world = World::new();
    let publications = [world.publication("a.example")];
    let (first, second) = (world.transaction(&publications), world.transaction(&publications));
    assert_ne!(first.id(), second.id());
    assert_eq!(Transaction::from_bytes(&first.to_bytes()), Ok(first.clone()));
    assert_eq!((first.submitter(), first.content().valid_until), (world.user.id(), NOW.plus(600_000)));
}
