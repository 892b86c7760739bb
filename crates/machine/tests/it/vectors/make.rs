//! All vectors, from the ledger of [`super::chain`].

use serde_json::{Value, json};
use tabellion_consortium::roster_key;
use tabellion_ledger::{
    Algorithm, Block, CertificateId, Envelope, FinalityProof, Hash, Header, HistoryState, Lane, LaneBody,
    LaneHeader, LaneHeaderHash, LaneState, ProvedHeader, RecordProof, StateKey, StateProof, Transaction,
    Wire, cbor, merkle, sha256,
};
use tabellion_machine::ChainHeader;
use tabellion_pki::{certificate_key, certificates_of_key_key, scheduled_key};

use super::chain::{CERTIFICATES, Chain, Frozen};
use super::composed::composed;
use super::equivocation::equivocations;
use super::files::Vector;
use super::governance::governance;
use super::keys::MemberKey;
use super::lifecycle::lifecycle;
use super::pieces::pieces;

type Facts = Vec<(&'static str, Value)>;

pub fn vector<T: Wire>(name: &str, kind: &'static str, about: &str, value: &T, facts: Facts) -> Vector {
    Vector { name: name.to_owned(), kind, about: about.to_owned(), bytes: cbor::to_bytes(value), facts }
}

/// Every vector, deterministic but for the frozen certificates and signatures.
pub fn vectors(frozen: &Frozen) -> Vec<Vector> {
    let chain = Chain::new(frozen);
    let mut all = certificates(&chain);
    all.extend(keys());
    all.extend(agreement(&chain));
    all.extend(transactions(&chain));
    all.extend(blocks(&chain, frozen));
    all.extend(records(&chain));
    all.extend(state_proofs(&chain));
    all.extend(record_proofs(&chain));
    all.extend(equivocations(&chain));
    all.extend(governance(&chain));
    all.extend(pieces(&chain));
    all.extend(lifecycle(&chain));
    all.extend(composed(&chain));
    all
}

fn certificates(chain: &Chain) -> Vec<Vector> {
    let row = |(name, der): (&&str, &Vec<u8>)| Vector {
        name: (*name).to_owned(),
        kind: "Certificate",
        about: "an X.509 certificate (DER), made once".to_owned(),
        bytes: der.clone(),
        facts: vec![("certificate_id", json!(CertificateId::of(der)))],
    };
    CERTIFICATES.iter().zip(&chain.certificates).map(row).collect()
}

fn keys() -> Vec<Vector> {
    let row = |algorithm: Algorithm| {
        let key = MemberKey::new(algorithm).public();
        let name = format!("key-{}", algorithm.to_string().to_lowercase());
        let facts = vec![("key_id", json!(key.id())), ("spki", json!(hex::encode(key.to_spki())))];
        vector(&name, "PublicKey", &format!("alpha's {algorithm} key"), &key, facts)
    };
    Algorithm::ALL.map(row).into()
}

fn agreement(chain: &Chain) -> Vec<Vector> {
    let facts = vec![("quorum", json!(chain.roster.quorum())), ("roster_hash", json!(chain.roster.hash()))];
    vec![
        vector(
            "genesis",
            "Genesis",
            "four members, four validators, one trusted CA",
            &chain.document,
            vec![("ledger_id", json!(chain.ledger()))],
        ),
        vector(
            "parameters",
            "Parameters",
            "the parameters of that genesis",
            &chain.document.parameters,
            vec![],
        ),
        vector("roster", "Roster", "the roster of that genesis", &chain.roster, facts),
    ]
}

fn envelope(name: &str, key: &str, envelope: &Envelope) -> Vector {
    let signed = Envelope::signed_bytes(envelope.algorithm, &envelope.key_id, &envelope.payload);
    let facts = vec![
        ("key", json!(key)),
        ("signed", json!(hex::encode(&signed))),
        ("transaction_id", json!(envelope.transaction_id())),
    ];
    let about = format!("a signed publication, {}", envelope.algorithm);
    vector(name, "Envelope", &about, envelope, facts)
}

fn transaction_facts(transaction: &Transaction) -> Facts {
    vec![
        ("transaction_id", json!(transaction.id())),
        ("bytes_hash", json!(Hash(sha256(&transaction.to_bytes())))),
        ("record_leaf", json!(transaction.record_leaf())),
    ]
}

fn transactions(chain: &Chain) -> Vec<Vector> {
    let mut all = Vec::new();
    for (transaction, name) in chain.transactions.iter().zip(["ed25519", "es256", "ml-dsa-65"]) {
        all.push(envelope(&format!("envelope-{name}"), &format!("key-{name}"), transaction.envelope()));
    }
    let (first, third) = (&chain.transactions[0], &chain.transactions[2]);
    let plain = |name: &str, kind, about: &str, bytes: &[u8]| Vector {
        name: name.to_owned(),
        kind,
        about: about.to_owned(),
        bytes: bytes.to_vec(),
        facts: vec![],
    };
    let (bare, content) = (first.without_attachments(), first.content());
    all.extend([
        vector("content", "Content", "what envelope-ed25519 signs", content, vec![]),
        plain("action-publish", "Action", "publish one certificate", &content.action),
        plain("action-window", "Action", "publish one certificate in a window", &third.content().action),
        vector("transaction-full", "Transaction", "with its certificates", first, transaction_facts(first)),
        vector(
            "transaction-bare",
            "Transaction",
            "the same as a ledger of identifiers records it",
            &bare,
            transaction_facts(&bare),
        ),
    ]);
    all
}

fn block(name: &str, about: &str, block: &Block) -> Vector {
    let leaves: Vec<Value> = block.transactions().map(|one| json!(one.record_leaf())).collect();
    let lanes: Vec<Value> = block.lanes.iter().map(|lane| json!(lane.header.hash())).collect();
    let facts =
        vec![("digest", json!(block.digest())), ("lanes", json!(lanes)), ("record_leaves", json!(leaves))];
    vector(name, "Block", about, block, facts)
}

fn lane_header(name: &str, about: &str, header: &LaneHeader) -> Vector {
    vector(
        name,
        "LaneHeader",
        about,
        header,
        vec![("hash", json!(header.hash())), ("leaf", json!(header.leaf()))],
    )
}

fn blocks(chain: &Chain, frozen: &Frozen) -> Vec<Vector> {
    let mut all: Vec<Vector> = chain
        .blocks
        .iter()
        .enumerate()
        .map(|(height, made)| {
            let what =
                ["genesis", "one record, Ed25519", "two records, ES256 and ML-DSA-65", "empty: a heartbeat"];
            block(&format!("block-{height}"), &format!("block {height}: {}", what[height]), made)
        })
        .collect();
    for made in &chain.blocks {
        let header = &made.header;
        let facts = vec![("hash", json!(header.hash())), ("leaf", json!(header.leaf()))];
        let name = format!("header-{}", header.height);
        all.push(vector(&name, "Header", &format!("the header of block {}", header.height), header, facts));
    }
    for made in &chain.blocks[1..3] {
        let header = &made.lanes[0].header;
        let about = format!("the certificate lane's header in block {}", header.height);
        all.push(lane_header(&format!("lane-header-{}", header.height), &about, header));
    }
    all.push(block(
        "block-lanes",
        "made by hand: lanes certificate, intel, audit/3; the first record's certificates are carried",
        &three_lanes(chain, frozen),
    ));
    all
}

/// A block of three lanes as a proposal on a ledger of identifiers; only its body is true.
fn three_lanes(chain: &Chain, frozen: &Frozen) -> Block {
    let first = &chain.transactions[0];
    let sign = |name, lane| chain.sign(frozen, name, Algorithm::Ed25519, lane, vec![0x80], Vec::new());
    let body = |lane, transactions: Vec<Transaction>| {
        let header = LaneHeader {
            ledger: chain.ledger(),
            lane,
            height: chain.header().height.next(),
            time: chain.header().time,
            previous: LaneHeaderHash::default(),
            records_root: LaneBody::records_root(&transactions),
            record_count: u32::try_from(transactions.len()).unwrap(),
            latest_expiry: chain.header().time.plus(1),
            history_root: merkle::empty_root(),
        };
        LaneBody { header, transactions }
    };
    let lanes = vec![
        body(Lane::Certificate, vec![first.without_attachments()]),
        body(Lane::Intel, vec![sign("intel", Lane::Intel)]),
        body(Lane::Audit(3), vec![sign("audit", Lane::Audit(3)), sign("audit-2", Lane::Audit(3))]),
    ];
    let mut header = chain.header().clone();
    header.height = header.height.next();
    header.previous = chain.header().hash();
    header.lanes_root = Block::lanes_root(&lanes);
    let carried = vec![first.attachments().to_vec(), vec![], vec![], vec![]];
    Block { header, lanes, carried }
}

/// The whole state after block 3: a second implementation finds the same root from it.
fn records(chain: &Chain) -> Vec<Vector> {
    let mut all = Vec::new();
    let names = [
        (HistoryState::key(), "record-history", "HistoryState", "the tree over the headers before block 3"),
        (LaneState::key(Lane::Certificate), "record-lane", "LaneState", "the end of the certificate lane"),
    ];
    for (key, name, kind, about) in names {
        all.push(record(chain, &key, name, kind, about));
    }
    let ids: Vec<CertificateId> = chain.certificates.iter().map(|der| CertificateId::of(der)).collect();
    let key = tabellion_pki::Facts::of(&chain.certificates[2]).unwrap().key;
    all.extend([
        record(
            chain,
            &certificate_key(&ids[2]),
            "record-certificate",
            "CertificateRecord",
            "the first certificate",
        ),
        record(
            chain,
            &certificates_of_key_key(&key),
            "record-key",
            "KeyRecord",
            "the certificates of its key",
        ),
        record(
            chain,
            &scheduled_key(&ids[4]),
            "record-scheduled",
            "Scheduled",
            "the third certificate, which waits",
        ),
    ]);
    let records: Vec<Value> = chain
        .state
        .iter()
        .map(|(key, record)| json!([key.map, hex::encode(&key.key), hex::encode(record)]))
        .collect();
    all.push(Vector {
        name: "state-3".to_owned(),
        kind: "StateRoot",
        about: "the root of the state after block 3; `records` is all of it as [map, key, record]".to_owned(),
        bytes: chain.header().state_root.0.to_vec(),
        facts: vec![("records", json!(records))],
    });
    all
}

fn record(chain: &Chain, key: &StateKey, name: &str, kind: &'static str, about: &str) -> Vector {
    let bytes = chain.state[key].clone();
    let facts = vec![
        ("map", json!(key.map)),
        ("key", json!(hex::encode(&key.key))),
        ("path", json!(hex::encode(key.path()))),
        ("value_hash", json!(Hash(sha256(&bytes)))),
    ];
    Vector { name: name.to_owned(), kind, about: about.to_owned(), bytes, facts }
}

fn finality_facts(chain: &Chain, proof: &FinalityProof) -> Facts {
    vec![("message", json!(hex::encode(proof.message(&chain.ledger()))))]
}

fn state_proofs(chain: &Chain) -> Vec<Vector> {
    let header = chain.header();
    let finality = chain.finalise(header);
    let message = finality_facts(chain, &finality);
    let mut all = vec![
        vector(
            "finality-proof",
            "FinalityProof",
            "header 3 under the votes of validators 0, 1, 3",
            &finality,
            message,
        ),
        vector(
            "chain-header-linked",
            "ChainHeader",
            "header 2 as one link of the chain",
            &ChainHeader::Linked(chain.blocks[2].header.clone()),
            vec![],
        ),
        vector(
            "chain-header-final",
            "ChainHeader",
            "header 3 with its votes",
            &ChainHeader::Final(finality.clone()),
            vec![],
        ),
    ];
    let first = CertificateId::of(&chain.certificates[2]);
    let rows = [
        ("state-proof-inclusion", certificate_key(&first), "the record of the first certificate"),
        (
            "state-proof-exclusion",
            certificate_key(&CertificateId::of(b"no certificate")),
            "no record of an unknown certificate",
        ),
        ("state-proof-waiting", certificate_key(&CertificateId::of(&chain.certificates[4])), {
            "no record of a certificate whose publication waits"
        }),
        ("state-proof-roster", roster_key(), "the roster that finalises the next block"),
    ];
    for (name, key, about) in rows {
        let record = chain.state.get(&key).cloned();
        let trie = chain.prove(&key);
        let facts = vec![
            ("map", json!(key.map)),
            ("key", json!(hex::encode(&key.key))),
            ("path", json!(hex::encode(key.path()))),
            ("present", json!(record.is_some())),
        ];
        if name.ends_with("sion") {
            let name = name.replace("state", "trie");
            let fact = vec![("path", json!(hex::encode(key.path()))), ("root", json!(header.state_root))];
            all.push(vector(&name, "TrieProof", &format!("the trie's part of it: {about}"), &trie, fact));
        }
        let proof = StateProof { key, record, trie, finality: finality.clone() };
        all.push(vector(name, "StateProof", about, &proof, facts));
    }
    all
}

fn record_proofs(chain: &Chain) -> Vec<Vector> {
    let headers: Vec<&Header> = chain.blocks.iter().map(|block| &block.header).collect();
    let leaves: Vec<Hash> = headers[..3].iter().map(|header| header.leaf()).collect();
    let itself = ProvedHeader { finality: chain.finalise(headers[2]), older: None };
    let older = ProvedHeader {
        finality: chain.finalise(headers[3]),
        older: Some((headers[2].clone(), merkle::inclusion_path(&leaves, 2))),
    };
    let rows = [
        ("record-proof", itself, "the second record of block 2 under its own header"),
        ("record-proof-older", older.clone(), "the same under header 3, in whose history header 2 stands"),
    ];
    let mut all = vec![vector(
        "proved-header",
        "ProvedHeader",
        "header 2 under header 3",
        &older,
        vec![("hash", json!(headers[2].hash()))],
    )];
    let lane = &chain.blocks[2].lanes[0];
    let leaves: Vec<Hash> = lane.transactions.iter().map(Transaction::record_leaf).collect();
    for (name, header, about) in rows {
        let proof = RecordProof {
            header,
            lanes: vec![lane.header.hash()],
            lane: lane.header.clone(),
            record_index: 1,
            record_path: merkle::inclusion_path(&leaves, 1),
            transaction: lane.transactions[1].to_bytes(),
        };
        let facts = vec![("transaction_id", json!(lane.transactions[1].id())), ("height", json!(2))];
        all.push(vector(name, "RecordProof", about, &proof, facts));
    }
    all
}
