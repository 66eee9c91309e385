//! The choice of one token from a row of logits, in one pass over a mask:
//!
//! ```text
//! mask -> top-k, top-p, min-p -> the largest logit / temperature + Gumbel noise, the lower id among equals
//! ```
//!
//! At temperature 0 it is the largest logit. All but comparisons is done in f64. No row is sorted: top-k keeps a heap's worth of
//! candidates, top-p adds probabilities up in bins and sorts the one bin in which the limit falls, and noise is drawn as a logarithm
//! only for tokens whose random bits could win. Forbidden words of the mask are passed over 32 tokens at a time.
//! Slow twin: `reference/sampling.py`.
use crate::bitmask::WORD_BITS;
use crate::noise::{Noise, MOST_NOISE};
use crate::TokenId;
use std::cmp::Ordering;

/// A token so far below the best, in logit / temperature, has no noise that makes up for it: noise lies in [-3.61, 36.75].
const NOISE_RANGE: f64 = 41.0;
/// Bins of top-p for each unit of logit / temperature.
const BINS_PER_UNIT: f64 = 16.0;
/// Bins of top-p; what lies further below the best than they reach is in the last one.
const NUM_BINS: usize = 1024;
/// So many set bits of a word make it worth reading as a whole.
const DENSE_BITS: u32 = 20;

/// How a token is chosen; what is `None` truncates nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Settings {
    /// What logits are divided by; 0 takes the largest.
    pub temperature: f64,
    /// Only so many of the most likely tokens, at least 1.
    pub top_k: Option<usize>,
    /// Only the smallest set of likely tokens with so much probability, above 0.
    pub top_p: Option<f64>,
    /// Only tokens with such a share of the best one's probability.
    pub min_p: Option<f64>,
}

/// Why no token can be chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChoice {
    /// A logit of an allowed token is no number.
    NotANumber,
    /// No token is allowed, or all allowed ones are at minus infinity.
    Nothing,
}

/// One row of logits with its mask. Tokens beyond the shorter of the two are not allowed.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    /// A logit for each token.
    pub logits: &'a [f32],
    /// Allowed tokens, as `bitmask` has them; `None` allows all.
    pub mask: Option<&'a [u32]>,
}

impl<'a> Row<'a> {
    fn num_blocks(&self) -> usize {
        let all = self.logits.len().div_ceil(WORD_BITS);
        self.mask.map_or(all, |words| words.len().min(all))
    }

    /// Up to 32 logits, and which of them are allowed.
    #[inline]
    fn block(&self, block: usize) -> (&'a [f32], u32) {
        let low = block * WORD_BITS;
        let scores = &self.logits[low..self.logits.len().min(low + WORD_BITS)];
        let inside = u32::MAX >> (WORD_BITS - scores.len());
        (scores, self.mask.map_or(inside, |words| words[block] & inside))
    }

    #[inline]
    fn for_each(&self, block: usize, mut see: impl FnMut(TokenId, f32)) {
        let (scores, mut allowed) = self.block(block);
        let low = (block * WORD_BITS) as TokenId;
        if allowed == u32::MAX {
            scores
                .iter()
                .enumerate()
                .for_each(|(bit, &score)| see(low + bit as TokenId, score));
            return;
        }
        while allowed != 0 {
            let bit = allowed.trailing_zeros();
            allowed &= allowed - 1;
            see(low + bit, scores[bit as usize]);
        }
    }
}

/// The largest of up to 32 scores, and whether one of them is no number; minus infinity where nothing is allowed.
#[inline(always)]
fn most_of(scores: &[f32], mut allowed: u32) -> (f32, bool) {
    if allowed == u32::MAX {
        return most_of_all(scores);
    }
    if allowed.count_ones() >= DENSE_BITS {
        let mut visible = [f32::NEG_INFINITY; WORD_BITS];
        for (bit, (to, &score)) in visible.iter_mut().zip(scores).enumerate() {
            if allowed >> bit & 1 != 0 {
                *to = score;
            }
        }
        return most_of_all(&visible);
    }
    let (mut most, mut is_odd) = (f32::NEG_INFINITY, false);
    while allowed != 0 {
        let score = scores[allowed.trailing_zeros() as usize];
        allowed &= allowed - 1;
        is_odd |= score.is_nan();
        most = larger(score, most);
    }
    (most, is_odd)
}

/// The larger of two; the second where one is no number.
#[inline(always)]
fn larger(one: f32, other: f32) -> f32 {
    if one > other {
        one
    } else {
        other
    }
}

// HOT: the one loop over all of a free row; eight lanes become one register or two.
#[inline(always)]
fn most_of_all(scores: &[f32]) -> (f32, bool) {
    let (mut most, mut odd) = ([f32::NEG_INFINITY; 8], [0u32; 8]);
    for eight in scores.chunks_exact(8) {
        for lane in 0..8 {
            most[lane] = larger(eight[lane], most[lane]);
            odd[lane] |= u32::from(eight[lane].is_nan());
        }
    }
    // By halves: a chain over all lanes would take longer than the loop.
    for half in [4, 2, 1] {
        for lane in 0..half {
            most[lane] = larger(most[lane + half], most[lane]);
            odd[lane] |= odd[lane + half];
        }
    }
    (most[0], odd[0] != 0)
}

/// A token that survived truncation.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    /// Logit / temperature, the best one's taken away.
    z: f64,
    token: TokenId,
}

impl Candidate {
    /// The more likely first, then the lower id. Zeros of both signs are equal, and no z is NaN.
    fn order(&self, other: &Candidate) -> Ordering {
        let by_z = other.z.partial_cmp(&self.z).unwrap_or(Ordering::Equal);
        by_z.then(self.token.cmp(&other.token))
    }
}

/// The token with the largest z + noise so far.
struct Leader {
    total: f64,
    token: TokenId,
}

impl Leader {
    const NOBODY: Leader = Leader {
        total: f64::NEG_INFINITY,
        token: TokenId::MAX,
    };

    #[inline]
    fn meet(&mut self, z: f64, bits: u64, token: TokenId) -> bool {
        let total = z + Noise::of_bits(bits);
        let wins = total > self.total || total == self.total && token < self.token;
        if wins {
            *self = Leader { total, token };
        }
        wins
    }
}

/// Chooses tokens; holds the memory it needs between calls.
#[derive(Debug, Default)]
pub struct Chooser {
    // The largest allowed logit of each block of 32 tokens.
    maxima: Vec<f32>,
    kept: Vec<Candidate>,
    edge: Vec<Candidate>,
    bins: Vec<f64>,
}

impl Chooser {
    /// The token of a row. `key`: of the noise of this output position; not used at temperature 0.
    ///
    /// Cost: a pass over the allowed tokens; with noise another one, of a hash each; with top-p one of an exponential each.
    ///
    /// # Errors
    /// Where an allowed logit is no number, or none is above minus infinity.
    pub fn choose(&mut self, row: Row<'_>, settings: &Settings, key: u64) -> Result<TokenId, NoChoice> {
        let best = self.measure(row)?;
        if settings.temperature == 0.0 {
            return Ok(self.first_at(row, best));
        }
        let all = |share: Option<f64>| share.is_none_or(|share| share >= 1.0);
        if best == f32::INFINITY {
            self.keep_infinite(row);
        } else if let Some(count) = settings.top_k {
            self.keep_top(row, best, settings.temperature, count);
            self.cut_mass(settings.top_p);
        } else if !all(settings.top_p) {
            self.keep_mass(row, best, settings.temperature, settings.top_p.unwrap_or(1.0));
        } else if let Some(share) = settings.min_p {
            self.keep_share(row, best, settings.temperature, share);
        } else {
            return Ok(self.sample(row, best, settings.temperature, key));
        }
        if let Some(share) = settings.min_p {
            self.kept.retain(|candidate| candidate.z.exp() >= share);
        }
        Ok(self.winner(key))
    }

    /// The largest allowed logit; notes the largest of each block.
    fn measure(&mut self, row: Row<'_>) -> Result<f32, NoChoice> {
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") {
            // SAFETY: the processor has what the function is compiled for.
            return unsafe { self.measure_with_avx2(row) };
        }
        self.measure_blocks(row)
    }

    /// The same, compiled for eight lanes in one register.
    ///
    /// # Safety
    /// The processor must have AVX2.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    // SAFETY: nothing else is asked of the caller; the body is safe code.
    unsafe fn measure_with_avx2(&mut self, row: Row<'_>) -> Result<f32, NoChoice> {
        self.measure_blocks(row)
    }

    #[inline(always)]
    fn measure_blocks(&mut self, row: Row<'_>) -> Result<f32, NoChoice> {
        self.maxima.clear();
        let mut is_odd = false;
        self.maxima.extend((0..row.num_blocks()).map(|block| {
            let (scores, allowed) = row.block(block);
            let (most, odd) = most_of(scores, allowed);
            is_odd |= odd;
            most
        }));
        let best = self.maxima.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        match best {
            _ if is_odd => Err(NoChoice::NotANumber),
            f32::NEG_INFINITY => Err(NoChoice::Nothing),
            _ => Ok(best),
        }
    }

    fn first_at(&self, row: Row<'_>, best: f32) -> TokenId {
        let block = self.maxima.iter().position(|&most| most == best).unwrap_or(0);
        let mut first = TokenId::MAX;
        row.for_each(block, |token, score| {
            if score == best {
                first = first.min(token);
            }
        });
        first
    }

    /// Everything takes part: noise is looked at where its bits are enough to beat the leader from the best of a block.
    fn sample(&self, row: Row<'_>, best: f32, temperature: f64, key: u64) -> TokenId {
        let mut leader = Leader::NOBODY;
        let first = self.maxima.iter().position(|&most| most == best).unwrap_or(0);
        let mut look = |block: usize| {
            let missing = leader.total - z_of(self.maxima[block], best, temperature);
            if missing > MOST_NOISE {
                return;
            }
            let least = Noise::bits_of(missing);
            row.for_each(block, |token, score| {
                let bits = Noise::bits(key, token);
                if bits >= least {
                    leader.meet(z_of(score, best, temperature), bits, token);
                }
            });
        };
        look(first);
        (0..self.maxima.len()).filter(|&block| block != first).for_each(&mut look);
        leader.token
    }

    fn keep_infinite(&mut self, row: Row<'_>) {
        self.kept.clear();
        for (block, _) in self.maxima.iter().enumerate().filter(|(_, &most)| most == f32::INFINITY) {
            row.for_each(block, |token, score| {
                if score == f32::INFINITY {
                    self.kept.push(Candidate { z: 0.0, token });
                }
            });
        }
    }

    /// Keeps the `count` most likely tokens, in order. Tokens come by id, so a later one must exceed what is kept.
    fn keep_top(&mut self, row: Row<'_>, best: f32, temperature: f64, count: usize) {
        self.kept.clear();
        let full = count.saturating_mul(2).max(WORD_BITS);
        let mut floor = f32::NEG_INFINITY;
        for (block, &most) in self.maxima.iter().enumerate() {
            if most <= floor {
                continue;
            }
            row.for_each(block, |token, score| {
                if score > floor {
                    let z = z_of(score, best, temperature);
                    self.kept.push(Candidate { z, token });
                }
            });
            if self.kept.len() >= full {
                keep_first(&mut self.kept, count);
                floor = row.logits[self.kept[count - 1].token as usize];
            }
        }
        keep_first(&mut self.kept, count);
        self.kept.sort_unstable_by(Candidate::order);
    }

    /// Of candidates in order, keeps the smallest set that has the share of the probability of all.
    fn cut_mass(&mut self, share: Option<f64>) {
        let Some(share) = share.filter(|&share| share < 1.0) else {
            return;
        };
        let total: f64 = self.kept.iter().map(|candidate| candidate.z.exp()).sum();
        let mut before = 0.0;
        self.kept.retain(|candidate| {
            let stays = before < share * total;
            before += candidate.z.exp();
            stays
        });
    }

    /// Keeps the smallest set of likely tokens that has the share of all probability, without sorting more than one bin.
    fn keep_mass(&mut self, row: Row<'_>, best: f32, temperature: f64, share: f64) {
        self.bins.clear();
        self.bins.resize(NUM_BINS, 0.0);
        for (block, _) in self.maxima.iter().enumerate().filter(|(_, &most)| most > f32::NEG_INFINITY) {
            row.for_each(block, |_, score| {
                let z = z_of(score, best, temperature);
                self.bins[bin_of(z)] += z.exp();
            });
        }
        let wanted = share * self.bins.iter().sum::<f64>();
        let (mut before, mut edge) = (0.0, 0);
        while edge + 1 < NUM_BINS && before + self.bins[edge] < wanted {
            before += self.bins[edge];
            edge += 1;
        }
        self.kept.clear();
        self.edge.clear();
        let floor = if edge + 1 < NUM_BINS {
            below(best, (edge + 1) as f64 / BINS_PER_UNIT * temperature)
        } else {
            f32::MIN
        };
        for (block, &most) in self.maxima.iter().enumerate() {
            if most < floor {
                continue;
            }
            row.for_each(block, |token, score| {
                if score < floor {
                    return;
                }
                let z = z_of(score, best, temperature);
                match bin_of(z) {
                    bin if bin < edge => self.kept.push(Candidate { z, token }),
                    bin if bin == edge => self.edge.push(Candidate { z, token }),
                    _ => {}
                }
            });
        }
        self.edge.sort_unstable_by(Candidate::order);
        for candidate in &self.edge {
            if before >= wanted {
                break;
            }
            self.kept.push(*candidate);
            before += candidate.z.exp();
        }
    }

    /// Keeps what has about the share of the best one's probability, and could win.
    fn keep_share(&mut self, row: Row<'_>, best: f32, temperature: f64, share: f64) {
        self.kept.clear();
        let floor = (share.ln() - 1e-9).max(-NOISE_RANGE);
        for (block, &most) in self.maxima.iter().enumerate() {
            if z_of(most, best, temperature) < floor {
                continue;
            }
            row.for_each(block, |token, score| {
                let z = z_of(score, best, temperature);
                if z >= floor {
                    self.kept.push(Candidate { z, token });
                }
            });
        }
    }

    /// The candidate with the largest z + noise. A likely one leads first, so that few others need more than their bits.
    fn winner(&self, key: u64) -> TokenId {
        let mut leader = Leader::NOBODY;
        let mut least = 0;
        let likely = self.kept.iter().filter(|candidate| candidate.z == 0.0).take(1);
        for candidate in likely.chain(&self.kept) {
            let bits = Noise::bits(key, candidate.token);
            if bits >= least && leader.meet(candidate.z, bits, candidate.token) {
                least = Noise::bits_of(leader.total);
            }
        }
        leader.token
    }
}

/// Logit / temperature, the best one's taken away.
#[inline]
fn z_of(score: f32, best: f32, temperature: f64) -> f64 {
    (f64::from(score) - f64::from(best)) / temperature
}

fn bin_of(z: f64) -> usize {
    ((-z * BINS_PER_UNIT) as usize).min(NUM_BINS - 1)
}

/// A little less than `best - depth`: what is smaller lies deeper, without a division.
fn below(best: f32, depth: f64) -> f32 {
    let least = f64::from(best) - depth;
    let margin = least.abs().max(f64::from(best).abs()) * 1e-6 + f64::from(f32::MIN_POSITIVE);
    ((least - margin) as f32).max(f32::MIN)
}

fn keep_first(kept: &mut Vec<Candidate>, count: usize) {
    if kept.len() > count {
        kept.select_nth_unstable_by(count - 1, Candidate::order);
        kept.truncate(count);
    }
}

/// Walks down a draft tree: a choice at node 0, then at the child that carries the chosen token, until none does.
///
/// `row_of(node)` is the row behind a node, the first of equal siblings stands, and node 0 is followed by output position
/// `output_index`. Returns the chosen tokens, at least one. A row without a choice ends the walk before it.
///
/// # Errors
/// Where node 0 has no choice.
pub fn choose_along<'a>(
    chooser: &mut Chooser,
    row_of: impl Fn(usize) -> Row<'a>,
    token_ids: &[i32],
    parents: &[i32],
    settings: &Settings,
    noise: Noise,
    output_index: u64,
) -> Result<Vec<TokenId>, NoChoice> {
    let mut chosen = Vec::new();
    let mut node = 0;
    loop {
        let key = noise.key(output_index + chosen.len() as u64);
        match chooser.choose(row_of(node), settings, key) {
            Ok(token) => chosen.push(token),
            Err(problem) if chosen.is_empty() => return Err(problem),
            Err(_) => return Ok(chosen),
        }
        let carries = |child: &usize| {
            parents[*child] == node as i32 && i64::from(token_ids[*child]) == i64::from(chosen[chosen.len() - 1])
        };
        match (node + 1..token_ids.len().min(parents.len())).find(carries) {
            Some(child) => node = child,
            None => return Ok(chosen),
        }
    }
}

#[cfg(test)]
mod tests;
