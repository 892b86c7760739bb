//! Genesis documents and what follows from them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tabellion_consortium::{Genesis, Parameters};
use tabellion_fuzz::same_bytes_again;
use tabellion_ledger::{LedgerId, Roster};

fuzz_target!(|bytes: &[u8]| {
    same_bytes_again::<Parameters>(bytes);
    if let Some(roster) = same_bytes_again::<Roster>(bytes) {
        assert!((1..=roster.validators().len()).contains(&roster.quorum()));
    }
    same_bytes_again::<Genesis>(bytes);
    if let Ok(genesis) = Genesis::from_bytes(bytes) {
        assert_eq!(genesis.ledger_id(), LedgerId::of(bytes));
        assert!(!genesis.writes().is_empty());
        let _ = tabellion_machine::genesis(&genesis);
    }
});
