//! The genesis block and the state after it.

use tabellion_consortium::Genesis;
use tabellion_ledger::trie::{self, MemoryPages};
use tabellion_ledger::{
    Block, FORMAT_VERSION, Hash, Header, HeaderHash, Height, StateRoot, Writes, merkle, sha256,
};

use crate::ruleset::{Ruleset, RulesetFault};

/// The genesis block and what the state begins with.
pub struct GenesisState {
    /// The block at height 0.
    pub block: Block,
    /// The first records.
    pub writes: Writes,
    /// The first pages of the trie.
    pub pages: MemoryPages,
    /// The first parameters, prepared.
    pub rules: Ruleset,
}

/// Makes the genesis block of a genesis document.
///
/// Errors: parameters that this program cannot follow.
pub fn genesis(document: &Genesis) -> Result<GenesisState, RulesetFault> {
    let ledger = document.ledger_id();
    let writes = document.writes();
    let hashes = writes.iter().map(|(key, record)| (key.path(), record.as_deref().map(sha256))).collect();
    let mut pages = MemoryPages::default();
    let update = trie::update(&pages, &StateRoot::default(), &hashes)
        .expect("invariant: an empty trie has no pages to miss");
    pages.apply(&update);
    let roster = document.roster().hash();
    let header = Header {
        version: FORMAT_VERSION,
        ledger,
        height: Height(0),
        previous: HeaderHash::default(),
        time: document.time,
        proposer: 0,
        lanes_root: merkle::root(&[]),
        state_root: update.root,
        roster,
        next_roster: roster,
        history_root: Hash(merkle::empty_root().0),
    };
    let anchors =
        document.anchors.iter().map(|der| tabellion_pki::TrustAnchor { certificate: der.clone() }).collect();
    let rules = Ruleset::new(ledger, document.parameters.clone(), anchors)?;
    Ok(GenesisState { block: Block { header, lanes: Vec::new(), carried: Vec::new() }, writes, pages, rules })
}
