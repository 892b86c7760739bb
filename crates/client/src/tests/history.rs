use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_consortium::key_key;
use tabellion_corpus::CrlDraft;
use tabellion_ledger::{CertificateId, Hash, Height, KeyId, TimeMs, TransactionId, cbor};
use tabellion_machine::{HeaderAnswer, HistoryAnswer, HistoryRecordAnswer, RecordAnswer};
use tabellion_pki::{
    CertificateRecord, Evidence, EvidenceKind, Reason, Status, Window, certificate, record_hash,
};

use super::rest::{client, not_found, ok, serve_by};
use super::world::{NOW, World};
use crate::{
    Certificate, ChangeRequest, ClientError, HistoryFault, HistoryRecord, LightClient, RelyingParty, Signer,
    check_history,
};

const HOLD: Option<Reason> = Some(Reason::CertificateHold);

fn evidence(number: u8) -> Evidence {
    Evidence {
        kind: EvidenceKind::Crl,
        hash: Hash([number; 32]),
        signer: CertificateId([1; 32]),
        at: TimeMs(u64::from(number)),
        until: TimeMs(9_000),
        number: u64::from(number).into(),
    }
}

fn first() -> CertificateRecord {
    CertificateRecord {
        status: Status::Normal,
        reason: None,
        sequence: 0,
        since_height: Height(5),
        since_time: TimeMs(500),
        validity: Window { from: TimeMs(100), until: TimeMs(9_000) },
        key: KeyId([2; 32]),
        issuer: CertificateId([1; 32]),
        root: CertificateId([3; 32]),
        published_height: Height(5),
        submitter: KeyId([4; 32]),
        evidence: None,
        previous: None,
    }
}

fn next(before: &CertificateRecord, reason: Option<Reason>, height: u64) -> CertificateRecord {
    let evidence = evidence(u8::try_from(height).unwrap());
    before.followed_by(reason, evidence, &KeyId([4; 32]), Height(height), TimeMs(height * 100))
}

/// Published, suspended, resumed, revoked.
fn story() -> Vec<CertificateRecord> {
    let mut records = vec![first()];
    for (reason, height) in [(HOLD, 7), (None, 7), (Some(Reason::KeyCompromise), 9)] {
        records.push(next(records.last().unwrap(), reason, height));
    }
    records
}

fn handed(records: &[CertificateRecord]) -> Vec<HistoryRecord> {
    let handed = |record: &CertificateRecord| HistoryRecord {
        record: record.clone(),
        transaction: Some(TransactionId([5; 32])),
    };
    records.iter().map(handed).collect()
}

/// The verdict on records that a node hands over, where the last one is proved.
fn verdict(records: &[CertificateRecord]) -> Result<(), HistoryFault> {
    check_history(records.last(), &handed(records), records[0].sequence)
}

/// X.1409 A5, C10: every record up to the proved one.
#[test]
fn a_history_that_leads_up_to_the_proved_record_is_believed() {
    let records = story();
    for count in 1..=records.len() {
        assert_eq!(verdict(&records[..count]), Ok(()), "{count} records");
    }
    assert_eq!(verdict(&records[2..]), Ok(()), "a node that says that it has a part alone");
    assert_eq!(check_history(None, &[], 0), Ok(()), "a certificate that is not on the ledger");
}

/// What a node can do that does not hold the validators' keys: leave out, change, put in, swap.
#[test]
fn a_history_that_a_node_shortened_or_altered_is_refused() {
    let records = story();
    let latest = records.last();
    let hash = |place: usize| record_hash(&records[place]);
    let check = |handed_over: &[CertificateRecord], first| check_history(latest, &handed(handed_over), first);
    assert_eq!(check(&[], 0), Err(HistoryFault::Count { found: 0, expected: 4 }));
    let nothing = check_history(None, &handed(&records), 0);
    assert_eq!(nothing, Err(HistoryFault::Count { found: 4, expected: 0 }));
    // The end is missing: an old history, or that of another certificate.
    let (sequence, found, proved, expected) = (2, hash(2), 3, hash(3));
    let latest_differs = HistoryFault::Latest { sequence, found, proved, expected };
    assert_eq!(check(&records[..3], 0), Err(latest_differs));
    // The beginning is missing, and the node says that there is nothing before.
    assert_eq!(check(&records[1..], 0), Err(HistoryFault::Shortened { found: 1, said: 0 }));
    // The suspension is left out.
    let without = [&records[..1], &records[2..]].concat();
    let (sequence, expected, found) = (0, Some(hash(1)), hash(0));
    assert_eq!(check(&without, 0), Err(HistoryFault::Hash { sequence, expected, found }));
    // Something is put before the beginning.
    let before = [&[first()], &records[..]].concat();
    let put_before = HistoryFault::Hash { sequence: 0, expected: None, found: hash(0) };
    assert_eq!(check(&before, 0), Err(put_before));
    // Any field of any earlier record.
    let changes: [fn(&mut CertificateRecord); 5] = [
        |record| record.submitter = KeyId([9; 32]),
        |record| record.since_height = Height(6),
        |record| record.since_time = TimeMs(501),
        |record| record.reason = Some(Reason::Superseded),
        |record| record.evidence = Some(evidence(77)),
    ];
    for change in changes {
        for place in 0..3 {
            let mut altered = records.clone();
            change(&mut altered[place]);
            let found = record_hash(&altered[place]);
            let (sequence, expected) = (altered[place].sequence, Some(hash(place)));
            let fault = HistoryFault::Hash { sequence, expected, found };
            assert_eq!(check(&altered, 0), Err(fault), "record {place}");
        }
        let mut altered = records.clone();
        change(&mut altered[3]);
        assert!(matches!(check(&altered, 0), Err(HistoryFault::Latest { .. })));
    }
}

/// Where even the hashes fit, because validators of the past wrote it: what the records say must make sense.
#[test]
fn records_that_contradict_each_other_are_refused() {
    // A chain over these records whose hashes fit.
    let chained = |records: &[CertificateRecord]| {
        let mut chain: Vec<CertificateRecord> = Vec::new();
        for record in records {
            let previous = chain.last().map(record_hash);
            chain.push(CertificateRecord { previous, ..record.clone() });
        }
        chain
    };
    let other = |field| HistoryFault::OtherCertificate { sequence: 1, field };
    let contradiction = |sequence, field| HistoryFault::Contradiction { sequence, field };
    type Change = fn(&mut Vec<CertificateRecord>);
    let table: [(Change, HistoryFault); 13] = [
        (|all| all[1].sequence = 2, HistoryFault::Gap { found: 2, before: 2 }),
        (|all| all[2].sequence = 1, HistoryFault::Gap { found: 3, before: 1 }),
        (
            |all| all[2].since_height = Height(6),
            HistoryFault::Backwards { sequence: 2, height: Height(6), before: Height(7) },
        ),
        (
            |all| all[2].since_time = TimeMs(699),
            HistoryFault::Backwards { sequence: 2, height: Height(7), before: Height(7) },
        ),
        (|all| all[0].key = KeyId([9; 32]), other("key")),
        (|all| all[0].issuer = CertificateId([9; 32]), other("issuer")),
        (|all| all[0].root = CertificateId([9; 32]), other("root")),
        (|all| all[0].validity.until = TimeMs(1), other("validity")),
        (|all| all[0].published_height = Height(4), other("publication")),
        (
            |all| {
                all[2].status = Status::Revoked;
                all[2].reason = Some(Reason::Superseded);
                all[3].status = Status::Normal;
                all[3].reason = None;
            },
            HistoryFault::AfterRevocation { sequence: 3, status: Status::Normal },
        ),
        (|all| all[3].status = Status::Suspended, contradiction(3, "the reason is another status's")),
        (
            |all| {
                all[0].status = Status::Suspended;
                all[0].reason = HOLD;
            },
            contradiction(0, "a first record is normal"),
        ),
        (|all| all[2].evidence = None, contradiction(2, "a later record has evidence, the first has none")),
    ];
    for (change, expected) in table {
        let mut records = story();
        change(&mut records);
        let records = chained(&records);
        assert_eq!(verdict(&records), Err(expected.clone()), "{expected}");
    }
    let mut early = story();
    early.iter_mut().for_each(|record| record.published_height = Height(6));
    let too_old = contradiction(0, "it is older than its publication");
    assert_eq!(verdict(&chained(&early)), Err(too_old));
    let mut later = first();
    later.sequence = 4;
    let without = contradiction(4, "a later record has evidence, the first has none");
    let claimed = CertificateRecord { previous: Some(Hash([1; 32])), ..later };
    assert_eq!(verdict(&[claimed]), Err(without));
}

/// A fault tells the compared facts.
#[test]
fn a_fault_says_which_record_and_what_was_expected() {
    let fault = HistoryFault::Hash { sequence: 3, expected: None, found: Hash([0xab; 32]) };
    let ab = "ab".repeat(32);
    let text = format!("record 3 has hash {ab}, and the record after it says that there is none before it");
    assert_eq!(fault.to_string(), text);
    let bytes = cbor::to_bytes(&first());
    assert_eq!(cbor::from_bytes::<CertificateRecord>(&bytes, 4096), Ok(first()));
}

/// A ledger on which a certificate was held and released by CRLs, and all its records.
fn recorded() -> (World, CertificateId, Vec<CertificateRecord>) {
    let mut world = World::new();
    let publication = world.publication("a.example");
    let leaf = Certificate::from_der(publication.certificates().next().unwrap()).unwrap();
    let issuer = Certificate::from_der(&world.ca.issuer().certificate).unwrap();
    let transaction = world.transaction(&[publication]);
    world.record(vec![transaction]);
    let read = |world: &World| certificate(world.ledger.state(), &leaf.id()).unwrap();
    let mut records = vec![read(&world)];
    let ledger = world.trust.ledger();
    for (number, reason) in [(1, Some(6)), (2, None), (3, Some(6)), (4, Some(1))] {
        let mut crl = CrlDraft::new(world.ca.issuer(), number, TimeMs(NOW.0 + (number - 1) * 1000));
        if reason.is_some() {
            crl.revoke(&leaf.facts.serial, reason);
        }
        let crl = crl.sign(&world.ca.issuer().key);
        let request = ChangeRequest::new((EvidenceKind::Crl, &crl), &leaf, &issuer, &ledger).unwrap();
        let signer = Signer { key: &world.user, ledger };
        let transaction = signer.change(&[request], NOW.plus(600_000)).unwrap();
        world.record(vec![transaction]);
        records.push(read(&world));
    }
    (world, leaf.id(), records)
}

/// What a node answers; its pages hold two records.
fn page(world: &World, id: &CertificateId, records: &[CertificateRecord], below: u64) -> HistoryAnswer {
    let proof = world.status_proof(id);
    let told = |record: &CertificateRecord| HistoryRecordAnswer {
        record: RecordAnswer::from(record),
        member: Some("the node's word".to_owned()),
        account: None,
        transaction: None,
        bytes: STANDARD.encode(cbor::to_bytes(record)),
    };
    let page: Vec<_> = records.iter().filter(|record| record.sequence < below).collect();
    HistoryAnswer {
        certificate: id.to_string(),
        standing: "valid".to_owned(),
        complete: true,
        first_sequence: records.first().map(|first| first.sequence),
        records: page.iter().skip(page.len().saturating_sub(2)).map(|record| told(record)).collect(),
        header: HeaderAnswer::from(&proof.finality.header),
        proof: STANDARD.encode(cbor::to_bytes(&proof)),
    }
}

/// Asks a node that hands over these records, or the true ones where there are none.
async fn ask(handed_over: Vec<CertificateRecord>) -> Result<(), ClientError> {
    let (world, id, records) = recorded();
    let is_own = handed_over.is_empty();
    let handed_over = if is_own { records.clone() } else { handed_over };
    let key = key_key(&records[0].submitter);
    let (key_path, key_proof) = (format!("/v1/state/{}/", key.map), cbor::to_bytes(&world.state_proof(key)));
    let trust = world.trust.clone();
    let server = serve_by(move |line| {
        let below = line.split("below=").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok());
        if line.contains("/history") {
            let answer = page(&world, &id, &handed_over, below.unwrap_or(u64::MAX));
            return ok(serde_json::to_vec(&answer).unwrap());
        }
        match line.contains(&key_path) {
            true => ok(key_proof.clone()),
            false => not_found(),
        }
    })
    .await;
    let mut party = RelyingParty::new(client(&[&server]), LightClient::new(trust), 600_000);
    let history = party.history(&id, NOW).await?;
    if is_own {
        let told: Vec<_> = history.records.iter().map(|one| one.record.clone()).collect();
        assert_eq!((told, history.is_complete()), (records.clone(), true));
        assert_eq!(history.status.record.as_ref(), records.last());
        let members: Vec<_> = history.submitters.values().map(|key| key.member.to_string()).collect();
        assert_eq!(members, ["alpha"], "proved, whatever the node says");
        let asked = server.asked.lock().unwrap().iter().filter(|line| line.contains("below=")).count();
        assert_eq!(asked, 2, "three pages");
    }
    Ok(())
}

/// X.1409 A5, C17: over REST, in pages, from a node that nobody trusts.
#[tokio::test]
async fn a_relying_party_gets_a_proved_history_from_any_node() {
    ask(Vec::new()).await.unwrap();
    let (.., records) = recorded();
    // Those of another ledger's certificate.
    let other = ask(records).await;
    assert!(matches!(other, Err(ClientError::History(HistoryFault::Latest { .. }))), "{other:?}");
}
