//! Which notices are recorded.

use tabellion_ledger::{LedgerId, StateKey, TransactionId};

use super::*;

/// A state without records.
struct Empty;

impl View for Empty {
    fn get(&self, _: &StateKey) -> Option<Vec<u8>> {
        None
    }

    fn transaction_height(&self, _: &TransactionId) -> Option<Height> {
        None
    }
}

const BY: KeyId = KeyId([3; 32]);

fn notice_of(heights: &[u64]) -> OptimisationNotice {
    OptimisationNotice(heights.iter().copied().map(Height).collect())
}

fn context(height: u64) -> Context {
    let (ledger, time) = (LedgerId::default(), TimeMs(height * 10));
    Context { ledger, height: Height(height), time, previous_time: time }
}

/// X.1409 C21: whether a notice is true is not asked; whether it can be one is.
#[test]
fn a_notice_names_earlier_blocks_in_order_on_a_ledger_of_identifiers() {
    let not_ascending = |height| Err(NoticeRefusal::NotAscending { height: Height(height) });
    let not_yet = |height| Err(NoticeRefusal::NotYet { height: Height(height) });
    let rows: [(&[u64], bool, Result<(), NoticeRefusal>); 7] = [
        (&[0, 3, 9], false, Ok(())),
        (&[], false, Err(NoticeRefusal::NoBlock)),
        (&[4, 4], false, not_ascending(4)),
        (&[1, 5, 2], false, not_ascending(2)),
        (&[3, 10], false, not_yet(10)),
        (&[3, 99], false, not_yet(99)),
        (&[3], true, Err(NoticeRefusal::FullLedger)),
    ];
    for (heights, records_certificates, expected) in rows {
        let rules = Rules {
            anchors: &[],
            schedule_ahead_ms_max: 0,
            evidence_age_ms_max: 0,
            records_certificates,
            link: None,
        };
        let (notice, mut state) = (notice_of(heights), Staged::over(&Empty));
        let outcome = check_notice(&notice)
            .and_then(|()| apply_notice(&notice, &BY, &context(10), &rules, &mut state).map(drop));
        assert_eq!(outcome, expected, "{heights:?}");
        for height in [0, 3, 9].map(Height) {
            let given = NoticeRecord { height: Height(10), time: TimeMs(100), submitter: BY };
            assert_eq!(super::notice(&state, height), expected.is_ok().then_some(given));
        }
    }
}

#[test]
fn a_later_notice_takes_the_place_of_an_earlier_one() {
    let rules = Rules {
        anchors: &[],
        schedule_ahead_ms_max: 0,
        evidence_age_ms_max: 0,
        records_certificates: false,
        link: None,
    };
    let mut state = Staged::over(&Empty);
    for (at, heights) in [(10, &[2, 4][..]), (20, &[4, 5])] {
        let event = apply_notice(&notice_of(heights), &BY, &context(at), &rules, &mut state).unwrap();
        let heights = heights.iter().copied().map(Height).collect();
        assert_eq!(event, Event::Noticed { heights, by: BY });
    }
    let given = [2, 4, 5].map(|height| super::notice(&state, Height(height)).unwrap().height.0);
    assert_eq!(given, [10, 20, 20]);
}
