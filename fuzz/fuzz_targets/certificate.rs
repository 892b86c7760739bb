//! The pre-check of certificates, and what is read from those that pass.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_pki::{Facts, precheck_bytes};

fuzz_target!(|bytes: &[u8]| {
    let passed = precheck_bytes(bytes).is_ok();
    let facts = Facts::of(bytes);
    assert!(!passed || facts.is_ok(), "a certificate passes the pre-check but cannot be read");
});
