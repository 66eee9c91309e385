//! One row of a token bitmask: `words_for(vocab_size)` words of 32 bits, least significant bit first, 1 = allowed.
//!
//! Frameworks hold rows as `int32`; the bits are the same. Bits at and beyond the vocabulary size stay 0, so that rows
//! can be counted and compared word by word. Every function is O(words) unless it takes a list of ids.

/// Bits in one word of a row.
pub const WORD_BITS: usize = 32;

/// Words that a row over `vocab_size` tokens takes.
pub const fn words_for(vocab_size: usize) -> usize {
    vocab_size.div_ceil(WORD_BITS)
}

/// Allow `id`. The caller keeps `id` below the vocabulary size of the row.
#[inline]
pub fn set(row: &mut [u32], id: u32) {
    row[id as usize / WORD_BITS] |= 1 << (id % WORD_BITS as u32);
}

/// Disallow `id`.
#[inline]
pub fn clear(row: &mut [u32], id: u32) {
    row[id as usize / WORD_BITS] &= !(1 << (id % WORD_BITS as u32));
}

/// Whether `id` is allowed; an id beyond the row is not.
#[inline]
pub fn test(row: &[u32], id: u32) -> bool {
    row.get(id as usize / WORD_BITS)
        .is_some_and(|word| word >> (id % WORD_BITS as u32) & 1 != 0)
}

/// Allow every token below `vocab_size` and no bit beyond it.
///
/// # Panics
/// If the row has fewer than `words_for(vocab_size)` words.
pub fn fill(row: &mut [u32], vocab_size: usize) {
    let whole = vocab_size / WORD_BITS;
    let rest = vocab_size % WORD_BITS;
    row[..whole].fill(u32::MAX);
    if rest != 0 {
        row[whole] = (1 << rest) - 1;
    }
    row[words_for(vocab_size)..].fill(0);
}

/// Disallow everything.
pub fn clear_all(row: &mut [u32]) {
    // PERF: `fill` is a loop of 16-byte stores where the target is plain x86-64; this is the C library's memset.
    // SAFETY: the pointer and the length are those of one slice, and zeros are a value of `u32`.
    unsafe { row.as_mut_ptr().write_bytes(0, row.len()) }
}

/// Allow each of `ids`; they are below the vocabulary size of the row.
#[inline]
pub fn set_ids(row: &mut [u32], ids: &[u32]) {
    for &id in ids {
        set(row, id);
    }
}

/// Disallow each of `ids`.
#[inline]
pub fn clear_ids(row: &mut [u32], ids: &[u32]) {
    for &id in ids {
        clear(row, id);
    }
}

/// `row &= other`; both have the same length.
pub fn and(row: &mut [u32], other: &[u32]) {
    debug_assert_eq!(row.len(), other.len());
    row.iter_mut().zip(other).for_each(|(word, other)| *word &= other);
}

/// `row |= other`; both have the same length.
pub fn or(row: &mut [u32], other: &[u32]) {
    debug_assert_eq!(row.len(), other.len());
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what the function is compiled for.
        return unsafe { or_wide(row, other) };
    }
    or_words(row, other);
}

// PERF: a row is long, and the target that is compiled for has registers of 16 bytes only.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn or_wide(row: &mut [u32], other: &[u32]) {
    or_words(row, other);
}

#[inline(always)]
fn or_words(row: &mut [u32], other: &[u32]) {
    row.iter_mut().zip(other).for_each(|(word, other)| *word |= other);
}

/// `row &= !other`; both have the same length.
pub fn and_not(row: &mut [u32], other: &[u32]) {
    debug_assert_eq!(row.len(), other.len());
    row.iter_mut().zip(other).for_each(|(word, other)| *word &= !other);
}

/// Copy `other` into `row`; words of `row` beyond `other` become 0.
///
/// # Panics
/// If `other` is longer than `row`.
pub fn copy(row: &mut [u32], other: &[u32]) {
    let (head, tail) = row.split_at_mut(other.len());
    head.copy_from_slice(other);
    tail.fill(0);
}

/// How many tokens are allowed.
pub fn count(row: &[u32]) -> usize {
    row.iter().map(|word| word.count_ones() as usize).sum()
}

/// Whether every token below `vocab_size` is allowed: then applying the row masks nothing.
pub fn is_full(row: &[u32], vocab_size: usize) -> bool {
    let rest = vocab_size % WORD_BITS;
    let (whole, last) = row.split_at(vocab_size / WORD_BITS);
    whole.iter().all(|&word| word == u32::MAX) && (rest == 0 || last[0] | u32::MAX << rest == u32::MAX)
}

/// The allowed ids, ascending.
pub fn iter(row: &[u32]) -> impl Iterator<Item = u32> + '_ {
    row.iter().enumerate().flat_map(|(index, &word)| {
        let mut rest = word;
        std::iter::from_fn(move || {
            if rest == 0 {
                return None;
            }
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            Some((index * WORD_BITS) as u32 + bit)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trie::tests::Random;
    use std::collections::BTreeSet;

    #[test]
    fn fill_stops_at_the_vocabulary() {
        for vocab_size in [1, 31, 32, 33, 64, 100] {
            let mut row = vec![u32::MAX; words_for(vocab_size) + 1];
            fill(&mut row, vocab_size);
            assert_eq!(count(&row), vocab_size);
            assert!(is_full(&row, vocab_size));
            clear(&mut row, vocab_size as u32 - 1);
            assert!(!is_full(&row, vocab_size));
            assert!(!test(&row, vocab_size as u32) && !test(&row, 10_000));
        }
    }

    #[test]
    fn operations_agree_with_sets() {
        let mut random = Random(7);
        for _ in 0..200 {
            let vocab_size = 1 + random.below(150);
            let mut draw = || -> BTreeSet<u32> { (0..random.below(80)).map(|_| random.below(vocab_size) as u32).collect() };
            let (left, right) = (draw(), draw());
            let row_of = |ids: &BTreeSet<u32>| {
                let mut row = vec![0; words_for(vocab_size)];
                set_ids(&mut row, &ids.iter().copied().collect::<Vec<_>>());
                row
            };
            let check = |operation: fn(&mut [u32], &[u32]), expected: BTreeSet<u32>| {
                let mut row = row_of(&left);
                operation(&mut row, &row_of(&right));
                assert_eq!(iter(&row).collect::<BTreeSet<_>>(), expected);
                assert_eq!(count(&row), expected.len());
            };
            check(and, &left & &right);
            check(or, &left | &right);
            check(and_not, &left - &right);
            check(copy, right.clone());
            let mut row = row_of(&left);
            clear_ids(&mut row, &right.iter().copied().collect::<Vec<_>>());
            assert_eq!(row, row_of(&(&left - &right)));
            clear_all(&mut row);
            assert_eq!(count(&row), 0);
        }
    }
}
