//! The ledger of the frozen vectors: whoever mutates a proof of it gets past the first checks.

use std::sync::OnceLock;

use tabellion_consortium::Genesis;
use tabellion_ledger::{Equivocation, HandOver, Header, HeaderHash, LedgerId, PublicKey, Roster, cbor};

/// What a verifier knows, and which headers are final.
pub struct World {
    /// The ledger.
    pub ledger: LedgerId,
    /// Its roster.
    pub roster: Roster,
    /// Keys of its members.
    pub keys: Vec<PublicKey>,
    /// Headers that the vectors prove. Nothing else can be proved under this roster.
    pub proved: Vec<HeaderHash>,
    /// The only hand-over there is.
    pub hand_over: HandOver,
    /// The equivocations among the vectors. Nobody else can be convicted.
    pub convicted: Vec<Equivocation>,
}

macro_rules! vector {
    ($name:literal) => {
        bytes(include_str!(concat!("../../vectors/", $name, ".hex")))
    };
}

/// The ledger of the vectors.
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let genesis = Genesis::from_bytes(&vector!("genesis")).expect("the vector is a genesis document");
        let keys = genesis.members.iter().flat_map(|member| member.keys.clone()).collect();
        let headers = [vector!("header-2"), vector!("header-3")];
        let proved = headers.iter().map(|header| HeaderHash::of(header)).collect();
        let evidence = [
            vector!("equivocation-notarize"),
            vector!("equivocation-finalize"),
            vector!("equivocation-nullify"),
        ];
        let decode = |bytes: &Vec<u8>| cbor::from_bytes(bytes, Equivocation::BYTES_MAX);
        let convicted = evidence.iter().map(|bytes| decode(bytes).expect("the vector is evidence")).collect();
        let hand_over = vector!("hand-over");
        let hand_over = cbor::from_bytes(&hand_over, hand_over.len()).expect("the vector is a hand-over");
        World { ledger: genesis.ledger_id(), roster: genesis.roster(), keys, proved, hand_over, convicted }
    })
}

impl World {
    /// The hash in the trie under the newest state root for the record that the vector `trie-proof-inclusion`
    /// proves.
    pub fn trie(&self) -> (tabellion_ledger::StateRoot, [u8; 32], [u8; 32]) {
        let proof: tabellion_ledger::StateProof =
            cbor::from_bytes(&vector!("state-proof-inclusion"), 1 << 16)
                .expect("the vector is a state proof");
        let record =
            proof.record.as_deref().map(tabellion_ledger::sha256).expect("the vector proves a record");
        (proof.finality.header.state_root, proof.key.path(), record)
    }
}

/// The header of block 1, which an outline is checked against.
pub fn outlined() -> Header {
    let bytes = vector!("header-1");
    cbor::from_bytes(&bytes, bytes.len()).expect("the vector is a header")
}

/// The root of the state after block 3, and the vector of all its records.
pub fn whole_state() -> ([u8; 32], Vec<u8>) {
    (vector!("state-3").try_into().expect("the vector is a hash"), vector!("piece-whole"))
}

fn bytes(digits: &str) -> Vec<u8> {
    hex::decode(digits.split_whitespace().collect::<String>()).expect("a vector is hexadecimal")
}
