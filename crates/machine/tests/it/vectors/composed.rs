//! Composed systems: what the ledger of the vectors would give out, and what another one would record of it.

use serde_json::json;
use tabellion_consortium::{Action as Governing, Change, Link, Moment, NewLink, Proposed, link_key};
use tabellion_ledger::trie::{MemoryPages, prove, update};
use tabellion_ledger::{
    CertificateId, Hash, Header, Height, LedgerId, ProvedHeader, StateKey, StateRoot, TimeMs, Wire, cbor,
    merkle, sha256,
};
use tabellion_pki::{
    Action, CertificateRecord, Complete, Delivery, FollowedLedger, ForeignHeader, ForeignRecord, Freeze,
    Outbox, OutboxEntry, ProvedRecord, Reason, Relay, Status, certificate_key, followed_ledger_key,
    foreign_record_key, outbox_entry_key, outbox_key, record_hash,
};

use super::chain::Chain;
use super::files::Vector;
use super::make::vector;

/// Two results: the first certificate's publication, and its revocation.
fn results(chain: &Chain) -> [OutboxEntry; 2] {
    let certificate = CertificateId::of(&chain.certificates[2]);
    let record: CertificateRecord =
        cbor::from_bytes(&chain.state[&certificate_key(&certificate)], 4096).unwrap();
    let published = OutboxEntry {
        certificate,
        status: record.status,
        reason: record.reason,
        sequence: record.sequence,
        since_height: record.since_height,
        since_time: record.since_time,
        validity: record.validity,
        record: record_hash(&record),
        request: Some(chain.transactions[0].id()),
    };
    let revoked = OutboxEntry {
        status: Status::Revoked,
        reason: Some(Reason::KeyCompromise),
        sequence: 1,
        since_height: chain.header().height.next(),
        since_time: chain.header().time.plus(1_000),
        record: Hash(sha256(b"the record of a revocation")),
        request: None,
        ..published.clone()
    };
    [published, revoked]
}

/// Made by hand: the header upon block 3, of a state that holds an outbox with two results and nothing else.
fn relay(chain: &Chain, [first, second]: &[OutboxEntry; 2]) -> (Relay, Header) {
    let records = [
        (outbox_key(), cbor::to_bytes(&Outbox { next: 2 })),
        (outbox_entry_key(0), cbor::to_bytes(first)),
        (outbox_entry_key(1), cbor::to_bytes(second)),
    ];
    let hashes = records.iter().map(|(key, record)| (key.path(), Some(sha256(record)))).collect();
    let mut pages = MemoryPages::default();
    let made = update(&pages, &StateRoot::default(), &hashes).unwrap();
    pages.apply(&made);
    let [outbox, first, second] = records.map(|(key, record)| ProvedRecord {
        trie: prove(&pages, &made.root, &key.path()).unwrap(),
        record: Some(record),
    });
    let newest = chain.header();
    let leaves: Vec<Hash> = chain.blocks.iter().map(|block| block.header.leaf()).collect();
    let header = Header {
        height: newest.height.next(),
        previous: newest.hash(),
        time: newest.time.plus(1_000),
        state_root: made.root,
        history_root: merkle::root(&leaves),
        ..newest.clone()
    };
    let older = Some((newest.clone(), merkle::inclusion_path(&leaves, 3)));
    let proved = ProvedHeader { finality: chain.finalise(&header), older };
    let delivery = Delivery { header: proved, outbox, first: 0, results: vec![first, second] };
    let (ledger, roster) = (chain.ledger(), chain.roster.clone());
    (Relay { ledger, roster, hand_overs: Vec::new(), delivery: Some(delivery) }, header)
}

pub fn composed(chain: &Chain) -> Vec<Vector> {
    let results = results(chain);
    let (relay, header) = relay(chain, &results);
    let (ledger, time) = (chain.ledger(), header.time);
    let frozen = FollowedLedger {
        generation: 1,
        roster: chain.roster.clone(),
        newest: Some(ForeignHeader::from(&header)),
        next: 2,
        complete: Some(Complete { height: header.height, time }),
        frozen: Some(Freeze {
            since_height: Height(9),
            since_time: time.plus(5_000),
            height: header.height,
            known: header.hash(),
            found: chain.header().hash(),
        }),
    };
    let foreign = ForeignRecord {
        generation: 1,
        number: 1,
        result: results[1].clone(),
        proved_height: header.height,
        since_height: Height(8),
        since_time: time.plus(2_000),
        submitter: chain.transactions[0].submitter(),
    };
    let link = Link {
        ledger,
        name: "vectors".to_owned(),
        roster: chain.roster.clone(),
        stale_after_ms: 3_600_000,
        generation: 1,
        since: Moment { height: Height(7), time },
        ended: None,
    };
    let certificate = results[0].certificate;
    let facts = vec![("hash", json!(header.hash())), ("state_root", json!(header.state_root))];
    vec![
        record("record-outbox", "Outbox", "two results are numbered", &Outbox { next: 2 }, &outbox_key()),
        record("record-result", "OutboxEntry", "the first result", &results[0], &outbox_entry_key(0)),
        vector(
            "action-relay",
            "Action",
            "made by hand: two results under a header upon block 3",
            &Action::Relay(Box::new(relay)),
            facts,
        ),
        record(
            "record-foreign",
            "ForeignRecord",
            "what another ledger records of the second result",
            &foreign,
            &foreign_record_key(&ledger, &certificate),
        ),
        record(
            "record-followed",
            "FollowedLedger",
            "what another ledger knows of this one; frozen",
            &frozen,
            &followed_ledger_key(&ledger),
        ),
        record("record-link", "Link", "that another ledger follows this one", &link, &link_key(&ledger)),
        vector(
            "consortium-propose-follow",
            "ConsortiumAction",
            "propose to follow a ledger",
            &follow(chain),
            vec![],
        ),
    ]
}

fn follow(chain: &Chain) -> Governing {
    let new = NewLink {
        ledger: LedgerId(sha256(b"another genesis document")),
        name: "abroad".to_owned(),
        roster: chain.roster.clone(),
        stale_after_ms: 600_000,
    };
    Governing::Propose(Proposed {
        change: Change::FollowLedger(new),
        reason: "their users meet ours".to_owned(),
        deadline: TimeMs(chain.header().time.0 + 86_400_000),
        effect: Height(0),
    })
}

fn record<T: Wire>(name: &str, kind: &'static str, about: &str, value: &T, key: &StateKey) -> Vector {
    let facts = vec![
        ("map", json!(key.map)),
        ("key", json!(hex::encode(&key.key))),
        ("path", json!(hex::encode(key.path()))),
        ("value_hash", json!(Hash(sha256(&cbor::to_bytes(value))))),
    ];
    vector(name, kind, about, value, facts)
}
