use super::*;

/// X.1409 C10: nothing but what is revoked for good is said on old knowledge.
#[test]
fn only_revoked_is_said_on_old_knowledge() {
    let rule = Staleness { limit_ms: 1000 };
    let stale = |age_ms| Err(Stale { age_ms, limit_ms: 1000 });
    let (normal, suspended, revoked) = (Some(Status::Normal), Some(Status::Suspended), Some(Status::Revoked));
    let rows = [
        (normal, 5_000, 5_000, Ok(())),
        (normal, 5_000, 6_000, Ok(())),
        (normal, 5_000, 6_001, stale(1_001)),
        (normal, 5_500, 5_000, Ok(())),
        (suspended, 5_000, 6_001, stale(1_001)),
        (None, 5_000, 6_001, stale(1_001)),
        (revoked, 5_000, 6_001, Ok(())),
        (revoked, 0, u64::MAX, Ok(())),
        (normal, 0, u64::MAX, stale(u64::MAX)),
    ];
    for (status, known_at, now, expected) in rows {
        assert_eq!(rule.permits(status, TimeMs(known_at), TimeMs(now)), expected, "{status:?} {now}");
    }
}
