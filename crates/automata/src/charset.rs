//! Sets of characters: sorted, disjoint, non-adjacent ranges of code points, never a surrogate.

/// The largest code point.
pub const MAX_CHAR: u32 = 0x10FFFF;
const SURROGATES: (u32, u32) = (0xD800, 0xDFFF);

/// A set of code points. Surrogates are no characters here: every constructor leaves them out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct CharSet {
    ranges: Box<[(u32, u32)]>,
}

impl CharSet {
    /// The union of inclusive ranges, in any order, overlapping or not.
    pub fn new(ranges: impl IntoIterator<Item = (u32, u32)>) -> CharSet {
        let mut parts: Vec<(u32, u32)> = Vec::new();
        for (low, high) in ranges {
            parts.extend(without_surrogates(low, high.min(MAX_CHAR)));
        }
        parts.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(parts.len());
        for (low, high) in parts {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        CharSet { ranges: merged.into() }
    }

    /// Every character.
    pub fn all() -> CharSet {
        CharSet::new([(0, MAX_CHAR)])
    }

    /// One character.
    pub fn single(character: char) -> CharSet {
        CharSet::new([(character as u32, character as u32)])
    }

    /// The ranges, inclusive, in ascending order.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// Whether no character is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// Whether `character` is in the set. Cost: logarithmic in the number of ranges.
    pub fn contains(&self, character: u32) -> bool {
        let after = self.ranges.partition_point(|range| range.0 <= character);
        after > 0 && self.ranges[after - 1].1 >= character
    }

    /// The characters in this set or in `other`.
    pub fn union(&self, other: &CharSet) -> CharSet {
        CharSet::new(self.ranges.iter().chain(other.ranges.iter()).copied())
    }

    /// The characters in both sets.
    pub fn intersection(&self, other: &CharSet) -> CharSet {
        let (mut i, mut j, mut out) = (0, 0, Vec::new());
        while i < self.ranges.len() && j < other.ranges.len() {
            let (a, b) = (self.ranges[i], other.ranges[j]);
            let (low, high) = (a.0.max(b.0), a.1.min(b.1));
            if low <= high {
                out.push((low, high));
            }
            if a.1 < b.1 {
                i += 1;
            } else {
                j += 1;
            }
        }
        CharSet::new(out)
    }

    /// The characters that are not in the set.
    pub fn complement(&self) -> CharSet {
        let (mut next, mut out) = (0, Vec::new());
        for &(low, high) in self.ranges.iter() {
            if next < low {
                out.push((next, low - 1));
            }
            next = high + 1;
        }
        if next <= MAX_CHAR {
            out.push((next, MAX_CHAR));
        }
        CharSet::new(out)
    }

    /// How many characters the set holds.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|range| u64::from(range.1 - range.0) + 1).sum()
    }
}

fn without_surrogates(low: u32, high: u32) -> impl Iterator<Item = (u32, u32)> {
    let below = (low, high.min(SURROGATES.0 - 1));
    let above = (low.max(SURROGATES.1 + 1), high);
    [below, above].into_iter().filter(|range| range.0 <= range.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_surrogates_left_out() {
        let set = CharSet::new([(0x62, 0x63), (0x61, 0x61), (0xD700, 0xE000)]);
        assert_eq!(set.ranges(), &[(0x61, 0x63), (0xD700, 0xD7FF), (0xE000, 0xE000)]);
        assert!(!set.contains(0xD800) && set.contains(0xE000));
    }

    #[test]
    fn complement_is_an_involution_and_splits_the_universe() {
        let set = CharSet::new([(0x30, 0x39), (0x3B1, 0x3C9)]);
        assert_eq!(set.complement().complement(), set);
        assert_eq!(set.len() + set.complement().len(), CharSet::all().len());
        assert!(set.intersection(&set.complement()).is_empty());
        assert_eq!(set.union(&set.complement()), CharSet::all());
    }
}
