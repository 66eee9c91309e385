//! The sampler's noise: a hash of (seed, sample, output index, token), so that a token's noise depends on nothing else.
//!
//! The noise of a token is standard Gumbel noise, -ln(-ln(u)), u = (h + 0.5) / 2^52, h the top 52 bits of a SplitMix64 hash. With
//! 53 bits the largest uniform would round to 1 and its noise would be infinite. A drafter that reads the noise knows which tokens
//! are favoured; it cannot change the text, since the sampler never asks it.
use crate::TokenId;

/// Whose noise to read: the seed and the number of the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The seed of the text.
    pub seed: u64,
    /// Which of the samples of one prompt it is.
    pub sample: u64,
}

/// The most that noise can be: that of 52 ones.
pub const MOST_NOISE: f64 = 36.75;

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
const UNIT: f64 = 1.0 / (1u64 << 52) as f64;

/// SplitMix64's finaliser (Steele, Lea, Flood, 2014).
#[inline]
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[inline]
fn step(key: u64, counter: u64) -> u64 {
    mix(key.wrapping_add(counter.wrapping_add(1).wrapping_mul(GAMMA)))
}

impl Noise {
    /// The key of one output position.
    pub fn key(self, output_index: u64) -> u64 {
        step(step(mix(self.seed.wrapping_add(GAMMA)), self.sample), output_index)
    }

    /// The 52 random bits of a token; more bits, more noise.
    #[inline]
    pub fn bits(key: u64, token: TokenId) -> u64 {
        step(key, u64::from(token)) >> 12
    }

    /// The noise that these bits are.
    pub fn of_bits(bits: u64) -> f64 {
        -(-uniform(bits).ln()).ln()
    }

    /// Bits that all noise of at least `least` has, and little else.
    pub fn bits_of(least: f64) -> u64 {
        // A little too low, never too high: exp is off by less than the margins.
        let uniform = (-(1e-6 - least).exp()).exp() * (1.0 - 1e-9);
        (uniform / UNIT) as u64
    }

    /// e to the noise of a token: what the noise multiplies a probability by.
    pub fn factor(key: u64, token: TokenId) -> f64 {
        -1.0 / uniform(Noise::bits(key, token)).ln()
    }
}

fn uniform(bits: u64) -> f64 {
    (bits as f64 + 0.5) * UNIT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_slow_twin() {
        // The values of `reference/sampling.py`: noise(7, 0, 0, 0), noise(7, 1, 5, 131071), noise(2**64 - 1, 3, 9, 42).
        let cases = [
            (7, 0, 0, 0, -0.566330272966096),
            (7, 1, 5, 131_071, 1.7049460734943718),
            (u64::MAX, 3, 9, 42, 1.0559397907049668),
        ];
        for (seed, sample, index, token, expected) in cases {
            let key = Noise { seed, sample }.key(index);
            assert!((Noise::of_bits(Noise::bits(key, token)) - expected).abs() < 1e-14);
            assert!((Noise::factor(key, token).ln() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn a_bound_on_the_bits_never_excludes_noise_that_is_large_enough() {
        let most = (1u64 << 52) - 1;
        assert!(Noise::of_bits(most) < MOST_NOISE);
        assert!(Noise::of_bits(0) > -3.61);
        for exponent in 0..=52 {
            for bits in [(1u64 << exponent) - 1, most - ((1u64 << exponent) - 1)] {
                let noise = Noise::of_bits(bits);
                assert!(Noise::bits_of(noise) <= bits, "{bits}");
                assert!(noise > 18.0 || Noise::bits_of(noise + 0.1) > bits, "{bits}");
            }
        }
        assert_eq!(Noise::bits_of(f64::NEG_INFINITY), 0);
    }
}
