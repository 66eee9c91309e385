//! Token counts with the most frequent tokens at hand: what a draft falls back to where nothing matches.
//!
//! The order is (count descending, token ascending), so it depends on the counts alone and not on how they came about.
use rustc_hash::FxHashMap;

/// How many frequent tokens are kept in order.
pub(crate) const TOP: usize = 64;

/// Counts of tokens, and the `TOP` largest of them.
#[derive(Default)]
pub(crate) struct Frequencies {
    counts: FxHashMap<i32, u32>,
    top: Vec<(i32, u32)>,
    total: u64,
    // A removal took something out of `top`: what takes its place is unknown until the counts are read again.
    stale: bool,
}

fn before(left: (i32, u32), right: (i32, u32)) -> bool {
    left.1 > right.1 || (left.1 == right.1 && left.0 < right.0)
}

impl Frequencies {
    /// Counts one more. Cost: a hash lookup and, for a frequent token, a search in `TOP` entries.
    pub(crate) fn add(&mut self, token: i32) {
        let count = self.counts.entry(token).or_insert(0);
        *count += 1;
        self.total += 1;
        let entry = (token, *count);
        if self.stale {
            return;
        }
        let full = self.top.len() == TOP;
        if full && !before(entry, self.top[TOP - 1]) {
            return;
        }
        let mut at = match self.top.iter().position(|known| known.0 == token) {
            Some(at) => at,
            None if full => TOP - 1,
            None => {
                self.top.push(entry);
                self.top.len() - 1
            }
        };
        while at > 0 && before(entry, self.top[at - 1]) {
            self.top[at] = self.top[at - 1];
            at -= 1;
        }
        self.top[at] = entry;
    }

    /// Counts one less; the token must have been counted.
    pub(crate) fn subtract(&mut self, token: i32) {
        let count = self
            .counts
            .get_mut(&token)
            .expect("only tokens that were counted are subtracted");
        *count -= 1;
        self.total -= 1;
        if *count == 0 {
            self.counts.remove(&token);
        }
        if self.counts.len() * 8 < self.counts.capacity() {
            self.counts.shrink_to_fit();
        }
        self.stale = self.stale || self.top.iter().any(|known| known.0 == token);
    }

    /// Sorts the list again after removals. Cost: linear in the distinct tokens, once per batch of removals.
    pub(crate) fn refresh(&mut self) {
        if !self.stale {
            return;
        }
        let mut all: Vec<(i32, u32)> = self.counts.iter().map(|(&token, &count)| (token, count)).collect();
        all.sort_unstable_by_key(|&(token, count)| (std::cmp::Reverse(count), token));
        all.truncate(TOP);
        self.top = all;
        self.stale = false;
    }

    /// The most frequent tokens with their counts, brought up to date first.
    #[cfg(test)]
    pub(crate) fn top(&mut self) -> &[(i32, u32)] {
        self.refresh();
        &self.top
    }

    /// The most frequent tokens as of the last refresh.
    pub(crate) fn known_top(&self) -> &[(i32, u32)] {
        &self.top
    }

    /// How often a token was counted.
    #[inline]
    pub(crate) fn count(&self, token: i32) -> u32 {
        self.counts.get(&token).copied().unwrap_or(0)
    }

    /// How many tokens were counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// An upper estimate of the memory held, in bytes.
    pub(crate) fn size_bytes(&self) -> usize {
        self.counts.len() * 24 + self.top.capacity() * 8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_the_sorted_counts() {
        let mut frequencies = Frequencies::default();
        let mut counts = std::collections::BTreeMap::new();
        let mut live = Vec::new();
        let mut state = 1u64;
        for step in 0..4000 {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let draw = (state >> 33) % 10_000;
            if step % 5 == 4 {
                let token: i32 = live.swap_remove(draw as usize % live.len());
                frequencies.subtract(token);
                *counts.get_mut(&token).expect("live tokens are counted") -= 1u32;
            } else {
                let token = (draw * draw / 500_000) as i32;
                frequencies.add(token);
                live.push(token);
                *counts.entry(token).or_insert(0) += 1;
            }
            if step % 7 == 0 {
                let mut expected: Vec<(i32, u32)> = counts.iter().filter(|entry| *entry.1 > 0).map(|(&t, &c)| (t, c)).collect();
                expected.sort_by_key(|&(token, count)| (std::cmp::Reverse(count), token));
                expected.truncate(TOP);
                assert_eq!(frequencies.top(), &expected[..]);
            }
        }
        assert_eq!(frequencies.total(), live.len() as u64);
    }
}
