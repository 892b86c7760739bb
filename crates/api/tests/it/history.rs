//! The history of a certificate: as the ledger in memory has it, and as a client gets it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tabellion_api::{Announcement, History, HistoryEntry};
use tabellion_ledger::{CertificateId, StateProof, cbor};
use tabellion_machine::{Event as LedgerEvent, HistoryAnswer};
use tabellion_pki::{CertificateRecord, Event, certificate_key, record_hash};

use crate::ask::{face, get};
use crate::status_world::StatusWorld;
use crate::world::World;

/// The records that the blocks' events tell, up to `latest`.
pub fn of(blocks: &[Announcement], id: &CertificateId, latest: &CertificateRecord) -> History {
    let mut entries = Vec::new();
    for notice in blocks.iter().flat_map(|block| block.notices.iter()) {
        let LedgerEvent::Certificate(event) = &notice.event else { continue };
        let (Event::Published { certificate, record }
        | Event::Revoked { certificate, record }
        | Event::Suspended { certificate, record }
        | Event::Resumed { certificate, record }
        | Event::Renewed { certificate, record, .. }) = event
        else {
            continue;
        };
        if certificate == id && record.sequence <= latest.sequence {
            entries.push(HistoryEntry { record: record.clone(), transaction: notice.transaction });
        }
    }
    History { entries, height: blocks.last().map(|block| block.header.height) }
}

fn records(answer: &HistoryAnswer) -> Vec<CertificateRecord> {
    let record = |bytes: &String| cbor::from_bytes(&STANDARD.decode(bytes).unwrap(), 4096).unwrap();
    answer.records.iter().map(|told| record(&told.bytes)).collect()
}

/// X.1409 A5, C8, C13: every operation with who, why and upon what evidence; the latest record is proved, and
/// each one carries the hash of the one before.
#[tokio::test]
async fn a_history_tells_every_operation() {
    let status = StatusWorld::new();
    let face = face(&status.world);
    let der = status.publish("a.example").await;
    let id = CertificateId::of(&der);
    let mut crls = Vec::new();
    for reason in [Some(6), None, Some(1)] {
        crls.push(status.change(&der, reason).await);
    }
    let answer: HistoryAnswer = get(&face, &format!("/v1/certificates/{id}/history")).await.json();
    assert_eq!((answer.certificate.clone(), answer.standing.as_str()), (id.to_string(), "revoked"));
    assert_eq!((answer.complete, answer.first_sequence), (true, Some(0)));

    let row = |told: &tabellion_machine::HistoryRecordAnswer| {
        let record = told.record.clone();
        let evidence = record.evidence.map(|evidence| (evidence.kind, evidence.hash));
        (record.sequence, record.status, record.reason, told.member.clone(), evidence)
    };
    let told: Vec<_> = answer.records.iter().map(row).collect();
    let expected: Vec<_> = [
        ("normal", None, None),
        ("suspended", Some("certificate-hold"), Some(0)),
        ("normal", None, Some(1)),
        ("revoked", Some("key-compromise"), Some(2)),
    ]
    .into_iter()
    .zip(0..)
    .map(|((status, reason, crl), sequence)| {
        let evidence = crl.map(|crl: usize| {
            ("crl".to_owned(), tabellion_ledger::Hash(tabellion_ledger::sha256(&crls[crl])).to_string())
        });
        let (reason, member) = (reason.map(str::to_owned), Some("publisher".to_owned()));
        (sequence, status.to_owned(), reason, member, evidence)
    })
    .collect();
    assert_eq!(told, expected);
    assert!(answer.records.iter().all(|told| told.transaction.is_some() && told.account.is_none()));

    let records = records(&answer);
    let links: Vec<_> = records.windows(2).map(|pair| pair[1].previous).collect();
    assert_eq!(links, records[..3].iter().map(|record| Some(record_hash(record))).collect::<Vec<_>>());
    let proof: StateProof = cbor::from_bytes(&STANDARD.decode(&answer.proof).unwrap(), 1 << 20).unwrap();
    assert_eq!(proof.key, certificate_key(&id));
    assert_eq!(proof.record, Some(cbor::to_bytes(&records[3])));

    let earlier = format!("/v1/certificates/{id}/history?below=2");
    let earlier: HistoryAnswer = get(&face, &earlier).await.json();
    assert_eq!(earlier.records, answer.records[..2]);
    assert_eq!((earlier.complete, earlier.first_sequence), (true, Some(0)));
}

#[tokio::test]
async fn an_unknown_certificate_has_no_history_and_that_is_proved() {
    let world = World::new();
    let face = face(&world);
    world.publish("a.example");
    let id = CertificateId::of(b"nothing");
    let answer: HistoryAnswer = get(&face, &format!("/v1/certificates/{id}/history")).await.json();
    let expected = ("unknown", true, None);
    assert_eq!((answer.standing.as_str(), answer.complete, answer.first_sequence), expected);
    assert_eq!(answer.records, []);
    let proof: StateProof = cbor::from_bytes(&STANDARD.decode(&answer.proof).unwrap(), 1 << 20).unwrap();
    assert_eq!((proof.key, proof.record), (certificate_key(&id), None));
    for (path, code) in
        [("ab/history", "malformed-identifier"), (&format!("{id}/history?below=x"), "malformed-query")]
    {
        let answer = get(&face, &format!("/v1/certificates/{path}")).await;
        assert_eq!((answer.status.as_u16(), answer.problem().code.as_str()), (400, code));
    }
}
