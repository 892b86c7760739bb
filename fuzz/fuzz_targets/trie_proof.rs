//! Proofs of the state trie: one path has one value under one root.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::trie::{Terminal, TrieProof};

fuzz_target!(|bytes: &[u8]| {
    let Some(proof) = same_bytes_again::<TrieProof>(bytes) else { return };
    let (root, path, value) = world().trie();
    assert!(proof.verify(&root, &path, None).is_err(), "absence proved of a record that is there");
    if let Terminal::Leaf(leaf) = proof.terminal() {
        let holds = proof.verify(&root, &path, Some(&leaf.value_hash)).is_ok();
        assert!(!holds || leaf.value_hash == value, "another record proved");
        let _ = proof.verify(&root, &leaf.path, Some(&leaf.value_hash));
        let _ = proof.verify(&root, &leaf.path, None);
    }
});
