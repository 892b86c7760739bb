//! Moments and spans on the command line.

use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tabellion_ledger::TimeMs;

/// The present moment.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// A span: a number with `ms`, `s`, `m`, `h` or `d`; without a unit, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub Duration);

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        format!("{}ms", span.ms())
    }
}

impl Span {
    /// In milliseconds.
    pub fn ms(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit_ms = match unit {
            "ms" => 1,
            "" | "s" => 1000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return Err(format!("'{unit}' is no unit; use ms, s, m, h or d, for example 30s or 90d")),
        };
        let number: u64 =
            number.parse().map_err(|_| "expected is a span, for example 30s or 90d".to_owned())?;
        let ms = number.checked_mul(unit_ms).ok_or("the span is too long")?;
        Ok(Self(Duration::from_millis(ms)))
    }
}

/// A moment: `2027-01-31`, `2027-01-31T12:00:00Z`, or from now on: `+90d`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub TimeMs);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(span) = text.strip_prefix('+') {
            return Ok(Self(now().plus(span.parse::<Span>()?.ms())));
        }
        let full = match text.len() {
            10 => format!("{text}T00:00:00Z"),
            _ => text.to_owned(),
        };
        let expected = "expected is a moment (UTC): 2027-01-31, 2027-01-31T12:00:00Z, or +90d from now on";
        let date = der::DateTime::from_str(&full).map_err(|_| expected.to_owned())?;
        Ok(Self(TimeMs(date.unix_duration().as_secs().saturating_mul(1000))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_moments_are_read_or_refused() {
        let spans = [("5", 5000), ("250ms", 250), ("2m", 120_000), ("1h", 3_600_000), ("90d", 7_776_000_000)];
        for (text, expected) in spans {
            assert_eq!(text.parse::<Span>().unwrap().ms(), expected, "{text}");
        }
        let moments = [("1970-01-02", 86_400_000), ("2026-11-21T00:00:00Z", 1_795_219_200_000)];
        for (text, expected) in moments {
            assert_eq!(text.parse::<Moment>().unwrap().0, TimeMs(expected), "{text}");
        }
        assert!("+1d".parse::<Moment>().unwrap().0 > now());
        for text in ["", "x", "5y", "99999999999999999999"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
        for text in ["", "tomorrow", "2026-13-01", "2026-11-21 00:00:00"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
