//! Probabilities of the next token from all earlier places that match the text, however long the match.
//!
//! The rule is a PPM (prediction by partial matching) with strong back-off. Let the levels be the match lengths l that occur,
//! longest first; at a level, c(t) is the weighted number of places that continue with t, N their sum, D the number of distinct
//! continuations seen so far (from the longest level down to this one). With E = 1 at first:
//!
//! ```text
//! K = strength * D / l^exponent * min(1, knee / l)^2     p(t) += E c(t) / (N + K)     E *= K / (N + K)
//! ```
//!
//! Short matches are trusted little; past the knee a match is a copy in progress, and trust grows fast.
//! What is left of E goes to frequent tokens (`tree`). Places of other requests count `other_weight` each.
use crate::error::DraftingError;

/// Numbers of the blend. The defaults were chosen once, on recorded decodings of four tasks, and serve all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct BlendOptions {
    /// The most places looked at, per store (the request's own, the shared one).
    pub max_places: usize,
    /// What a place in another request's output counts; an own one counts 1.
    pub other_weight: f64,
    /// How much is left to shorter matches: the `strength` of the rule.
    pub strength: f64,
    /// How fast trust grows with the match length: the `exponent` of the rule.
    pub exponent: f64,
    /// Match length in tokens from which on trust grows two powers faster.
    pub knee: f64,
    /// The share of the last E that frequent tokens get.
    pub frequent_share: f64,
    /// Nodes whose estimated probability of being reached is below this are not proposed.
    pub floor: f64,
}

impl Default for BlendOptions {
    fn default() -> BlendOptions {
        BlendOptions {
            max_places: 32,
            other_weight: 0.4,
            strength: 3.0,
            exponent: 0.8,
            knee: 14.0,
            frequent_share: 0.3,
            floor: 1e-6,
        }
    }
}

impl BlendOptions {
    /// # Errors
    /// `index_options` if a number is unusable.
    pub(crate) fn check(&self) -> Result<(), DraftingError> {
        let positive = [("strength", self.strength), ("knee", self.knee)];
        let others = [
            ("other_weight", self.other_weight),
            ("exponent", self.exponent),
            ("frequent_share", self.frequent_share),
            ("floor", self.floor),
        ];
        let is_bad = |value: f64| !value.is_finite() || value < 0.0;
        let bad = positive.iter().find(|number| is_bad(number.1) || number.1 == 0.0);
        match bad.or_else(|| others.iter().find(|number| is_bad(number.1))) {
            Some((name, value)) => {
                let message = format!("`{name}` is `{value}`; give a finite number that is not negative, or leave the default");
                Err(DraftingError::new("index_options", message))
            }
            None if self.max_places == 0 || self.max_places > MAX_PLACES => {
                let message = format!("`max_places` is `{}`; give 1 to {MAX_PLACES}", self.max_places);
                Err(DraftingError::new("index_options", message))
            }
            None => Ok(()),
        }
    }
}

/// The most places that may be looked at per store: the work of a step is quadratic in them at worst.
const MAX_PLACES: usize = 1024;
/// Longest match that is told apart; longer ones count as this.
pub(crate) const MAX_MATCH: usize = 64;

/// An earlier place whose text ends like the node's: `next` is the position of the token that followed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) next: u32,
    pub(crate) len: u16,
    pub(crate) own: bool,
}

/// A continuation that some place has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Continuation {
    pub(crate) token: i32,
    pub(crate) own: bool,
    pub(crate) num_places: u32,
    pub(crate) probability: f64,
    weight: f64,
}

/// Scratch memory of one blend, kept between calls.
#[derive(Default)]
pub(crate) struct Blend {
    /// The continuations of the last call, in the order in which they were first met.
    pub(crate) continuations: Vec<Continuation>,
    /// For each place, which continuation it has.
    pub(crate) which: Vec<u32>,
    strengths: Vec<f64>,
}

impl Blend {
    /// Scratch for these options.
    pub(crate) fn new(options: &BlendOptions) -> Blend {
        let strengths = (0..=MAX_MATCH).map(|len| {
            let len = len.max(1) as f64;
            options.strength / len.powf(options.exponent) * (options.knee / len).min(1.0).powi(2)
        });
        Blend {
            strengths: strengths.collect(),
            ..Blend::default()
        }
    }

    /// Blends the places, which come longest match first; `tokens[i]` continues `places[i]`. Returns what is left of E.
    ///
    /// Cost: places x distinct continuations.
    // HOT: once per node of a draft tree, over at most 2 * max_places places, few of them away from the root.
    // INVARIANT: `places` is sorted by `len` descending.
    pub(crate) fn mix(&mut self, places: &[Place], other_weight: f64, token_at: impl Fn(Place) -> i32) -> f64 {
        self.continuations.clear();
        self.which.clear();
        let (mut left, mut total) = (1.0, 0.0);
        let mut at = 0;
        while at < places.len() {
            let len = places[at].len;
            while at < places.len() && places[at].len == len {
                let place = places[at];
                let weight = if place.own { 1.0 } else { other_weight };
                self.count(token_at(place), weight, place.own);
                total += weight;
                at += 1;
            }
            left *= self.settle_level(len as usize, total, left);
        }
        left
    }

    fn count(&mut self, token: i32, weight: f64, own: bool) {
        let known = self.continuations.iter().position(|known| known.token == token);
        let at = known.unwrap_or_else(|| {
            self.continuations.push(Continuation {
                token,
                own,
                num_places: 0,
                probability: 0.0,
                weight: 0.0,
            });
            self.continuations.len() - 1
        });
        let continuation = &mut self.continuations[at];
        continuation.num_places += 1;
        continuation.weight += weight;
        self.which.push(at as u32);
    }

    /// Adds a level's share to every continuation and returns the factor on E. Counts run on from level to level: a place that
    /// matches longer matches shorter too.
    fn settle_level(&mut self, len: usize, total: f64, left: f64) -> f64 {
        let escape = self.strengths[len.min(MAX_MATCH)] * self.continuations.len() as f64;
        let share = left / (total + escape);
        for known in &mut self.continuations {
            known.probability += share * known.weight;
        }
        escape / (total + escape)
    }
}
