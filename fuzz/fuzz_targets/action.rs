//! Actions of the certificate lane and of the consortium lane.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::same_bytes_again;
use tabellion_pki::{Action, check_recorded};

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<tabellion_consortium::Action>(bytes);
    same_bytes_again::<Action>(bytes);
    if let Ok(action) = Action::from_bytes(bytes) {
        if let Ok(checked) = check_recorded(&action) {
            let latest = checked.latest_expiry();
            let published = checked.published().iter().map(|entry| &entry.entry);
            assert!(published.clone().eq(action.published()));
            assert!(published.clone().all(|entry| entry.effective().until <= latest));
        }
    }
});
