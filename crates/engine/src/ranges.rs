//! Which heights a store holds, as ranges without gaps.

use std::collections::BTreeMap;

/// A set of heights, kept as ranges that do not touch each other.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds the heights from `first` to `last`, both included.
    pub(crate) fn insert(&mut self, first: u64, last: u64) {
        debug_assert!(first <= last);
        let (mut start, mut end) = (first, last);
        // Every range that begins at or before the height after `last` and reaches the one before `first` is
        // taken in.
        let touching: Vec<u64> = self
            .0
            .range(..=last.saturating_add(1))
            .rev()
            .take_while(|(_, until)| until.saturating_add(1) >= first)
            .map(|(from, _)| *from)
            .collect();
        for from in touching {
            if let Some(until) = self.0.remove(&from) {
                start = start.min(from);
                end = end.max(until);
            }
        }
        self.0.insert(start, end);
    }

    /// Whether a height is in the set.
    pub(crate) fn contains(&self, height: u64) -> bool {
        self.range_at(height).is_some()
    }

    fn range_at(&self, height: u64) -> Option<(u64, u64)> {
        self.0
            .range(..=height)
            .next_back()
            .map(|(from, until)| (*from, *until))
            .filter(|range| range.1 >= height)
    }

    /// The end of the range around `height`, and the start of the next range.
    pub(crate) fn next_gap(&self, height: u64) -> (Option<u64>, Option<u64>) {
        let end = self.range_at(height).map(|range| range.1);
        let next =
            height.checked_add(1).and_then(|after| self.0.range(after..).next().map(|(from, _)| *from));
        (end, next)
    }

    /// Heights from `start` on that are missing before a later range; at most `count_max`.
    pub(crate) fn missing(&self, start: u64, count_max: usize) -> Vec<u64> {
        let mut missing = Vec::new();
        let mut current = start;
        for (from, until) in self.from(start) {
            missing.extend((current..from).take(count_max - missing.len()));
            match until.checked_add(1) {
                Some(next) if missing.len() < count_max => current = next,
                _ => break,
            }
        }
        missing
    }

    /// The ranges that hold or follow `start`.
    pub(crate) fn from(&self, start: u64) -> impl Iterator<Item = (u64, u64)> + '_ {
        let around = self.range_at(start).filter(|range| range.0 < start);
        around.into_iter().chain(self.0.range(start..).map(|(from, until)| (*from, *until)))
    }

    /// The highest height.
    pub(crate) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, until)| *until)
    }
}

#[cfg(test)]
mod tests {
    use commonware_storage::rmap::RMap;

    use super::Ranges;

    /// Heights in an order that makes, bridges and extends ranges.
    const ORDER: [u64; 14] = [0, 5, 7, 6, 1, 100, 99, 101, 3, 50, 2, 4, 98, 51];

    #[test]
    fn ranges_answer_as_the_upstream_map_does() {
        let (mut ours, mut theirs) = (Ranges::default(), RMap::new());
        for height in ORDER {
            ours.insert(height, height);
            theirs.insert(height);
            assert_eq!(ours.last(), theirs.last_index());
            for at in 0..110 {
                assert_eq!(ours.contains(at), theirs.get(at).is_some(), "contains {at}");
                assert_eq!(ours.next_gap(at), theirs.next_gap(at), "gap at {at}");
                assert_eq!(ours.missing(at, 4), theirs.missing_items(at, 4), "missing from {at}");
                let from: Vec<_> = theirs.iter_from(at).map(|(from, until)| (*from, *until)).collect();
                assert_eq!(ours.from(at).collect::<Vec<_>>(), from, "ranges from {at}");
            }
        }
    }

    #[test]
    fn a_wide_range_takes_in_what_it_covers() {
        let mut ranges = Ranges::default();
        for height in ORDER {
            ranges.insert(height, height);
        }
        ranges.insert(8, 97);
        assert_eq!(ranges.from(0).collect::<Vec<_>>(), vec![(0, 101)]);
    }
}
