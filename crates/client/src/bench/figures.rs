//! Latencies and their percentiles.

use std::time::Duration;

use serde::Serialize;

/// Measured latencies.
#[derive(Clone, Debug, Default)]
pub struct Latency(Vec<Duration>);

/// Percentiles of latencies. Unit: ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Percentiles {
    /// Half are below.
    pub p50_ms: f64,
    /// Nine of ten are below.
    pub p90_ms: f64,
    /// 99 of a hundred are below.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latency {
    /// Adds a measurement.
    pub fn push(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    /// Adds the measurements of another.
    pub fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// Number of measurements.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The percentiles, by nearest rank; zeros without measurements.
    pub fn percentiles(&self) -> Percentiles {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = |percent: usize| {
            let rank = (sorted.len() * percent).div_ceil(100).max(1);
            sorted.get(rank - 1).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
        };
        Percentiles { p50_ms: at(50), p90_ms: at(90), p99_ms: at(99), max_ms: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_nearest_rank() {
        let mut latency = Latency::default();
        assert_eq!(latency.percentiles(), Percentiles::default());
        for ms in (1..=100).rev() {
            latency.push(Duration::from_millis(ms));
        }
        let expected = Percentiles { p50_ms: 50.0, p90_ms: 90.0, p99_ms: 99.0, max_ms: 100.0 };
        assert_eq!(latency.percentiles(), expected);
    }
}
