//! The sampler's noise, for drafts of sampled text.
//!
//! At temperature 1 the sampler takes argmax(log p + G), where G is a hash of (seed, sample, output index, token). A drafter
//! that reads the same G knows which tokens are favoured. It cannot change the text: the sampler never asks it.

/// Whose noise to read: the seed and the number of the sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noise {
    /// The seed of the text.
    pub seed: u64,
    /// Which of the samples of one prompt it is.
    pub sample: u64,
}

const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

/// SplitMix64's finaliser (Steele, Lea, Flood, 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn step(key: u64, counter: u64) -> u64 {
    mix(key.wrapping_add(counter.wrapping_add(1).wrapping_mul(GAMMA)))
}

impl Noise {
    /// Key of one output position.
    pub(crate) fn key(self, output_index: u64) -> u64 {
        step(step(mix(self.seed.wrapping_add(GAMMA)), self.sample), output_index)
    }

    /// e to the noise of a token: what the noise multiplies a probability by.
    pub(crate) fn factor(key: u64, token: i32) -> f64 {
        let bits = step(key, token as u64) >> 12;
        let uniform = (bits as f64 + 0.5) * 2f64.powi(-52);
        -1.0 / uniform.ln()
    }
}

/// e to the median of Gumbel noise: what a group of unknown tokens is expected to be favoured by.
pub(crate) const MEDIAN_FACTOR: f64 = std::f64::consts::LOG2_E;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_sampler() {
        // The values of `reference/sampling.py`: noise(7, 0, 0, 0), noise(7, 1, 5, 131071), noise(2**64 - 1, 3, 9, 42).
        let at = |seed, sample, index, token| Noise::factor(Noise { seed, sample }.key(index), token).ln();
        assert!((at(7, 0, 0, 0) - AGREED[0]).abs() < 1e-12);
        assert!((at(7, 1, 5, 131_071) - AGREED[1]).abs() < 1e-12);
        assert!((at(u64::MAX, 3, 9, 42) - AGREED[2]).abs() < 1e-12);
    }

    const AGREED: [f64; 3] = [-0.566330272966096, 1.7049460734943718, 1.0559397907049668];
}
