//! Records of the state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_consortium::Member;
use tabellion_fuzz::same_bytes_again;
use tabellion_ledger::{HistoryState, LaneState, PublicKey, TimeMs};
use tabellion_pki::{CertificateRecord, KeyRecord, Scheduled, Standing, record_hash};

fuzz_target!(|bytes: &[u8]| {
    if let Some(record) = same_bytes_again::<CertificateRecord>(bytes) {
        record_hash(&record);
        let _ = Standing::of(Some(&record), TimeMs::MAX);
    }
    same_bytes_again::<KeyRecord>(bytes);
    same_bytes_again::<Scheduled>(bytes);
    same_bytes_again::<Member>(bytes);
    same_bytes_again::<tabellion_consortium::KeyRecord>(bytes);
    if let Some(key) = same_bytes_again::<PublicKey>(bytes) {
        assert_eq!(PublicKey::from_spki(&key.to_spki()), Some(key));
    }
    if let Some(HistoryState(mut history)) = same_bytes_again::<HistoryState>(bytes) {
        history.push(history.root());
        let _ = history.root();
    }
    same_bytes_again::<LaneState>(bytes);
});
