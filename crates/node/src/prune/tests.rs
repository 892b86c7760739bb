//! What becomes of bodies, and what an archive gives back.

use super::*;

const END: TimeMs = TimeMs(5_000);

/// X.1409 C21, A.3: on a ledger of identifiers a forged or premature notice deletes nothing, a true one does.
#[test]
fn a_body_goes_by_a_true_notice_only_where_one_is_needed() {
    let needed = Found::NeededUntil(END);
    let (none, absent) = (None, Some(None));
    let (early, at_the_end, late) = (Some(Some(TimeMs(4_000))), Some(Some(END)), Some(Some(TimeMs(5_001))));
    let rows = [
        ("full ledger, not over", false, none, false, needed, Noticed::Fine),
        ("full ledger, over", true, none, false, Found::Ended, Noticed::Fine),
        ("not over, no notice", false, absent, false, needed, Noticed::Fine),
        ("over, no notice", true, absent, false, Found::Settled, Noticed::Awaited),
        ("not over, premature notice comes", false, early, true, needed, Noticed::Untrue),
        ("over, premature notice came once", true, early, false, Found::Settled, Noticed::Awaited),
        ("over, premature notice comes again", true, early, true, Found::Settled, Noticed::Untrue),
        ("over, notice of the last moment", true, at_the_end, true, Found::Settled, Noticed::Untrue),
        ("over, true notice comes", true, late, true, Found::Ended, Noticed::Fine),
        ("over, true notice came once", true, late, false, Found::Ended, Noticed::Fine),
        ("kept beyond its end, true notice", false, late, true, needed, Noticed::Fine),
    ];
    for (name, is_over, given, is_marked, found, noticed) in rows {
        assert_eq!(verdict(is_over, END, given, is_marked), (found, noticed), "{name}");
    }
}
