//! Status x moment: what may be relied upon.

use tabellion_ledger::{Hash, Height};

use super::*;
use crate::state::Scheduled;

/// X.1409 C10, C12, C17: only a normal certificate within its validity is valid, both ends included.
#[test]
fn only_a_normal_certificate_within_its_validity_is_valid() {
    let (from, until) = (TimeMs(2_000), TimeMs(8_999));
    let id = CertificateId::default();
    let publication = Scheduled {
        certificate: id,
        validity: Window { from, until },
        key: KeyId::default(),
        issuer: id,
        root: id,
        published_height: Height(1),
        submitter: KeyId::default(),
    };
    let first = publication.first_record(Height(2), TimeMs(1_000));
    let moments = [TimeMs(1_999), from, until, TimeMs(9_000)];
    let table = [
        (Status::Normal, [Standing::Unknown, Standing::Valid, Standing::Valid, Standing::Expired]),
        (Status::Suspended, [Standing::Suspended; 4]),
        (Status::Revoked, [Standing::Revoked; 4]),
    ];
    for (status, standings) in table {
        let record = CertificateRecord { status, previous: Some(Hash::default()), ..first.clone() };
        assert_eq!(moments.map(|at| Standing::of(Some(&record), at)), standings, "{status}");
    }
    assert_eq!(moments.map(|at| Standing::of(None, at)), [Standing::Unknown; 4]);
}
