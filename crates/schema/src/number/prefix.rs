//! What has been written of a number: the mantissa, digit by digit, and the parts of a literal.
use super::Grid;
use num_bigint::{BigInt, BigUint, Sign};

/// How far the mantissa has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    /// A single zero before the point: no digit may follow it.
    Zero,
    /// Digits before the point, the first of them not zero.
    Whole,
    /// Just behind the point.
    Point,
    /// At least one digit behind the point.
    Fraction,
}

/// A mantissa that has begun.
#[derive(Clone, Debug)]
pub(super) struct Mantissa {
    pub negative: bool,
    pub stage: Stage,
    /// The digits without leading zeros.
    pub significant: Vec<u8>,
    /// The value of those digits.
    pub coefficient: BigUint,
    /// How many digits were written, zeros included.
    pub num_digits: i64,
    /// How many of them stand behind the point.
    pub num_places: i64,
}

impl Mantissa {
    /// The mantissa of one digit.
    pub fn new(negative: bool, digit: u8) -> Mantissa {
        let zero = digit == b'0';
        Mantissa {
            negative,
            stage: if zero { Stage::Zero } else { Stage::Whole },
            significant: if zero { Vec::new() } else { vec![digit] },
            coefficient: BigUint::from(digit - b'0'),
            num_digits: 1,
            num_places: 0,
        }
    }

    pub fn is_zero(&self) -> bool {
        self.significant.is_empty()
    }

    /// The power of ten of the first significant digit. Only for values other than zero.
    pub fn magnitude(&self) -> i64 {
        self.significant.len() as i64 - 1 - self.num_places
    }

    /// How many digits may still be written.
    pub fn room(&self, grid: &Grid) -> i64 {
        grid.max_digits - self.num_digits
    }

    /// Whether the literal, or its exponent, may follow here.
    pub fn may_end(&self) -> bool {
        self.stage != Stage::Point
    }

    pub fn push(&self, byte: u8, grid: &Grid) -> Option<Mantissa> {
        let mut next = self.clone();
        match byte {
            b'.' if matches!(self.stage, Stage::Zero | Stage::Whole) => next.stage = Stage::Point,
            b'0'..=b'9' if self.stage != Stage::Zero && self.room(grid) > 0 => {
                if byte != b'0' || !next.is_zero() {
                    next.significant.push(byte);
                }
                next.coefficient = next.coefficient * 10u8 + (byte - b'0');
                next.num_digits += 1;
                if self.stage != Stage::Whole {
                    next.stage = Stage::Fraction;
                    next.num_places += 1;
                }
            }
            _ => return None,
        }
        Some(next)
    }

    /// The value with this exponent, in steps of the grid.
    pub fn steps(&self, exponent: i64, grid: &Grid) -> BigInt {
        let power = grid.places + exponent - self.num_places;
        let sign = if self.negative { Sign::Minus } else { Sign::Plus };
        BigInt::from_biguint(sign, &self.coefficient * grid.power(power))
    }

    /// The powers of ten that the coefficient can be scaled by, with more digits or an exponent, inclusive.
    pub fn scales(&self, grid: &Grid) -> (i64, i64) {
        let (low, high) = (-grid.max_exponent, grid.max_exponent);
        match self.stage {
            Stage::Whole => (low, high + self.room(grid)),
            _ => (low - self.num_places, high - self.num_places),
        }
    }

    /// What to write so that the value becomes the coefficient, followed by the digits `more`, with the point `scale` places
    /// to the right of the coefficient's last digit. The scale must be one of [`Mantissa::scales`].
    pub fn completion(&self, scale: i64, more: &[u8], grid: &Grid) -> String {
        const LONGEST_WHOLE: i64 = 15;
        let text = std::str::from_utf8(more).expect("digits are ASCII");
        if self.stage != Stage::Whole {
            let exponent = exponent_text(scale + self.num_places);
            return match (self.stage, text) {
                (Stage::Zero, "") | (Stage::Fraction, _) => format!("{text}{exponent}"),
                (Stage::Zero, _) => format!(".{text}{exponent}"),
                (_, "") => format!("0{exponent}"),
                _ => format!("{text}{exponent}"),
            };
        }
        let plain = (0..=LONGEST_WHOLE.min(self.room(grid))).contains(&scale);
        let whole = if plain { scale } else { (scale - grid.max_exponent).max(0) };
        let exponent = exponent_text(scale - whole);
        let whole = whole as usize;
        if text.len() <= whole {
            return format!("{text:0<whole$}{exponent}");
        }
        format!("{}.{}{exponent}", &text[..whole], &text[whole..])
    }
}

fn exponent_text(exponent: i64) -> String {
    match exponent {
        0 => String::new(),
        _ => format!("e{exponent}"),
    }
}
