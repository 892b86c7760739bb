//! Which heights are held, as ranges without gaps.

use std::collections::BTreeMap;

/// A set of heights, kept as ranges that do not touch each other: first -> last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Adds a range as it was stored.
    pub(super) fn restore(&mut self, first: u64, last: u64) {
        self.0.insert(first, last);
    }

    /// Adds a height.
    pub(super) fn insert(&mut self, height: u64) {
        if self.contains(height) {
            return;
        }
        let before = height.checked_sub(1).and_then(|below| self.around(below));
        let after = height.checked_add(1).and_then(|above| self.0.remove(&above));
        let first = before.map_or(height, |(first, _)| first);
        self.0.insert(first, after.unwrap_or(height));
    }

    /// The range that holds `height`.
    fn around(&self, height: u64) -> Option<(u64, u64)> {
        let (first, last) = self.0.range(..=height).next_back()?;
        (*last >= height).then_some((*first, *last))
    }

    pub(super) fn contains(&self, height: u64) -> bool {
        self.around(height).is_some()
    }

    /// All ranges, ascending.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.0.iter().map(|(first, last)| (*first, *last))
    }

    /// The last height.
    pub(super) fn last(&self) -> Option<u64> {
        self.0.last_key_value().map(|(_, last)| *last)
    }

    /// The end of the range around `height`, and the start of the next one.
    pub(super) fn next_gap(&self, height: u64) -> (Option<u64>, Option<u64>) {
        let end = self.around(height).map(|(_, last)| last);
        let above = height.checked_add(1).and_then(|above| self.0.range(above..).next());
        (end, above.map(|(first, _)| *first))
    }

    /// Heights from `from` on that are missing below a held one, at most `count_max`.
    pub(super) fn missing(&self, from: u64, count_max: usize) -> Vec<u64> {
        let mut missing = Vec::new();
        let mut current = from;
        while missing.len() < count_max {
            match self.next_gap(current) {
                (Some(end), Some(_)) => current = end + 1,
                (None, Some(next)) => {
                    missing.extend((current..next).take(count_max - missing.len()));
                    current = next;
                }
                (_, None) => break,
            }
        }
        missing
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_are_the_set_of_heights(
            heights in prop::collection::vec(0..40_u64, 0..40),
            count in 0..10_usize,
        ) {
            let mut ranges = Ranges::default();
            let mut set = BTreeSet::new();
            for height in heights {
                ranges.insert(height);
                set.insert(height);
            }
            let last = set.last().copied();
            prop_assert_eq!(ranges.last(), last);
            for at in 0..42 {
                prop_assert_eq!(ranges.contains(at), set.contains(&at));
                let end = (at..).take_while(|height| set.contains(height)).last();
                let next = (end.unwrap_or(at) + 1..42).find(|height| set.contains(height));
                prop_assert_eq!(ranges.next_gap(at), (end, next));
                let missing = (at..last.unwrap_or(0)).filter(|height| !set.contains(height)).take(count);
                prop_assert_eq!(ranges.missing(at, count), missing.collect::<Vec<_>>());
            }
            let apart = ranges.iter().collect::<Vec<_>>();
            prop_assert!(apart.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
        }
    }
}
