//! OCSP requests, from everybody.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_api::precheck_ocsp_request;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(count) = precheck_ocsp_request(bytes) {
        assert!((1..=32).contains(&count), "more certificates than are answered for");
    }
});
