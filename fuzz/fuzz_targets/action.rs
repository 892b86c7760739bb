//! Actions of the certificate lane and of the consortium lane.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::same_bytes_again;
use tabellion_pki::{Action, check_recorded};

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<tabellion_consortium::Action>(bytes);
    same_bytes_again::<Action>(bytes);
    if let Ok(action) = Action::from_bytes(bytes) {
        let Action::Publish(entries) = &action;
        assert!(entries.iter().all(|entry| entry.effective().until <= action.latest_expiry()));
        assert_eq!(check_recorded(&action).is_ok_and(|checked| checked.entries.is_empty()), false);
    }
});
