//! What the faces count.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::ocsp::Said;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Count {
    Good,
    Revoked,
    Unknown,
    Malformed,
    Internal,
    TryLater,
    Unauthorized,
    Signed,
    Kept,
    CrlSigned,
    CrlServed,
    CrlMissing,
    IkeFound,
    IkeMissing,
}

impl Count {
    pub fn of(said: Said) -> Self {
        match said {
            Said::Good => Self::Good,
            Said::Revoked { .. } => Self::Revoked,
            Said::Unknown => Self::Unknown,
        }
    }
}

/// Name of the metric, what it tells, the rows of it.
type Metric = (&'static str, &'static str, &'static [(&'static str, Count)]);

const METRICS: [Metric; 5] = [
    (
        "ocsp_certificates_total{status=",
        "Certificates that newly signed OCSP responses speak of.",
        &[("good", Count::Good), ("revoked", Count::Revoked), ("unknown", Count::Unknown)],
    ),
    (
        "ocsp_errors_total{status=",
        "OCSP responses without an answer.",
        &[
            ("malformedRequest", Count::Malformed),
            ("internalError", Count::Internal),
            ("tryLater", Count::TryLater),
            ("unauthorized", Count::Unauthorized),
        ],
    ),
    (
        "ocsp_responses_total{from=",
        "OCSP responses with an answer, signed for the request or kept.",
        &[("signature", Count::Signed), ("memory", Count::Kept)],
    ),
    (
        "crl_total{what=",
        "CRLs signed, served, and asked for in vain.",
        &[("signed", Count::CrlSigned), ("served", Count::CrlServed), ("missing", Count::CrlMissing)],
    ),
    (
        "ikev2_lookups_total{outcome=",
        "IKEv2 look-ups of certificates by SHA-1.",
        &[("found", Count::IkeFound), ("missing", Count::IkeMissing)],
    ),
];

#[derive(Debug, Default)]
pub(super) struct Counters([AtomicU64; 14]);

impl Counters {
    pub fn add(&self, what: Count) {
        self.0[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// As Prometheus text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (name, help, rows) in METRICS {
            let bare = name.split('{').next().unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = writeln!(text, "# HELP tabellion_{bare} {help}\n# TYPE tabellion_{bare} counter");
            for (label, count) in rows {
                let value = self.0[*count as usize].load(Ordering::Relaxed);
                let _ = writeln!(text, "tabellion_{name}\"{label}\"}} {value}");
            }
        }
        text
    }
}
