//! The files of `vectors/`: one `.hex` for each vector, and `index.json` that says what each is.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};
use tabellion_corpus::{KeyKind, TestCa};

/// Set to 1, the test writes the vectors in place of holding them against the code. Changing a frozen vector
/// is a change of the format: say so in a commit of its own.
pub const WRITE: &str = "TABELLION_WRITE_VECTORS";

/// A frozen encoding.
pub struct Vector {
    /// File name without its ending.
    pub name: String,
    /// The type, as docs/format.md calls it.
    pub kind: &'static str,
    /// What it is, in a sentence.
    pub about: String,
    /// The encoding.
    pub bytes: Vec<u8>,
    /// What else a second implementation must find.
    pub facts: Vec<(&'static str, Value)>,
}

pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../vectors"))
}

/// The bytes of the frozen vectors by name; empty where there are none yet.
pub fn frozen() -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "hex") {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            found.insert(name, from_hex(&std::fs::read_to_string(path).unwrap()));
        }
    }
    found
}

fn from_hex(text: &str) -> Vec<u8> {
    hex::decode(text.split_whitespace().collect::<String>()).unwrap()
}

fn to_hex(bytes: &[u8]) -> String {
    let digits = hex::encode(bytes);
    let lines = digits.as_bytes().chunks(96).map(|line| std::str::from_utf8(line).unwrap());
    lines.map(|line| format!("{line}\n")).collect()
}

fn index(vectors: &[Vector]) -> String {
    let row = |vector: &Vector| {
        let facts: serde_json::Map<String, Value> =
            vector.facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        json!({ "name": vector.name, "type": vector.kind, "about": vector.about,
                "bytes": vector.bytes.len(), "facts": facts })
    };
    let rows: Vec<Value> = vectors.iter().map(row).collect();
    serde_json::to_string_pretty(&rows).unwrap() + "\n"
}

/// All files as they must be: name, text.
pub fn expected(vectors: &[Vector]) -> Vec<(String, String)> {
    let hex = vectors.iter().map(|vector| (format!("{}.hex", vector.name), to_hex(&vector.bytes)));
    hex.chain([("index.json".to_owned(), index(vectors))]).collect()
}

/// Writes the files.
#[expect(clippy::disallowed_methods, reason = "the one place that writes vectors, on request only")]
pub fn write(files: &[(String, String)]) {
    for (name, text) in files {
        std::fs::write(folder().join(name), text).unwrap();
    }
}

/// Where the fuzz targets start from: their types' vectors as bytes, and a certificate of each kind of key.
#[expect(clippy::disallowed_methods, reason = "seeds are written with the vectors, on request only")]
pub fn write_seeds(vectors: &[Vector]) {
    // What fuzzing found on the ledger of other vectors is signed by the same keys, and says nothing here.
    let _ = std::fs::remove_dir_all(folder().join("../fuzz/corpus"));
    for Vector { name, kind, bytes, .. } in vectors {
        let Some(target) = target(kind) else { continue };
        let target = if name == "action-relay" { "relay" } else { target };
        let seeds = folder().join("../fuzz/seeds").join(target);
        std::fs::create_dir_all(&seeds).unwrap();
        std::fs::write(seeds.join(name), bytes).unwrap();
    }
    for kind in KeyKind::ALL {
        let seed = folder().join("../fuzz/seeds/certificate").join(format!("{kind:?}").to_lowercase());
        if !seed.exists() {
            std::fs::write(seed, TestCa::new(kind).issue("seed.example")).unwrap();
        }
    }
}

/// The fuzz target that reads this type.
fn target(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Certificate" => "certificate",
        "Envelope" | "Content" | "Transaction" => "transaction",
        "Block" => "block",
        "Header" | "LaneHeader" | "ChainHeader" => "header",
        "FinalityProof" => "finality_proof",
        "Equivocation" => "equivocation",
        "HandOver" => "hand_over",
        "Piece" | "Outline" => "piece",
        "TrieProof" => "trie_proof",
        "StateProof" => "state_proof",
        "ProvedHeader" | "RecordProof" => "record_proof",
        "SignedStatement" | "OcspResponse" | "CertificateList" => "evidence",
        "Genesis" | "Parameters" | "Roster" => "genesis",
        "Action" | "ConsortiumAction" => "action",
        "HistoryState" | "LaneState" | "CertificateRecord" | "KeyRecord" | "Scheduled" | "NoticeRecord"
        | "PublicKey" | "Outbox" | "OutboxEntry" | "FollowedLedger" | "ForeignRecord" | "Link" => "records",
        _ => return None,
    })
}

pub fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(folder().join(name)).ok()
}
