//! Frozen encodings: `vectors/` holds what the format said once, this holds the code against it.
//!
//! vectors/README.md says how they are written anew.

mod chain;
mod composed;
mod equivocation;
mod files;
mod governance;
mod keys;
mod lifecycle;
mod make;
mod pieces;

use std::collections::BTreeMap;

use tabellion_consortium::{Genesis, Parameters};
use tabellion_ledger::trie::{PageId, Piece, TrieProof};
use tabellion_ledger::{
    Block, Content, DecodeError, Envelope, Equivocation, FinalityProof, HandOver, Header, HistoryState,
    LaneHeader, LaneState, LedgerId, Outline, ProvedHeader, PublicKey, RecordProof, Roster, StateProof,
    StateRoot, Transaction, Wire, cbor,
};
use tabellion_machine::{ChainHeader, Replay};
use tabellion_pki::{
    Action, CertificateRecord, Checked, EvidenceKind, FollowedLedger, ForeignRecord, KeyRecord, NoticeRecord,
    Outbox, OutboxEntry, Scheduled, SignedStatement, Standing, check_recorded, precheck_bytes,
    precheck_evidence,
};

use files::{Vector, WRITE, expected, frozen, read, write, write_seeds};

/// More than any vector has.
const BYTES_MAX: usize = 1 << 20;

fn decode<T: Wire>(bytes: &[u8]) -> T {
    cbor::from_bytes(bytes, BYTES_MAX).unwrap()
}

fn again<T: Wire>(bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    cbor::from_bytes::<T>(bytes, BYTES_MAX).map(|value| cbor::to_bytes(&value))
}

/// The vector decoded as its type and encoded again.
fn again_as(kind: &str, bytes: &[u8]) -> Result<Vec<u8>, DecodeError> {
    match kind {
        "Certificate" | "StateRoot" | "OcspResponse" | "CertificateList" => Ok(bytes.to_vec()),
        "PublicKey" => again::<PublicKey>(bytes),
        "Genesis" => again::<Genesis>(bytes),
        "Parameters" => again::<Parameters>(bytes),
        "Roster" => again::<Roster>(bytes),
        "Envelope" => again::<Envelope>(bytes),
        "Content" => again::<Content>(bytes),
        "Action" => again::<Action>(bytes),
        "SignedStatement" => again::<SignedStatement>(bytes),
        "Transaction" => again::<Transaction>(bytes),
        "Block" => again::<Block>(bytes),
        "Header" => again::<Header>(bytes),
        "LaneHeader" => again::<LaneHeader>(bytes),
        "HistoryState" => again::<HistoryState>(bytes),
        "LaneState" => again::<LaneState>(bytes),
        "CertificateRecord" => again::<CertificateRecord>(bytes),
        "KeyRecord" => again::<KeyRecord>(bytes),
        "Scheduled" => again::<Scheduled>(bytes),
        "NoticeRecord" => again::<NoticeRecord>(bytes),
        "Outbox" => again::<Outbox>(bytes),
        "OutboxEntry" => again::<OutboxEntry>(bytes),
        "FollowedLedger" => again::<FollowedLedger>(bytes),
        "ForeignRecord" => again::<ForeignRecord>(bytes),
        "Link" => again::<tabellion_consortium::Link>(bytes),
        "FinalityProof" => again::<FinalityProof>(bytes),
        "Equivocation" => again::<Equivocation>(bytes),
        "HandOver" => again::<HandOver>(bytes),
        "ConsortiumAction" => again::<tabellion_consortium::Action>(bytes),
        "ChainHeader" => again::<ChainHeader>(bytes),
        "Piece" => again::<Piece>(bytes),
        "Outline" => again::<Outline>(bytes),
        "TrieProof" => again::<TrieProof>(bytes),
        "StateProof" => again::<StateProof>(bytes),
        "ProvedHeader" => again::<ProvedHeader>(bytes),
        "RecordProof" => again::<RecordProof>(bytes),
        other => panic!("a vector of unknown type {other}"),
    }
}

/// The format does not change by accident: what today's code makes is what stands in `vectors/`.
#[test]
fn the_vectors_are_what_the_code_makes() {
    let vectors = make::vectors(&frozen());
    let files = expected(&vectors);
    if std::env::var_os(WRITE).is_some_and(|value| value == "1") {
        write(&files);
        write_seeds(&vectors);
    }
    for (name, text) in &files {
        assert!(read(name).as_ref() == Some(text), "vectors/{name} differs from what the code makes");
    }
    let known: Vec<String> =
        files.into_iter().filter_map(|(name, _)| Some(name.strip_suffix(".hex")?.into())).collect();
    for name in frozen().into_keys() {
        assert!(known.contains(&name), "vectors/{name}.hex is no vector of ours");
    }
}

#[test]
fn every_vector_decodes_and_encodes_to_the_same_bytes() {
    for Vector { name, kind, bytes, .. } in make::vectors(&frozen()) {
        assert_eq!(again_as(kind, &bytes), Ok(bytes), "{name}");
    }
}

/// The ledger and the roster, from the genesis document alone.
fn trusted(files: &BTreeMap<String, Vec<u8>>) -> (LedgerId, Roster) {
    let document = Genesis::from_bytes(&files["genesis"]).unwrap();
    (document.ledger_id(), document.roster())
}

#[test]
fn the_frozen_signatures_hold() {
    let files = frozen();
    for name in ["ed25519", "es256", "ml-dsa-65"] {
        let key: PublicKey = decode(&files[&format!("key-{name}")]);
        let envelope: Envelope = decode(&files[&format!("envelope-{name}")]);
        assert_eq!(envelope.verify(&key), Ok(()), "{name}");
    }
    // The root is nobody's certificate to publish; chains up to it are checked in the replay below.
    for name in &chain::CERTIFICATES[1..] {
        assert_eq!(precheck_bytes(&files[*name]), Ok(()), "{name}");
    }
    let evidence = ["evidence-statement", "evidence-ocsp", "evidence-crl"];
    for (name, kind) in
        evidence.into_iter().zip([EvidenceKind::Statement, EvidenceKind::Ocsp, EvidenceKind::Crl])
    {
        assert_eq!(precheck_evidence(&files[name]), Ok(kind), "{name}");
    }
}

/// X.1409 C10, C17: a status is proved with the genesis document alone.
#[test]
fn the_frozen_proofs_hold_with_the_genesis_document_alone() {
    let files = frozen();
    let (ledger, roster) = trusted(&files);
    let finality: FinalityProof = decode(&files["finality-proof"]);
    assert_eq!(finality.verify(&ledger, &roster), Ok(()));
    let rows = [
        ("inclusion", Some(Standing::Valid)),
        ("exclusion", Some(Standing::Unknown)),
        ("waiting", Some(Standing::Unknown)),
        ("roster", None),
    ];
    for (name, standing) in rows {
        let proof: StateProof = decode(&files[&format!("state-proof-{name}")]);
        let header = proof.verify(&ledger, &roster, &proof.key).unwrap();
        if let Some(standing) = standing {
            let record = proof.record.as_deref().map(decode::<CertificateRecord>);
            assert_eq!(Standing::of(record.as_ref(), header.time), standing, "{name}");
        }
    }
    for name in ["notarize", "finalize", "nullify"] {
        let evidence: Equivocation = decode(&files[&format!("equivocation-{name}")]);
        assert_eq!(evidence.verify(&ledger, &roster.validators()[2].key), Ok(()), "{name}");
    }
    let hand_over: HandOver = decode(&files["hand-over"]);
    let (next, last) = hand_over.verify(&ledger, &roster).unwrap();
    assert_eq!((next.number(), last.0), (1, 4));
    for name in ["record-proof", "record-proof-older"] {
        let proof: RecordProof = decode(&files[name]);
        let id = Transaction::from_bytes(&proof.transaction).unwrap().id();
        let (header, _) = proof.verify(&ledger, &roster, &id).unwrap();
        assert_eq!(header.height.0, 2, "{name}");
    }
    let relay: Action = decode(&files["action-relay"]);
    let Ok(Checked::Relay(relay)) = check_recorded(&relay) else { panic!("the relay does not hold") };
    let delivered = relay.delivered.unwrap();
    assert_eq!((delivered.count, delivered.results.len(), delivered.older.unwrap().height.0), (2, 2, 3));
    let proved: ProvedHeader = decode(&files["proved-header"]);
    assert_eq!(proved.verify(&ledger, &roster).map(|header| header.height.0), Ok(2));
}

/// A state is taken over from anybody: its root says whether a piece belongs to it.
#[test]
fn the_frozen_pieces_and_outlines_are_those_of_the_frozen_headers() {
    let files = frozen();
    let root: [u8; 32] = files["state-3"].as_slice().try_into().unwrap();
    let open =
        |name: &str, id: &PageId, hash: &[u8; 32]| decode::<Piece>(&files[name]).open(id, hash).unwrap();
    let whole = open("piece-whole", &PageId::ROOT, &root);
    let split = open("piece-split", &PageId::ROOT, &root);
    let (id, hash) = split.below[0];
    let below = open("piece-below", &id, &hash);
    assert!(whole.below.is_empty() && whole.records.len() > split.records.len());
    assert!(below.records.iter().all(|entry| whole.records.contains(entry)));
    assert_eq!(whole.pages.get(&PageId::ROOT), split.pages.get(&PageId::ROOT));
    let header: Header = decode(&files["header-1"]);
    for name in ["outline", "outline-bare"] {
        assert_eq!(decode::<Outline>(&files[name]).check(&header), Ok(()), "{name}");
    }
}

/// X.1409 L1, L6: whoever has the genesis document and the blocks finds the same states.
#[test]
fn the_frozen_blocks_follow_from_the_frozen_genesis() {
    let files = frozen();
    let mut replay = Replay::new(&Genesis::from_bytes(&files["genesis"]).unwrap()).unwrap();
    assert_eq!(cbor::to_bytes(replay.header()), files["header-0"]);
    for height in 1..=3 {
        let block: Block = decode(&files[&format!("block-{height}")]);
        assert_eq!(block.check_body(), Ok(()), "block {height}");
        replay.accept(&block).unwrap();
        assert_eq!(cbor::to_bytes(replay.header()), files[&format!("header-{height}")], "block {height}");
    }
    assert_eq!(StateRoot::default().0.len(), files["state-3"].len());
    assert_eq!(replay.header().state_root.0.as_slice(), files["state-3"]);
    let by_hand: Block = decode(&files["block-lanes"]);
    assert_eq!(by_hand.check_body(), Ok(()));
}
