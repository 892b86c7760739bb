//! Relays and deliveries: without the foreign validators' keys nobody brings anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_fuzz::{same_bytes_again, world};
use tabellion_pki::{Action, Checked, Delivery, Relay, check_recorded};

/// The header of the relay among the vectors: height 4, upon those that the other vectors prove.
const RELAY: &[u8] = include_bytes!("../seeds/relay/action-relay");

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<Delivery>(bytes);
    same_bytes_again::<Relay>(bytes);
    let Some(action) = same_bytes_again::<Action>(bytes) else { return };
    let (Action::Relay(relay), Ok(Checked::Relay(checked))) = (&action, check_recorded(&action)) else {
        return;
    };
    // Under a roster of its own anybody can bring what it likes; no ledger follows it.
    if relay.ledger != world().ledger || relay.roster != world().roster {
        return;
    }
    let Some(delivered) = checked.delivered else { return };
    if world().proved.contains(&delivered.header.hash) {
        return;
    }
    let own = Action::from_bytes(RELAY).expect("the vector is a relay");
    let Ok(Checked::Relay(own)) = check_recorded(&own) else { panic!("the vector does not hold") };
    let own = own.delivered.expect("the vector delivers");
    assert_eq!(delivered.header, own.header, "a forged header");
    assert!(delivered.results.iter().all(|result| own.results.contains(result)), "a forged result");
});
