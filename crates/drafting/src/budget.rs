//! What a drafted node costs and what a predicted token is worth: the ratio of accepted to predicted tokens, learned online
//! with decay.

/// What a forward pass over drafts costs, in plain forward passes: 1 + `setup` + `per_node` x nodes, and 1 without a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WidthCost {
    /// The cost of each node.
    pub per_node: f64,
    /// The cost of drafting anything at all: a mask, another kernel, the work around them.
    pub setup: f64,
}

impl WidthCost {
    /// A cost without a fixed part.
    pub fn per_node(per_node: f64) -> WidthCost {
        WidthCost { per_node, setup: 0.0 }
    }

    /// Whether both numbers are finite and at least 0.
    pub(crate) fn is_sound(self) -> bool {
        [self.per_node, self.setup]
            .iter()
            .all(|cost| cost.is_finite() && *cost >= 0.0)
    }

    /// The cost of a node as a share of the cheapest forward that drafts at all. The width that is best for it is best for the
    /// whole cost too, if drafting pays at all.
    pub(crate) fn slope(self) -> f64 {
        self.per_node / (1.0 + self.setup)
    }

    /// Whether so many expected tokens are worth more than so many nodes cost.
    pub(crate) fn pays(self, expected: f64, width: usize) -> bool {
        expected > self.setup + self.per_node * width as f64
    }
}

/// Accepted and predicted tokens of recent steps. It starts as if five predicted tokens had all been accepted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Calibration {
    predicted: f64,
    accepted: f64,
}

const PRIOR: f64 = 5.0;
const DECAY: f64 = 0.98;
/// Bounds of the ratio: a streak of luck must not make every node pay, nor one of misfortune none.
const RATIO_RANGE: (f64, f64) = (0.2, 5.0);

impl Default for Calibration {
    fn default() -> Calibration {
        Calibration {
            predicted: PRIOR,
            accepted: PRIOR,
        }
    }
}

impl Calibration {
    /// Learns from one step: the sum of the probabilities proposed and how many tokens the model took.
    pub(crate) fn observe(&mut self, predicted: f64, accepted: usize) {
        self.predicted = self.predicted * DECAY + predicted;
        self.accepted = self.accepted * DECAY + accepted as f64;
    }

    /// Accepted tokens for one predicted token.
    pub(crate) fn accept_ratio(&self) -> f64 {
        (self.accepted / self.predicted.max(f64::MIN_POSITIVE)).clamp(RATIO_RANGE.0, RATIO_RANGE.1)
    }
}
