//! Applying rows of a token bitmask to logits: what a disallowed token's logit becomes is minus infinity.
//!
//! Logits are unsigned integers of the float's size here, so that float16 and bfloat16 need no arithmetic and a NaN in a
//! disallowed place (the unused columns of a padded head) vanishes like everything else. Words of all ones or all zeros, the
//! most of nearly every mask, are passed over or filled whole; the others are selected lane by lane, in the widest registers
//! that the processor turns out to have.

use crate::bitmask::WORD_BITS;

/// The bits of a logit of 16, 32 or 64 bits.
pub trait LogitBits: Copy {
    /// One word over its 32 logits.
    fn select(tokens: &mut [Self; WORD_BITS], word: u32, infinity: Self) {
        for (lane, logit) in tokens.iter_mut().enumerate() {
            if word >> lane & 1 == 0 {
                *logit = infinity;
            }
        }
    }

    /// The same, 32 bytes at a time.
    ///
    /// # Safety
    /// The processor must have AVX2.
    // SAFETY: whoever calls it has asked the processor for AVX2.
    #[cfg(target_arch = "x86_64")]
    unsafe fn select_with_avx2(tokens: &mut [Self; WORD_BITS], word: u32, infinity: Self);
}

/// How 32 bytes of logits of one size are selected: `$bits` are those of part `$part` of a word, lowest first.
macro_rules! logit_bits {
    ($of:ty, $spread:ident, $equal:ident, |$word:ident, $part:ident| $bits:expr) => {
        impl LogitBits for $of {
            // SAFETY: whoever calls it has asked the processor for AVX2.
            #[cfg(target_arch = "x86_64")]
            #[inline]
            #[target_feature(enable = "avx2")]
            unsafe fn select_with_avx2(tokens: &mut [Self; WORD_BITS], $word: u32, infinity: Self) {
                use std::arch::x86_64::*;
                const NUM_LANES: usize = 32 / size_of::<$of>();
                const LANES: [$of; NUM_LANES] = {
                    let (mut lanes, mut lane) = ([1; NUM_LANES], 0);
                    while lane < NUM_LANES {
                        lanes[lane] = 1 << lane;
                        lane += 1;
                    }
                    lanes
                };
                // SAFETY: arrays of 32 bytes, and parts of 32 bytes of the 32 logits; neither need be aligned.
                unsafe {
                    let (lanes, otherwise) = (_mm256_loadu_si256(LANES.as_ptr().cast()), $spread(infinity as _));
                    for $part in 0..WORD_BITS / NUM_LANES {
                        let part = tokens.as_mut_ptr().add($part * NUM_LANES).cast();
                        let keep = $equal(_mm256_and_si256($spread($bits as _), lanes), lanes);
                        _mm256_storeu_si256(part, _mm256_blendv_epi8(otherwise, _mm256_loadu_si256(part), keep));
                    }
                }
            }
        }
    };
}

logit_bits!(u16, _mm256_set1_epi16, _mm256_cmpeq_epi16, |word, part| word >> (16 * part));
logit_bits!(u32, _mm256_set1_epi32, _mm256_cmpeq_epi32, |word, part| word >> (8 * part));
logit_bits!(u64, _mm256_set1_epi64x, _mm256_cmpeq_epi64, |word, part| word >> (4 * part));

/// Set the logits of the tokens that `row` does not allow to `infinity`; those beyond the row are not allowed.
///
/// O(logits), 2 to 20 microseconds for 131,072 of 32 bits that lie in the cache.
pub fn mask_logits<T: LogitBits>(logits: &mut [T], row: &[u32], infinity: T) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        // SAFETY: the processor has what both functions are compiled for.
        return unsafe { mask_with_avx2(logits, row, infinity) };
    }
    mask_words(logits, row, infinity, T::select);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
unsafe fn mask_with_avx2<T: LogitBits>(logits: &mut [T], row: &[u32], infinity: T) {
    // SAFETY: the caller vouches for AVX2.
    mask_words(logits, row, infinity, |tokens, word, infinity| unsafe {
        T::select_with_avx2(tokens, word, infinity)
    });
}

#[inline(always)]
fn mask_words<T: LogitBits>(logits: &mut [T], row: &[u32], infinity: T, select: impl Fn(&mut [T; WORD_BITS], u32, T)) {
    let num_known = logits.len().min(row.len() * WORD_BITS);
    let (known, beyond) = logits.split_at_mut(num_known);
    beyond.fill(infinity);
    let mut chunks = known.chunks_exact_mut(WORD_BITS);
    for (chunk, &word) in chunks.by_ref().zip(row) {
        let tokens: &mut [T; WORD_BITS] = chunk.try_into().expect("a chunk has as many logits as a word has bits");
        match word {
            u32::MAX => {}
            0 => *tokens = [infinity; WORD_BITS],
            _ => select(tokens, word, infinity),
        }
    }
    for (lane, logit) in chunks.into_remainder().iter_mut().enumerate() {
        if row[num_known / WORD_BITS] >> lane & 1 == 0 {
            *logit = infinity;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bitmask::{test, words_for};
    use crate::trie::tests::Random;

    fn agrees<T: LogitBits + PartialEq + std::fmt::Debug>(of: impl Fn(usize) -> T, infinity: T) {
        let mut random = Random(11);
        for size in (0..70).chain([128, 129, 1000]) {
            for padding in [0, 1, 40] {
                let mut draw = |_| match random.below(4) {
                    0 => 0,
                    1 => u32::MAX,
                    _ => random.below(1 << 16) as u32 | (random.below(1 << 16) as u32) << 16,
                };
                let row: Vec<u32> = (0..words_for(size)).map(&mut draw).collect();
                let logits: Vec<T> = (0..size + padding).map(&of).collect();
                let (mut fast, mut plain) = (logits.clone(), logits.clone());
                mask_logits(&mut fast, &row, infinity);
                mask_words(&mut plain, &row, infinity, T::select);
                for (id, &logit) in logits.iter().enumerate() {
                    let expected = if test(&row, id as u32) { logit } else { infinity };
                    assert_eq!((fast[id], plain[id]), (expected, expected), "{id} of {size}");
                }
            }
        }
    }

    #[test]
    fn disallowed_logits_become_infinity_and_others_keep_their_bits() {
        agrees(|id| id as u16, 0xFC00);
        agrees(|id| id as u32 * 7919, 0xFF80_0000);
        agrees(|id| id as u64 * 0x1_0000_0001, 0xFFF0_0000_0000_0000);
    }
}
