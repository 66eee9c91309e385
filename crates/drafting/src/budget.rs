//! What a predicted token is worth: the ratio of accepted to predicted tokens, learned online with decay.

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
