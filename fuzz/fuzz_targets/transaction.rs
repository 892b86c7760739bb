//! Transactions: parsing, identifier, signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_ledger::{Content, Envelope, Transaction};

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<Envelope>(bytes);
    same_bytes_again::<Content>(bytes);
    let Some(transaction) = same_bytes_again::<Transaction>(bytes) else { return };
    let envelope = transaction.envelope();
    if let Some(key) = world().keys.iter().find(|key| key.id() == envelope.key_id)
        && envelope.verify(key).is_ok()
    {
        assert_eq!(transaction.content().ledger, world().ledger, "nobody signed for another ledger");
    }
    let bare = transaction.without_attachments();
    assert_eq!(bare.id(), transaction.id());
    assert_eq!(bare.record_leaf() == transaction.record_leaf(), transaction.attachments().is_empty());
    let _ = tabellion_machine::submit(bytes, &world().ledger);
});
